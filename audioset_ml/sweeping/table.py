"""Reading sweeps' results.csv, and means over seeds with their intervals."""

import dataclasses
import math
import os
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import scipy.stats

from audioset_ml.core import csv_files
from audioset_ml.core.errors import RecordError, brief, shown
from audioset_ml.core.input_files import read_cells
from audioset_ml.sweeping.results import MESSAGE, RESULTS_FILE, STATUS

SEED = 'seed'
LEVEL = 0.95


@dataclasses.dataclass(frozen=True)
class SweepTable:
  """The finished trials of a sweep.

  Attributes:
    path: its results.csv.
    axes: its axes, in order.
    table: a row a trial: the axes as text, and the values.
    failed: why trials failed, by their names.
  """

  path: str
  axes: tuple[str, ...]
  table: pd.DataFrame
  failed: Mapping[str, str] = dataclasses.field(default_factory=dict)

  @classmethod
  def read(cls, path: str | os.PathLike) -> 'SweepTable':
    """Reads a results.csv, or that of a sweep's folder.

    Raises:
      RecordError: it can't be read, is no table of a sweep, or no trial has finished.
    """
    file = pathlib.Path(path)
    file = file / RESULTS_FILE if file.is_dir() else file
    try:
      _, columns = next(read_cells(file), (1, []))
      if columns[:1] != ['trial'] or STATUS not in columns:
        raise ValueError(f'its columns are {", ".join(columns[:4])}, …')
      axes = tuple(columns[1 : columns.index(STATUS)])
      # As they stand: an axis may have the value `None` or `null`.
      table = csv_files.read_csv(file, ('trial', *axes, STATUS, MESSAGE))
      if list(table.columns) != columns or MESSAGE not in columns:
        raise ValueError(f'its columns are not named as `sweep` does: {columns}')
    except (OSError, ValueError) as error:
      raise RecordError(f'{file}: no table of `sweep` ({error})') from error
    is_finished = table[STATUS] == 'finished'
    finished = table[is_finished].reset_index(drop=True)
    if finished.empty:
      raise RecordError(f'{file}: no trial has finished')
    failed = table[~is_finished].set_index('trial')[MESSAGE].to_dict()
    return cls(str(file), axes, finished, failed)

  def values(self, axis: str) -> list[str]:
    """An axis's values: numbers ascending, others in the order of the grid."""
    found = list(dict.fromkeys(self.table[axis]))
    try:
      return sorted(found, key=float)
    except ValueError:
      return found

  def where(self, **point: str) -> 'SweepTable':
    """The trials with these values of some axes."""
    chosen = self.table
    for axis, value in point.items():
      chosen = chosen[chosen[axis] == value]
    return dataclasses.replace(self, table=chosen)

  def lines(self, x: str) -> list[dict[str, str]]:
    """The values of all axes but `x` and the seed, each combination once."""
    names = [axis for axis in self.axes if axis not in (x, SEED)]
    if not names:
      return [{}]
    return self.table[names].drop_duplicates().to_dict('records')

  def trial_files(self, pattern: str) -> list[tuple[pd.Series, pathlib.Path]]:
    """Files in the trials' folders, in their order, if these lie beside the table.

    Returns:
      Each with its trial's row of the table.
    """
    folder, found = pathlib.Path(self.path).parent, []
    for _, trial in self.table.iterrows():
      paths = sorted((folder / trial['trial']).glob(pattern))
      found += [(trial, path) for path in paths]
    return found

  def by_seed(self, value: str, **point: str) -> pd.Series:
    """A value at a point of the grid, by seed.

    Raises:
      RecordError: the sweep has no such value or one that is no number, or trials with
        the same seed.
    """
    if value not in self.table:
      raise RecordError(f'{self.path}: has no column {value}')
    rows = self.where(**point).table
    seeds = rows[SEED] if SEED in self.axes else pd.Series('', rows.index)
    if seeds.duplicated().any():
      raise RecordError(f'{self.path}: several trials of {point} have the same seed')
    numbers = self.require_numbers(value)[value].loc[rows.index]
    return numbers.set_axis(seeds.to_numpy()).astype(float).dropna()

  def require_numbers(self, *columns: str) -> pd.DataFrame:
    """Values, or axes, of all trials as numbers; NaN of none.

    Raises:
      RecordError: one is no number, or is infinite.
    """
    found = {}
    for column in columns:
      texts = self.table[column]
      numbers = pd.to_numeric(texts, errors='coerce').astype(float)
      wrong = (numbers.isna() & texts.notna()) | np.isinf(numbers)
      if wrong.any():
        trial, text = self.table['trial'][wrong].iloc[0], texts[wrong].iloc[0]
        raise RecordError(
          f'{self.path}: {brief(column)} of {brief(trial)} is {shown(text)}, but must '
          'be a number'
        )
      found[column] = numbers
    return pd.DataFrame(found, self.table.index)


