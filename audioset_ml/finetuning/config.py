"""What `finetune` is asked to do. Needs no TensorFlow."""

import dataclasses
import math

from audioset_ml.core.errors import InputError
from audioset_ml.finetuning.division import DivisionConfig
from audioset_ml.training.config import SourceConfig, TrainConfig
from audioset_ml.training.optimizer_config import OptimizerConfig

# What is trained, and the settings of it. They were chosen on ESC-10's folds 1 to 3
# against 4; fold 5 had no part in it.
METHODS = {
  # A new classifier on the network's embeddings, which are made once: the way to begin
  # with, and for tens of recordings a class the best one.
  'head': {
    'architecture': 'linear',
    'batch_size': 64,
    'steps_per_call': 16,
    'optimizer': {'learning_rate': 1e-2, 'schedule': 'cosine'},
  },
  # All of YAMNet's layers go on learning. Batch normalisation takes the new sounds'
  # statistics over, for which its moving ones need some 500 steps; with far fewer the
  # model is good for nothing. Hence many steps of small batches.
  'all_layers': {
    'architecture': 'mobilenet_v1',
    'batch_size': 16,
    'optimizer': {
      'learning_rate': 5e-4,
      'warmup_fraction': 0.1,
      'schedule': 'cosine',
    },
  },
  # The quick start's small network from random weights, to compare with.
  'from_scratch': {
    'architecture': 'mobilenet_v1_tiny',
    'width_multiplier': 0.25,
    'bias_start': -2.0,
    'batch_size': 64,
    'optimizer': {
      'learning_rate': 1e-2,
      'warmup_fraction': 0.05,
      'schedule': 'cosine',
    },
  },
}
# What suits ESC-10's ten classes of 40 clips.
_STEPS = {'head': 300, 'all_layers': 600, 'from_scratch': 600}
_STEPS_A_CLASS = {'head': 30, 'all_layers': 60, 'from_scratch': 60}
_PASSES = 5


@dataclasses.dataclass(frozen=True)
class FinetuneConfig:
  """Recordings, and what is made of them.

  Attributes:
    sounds: a folder with a subfolder a class, or a table of recordings.
    model: the network to start from: a train folder, .keras file or yamnet.h5; '' for
      the method `from_scratch`.
    audio_dir: where the table's files are; '' looks beside it.
    method: one of METHODS.
    steps: batches to train on; 0 for as many as there are recordings for.
    clip_seconds: longer recordings are cut.
    group_pattern, fold_pattern: what finds the group or the fold in a file's name.
    division: how recordings are divided.
    skip_bad_sounds: whether files that are no sound are left out, or an error.
    seed: of the training.
  """

  sounds: str
  model: str = ''
  audio_dir: str = ''
  method: str = 'head'
  steps: int = 0
  clip_seconds: float = 10.0
  group_pattern: str = ''
  fold_pattern: str = ''
  division: DivisionConfig = dataclasses.field(default_factory=DivisionConfig)
  skip_bad_sounds: bool = False
  seed: int = 1

  def __post_init__(self):
    if self.method not in METHODS:
      raise InputError(f'method is {self.method!r}: choose from {", ".join(METHODS)}')
    if bool(self.model) != (self.method != 'from_scratch'):
      raise InputError(
        f'the method {self.method} starts from random weights: leave out --model'
        if self.model
        else f'the method {self.method} starts from a network: name it with --model. '
        "YAMNet's weights are published at "
        'https://storage.googleapis.com/audioset/yamnet.h5'
      )
    if self.division.folds == 1:
      raise InputError('--folds=1: nothing would be left to train on; at least 2')
    if self.division.folds and self.division.eval_fold:
      raise InputError('--folds makes folds, --eval_fold is for given ones: give one')
    default = DivisionConfig.eval_fraction
    if self.division.folds and self.division.eval_fraction != default:
      raise InputError(
        '--eval_fraction does nothing with --folds: all are evaluated on'
      )
    if not self.clip_seconds >= 1:
      raise InputError(f'clip_seconds is {self.clip_seconds}, but must be at least 1')

  def train_config(self, records: str, clips: int, classes: int) -> TrainConfig:
    """A training on some clips of records.

    Args:
      records: the records.
      clips: how many clips there are to train on.
      classes: how many classes there are.
    """
    settings = dict(METHODS[self.method])
    needed = max(
      _STEPS[self.method],
      classes * _STEPS_A_CLASS[self.method],
      math.ceil(_PASSES * clips / settings['batch_size']),
    )
    return TrainConfig(
      source=SourceConfig(records),
      **settings | {'optimizer': OptimizerConfig(**settings['optimizer'])},
      init_from=self.model if self.method == 'all_layers' else '',
      steps=self.steps or needed,
      seed=self.seed,
    )
