"""Figures of an audit: how many flagged labels are truly missing."""

import os
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from audioset_ml.reporting import style

# Folders differ by colour, rules by marker and line, which can be told in grey, too.
_COLORS = ('blue', 'vermilion', 'green', 'ochre', 'purple', 'sky', 'black')
_LINES = (('o', '-'), ('s', '--'), ('^', '-.'), ('D', ':'), ('v', '-'), ('X', '--'))


@style.applied()
def audit_figure(table: pd.DataFrame) -> Figure:
  """Precision and recall by the number of flagged labels, and against each other.

  Args:
    table: of `audit.audit`.
  """
  figure = style.new_figure(7.2, 2.6)
  by_number, by_each_other = figure.subplots(1, 2)
  table = table[table['judged'] > 0].reset_index(drop=True)
  # Not by `.str.rpartition`, which makes no columns of no rows.
  rules = table['label_set'].map(lambda name: name.rpartition('_')[0])
  rules = rules.where(table['value'].astype(str) != '', table['label_set'])
  shown = _short(table['folder'])
  colors = _assign(shown.map(lambda folder: folder.split(os.sep)[0]), _COLORS)
  lines = _assign(rules, _LINES)
  groups = table.groupby([shown, rules], sort=False)
  for (folder, rule), rows in groups:
    owner = folder.split(os.sep)[0]
    color, (marker, line) = colors[owner], lines[rule]
    look = {'color': style.COLORS[color], 'marker': marker, 'markersize': 3}
    look |= {'linewidth': 0.8, 'label': f'{owner}: {rule}' if owner else rule}
    share = 100 * rows['flagged'] / rows['implicit'].clip(lower=1)
    by_number.plot(share, rows['precision'], linestyle='-', **look)
    by_number.plot(share, rows['recall'], linestyle=':', **{**look, 'label': None})
    by_each_other.plot(rows['recall'], rows['precision'], linestyle=line, **look)
  chance = table['random_precision'].mean()
  for axes in (by_number, by_each_other) if len(table) else ():
    axes.axhline(chance, color='0.5', linewidth=0.6)
    axes.set(ylim=(0, 1.02))
    axes.annotate(
      'flagged at random',
      (1, chance),
      xycoords=('axes fraction', 'data'),
      xytext=(-2, 2),
      textcoords='offset points',
      ha='right',
      color='0.35',
      fontsize=6,
    )
  by_number.set(xscale='log', xlabel='labels flagged (% of the implicit negatives)')
  by_number.set_ylabel('share')
  by_number.set_title('precision (solid) and recall (dotted)')
  by_each_other.set(xlabel='recall', ylabel='precision')
  limit = np.nanmax([*table['recall'], 0.05])
  by_each_other.set_xlim(0, min(1.02, 1.1 * limit))
  if len(table):
    by_each_other.legend(loc='upper left', bbox_to_anchor=(1.01, 1), borderaxespad=0)
  figure.tight_layout(pad=0.4, w_pad=1.5)
  return figure


def _assign(names: pd.Series, looks: tuple) -> dict[str, Any]:
  """A look for each name, in the order in which they come."""
  return {name: looks[i % len(looks)] for i, name in enumerate(names.unique())}


def _short(folders: pd.Series) -> pd.Series:
  """The folders without what all of them share; '' for a single one."""
  if folders.nunique() < 2:
    return folders.map(lambda _: '')
  common = os.path.commonpath([os.path.abspath(folder) for folder in folders])
  return folders.map(lambda folder: os.path.relpath(folder, common))
