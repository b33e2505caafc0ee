"""Per-class thresholds over the teacher's scores (ML20 section III, eq. 2)."""

import math
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation

import numpy as np

from audioset_ml.errors import InputError


def parse_percent(text: str) -> Decimal:
  """A discard percentage, exact: 0.1 % stays a tenth, as no float is.

  Raises:
    InputError: not a number from 0 up to, but not including, 100.
  """
  try:
    percent = Decimal(text.strip())
  except InvalidOperation:
    raise InputError(f'discard percentage {text!r} is not a number') from None
  if not (percent.is_finite() and 0 <= percent < 100):
    raise InputError(f'discard percentage {text} is not in [0, 100)')
  return percent


def parse_percents(texts: Sequence[str]) -> list[Decimal]:
  """Discard percentages; at least one, each once.

  Raises:
    InputError: there is none, one is no percentage, or one stands twice.
  """
  percents = [parse_percent(text) for text in texts if text.strip()]
  if not percents:
    raise InputError('no discard percentage is given; for instance 0.1,1,5')
  if len(set(percents)) < len(percents):
    raise InputError(f'a discard percentage stands twice in {",".join(texts)}')
  return percents


def label_set_name(percent: Decimal) -> str:
  """The folder of the label set of a percentage: `discard_0.1`, `discard_10`."""
  return f'discard_{percent.normalize():f}'


def discard_count(implicit: int, percent: Decimal) -> int:
  """⌊p·n⌋: how many of a class's n implicit negatives are to be ignored."""
  return int(percent * implicit // 100)


def class_thresholds(
  scores: np.ndarray, percents: Sequence[Decimal]
) -> list[tuple[float, int]]:
  """The threshold t_c of one class for each percentage.

  t_c is the (⌊p·n⌋+1)-th largest of the n scores; what scores above it is ignored:
  ⌊p·n⌋ labels where no scores tie, never more.

  Args:
    scores: the teacher's scores of the class's implicit negatives. Shape [n].
    percents: the discard percentages.

  Returns:
    For each percentage the threshold (inf where n = 0) and how many scores above it.

  Raises:
    InputError: a score is NaN.
  """
  if np.isnan(scores).any():
    raise InputError('a score is NaN: it has no rank')
  if not len(scores):
    return [(math.inf, 0)] * len(percents)
  ascending = [len(scores) - 1 - discard_count(len(scores), p) for p in percents]
  partitioned = np.partition(scores, sorted(set(ascending)))
  thresholds = [float(partitioned[index]) for index in ascending]
  return [(t, int(np.count_nonzero(scores > t))) for t in thresholds]
