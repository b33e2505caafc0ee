"""ML20's figures and tables from sweeps: Fig. 2, Table II, and what goes beyond them.

A sweep is known by its axes: `percent` (students by discard percentage), or one with
the value `none` (students by label set, `truth` being the oracle mask); one that audits
label sets by its columns `audit/…`.
"""

import dataclasses
import math
import pathlib
import re
from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from audioset_ml.errors import RecordError
from audioset_ml.evaluation.comparison import group_table
from audioset_ml.evaluation.files import COMPARISON_FILE
from audioset_ml.reporting import style
from audioset_ml.reporting.sweep_figures import LOOKS, Panel, draw_gains, draw_lines
from audioset_ml.sweeping.table import Mean, SweepTable, best, chosen_elsewhere, gain

D_PRIME, LWLRAP = 'evaluate/weak/d_prime', 'evaluate/weak/lwlrap'
PERCENT = 'percent'
BASELINE, ORACLE = 'none', 'truth'
_OFF_SCALE = (ORACLE, 'clean')
_PAPERS_RULE = re.compile(r'ml20_[\d.]+')  # a label set of its rule: ml20_3
_METRICS = {
  'd′': D_PRIME,
  'd′ (implicit negatives)': 'evaluate/weak/d_prime_implicit',
  'lωlrap': LWLRAP,
}
_AUDITED = re.compile(r'audit/(?P<folder>[^/]+)/(?P<set>[^/]+)/(?P<rate>\w+)')
_DISCARD = 'percent/discard_'
_LABEL = 'top-scored implicit negatives that are discarded (%)'


def metrics_of(table: SweepTable) -> dict[str, str]:
  """The columns of d′ and lωlrap; public labels have no explicit negatives for d′."""
  found = {name: value for name, value in _METRICS.items() if value in table.table}
  if 'd′' in found:
    found.pop('d′ (implicit negatives)', None)
  if not found:
    raise RecordError(f'{table.path}: has none of {", ".join(_METRICS.values())}')
  return found


def percent_axis(axes: Axes) -> None:
  """Linear up to 1 %, logarithmic beyond, as the paper's percentages lie."""
  axes.set_xscale('symlog', linthresh=1, linscale=1)
  ticks = (0, 0.2, 0.4, 0.6, 0.8, 1, 2, 3, 5, 10, 20)
  axes.set_xticks(ticks, [f'{tick:g}' for tick in ticks])
  axes.minorticks_off()
  axes.set_xlim(-0.05, 22)


def figure_2(table: SweepTable) -> Figure:
  """ML20's Fig. 2 above, and the gains over each line's baseline below."""
  metrics = metrics_of(table)
  panels = [
    [Panel(value, label) for label, value in metrics.items()],
    [Panel(value, f'gain in {label}', gains=True) for label, value in metrics.items()],
  ]
  return draw_lines(table, PERCENT, panels, _LABEL, prepare=percent_axis, marked=True)


def table_2(table: SweepTable) -> pd.DataFrame:
  """ML20's Table II: baseline and best operating point of each line and metric.

  Beside the paper's way, the best on the evaluated clips (`best`), stands the
  percentage that is best on the other seeds' clips (`chosen`), whose gain is not
  optimistic; the percentage from which on half of the best gain is reached; and what
  is lost from the best percentage to the highest.
  """
  rows = []
  for line in table.lines(PERCENT):
    for name, value in metrics_of(table).items():
      base = table.by_seed(value, **line, percent='0')
      values = {
        one: table.by_seed(value, **line, percent=one) for one in table.values(PERCENT)
      }
      gains = {one: gain(found, base) for one, found in values.items() if len(found)}
      top = best({one: mean.value for one, mean in gains.items()})
      half = half_reached(gains, top)
      shared = values[top].index.intersection(base.index)
      row = {**line, 'metric': name, 'baseline': Mean.of(base[shared]).text()}
      row |= {'best_percent': top, 'best': Mean.of(values[top][shared]).text()}
      row['gain'] = gains[top].gain_text()
      row['relative'] = f'{gains[top].value / base.mean():+.1%}'
      row['half_of_it_at'] = half
      if len(base) > 1:
        found, chosen = chosen_elsewhere(table, PERCENT, value, value, **line)
        row['chosen_percent'] = ', '.join(chosen)
        row['chosen_gain'] = gain(found, base).gain_text()
      last = list(gains)[-1]
      row[f'gain_at_{last}'] = gains[last].gain_text()
      row[f'best_to_{last}'] = gain(values[last], values[top]).gain_text()
      rows.append(row)
  return pd.DataFrame(rows)


