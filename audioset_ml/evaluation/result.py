"""What an evaluation has found: values by class, their means, and how sure they are."""

import dataclasses

import numpy as np
import pandas as pd

from audioset_ml.evaluation import bootstrap
from audioset_ml.labels.class_map import ClassMap

# Clips with positives (and with negatives) that a class needs for an interval.
FEWEST_CLIPS = 5


@dataclasses.dataclass(frozen=True)
class Replicates:
  """The values of each replicate of a bootstrap over clips.

  Attributes:
    summary: by name. Shape [replicates] each.
    per_class: by name. Shape [replicates, classes] each, float32.
  """

  summary: dict[str, np.ndarray]
  per_class: dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Evaluation:
  """The metrics of one model on one set of labels.

  Attributes:
    summary: the headline values and counts, by name; None for what is not defined.
    per_class: one row a class: mid, display_name, counts and values.
    replicates: of a bootstrap; None without one.
  """

  summary: dict[str, float | int | None]
  per_class: pd.DataFrame
  replicates: Replicates | None = None

  def intervals(self) -> dict[str, list[float] | None]:
    """The 95 % interval of each value of the summary; {} without a bootstrap.

    None where all replicates are the same, as those of a single clip: that says nothing
    of other clips.
    """
    if self.replicates is None:
      return {}
    found = {}
    for name, replicates in self.replicates.summary.items():
      value = np.nan if self.summary[name] is None else self.summary[name]
      ends = _within(name, bootstrap.interval(np.array(value), replicates, name))
      defined = replicates[~np.isnan(replicates)]
      is_known = len(defined) and (defined != defined[0]).any()
      found[name] = ends.tolist() if is_known and not np.isnan(ends).any() else None
    return found

  def table(self) -> pd.DataFrame:
    """`per_class` with the intervals: `<value>_low` and `<value>_high`."""
    if self.replicates is None:
      return self.per_class
    columns = {}
    for name, column in self.per_class.items():
      columns[name] = column
      if name in self.replicates.per_class:
        replicates = self.replicates.per_class[name]
        ends = bootstrap.interval(column.to_numpy(), replicates, name)
        columns[f'{name}_low'], columns[f'{name}_high'] = _within(name, ends)
    return pd.DataFrame(columns)


def _within(name: str, ends: np.ndarray) -> np.ndarray:
  """Keeps the ends of an interval in the value's range: all but d′ are in [0, 1]."""
  return ends if 'd_prime' in name else np.clip(ends, 0, 1)


def replicates_of_classes(replicates: np.ndarray, *clips: np.ndarray) -> np.ndarray:
  """The replicates of those classes of which a bootstrap can say something.

  Args:
    replicates: shape [replicates, classes].
    *clips: in how many clips each class has what its value needs. Shape [classes] each.

  Returns:
    float32; NaN for classes with fewer than FEWEST_CLIPS of one kind: the replicates
    hold the same one or two clips again and again, and hardly differ.
  """
  enough = np.all([count >= FEWEST_CLIPS for count in clips], axis=0)
  return np.where(enough, replicates, np.nan).astype(np.float32)


def named_classes(class_map: ClassMap) -> dict[str, tuple[str, ...]]:
  """The first columns of a table by class."""
  return {'mid': class_map.mids, 'display_name': class_map.names}


def mean_over_classes(values: np.ndarray) -> np.ndarray:
  """The mean over the last axis, each class with equal weight; undefined ones (NaN) are
  left out; NaN if all are."""
  defined = ~np.isnan(values)
  counts = np.count_nonzero(defined, axis=-1)
  sums = np.where(defined, values, 0).sum(axis=-1, dtype=float)
  return np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)


def json_number(value: float) -> float | None:
  """JSON has no NaN: a mean over no classes becomes null."""
  return None if np.isnan(value) else float(value)
