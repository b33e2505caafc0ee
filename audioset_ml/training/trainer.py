"""One training step, on one device or many, and all the state that a run has."""

import contextlib
import dataclasses
from collections.abc import Iterator

import keras
import tensorflow as tf

from audioset_ml.models.precision import in_bfloat16
from audioset_ml.models.registry import build_model
from audioset_ml.records.targets import NEGATIVE, POSITIVE
from audioset_ml.training.clip_flags import ClipFlags
from audioset_ml.training.config import TrainConfig
from audioset_ml.training.distribution import local_replicas
from audioset_ml.training.large_loss import CorrectedForGood
from audioset_ml.training.loss_table import Loss, build_loss
from audioset_ml.training.negative_loss import NegativeLoss
from audioset_ml.training.optimization import MovingAverage, build_optimizer
from audioset_ml.training.optimizer_config import BY_LAYER
from audioset_ml.training.warm_start import CLASSIFIER


@dataclasses.dataclass(frozen=True)
class Shape:
  """What the records say of a network: classes, and the shape of a patch."""

  num_classes: int
  patch: tuple[int, int]


class Trainer:
  """A model with its optimiser and their state.

  Attributes:
    model: from patches to logits.
    optimizer: the optimiser.
    average: the moving average of the weights, or None.
    step: steps done, a variable; `steps_done` is its value.
  """

  def __init__(
    self,
    config: TrainConfig,
    shape: Shape,
    strategy: tf.distribute.Strategy,
    steps_before: int = 0,
    loss: Loss | None = None,
    flags: ClipFlags | None = None,
  ):
    """Args: the run; what its records say of the network; where it runs; steps that an
    optimiser's state which is to be taken over has seen; the loss of single examples,
    None for that of the configuration without what only records can say; the labels
    that the run has flagged itself, None where it doesn't."""
    self._config = config
    self._strategy = strategy
    self._replicas = strategy.num_replicas_in_sync
    self._shape = shape
    precision = config.optimizer.precision
    keras.mixed_precision.set_global_policy(
      precision if precision.startswith('mixed_') else 'float32'
    )
    with strategy.scope():
      self.model = build_model(config.model_config(shape.num_classes, shape.patch))
      if precision == BY_LAYER:
        self.model = in_bfloat16(self.model, depthwise=False)
      for layer in self.model.layers:
        normalizes = isinstance(layer, keras.layers.BatchNormalization)
        layer.trainable = not (
          (config.freeze_body and layer.name != CLASSIFIER)
          or (config.freeze_batch_norm and normalizes)
        )
      variables = self.model.trainable_variables
      # Keras clips each replica's share of the gradients: a share of the norm.
      optimizer = dataclasses.replace(
        config.optimizer, clip_norm=config.optimizer.clip_norm / self._replicas
      )
      self.optimizer = build_optimizer(optimizer, config.steps, variables, steps_before)
      self.average = None
      if config.ema_decay:
        self.average = MovingAverage(self.model, config.ema_decay)
      self.step = tf.Variable(0, dtype=tf.int64, trainable=False)
    self._flags = flags
    self._loss = loss or build_loss(config.loss, shape.num_classes)
    self._train_step = tf.function(self._distributed_step)
    self._train_steps = tf.function(self._steps_in_a_row)

  @property
  def told(self) -> tuple[str, ...]:
    """What batches tell besides patches and targets, in their order."""
    weights = ('weights',) if self._config.balance_loss else ()
    return ('clips',) * (self._flags is not None) + weights

  @property
  def steps_done(self) -> int:
    return int(self.step.read_value())

  @property
  def seeds(self) -> list[tf.Variable]:
    """Where dropout is in its random numbers; no part of the model's weights."""
    layers = self.model.layers
    layers = [layer for layer in layers if isinstance(layer, keras.layers.Dropout)]
    return [layer.seed_generator.state.value for layer in layers]

  @property
  def learning_rate(self) -> float:
    """The rate of the next update."""
    inner = getattr(self.optimizer, 'inner_optimizer', self.optimizer)
    return float(inner.learning_rate)

  @contextlib.contextmanager
  def averaged(self) -> Iterator[None]:
    """The model has its averaged weights, if there is an average, while this lasts."""
    with self.average.applied() if self.average else contextlib.nullcontext():
      yield

  def train_step(
    self,
    patches: tf.Tensor,
    target: tf.Tensor,
    stop: bool = False,
    clips: tf.Tensor | None = None,
    weights: tf.Tensor | None = None,
  ) -> tuple[tf.Tensor, tf.Tensor | float]:
    """Trains on a batch, of which every replica gets a part.

    It returns as soon as the device has the step to do: what it returns isn't fetched.

    Args:
      patches: this process's part of the batch. Shape [examples, 96, 64].
      target: its targets. Shape [examples, classes].
      stop: whether this process wants to stop.
      clips: the examples' clips, where labels are flagged; see `ClipFlags`.
      weights: how many times the loss of each example counts in the mean, which is over
        the number of examples. Shape [examples]; None: once.

    Returns:
      The mean weighted loss of the whole batch, shape []; the share of the processes
      that want to stop.
    """
    self.step.assign_add(1)
    if self._replicas == 1:
      return self._train_step(patches, target, None, clips, weights), float(stop)
    parts = [self._spread(patches), self._spread(target), tf.constant(float(stop))]
    if weights is None:
      return self._train_step(*parts)
    return self._train_step(*parts, weights=self._spread(weights))

  def train_steps(self, batches: Iterator, number: int) -> tf.Tensor:
    """Trains on the next batches of a tf.data iterator, in one call of the graph.

    The weights are those of as many calls of `train_step`. On one device only: several
    replicas have their parts of a batch spread by hand.

    Args:
      batches: the iterator.
      number: how many batches.

    Returns:
      The loss of each. Shape [number]; not fetched.
    """
    # A tensor, or each number would be a graph of its own.
    return self._train_steps(batches, tf.constant(number))

  def weights_are_finite(self) -> bool:
    """Whether all weights, and what batch normalisation keeps, are finite numbers."""
    weights = self.model.weights
    finite = [tf.reduce_all(tf.math.is_finite(weight.value)) for weight in weights]
    return bool(tf.reduce_all(finite))  # fetched once

  def _spread(self, batch: tf.Tensor) -> tf.Tensor:
    """A batch in equal parts for this process's replicas."""
    parts = tf.split(batch, local_replicas(self._strategy))
    return self._strategy.experimental_distribute_values_from_function(
      lambda context: parts[context.replica_id_in_sync_group % len(parts)]
    )

  def _distributed_step(
    self,
    patches: tf.Tensor,
    target: tf.Tensor,
    wish: tf.Tensor | None = None,
    clips: tf.Tensor | None = None,
    weights: tf.Tensor | None = None,
  ) -> tf.Tensor:
    if self._replicas == 1:
      return self._replica_step(patches, target, clips, weights)

    def step(patches: tf.Tensor, target: tf.Tensor, *weights: tf.Tensor) -> tf.Tensor:
      return tf.stack([self._replica_step(patches, target, None, *weights), wish])

    more = () if weights is None else (weights,)
    found = self._strategy.run(step, args=(patches, target, *more))
    return tf.unstack(
      self._strategy.reduce(tf.distribute.ReduceOp.MEAN, found, axis=None)
    )

  def _steps_in_a_row(self, batches: Iterator, number: tf.Tensor) -> tf.Tensor:
    losses = tf.TensorArray(tf.float32, number)
    for index in tf.range(number):
      batch = next(batches)
      patches, target = batch[0], batch[1]
      told = dict(zip(self.told, batch[2:], strict=True))
      # Of unknown shapes TensorFlow makes another graph, whose sums round otherwise.
      size = self._config.batch_size
      patches = tf.ensure_shape(patches, [size, *self._shape.patch])
      target = tf.ensure_shape(target, [size, self._shape.num_classes])
      self.step.assign_add(1)
      losses = losses.write(index, self._replica_step(patches, target, **told))
    return losses.stack()

  def _replica_step(
    self,
    patches: tf.Tensor,
    target: tf.Tensor,
    clips: tf.Tensor | None = None,
    weights: tf.Tensor | None = None,
  ) -> tf.Tensor:
    if self._flags is not None:
      target = self._flags.applied(target, clips)
    variables = self.model.trainable_variables
    with tf.GradientTape() as tape:
      logits = tf.cast(self.model(patches, training=True), tf.float32)
      if isinstance(self._loss, CorrectedForGood):
        suspects = (target == NEGATIVE) & (clips >= 0)
        found = self._loss.found(logits, suspects, self.step)
        self._flags.add(clips, found)
        target = tf.where(found, tf.constant(POSITIVE, target.dtype), target)
      losses = self._losses(target, logits)
      if weights is not None:
        losses *= weights
      loss = tf.reduce_mean(losses)
      scaled = self.optimizer.scale_loss(loss)
    gradients = tape.gradient(scaled, variables)
    if self._replicas > 1:
      # The mean over replicas first, so that it is what gets clipped; Keras adds the
      # replicas' shares of it up again.
      context = tf.distribute.get_replica_context()
      gradients = context.all_reduce(tf.distribute.ReduceOp.MEAN, gradients)
      gradients = [gradient / self._replicas for gradient in gradients]
    self.optimizer.apply(gradients, variables)
    if self.average is not None:
      self.average.update(self.step - 1)
    return loss

  def _losses(self, target: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """The loss of each example. Shape [examples]."""
    if isinstance(self._loss, NegativeLoss):
      return self._loss(target, logits, self.step)
    return self._loss(target, logits)


def float32_copy(model: keras.Model) -> keras.Model:
  """The same model in float32, whatever it was trained in."""
  if all(layer.dtype_policy.name == 'float32' for layer in model.layers):
    return model
  config = model.get_config()
  for layer in config['layers']:
    if 'dtype' in layer['config']:
      layer['config']['dtype'] = 'float32'
  policy = keras.mixed_precision.global_policy()
  keras.mixed_precision.set_global_policy('float32')
  try:
    copy = type(model).from_config(config)
  finally:
    keras.mixed_precision.set_global_policy(policy)
  copy.set_weights(model.get_weights())
  return copy
