"""Flags of ML20's rule class by class, against chance, from sweeps that audit them."""

import pathlib
import re

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from audioset_ml.evaluation.files import read_table
from audioset_ml.paper_figures.label_sets import MAIN_AUDIT
from audioset_ml.reporting import style
from audioset_ml.sweeping.table import SEED, SweepTable

CLASSES_FILE = 'audit_classes.csv'
# What the figure shows of all percentages, or else the nearest: in the paper d′ is best
# at 3 to 6 %, lωlrap at 1 to 4 %.
SHOWN_PERCENT = 3.0
_FOLDER = 'percent'
_BY_PERCENT = re.compile(r'discard_(\d+(?:\.\d+)?)')
_TEXTS = ('mid', 'display_name', 'folder', 'label_set')
_NUMBERS = ('implicit', 'missing', 'judged', 'truly_missing', 'agreement')
_RATES = ('precision', 'recall')


def rates_by_class(table: SweepTable) -> pd.DataFrame | None:
  """Precision and recall of each class's flags, at each percentage.

  Returns:
    A row a class, for each combination of the axes (the seeds' mean) and each audit of
    a trial that says what no earlier one does: the axes, audit, mid, display_name,
    agreement, implicit (its implicit negatives whose truth is known), missing (of them
    truly present), chance (missing / implicit, the precision of flags at random), and
    of each percentage precision_… and recall_…, NaN where none is judged or missing.
    None where no trial's folder has such an audit.

  Raises:
    RecordError: an audit's table can't be read.
  """
  parts = []
  axes = [axis for axis in table.axes if axis != SEED]
  for trial, path in table.trial_files(f'*/{CLASSES_FILE}'):
    rows = read_table(path.parent, path.name, (*_TEXTS, *_NUMBERS), _TEXTS)
    parts.append(_flags_of_the_rule(rows).assign(audit=path.parent.name, **trial[axes]))
  found = pd.concat(parts) if parts else pd.DataFrame()
  if not len(found):
    return None
  found['precision'] = found['truly_missing'] / found['judged'].replace(0, np.nan)
  found['recall'] = found['truly_missing'] / found['missing'].replace(0, np.nan)
  keys = [*axes, 'audit', 'mid', 'display_name']
  by_class = found.groupby(keys, sort=False)
  classes = by_class[['agreement', 'implicit', 'missing']].mean()
  classes['chance'] = classes['missing'] / classes['implicit']
  means = found.groupby([*keys, 'value'], sort=False)[list(_RATES)].mean()
  rates = means.unstack('value').sort_index(axis='columns', level=[0, 1])
  rates.columns = [f'{rate}_{value:g}' for rate, value in rates.columns]
  joined = classes.join(rates).reset_index()
  # An audit that leaves out classes, say, has the same of each.
  return joined.drop_duplicates([name for name in joined if name != 'audit'])


def _flags_of_the_rule(rows: pd.DataFrame) -> pd.DataFrame:
  """The rows of percentages, with `value`, of the classes whose truth is known."""
  folders = rows['folder'].map(lambda folder: pathlib.PurePath(folder).name)
  rows = rows[(folders == _FOLDER) & (rows['implicit'] > 0)]
  matches = rows['label_set'].map(_BY_PERCENT.fullmatch)
  value = matches.map(lambda match: float(match[1]) if match else np.nan)
  return rows.assign(value=value.astype(float)).dropna(subset='value')


@style.applied()
def class_figure(rates: pd.DataFrame) -> Figure:
  """Precision and recall of each class's flags over what chance gives: a panel each.

  Args:
    rates: of `rates_by_class`. Shown are the first combination of the axes, in the
      trial's main audit (or its first), at 3 % or the nearest percentage.
  """
  audits = rates['audit'].unique()
  main = MAIN_AUDIT if MAIN_AUDIT in audits else audits[0]
  line = rates.columns[: rates.columns.get_loc('audit')]
  shown = rates[rates['audit'] == main]
  shown = shown[(shown[line] == shown[line].iloc[0]).all(axis='columns')]
  percents = [
    float(name.removeprefix('recall_')) for name in rates if name.startswith('recall_')
  ]
  percent = min(percents, key=lambda one: abs(one - SHOWN_PERCENT))
  figure = style.new_figure(6.2, 2.7)
  by_chance, by_recall = figure.subplots(1, 2)
  chance = shown['chance'].to_numpy()
  for axes, rate, random in (
    (by_chance, 'precision', chance),
    (by_recall, 'recall', np.full(len(shown), percent / 100)),
  ):
    _draw(axes, chance, shown[f'{rate}_{percent:g}'].to_numpy(), random)
    axes.set(ylabel=f'{rate} of the flags')
  figure.suptitle(
    f'{percent:g} % of the implicit negatives flagged; a point a class; '
    'dashed: flagged at random',
    x=0.01,
    ha='left',
    fontsize=7,
  )
  figure.tight_layout(pad=0.4, w_pad=1.5)
  return figure


def _draw(axes: Axes, chance: np.ndarray, rate: np.ndarray, random: np.ndarray) -> None:
  """A point a class; those of nothing found lie at the lower edge."""
  drawn = (chance > 0) & ~np.isnan(rate)
  chance, rate, random = chance[drawn], rate[drawn], random[drawn]
  axes.set(xscale='log', xlabel='share of the implicit negatives that is missing')
  if not len(chance):
    return
  order = np.argsort(chance)
  axes.plot(chance[order], random[order], '--', color='0.5', linewidth=0.9, zorder=1)
  better = rate >= random
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
  axes.set_ylim(-0.02, 1.02)