def half_reached(gains: Mapping[str, Mean], top: str) -> str:
  """The first percentage from which up to the best one half of its gain is reached.

  Args:
    gains: by percentage, ascending.
    top: the best one.
  """
  up_to_best = list(gains)[: list(gains).index(top) + 1]
  below = [one for one in up_to_best if gains[one].value < gains[top].value / 2]
  return up_to_best[up_to_best.index(below[-1]) + 1] if below else up_to_best[0]


def audited(table: SweepTable) -> pd.DataFrame:
  """What audits in a sweep say: a row a trial and label set.

  Returns:
    The axes, folder, label_set, and precision, recall, flagged, truly_missing, missing.
  """
  rows: dict[tuple, dict] = {}
  for number, trial in table.table.iterrows():
    for column, found in ((one, _AUDITED.fullmatch(one)) for one in table.table):
      if found and not pd.isna(trial[column]):
        key = (number, found['folder'], found['set'])
        start = {axis: trial[axis] for axis in table.axes}
        row = rows.setdefault(key, {**start, 'folder': key[1], 'label_set': key[2]})
        row[found['rate']] = trial[column]
  return pd.DataFrame(rows.values())


def audit_means(found: pd.DataFrame) -> pd.DataFrame:
  """The rates of `audited`, over the seeds, as text."""
  rates = ['flagged', 'precision', 'recall']
  keys = [
    name for name in found if name not in (*rates, 'seed', 'truly_missing', 'missing')
  ]
  rows = []
  for key, rows_of in found.groupby(keys, sort=False):
    row = dict(zip(keys, key, strict=True))
    for rate in rates:
      digits = 0 if rate == 'flagged' else 3
      row[rate] = Mean.of(rows_of[rate].dropna()).text(digits)
    rows.append(row)
  return pd.DataFrame(rows)


@style.applied()
def flags_figure(table: SweepTable) -> Figure:
  """Precision and recall of the flags over the percentage, by train set."""
  figure = style.new_figure(3.5, 2.4)
  axes = figure.subplots()
  percent_axis(axes)
  percents = sorted(
    float(found['set'].removeprefix('discard_'))
    for found in map(_AUDITED.fullmatch, table.table)
    if found and found['folder'] == 'percent' and found['rate'] == 'recall'
  )
  for number, line in enumerate(table.lines(PERCENT)):
    for rate, face in (('precision', None), ('recall', 'white')):
      points, values, halves = [], [], []
      for percent in percents:
        column = f'audit/{_DISCARD}{percent:g}/{rate}'
        mean = Mean.of(table.by_seed(column, **line)) if column in table.table else None
        if mean and mean.seeds:
          points.append(percent)
          values.append(mean.value)
          halves.append(0.0 if math.isnan(mean.half) else mean.half)
      look = {**LOOKS[number % len(LOOKS)], 'markersize': 3, 'linewidth': 0.9}
      name = ' '.join([*line.values(), rate])
      axes.plot(
        points, values, label=name, markerfacecolor=face or look['color'], **look
      )
      low = [value - half for value, half in zip(values, halves, strict=True)]
      high = [value + half for value, half in zip(values, halves, strict=True)]
      axes.fill_between(points, low, high, color=look['color'], alpha=0.13, linewidth=0)
  axes.set(xlabel=_LABEL, ylabel='precision, recall of the flags', ylim=(0, 1.02))
  axes.legend(loc='best')
  figure.tight_layout(pad=0.4)
  return figure


