"""Per-class thresholds over the teacher's scores (ML20 section III, eq. 2)."""

import math
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation

import numpy as np

from audioset_ml.core.errors import InputError, shown
from audioset_ml.core.score_values import require_ranked

# Those of ML20's experiments (section IV).
ML20_PERCENTS = ('0', '0.1', '0.2', '0.4', '0.6', '0.8')
ML20_PERCENTS += (*map(str, range(1, 11)), '15', '20')


def parse_number(text: str, what: str = 'value') -> Decimal:
  """A finite number, exact: 0.1 stays a tenth, as no float is.

  Args:
    text: the number.
    what: what it is, for the error.

  Raises:
    InputError: it is none.
  """
  try:
    number = Decimal(text.strip())
  except InvalidOperation:
    number = Decimal('NaN')
  if not number.is_finite():
    raise InputError(f'{what} {shown(text)} is not a number')
  return number


def parse_percent(text: str) -> Decimal:
  """A percentage.

  Raises:
    InputError: not a number from 0 up to, but not including, 100.
  """
  percent = parse_number(text, 'percentage')
  if not 0 <= percent < 100:
    raise InputError(f'percentage {text} is not in [0, 100)')
  return percent


def parse_percents(texts: Sequence[str]) -> list[Decimal]:
  """Percentages; at least one, each once.

  Raises:
    InputError: there is none, one is no percentage, or one stands twice.
  """
  percents = [parse_percent(text) for text in texts if text.strip()]
  if not percents:
    raise InputError('no percentage is given; for instance 0.1,1,5')
  if len(set(percents)) < len(percents):
    raise InputError(f'a percentage stands twice in {",".join(texts)}')
  return percents


def discard_count(implicit: int, percent: Decimal) -> int:
  """⌊p·n⌋: how many of a class's n implicit negatives are to be ignored."""
  return int(percent * implicit // 100)


def top_scored(
  scores: np.ndarray, percents: Sequence[Decimal], known: np.ndarray | None = None
) -> list[tuple[float, np.ndarray]]:
  """The top-scored implicit negatives of one class, for each percentage.

  The threshold t_c is the (⌊p·n⌋+1)-th largest of the n scores; what scores above it is
  flagged: ⌊p·n⌋ labels where no scores tie, never more.

  Args:
    scores: the teacher's scores of the class's implicit negatives. Shape [n].
    percents: the percentages.
    known: their thresholds, where they are known already. Shape [percents].

  Returns:
    For each percentage the threshold (inf where n = 0) and the places of the scores
    above it, the highest first.

  Raises:
    InputError: a score is NaN.
  """
  require_ranked(scores, finite=False)
  if not len(scores):
    return [(math.inf, np.zeros(0, np.int64))] * len(percents)
  if known is None:
    counts = [discard_count(len(scores), percent) for percent in percents]
    place = len(scores) - 1 - max(counts)
    lowest = np.partition(scores, place)[place]
  else:
    lowest = min(known)
  # Only what is above the lowest threshold is put in order.
  places = np.flatnonzero(scores > lowest)
  negated = -scores[places]
  order = np.argsort(negated)
  places, negated = places[order], negated[order]
  if known is None:
    known = [-negated[count] if count < len(places) else lowest for count in counts]
  # −0 is the same score as 0.
  return [
    (float(limit) + 0.0, places[: np.searchsorted(negated, -limit)]) for limit in known
  ]
