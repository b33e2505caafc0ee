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


def identity(clip_ids: Sequence[str], replicates: int, seed: int) -> str:
  """What two evaluations must share to have been drawn alike."""
  text = '\n'.join([*clip_ids, str(replicates), str(seed)])
  return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def interval(
  value: np.ndarray, replicates: np.ndarray, level: float = LEVEL
) -> np.ndarray:
  """The interval of values: the percentiles of the replicates, moved so that their mean
  lies on the value.

  Only the replicates' spread is used and not where they lie: the copies of a positive
  that a replicate holds tie, which raises its AP above any new set's, and d′ is convex
  in the AUC.

  Args:
    value: of the clips themselves. Shape [...].
    replicates: shape [replicates, ...]; NaN where a value was not defined.
    level: share of the replicates within the interval.

  Returns:
    Lower and upper end, shape [2, ...]; NaN where a value was undefined in more than
    half of the replicates.
  """
  ordered = np.sort(replicates.astype(float), axis=0)  # NaN last
  defined = np.count_nonzero(~np.isnan(ordered), axis=0)
  last = np.maximum(defined - 1, 0)
  mean = np.nansum(ordered, axis=0) / np.maximum(defined, 1)
  ends = []
  for share in ((1 - level) / 2, (1 + level) / 2):
    below = np.floor(share * last).astype(int)
    low, high = (
      np.take_along_axis(ordered, place[np.newaxis], axis=0)[0]
      for place in (below, np.minimum(below + 1, last))
    )
    ends.append(value + low + (share * last - below) * (high - low) - mean)
  enough = defined >= max(1, _ENOUGH * len(replicates))
  return np.where(enough, np.stack(ends), np.nan)
