"""Figures of sweeps: values over an axis, a line for each other point of the grid.

Lines differ in their looks (`line_looks`), so that they can be told apart in grey.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from audioset_ml.core.errors import RecordError
from audioset_ml.paper_figures.line_looks import common_name, line_name, looks
from audioset_ml.reporting import style
from audioset_ml.sweeping.table import SEED, Mean, SweepTable, gain


@dataclasses.dataclass(frozen=True)
class Panel:
  """What a panel shows.

  Attributes:
    value: the column of results.csv.
    label: the vertical axis's.
    gains: whether its difference from the first value of x is shown, seed by seed.
  """

  value: str
  label: str
  gains: bool = False


@dataclasses.dataclass(frozen=True)
class Level:
  """What all points of a panel are compared with, drawn as a horizontal line.

  Attributes:
    name: what it is.
    values: by seed.
  """

  name: str
  values: pd.Series


IMPLICIT = ' (implicit negatives)'
_SIZES = {'markersize': 2.6, 'linewidth': 0.9}
_LEVEL_LOOK = {'color': '0.35', 'linewidth': 0.7, 'linestyle': (0, (6, 2))}


def values_of(table: SweepTable, values: Mapping[str, str]) -> dict[str, str]:
  """The values that a sweep has, of those that a report shows.

  Public weak labels have no explicit negatives: d′ is then that against implicit
  negatives, and named so; where there are both it is left out.

  Args:
    table: the sweep.
    values: columns of results.csv, by what they are called.

  Raises:
    RecordError: the sweep has none of them.
  """
  found = {name: value for name, value in values.items() if value in table.table}
  if not found:
    raise RecordError(
      f'{table.path}: has none of the columns {", ".join(values.values())}'
    )
  return {
    name: value
    for name, value in found.items()
    if not (name.endswith(IMPLICIT) and name.removesuffix(IMPLICIT) in found)
  }


@style.applied()
def draw_lines(
  table: SweepTable,
  x: str,
  panels: Sequence[Sequence[Panel]],
  label: str,
  prepare: Callable[[Axes], object] = lambda axes: None,
  marked: bool = False,
  levels: Mapping[str, Level] | None = None,
) -> Figure:
  """Panels of lines over an axis, each with a band: a mean's 95 % interval.

  It is that of the difference from the level or, without one, from the line's first
  point, seed by seed, since what seeds share (easier clips) says nothing of the axis.
  Lines that are the same in a panel are drawn once there, in grey, and named there.

  Args:
    table: the sweep.
    x: the axis.
    panels: by row and column.
    label: the horizontal axis's.
    prepare: what is done to each panel, to set its scale.
    marked: whether a square marks each line's first point, the baseline.
    levels: by column of results.csv.

  Raises:
    RecordError: a value of the axis is no number.
  """
  table.require_numbers(x)
  levels = levels or {}
  rows, columns = len(panels), max(map(len, panels))
  figure = style.new_figure(3.5 * columns, 2.15 * rows + 0.3)
  figure.set_layout_engine('constrained')
  grid = figure.subplots(rows, columns, squeeze=False, sharex=True)
  lines = table.lines(x)
  line_looks = looks(lines)
  for row, panel_row in enumerate(panels):
    for column, panel in enumerate(panel_row):
      axes, level = grid[row, column], levels.get(panel.value)
      prepare(axes)
      for handle in _draw_panel(axes, table, x, panel, line_looks, level):
        if marked:
          _mark_first(axes, handle)
      axes.set_ylabel(panel.label)
      if panel.gains:
        axes.axhline(0, color='0.5', linewidth=0.6, zorder=0)
      elif level is not None:
        axes.axhline(Mean.of(level.values).value, **_LEVEL_LOOK, zorder=0)
      if row == rows - 1 or column >= len(panels[row + 1]):
        axes.set_xlabel(label)
        axes.tick_params(labelbottom=True)
    for axes in grid[row, len(panel_row) :]:
      axes.set_axis_off()
  names = [style.plain(line_name(line)) for line in lines] if len(lines) > 1 else []
  handles: list[Artist] = [
    Line2D([], [], **look, **_SIZES) for look in line_looks[: len(names)]
  ]
  for name in dict.fromkeys(level.name for level in levels.values()):
    handles.append(Line2D([], [], **_LEVEL_LOOK))
    names.append(style.plain(name))
  if len(table.values(SEED) if SEED in table.axes else ()) > 1:
    start = 'the baseline' if marked else 'the first point'
    other = next((level.name for level in levels.values()), start)
    handles.append(Patch(color='0.85'))
    names.append(f'95 % interval of the difference from {other}')
  if names:
    columns = _legend_columns(names, figure.get_figwidth())
    figure.legend(
      handles, names, loc='outside upper left', ncols=columns, handlelength=3
    )
  return figure


def _legend_columns(names: Sequence[str], inches: float) -> int:
  """In how many columns a legend of these names is no wider than that."""

  def width(columns: int) -> float:
    parts = np.array_split([0.053 * len(name) + 0.55 for name in names], columns)
    return sum(part.max() for part in parts)

  numbers = range(len(names), 1, -1)
  return next((columns for columns in numbers if width(columns) <= inches), 1)


def points_of(
  table: SweepTable,
  x: str,
  values: Mapping[str, str],
  levels: Mapping[str, Level] | None = None,
) -> pd.DataFrame:
  """What `draw_lines` shows, as a table: a row a point.

  Args:
    table, x, levels: as there.
    values: columns of results.csv, by what they are called.

  Returns:
    The axes; of each value the mean ± standard deviation over the seeds, and the mean
    difference from the level or, without one, the line's first point, with its 95 %
    interval.
  """
  rows, first = [], table.values(x)[0]
  for line in table.lines(x):
    for point in table.values(x):
      row: dict[str, str] = {}
      for name, value in values.items():
        here = table.by_seed(value, **line, **{x: point})
        level = (levels or {}).get(value)
        base = table.by_seed(value, **line, **{x: first})
        other = f'{x} {first}'
        if level is not None:
          base, other = level.values, level.name
        if len(here):
          row[name] = Mean.of(here).text()
          row[f'{name}: over {other}'] = gain(here, base).gain_text()
      if row:
        rows.append({**line, x: point, **row})
  return pd.DataFrame(rows).fillna('')


def _draw_panel(
  axes: Axes,
  table: SweepTable,
  x: str,
  panel: Panel,
  line_looks: Sequence[Mapping[str, Any]],
  level: Level | None,
) -> list[Line2D]:
  """Draws a panel's lines, those that are the same once; see `draw_lines`."""
  curves: list[tuple[np.ndarray, list[dict[str, str]], Mapping[str, Any]]] = []
  for line, look in zip(table.lines(x), line_looks, strict=True):
    curve = _curve(table, x, panel, line, level)
    for other, alike, _ in curves:
      if curve.size and curve.shape == other.shape and np.allclose(curve, other, 1e-9):
        alike.append(line)
        break
    else:
      curves.append((curve, [line], look))
  handles = []
  for (places, middle, half), alike, look in curves:
    name = None
    if len(alike) > 1:
      look, name = {**look, 'color': '0.4'}, style.plain(common_name(alike))
    handles += axes.plot(places, middle, **look, **_SIZES, label=name)
    axes.fill_between(
      places, middle - half, middle + half, color=look['color'], alpha=0.13, linewidth=0
    )
  if axes.get_legend_handles_labels()[0]:
    axes.legend(loc='best', handlelength=3)
  return handles


def _curve(
  table: SweepTable, x: str, panel: Panel, line: Mapping[str, str], level: Level | None
) -> np.ndarray:
  """A line's places, values and half the widths of its band: shape [3, points]."""
  points = table.values(x)
  first = table.by_seed(panel.value, **line, **{x: points[0]})
  base = first if level is None else level.values
  found = []
  for point in points:
    here = table.by_seed(panel.value, **line, **{x: point})
    if len(here):
      value = gain(here, first).value if panel.gains else Mean.of(here).value
      found.append((float(point), value, np.nan_to_num(gain(here, base).half)))
  return np.array(found).reshape(-1, 3).T


def _mark_first(axes: Axes, line: Line2D) -> None:
  """A square at a line's first point: the baseline, as in ML20's Fig. 2."""
  places, heights = line.get_xdata()[:1], line.get_ydata()[:1]
  axes.plot(places, heights, 's', markersize=5, color=line.get_color())