def baseline_axis(table: SweepTable) -> str | None:
  """The axis that has a value `none`: what its other values gain is compared."""
  return next((axis for axis in table.axes if BASELINE in table.values(axis)), None)


def gains(table: SweepTable, axis: str) -> dict[str, list[Mean]]:
  """What each value of an axis gains over `none`, by metric."""
  columns = metrics_of(table).values()
  base = {name: table.by_seed(name, **{axis: BASELINE}) for name in columns}
  return {
    one: [gain(table.by_seed(name, **{axis: one}), base[name]) for name in columns]
    for one in table.values(axis)
    if one != BASELINE
  }


def gains_figure(table: SweepTable, axis: str) -> Figure:
  """The gains, beside the oracle mask's and four fifths of it; without clean labels."""
  found = gains(table, axis)
  marks = None
  if ORACLE in found:
    marks = [{'80 %': 0.8 * mean.value, 'oracle': mean.value} for mean in found[ORACLE]]
  shown = {name: means for name, means in found.items() if name not in _OFF_SCALE}
  labels = [f'gain in {label} over no label set' for label in metrics_of(table)]
  return draw_gains(shown, labels, marks)


def gains_table(table: SweepTable, axis: str) -> pd.DataFrame:
  """The gains as text, and the shares of the oracle mask's gain.

  A share is that of the mean gains; in brackets its range over the seeds. Beside it,
  the difference from the paper's rule (of several percentages the first). The last row
  is the label set that is best on the other seeds' clips.
  """
  metrics = metrics_of(table)
  names = [one for one in table.values(axis) if one != BASELINE]
  candidates = dataclasses.replace(
    table, table=table.table[~table.table[axis].isin((*_OFF_SCALE, BASELINE))]
  )
  paper = next((name for name in names if _PAPERS_RULE.fullmatch(name)), None)
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


def _gain_cells(label: str, gained: pd.Series, oracle: pd.Series) -> dict[str, str]:
  cells = {f'gain in {label}': Mean.of(gained.dropna()).gain_text()}
  both = pd.DataFrame({'gained': gained, 'oracle': oracle}).dropna()
  if len(both):
    share = both['gained'].mean() / both['oracle'].mean()
    each = both['gained'] / both['oracle']
    text = f'{share:.0%} ({each.min():.0%} to {each.max():.0%})'
    cells[f'of the oracle ({label})'] = text
  return cells


def table_3(table: SweepTable) -> pd.DataFrame | None:
  """ML20's Table III of the first trial that made label sets, if its files are there.

  Of the first label set that flags anything, the classes with the fewest and the most
  explicit labels.
  """
  for path in _files(table, '*/table_iii.csv')[:1]:
    rows = pd.read_csv(path, dtype={'value': str})
    flagged = rows.groupby('label_set', sort=False)['flagged'].sum()
    rows = rows[rows['label_set'] == flagged[flagged > 0].index[0]]
    rows = rows.sort_values('explicit', kind='stable').iloc[[0, -1]]
    columns = ['display_name', 'label_set', 'total', 'explicit', 'implicit', 'flagged']
    return rows[columns]
  return None


def comparisons(table: SweepTable) -> pd.DataFrame | None:
  """The classes of all trials that were compared with a baseline; None of none."""
  found = [pd.read_csv(path) for path in _files(table, f'*/{COMPARISON_FILE}')]
  found = [one for one in found if 'lwlrap_baseline' in one]
  return pd.concat(found, ignore_index=True) if found else None


def table_4(compared: pd.DataFrame) -> pd.DataFrame:
  """ML20's Table IV, over the classes of all trials."""
  return group_table(compared).round(4)


def _files(table: SweepTable, pattern: str) -> list[pathlib.Path]:
  """Files in the trials' folders, in their order, if these lie beside the table."""
  folder, found = pathlib.Path(table.path).parent, []
  for trial in table.table['trial']:
    found += sorted((folder / trial).glob(pattern))
  return found
