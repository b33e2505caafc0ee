"""Which validation clips are evaluated while a model trains. Needs no TensorFlow.

All of AudioSet's 20,000 would take longer than the 1,000 steps between two validations.
"""

import math

import numpy as np

from audioset_ml.core.errors import InputError, counted
from audioset_ml.core.hashing import stable_hash
from audioset_ml.evaluation.chosen_clips import choose_clips
from audioset_ml.records.folder import RecordsFolder
from audioset_ml.training.config import TrainConfig

AUTO = 'auto'
# Of the time of the steps between two validations.
AFFORDABLE = 0.05
# Patches that are scored in the time in which one is trained on: a step goes through
# the network once more for the gradients of what each layer gives, and once for those
# of its weights. Measured, 3.5 (`benchmarks/bench_overheads.py`).
_SCORED_A_TRAINED_PATCH = 3
_SECONDS_TOLD = 60  # what a validation must take for its cost to be told


def parse_share(text: str) -> float | None:
  """The share of a flag's text; None for `auto`.

  Raises:
    InputError: it is neither `auto` nor a number in (0, 1].
  """
  if text == AUTO:
    return None
  try:
    share = float(text)
  except ValueError:
    share = math.nan
  if not 0 < share <= 1:
    raise InputError(
      f'validation_share is {text!r}, but must be {AUTO} or a number above 0, at most 1'
    )
  return share


def clips_while_training(
  records: RecordsFolder, config: TrainConfig, replicas: int = 1
) -> np.ndarray:
  """The validation clips that are evaluated while the model trains, as indices.

  By a hash of their ids: a smaller share is part of every larger one, and clips that
  are added to the records move no others. Not the hash by which shares of clips are
  taken elsewhere: a tenth of the records' clips is to be like all of them, however
  these were chosen.

  Args:
    records: the validation records.
    config: the run.
    replicas: that train at the same time, of which one validates.

  Raises:
    InputError: the share has no clip, or the records none of a list's.
  """
  clips, _ = choose_clips(records, config.validation_list)
  share = config.validation_share
  if share is None:
    share = _affordable_share(records, clips, config, replicas)
  if share == 1:
    return clips
  limit = int(share * 2**64)
  chosen = [
    clip
    for clip in clips
    if stable_hash(f'validation of {records.clip_ids[clip]}') < limit
  ]
  if not chosen:
    raise InputError(
      f'{records.path}: a validation_share of {share:.3g} of '
      f'{counted(len(clips), "clip")} is none; give a larger one'
    )
  return np.array(chosen)


def cost_remark(trained: float, validated: float) -> str:
  """What to say of a validation of all clips that takes long; '' if it does not.

  Args:
    trained: seconds of the steps before it.
    validated: its own.
  """
  if validated <= max(AFFORDABLE * trained, _SECONDS_TOLD):
    return ''
  return (
    f'this validation took {validated:.0f} s, {validated / trained:.0%} of the time of '
    f'the steps before it; --validation_share={AUTO} takes {AFFORDABLE:.0%}, and '
    'evaluates all clips at the end'
  )


def _affordable_share(
  records: RecordsFolder, clips: np.ndarray, config: TrainConfig, replicas: int
) -> float:
  """The share that takes a twentieth of the time of the steps in between.

  It follows from counts alone, so that a run that goes on, on another machine perhaps,
  has the same.
  """
  rows = records.read_clips()
  frames = [rows[records.clip_ids[clip]].frames for clip in clips]
  patches = sum(map(records.frames.num_patches, frames))
  trained = config.validate_every * config.batch_size / replicas
  # Of a frozen body there are no gradients.
  ratio = 1 if config.freeze_body else _SCORED_A_TRAINED_PATCH
  return min(1.0, AFFORDABLE * trained * ratio / max(patches, 1))
