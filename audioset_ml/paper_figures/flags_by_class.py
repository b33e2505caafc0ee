"""Flags class by class, against chance, from sweeps whose trials audit label sets."""

import pathlib
import re
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from audioset_ml.evaluation.files import read_table
from audioset_ml.missing_labels.audit import CLASSES_FILE
from audioset_ml.paper_figures.label_sets import MAIN_AUDIT
from audioset_ml.paper_figures.ml20 import PERCENT
from audioset_ml.reporting import style
from audioset_ml.sweeping.table import SEED, SweepTable

# What the figure shows of all percentages, or else the nearest: in the paper d′ is best
# at 3 to 6 %, lωlrap at 1 to 4 %.
SHOWN_PERCENT = 3.0
_BY_PERCENT = re.compile(r'discard_(\d+(?:\.\d+)?)')
_TEXTS = ('mid', 'display_name', 'folder', 'label_set')
_COUNTS = ('implicit', 'missing', 'judged', 'truly_missing', 'by_chance')
_CLASS = ['audit', 'folder', 'mid', 'display_name']
_RATES = ('precision', 'recall', 'random_recall')
_RANDOM = 'random_recall_'  # before a percentage


def rates_by_class(table: SweepTable) -> pd.DataFrame | None:
  """Precision and recall of each class's flags by ML20's rule, at each percentage.

  Counts are summed over the seeds first, so that a class's rates are of all its flags.

  Returns:
    A row a class, for each combination of the axes, audit (of which all rows are not
    those of an earlier one) and folder of label sets: the axes (`axis_…` where a column
    has the name already), audit, folder, mid, display_name, implicit (its implicit
    negatives whose truth is known, of all seeds), missing (of them truly present),
    chance (missing / implicit, the precision of flags at random), and of each
    percentage precision_…, recall_… and random_recall_…, that of as many flags at
    random; NaN where none is judged or missing. None where no trial's folder has such
    an audit.

  Raises:
    RecordError: an audit's table can't be read.
  """
  own = {*_CLASS, *_TEXTS, *_COUNTS, *_RATES, 'chance', 'value'}
  axes = {
    axis: f'axis_{axis}' if axis in own else axis
    for axis in table.axes
    if axis not in (SEED, PERCENT)
  }
  parts = []
  for trial, path in table.trial_files(f'*/{CLASSES_FILE}'):
    rows = read_table(path.parent, path.name, (*_TEXTS, *_COUNTS), _TEXTS)
    point = {name: trial[axis] for axis, name in axes.items()}
    parts.append(_by_percentage(rows).assign(audit=path.parent.name, **point))
  found = pd.concat(parts) if parts else pd.DataFrame()
  if not len(found):
    return None
  line = [*axes.values()]
  sums = found.groupby([*line, *_CLASS, 'value'], sort=False)[[*_COUNTS]].sum()
  judged, missing = (sums[name].replace(0, np.nan) for name in ('judged', 'missing'))
  rates = pd.DataFrame(
    {
      'precision': sums['truly_missing'] / judged,
      'recall': sums['truly_missing'] / missing,
      'random_recall': sums['by_chance'] / missing,
    }
  ).unstack('value')
  rates = rates.sort_index(axis='columns', level=1, sort_remaining=False)
  rates.columns = [f'{rate}_{value:g}' for rate, value in rates.columns]
  classes = sums[['implicit', 'missing']].groupby(level=[*line, *_CLASS], sort=False)
  classes = classes.first()
  classes['chance'] = classes['missing'] / classes['implicit']
  return _without_repeats(classes.join(rates).reset_index(), line)


def _by_percentage(rows: pd.DataFrame) -> pd.DataFrame:
  """The rows of percentages, with `value`, of the classes whose truth is known."""
  matches = rows['label_set'].map(_BY_PERCENT.fullmatch)
  value = matches.map(lambda match: float(match[1]) if match else np.nan).astype(float)
  folder = rows['folder'].map(lambda path: pathlib.PurePath(path).name)
  return rows.assign(value=value, folder=folder)[(value > 0) & (rows['implicit'] > 0)]


def _without_repeats(rates: pd.DataFrame, line: Sequence[str]) -> pd.DataFrame:
  """Without audits that say what an earlier one says of a line; the main one first."""
  kept = []
  for _, rows in rates.groupby(line, sort=False) if line else [((), rates)]:
    seen: list[pd.DataFrame] = []
    audits = sorted(rows['audit'].unique(), key=lambda name: name != MAIN_AUDIT)
    for audit in audits:
      part = rows[rows['audit'] == audit].reset_index(drop=True)
      values = part.drop(columns='audit')
      if not any(values.equals(other) for other in seen):
        seen.append(values)
        kept.append(part)
  return pd.concat(kept, ignore_index=True)


@style.applied()
def class_figure(rates: pd.DataFrame) -> Figure:
  """Precision and recall of each class's flags, over what chance gives: a panel each.

  Args:
    rates: of `rates_by_class`. Shown are the first combination of the axes, audit and
      folder, at 3 % or the nearest percentage.
  """
  names = list(rates.columns[: rates.columns.get_loc('mid')])
  shown = rates[(rates[names] == rates[names].iloc[0]).all(axis='columns')]
  percent = _nearest_percent(shown)
  figure = style.new_figure(6.2, 2.8)
  by_chance, by_recall = figure.subplots(1, 2)
  for axes, rate, random in (
    (by_chance, 'precision', shown['chance']),
    (by_recall, 'recall', shown[f'{_RANDOM}{percent:g}']),
  ):
    rate_shown = shown[f'{rate}_{percent:g}']
    drawn = (shown['missing'] > 0) & rate_shown.notna()
    _draw(
      axes, *(part[drawn].to_numpy() for part in (shown['chance'], rate_shown, random))
    )
    axes.set(ylabel=f'{rate} of the flags', ylim=(-0.02, 1.02))
  told = [name for name in names if rates[name].nunique() > 1]
  line = ''.join(f'{name} {shown[name].iloc[0]}, ' for name in told).replace('_', ' ')
  figure.suptitle(
    f'{style.plain(line)}{percent:g} % flagged. A point a class; grey: flagged at '
    'random; triangles: no better than that',
    x=0.01,
    ha='left',
    fontsize=7,
  )
  figure.tight_layout(pad=0.4, w_pad=1.5)
  return figure


def _nearest_percent(rates: pd.DataFrame) -> float:
  """Of the percentages that say anything, the one nearest to what is to be shown."""
  rated = rates.filter(regex=f'^{_RANDOM}')
  told = rated.dropna(axis='columns', how='all')
  percents = [
    float(name.removeprefix(_RANDOM)) for name in (rated if told.empty else told)
  ]
  return min(percents, key=lambda one: abs(one - SHOWN_PERCENT))


def _draw(axes: Axes, chance: np.ndarray, rate: np.ndarray, random: np.ndarray) -> None:
  """A point a class."""
  axes.set(xscale='log', xlabel='share of the implicit negatives that is missing')
  order = np.argsort(chance)
  axes.plot(chance[order], random[order], color='0.6', linewidth=0.9, zorder=1)
  better = rate > random
  for chosen, color, marker in ((better, 'blue', 'o'), (~better, 'vermilion', 'v')):
    axes.scatter(
      chance[chosen],
      rate[chosen],
      s=9,
      alpha=0.75,
      linewidths=0,
      marker=marker,
      color=style.COLORS[color],
    )
