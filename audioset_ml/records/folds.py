"""Folds of clips, so that no clip is scored by a model that has trained on it."""

import dataclasses
from collections.abc import Sequence

from audioset_ml.core.errors import InputError, counted
from audioset_ml.core.hashing import stable_hash
from audioset_ml.labels.clip_ids import recording_of


def fold_of(clip_id: str, folds: int) -> int:
  """The fold of a clip; clips of one recording are in the same.

  Args:
    clip_id: `<recording>_<start in ms>`; a clip that is a whole file is a recording.
    folds: how many folds there are.
  """
  return stable_hash(f'fold of {recording_of(clip_id)}') % folds


@dataclasses.dataclass(frozen=True)
class Fold:
  """One of several folds.

  Attributes:
    index: its number, from 0.
    folds: how many there are.
  """

  index: int
  folds: int

  def __post_init__(self):
    if self.folds < 2:
      raise InputError(f'{counted(self.folds, "fold", "are")} too few: at least 2')
    if not 0 <= self.index < self.folds:
      raise InputError(
        f'there is no fold {self.index} among {self.folds}: they are numbered from 0'
      )

  def holds(self, clip_id: str) -> bool:
    """Whether a clip is in it."""
    return fold_of(clip_id, self.folds) == self.index


def require_complete(folds: Sequence[Fold], owner: str) -> None:
  """Raises InputError unless these are all folds of one division, each once."""
  divisions = {fold.folds for fold in folds}
  if len(divisions) > 1:
    counts = ' and '.join(str(number) for number in sorted(divisions))
    raise InputError(f'{owner}: their folds are of different divisions ({counts})')
  expected, found = divisions.pop(), [fold.index for fold in folds]
  if sorted(found) != list(range(expected)):
    listed = ', '.join(str(index) for index in sorted(found))
    raise InputError(
      f'{owner}: left out the folds {listed}, but of {expected} folds each must be '
      'left out by one model'
    )
