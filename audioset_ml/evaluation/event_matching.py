"""Detection by collars and by segments (Mesaros et al. 2016).

By collars, a run and an event match if they begin, and end, at nearly the same time,
each with one at most. Segments are stretches of equal length, each there or not.
"""

import dataclasses

import numpy as np
import scipy.sparse
import scipy.sparse.csgraph

from audioset_ml.evaluation.detected_runs import CellGrid, Runs
from audioset_ml.evaluation.detection_changes import (
  Changes,
  Events,
  Rows,
  detected,
  pairs_of,
  rounded,
  rows_of,
  silent_alarms,
)


@dataclasses.dataclass(frozen=True)
class Collars:
  """Attributes:
  onset: by how much beginnings may differ (s).
  offset: by how much ends may differ (s), or if that is more,
  offset_share: this share of the event's length.
  """

  onset: float = 0.2
  offset: float = 0.2
  offset_share: float = 0.2


def by_collars(runs: Runs, events: Events, clips: int, collars: Collars) -> Changes:
  """Changes by collars; arguments as those of `by_intersection`."""
  offset = np.maximum(collars.offset, collars.offset_share * events.length)
  hits = []
  for run, event in pairs_of(runs.clip, events.clip):
    onset = np.abs(runs.start[run] - events.start[event]) - collars.onset
    later = np.abs(runs.end[run] - events.end[event]) - offset[event]
    near = (rounded(onset) <= 0) & (rounded(later) <= 0)
    hits.append((run[near], event[near]))
  run, event = (np.concatenate(column) for column in zip(*hits, strict=True))
  found = _matches(runs, run, event)
  everything = detected(runs, np.ones(len(runs.clip), bool))
  false = Rows.joined(everything, found._replace(amount=-found.amount))
  return Changes.of(clips, found, false, silent_alarms(runs, events, clips), None, 0)


def by_segments(
  scores: np.ndarray, grid: CellGrid, events: Events, length: float
) -> Changes:
  """Changes by segments: a segment's score is the highest of the cells it touches.

  Args:
    scores: of a class in the grid's cells. Shape [size].
    grid: the cells.
    events: of the class.
    length: of a segment (s); the last of a clip may go beyond its end.
  """
  number = np.ceil(grid.seconds / length).astype(np.int64)
  clip = np.repeat(np.arange(len(number)), number)
  begins = np.cumsum(number) - number
  index = np.arange(len(clip)) - begins[clip]
  edges = rounded(np.arange(number.max(initial=0) + 1) * length)
  times = rounded(np.arange(grid.cells.max(initial=0) + 1) * grid.hop)
  low = np.searchsorted(times, edges[:-1], 'right')[index] - 1
  high = np.searchsorted(times, edges[1:], 'left')[index]
  low = np.minimum(low, grid.cells[clip] - 1) + grid.first[clip]
  high = np.minimum(high, grid.cells[clip]) + grid.first[clip]
  ends = np.stack([low, high], axis=1).ravel()
  highest = np.maximum.reduceat(scores, ends)[::2] if len(clip) else np.zeros(0)
  # An event touches the segments from that of its start to the last that begins before
  # its end.
  first = np.searchsorted(edges, events.start, 'right') - 1
  last = np.searchsorted(edges, events.end, 'left')
  last = np.minimum(last, number[events.clip])
  marks = np.zeros(len(clip) + 1, np.int64)
  np.add.at(marks, begins[events.clip] + np.minimum(first, last), 1)
  np.add.at(marks, begins[events.clip] + last, -1)
  there = np.cumsum(marks)[:-1] > 0
  one = np.ones(len(clip))
  found = Rows(highest[there], clip[there], one[there])
  false = Rows(highest[~there], clip[~there], one[~there])
  return Changes.of(len(number), found, false, false, None, 0)


def _matches(runs: Runs, run: np.ndarray, event: np.ndarray) -> Rows:
  """How many runs and events match, each with one at most.

  Args:
    runs: of a class.
    run, event: which runs and events may match, ordered by run. Shape [hits].
  """
  # Runs that may match one event follow each other as the threshold falls, most often;
  # where two are detected at once, or one may match two events, it must be worked out.
  order = np.lexsort((-runs.upper[run], event))
  at_once = np.zeros(len(run), bool)
  earlier, later = run[order[:-1]], run[order[1:]]
  at_once[order[1:]] = (event[order[1:]] == event[order[:-1]]) & (
    runs.upper[later] > runs.lower[earlier]
  )
  at_once[1:] |= run[1:] == run[:-1]
  clips = np.unique(runs.clip[run[at_once]])
  unclear = np.isin(runs.clip[run], clips)
  parts = [rows_of(runs, run[~unclear], runs.clip[run[~unclear]], 1.0)]
  for clip in clips:
    here = runs.clip[run] == clip
    parts.append(_best_matches(runs, run[here], event[here], int(clip)))
  return Rows.joined(*parts)


def _best_matches(runs: Runs, run: np.ndarray, event: np.ndarray, clip: int) -> Rows:
  """The same of one clip, by the largest matching at each threshold."""
  edges = np.concatenate([runs.upper[run], runs.lower[run]])
  scores = np.unique(edges[edges > -np.inf])[::-1]
  row, column = (np.unique(x, return_inverse=True)[1] for x in (run, event))
  shape, counts = (int(row.max()) + 1, int(column.max()) + 1), []
  for score in scores:
    there = (runs.lower[run] < score) & (score <= runs.upper[run])
    pairs = np.ones(np.count_nonzero(there)), (row[there], column[there])
    graph = scipy.sparse.csr_matrix(pairs, shape)
    partners = scipy.sparse.csgraph.maximum_bipartite_matching(graph)
    counts.append(np.count_nonzero(partners >= 0))
  return Rows(scores, np.full(len(scores), clip), np.diff(counts, prepend=0.0))
