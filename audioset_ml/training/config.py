"""What a training run is made of, as plain values. Needs no TensorFlow."""

import dataclasses
import math

from audioset_ml.errors import InputError
from audioset_ml.models.config import ModelConfig

SCHEDULES = ('constant', 'cosine')


@dataclasses.dataclass(frozen=True)
class OptimizerConfig:
  """Adam and its learning rate over time.

  Attributes:
    learning_rate: at its peak; 1e-5 in ML20.
    warmup_fraction: share of the steps over which it rises from 0.
    schedule: 'constant', or 'cosine' down to `final_fraction` of it.
    final_fraction: of the learning rate, at the last step of a cosine.
  """

  learning_rate: float = 1e-5
  warmup_fraction: float = 0.0
  schedule: str = 'constant'
  final_fraction: float = 0.1

  def __post_init__(self):
    if not (math.isfinite(self.learning_rate) and self.learning_rate > 0):
      raise InputError(f'learning_rate is {self.learning_rate}, but must be above 0')
    if self.schedule not in SCHEDULES:
      raise InputError(
        f'schedule is {self.schedule!r}, but must be one of {", ".join(SCHEDULES)}'
      )
    for name in ('warmup_fraction', 'final_fraction'):
      if not 0 <= getattr(self, name) <= 1:
        raise InputError(f'{name} is {getattr(self, name)}, but must be in [0, 1]')


@dataclasses.dataclass(frozen=True)
class TrainConfig:
  """A training run.

  Attributes:
    records: folder of training records.
    architecture, width_multiplier, weight_init, bias_start: as in ModelConfig.
    optimizer: the optimiser.
    steps: batches to train on.
    batch_size: patches a batch.
    shuffle_buffer: patches held to be shuffled.
    seed: of the initial weights, the input's order and the patches' places.
    validation_records: folder of records to evaluate on; '' for none.
    label_set: folder of a label set whose flagged labels are ignored; '' for none.
    label_mode: weak, diffuse or strong labels (SL21 section 4).
    strong_clips_only: whether to leave out clips without strong labels.
    smear_ontology: AudioSet's ontology.json, to count the ancestors of positives as
      positive too (SL21 3.1's label smearing); '' for none.
    init_from: a train folder, a `.keras` file or YAMNet's `.h5` weights to start from.
    validate_every: steps between evaluations; the last step is always evaluated.
    checkpoint_every: steps between checkpoints.
    log_every: steps between TensorBoard points.
  """

  records: str
  architecture: str = 'mobilenet_v1'
  width_multiplier: float = 1.0
  weight_init: str = 'keras'
  bias_start: float = 0.0
  optimizer: OptimizerConfig = OptimizerConfig()
  steps: int = 100_000
  batch_size: int = 64
  shuffle_buffer: int = 4096
  seed: int = 0
  validation_records: str = ''
  label_set: str = ''
  label_mode: str = 'weak'
  strong_clips_only: bool = False
  smear_ontology: str = ''
  init_from: str = ''
  validate_every: int = 1000
  checkpoint_every: int = 1000
  log_every: int = 100

  def __post_init__(self):
    for name in (
      'steps',
      'batch_size',
      'shuffle_buffer',
      'validate_every',
      'checkpoint_every',
      'log_every',
    ):
      if getattr(self, name) < 1:
        raise InputError(f'{name} is {getattr(self, name)}, but must be at least 1')

  def model_config(self, num_classes: int, patch_shape: tuple[int, int]) -> ModelConfig:
    """The network for records of this many classes and this shape of patches."""
    return ModelConfig(
      architecture=self.architecture,
      num_classes=num_classes,
      width_multiplier=self.width_multiplier,
      weight_init=self.weight_init,
      bias_start=self.bias_start,
      patch_frames=patch_shape[0],
      mel_bands=patch_shape[1],
      seed=self.seed,
    )
