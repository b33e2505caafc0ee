"""What is detected in clips, at every threshold at once (Ebbers et al. 2022).

Time is divided into cells of one hop, each with a score (`models.events.cell_scores`).
Whatever the threshold, what is detected is a run of cells that reach it, between cells
that don't. A sound of n cells has at most n such runs over all thresholds, each there
from its own lowest score down to the higher one of its neighbours, at which it becomes
part of a longer run.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from audioset_ml.core.errors import InputError
from audioset_ml.models.events import cell_scores, median_scores

# A clip's last cell ends with the clip, but not before it has begun.
_SHORTEST_CELL = 1e-3
_NEVER = -np.inf


@dataclasses.dataclass(frozen=True)
class CellGrid:
  """The cells of some clips, one clip after the other, with one between two clips (and
  at both ends) in which nothing is ever detected.

  Attributes:
    clip_ids: the clips.
    seconds: how long each is. Shape [clips].
    cells: how many cells each has. Shape [clips].
    first: where its cells begin. Shape [clips].
    hop: how long a cell is (s).
    window: how long a patch is (s).
    median_seconds: of the filter over the cells; 0 for none.
  """

  clip_ids: tuple[str, ...]
  seconds: np.ndarray
  cells: np.ndarray
  first: np.ndarray
  hop: float
  window: float
  median_seconds: float = 0.0

  @classmethod
  def of(
    cls,
    patches: Mapping[str, np.ndarray],
    seconds: Mapping[str, float],
    hop: float,
    window: float,
    median_seconds: float = 0.0,
  ) -> 'CellGrid':
    """The cells of clips.

    Args:
      patches: scores of each clip's patches. Shape [patches, classes] each.
      seconds: how long each clip is.
      hop: from one patch to the next (s).
      window: how long a patch is (s).
      median_seconds: of the filter; 0 for none.
    """
    length = np.array([seconds[clip_id] for clip_id in patches], float)
    covered = [
      len(values) - 1 + max(1, round(window / hop)) for values in patches.values()
    ]
    within = np.round(np.ceil(length / hop - 1e-6)).astype(np.int64)
    cells = np.maximum(1, np.minimum(covered, within))
    first = 1 + np.cumsum(cells + 1) - (cells + 1)
    return cls(tuple(patches), length, cells, first, hop, window, median_seconds)

  @property
  def size(self) -> int:
    """How many cells there are, with those between clips."""
    return int(self.cells.sum()) + len(self.cells) + 1

  @property
  def ends(self) -> np.ndarray:
    """When each clip's last cell ends (s). Shape [clips]."""
    return np.maximum(self.seconds, (self.cells - 1) * self.hop + _SHORTEST_CELL)

  def scores(
    self, patches: Mapping[str, np.ndarray], classes: Sequence[int]
  ) -> np.ndarray:
    """The scores of all cells. Shape [size, classes], float64.

    Args:
      patches: as `of` had them.
      classes: which of their columns.

    Raises:
      InputError: a score is NaN or infinite.
    """
    found = np.full((self.size, len(classes)), _NEVER)
    length = round(min(self.median_seconds / self.hop, 2 * self.cells.max() + 1))
    for clip_id, first, number in zip(
      self.clip_ids, self.first, self.cells, strict=True
    ):
      values = np.asarray(patches[clip_id][:, classes], np.float64)
      if not (values < np.inf).all():
        raise InputError(f'a score of a patch of {clip_id} is NaN or infinite')
      if len(values):
        cells = cell_scores(values, self.hop, self.window)[:number]
        found[first : first + number] = median_scores(cells, length)
    return found


@dataclasses.dataclass(frozen=True)
class Runs:
  """The runs of one class in all clips, ordered by clip.

  Attributes:
    clip: the clip of each run, an index. Shape [runs].
    start: when it begins (s). Shape [runs].
    end: when it ends (s). Shape [runs].
    upper: the highest threshold at which it is detected. Shape [runs].
    lower: the highest threshold below, at which it is part of a longer run, so that it
      is detected where lower < threshold <= upper; -inf for never. Shape [runs].
  """

  clip: np.ndarray
  start: np.ndarray
  end: np.ndarray
  upper: np.ndarray
  lower: np.ndarray

  @property
  def length(self) -> np.ndarray:
    """How long each is (s). Shape [runs]."""
    return self.end - self.start


def runs_of(scores: np.ndarray, grid: CellGrid) -> Runs:
  """The runs of one class.

  A run is told by the first of its cells with its lowest score: it goes from there to
  the nearest lower cells on both sides.

  Args:
    scores: of the grid's cells. Shape [size].
    grid: the cells.
  """
  before = _nearest(scores, -1, np.greater)
  place = np.flatnonzero((scores > _NEVER) & (scores[before] < scores))
  before = before[place]
  behind = _nearest(scores, 1, np.greater_equal)[place]
  clip = np.searchsorted(grid.first, place, 'right') - 1
  begin, end = before + 1 - grid.first[clip], behind - grid.first[clip]
  return Runs(
    clip=clip,
    start=begin * grid.hop,
    end=np.where(end == grid.cells[clip], grid.ends[clip], end * grid.hop),
    upper=scores[place],
    lower=np.maximum(scores[before], scores[behind]),
  )


def _nearest(scores: np.ndarray, step: int, passed: Callable) -> np.ndarray:
  """The nearest place before (step -1) or behind (1) each that isn't passed over.

  From each place goes a pointer to the next one that may be it; what a pointer passes
  over, it passes by that place's own pointer. Shape [size]; without meaning where the
  score is -inf.

  Args:
    scores: with -inf at both ends. Shape [size].
    step: in which direction.
    passed: whether a place with the first score is passed over from one with the
      second.
  """
  found = np.clip(np.arange(len(scores)) + step, 0, len(scores) - 1)
  left = np.flatnonzero(scores > _NEVER)
  while len(left):
    left = left[passed(scores[found[left]], scores[left])]
    found[left] = found[found[left]]
  return found
