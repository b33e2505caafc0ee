"""What came of a run, as values: accuracy or mAP, comparisons, classes, predictions."""

import dataclasses
import pathlib
from typing import Any

import numpy as np

from audioset_ml.core import csv_files, folders
from audioset_ml.evaluation.result import json_number
from audioset_ml.finetuning import measures
from audioset_ml.finetuning.clips import Clip
from audioset_ml.finetuning.inputs import Inputs
from audioset_ml.finetuning.outcome import Outcome
from audioset_ml.labels.class_map import ClassMap

RESULTS_FILE = 'results.json'
PREDICTIONS_FILE, CONFUSIONS_FILE = 'predictions.csv', 'confusions.csv'
# An accuracy that is known no better than this is told with a caution, and so are
# classes with fewer groups.
_WIDE, _FEW_GROUPS = 0.05, 5


@dataclasses.dataclass(frozen=True)
class Comparison:
  """A simple model on the same clips.

  Attributes:
    name: what it is.
    value: its accuracy or mAP.
    difference: by how much the trained model's is higher, and its 95 % interval.
  """

  name: str
  value: float
  difference: tuple[float, float, float]

  @property
  def verdict(self) -> str:
    """How the trained model compares: better, as good, or worse."""
    _, low, high = self.difference
    if low > 0:
      return 'better'
    return 'worse' if high < 0 else 'as good'


@dataclasses.dataclass(frozen=True)
class Results:
  """What came out.

  Attributes:
    kind: accuracy, or map where recordings have several labels or none.
    value: of the evaluated clips.
    interval: its 95 % interval.
    clips, groups: how many are evaluated.
    right: how many clips are right; None for map.
    class_mean: the mean accuracy of the classes; None for map.
    by_fold: the value of each fold, by its name.
    comparisons: with simple models.
    confusions: clips of a class by what they are taken for, shape [classes, classes];
      None for map.
    recordings: how many recordings that were cut into clips are right by the mean score
      of these, and of how many; None where none was, or for map.
    few: classes of few evaluated groups.
    metrics: of evaluation/metrics.json.
  """

  kind: str
  value: float
  interval: tuple[float, float]
  clips: int
  groups: int
  right: int | None
  class_mean: float | None
  by_fold: dict[str, float]
  comparisons: tuple[Comparison, ...]
  confusions: np.ndarray | None
  recordings: tuple[int, int] | None
  few: tuple[str, ...]
  metrics: dict[str, Any]

  @property
  def is_vague(self) -> bool:
    """Whether the clips are too few to tell the value well."""
    return not (self.interval[1] - self.interval[0]) / 2 <= _WIDE

  def to_json(self) -> dict[str, Any]:
    """What results.json and run.json say."""
    return {
      self.kind: json_number(self.value),
      'interval': [json_number(end) for end in self.interval],
      'clips': self.clips,
      'groups': self.groups,
      'right': self.right,
      'mean_over_classes': self.class_mean,
      'by_fold': {name: json_number(value) for name, value in self.by_fold.items()},
      'right_recordings': self.recordings,
      'compared_with': {
        one.name: {
          self.kind: json_number(one.value),
          'difference': json_number(one.difference[0]),
          'interval': [json_number(end) for end in one.difference[1:]],
        }
        for one in self.comparisons
      },
    }


def measure(outcome: Outcome, inputs: Inputs) -> Results:
  """Measures what came out."""
  labelled, scores, single = outcome.labelled, outcome.scores, inputs.single_label
  of = measures.accuracy if single else measures.mean_average_precision
  kind = 'accuracy' if single else 'map'
  ours = of(scores, labelled)
  table = measures.confusions(scores, labelled) if single else None
  folds = {}
  if len(inputs.division.evaluated) > 1:
    for part in inputs.division.evaluated:
      chosen = outcome.folds == part
      folds[part] = float(of(scores[chosen], labelled.of(chosen)).value)
  compared = []
  for name, theirs in outcome.simple.items():
    simple = of(theirs, labelled)
    found = measures.difference(ours, simple)
    compared.append(Comparison(name, float(simple.value), found))
  groups = [len(set(labelled.group[column])) for column in labelled.present.T]
  names = inputs.class_map.names
  return Results(
    kind=kind,
    value=float(ours.value),
    interval=measures.interval(ours, labelled, kind),
    clips=len(scores),
    groups=labelled.groups,
    right=int(np.trace(table)) if single else None,
    class_mean=_class_mean(table) if single else None,
    by_fold=folds,
    comparisons=tuple(compared),
    confusions=table,
    recordings=_of_recordings(outcome, inputs) if single else None,
    few=tuple(
      name for name, number in zip(names, groups, strict=True) if number < _FEW_GROUPS
    ),
    metrics=outcome.metrics,
  )


def _of_recordings(outcome: Outcome, inputs: Inputs) -> tuple[int, int] | None:
  clips = {clip.clip_id: clip for clip in inputs.clips}
  if all(clips[clip_id].of == 1 for clip_id in outcome.clip_ids):
    return None
  names = [clips[clip_id].recording.name for clip_id in outcome.clip_ids]
  _, first, place = np.unique(names, return_index=True, return_inverse=True)
  sums = np.zeros((len(first), outcome.scores.shape[1]))
  np.add.at(sums, place, outcome.scores)
  found = measures.accuracy(
    sums / np.bincount(place)[:, np.newaxis], outcome.labelled.of(first)
  )
  return round(found.value * len(first)), len(first)


def _class_mean(table: np.ndarray) -> float:
  clips = table.sum(axis=1)
  return float((np.diag(table)[clips > 0] / clips[clips > 0]).mean())


def write(
  path: pathlib.Path, results: Results, outcome: Outcome, inputs: Inputs
) -> None:
  """Writes results.json, what each clip is taken for and, of single labels, the
  confusions."""
  folders.write_json(path / RESULTS_FILE, results.to_json())
  class_map = inputs.class_map
  clips = {clip.clip_id: clip for clip in inputs.clips}
  best = measures.best_class(outcome.scores, outcome.labelled)
  rows = [
    _prediction(clips[clip_id], outcome, row, best[row], class_map)
    for row, clip_id in enumerate(outcome.clip_ids)
  ]
  header = ('recording', 'start', 'end', 'fold', 'labels', 'best', 'score', 'right')
  csv_files.write_csv(path / PREDICTIONS_FILE, header, rows)
  table = () if results.confusions is None else results.confusions.tolist()
  csv_files.write_csv_if_any(
    path / CONFUSIONS_FILE,
    ('class \\ taken for', *class_map.names),
    [(name, *row) for name, row in zip(class_map.names, table, strict=False)],
  )


def _prediction(
  clip: Clip, outcome: Outcome, row: int, best: int, class_map: ClassMap
) -> tuple:
  present = outcome.labelled.present[row]
  labels = ';'.join(class_map.names[index] for index in np.flatnonzero(present))
  score = f'{outcome.scores[row, best]:.3f}'
  right = ('yes' if present[best] else 'no') if present.any() else ''
  where = (clip.recording.name, clip.start, clip.end, outcome.folds[row])
  return (*where, labels, class_map.names[best], score, right)
