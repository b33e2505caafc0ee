"""What networks share: fast batch normalisation, and the classifier at their end."""

from typing import Any

import keras
import tensorflow as tf
from keras import ops

from audioset_ml.models.initialization import KernelInitializers

# cuDNN refuses a smaller epsilon (CUDNN_BN_MIN_EPSILON).
_SMALLEST_FUSED_EPSILON = 1e-5


@keras.saving.register_keras_serializable(package='audioset_ml')
class FusedBatchNormalization(keras.layers.BatchNormalization):
  """`keras.layers.BatchNormalization`, computed by `FusedBatchNormV3` where it can be.

  Keras 3 composes batch normalisation from a dozen elementary operations; on
  depthwise networks they take longer than the convolutions. The fused kernel does
  the same in one. Arguments, weights, outputs, gradients and moving statistics
  are those of Keras's layer, so that either takes the other's `get_weights()`.

  Under a `tf.distribute` strategy with several replicas, training normalises by the
  statistics of the whole batch, so that the number of replicas changes nothing.

  The kernel handles inputs of shape [batch, height, width, channels] or [batch,
  channels] in float32, float16 or bfloat16 (statistics always in float32). Other ranks,
  another axis, masks, `synchronized`, `renorm` and epsilons below 1e-5 take Keras's own
  path.
  """

  def call(self, inputs, training=None, mask=None):
    """Normalises over all axes but the last; see `keras.layers.BatchNormalization`."""
    if len(inputs.shape) == 2:
      as_pictures = ops.reshape(inputs, (-1, 1, 1, inputs.shape[-1]))
      if self._can_fuse(as_pictures, mask):
        normalized = self.call(as_pictures, training, mask)
        return ops.reshape(normalized, (-1, inputs.shape[-1]))
    if not self._can_fuse(inputs, mask):
      return super().call(inputs, training=training, mask=mask)
    # A frozen layer normalises by its moving statistics even in training, as in Keras.
    if training and self.trainable:
      replicas = tf.distribute.get_strategy().num_replicas_in_sync
      if replicas > 1 and not tf.distribute.in_cross_replica_context():
        outputs = self._normalize_by_all_replicas(inputs)
      else:
        outputs = self._normalize_by_batch(inputs)
    else:
      outputs = self._fused_op(
        inputs,
        mean=ops.cast(self.moving_mean, 'float32'),
        variance=ops.cast(self.moving_variance, 'float32'),
        is_training=False,
      )[0]
    return ops.cast(outputs, self.compute_dtype)

  def _can_fuse(self, inputs, mask) -> bool:
    return (
      mask is None
      and len(inputs.shape) == 4
      and self.axis in (-1, 3)
      and keras.backend.standardize_dtype(inputs.dtype)
      in ('float32', 'float16', 'bfloat16')
      and self.epsilon >= _SMALLEST_FUSED_EPSILON
      and not self.synchronized
      and not getattr(self, 'renorm', False)  # only newer Keras 3 has it
    )

  def _normalize_by_batch(self, inputs):
    """Normalises by the batch's statistics and updates the moving ones."""
    unused = tf.zeros([0], tf.float32)
    outputs, mean, variance = self._fused_op(
      inputs, mean=unused, variance=unused, is_training=True
    )[:3]
    # The kernel returns the variance of a sample, n / (n - 1) times too large; Keras
    # averages the population variance.
    count = tf.cast(tf.reduce_prod(tf.shape(inputs)[:3]), tf.float32)
    variance *= tf.maximum(count - 1.0, 1.0) / count
    self._update(self.moving_mean, mean)
    self._update(self.moving_variance, variance)
    return outputs

  def _normalize_by_all_replicas(self, inputs):
    """The same over the parts of a batch that all replicas have, of equal size.

    Keras's `synchronized` has the variance as E(x²) − E(x)², which loses digits.
    """
    all_reduce = tf.distribute.get_replica_context().all_reduce
    inputs = tf.cast(inputs, tf.float32)
    mean = all_reduce(tf.distribute.ReduceOp.MEAN, tf.reduce_mean(inputs, [0, 1, 2]))
    deviations = tf.reduce_mean(tf.square(inputs - mean), [0, 1, 2])
    variance = all_reduce(tf.distribute.ReduceOp.MEAN, deviations)
    self._update(self.moving_mean, mean)
    self._update(self.moving_variance, variance)
    return tf.nn.batch_normalization(
      inputs,
      mean,
      variance,
      ops.cast(self.beta, 'float32') if self.center else None,
      ops.cast(self.gamma, 'float32') if self.scale else None,
      self.epsilon,
    )

  def _update(self, moving, batch_value):
    old = ops.cast(moving, 'float32')
    moving.assign(old * self.momentum + batch_value * (1.0 - self.momentum))

  def _fused_op(self, inputs, mean, variance, is_training):
    channels = inputs.shape[-1]
    ones, zeros = tf.ones([channels]), tf.zeros([channels])
    return tf.raw_ops.FusedBatchNormV3(
      x=inputs,
      scale=ops.cast(self.gamma, 'float32') if self.scale else ones,
      offset=ops.cast(self.beta, 'float32') if self.center else zeros,
      mean=mean,
      variance=variance,
      epsilon=self.epsilon,
      is_training=is_training,
    )


