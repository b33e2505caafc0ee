"""The metrics of both papers, from scores and labels, class by class.

All take scores of shape [examples, classes] (any order-preserving scale; infinite ones
are ranked, NaN is an error) and boolean arrays of the same shape; an example is a clip
or a frame. A class for which a metric is not defined gets NaN. `weights` are examples'
weights, not negative, of shape [examples], or labels' weights of shape [examples,
classes]; None counts all the same. Each metric has a slow twin in `reference.py`, and
equals scikit-learn's where that has one.
"""

from collections.abc import Iterator

import numpy as np
import scipy.special

from audioset_ml.core.errors import InputError
from audioset_ml.core.score_values import unranked
from audioset_ml.evaluation import ranks


def roc_auc(
  scores: np.ndarray,
  positive: np.ndarray,
  negative: np.ndarray,
  weights: np.ndarray | None = None,
) -> np.ndarray:
  """Area under the ROC curve of each class: P(positive scores above negative).

  A tie between a positive and a negative counts half. `sklearn.metrics.roc_auc_score`.

  Args:
    scores: shape [examples, classes].
    positive: which examples count as positives of the class.
    negative: which count as negatives; those in neither are left out.
    weights: of examples, shape [examples], or of labels, shape [examples, classes];
      not negative. None counts all the same.

  Returns:
    Shape [classes], in [0, 1]; NaN for a class without (weight of) positives or without
    negatives.

  Raises:
    InputError: shapes differ, a score is NaN, a label is both, a weight is negative.
  """
  _check(scores, weights, positive=positive, negative=negative)
  return np.array(
    [
      one.measure(weight).auc
      for one, weight in _class_ranks(scores, positive, negative, weights)
    ]
  )


def d_prime(
  auc: np.ndarray, positives: np.ndarray, negatives: np.ndarray
) -> np.ndarray:
  """d′ = √2·Φ⁻¹(AUC): how far two unit-variance normals of that AUC lie apart.

  An AUC of 1 or 0 is clipped by half a pair, 0.5 / (positives · negatives), so that d′
  stays finite; with few labels that is a small d′ (0 for a single pair).

  Args:
    auc: shape [..., classes].
    positives: number of positives of each class. Shape [..., classes].
    negatives: number of negatives of each class. Shape [..., classes].

  Returns:
    Shape [..., classes]; NaN where the AUC is.
  """
  pairs = np.asarray(positives, float) * np.asarray(negatives, float)
  pairs = np.maximum(pairs, 1)
  half_pair = 0.5 / pairs
  return np.sqrt(2) * scipy.special.ndtri(np.clip(auc, half_pair, 1 - half_pair))


def average_precision(
  scores: np.ndarray,
  positive: np.ndarray,
  negative: np.ndarray,
  weights: np.ndarray | None = None,
) -> np.ndarray:
  """Average precision of each class: Σ (recall step) · precision, not interpolated.

  Examples with the same score enter together.
  `sklearn.metrics.average_precision_score`.

  Args:
    scores, positive, negative, weights: see `roc_auc`.

  Returns:
    Shape [classes], in (0, 1]; NaN for a class without positives. A class without
    negatives has 1.

  Raises:
    InputError: see `roc_auc`.
  """
  _check(scores, weights, positive=positive, negative=negative)
  return np.array(
    [
      one.measure(weight).average_precision
      for one, weight in _class_ranks(scores, positive, negative, weights)
    ]
  )


def lwlrap(
  scores: np.ndarray,
  positive: np.ndarray,
  counted: np.ndarray | None = None,
  weights: np.ndarray | None = None,
) -> np.ndarray:
  """Label-ranking average precision of each class (ML20 IV-A; DCASE 2019 task 2).

  For each example and each label it has: of the classes that score at least as high,
  the share that are labels of the example too. Ties count against the classifier, as
  in scikit-learn's label_ranking_average_precision_score; without ties this is the
  definition of DCASE 2019. The value of a class is the mean over its positives; the
  mean over classes weighted by their positives is DCASE's overall lωlrap.

  Args:
    scores: shape [examples, classes].
    positive: which labels each example has.
    counted: which labels count at all; the others are neither ranked nor in another
      label's way. None counts all.
    weights: of examples, shape [examples], or of labels, shape [examples, classes];
      not negative. None counts all the same.

  Returns:
    Shape [classes], in (0, 1]; NaN for a class without positives.

  Raises:
    InputError: see `roc_auc`.
  """
  _check(scores, weights, positive=positive, counted=counted)
  ranked = ranks.LabelRanks.of(scores, positive, counted)
  if weights is None:
    return ranked.lwlrap()
  if weights.ndim == 1:
    return ranked.lwlrap(weights[ranked.examples])
  return ranked.lwlrap(weights[ranked.examples, ranked.classes])


def require_ranked(scores: np.ndarray, finite: bool = False) -> None:
  """Raises InputError, naming the place, if a score is NaN: it has no rank.

  Args:
    scores: shape [examples, classes].
    finite: whether +infinity, which no model gives, is an error, too.
  """
  if found := unranked(scores, finite):
    (row, column), what = found
    raise InputError(f'the score of example {row}, class {column} is {what}')


def _class_ranks(
  scores: np.ndarray,
  positive: np.ndarray,
  negative: np.ndarray,
  weights: np.ndarray | None,
) -> Iterator[tuple[ranks.ClassRanks, np.ndarray | None]]:
  """The ranks of each class, with its weights."""
  by_class = (ranks.columns(array) for array in (scores, positive, negative))
  for index, (column, above, below) in enumerate(zip(*by_class, strict=True)):
    found = ranks.ClassRanks.of(column, np.flatnonzero(above), np.flatnonzero(below))
    weight = weights
    if weights is not None and weights.ndim == 2:
      weight = weights[:, index]
    yield found, weight


def _check(
  scores: np.ndarray, weights: np.ndarray | None, **labels: np.ndarray | None
) -> None:
  if scores.ndim != 2:
    raise InputError(f'scores have shape {scores.shape}, not [examples, classes]')
  for name, array in labels.items():
    if array is not None and array.shape != scores.shape:
      raise InputError(
        f'`{name}` has shape {array.shape}, but the scores {scores.shape}'
      )
  if (
    labels.get('negative') is not None
    and (labels['positive'] & labels['negative']).any()
  ):
    row, column = np.argwhere(labels['positive'] & labels['negative'])[0]
    raise InputError(
      f'example {row} is both a positive and a negative of class {column}'
    )
  if weights is not None:
    if weights.shape not in (scores.shape, scores.shape[:1]):
      raise InputError(
        f'weights have shape {weights.shape}, but the scores {scores.shape}'
      )
    if not ((weights >= 0) & np.isfinite(weights)).all():
      raise InputError('a weight is negative, infinite or NaN')
  require_ranked(scores)
