"""Detection by intersection (Bilen et al. 2020), on which PSDS rests.

A run is right if enough of it is covered by events of its class, an event is found if
enough of it is covered by right runs, and a run that is wrong crosses another class if
enough of it is covered by that one's events.
"""

import dataclasses

import numpy as np

from audioset_ml.evaluation.detected_runs import Runs
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
class Intersection:
  """Attributes:
  detection: share of a run that events of its class must cover (ρ_DTC).
  found: share of an event that right runs must cover (ρ_GTC).
  cross: share of a wrong run that events of another class must cover (ρ_CTTC); 0 if
    that doesn't count.
  """

  detection: float
  found: float
  cross: float = 0.0


def by_intersection(
  runs: Runs,
  events: Events,
  clips: int,
  criteria: Intersection,
  others: Events | None = None,
  classes: int = 0,
) -> Changes:
  """Changes by intersection.

  Args:
    runs: of a class.
    events: of the class.
    clips: how many clips there are.
    criteria: what is asked for.
    others: events of all other classes, for `criteria.cross`.
    classes: how many classes there are: column clip × classes + class of `crossed` is
      of a clip and another class.
  """
  run, event, seconds = _overlaps(runs, events)
  covered = np.bincount(run, seconds, len(runs.clip))
  right = rounded(covered) >= rounded(criteria.detection * runs.length)
  crossed = None
  if criteria.cross:
    crossed = _crossed(runs, ~right, others, criteria.cross, classes)
  counts = right[run]
  found = _found(runs, events, run[counts], event[counts], seconds[counts], criteria)
  wide = clips * classes
  false, silent = detected(runs, ~right), silent_alarms(runs, events, clips)
  return Changes.of(clips, found, false, silent, crossed, wide)


def _overlaps(runs: Runs, events: Events) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
  """Runs and events that overlap, and for how long (s). Shape [pairs] each."""
  found = []
  for run, event in pairs_of(runs.clip, events.clip):
    seconds = np.minimum(runs.end[run], events.end[event])
    seconds = seconds - np.maximum(runs.start[run], events.start[event])
    there = seconds > 0
    found.append((run[there], event[there], seconds[there]))
  return tuple(np.concatenate(column) for column in zip(*found, strict=True))


def _found(
  runs: Runs,
  events: Events,
  run: np.ndarray,
  event: np.ndarray,
  seconds: np.ndarray,
  criteria: Intersection,
) -> Rows:
  """Events of which right runs cover enough."""
  score, place, amount = rows_of(runs, run, event, seconds)
  order = np.lexsort((-score, place))
  score, place, amount = score[order], place[order], amount[order]
  total = np.cumsum(amount)
  is_first = np.diff(place, prepend=-1) != 0
  before = np.maximum.accumulate(np.where(is_first, np.arange(len(place)), 0))
  covered = total - (total - amount)[before]
  need = rounded(criteria.found * events.length)[place]
  # Once all that happens at a score has happened.
  done = np.ones(len(score), bool)
  done[:-1] = (np.diff(place) != 0) | (np.diff(score) != 0)
  score, place = score[done], place[done]
  enough = (rounded(covered) >= need)[done].astype(np.int8)
  change = np.diff(enough, prepend=0)
  fresh = np.diff(place, prepend=-1) != 0
  change[fresh] = enough[fresh]
  moves = change != 0
  return Rows(score[moves], events.clip[place[moves]], change[moves].astype(float))


def _crossed(
  runs: Runs, wrong: np.ndarray, others: Events, share: float, classes: int
) -> Rows:
  """Wrong runs of which events of another class cover enough, by clip and class."""
  chosen, found = np.flatnonzero(wrong), []
  need = rounded(share * runs.length)
  for run, event in pairs_of(runs.clip[chosen], others.clip):
    run = chosen[run]
    seconds = np.minimum(runs.end[run], others.end[event])
    seconds -= np.maximum(runs.start[run], others.start[event])
    there = seconds > 0
    run, event, seconds = run[there], event[there], seconds[there]
    label = others.label[event]
    begins = np.flatnonzero(
      (np.diff(run, prepend=-1) != 0) | (np.diff(label, prepend=-1) != 0)
    )
    if len(begins):
      covered = np.add.reduceat(seconds, begins)
      run, label = run[begins], label[begins]
      enough = rounded(covered) >= need[run]
      found.append((run[enough], label[enough]))
  empty = np.zeros(0, np.int64)
  run, label = (
    np.concatenate(column) for column in zip((empty, empty), *found, strict=True)
  )
  return rows_of(runs, run, runs.clip[run] * classes + label, 1.0)
