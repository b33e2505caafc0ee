"""Sound event detection metrics, as DCASE's task 4 has them.

* PSDS1 and PSDS2, the polyphonic sound detection scores of DCASE 2021 to 2024: the area
  under the curve of events found against false alarms, up to 100 an hour. Scenario 1
  asks for times (detection tolerance and ground truth intersection .7), scenario 2 for
  classes (.1 each; a false alarm that other classes' events cover by .3 costs half an
  alarm more, by their hours: α_CT = .5). Each with the standard deviation over classes
  subtracted from the mean curve (α_ST = 1), as DCASE has it, and without (α_ST = 0):
  the mean of the classes' own scores, `…_macro`, as PretrainedSED prints it.
* F1 of events with collars: 200 ms at the beginning, and at the end 200 ms or a fifth
  of the event's length; the mean over classes, and `…_micro` of all events together.
* F1 of segments of one second.

F1 is at a threshold of .5, at thresholds that are given, chosen on other clips, and at
each class's best one on the same clips, which is optimistic (`…_best`).

All is computed for every threshold at once (Ebbers et al. 2022) and agrees with their
package sed_scores_eval; here a bootstrap over clips takes seconds a class, not hours.
"""

import dataclasses
from collections.abc import Mapping

import numpy as np
import pandas as pd

from audioset_ml.core.errors import InputError
from audioset_ml.core.progress import progress_bar
from audioset_ml.evaluation import detection_curves as curves
from audioset_ml.evaluation.detected_runs import CellGrid, runs_of
from audioset_ml.evaluation.detection_changes import Events
from audioset_ml.evaluation.event_matching import Collars, by_collars, by_segments
from audioset_ml.evaluation.intersection import Intersection, by_intersection
from audioset_ml.evaluation.result import (
  Evaluation,
  Replicates,
  json_number,
  mean_over_classes,
  named_classes,
  replicates_of_classes,
)
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.labels.formats import TIMES

# By the name of the score: criteria, and what crossing another class costs (α_CT).
SCENARIOS = {
  'psds1': (Intersection(0.7, 0.7), 0.0),
  'psds2': (Intersection(0.1, 0.1, 0.3), 0.5),
}
_INSTABILITY_COST = 1.0  # α_ST
_SEGMENT_SECONDS = 1.0
_HALF = 0.5
_CLASSES_AT_ONCE = 16


@dataclasses.dataclass(frozen=True)
class DetectionConfig:
  """How events are detected.

  Attributes:
    hop_seconds: from one patch to the next.
    window_seconds: how long a patch is.
    median_seconds: of a filter over the scores; 0 for none.
    thresholds: each class's, for F1; infinite for never. Shape [classes]; None for
      none.
  """

  hop_seconds: float
  window_seconds: float
  median_seconds: float = 0.0
  thresholds: np.ndarray | None = None


def evaluate_detection(
  patch_scores: Mapping[str, np.ndarray],
  seconds: Mapping[str, float],
  events: pd.DataFrame,
  class_map: ClassMap,
  config: DetectionConfig,
  weights: np.ndarray | None = None,
) -> Evaluation:
  """Evaluates detections.

  Args:
    patch_scores: of each clip, a patch every hop. Shape [patches, classes].
    seconds: how long each of these clips is.
    events: of these clips; those of one class that touch count as one. Columns as
      `formats.read_strong_tsv`.
    class_map: the classes; those without events don't count.
    config: how they are detected.
    weights: of a bootstrap over these clips (`bootstrap.clip_weights`). Shape [clips,
      replicates]; None for none.

  Raises:
    InputError: there are no events, or a score is NaN or infinite.
  """
  known = events['label'].isin(class_map.index_of)
  merged = merge_touching(events[known & events['segment_id'].isin(seconds)], seconds)
  if merged.empty:
    raise InputError('there are no events: nothing to detect')
  times = config.hop_seconds, config.window_seconds, config.median_seconds
  grid = CellGrid.of(patch_scores, seconds, *times)
  marked = _events_of(merged, grid, class_map)
  ones = np.ones((len(grid.clip_ids), 1), np.float32)
  samples = [
    curves.Samples.of(weighed, grid.seconds, marked, len(class_map))
    for weighed in (ones, *([] if weights is None else [weights]))
  ]
  parts = [_Values(sample, len(class_map)) for sample in samples]
  classes = np.unique(marked.label).tolist()
  bar = progress_bar(total=len(classes), desc='detection', unit='class', leave=False)
  with bar:
    for first in range(0, len(classes), _CLASSES_AT_ONCE):
      chosen = classes[first : first + _CLASSES_AT_ONCE]
      scores = grid.scores(patch_scores, chosen)
      for index, column in zip(chosen, np.ascontiguousarray(scores.T), strict=True):
        found = _changes(column, grid, marked, index, len(class_map))
        for part in parts:
          part.add(found, index, config)
        bar.update()
  return _evaluation(parts, marked, class_map, config)


def _changes(
  scores: np.ndarray, grid: CellGrid, marked: Events, index: int, classes: int
) -> dict:
  """A class's changes by each criterion."""
  own, clips = marked.label == index, len(grid.clip_ids)
  runs, events, others = runs_of(scores, grid), marked.where(own), marked.where(~own)
  found = {
    name: by_intersection(runs, events, clips, criteria, others, classes)
    for name, (criteria, _) in SCENARIOS.items()
  }
  found['event'] = by_collars(runs, events, clips, Collars())
  found['segment'] = by_segments(scores, grid, events, _SEGMENT_SECONDS)
  return found


