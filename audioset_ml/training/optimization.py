"""The optimiser of a run."""

import keras

from audioset_ml.training.config import OptimizerConfig


@keras.saving.register_keras_serializable(package='audioset_ml')
class WarmupSchedule(keras.optimizers.schedules.LearningRateSchedule):
  """A linear rise from 0, then a constant rate or half a cosine.

  Keras's CosineDecay starts its first step at a rate of 0 and knows no constant rate
  after a warm-up; here step s of w warm-up steps has the rate peak·(s + 1)/w.
  """

  def __init__(self, peak: float, steps: int, warmup_steps: int, final_fraction: float):
    """Args: peak rate; all steps; steps of the rise; share of the peak at the end."""
    super().__init__()
    self.peak = peak
    self.steps = steps
    self.warmup_steps = warmup_steps
    self.final_fraction = final_fraction

  def __call__(self, step):
    step = keras.ops.cast(step, 'float32')
    rise = (step + 1.0) / max(self.warmup_steps, 1)
    span = max(self.steps - self.warmup_steps, 1)
    progress = keras.ops.clip((step - self.warmup_steps) / span, 0.0, 1.0)
    cosine = 0.5 * (1.0 + keras.ops.cos(progress * 3.141592653589793))
    fall = self.final_fraction + (1.0 - self.final_fraction) * cosine
    return self.peak * keras.ops.where(step < self.warmup_steps, rise, fall)

  def get_config(self):
    return {
      'peak': self.peak,
      'steps': self.steps,
      'warmup_steps': self.warmup_steps,
      'final_fraction': self.final_fraction,
    }


def build_optimizer(config: OptimizerConfig, steps: int) -> keras.optimizers.Optimizer:
  """Adam with the configured learning rate over `steps` steps."""
  schedule = WarmupSchedule(
    peak=config.learning_rate,
    steps=steps,
    warmup_steps=round(config.warmup_fraction * steps),
    final_fraction=config.final_fraction if config.schedule == 'cosine' else 1.0,
  )
  return keras.optimizers.Adam(schedule)
