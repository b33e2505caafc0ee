"""How good scores are: accuracy or mAP, with intervals that heed groups.

Clips of one group are alike, so that groups are drawn in the bootstrap, and counted.
"""

import dataclasses
import math

import numpy as np

from audioset_ml.evaluation import bootstrap
from audioset_ml.evaluation.ranks import ClassRanks

REPLICATES = 1000
_Z = 1.959964  # the normal distribution's 97.5 % point


@dataclasses.dataclass(frozen=True)
class Labelled:
  """What is true of clips.

  Attributes:
    present: which classes they have. Shape [clips, classes], bool.
    known: of which classes that is known. Shape [clips, classes], bool.
    group: which group each is of. Shape [clips], int from 0.
  """

  present: np.ndarray
  known: np.ndarray
  group: np.ndarray

  @property
  def groups(self) -> int:
    return len(np.unique(self.group))

  def of(self, chosen: np.ndarray) -> 'Labelled':
    """Those of some clips, given by a mask or by indices."""
    return Labelled(self.present[chosen], self.known[chosen], self.group[chosen])

  def weights(self, seed: int = 0) -> np.ndarray:
    """How often each clip is drawn with its group. Shape [clips, replicates]."""
    _, place = np.unique(self.group, return_inverse=True)
    return bootstrap.clip_weights(self.groups, REPLICATES, seed)[place]


@dataclasses.dataclass(frozen=True)
class Measure:
  """A value and what it is in replicates.

  Attributes:
    value: the value; NaN where it is not defined.
    replicates: shape [replicates].
  """

  value: float
  replicates: np.ndarray


def best_class(scores: np.ndarray, labelled: Labelled) -> np.ndarray:
  """The class of each clip's highest score, of those that are known. Shape [clips]."""
  return np.where(labelled.known, scores, -np.inf).argmax(axis=1)


def accuracy(scores: np.ndarray, labelled: Labelled) -> Measure:
  """The share of clips whose highest score is of a class that they have."""
  rows = np.arange(len(scores))
  right = labelled.present[rows, best_class(scores, labelled)].astype(float)
  weights = labelled.weights()
  return Measure(right.mean(), right @ weights / weights.sum(axis=0))


def mean_average_precision(scores: np.ndarray, labelled: Labelled) -> Measure:
  """The mean over the classes that some clips have and some have not, without labels
  that are not known."""
  weights, values, replicates = labelled.weights(), [], []
  for column, present, known in zip(
    scores.T, labelled.present.T, labelled.known.T, strict=True
  ):
    positives, negatives = np.flatnonzero(present), np.flatnonzero(known & ~present)
    if len(positives) and len(negatives):
      ranks = ClassRanks.of(column, positives, negatives)
      values.append(ranks.measure()[1])
      replicates.append(ranks.measure(weights)[1])
  if not values:
    return Measure(math.nan, np.full(REPLICATES, math.nan))
  defined = np.array(replicates)
  counts = np.maximum((~np.isnan(defined)).sum(axis=0), 1)
  return Measure(float(np.mean(values)), np.nansum(defined, axis=0) / counts)


def interval(measure: Measure, labelled: Labelled, kind: str) -> tuple[float, float]:
  """The 95 % interval of a value.

  Of an accuracy Wilson's, with as many trials as there are groups: a bootstrap of
  clips that are all right would say that it can't be lower.

  Args:
    measure: the value.
    labelled: the clips it is of.
    kind: accuracy or map.
  """
  if kind == 'accuracy':
    return wilson(measure.value, labelled.groups)
  ends = bootstrap.interval(np.array(measure.value), measure.replicates, kind)
  return float(ends[0]), float(ends[1])


def wilson(share: float, trials: int) -> tuple[float, float]:
  """Wilson's 95 % interval of a share (E. B. Wilson, 1927)."""
  square = _Z**2 / trials
  middle = (share + square / 2) / (1 + square)
  half = math.sqrt(square * share * (1 - share) + square**2 / 4) / (1 + square)
  return max(0.0, middle - half), min(1.0, middle + half)


def difference(ours: Measure, theirs: Measure) -> tuple[float, float, float]:
  """By how much a value is higher than another one of the same clips, and the 95 %
  interval of that, from the same draws."""
  value = ours.value - theirs.value
  ends = bootstrap.interval(np.array(value), ours.replicates - theirs.replicates)
  return value, float(ends[0]), float(ends[1])


def confusions(scores: np.ndarray, labelled: Labelled) -> np.ndarray:
  """Clips of each class (rows) by the class of the highest score (columns), where each
  clip has just one. Shape [classes, classes]."""
  classes = scores.shape[1]
  table = np.zeros((classes, classes), int)
  np.add.at(table, (labelled.present.argmax(axis=1), best_class(scores, labelled)), 1)
  return table
