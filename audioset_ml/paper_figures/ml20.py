"""ML20's figures and tables from sweeps: Fig. 2 and 3, Tables II to IV.

A sweep of students is known by its axis `percent`, one of comparisons by its files.
What label sets are worth is in `label_sets`.
"""

import re
from collections.abc import Iterable, Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from audioset_ml.evaluation.comparison import group_table
from audioset_ml.evaluation.files import COMPARISON_FILE, read_table
from audioset_ml.paper_figures.sweep_figures import (
  IMPLICIT,
  Panel,
  draw_lines,
  points_of,
  values_of,
)
from audioset_ml.sweeping.table import (
  SEED,
  Mean,
  SweepTable,
  best,
  chosen_elsewhere,
  gain,
)

PERCENT = 'percent'
_METRICS = {'d′': 'd_prime', f'd′{IMPLICIT}': 'd_prime_implicit', 'lωlrap': 'lwlrap'}
_EVALUATION = re.compile(r'(?P<label>\w+)/weak/lwlrap')
_MAIN, _BASELINE = 'evaluate', 'baseline'
_TEXTS = ('mid', 'display_name', 'label_set', 'value')
_COMPARED = ('mid', 'group', 'lwlrap_baseline', 'lwlrap_model', 'lwlrap_difference')
_CHOSEN = f'{_MAIN}/selection/value_on_validation'
PERCENT_LABEL = 'top-scored implicit negatives that are discarded (%)'


def metrics_of(
  table: SweepTable, further: Mapping[str, str] | None = None
) -> dict[str, str]:
  """The columns of d′ and lωlrap, by name; see `values_of`.

  Of a further evaluation (`--stage=NAME:evaluate`) they are named so: `d′ (NAME)`.

  Args:
    table: the sweep.
    further: other metrics by name, as `evaluate` calls them.
  """
  evaluations = _evaluations(table, _METRICS | dict(further or {}))
  return {name: column for found in evaluations for name, column in found.items()}


def _evaluations(
  table: SweepTable, metrics: Mapping[str, str] = _METRICS
) -> list[dict[str, str]]:
  """The columns of each evaluation of the trials, without those that repeat another's:
  other negatives change no lωlrap."""
  labels = [
    found['label'] for found in map(_EVALUATION.fullmatch, table.table) if found
  ]
  known: list[str] = []
  evaluations = []
  for label in labels or [_MAIN]:
    columns = {name: f'{label}/weak/{value}' for name, value in metrics.items()}
    found = {}
    for name, column in values_of(table, columns).items():
      if not any(table.table[column].equals(table.table[other]) for other in known):
        found[name if label == _MAIN else f'{name} ({label})'] = column
        known.append(column)
    evaluations.append(found)
  return evaluations


def set_percent_axis(axes: Axes, percents: Iterable[str | float]) -> None:
  """Linear up to 1 %, logarithmic beyond, as the paper's percentages lie.

  Up to the highest of those that there are."""
  highest = max(map(float, percents))
  axes.set_xscale('symlog', linthresh=1, linscale=1)
  marked = (0, 0.2, 0.4, 0.6, 0.8, 1, 2, 3, 5, 10, 20, 50, 100)
  ticks = [tick for tick in marked if tick <= highest]
  axes.set_xticks(ticks, [f'{tick:g}' for tick in ticks])
  axes.minorticks_off()
  axes.set_xlim(-0.05, max(1.1 * highest, 0.1))


def figure_2(table: SweepTable) -> Figure:
  """ML20's Fig. 2 above, and the gains over each line's baseline below.

  Of several evaluations, a row each, without the gains.
  """
  evaluations = _evaluations(table)
  panels = [
    [Panel(value, label) for label, value in found.items()] for found in evaluations
  ]
  if len(evaluations) == 1:
    gains = [
      Panel(value, f'gain in {label}', gains=True)
      for label, value in evaluations[0].items()
    ]
    panels.append(gains)
  table.require_numbers(PERCENT)

  def prepare(axes: Axes) -> None:
    set_percent_axis(axes, table.values(PERCENT))

  return draw_lines(table, PERCENT, panels, PERCENT_LABEL, prepare, marked=True)


