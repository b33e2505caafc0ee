"""Each class's own threshold, chosen on labelled clips; for the events of `tag`.

Where the records have labels of frames, on these and the scores of their patches;
otherwise on whole clips, by their highest patch: a class that reaches its threshold in
any patch is present. The precision and the recall that stand beside a threshold are
those on the clips that it was chosen on, and hence optimistic.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from audioset_ml.evaluation.evaluate_config import Criterion
from audioset_ml.evaluation.frame_labels import FrameState
from audioset_ml.evaluation.labelled_clips import LabelledClips
from audioset_ml.labels.states import PRESENT_STATES, LabelState
from audioset_ml.records.scores import ClipScores

THRESHOLDS_FILE = 'thresholds.csv'


def choose_thresholds(
  chosen: LabelledClips, scores: ClipScores, criterion: Criterion
) -> tuple[pd.DataFrame, str]:
  """Each class's threshold.

  Args:
    chosen: the clips.
    scores: of all of the records' clips, with those of their patches.
    criterion: what thresholds are chosen for.

  Returns:
    A row a class: mid, display_name, threshold, precision, recall, f1, positives,
    negatives; without a threshold where there are no positives or no negatives, or none
    is precise enough. And what they were chosen on: frames or clips.
  """
  examples = _frames if chosen.has_frames else _clips
  class_map = chosen.records.class_map
  rows = []
  for mid, name, (positive, negative) in zip(
    class_map.mids, class_map.names, examples(chosen, scores), strict=True
  ):
    best = best_threshold(positive, negative, criterion)
    rows.append((mid, name, *best, len(positive), len(negative)))
  columns = ['mid', 'display_name', 'threshold', 'precision', 'recall', 'f1']
  table = pd.DataFrame(rows, columns=[*columns, 'positives', 'negatives'])
  return table, 'frames' if chosen.has_frames else 'clips'


def best_threshold(
  positive: np.ndarray, negative: np.ndarray, criterion: Criterion
) -> tuple[float, float, float, float]:
  """Threshold, precision, recall and F1 of a class; what reaches it counts as present.

  Args:
    positive: scores of the examples that have the class. Shape [positives].
    negative: of those that lack it. Shape [negatives].
    criterion: what it is chosen for. Of equally good ones the highest.

  Returns:
    The threshold lies halfway to the next score below, which changes nothing for these
    examples. NaN where there is none.
  """
  if not len(positive) or not len(negative):
    return (np.nan,) * 4
  values = np.unique(np.concatenate([positive, negative]))[::-1]
  hits = _reaching(positive, values)
  found = hits + _reaching(negative, values)
  precision, recall = hits / found, hits / len(positive)
  f1 = 2 * hits / (found + len(positive))
  if criterion.precision is None:
    best = int(np.argmax(f1))
  else:
    good = np.flatnonzero((precision >= criterion.precision) & (hits > 0))
    if not len(good):
      return (np.nan,) * 4
    best = int(good[np.argmax(hits[good])])
  below = values[best + 1] if best + 1 < len(values) else 0.0
  threshold = (float(values[best]) + float(below)) / 2
  return threshold, float(precision[best]), float(recall[best]), float(f1[best])


def _reaching(scores: np.ndarray, values: np.ndarray) -> np.ndarray:
  """How many scores are at least each value."""
  return len(scores) - np.searchsorted(np.sort(scores), values, side='left')


def _frames(
  chosen: LabelledClips, scores: ClipScores
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
  """Each class's scores of its positive and of its negative frames."""
  found = chosen.frame_scores(chosen.patches(scores))
  classes = chosen.records.num_classes
  for index, (rows, states) in enumerate(chosen.frames.by_class(classes)):
    is_positive = states == FrameState.POSITIVE
    yield found[rows[is_positive], index], found[rows[~is_positive], index]


def _clips(
  chosen: LabelledClips, scores: ClipScores
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
  """The same of whole clips: implicit negatives count as negatives, unsure labels as
  neither."""
  patches = chosen.patches(scores)
  highest = np.stack([patches.of(int(clip)).max(axis=0) for clip in chosen.clips])
  states = chosen.labels.dense()
  present = np.isin(states, PRESENT_STATES)
  absent = ~present & (states != LabelState.UNSURE)
  for index in range(chosen.records.num_classes):
    column = highest[:, index].astype(np.float64)
    yield column[present[:, index]], column[absent[:, index]]
