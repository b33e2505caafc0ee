"""Exact order statistics of scores from summaries that can be merged.

A float32 has 32 bits, and sorted by a few of them flipped they sort as the numbers do.
Counting how many scores have each value of the upper 16 bits tells which value the
wanted one has; counting the lower 16 bits of those that have it tells the rest. Counts
of any split of the scores add up to those of all, in any order.
"""

import dataclasses
from collections.abc import Sequence
from decimal import Decimal

import numpy as np

from audioset_ml.core.score_values import require_ranked
from audioset_ml.missing_labels.thresholds import discard_count

_SIGN = np.uint32(1 << 31)


def sortable_bits(scores: np.ndarray) -> np.ndarray:
  """Unsigned integers that sort as the scores do; −0 is 0.

  Raises:
    InputError: a score is NaN.
  """
  require_ranked(scores, finite=False)
  bits = (np.asarray(scores, np.float32) + np.float32(0)).view(np.uint32)
  return np.where(bits & _SIGN, ~bits, bits | _SIGN)


def score_of_bits(bits: int) -> float:
  """The score that `sortable_bits` makes these bits of."""
  bits = np.uint32(bits)
  restored = bits ^ _SIGN if bits & _SIGN else ~bits
  return float(np.array(restored, np.uint32).view(np.float32))


def upper(bits: np.ndarray) -> np.ndarray:
  """The upper 16 bits."""
  return (bits >> np.uint32(16)).astype(np.uint16)


def lower(bits: np.ndarray) -> np.ndarray:
  """The lower 16 bits."""
  return bits.astype(np.uint16)


@dataclasses.dataclass(frozen=True)
class Counts:
  """How often 16-bit values occur; those that don't are left out.

  Attributes:
    values: in ascending order. Shape [values], uint16.
    counts: shape [values], int64.
  """

  values: np.ndarray
  counts: np.ndarray

  @classmethod
  def of(cls, values: np.ndarray) -> 'Counts':
    """Counts an array."""
    return cls(*np.unique(values, return_counts=True))

  @classmethod
  def merged(cls, parts: Sequence['Counts']) -> 'Counts':
    """Those of several arrays as one."""
    if not parts:
      return cls(np.zeros(0, np.uint16), np.zeros(0, np.int64))
    values, places = np.unique(
      np.concatenate([part.values for part in parts]), return_inverse=True
    )
    counts = np.zeros(len(values), np.int64)
    np.add.at(counts, places, np.concatenate([part.counts for part in parts]))
    return cls(values, counts)


@dataclasses.dataclass(frozen=True)
class Place:
  """Where a wanted score is: its upper bits, and its rank among those that have them.

  Attributes:
    bin: the upper 16 bits.
    rank: how many scores with these upper bits are smaller.
  """

  bin: int
  rank: int


def places_of(counts: Counts, percents: Sequence[Decimal]) -> list[Place]:
  """Where the thresholds of a class are: the (⌊p·n⌋+1)-th largest scores.

  Args:
    counts: of the upper bits of its n implicit negatives; at least one.
    percents: the discard percentages.
  """
  number, found = int(counts.counts.sum()), []
  for percent in percents:
    rank = number - 1 - discard_count(number, percent)
    found.append(_find(counts, rank))
  return found


def bits_at(place: Place, counts: Counts) -> int:
  """The sortable bits of the threshold at a place.

  Args:
    place: see `places_of`.
    counts: of the lower bits of the scores with the place's upper bits.
  """
  return place.bin << 16 | _find(counts, place.rank).bin


def _find(counts: Counts, rank: int) -> Place:
  """The value of the score with so many smaller ones, and its rank among its like."""
  ends = np.cumsum(counts.counts)
  found = int(np.searchsorted(ends, rank, side='right'))
  before = int(ends[found] - counts.counts[found])
  return Place(int(counts.values[found]), rank - before)
