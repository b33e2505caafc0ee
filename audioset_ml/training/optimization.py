"""The optimiser of a run, its learning rate, and the average of the weights."""

import contextlib
from collections.abc import Iterator

import keras
import tensorflow as tf

from audioset_ml.training.optimizer_config import OptimizerConfig

_CLASSES = {
  'adam': keras.optimizers.Adam,
  'adamw': keras.optimizers.AdamW,
  'sgd': keras.optimizers.SGD,
}


@keras.saving.register_keras_serializable(package='audioset_ml')
class WarmupSchedule(keras.optimizers.schedules.LearningRateSchedule):
  """A linear rise from 0, then a constant rate, half a cosine or an exponential fall.

  Keras's CosineDecay starts its first step at a rate of 0 and knows no constant rate
  after a warm-up; here step s of w warm-up steps has the rate peak·(s + 1)/w.
  """

  def __init__(
    self,
    peak: float,
    steps: int,
    warmup_steps: int,
    final_fraction: float,
    course: str = 'cosine',
    steps_before: int = 0,
  ):
    """Args: peak rate; all steps; steps of the rise; share of the peak at the end;
    the fall's course, 'constant', 'cosine' or 'exponential'; steps that the optimiser
    had seen before."""
    super().__init__()
    self.peak = peak
    self.steps = steps
    self.warmup_steps = warmup_steps
    self.final_fraction = final_fraction
    self.course = course
    self.steps_before = steps_before

  def __call__(self, step):
    step = keras.ops.cast(keras.ops.maximum(step - self.steps_before, 0), 'float32')
    rise = (step + 1.0) / max(self.warmup_steps, 1)
    span = max(self.steps - self.warmup_steps, 1)
    progress = keras.ops.clip((step - self.warmup_steps) / span, 0.0, 1.0)
    if self.course == 'cosine':
      cosine = 0.5 * (1.0 + keras.ops.cos(progress * 3.141592653589793))
      fall = self.final_fraction + (1.0 - self.final_fraction) * cosine
    elif self.course == 'exponential':
      fall = self.final_fraction**progress
    else:
      fall = keras.ops.ones_like(progress)
    return self.peak * keras.ops.where(step < self.warmup_steps, rise, fall)

  def get_config(self):
    names = ('peak', 'steps', 'warmup_steps', 'final_fraction', 'course')
    return {name: getattr(self, name) for name in (*names, 'steps_before')}


def build_optimizer(
  config: OptimizerConfig,
  steps: int,
  variables: list[keras.Variable],
  steps_before: int = 0,
) -> keras.optimizers.Optimizer:
  """The configured optimiser over `steps` steps, built for some variables."""
  schedule = WarmupSchedule(
    peak=config.learning_rate,
    steps=steps,
    warmup_steps=round(config.warmup_fraction * steps),
    final_fraction=config.final_fraction,
    course=config.schedule,
    steps_before=steps_before,
  )
  options = {}
  if config.optimizer == 'adamw':
    options['weight_decay'] = config.weight_decay
  if config.clip_norm:
    options['global_clipnorm'] = config.clip_norm
  if config.accumulate > 1:
    options['gradient_accumulation_steps'] = config.accumulate
  optimizer = _CLASSES[config.optimizer](schedule, **options)
  if config.optimizer == 'adamw':
    # Biases, and batch normalisation's factors and shifts, are vectors.
    optimizer.exclude_from_weight_decay(
      [variable for variable in variables if len(variable.shape) < 2]
    )
  if config.precision == 'mixed_float16':
    optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
  optimizer.build(variables)
  return optimizer


class MovingAverage(tf.Module):
  """An exponential moving average of a model's weights.

  All weights are averaged, batch normalisation's moving statistics among them. Early
  averages follow the weights faster: at update t the decay is at most (1 + t)/(10 + t).
  """

  def __init__(self, model: keras.Model, decay: float):
    super().__init__()
    self._weights = [weight.value for weight in model.weights]
    self.averages = [
      tf.Variable(weight, trainable=False, dtype=weight.dtype)
      for weight in self._weights
    ]
    self._decay = decay

  def update(self, step: tf.Tensor) -> None:
    """Moves the average towards the weights.

    Args:
      step: how many updates there were before.
    """
    step = tf.cast(step, tf.float32)
    decay = tf.minimum(self._decay, (1.0 + step) / (10.0 + step))
    for average, weight in zip(self.averages, self._weights, strict=True):
      share = tf.cast(1.0 - decay, average.dtype)
      average.assign_add(share * (tf.cast(weight, average.dtype) - average))

  def reset(self) -> None:
    """Begins anew from the weights as they are."""
    for average, weight in zip(self.averages, self._weights, strict=True):
      average.assign(weight)

  @contextlib.contextmanager
  def applied(self) -> Iterator[None]:
    """The model has the averages for weights while this lasts."""
    kept = [tf.identity(weight) for weight in self._weights]
    self._assign(self.averages)
    try:
      yield
    finally:
      self._assign(kept)

  def _assign(self, values: list) -> None:
    for weight, value in zip(self._weights, values, strict=True):
      weight.assign(value)