def figure_2_points(table: SweepTable) -> pd.DataFrame:
  """What `figure_2` shows, as a table."""
  return points_of(table, PERCENT, metrics_of(table))


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
      if base.empty:  # other lines have this metric
        continue
      values = {
        one: table.by_seed(value, **line, percent=one) for one in table.values(PERCENT)
      }
      gains = {one: gain(found, base) for one, found in values.items() if len(found)}
      top = best({one: mean.value for one, mean in gains.items()})
      half = half_reached_at(gains, top)
      shared = values[top].index.intersection(base.index)
      row = {**line, 'metric': name, 'baseline': Mean.of(base[shared]).text()}
      row |= {'best_percent': top, 'best': Mean.of(values[top][shared]).text()}
      row['gain'] = gains[top].gain_text()
      relative = gains[top].value / base.mean()
      row['relative'] = f'{relative:+.1%}' if base.mean() > 0 else ''
      row['half_of_it_at'] = half
      if len(base) > 1:
        found, chosen = chosen_elsewhere(table, PERCENT, value, value, **line)
        row['chosen_percent'] = ', '.join(chosen)
        row['chosen_gain'] = gain(found, base).gain_text()
      last = list(gains)[-1]
      row[f'gain_at_{last}'] = gains[last].gain_text()
      row[f'best_to_{last}'] = gain(values[last], values[top]).gain_text()
      rows.append(row)
  return pd.DataFrame(rows).fillna('')


def chosen_gains(table: SweepTable) -> pd.DataFrame | None:
  """What a percentage gains that was chosen on other clips than it is evaluated on.

  Of a sweep whose trials choose (`evaluate --select`) and then evaluate the student of
  no discarded labels on the same clips (`--stage=baseline:evaluate`); None of others.
  """
  if _CHOSEN not in table.table:
    return None
  rows = []
  for line in table.lines(SEED):
    for name, value in _METRICS.items():
      columns = [f'{label}/weak/{value}' for label in (_BASELINE, _MAIN)]
      if all(column in table.table for column in columns):
        base, chosen = (table.by_seed(column, **line) for column in columns)
        if len(base) and len(chosen):
          row = {'baseline': Mean.of(base).text(), 'chosen': Mean.of(chosen).text()}
          row['gain'] = gain(chosen, base).gain_text()
          relative = gain(chosen, base).value / base.mean()
          row['relative'] = f'{relative:+.1%}' if base.mean() > 0 else ''
          rows.append({**line, 'metric': name, **row})
  return pd.DataFrame(rows) if rows else None


def half_reached_at(gains: Mapping[str, Mean], top: str) -> str:
  """The first percentage from which up to the best one half of its gain is reached.

  Args:
    gains: by percentage, ascending.
    top: the best one.
  """
  up_to_best = list(gains)[: list(gains).index(top) + 1]
  below = [one for one in up_to_best if gains[one].value < gains[top].value / 2]
  return up_to_best[up_to_best.index(below[-1]) + 1] if below else up_to_best[0]


def table_3(table: SweepTable) -> pd.DataFrame | None:
  """ML20's Table III of the first trial that made label sets, if its files are there.

  Of the first label set that flags anything, the classes with the fewest and the most
  explicit labels.
  """
  columns = ['display_name', 'label_set', 'total', 'explicit', 'implicit', 'flagged']
  for _, path in table.trial_files('*/table_iii.csv')[:1]:
    rows = read_table(path.parent, path.name, columns, _TEXTS)
    flagged = rows.groupby('label_set', sort=False)['flagged'].sum()
    if (flagged > 0).any():
      rows = rows[rows['label_set'] == flagged[flagged > 0].index[0]]
      return rows.sort_values('explicit', kind='stable').iloc[[0, -1]][columns]
  return None


def compared_classes(table: SweepTable) -> pd.DataFrame | None:
  """The classes of all trials that were compared with a baseline; None of none."""
  found = []
  for _, path in table.trial_files(f'*/{COMPARISON_FILE}'):
    one = read_table(path.parent, path.name, ['group'], ['group'])
    if 'lwlrap_baseline' in one:
      found.append(read_table(path.parent, path.name, _COMPARED, ['mid', 'group']))
  return pd.concat(found, ignore_index=True) if found else None


def table_4(compared: pd.DataFrame) -> pd.DataFrame:
  """ML20's Table IV, over the classes of all trials."""
  return group_table(compared).round(4)
