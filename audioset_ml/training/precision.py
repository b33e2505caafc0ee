"""Which precision a run computes in, where that is to be the machine's choice."""

import dataclasses

from audioset_ml.core.auto_choices import AutoChoices
from audioset_ml.models.config import has_convolutions
from audioset_ml.models.precision import computes_bfloat16
from audioset_ml.training.config import TrainConfig
from audioset_ml.training.optimizer_config import AUTO, BY_LAYER, PRECISIONS


def settled(config: TrainConfig, choices: AutoChoices) -> TrainConfig:
  """A run whose precision is no longer 'auto'.

  One that goes on keeps what it began with, on whatever machine, so that it ends with
  the weights with which it would have ended.

  Args:
    config: the run.
    choices: what 'auto' became where it began.
  """
  if config.optimizer.precision != AUTO:
    return config

  def choose() -> str:
    able = has_convolutions(config.architecture) and computes_bfloat16()
    return BY_LAYER if able else 'float32'

  possible = set(PRECISIONS) - {AUTO}
  precision = choices.settle('precision', possible.__contains__, choose)
  optimizer = dataclasses.replace(config.optimizer, precision=precision)
  return dataclasses.replace(config, optimizer=optimizer)
