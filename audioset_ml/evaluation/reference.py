"""Slow, plain twins of `metrics.py`, written from the definitions, for the tests."""

import math
import statistics
from collections.abc import Sequence


def roc_auc(above: Sequence[float], below: Sequence[float]) -> float:
  """The share of (positive, negative) pairs in the right order; ties count half."""
  if not above or not below:
    return math.nan
  wins = sum((a > b) + 0.5 * (a == b) for a in above for b in below)
  return wins / (len(above) * len(below))


def d_prime(auc: float, positives: int, negatives: int) -> float:
  """√2·Φ⁻¹(AUC), the AUC kept half a pair away from 0 and 1."""
  if math.isnan(auc):
    return math.nan
  half_pair = 0.5 / (positives * negatives)
  clipped = min(max(auc, half_pair), 1 - half_pair)
  return math.sqrt(2) * statistics.NormalDist().inv_cdf(clipped)


def average_precision(scores: Sequence[float], truth: Sequence[bool]) -> float:
  """Σ over distinct scores of (recall gained there) · (precision down to there)."""
  if not any(truth):
    return math.nan
  total, hits_before = 0.0, 0
  for threshold in sorted(set(scores), reverse=True):
    chosen = [
      is_true
      for score, is_true in zip(scores, truth, strict=True)
      if score >= threshold
    ]
    hits = sum(chosen)
    total += (hits - hits_before) / sum(truth) * hits / len(chosen)
    hits_before = hits
  return total


def lwlrap(
  scores: Sequence[Sequence[float]], positive: Sequence[Sequence[bool]]
) -> list[float]:
  """For each class the mean, over its examples, of the precision at its rank."""
  num_classes = len(scores[0])
  precisions: list[list[float]] = [[] for _ in range(num_classes)]
  for row, labels in zip(scores, positive, strict=True):
    for index in range(num_classes):
      if labels[index]:
        ranked = [c for c in range(num_classes) if row[c] >= row[index]]
        hits = sum(labels[c] for c in ranked)
        precisions[index].append(hits / len(ranked))
  return [sum(p) / len(p) if p else math.nan for p in precisions]
