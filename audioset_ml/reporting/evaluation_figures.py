"""Figures of evaluations: curves, d′ by prior, calibration, ML20's Fig. 3.

Colours are told apart by line style and marker, too, so that the figures can be read in
grey.
"""

import os
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import scipy.stats
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from audioset_ml.core.errors import counted
from audioset_ml.evaluation import files
from audioset_ml.evaluation.curves import COLUMNS, TEXTS
from audioset_ml.reporting import style

FIGURES_DIR = 'figures'
_ENDINGS = ('png', 'pdf')
_LINES = ('-', '--', '-.', ':')
_MARKERS = ('o', 's', '^', 'D', 'v', 'P', 'X')
_NAMES = ('blue', 'vermilion', 'green', 'ochre', 'purple', 'sky', 'black')
_GROUPS = {
  'large': ('vermilion', 's'),
  'medium': ('green', '^'),
  'small': ('blue', 'o'),
}
_ENOUGH_LABELS = 10
_MANY_POINTS = 600
_LEGEND_ROW = 0.16  # inches
# Error rates that the axes of a DET curve are marked with.
_RATES = (0.001, 0.01, 0.05, 0.2, 0.5, 0.8, 0.95)


def write_figures(evaluation_dir: str | os.PathLike) -> list[pathlib.Path]:
  """Draws all figures of an evaluation into its folder, as PNG and PDF.

  Args:
    evaluation_dir: what `evaluate` has written, finished or not.

  Returns:
    The PNG files.
  """
  folder = pathlib.Path(evaluation_dir)
  (folder / FIGURES_DIR).mkdir(exist_ok=True)
  model = files.load_evaluation(folder)
  figures, written = figures_of({'': model}), []
  comparison = files.read_table(folder, files.COMPARISON_FILE)
  if comparison is not None and 'lwlrap_baseline' in comparison:
    figures['lwlrap_by_class'] = draw_scatter(comparison)
  for name, figure in figures.items():
    for ending in _ENDINGS:
      style.save(figure, folder / FIGURES_DIR / f'{name}.{ending}')
    written.append(folder / FIGURES_DIR / f'{name}.png')
  return written


def figures_of(models: Mapping[str, files.EvaluatedModel]) -> dict[str, Figure]:
  """The figures that can show some evaluations together, by name.

  Args:
    models: by the name that stands in the legend; '' for a single one.
  """
  found: dict[str, Figure] = {}
  curves = _tables(models, files.CURVES_FILE)
  for kind in ('precision_recall', 'det'):
    if any((table['curve'] == kind).any() for table in curves.values()):
      found[kind] = draw_curves(curves, kind, _names_of_classes(models))
  tables = {name: model.per_class for name, model in models.items()}
  if all('positives' in table for table in tables.values()):
    found['d_prime_by_prior'] = draw_by_prior(tables)
  reliability = _tables(models, files.RELIABILITY_FILE)
  if any(len(table) for table in reliability.values()):
    found['calibration'] = draw_reliability(reliability)
  return found


