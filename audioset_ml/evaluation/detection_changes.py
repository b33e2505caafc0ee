"""How the counts of a class change as the threshold falls, clip by clip."""

import dataclasses
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import scipy.sparse

from audioset_ml.evaluation.detected_runs import Runs

_DECIMALS = 6  # of seconds, as in the literature's programs
_PAIRS_AT_ONCE = 1 << 21


@dataclasses.dataclass(frozen=True)
class Events:
  """Events, ordered by clip, then by class and start; those of a class are apart.

  Attributes:
    clip: the clip of each, an index. Shape [events].
    label: its class, an index. Shape [events].
    start: when it begins (s). Shape [events].
    end: when it ends (s). Shape [events].
  """

  clip: np.ndarray
  label: np.ndarray
  start: np.ndarray
  end: np.ndarray

  @property
  def length(self) -> np.ndarray:
    """How long each is (s). Shape [events]."""
    return self.end - self.start

  def __len__(self) -> int:
    return len(self.clip)

  def where(self, chosen: np.ndarray) -> 'Events':
    """Some of them. Shape of `chosen`: [events], bool."""
    return Events(*(getattr(self, f.name)[chosen] for f in dataclasses.fields(self)))


class Rows(NamedTuple):
  """Changes, one a row: when the threshold falls to `score`, something of a clip (or of
  a clip and a class) changes by `amount`. Shape [rows] each."""

  score: np.ndarray
  place: np.ndarray
  amount: np.ndarray

  @classmethod
  def joined(cls, *parts: 'Rows') -> 'Rows':
    return cls(*(np.concatenate(column) for column in zip(*parts, strict=True)))


@dataclasses.dataclass(frozen=True)
class Changes:
  """How the counts of a class change as the threshold falls, clip by clip.

  Attributes:
    scores: where anything changes, from the highest. Shape [scores].
    found: events that are found. Sparse, [scores, clips].
    false: false alarms. Sparse, [scores, clips].
    silent: of the false alarms, at least these stay whatever the threshold falls to: 1
      for each clip without events of the class, from its highest score on; of segments
      all. Sparse, [scores, clips].
    crossed: false alarms in events of other classes. Sparse, [scores, clips × classes];
      None where that doesn't count.
  """

  scores: np.ndarray
  found: scipy.sparse.csr_matrix
  false: scipy.sparse.csr_matrix
  silent: scipy.sparse.csr_matrix
  crossed: scipy.sparse.csr_matrix | None = None

  @classmethod
  def of(
    cls,
    clips: int,
    found: Rows,
    false: Rows,
    silent: Rows,
    crossed: Rows | None,
    wide: int,
  ) -> 'Changes':
    """Sorts rows by score, and leaves out scores at which nothing changes.

    Args:
      clips: how many clips there are.
      found: see the attributes, as all others.
      wide: how many columns `crossed` has.
    """
    parts = [found, false, silent] + ([] if crossed is None else [crossed])
    scores, place = np.unique(
      np.concatenate([rows.score for rows in parts]), return_inverse=True
    )
    row_of = np.split(len(scores) - 1 - place, np.cumsum([len(p.score) for p in parts]))
    widths = [clips] * 3 + [wide]
    tables = [
      _table(rows, at, (len(scores), width))
      for rows, at, width in zip(parts, row_of, widths, strict=False)
    ]
    changing = np.any([table.getnnz(axis=1) > 0 for table in tables], axis=0)
    return cls(scores[::-1][changing], *(table[changing] for table in tables))


def _table(
  rows: Rows, at: np.ndarray, shape: tuple[int, int]
) -> scipy.sparse.csr_matrix:
  amounts = rows.amount.astype(np.float32)  # counts, so exact
  table = scipy.sparse.csr_matrix((amounts, (at, rows.place)), shape)
  table.sum_duplicates()
  table.eliminate_zeros()
  return table


def rounded(seconds: np.ndarray) -> np.ndarray:
  return np.round(seconds, _DECIMALS)


def pairs_of(
  clips: np.ndarray, event_clips: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
  """Every run with every event of its clip, some at a time: indices of both, ordered by
  run, then by event. At least once, if there are none."""
  first = np.searchsorted(event_clips, clips)
  counts = np.searchsorted(event_clips, clips, 'right') - first
  total, begin = np.concatenate([[0], np.cumsum(counts)]), 0
  while begin < max(1, len(clips)):
    end = int(np.searchsorted(total, total[begin] + _PAIRS_AT_ONCE, 'right')) - 1
    end = min(max(end, begin + 1), len(clips))
    run = np.repeat(np.arange(begin, end), counts[begin:end])
    place = np.arange(len(run)) - (total[begin:end] - total[begin])[run - begin]
    yield run, first[run] + place
    begin = max(end, begin + 1)


def rows_of(
  runs: Runs, run: np.ndarray, place: np.ndarray, amount: np.ndarray | float
) -> Rows:
  """What some runs change in some places, while they are detected."""
  amount = np.broadcast_to(np.asarray(amount, float), run.shape)
  begin = Rows(runs.upper[run], place, amount)
  ends = runs.lower[run] > -np.inf
  return Rows.joined(begin, Rows(runs.lower[run][ends], place[ends], -amount[ends]))


def detected(runs: Runs, chosen: np.ndarray) -> Rows:
  """How many of some runs are detected. Shape of `chosen`: [runs], bool."""
  run = np.flatnonzero(chosen)
  return rows_of(runs, run, runs.clip[run], 1.0)


def silent_alarms(runs: Runs, events: Events, clips: int) -> Rows:
  """A false alarm for each clip without events, from its highest score on."""
  highest = np.full(clips, -np.inf)
  np.maximum.at(highest, runs.clip, runs.upper)
  highest[events.clip] = -np.inf
  clip = np.flatnonzero(highest > -np.inf)
  return Rows(highest[clip], clip, np.ones(len(clip)))
