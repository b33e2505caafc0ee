"""Bootstrap over clips: how far a value would move with other clips of the same kind.

A replicate draws as many clips as there are, with replacement; a clip's weight is how
often it was drawn. Frames are drawn with their clip, for frames of one clip are alike.
Two models that are evaluated with the same weights can be compared clip by clip: the
interval of the difference is narrower than the two intervals suggest.
"""

import hashlib
from collections.abc import Sequence

import numpy as np

LEVEL = 0.95
# Values that copies of a clip change.
TIED = ('map', 'average_precision')
# Of the replicates, the share in which a value must be defined to have an interval.
_ENOUGH = 0.5


def clip_weights(clips: int, replicates: int, seed: int) -> np.ndarray:
  """How often each clip is drawn. Shape [clips, replicates], float32 (exact counts)."""
  random = np.random.default_rng(seed)
  weights = np.empty((clips, replicates), np.float32)
  for replicate in range(replicates):
    drawn = random.integers(0, clips, clips)
    weights[:, replicate] = np.bincount(drawn, minlength=clips)
  return weights


def identity(clip_ids: Sequence[str]) -> str:
  """A digest of clips in their order, which comparable evaluations share."""
  return hashlib.blake2b('\n'.join(clip_ids).encode(), digest_size=16).hexdigest()


def interval(
  value: np.ndarray, replicates: np.ndarray, name: str = '', level: float = LEVEL
) -> np.ndarray:
  """The interval of values, from the spread of the replicates around their mean.

  For most values the basic bootstrap interval, value − (replicate − value), which
  corrects a bias that the replicates have and the value has too: d′ is convex in the
  AUC, so that it comes out too high where positives are few. AP (`TIED`) is biased in
  the replicates alone, since the copies of a positive that one holds tie: there the
  percentiles are moved so that the replicates' mean lies on the value. An interval
  always holds its value.

  Args:
    value: of the clips themselves. Shape [...].
    replicates: shape [replicates, ...]; NaN where a value was not defined.
    name: which value it is.
    level: share of the replicates within the interval.

  Returns:
    Lower and upper end, shape [2, ...]; NaN where a value was undefined in more than
    half of the replicates, or defined in one alone.
  """
  ordered = np.sort(replicates.astype(float), axis=0)  # NaN last
  defined = np.count_nonzero(~np.isnan(ordered), axis=0)
  last = np.maximum(defined - 1, 0)
  ends = []
  for share in ((1 - level) / 2, (1 + level) / 2):
    below = np.floor(share * last).astype(int)
    low, high = (
      np.take_along_axis(ordered, place[np.newaxis], axis=0)[0]
      for place in (below, np.minimum(below + 1, last))
    )
    ends.append(low + (share * last - below) * (high - low))
  if name in TIED:
    mean = np.nansum(ordered, axis=0) / np.maximum(defined, 1)
    low, high = (value + end - mean for end in ends)
  else:
    high, low = (2 * value - end for end in ends)
  enough = defined >= max(2, _ENOUGH * len(replicates))
  found = np.stack([np.minimum(low, value), np.maximum(high, value)])
  return np.where(enough, found, np.nan)
