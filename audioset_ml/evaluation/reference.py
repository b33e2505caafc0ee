"""Slow, plain twins of `metrics.py`, written from the definitions, for the tests."""

import math
import statistics
from collections.abc import Sequence


def roc_auc(
  above: Sequence[float],
  below: Sequence[float],
  above_weights: Sequence[float] | None = None,
  below_weights: Sequence[float] | None = None,
) -> float:
  """The share of (positive, negative) pairs in the right order; ties count half. A pair
  weighs the product of its examples' weights."""
  above_weights = above_weights or [1.0] * len(above)
  below_weights = below_weights or [1.0] * len(below)
  pairs = sum(above_weights) * sum(below_weights)
  if not pairs:
    return math.nan
  wins = sum(
    v * w * ((a > b) + 0.5 * (a == b))
    for a, v in zip(above, above_weights, strict=True)
    for b, w in zip(below, below_weights, strict=True)
  )
  return wins / pairs


def d_prime(auc: float, positives: int, negatives: int) -> float:
  """√2·Φ⁻¹(AUC), the AUC kept half a pair away from 0 and 1."""
  if math.isnan(auc):
    return math.nan
  half_pair = 0.5 / (positives * negatives)
  clipped = min(max(auc, half_pair), 1 - half_pair)
  return math.sqrt(2) * statistics.NormalDist().inv_cdf(clipped)


def average_precision(
  scores: Sequence[float],
  truth: Sequence[bool],
  weights: Sequence[float] | None = None,
) -> float:
  """Σ over distinct scores of (recall gained there) · (precision down to there)."""
  weights = weights or [1.0] * len(scores)
  examples = list(zip(scores, truth, weights, strict=True))
  positives = sum(weight for _, is_true, weight in examples if is_true)
  if not positives:
    return math.nan
  total, hits_before = 0.0, 0.0
  for threshold in sorted(set(scores), reverse=True):
    chosen = [(t, w) for score, t, w in examples if score >= threshold]
    hits = sum(weight for is_true, weight in chosen if is_true)
    called = sum(weight for _, weight in chosen)
    if called:
      total += (hits - hits_before) / positives * hits / called
    hits_before = hits
  return total


def lwlrap(
  scores: Sequence[Sequence[float]],
  positive: Sequence[Sequence[bool]],
  counted: Sequence[Sequence[bool]] | None = None,
  weights: Sequence[Sequence[float]] | None = None,
) -> list[float]:
  """For each class the mean, over its examples, of the precision at its rank."""
  num_classes = len(scores[0])
  gains, totals = [0.0] * num_classes, [0.0] * num_classes
  for example, (row, labels) in enumerate(zip(scores, positive, strict=True)):
    known = counted[example] if counted else [True] * num_classes
    for index in range(num_classes):
      if labels[index] and known[index]:
        weight = weights[example][index] if weights else 1.0
        ranked = [c for c in range(num_classes) if known[c] and row[c] >= row[index]]
        hits = sum(bool(labels[c]) for c in ranked)
        gains[index] += weight * hits / len(ranked)
        totals[index] += weight
  return [g / t if t else math.nan for g, t in zip(gains, totals, strict=True)]


def dcase_lwlrap(
  scores: Sequence[Sequence[float]], positive: Sequence[Sequence[bool]]
) -> tuple[list[float], list[float]]:
  """DCASE 2019 task 2's lωlrap, by its evaluation plan: each example's classes are
  sorted by score, and each label's precision is (labels down to it) / (its place).

  Returns:
    Each class's lωlrap, and its weight: the share of all labels that are its.
  """
  num_classes = len(scores[0])
  precisions: list[list[float]] = [[] for _ in range(num_classes)]
  for row, labels in zip(scores, positive, strict=True):
    order = sorted(range(num_classes), key=lambda index, row=row: -row[index])
    hits = 0
    for place, index in enumerate(order, start=1):
      if labels[index]:
        hits += 1
        precisions[index].append(hits / place)
  labels_in_all = max(1, sum(map(len, precisions)))
  return (
    [sum(p) / max(1, len(p)) for p in precisions],
    [len(p) / labels_in_all for p in precisions],
  )
