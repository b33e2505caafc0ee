"""How weights are updated: optimiser, learning rate, gradients, as plain values. Needs
no TensorFlow."""

import dataclasses
import math

from audioset_ml.core.errors import InputError
from audioset_ml.training.allowed_values import require_one_of, require_range

OPTIMIZERS = ('adam', 'adamw', 'sgd')
SCHEDULES = ('constant', 'cosine', 'exponential')
# Convolutions, but for depthwise ones, in bfloat16; where a processor has instructions
# for it, 'auto' is that.
BY_LAYER, AUTO = 'bfloat16_convolutions', 'auto'
PRECISIONS = ('float32', 'mixed_bfloat16', 'mixed_float16', BY_LAYER, AUTO)


@dataclasses.dataclass(frozen=True)
class OptimizerConfig:
  """The optimiser, its learning rate over time, and what happens to the gradients.

  Attributes:
    optimizer: one of OPTIMIZERS; ML20 and SL21 have Adam.
    learning_rate: at its peak; 1e-5 in ML20.
    weight_decay: AdamW's; none of it on biases and batch normalisation.
    warmup_fraction: share of the steps over which the rate rises from 0.
    schedule: 'constant', or 'cosine' or 'exponential' down to `final_fraction` of it.
    final_fraction: of the learning rate, after the last step.
    clip_norm: the gradients' largest common norm; 0 for any.
    accumulate: steps whose gradients make one update: a batch of so many batches.
    precision: 'float32', or mixed precision; float16 with loss scaling; or by layer,
      `BY_LAYER`; or 'auto', see `training.precision`.
  """

  optimizer: str = 'adam'
  learning_rate: float = 1e-5
  weight_decay: float = 0.01
  warmup_fraction: float = 0.0
  schedule: str = 'constant'
  final_fraction: float = 0.1
  clip_norm: float = 0.0
  accumulate: int = 1
  precision: str = 'float32'

  def __post_init__(self):
    require_one_of(self, 'optimizer', OPTIMIZERS)
    require_one_of(self, 'schedule', SCHEDULES)
    require_one_of(self, 'precision', PRECISIONS)
    if not (math.isfinite(self.learning_rate) and self.learning_rate > 0):
      raise InputError(f'learning_rate is {self.learning_rate}, but must be above 0')
    require_range(self, ('warmup_fraction', 'final_fraction'), 0, 1)
    require_range(self, ('weight_decay', 'clip_norm'), 0, math.inf)
    require_range(self, ('accumulate',), 1, math.inf)
    if self.schedule == 'exponential' and self.final_fraction == 0:
      raise InputError('final_fraction is 0, which no exponential reaches')
