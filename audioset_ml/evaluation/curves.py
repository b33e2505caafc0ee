"""What figures of an evaluation are drawn from: curves, and what scores mean."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from audioset_ml.evaluation import files
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.labels.states import PRESENT_STATES, LabelState

# Of the files that hold them.
COLUMNS = {
  files.CURVES_FILE: ['mid', 'curve', 'negatives', 'x', 'y', 'threshold'],
  files.RELIABILITY_FILE: ['low', 'high', 'labels', 'mean_score', 'share_present'],
}
# Those of them that are no numbers.
TEXTS = ('mid', 'curve', 'negatives')
# Points of a curve that are kept; more can't be seen.
_POINTS = 400
_BINS = 10


def class_curves(
  scores: np.ndarray,
  states: np.ndarray,
  class_map: ClassMap,
  classes: Sequence[int],
) -> pd.DataFrame:
  """Precision-recall and detection error tradeoff curves of some classes.

  Precision and recall count every label that is no positive as a negative, as average
  precision does; what a person was unsure of counts as nothing. The DET curve (false
  negative against false positive rate) is of explicit labels, as d′ is, where the class
  has both kinds; else of all.

  Args:
    scores: shape [clips, classes].
    states: the labels' states. Shape [clips, classes].
    class_map: the classes.
    classes: those wanted; one without positives or without negatives has no curve.

  Returns:
    Columns mid, curve (precision_recall or det), negatives (explicit or all), x (recall
    or false positive rate), y (precision or false negative rate), threshold.
  """
  import sklearn.metrics  # which takes a second: not before inputs are looked at

  tables = []
  for index in classes:
    counted = states[:, index] != LabelState.UNSURE
    state, score = states[counted, index], scores[counted, index].astype(float)
    score = np.nan_to_num(
      score, posinf=np.finfo(float).max, neginf=-np.finfo(float).max
    )
    present = np.isin(state, PRESENT_STATES)
    if not present.any() or present.all():
      continue
    precision, recall, threshold = sklearn.metrics.precision_recall_curve(
      present, score, drop_intermediate=True
    )
    parts = [('precision_recall', 'all', recall[:-1], precision[:-1], threshold)]
    confirmed = state == LabelState.EXPLICIT_POSITIVE
    explicit = confirmed | (state == LabelState.EXPLICIT_NEGATIVE)
    both = confirmed.any() and (explicit & ~confirmed).any()
    chosen, truth = (explicit, confirmed) if both else (np.ones_like(present), present)
    rates = sklearn.metrics.det_curve(truth[chosen], score[chosen])
    parts.append(('det', 'explicit' if both else 'all', *rates))
    for curve, negatives, *columns in parts:
      points = _thinned(len(columns[0]))
      x, y, thresholds = (np.asarray(column)[points] for column in columns)
      table = {'mid': class_map.mids[index], 'curve': curve, 'negatives': negatives}
      tables.append(pd.DataFrame({**table, 'x': x, 'y': y, 'threshold': thresholds}))
  if not tables:
    return pd.DataFrame(columns=COLUMNS[files.CURVES_FILE])
  return pd.concat(tables, ignore_index=True)


def reliability(scores: np.ndarray, states: np.ndarray) -> pd.DataFrame:
  """How often a sound is there that has a certain score: calibration.

  All labels of all classes together; what is no positive counts as absent, so missing
  labels of the evaluated clips make a model look overconfident. What a person was
  unsure of is left out.

  Args:
    scores: shape [clips, classes].
    states: the labels' states, likewise.

  Returns:
    A row for each of ten equal parts of [0, 1] that holds scores: low, high, labels,
    mean_score, share_present. Empty where scores are no probabilities.
  """
  columns = COLUMNS[files.RELIABILITY_FILE]
  if scores.min() < 0 or scores.max() > 1:
    return pd.DataFrame(columns=columns)
  labels, sums, present = (np.zeros(_BINS) for _ in range(3))
  # A class at a time: all at once would take four times the memory of the scores.
  for index in range(scores.shape[1]):
    counted = states[:, index] != LabelState.UNSURE
    score = scores[counted, index]
    place = np.minimum((score * _BINS).astype(int), _BINS - 1)
    there = np.isin(states[counted, index], PRESENT_STATES)
    labels += np.bincount(place, minlength=_BINS)
    sums += np.bincount(place, score, minlength=_BINS)
    present += np.bincount(place, there, minlength=_BINS)
  edges = np.linspace(0, 1, _BINS + 1)
  filled = labels > 0
  safe = np.maximum(labels, 1)
  values = (edges[:-1], edges[1:], labels.astype(int), sums / safe, present / safe)
  table = pd.DataFrame(dict(zip(columns, values, strict=True)))
  return table[filled].reset_index(drop=True)


def _thinned(points: int) -> np.ndarray:
  """Which points of a curve are kept, the first and the last among them."""
  if points <= _POINTS:
    return np.arange(points)
  return np.unique(np.linspace(0, points - 1, _POINTS).round().astype(int))
