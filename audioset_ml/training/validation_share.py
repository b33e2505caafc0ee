"""Which validation clips are evaluated while a model trains. Needs no TensorFlow.

All of AudioSet's 20,000 would take longer than the 1,000 steps between two validations.
"""

import bisect
import dataclasses
import functools
import math

import numpy as np

from audioset_ml.core.auto_choices import AutoChoices
from audioset_ml.core.errors import InputError, counted
from audioset_ml.core.hashing import stable_hash
from audioset_ml.evaluation.chosen_clips import choose_clips
from audioset_ml.records.folder import RecordsFolder
from audioset_ml.training.config import TrainConfig

AUTO = 'auto'
# Of the time of the steps between two validations.
AFFORDABLE = 0.05
# What 'auto' takes at least: the values of fewer clips would say little.
FEWEST = 100
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


@dataclasses.dataclass(frozen=True)
class ValidationClips:
  """The clips that a run is validated on: all at its end, perhaps fewer before.

  Fewer are the first by a hash of their ids: fewer still are part of them, and clips
  that are added to the records move no others out of a share. Not the hash by which
  shares of clips are taken elsewhere: a tenth of the records' clips is to be like all
  of them, however these were chosen.

  Attributes:
    records: the validation records.
    everything: the clips, as indices in ascending order. Shape [n].
    lost: how many of a list's clips the records lack.
  """

  records: RecordsFolder
  everything: np.ndarray
  lost: int = 0

  @classmethod
  def open(cls, config: TrainConfig) -> 'ValidationClips':
    """Those of a run.

    Raises:
      InputError: the records can't be used, or have none of a list's clips.
    """
    records = RecordsFolder.open(config.validation_records)
    clips, lost = choose_clips(records, config.validation_list)
    return cls(records, clips, len(lost) if config.validation_list else 0)

  def __len__(self) -> int:
    return len(self.everything)

  def while_training(
    self, config: TrainConfig, choices: AutoChoices, replicas: int = 1
  ) -> np.ndarray:
    """Those that are evaluated while the model trains, as indices in ascending order.

    A run that goes on keeps what it began with, and so chooses its best weights on the
    same clips.

    Args:
      config: the run.
      choices: what 'auto' became where it began.
      replicas: that train at the same time, of which one validates.

    Raises:
      InputError: the share has no clip.
    """
    if config.validation_share is not None:
      number = self._of_share(config.validation_share)
    else:
      number = int(
        choices.settle(
          'validation_clips',
          self._is_number,
          lambda: str(self._affordable(config, replicas)),
        )
      )
    if number == len(self):
      return self.everything
    return np.sort(self.everything[self._order[:number]])

  def require_some(self, share: float | None) -> None:
    """Raises InputError for a share that has no clip."""
    if share is not None:
      self._of_share(share)

  def _is_number(self, text: str) -> bool:
    """Whether a text is a number of clips that there are."""
    short = text.isdecimal() and len(text) <= len(str(len(self)))
    return short and 0 < int(text) <= len(self)

  def _of_share(self, share: float) -> int:
    """How many clips a share has."""
    if share == 1:
      return len(self)
    in_order = [self._hashes[place] for place in self._order]
    number = bisect.bisect_left(in_order, int(share * 2**64))
    if not number:
      raise InputError(
        f'{self.records.path}: a validation_share of {share:.3g} of '
        f'{counted(len(self), "clip")} is none; give a larger one'
      )
    return number

  @functools.cached_property
  def _hashes(self) -> list[int]:
    ids = self.records.clip_ids
    return [stable_hash(f'validation of {ids[clip]}') for clip in self.everything]

  @functools.cached_property
  def _order(self) -> list[int]:
    """The places of the clips in `everything`, by their hashes."""
    return sorted(range(len(self)), key=self._hashes.__getitem__)

  def _affordable(self, config: TrainConfig, replicas: int) -> int:
    """As many as take a twentieth of the time of the steps between two validations.

    It follows from counts alone, not from a clock.
    """
    rows, ids = self.records.read_clips(), self.records.clip_ids
    frames = [rows[ids[self.everything[place]]].frames for place in self._order]
    patches = np.cumsum([self.records.frames.num_patches(number) for number in frames])
    trained = config.validate_every * config.batch_size / replicas
    # Of a frozen body there are no gradients.
    ratio = 1 if config.freeze_body else _SCORED_A_TRAINED_PATCH
    number = np.searchsorted(patches, AFFORDABLE * trained * ratio, 'right')
    return max(int(number), min(FEWEST, len(self)))


def cost_remark(trained: float, validated: float, share: float | None) -> str:
  """What to say of a validation that takes long; '' if it does not.

  Args:
    trained: seconds of the steps before it.
    validated: its own.
    share: of the clips, as in `TrainConfig`.
  """
  if validated <= max(AFFORDABLE * trained, _SECONDS_TOLD):
    return ''
  remedy = (
    'validate less often (--validate_every)'
    if share is None
    else f'--validation_share={AUTO} takes {AFFORDABLE:.0%}, and evaluates all clips '
    'at the end'
  )
  return (
    f'this validation took {validated:.0f} s, {validated / trained:.0%} of the time of '
    f'the steps before it; {remedy}'
  )
