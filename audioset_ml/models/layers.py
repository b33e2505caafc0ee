"""What networks share: layers that train faster than Keras's, and their classifier."""

from collections.abc import Mapping, Sequence
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


@keras.saving.register_keras_serializable(package='audioset_ml')
class PointwiseConv2D(keras.layers.Conv2D):
  """`keras.layers.Conv2D` with kernels of 1×1, a matrix product while it trains.

  The gradients of a product are products, which processors take faster than the
  gradients of a convolution. Arguments and weights are those of Keras's layer, outputs
  and gradients the same up to rounding. Frozen, at inference, in another precision than
  float32, with other kernels, groups or channels first, and where there is a GPU, it is
  Keras's layer.
  """

  def call(self, inputs, training=None):
    """Convolves; see `keras.layers.Conv2D`."""
    if not (training and self.trainable and self._can_multiply(inputs)):
      return super().call(inputs)
    if self.strides != (1, 1):
      down, across = self.strides
      inputs = inputs[:, ::down, ::across]
    kernel = ops.reshape(self.kernel, (-1, self.filters))
    pixels = tf.matmul(ops.reshape(inputs, (-1, inputs.shape[-1])), kernel)
    outputs = ops.reshape(pixels, (*ops.shape(inputs)[:-1], self.filters))
    if self.use_bias:
      outputs = ops.add(outputs, self.bias)
    return outputs if self.activation is None else self.activation(outputs)

  def _can_multiply(self, inputs) -> bool:
    return (
      self.kernel_size == (1, 1)
      and self.groups == 1
      and self.data_format == 'channels_last'
      and keras.backend.standardize_dtype(inputs.dtype)
      == self.compute_dtype
      == 'float32'
      and not tf.config.list_physical_devices('GPU')
    )


def _keras_class(name: str) -> dict[str, str | None]:
  """What Keras writes of a layer of its own."""
  return {'module': 'keras.layers', 'class_name': name, 'registered_name': None}


def _our_class(name: str) -> dict[str, str | None]:
  """What Keras writes of a layer of this module."""
  registered = f'audioset_ml>{name}'
  return {'module': __name__, 'class_name': name, 'registered_name': registered}


# Our class, and Keras's of the same arguments and weights.
_NORMALIZATION = (
  _our_class('FusedBatchNormalization'),
  _keras_class('BatchNormalization'),
)
_CONVOLUTION = _our_class('PointwiseConv2D'), _keras_class('Conv2D')


def with_plain_layers(model: keras.Model) -> keras.Model:
  """The same model of Keras's own layers, whose file opens without this package."""
  return _with_other_layers(model, [_NORMALIZATION, _CONVOLUTION])


def with_fused_layers(model: keras.Model) -> keras.Model:
  """The same model with `FusedBatchNormalization` for Keras's, which is slow.

  Convolutions stay Keras's: to score, ours are no faster, and to train a network is
  built anew.
  """
  return _with_other_layers(model, [_NORMALIZATION[::-1]])


def _with_other_layers(
  model: keras.Model, pairs: Sequence[tuple[Mapping, Mapping]]
) -> keras.Model:
  """A copy with classes of layers in others' place; the model itself if it has none.

  Args:
    model: a model of a list of layers (Keras's Functional).
    pairs: what Keras writes of the old class and of the new one.
  """
  config = model.get_config()
  if not _replace(config, pairs):
    return model
  copy = type(model).from_config(config)
  copy.set_weights(model.get_weights())
  return copy


def _replace(config: dict[str, Any], pairs: Sequence[tuple[Mapping, Mapping]]) -> bool:
  """Puts classes of layers in others' place, also in models that are layers.

  Returns:
    Whether there was one.
  """
  changed = False
  for layer in config.get('layers', ()):
    for old, new in pairs:
      if all(layer.get(name) == value for name, value in old.items()):
        layer.update(new)
        changed = True
        break
    else:
      changed |= _replace(layer['config'], pairs)
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