@style.applied()
def draw_curves(
  curves: Mapping[str, pd.DataFrame], kind: str, names: Mapping[str, str]
) -> Figure:
  """A panel a class, a line a model.

  Args:
    curves: by model, of `curves.class_curves`.
    kind: precision_recall or det.
    names: of the classes, by mid.
  """
  kept = {name: table[table['curve'] == kind] for name, table in curves.items()}
  mids = list(dict.fromkeys(mid for table in kept.values() for mid in table['mid']))
  # Evaluations may have drawn other classes: those that all have can be compared.
  drawn = [set(table['mid']) for table in kept.values() if len(table)]
  mids = [mid for mid in mids if all(mid in one for one in drawn)] or mids
  across = min(3, len(mids))
  down = -(-len(mids) // across)
  figure = style.new_figure(2.3 * across, 2.1 * down + 0.25)
  panels = figure.subplots(down, across, squeeze=False).ravel()
  for panel, mid in zip(panels, mids, strict=False):
    for number, (name, table) in enumerate(kept.items()):
      here = table[table['mid'] == mid]
      x, y = here['x'].to_numpy(float), here['y'].to_numpy(float)
      if kind == 'det':
        x, y = (scipy.stats.norm.ppf(np.clip(one, 5e-4, 0.98)) for one in (x, y))
      look = _look(number)
      steps = 'steps-post' if kind == 'precision_recall' else 'default'
      panel.plot(x, y, label=style.plain(name), linewidth=1, drawstyle=steps, **look)
    _label_curve(panel, kind)
    panel.set_title(style.plain(_short(names.get(mid, mid))))
  for panel in panels[len(mids) :]:
    panel.set_axis_off()
  figure.tight_layout(pad=0.4, rect=(0, 0, 1, _room(figure, curves)))
  _add_legend(figure, panels[0], curves)
  return figure


@style.applied()
def draw_by_prior(tables: Mapping[str, pd.DataFrame]) -> Figure:
  """Each class's d′ over its prior among the evaluated clips, with intervals."""
  figure = style.new_figure(3.4, 2.5)
  axes = figure.subplots()
  explicit = any(table['d_prime'].notna().any() for table in tables.values())
  column = 'd_prime' if explicit else 'd_prime_implicit'
  for number, (name, table) in enumerate(tables.items()):
    prior = table['positives'] / table['clips']
    known = table[column].notna() & (prior > 0)
    x, y = prior[known], table.loc[known, column]
    color = style.COLORS[_NAMES[number % len(_NAMES)]]
    if f'{column}_low' in table and len(tables) == 1:
      low, high = (table.loc[known, f'{column}_{end}'] for end in ('low', 'high'))
      axes.vlines(x, low, high, color=color, linewidth=0.4, alpha=0.5)
    marker = _MARKERS[number % len(_MARKERS)]
    look = {'s': 7, 'linewidths': 0, 'alpha': 0.75, 'color': color, 'marker': marker}
    axes.scatter(x, y, label=style.plain(name), **look)
  axes.set_xscale('log')
  for ticks in (axes.xaxis.set_major_formatter, axes.xaxis.set_minor_formatter):
    ticks(lambda share, _: f'{100 * share:g}')
  axes.xaxis.set_minor_locator(LogLocator(subs=(2, 5)))
  negatives = 'explicit labels' if explicit else 'all other clips as negatives'
  axes.set(xlabel='evaluated clips with the class (%)', ylabel=f'd′ ({negatives})')
  figure.tight_layout(pad=0.4, rect=(0, 0, 1, _room(figure, tables)))
  _add_legend(figure, axes, tables)
  return figure


@style.applied()
def draw_reliability(tables: Mapping[str, pd.DataFrame]) -> Figure:
  """How often a sound is there, over its score; and how many labels have that score.

  Of scores that fewer than ten labels have, nothing is said.
  """
  figure = style.new_figure(3.2, 3.2)
  axes, counts = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
  axes.plot([0, 1], [0, 1], color='0.6', linewidth=0.7, zorder=0)
  axes.text(0.99, 0.66, 'as it should be', ha='right', color='0.45', fontsize=6)
  for number, (name, table) in enumerate(tables.items()):
    look, marker = _look(number), _MARKERS[number % len(_MARKERS)]
    points = {'marker': marker, 'markersize': 3, 'linewidth': 1, **look}
    sure = table[table['labels'] >= _ENOUGH_LABELS]
    axes.plot(
      sure['mean_score'], sure['share_present'], label=style.plain(name), **points
    )
    counts.plot((table['low'] + table['high']) / 2, table['labels'], **points)
  axes.set(ylabel='share labelled present', xlim=(0, 1), ylim=(0, 1))
  counts.set(xlabel='score', ylabel='labels', yscale='log')
  figure.tight_layout(pad=0.4, rect=(0, 0, 1, _room(figure, tables)))
  _add_legend(figure, axes, tables)
  return figure


@style.applied()
def draw_scatter(comparison: pd.DataFrame) -> Figure:
  """Each class's lωlrap with the baseline and with the model (ML20's Fig. 3).

  Args:
    comparison: a row a class, or, of several trials, a class and trial: mid, group,
      lwlrap_baseline, lwlrap_model.
  """
  figure = style.new_figure(3.2, 3.2 + _LEGEND_ROW * (len(_GROUPS) - 1))
  axes = figure.subplots()
  axes.plot([0, 1], [0, 1], color='0.6', linewidth=0.7, zorder=0)
  counts = comparison['group'].value_counts()
  for group, (color, marker) in _GROUPS.items():
    chosen = comparison[comparison['group'] == group]
    if len(chosen):
      classes = chosen['mid'].nunique()
      label = f'{group} prior ({counted(classes, "class")}'
      if len(chosen) > classes:
        label += f', {len(chosen):,} points: one a class and trial'
      axes.scatter(
        chosen['lwlrap_baseline'],
        chosen['lwlrap_model'],
        s=8,
        linewidths=0,
        alpha=0.75 if len(chosen) < _MANY_POINTS else 0.35,
        color=style.COLORS[color],
        marker=marker,
        label=f'{label})',
        zorder=2 + (counts < len(chosen)).sum() * -0.1,  # few lie above many
      )
  axes.set(
    xlabel='lωlrap of the baseline',
    ylabel='lωlrap of the model',
    xlim=(0, 1),
    ylim=(0, 1),
  )
  axes.set_aspect('equal')
  room = _LEGEND_ROW * len(counts) / figure.get_figheight()
  figure.tight_layout(pad=0.4, rect=(0, 0, 1, 1 - room))
  figure.legend(loc='upper left', borderaxespad=0.2)
  return figure


def _label_curve(panel: Axes, kind: str) -> None:
  if kind == 'precision_recall':
    panel.set(xlabel='recall', ylabel='precision', xlim=(0, 1), ylim=(0, 1.02))
    return
  places, names = scipy.stats.norm.ppf(_RATES), [f'{100 * r:g}' for r in _RATES]
  panel.set_xticks(places, names)
  panel.set_yticks(places, names)
  ends = scipy.stats.norm.ppf((5e-4, 0.98))
  panel.set(xlabel='false positives (%)', ylabel='false negatives (%)')
  panel.set(xlim=ends, ylim=ends)


def _add_legend(figure: Figure, panel: Axes, models: Sequence | Mapping) -> None:
  """Above the panels, where it covers nothing."""
  if len(models) > 1:
    handles, labels = panel.get_legend_handles_labels()
    across = _legend_columns(figure, models)
    figure.legend(handles, labels, loc='upper left', ncols=across, borderaxespad=0.2)


def _room(figure: Figure, models: Sequence | Mapping) -> float:
  """How far up the panels may go: below the legend, if there is one."""
  rows = -(-len(models) // _legend_columns(figure, models)) if len(models) > 1 else 0
  return 1 - _LEGEND_ROW * rows / figure.get_figheight()


def _legend_columns(figure: Figure, models: Sequence | Mapping) -> int:
  longest = max(map(len, models))
  return max(1, min(4, int(figure.get_figwidth() / (0.5 + 0.055 * longest))))


def _look(number: int) -> dict[str, str]:
  color = style.COLORS[_NAMES[number % len(_NAMES)]]
  return {'color': color, 'linestyle': _LINES[number % len(_LINES)]}


def _tables(
  models: Mapping[str, files.EvaluatedModel], file: str
) -> dict[str, pd.DataFrame]:
  columns = COLUMNS[file]
  found = {}
  for name, model in models.items():
    table = files.read_table(model.path, file, columns, TEXTS)
    # Each model keeps its place, and thereby its colour, in all figures.
    found[name] = pd.DataFrame(columns=columns) if table is None else table
  return found


def _names_of_classes(models: Mapping[str, files.EvaluatedModel]) -> dict[str, str]:
  names: dict[str, str] = {}
  for model in models.values():
    table = model.per_class
    names |= dict(zip(table['mid'], table['display_name'], strict=True))
  return names


def _short(name: str) -> str:
  return f'{name[:29]}…' if len(name) > 30 else name
