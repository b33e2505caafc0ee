"""What label sets are worth, from sweeps: their flags, and what students gain.

A sweep that audits label sets is known by the columns of its audits, one of students by
label set by an axis with the value `none`; on it, `truth` is the oracle mask.
"""

import dataclasses
import re
from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.figure import Figure

from audioset_ml.paper_figures.gain_figures import draw_gains
from audioset_ml.paper_figures.line_looks import line_name, looks
from audioset_ml.paper_figures.ml20 import (
  PERCENT,
  PERCENT_LABEL,
  metrics_of,
  set_percent_axis,
)
from audioset_ml.reporting import style
from audioset_ml.sweeping.table import Mean, SweepTable, chosen_elsewhere, gain

BASELINE, ORACLE = 'none', 'truth'
_OFF_SCALE = (ORACLE, 'clean')
_PAPERS_RULE = re.compile(r'ml20(_[\d.]+)?')  # label sets of its rule: ml20_3
_RATES = ('precision', 'recall', 'flagged', 'truly_missing', 'missing')
_AUDITED = re.compile(
  rf'(?P<audit>\w+)/(?P<folder>[^/]+)/(?P<set>[^/]+)/(?P<rate>{"|".join(_RATES)})'
)
MAIN_AUDIT = 'audit'
_DISCARD = 'percent/discard_'
# Not those of other rules, such as discard_chosen.
_ON_SCALE = re.compile(rf'{MAIN_AUDIT}/{_DISCARD}(?P<percent>\d+(\.\d+)?)/recall')
_AT_RANDOM = 'percent/random_'
_CHANCE = {'color': '0.5', 'linestyle': '--', 'linewidth': 0.9}


def audit_rates(table: SweepTable) -> pd.DataFrame:
  """What audits in a sweep say: a row a trial and label set.

  Returns:
    The axes, audit (its stage's name, where there are several), folder, label_set, and
    precision, recall, flagged, truly_missing, missing.

  Raises:
    RecordError: one of these is no number.
  """
  matches = {one: _AUDITED.fullmatch(one) for one in table.table}
  columns = {one: found for one, found in matches.items() if found}
  audits = {found['audit'] for found in columns.values()}
  numbers = table.require_numbers(*columns)
  rows: dict[tuple, dict] = {}
  for number, trial in table.table.iterrows():
    for column, found in columns.items():
      if not pd.isna(numbers[column][number]):
        key = (number, found['audit'], found['folder'], found['set'])
        start = {axis: trial[axis] for axis in table.axes}
        if len(audits) > 1:
          start['audit'] = found['audit']
        row = rows.setdefault(key, {**start, 'folder': key[2], 'label_set': key[3]})
        row[found['rate']] = numbers[column][number]
  return pd.DataFrame(rows.values())


def audit_means(found: pd.DataFrame) -> pd.DataFrame:
  """The rates of `audit_rates`, over the seeds, as text."""
  rates = ['flagged', 'precision', 'recall']
  keys = [
    name for name in found if name not in (*rates, 'seed', 'truly_missing', 'missing')
  ]
  rows = []
  for key, rows_of in found.groupby(keys, sort=False):
    row = dict(zip(keys, key, strict=True))
    for rate in rates:
      digits = 0 if rate == 'flagged' else 3
      values = rows_of[rate].dropna() if rate in rows_of else ()  # none flagged, say
      row[rate] = Mean.of(values).text(digits)
    rows.append(row)
  return pd.DataFrame(rows)


@style.applied()
def flags_figure(table: SweepTable) -> Figure:
  """Precision and recall of the flags over the percentage: a panel each, a line for
  each combination of the axes; dashed in grey those of flags at random, if there are.
  """
  figure = style.new_figure(6.2, 2.6)
  panels = figure.subplots(1, 2)
  percents = sorted(
    float(found['percent']) for found in map(_ON_SCALE.fullmatch, table.table) if found
  )
  lines = table.lines(PERCENT)
  handles: dict[str, Artist] = {}
  for axes, rate in zip(panels, ('precision', 'recall'), strict=True):
    if percents:
      set_percent_axis(axes, percents)
    for line, look in zip(lines, looks(lines), strict=True):
      if not (points := _rates(table, line, _DISCARD, rate, percents)):
        continue
      places, values, halves = np.array(points).T
      (handles[line_name(line) or 'flags'],) = axes.plot(
        places, values, **look, markersize=3, linewidth=0.9
      )
      axes.fill_between(
        places,
        values - halves,
        values + halves,
        color=look['color'],
        alpha=0.13,
        linewidth=0,
      )
    for line in lines:
      if points := _rates(table, line, _AT_RANDOM, rate, percents):
        places, values, _ = np.array(points).T
        (handles['at random'],) = axes.plot(places, values, **_CHANCE, zorder=1)
    axes.set(xlabel=PERCENT_LABEL, ylabel=f'{rate} of the flags')
    axes.set_ylim(bottom=0)
  names = [style.plain(name) for name in handles]
  figure.tight_layout(pad=0.4, w_pad=1.2, rect=(0, 0, 1, 0.92))
  figure.legend(handles.values(), names, loc='upper left', ncols=4, handlelength=3)
  return figure


