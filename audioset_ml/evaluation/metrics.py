"""The metrics of both papers, from scores and labels, class by class.

All take scores of shape [examples, classes] (any order-preserving scale) and boolean
arrays of the same shape. A class for which a metric is not defined gets NaN. Each has a
slow twin in `reference.py`.
"""

import numpy as np
import scipy.special
import scipy.stats

# Pairs compared at once in lwlrap: pairs · classes bytes of memory.
_PAIRS_AT_ONCE = 16_384


def roc_auc(
  scores: np.ndarray, positive: np.ndarray, negative: np.ndarray
) -> np.ndarray:
  """Area under the ROC curve of each class: P(positive scores above negative).

  By ranks; a tie between a positive and a negative counts half.

  Args:
    scores: shape [examples, classes].
    positive: which examples count as positives of the class.
    negative: which count as negatives; those in neither are left out.

  Returns:
    Shape [classes]; NaN for a class without positives or without negatives.
  """
  result = np.full(scores.shape[1], np.nan)
  for index in range(scores.shape[1]):
    above = scores[positive[:, index], index]
    below = scores[negative[:, index], index]
    if len(above) and len(below):
      ranks = scipy.stats.rankdata(np.concatenate([above, below]))
      pairs = ranks[: len(above)].sum() - len(above) * (len(above) + 1) / 2
      result[index] = pairs / (len(above) * len(below))
  return result


def d_prime(
  auc: np.ndarray, positives: np.ndarray, negatives: np.ndarray
) -> np.ndarray:
  """d′ = √2·Φ⁻¹(AUC): how far two unit-variance normals of that AUC lie apart.

  An AUC of 1 or 0 is clipped by half a pair, so that d′ stays finite.

  Args:
    auc: shape [classes].
    positives: number of positives of each class. Shape [classes].
    negatives: number of negatives of each class. Shape [classes].

  Returns:
    Shape [classes]; NaN where the AUC is.
  """
  half_pair = 0.5 / np.maximum(np.asarray(positives) * np.asarray(negatives), 1)
  return np.sqrt(2) * scipy.special.ndtri(np.clip(auc, half_pair, 1 - half_pair))


def average_precision(
  scores: np.ndarray, positive: np.ndarray, negative: np.ndarray
) -> np.ndarray:
  """Average precision of each class: Σ (recall step) · precision, not interpolated.

  Examples with the same score enter together, as in scikit-learn.

  Returns:
    Shape [classes]; NaN for a class without positives.
  """
  result = np.full(scores.shape[1], np.nan)
  for index in range(scores.shape[1]):
    counted = positive[:, index] | negative[:, index]
    truth = positive[counted, index]
    if not truth.any():
      continue
    column = scores[counted, index]
    order = np.argsort(-column, kind='stable')
    column, truth = column[order], truth[order]
    last_of_tie = np.append(np.flatnonzero(np.diff(column)), len(column) - 1)
    hits = np.cumsum(truth)[last_of_tie]
    steps = np.diff(hits, prepend=0) / hits[-1]
    result[index] = np.sum(steps * hits / (last_of_tie + 1))
  return result


def lwlrap(scores: np.ndarray, positive: np.ndarray) -> np.ndarray:
  """Label-ranking average precision of each class (ML20 IV-A; DCASE 2019 task 2).

  For each example and each label it has: of the classes that score at least as high,
  the share that are labels of the example too. Ties count against the classifier, as
  in scikit-learn's label_ranking_average_precision_score. The value of a class is the
  mean over its positives; the label-weighted mean over classes is DCASE's overall one.

  Args:
    scores: shape [examples, classes].
    positive: which labels each example has.

  Returns:
    Shape [classes]; NaN for a class without positives.
  """
  examples, classes = np.nonzero(positive)
  precision = np.empty(len(examples))
  for start in range(0, len(examples), _PAIRS_AT_ONCE):
    chunk = slice(start, start + _PAIRS_AT_ONCE)
    rows = examples[chunk]
    at_least = scores[rows] >= scores[rows, classes[chunk]][:, np.newaxis]
    hits = np.count_nonzero(at_least & positive[rows], axis=1)
    precision[chunk] = hits / np.count_nonzero(at_least, axis=1)
  counts = np.bincount(classes, minlength=scores.shape[1])
  sums = np.bincount(classes, weights=precision, minlength=scores.shape[1])
  return np.divide(sums, counts, out=np.full(len(counts), np.nan), where=counts > 0)
