"""From the scores of patches to events with begin and end. Needs no TensorFlow.

Time is divided into cells of one hop. The score of a cell is the mean of the patches
over its middle, as in `evaluation.detection`; a cell is active where it reaches the
class's threshold. Then, in this order: a median filter, gaps that are closed, and
events that are too short to count.
"""

import dataclasses
import os

import numpy as np
import pandas as pd

from audioset_ml.core import csv_files
from audioset_ml.core.errors import InputError, brief
from audioset_ml.labels.class_map import ClassMap


@dataclasses.dataclass(frozen=True)
class EventConfig:
  """How events are found.

  Attributes:
    median_seconds: length of the median filter; 0 for none.
    merge_seconds: gaps of a class up to so long are closed.
    min_seconds: shorter events are left out.
  """

  median_seconds: float = 0.0
  merge_seconds: float = 0.0
  min_seconds: float = 0.0


@dataclasses.dataclass(frozen=True)
class Event:
  """A stretch of a sound (s) in which a class is active, and its highest score."""

  class_index: int
  start: float
  end: float
  score: float


def cell_scores(patches: np.ndarray, hop: float, window: float) -> np.ndarray:
  """The mean over the patches on the middle of each stretch of one hop.

  Args:
    patches: scores of patches, one every hop. Shape [patches, classes].
    hop: from one patch to the next (s).
    window: how long a patch is (s), at least a hop.

  Returns:
    As many cells as the patches cover. Shape [cells, classes], float64.
  """
  number, ratio = len(patches), window / hop
  cells = number - 1 + max(1, round(ratio))
  # Patch i is over the middle of cell j if j + ½ − window / hop < i ≤ j. Sums of what
  # was float32 are exact, so that equal patches make equal cells.
  over = max(1, int(np.ceil(ratio - 0.5 - 1e-9)))
  sums, counts = np.zeros((cells, patches.shape[1])), np.zeros((cells, 1))
  for shift in range(over):
    sums[shift : shift + number] += patches
    counts[shift : shift + number] += 1
  sums[number - 1 + over :] = patches[-1]
  return sums / np.maximum(counts, 1)


def median_scores(cells: np.ndarray, length: int) -> np.ndarray:
  """The median over an odd number of cells around each, at the ends over those there.

  At the ends, an even number may have two medians: the cell's own score stays if it
  lies between them, else it becomes the nearer one. So whatever the threshold, the same
  cells are active as with the filter that `find_events` has.

  Args:
    cells: of `cell_scores`. Shape [cells, classes].
    length: how many cells; 0 or 1 changes nothing.
  """
  half = length // 2
  if not half:
    return cells
  found = np.empty_like(cells)
  inner = range(half, len(cells) - half)
  if len(inner):
    windows = np.lib.stride_tricks.sliding_window_view(cells, 2 * half + 1, axis=0)
    found[inner.start : inner.stop] = np.median(windows, axis=-1)
  for place in {*range(len(cells))} - {*inner}:
    around = np.sort(cells[max(0, place - half) : place + half + 1], axis=0)
    low, high = around[(len(around) - 1) // 2], around[len(around) // 2]
    found[place] = np.clip(cells[place], low, high)
  return found


def find_events(
  cells: np.ndarray,
  classes: list[int],
  thresholds: np.ndarray,
  hop: float,
  seconds: float,
  config: EventConfig | None = None,
) -> list[Event]:
  """The events of some classes, by class and begin.

  Args:
    cells: of `cell_scores`. Shape [cells, classes].
    classes: the index of each column's class.
    thresholds: what each column's class has to reach. Shape [classes].
    hop: how long a cell is (s).
    seconds: how long the sound is; no event ends later.
    config: see there.
  """
  config = config or EventConfig()
  cells = cells[: max(1, int(np.ceil(seconds / hop - 1e-6)))]
  found = []
  for column, class_index in enumerate(classes):
    scores = cells[:, column]
    # A longer filter than all cells, and as long again, changes nothing more.
    length = round(min(config.median_seconds / hop, 2 * len(cells) + 1))
    active = _median(scores >= thresholds[column], length)
    for first, last in _merged(_runs(active), config.merge_seconds / hop):
      start, end = first * hop, min(last * hop, seconds)
      if last == len(cells):
        end = seconds  # what is left behind the last whole cell
      if end > start and end - start >= config.min_seconds - 1e-6:
        score = float(scores[first:last].max())
        found.append(Event(class_index, start, end, score))
  return found


def _median(active: np.ndarray, length: int) -> np.ndarray:
  """What most of the cells around each are: the median of zeros and ones.

  Over an odd number of cells, at the ends over those that are there; of as many of
  either kind the cell stays as it is.
  """
  half = length // 2
  if not half:
    return active
  sums = np.concatenate([[0], np.cumsum(active)])
  place = np.arange(len(active))
  low = np.maximum(place - half, 0)
  high = np.minimum(place + half + 1, len(active))
  double = 2 * (sums[high] - sums[low])
  return np.where(double == high - low, active, double > high - low)


def _runs(active: np.ndarray) -> list[tuple[int, int]]:
  """First cell, and the one behind the last, of each stretch of active cells."""
  edges = np.flatnonzero(np.diff(np.concatenate([[0], active.astype(np.int8), [0]])))
  return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def _merged(runs: list[tuple[int, int]], gap: float) -> list[tuple[int, int]]:
  """Stretches with the gaps up to so many cells between them closed."""
  merged: list[tuple[int, int]] = []
  for first, last in runs:
    if merged and first - merged[-1][1] <= gap + 1e-6:
      merged[-1] = (merged[-1][0], last)
    else:
      merged.append((first, last))
  return merged


def read_thresholds(
  path: str | os.PathLike, class_map: ClassMap
) -> tuple[np.ndarray, int]:
  """Each class's own threshold, of the file that `evaluate --thresholds` writes.

  Args:
    path: CSV with the columns mid and threshold; others are passed over. A class with
      an empty threshold, or without a row, is never active.
    class_map: the model's classes.

  Returns:
    Thresholds, infinite where there is none. Shape [classes]. And how many there are.

  Raises:
    InputError: the file can't be read, names a class twice or says nothing of these
      classes, or a threshold is not a number from 0 to 1.
  """
  try:
    table = csv_files.read_csv(path)
  except (OSError, ValueError) as error:
    raise InputError(f'{path}: the thresholds cannot be read ({error})') from error
  if lacking := {'mid', 'threshold'} - set(table.columns):
    raise InputError(f'{path}: has no column {" and no ".join(sorted(lacking))}')
  thresholds = np.full(len(class_map), np.inf)
  values = pd.to_numeric(table['threshold'], errors='coerce')
  if (twice := table['mid'].duplicated()).any():
    row = int(np.flatnonzero(twice)[0])
    raise InputError(
      f'{path}, row {row + 2}: the class {brief(str(table["mid"].iloc[row]))} stands '
      'there a second time'
    )
  wrong = (values.isna() & table['threshold'].notna()) | (values < 0) | (values > 1)
  if wrong.any():
    row = int(np.flatnonzero(wrong)[0])
    raise InputError(
      f'{path}, row {row + 2}: the threshold '
      f'{brief(str(table["threshold"].iloc[row]))} is no number from 0 to 1'
    )
  known = table['mid'].isin(class_map.index_of) & values.notna()
  for mid, value in zip(table['mid'][known], values[known], strict=True):
    thresholds[class_map.index_of[mid]] = value
  if not known.any():
    raise InputError(f"{path}: has no threshold of any of the model's classes")
  return thresholds, int(np.isfinite(thresholds).sum())
