"""Which precision a run computes in, where that is to be the machine's choice."""

import dataclasses
import pathlib

from audioset_ml.core import folders
from audioset_ml.models.config import has_convolutions
from audioset_ml.models.precision import computes_bfloat16
from audioset_ml.training.checkpoints import whole_checkpoints
from audioset_ml.training.config import TrainConfig
from audioset_ml.training.optimizer_config import AUTO, BY_LAYER, PRECISIONS

_FILE = 'precision'  # beside the checkpoints


def settled(config: TrainConfig, checkpoints: pathlib.Path) -> TrainConfig:
  """A run whose precision is no longer 'auto'.

  One that goes on keeps what it began with, on whatever machine, so that it ends with
  the weights with which it would have ended.

  Args:
    config: the run.
    checkpoints: the folder of its checkpoints.
  """
  if config.optimizer.precision != AUTO:
    return config
  kept, precision = checkpoints / _FILE, ''
  if whole_checkpoints(checkpoints) and kept.is_file():
    precision = kept.read_text()
  if precision not in PRECISIONS:
    able = has_convolutions(config.architecture) and computes_bfloat16()
    precision = BY_LAYER if able else 'float32'
  optimizer = dataclasses.replace(config.optimizer, precision=precision)
  return dataclasses.replace(config, optimizer=optimizer)


def write_down(config: TrainConfig, checkpoints: pathlib.Path) -> None:
  """Keeps the precision that 'auto' has become, before the first checkpoint."""
  checkpoints.mkdir(exist_ok=True)
  folders.write_atomically(checkpoints / _FILE, config.optimizer.precision)
