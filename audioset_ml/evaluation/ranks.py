"""Ranks, taken once, from which metrics follow for any weighting of the examples.

`ClassRanks`: the positives of one class among its negatives, all that AUC and AP
depend on. Only the positives, of which a class has few, are sorted; each negative is
counted into a bin between two of them, and AUC and AP are sums over the bins.
`LabelRanks`: the precision at the rank of each label, of which lωlrap is the mean. The
thousand weightings of a bootstrap are one sparse product.
"""

import dataclasses
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import scipy.sparse

# Classes whose scores are copied at once, to be read one after the other.
_CLASSES_AT_ONCE = 32
# Values of bins that are held at once, bins times replicates: at most so many, or if
# that is more this part of the number of weights; else those of so many replicates.
_BIN_VALUES = 1 << 20
_SHARE_OF_WEIGHTS = 64
_REPLICATES_AT_ONCE = 64
# Labels compared with all classes at once: labels · classes · 5 bytes of memory.
_LABELS_AT_ONCE = 4_096
# Weights of labels that are held at once in float64: what is weighed times replicates.
_WEIGHTS_AT_ONCE = 1 << 23


@dataclasses.dataclass(frozen=True)
class ClassRanks:
  """Where the examples of a class rank.

  With G distinct scores among the positives, u₀ < u₁ < …: bin 2k holds the negatives
  between uₖ₋₁ and uₖ, bin 2k + 1 those that are tied with uₖ.

  Attributes:
    group: which distinct score each positive has. Shape [positives].
    bin: the bin of each negative. Shape [negatives].
    positives: what each positive's weight is found under: its example, or the clip that
      the example is part of. Shape [positives].
    negatives: the same of each negative. Shape [negatives].
  """

  group: np.ndarray
  bin: np.ndarray
  positives: np.ndarray
  negatives: np.ndarray

  @classmethod
  def of(
    cls, scores: np.ndarray, positives: np.ndarray, negatives: np.ndarray
  ) -> 'ClassRanks':
    """Ranks examples.

    Args:
      scores: of the class. Shape [examples].
      positives: the positive examples, as indices.
      negatives: the negative ones.
    """
    distinct, group = np.unique(scores[positives], return_inverse=True)
    below = scores[negatives]
    bins = np.searchsorted(distinct, below)
    if len(distinct):
      tied = distinct[np.minimum(bins, len(distinct) - 1)] == below
      bins = 2 * bins + tied
    return cls(group, bins, positives, negatives)

  def weighed_under(self, index: np.ndarray) -> 'ClassRanks':
    """The same, with examples whose weights are found elsewhere: frames' under their
    clip. Shape of index: [examples]."""
    return dataclasses.replace(
      self, positives=index[self.positives], negatives=index[self.negatives]
    )

  def measure(self, weights: np.ndarray | None = None) -> 'RankMeasures':
    """AUC and AP, and how many examples they are of.

    Args:
      weights: of what `positives` and `negatives` name. Shape [n], or [n, replicates];
        None gives all the same.
    """
    parts = []
    for positive, negative in self._sums(weights):
      # Of the negatives below each group, and of the positives in it or above.
      below = np.cumsum(negative, axis=0)
      hits = np.cumsum(positive[::-1], axis=0)[::-1]
      positives, negatives = positive.sum(axis=0), below[-1]
      wins = (positive * (below[:-1:2] + negative[1::2] / 2)).sum(axis=0)
      called = hits + negatives - below[:-1:2]
      precision = np.divide(hits, called, out=np.zeros_like(hits), where=called > 0)
      gains = (positive * precision).sum(axis=0)
      # Sums of weights may be off by a rounding.
      auc = np.minimum(ratio(wins, positives * negatives), 1.0)
      ap = np.minimum(ratio(gains, positives), 1.0)
      parts.append((auc, ap, positives, negatives))
    joined = [np.concatenate(values) for values in zip(*parts, strict=True)]
    if weights is None or weights.ndim == 1:
      joined = [values[0] for values in joined]
    return RankMeasures(*joined)

  def _sums(
    self, weights: np.ndarray | None
  ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The positives' weights by group and the negatives' by bin, some replicates at a
    time. Shapes [groups, replicates] and [2 · groups + 1, replicates], float64."""
    groups = int(self.group.max(initial=-1)) + 1
    sizes = (groups, 2 * groups + 1)
    places = ((self.group, self.positives), (self.bin, self.negatives))
    if weights is None or weights.ndim == 1:
      yield tuple(
        np.bincount(
          place, None if weights is None else weights[under], minlength=size
        ).astype(float)[:, np.newaxis]
        for size, (place, under) in zip(sizes, places, strict=True)
      )
      return
    adding = [
      _adding(*place, (size, len(weights)), weights.dtype)
      for size, place in zip(sizes, places, strict=True)
    ]
    for chosen in _in_parts(weights, sizes[1]):
      yield tuple((matrix @ chosen).astype(float) for matrix in adding)


class RankMeasures(NamedTuple):
  """What `ClassRanks.measure` gives: scalars, or of shape [replicates].

  Attributes:
    auc: area under the ROC curve, ties counted half; NaN without positives or without
      negatives.
    average_precision: see `metrics.average_precision`; NaN without positives.
    positives: what the positives weigh; without weights, how many there are.
    negatives: the same of the negatives.
  """

  auc: np.ndarray
  average_precision: np.ndarray
  positives: np.ndarray
  negatives: np.ndarray


@dataclasses.dataclass(frozen=True)
class LabelRanks:
  """How high each label ranks among all classes of its example.

  Attributes:
    num_classes: number of classes.
    classes: the class of each label. Shape [labels].
    examples: what its weight is found under: its example, or the example's clip.
    precision: of the classes that score at least as high, the share that are labels of
      the example too. Shape [labels].
  """

  num_classes: int
  classes: np.ndarray
  examples: np.ndarray
  precision: np.ndarray

  @classmethod
  def of(
    cls, scores: np.ndarray, positive: np.ndarray, counted: np.ndarray | None = None
  ) -> 'LabelRanks':
    """Ranks labels; for the arguments see `metrics.lwlrap`."""
    if counted is not None:
      positive = positive & counted
    examples, classes = np.nonzero(positive)
    precision = np.empty(len(examples))
    for start in range(0, len(examples), _LABELS_AT_ONCE):
      chunk = slice(start, start + _LABELS_AT_ONCE)
      rows = examples[chunk]
      at_least = scores[rows] >= scores[rows, classes[chunk]][:, np.newaxis]
      if counted is not None:
        at_least &= counted[rows]
      ranked = np.count_nonzero(at_least, axis=1)
      at_least &= positive[rows]
      precision[chunk] = np.count_nonzero(at_least, axis=1) / ranked
    return cls(scores.shape[1], classes, examples, precision)

  def weighed_under(self, index: np.ndarray) -> 'LabelRanks':
    """See `ClassRanks.weighed_under`."""
    return dataclasses.replace(self, examples=index[self.examples])

  def lwlrap(self, weights: np.ndarray | None = None) -> np.ndarray:
    """The mean precision of each class's labels.

    Args:
      weights: of the labels. Shape [labels]; None gives all the same.

    Returns:
      Shape [classes]; NaN for a class without (weight of) labels.
    """
    gains = self.precision if weights is None else self.precision * weights
    total = np.bincount(self.classes, weights, minlength=self.num_classes)
    return ratio(np.bincount(self.classes, gains, minlength=self.num_classes), total)

  def resampled(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`lwlrap` for many weightings of what `examples` name.

    Args:
      weights: shape [n, replicates].

    Returns:
      Each class's lωlrap, and what its labels weigh; both [replicates, classes].
    """
    place, shape = (self.classes, self.examples), (self.num_classes, len(weights))
    adding = _adding(*place, shape, weights.dtype)
    gaining = scipy.sparse.csr_matrix((self.precision, place), shape=shape)
    step = max(1, _WEIGHTS_AT_ONCE // max(1, len(weights)))
    parts = []
    for first in range(0, weights.shape[1], step):
      chosen = weights[:, first : first + step]
      total = adding @ chosen
      # The product is of float64, and so is a copy of the weights that it takes.
      parts.append((ratio(gaining @ chosen, total), total))
    joined = (np.concatenate(values, axis=1) for values in zip(*parts, strict=True))
    lwlrap, totals = (values.T for values in joined)
    return lwlrap, totals


def _in_parts(weights: np.ndarray, bins: int) -> Iterator[np.ndarray]:
  """The weights of some replicates at a time, whose bins are not too many to hold."""
  replicates = weights.shape[1]
  if bins * replicates <= max(_BIN_VALUES, weights.size // _SHARE_OF_WEIGHTS):
    yield weights
    return
  # A product would copy part of the columns, too, each time into memory of its own.
  part = np.empty((0, 0))
  for first in range(0, replicates, _REPLICATES_AT_ONCE):
    chosen = weights[:, first : first + _REPLICATES_AT_ONCE]
    if chosen.shape != part.shape:
      part = np.empty_like(chosen, order='C')
    np.copyto(part, chosen)
    yield part


def _adding(
  rows: np.ndarray, places: np.ndarray, shape: tuple[int, int], dtype: np.dtype
) -> scipy.sparse.csr_matrix:
  """A matrix that adds up the weights at some places, into rows."""
  ones = np.ones(len(rows), dtype)
  return scipy.sparse.csr_matrix((ones, (rows, places)), shape=shape)


def ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
  """part / whole, NaN where that is not defined."""
  return np.divide(part, whole, out=np.full(np.shape(part), np.nan), where=whole > 0)


def columns(array: np.ndarray) -> Iterator[np.ndarray]:
  """One class after the other, each in one piece. Shape [examples]."""
  for first in range(0, array.shape[1], _CLASSES_AT_ONCE):
    yield from np.ascontiguousarray(array[:, first : first + _CLASSES_AT_ONCE].T)