def _rates(
  table: SweepTable,
  line: Mapping[str, str],
  start: str,
  rate: str,
  percents: Iterable[float],
) -> list[tuple[float, float, float]]:
  """Percentages, the means of a rate there and half their intervals (0 of a seed)."""
  found = []
  for percent in percents:
    column = f'{MAIN_AUDIT}/{start}{percent:g}/{rate}'
    if column in table.table:
      mean = Mean.of(table.by_seed(column, **line))
      if mean.seeds:
        found.append((percent, mean.value, float(np.nan_to_num(mean.half))))
  return found


def baseline_axis(table: SweepTable) -> str | None:
  """The axis that has a value `none`: what its other values gain is compared."""
  return next((axis for axis in table.axes if BASELINE in table.values(axis)), None)


def gains(table: SweepTable, axis: str) -> dict[str, list[Mean]]:
  """What each value of an axis gains over `none`, by metric."""
  columns = _metrics(table).values()
  base = {name: table.by_seed(name, **{axis: BASELINE}) for name in columns}
  return {
    one: [gain(table.by_seed(name, **{axis: one}), base[name]) for name in columns]
    for one in table.values(axis)
    if one != BASELINE
  }


def gains_figure(table: SweepTable, axis: str) -> Figure:
  """The gains, beside the oracle mask's and four fifths of it; without clean labels.

  Where there is no oracle mask, beside ML20's rule's gains.
  """
  found = gains(table, axis)
  marks = None
  if ORACLE in found:
    marks = [{'80 %': 0.8 * mean.value, 'oracle': mean.value} for mean in found[ORACLE]]
  elif paper := _papers_rule(found):
    marks = [{'ML20': mean.value} for mean in found[paper]]
  shown = {name: means for name, means in found.items() if name not in _OFF_SCALE}
  base = axis.replace('_', ' ')
  labels = [f'gain in {label}\nover no {base}' for label in _metrics(table)]
  return draw_gains(shown, labels, marks)


def gains_table(table: SweepTable, axis: str) -> pd.DataFrame:
  """The gains as text, and the shares of the oracle mask's gain.

  A share is that of the mean gains; in brackets its range over the seeds. Beside it,
  the difference from the paper's rule (of several percentages the first). The last row
  is the label set that is best on the other seeds' clips.
  """
  metrics = _metrics(table)
  names = [one for one in table.values(axis) if one != BASELINE]
  candidates = dataclasses.replace(
    table, table=table.table[~table.table[axis].isin((*_OFF_SCALE, BASELINE))]
  )
  paper = _papers_rule(names)
  rows: dict[str, dict[str, str]] = {name: {axis: name} for name in names}
  last: dict[str, str] = {}
  for label, value in metrics.items():
    base = table.by_seed(value, **{axis: BASELINE})
    oracle = table.by_seed(value, **{axis: ORACLE}) - base
    for name in names:
      gained = table.by_seed(value, **{axis: name}) - base
      rows[name] |= _gain_cells(label, gained, oracle)
      if paper and name != paper:
        more = gain(gained, table.by_seed(value, **{axis: paper}) - base)
        rows[name][f'over {paper} ({label})'] = more.gain_text()
    if len(base) > 1 and len(candidates.table):
      found, chosen = chosen_elsewhere(candidates, axis, value, value)
      last[f'chosen by {label}'] = ', '.join(chosen)
      last |= _gain_cells(label, found - base, oracle)
  chosen_row = {axis: 'best on the other seeds', **last}
  return pd.DataFrame([*rows.values(), *([chosen_row] if last else [])]).fillna('')


def _metrics(table: SweepTable) -> dict[str, str]:
  """The columns of what gains are told of, by name."""
  return metrics_of(table, {'mAP': 'map'})


def _papers_rule(names: Iterable[str]) -> str | None:
  """The first of these that is a label set of ML20's rule."""
  return next((name for name in names if _PAPERS_RULE.fullmatch(name)), None)


def _gain_cells(label: str, gained: pd.Series, oracle: pd.Series) -> dict[str, str]:
  cells = {f'gain in {label}': Mean.of(gained.dropna()).gain_text()}
  both = pd.DataFrame({'gained': gained, 'oracle': oracle}).dropna()
  if len(both):
    share = both['gained'].mean() / both['oracle'].mean()
    each = both['gained'] / both['oracle']
    text = f'{share:.0%} ({each.min():.0%} to {each.max():.0%})'
    cells[f'of the oracle ({label})'] = text
  return cells