class _Values:
  """The values of each sample, class by class."""

  def __init__(self, samples: curves.Samples, classes: int):
    self.samples, self._shape = samples, (samples.number, classes)
    self.by_class: dict[str, np.ndarray] = {}
    self._rocs: dict[str, list[curves.Roc]] = {name: [] for name in SCENARIOS}
    self._sums: dict[str, np.ndarray] = {}

  def add(self, changes: dict, index: int, config: DetectionConfig) -> None:
    """Takes up a class."""
    for name, (_, cross_cost) in SCENARIOS.items():
      roc = curves.roc_of(changes[name], self.samples, index, cross_cost)
      self._rocs[name].append(roc)
      self._set(name, index, roc.area())
    thresholds = {'': _HALF}
    if config.thresholds is not None:
      thresholds['_given'] = config.thresholds[index]
    segments = np.asarray(changes['segment'].found.sum(axis=0, dtype=float)).ravel()
    wanted = {
      'event': self.samples.events[index],
      'segment': segments @ self.samples.weights,
    }
    for kind in wanted:
      for which, threshold in thresholds.items():
        name = f'{kind}_f1{which}'
        counts = curves.counts_at(changes[kind], self.samples, threshold)
        self._set(name, index, curves.f1_of(*counts, wanted[kind]))
        total = self._sums.setdefault(name, np.zeros((3, self.samples.number)))
        # A class counts in those samples alone that have events of it.
        total += np.where(wanted[kind] > 0, (*counts, wanted[kind]), 0)
      value, threshold = curves.best_f1(changes[kind], self.samples, wanted[kind])
      self._set(f'{kind}_f1_best', index, value)
      if self.samples.number == 1:
        self._set(f'{kind}_threshold', index, threshold)

  def _set(self, name: str, index: int, values: np.ndarray) -> None:
    empty = np.full(self._shape, np.nan)
    self.by_class.setdefault(name, empty)[:, index] = values

  def means(self) -> dict[str, np.ndarray]:
    """The values over all classes. Shape [samples] each."""
    found = {}
    for name, rocs in self._rocs.items():
      found[name] = curves.mean_psds(rocs, _INSTABILITY_COST)
      found[f'{name}_macro'] = mean_over_classes(self.by_class[name])
    for name, values in self.by_class.items():
      if 'f1' in name:
        found[name] = mean_over_classes(values)
    for name, total in self._sums.items():
      if name.startswith('event'):
        found[f'{name}_micro'] = curves.f1_of(*total)
    return found


def _evaluation(
  parts: list[_Values], marked: Events, class_map: ClassMap, config: DetectionConfig
) -> Evaluation:
  """What was found, of the clips as they are and, if asked for, of replicates."""
  own, *replicates = parts
  counts = own.samples.events[:, 0].astype(int)
  summary = {name: json_number(values[0]) for name, values in own.means().items()}
  summary |= {
    'classes_with_events': len(np.unique(marked.label)),
    'events': len(marked),
    'clips': len(own.samples.weights),
    'hop_seconds': config.hop_seconds,
    'median_seconds': config.median_seconds,
  }
  columns = {name: values[0] for name, values in own.by_class.items()}
  # The old name, of the time when there was one.
  columns['best_threshold'] = columns.pop('segment_threshold')
  table = pd.DataFrame({**named_classes(class_map), 'events': counts, **columns})
  found = None
  if replicates:
    pairs = np.unique(np.stack([marked.label, marked.clip]), axis=1)
    clips = np.bincount(pairs[0], minlength=len(class_map))
    by_class = {
      name: replicates_of_classes(values, clips)
      for name, values in replicates[0].by_class.items()
    }
    found = Replicates(replicates[0].means(), by_class)
  return Evaluation(summary, table, found)


def _events_of(merged: pd.DataFrame, grid: CellGrid, class_map: ClassMap) -> Events:
  """Args: of `merge_touching`; the cells; the classes."""
  place = pd.Series(np.arange(len(grid.clip_ids)), grid.clip_ids)
  clip = merged['segment_id'].map(place).to_numpy(np.int64)
  label = merged['label'].map(class_map.index_of).to_numpy(np.int64)
  start, end = (merged[name].to_numpy(float) for name in ('start', 'end'))
  order = np.lexsort((start, label, clip))
  return Events(clip[order], label[order], start[order], end[order])


def merge_touching(events: pd.DataFrame, seconds: Mapping[str, float]) -> pd.DataFrame:
  """Events of a class that overlap or touch as one; none beyond the end of its clip.

  Returns:
    Columns segment_id, label, start, end (s).
  """
  start, end = (events[name].to_numpy(float) for name in TIMES)
  longest = events['segment_id'].map(seconds).to_numpy(float)
  table = pd.DataFrame(
    {
      'segment_id': events['segment_id'].to_numpy(),
      'label': events['label'].to_numpy(),
      'start': start,
      'end': np.minimum(end, longest),
    }
  )
  table = table[table['end'] > table['start']]
  table = table.sort_values(['segment_id', 'label', 'start'], ignore_index=True)
  pair = ['segment_id', 'label']
  latest = table.groupby(pair)['end'].cummax().groupby([table[n] for n in pair]).shift()
  number = (~(table['start'] <= latest)).cumsum()
  return table.groupby(number).agg(
    segment_id=('segment_id', 'first'),
    label=('label', 'first'),
    start=('start', 'min'),
    end=('end', 'max'),
  )
