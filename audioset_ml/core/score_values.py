"""Scores that have no rank (NaN, and infinity, which no model gives) or are no
probabilities."""

import os
from collections.abc import Iterator

import numpy as np

from audioset_ml.core.errors import InputError

_AT_ONCE = 1 << 22  # values: of scores on disk only so many are in memory


def unranked(
  scores: np.ndarray, finite: bool = True
) -> tuple[tuple[int, ...], str] | None:
  """The first score that has no rank: its place, and what it is, NaN or infinite.

  Args:
    scores: of any shape; a memory map is read in parts.
    finite: whether +infinity, which can be ranked, counts, too. −infinity never does.
  """
  for first, here in _parts(scores):
    wrong = ~(here < np.inf) if finite else np.isnan(here)
    if wrong.any():
      place = tuple(np.argwhere(wrong)[0].tolist())
      what = 'NaN' if np.isnan(here[place]) else 'infinite'
      return (first + place[0], *place[1:]), what
  return None


def require_ranked(scores: np.ndarray, finite: bool = True) -> None:
  """Raises InputError, without naming the place, if a score has no rank; see
  `unranked`."""
  if found := unranked(scores, finite):
    raise InputError(f'a score is {found[1]}: it has no rank')


def require_probabilities(scores: np.ndarray, what: str, of: str | os.PathLike) -> None:
  """Raises InputError unless all scores are from 0 to 1.

  Args:
    scores: of any shape; a memory map is read in parts.
    what: what needs it, for the message.
    of: their folder, or the class that they are of.
  """
  for _, here in _parts(scores):
    if not ((here >= 0) & (here <= 1)).all():
      raise InputError(
        f'{of}: a score is no probability (from 0 to 1), as {what} needs: give scores '
        'of `score`, or make probabilities of logits x, 1 / (1 + exp(−x)), and take '
        'them in by `import_scores`'
      )


def _parts(scores: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
  """The scores in parts that fit in memory, each with the row that it begins at."""
  rows = max(1, _AT_ONCE // max(1, scores[:1].size))
  for first in range(0, len(scores), rows):
    yield first, scores[first : first + rows]