@dataclasses.dataclass(frozen=True)
class Mean:
  """A mean over seeds.

  Attributes:
    value: the mean; NaN of none.
    deviation: standard deviation over the seeds; NaN of one.
    half: half the 95 % interval of the mean, by Student's t; NaN of one.
    seeds: how many.
  """

  value: float
  deviation: float
  half: float
  seeds: int

  @classmethod
  def of(cls, values: Sequence[float] | pd.Series) -> 'Mean':
    numbers = np.asarray(values, float)
    count = len(numbers)
    if not count:
      return cls(math.nan, math.nan, math.nan, 0)
    if count == 1:
      return cls(float(numbers[0]), math.nan, math.nan, 1)
    deviation = float(numbers.std(ddof=1))
    quantile = scipy.stats.t.ppf((1 + LEVEL) / 2, count - 1)
    half = float(quantile * deviation / math.sqrt(count))
    return cls(float(numbers.mean()), deviation, half, count)

  def text(self, digits: int = 3) -> str:
    """`1.234 ± .012`: mean and standard deviation; '' of nothing."""
    if not self.seeds:
      return ''
    if math.isnan(self.deviation):
      return f'{self.value:.{digits}f}'
    return f'{self.value:.{digits}f} ± {self.deviation:.{digits}f}'

  def gain_text(self, digits: int = 3) -> str:
    """`+0.034 [+0.010, +0.058]`: mean and interval; '' of nothing."""
    if not self.seeds:
      return ''
    if math.isnan(self.half):
      return f'{self.value:+.{digits}f}'
    low, high = self.value - self.half, self.value + self.half
    return f'{self.value:+.{digits}f} [{low:+.{digits}f}, {high:+.{digits}f}]'


def gain(model: pd.Series, baseline: pd.Series) -> Mean:
  """The mean of the differences, seed by seed; of the seeds that both have."""
  return Mean.of((model - baseline).dropna())


def best(means: Mapping[str, float]) -> str:
  """The key of the highest mean, NaN left aside; the first of several."""
  return max(means, key=lambda key: (not math.isnan(means[key]), means[key]))


def chosen_elsewhere(
  table: SweepTable, axis: str, by: str, value: str, **point: str
) -> tuple[pd.Series, list[str]]:
  """A value at the point of an axis that is best on the other seeds.

  The seeds are different clips, so what is chosen has not seen those that it is
  reported on. Of a single seed the choice is its own best, which is optimistic.

  Args:
    table: the sweep.
    axis: what is chosen from.
    by: the value by which, the higher the better.
    value: the value that is reported.
    **point: the other axes' values.

  Returns:
    The value by seed, and what was chosen, seed by seed.
  """
  found = {one: table.by_seed(by, **point, **{axis: one}) for one in table.values(axis)}
  # Of the seeds that all have: means over others would tell seeds apart, not choices.
  values = pd.DataFrame({one: seeds for one, seeds in found.items() if len(seeds)})
  values = values.dropna()
  reported, chosen = {}, []
  for seed in values.index:
    others = values.drop(seed)
    picked = (others if len(others) else values).mean().idxmax()
    here = table.by_seed(value, **point, **{axis: picked})
    if seed in here.index:
      reported[seed] = here[seed]
      chosen.append(picked)
  return pd.Series(reported, dtype=float), chosen


def chosen_beforehand(
  table: SweepTable, axis: str, by: str, value: str, **point: str
) -> tuple[pd.Series, list[str]]:
  """A value at each seed's best point of an axis by a value of other clips.

  Args:
    table: the sweep.
    axis: what is chosen from.
    by: the value by which, the higher the better, of clips that are not reported on.
    value: the value that is reported.
    **point: the other axes' values.

  Returns:
    The value by seed, and what was chosen, seed by seed.
  """
  found = {one: table.by_seed(by, **point, **{axis: one}) for one in table.values(axis)}
  reported, chosen = {}, []
  for seed, values in pd.DataFrame(found).dropna(how='all').iterrows():
    picked = values.idxmax()
    here = table.by_seed(value, **point, **{axis: picked})
    if seed in here.index:
      reported[seed] = here[seed]
      chosen.append(picked)
  return pd.Series(reported, dtype=float), chosen