_PLAIN = {
  'module': 'keras.layers',
  'class_name': 'BatchNormalization',
  'registered_name': None,
}
_FUSED = {
  'module': 'audioset_ml.models.layers',
  'class_name': 'FusedBatchNormalization',
  'registered_name': 'audioset_ml>FusedBatchNormalization',
}


def with_plain_layers(model: keras.Model) -> keras.Model:
  """The same model of Keras's own layers, whose file opens without this package."""
  return _with_other_layers(model, _FUSED, _PLAIN)


def with_fused_layers(model: keras.Model) -> keras.Model:
  """The same model with `FusedBatchNormalization` for Keras's, which is slow."""
  return _with_other_layers(model, _PLAIN, _FUSED)


def _with_other_layers(
  model: keras.Model, old: dict[str, str | None], new: dict[str, str | None]
) -> keras.Model:
  """A copy with a class of layers in another's place; the model itself if it has none.

  Args:
    model: a model of a list of layers (Keras's Functional).
    old, new: what Keras writes of the two classes.
  """
  config = model.get_config()
  if not _replace(config, old, new):
    return model
  copy = type(model).from_config(config)
  copy.set_weights(model.get_weights())
  return copy


def _replace(
  config: dict[str, Any], old: dict[str, str | None], new: dict[str, str | None]
) -> bool:
  """Puts a class of layers in another's place, also in models that are layers.

  Returns:
    Whether there was one.
  """
  changed = False
  for layer in config.get('layers', ()):
    if all(layer.get(name) == value for name, value in old.items()):
      layer.update(new)
      changed = True
    elif _replace(layer['config'], old, new):
      changed = True
  return changed


def with_classifier(
  inputs: keras.KerasTensor,
  embeddings: keras.KerasTensor,
  num_classes: int,
  kernel_initializers: KernelInitializers,
  bias_start: float,
  name: str,
) -> keras.Model:
  """Ends a network: its classifier, the layer 'logits', in float32.

  Args:
    inputs: the network's input.
    embeddings: what the classifier sees, of a layer 'embeddings'. Shape [batch, D].
    num_classes: the number of logits.
    kernel_initializers: from a layer's name to its kernel's initializer.
    bias_start: initial value of the biases (a logit).
    name: the model's name.
  """
  logits = keras.layers.Dense(
    num_classes,
    kernel_initializer=kernel_initializers('logits'),
    bias_initializer=keras.initializers.Constant(bias_start),
    dtype='float32',
    name='logits',
  )(embeddings)
  return keras.Model(inputs, logits, name=name)
