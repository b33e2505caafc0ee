"""Sound-event classifiers trained and evaluated on incompletely labelled data.

What most programs need is offered here by name, and imported when it is first used:
`import audioset_ml` itself is quick and prints nothing.
"""

import importlib
import os
import sys
import types
from typing import TYPE_CHECKING, Any

__version__ = '0.1.0'

# Of a process that a stage has started, such as a worker: quiet, as the stage is.
if os.environ.get('AUDIOSET_ML_QUIET'):
  from audioset_ml.core import quiet

  quiet.leave_out_notes()

# `python -m audioset_ml.STAGE` imports this first; of a stage that there is none of,
# Python would only say that it found no such module.
if sys.argv[:1] == ['-m']:
  from audioset_ml import cli

  cli.require_module(sys.orig_argv)

if TYPE_CHECKING:
  from audioset_ml.audio.decoding import load_audio
  from audioset_ml.audio.features import log_mel_patches
  from audioset_ml.evaluation.metrics import average_precision, d_prime, lwlrap, roc_auc
  from audioset_ml.labels.label_set import LabelSet
  from audioset_ml.models.tagging import tag
  from audioset_ml.models.trained import load_model
  from audioset_ml.models.waveform_loading import load_waveform_model
  from audioset_ml.records.folder import RecordsFolder
  from audioset_ml.records.training_input import InputConfig, training_dataset
  from audioset_ml.records.training_source import Source
  from audioset_ml.streaming import Stream
  from audioset_ml.training.losses import MaskedBinaryCrossentropy

__all__ = (
  'InputConfig',
  'LabelSet',
  'MaskedBinaryCrossentropy',
  'RecordsFolder',
  'Source',
  'Stream',
  'average_precision',
  'd_prime',
  'load_audio',
  'load_model',
  'load_waveform_model',
  'log_mel_patches',
  'lwlrap',
  'roc_auc',
  'tag',
  'training_dataset',
)

_MODULES = {
  'audio.decoding': ('load_audio',),
  'audio.features': ('log_mel_patches',),
  'evaluation.metrics': ('average_precision', 'd_prime', 'lwlrap', 'roc_auc'),
  'labels.label_set': ('LabelSet',),
  'models.tagging': ('tag',),
  'models.trained': ('load_model',),
  'models.waveform_loading': ('load_waveform_model',),
  'records.folder': ('RecordsFolder',),
  'records.training_input': ('InputConfig', 'training_dataset'),
  'records.training_source': ('Source',),
  'streaming': ('Stream',),
  'training.losses': ('MaskedBinaryCrossentropy',),
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names}


class _Package(types.ModuleType):
  """The package. `tag` is also the name of a stage, `audioset_ml/tag.py`: here it is
  the function, whatever was imported before; the stage is run, not imported."""

  def __setattr__(self, name: str, value: Any) -> None:
    # The import system puts each module that it has loaded into its package.
    if not (name in _HOMES and isinstance(value, types.ModuleType)):
      super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package


def __getattr__(name: str) -> Any:
  if name not in _HOMES:
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
  value = getattr(importlib.import_module(f'{__name__}.{_HOMES[name]}'), name)
  globals()[name] = value
  return value


def __dir__() -> list[str]:
  return sorted({*globals(), *__all__})
