"""Figures of sweeps: values over an axis, a line for each other point of the grid.

Lines differ by colour, dashes and marker, so that they can be told apart in grey.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from audioset_ml.errors import RecordError
from audioset_ml.reporting import style
from audioset_ml.sweeping.table import Mean, SweepTable, gain

LOOKS = (
  {'color': style.COLORS['blue'], 'linestyle': '-', 'marker': 'o'},
  {'color': style.COLORS['vermilion'], 'linestyle': '--', 'marker': '^'},
  {'color': style.COLORS['green'], 'linestyle': '-.', 'marker': 'D'},
  {'color': style.COLORS['purple'], 'linestyle': ':', 'marker': 'v'},
  {'color': style.COLORS['ochre'], 'linestyle': (0, (5, 1)), 'marker': 'P'},
  {'color': style.COLORS['black'], 'linestyle': (0, (1, 1)), 'marker': 'X'},
)


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


def available(
  table: SweepTable, panels: Sequence[Sequence[Panel]]
) -> list[list[Panel]]:
  """The panels whose values a sweep has; without explicit negatives there is no d′.

  Raises:
    RecordError: it has none of them.
  """
  found = [[one for one in row if one.value in table.table] for row in panels]
  found = [row for row in found if row]
  if not found:
    wanted = ', '.join(dict.fromkeys(one.value for row in panels for one in row))
    raise RecordError(f'{table.path}: has none of the columns {wanted}')
  return found


@style.applied()
def draw_lines(
  table: SweepTable,
  x: str,
  panels: Sequence[Sequence[Panel]],
  label: str,
  prepare: Callable[[Axes], object] = lambda axes: None,
  name_of: Callable[[dict[str, str]], str] = lambda line: ' '.join(line.values()),
  marked: bool = False,
  levels: Mapping[str, tuple[float, str]] | None = None,
) -> Figure:
  """Panels of lines over an axis, each with a band: the mean's 95 % interval.

  The interval is that of the difference from the first value of x, seed by seed, since
  what seeds share (easier clips) says nothing of the axis; of a line that lacks this
  value, that of the mean itself.

  Args:
    table: the sweep.
    x: the axis.
    panels: by row and column.
    label: the horizontal axis's.
    prepare: what is done to each panel, to set its scale.
    name_of: a line's name in the legend, from its point.
    marked: whether a square marks each line's first point, the baseline.
    levels: horizontal lines, by column: height and name.
  """
  rows, columns = len(panels), max(map(len, panels))
  figure = style.new_figure(3.5 * columns, 2.15 * rows + 0.3)
  figure.set_layout_engine('constrained')
  grid = figure.subplots(rows, columns, squeeze=False, sharex=True)
  handles = []
  for row, panel_row in enumerate(panels):
    for column, panel in enumerate(panel_row):
      axes = grid[row, column]
      prepare(axes)
      lines = [
        _draw_line(axes, table, x, panel, line, LOOKS[number % len(LOOKS)], marked)
        for number, line in enumerate(table.lines(x))
      ]
      handles = handles or lines
      axes.set_ylabel(panel.label)
      if panel.gains:
        axes.axhline(0, color='0.5', linewidth=0.6, zorder=0)
      if levels and panel.value in levels and not panel.gains:
        _draw_level(axes, *levels[panel.value])
      if row == rows - 1:
        axes.set_xlabel(label)
  names = [style.plain(name_of(line)) for line in table.lines(x)]
  if len(names) > 1:
    figure.legend(
      handles, names, loc='outside upper left', ncols=len(names), handlelength=3.2
    )
  return figure


def _draw_line(axes, table, x, panel, line, look, marked):
  points = table.values(x)
  base = table.by_seed(panel.value, **line, **{x: points[0]})
  places, middle, half = [], [], []
  for point in points:
    here = table.by_seed(panel.value, **line, **{x: point})
    if here.empty:
      continue
    gained = gain(here, base)
    places.append(float(point))
    middle.append(gained.value if panel.gains else Mean.of(here).value)
    own = Mean.of(here).half if base.empty else gained.half
    half.append(0.0 if point == points[0] else own)
  middle, half = np.array(middle), np.nan_to_num(np.array(half))
  sizes = {'markersize': 2.6, 'linewidth': 0.9}
  (handle,) = axes.plot(places, middle, **look, **sizes)
  axes.fill_between(
    places, middle - half, middle + half, color=look['color'], alpha=0.13, linewidth=0
  )
  if marked and places:
    axes.plot(
      places[:1],
      middle[:1],
      marker='s',
      markersize=5,
      linestyle='none',
      color=look['color'],
    )
  return handle


def _draw_level(axes: Axes, height: float, name: str) -> None:
  axes.axhline(height, color='0.35', linewidth=0.7, linestyle=(0, (6, 2)), zorder=0)
  axes.annotate(
    style.plain(name),
    (1, height),
    xycoords=('axes fraction', 'data'),
    xytext=(-2, 2),
    textcoords='offset points',
    ha='right',
    color='0.25',
    fontsize=6,
  )


@style.applied()
def draw_gains(
  gains: Mapping[str, Sequence[Mean]],
  labels: Sequence[str],
  marks: Sequence[Mapping[str, float]] | None = None,
) -> Figure:
  """Rows of gains with their intervals, a panel a metric.

  Args:
    gains: by row's name, a mean a panel.
    labels: the panels' horizontal axes'.
    marks: vertical lines of each panel, by name.
  """
  names = list(gains)
  figure = style.new_figure(3.5 * len(labels), 0.19 * len(names) + 0.75)
  grid = figure.subplots(1, len(labels), squeeze=False, sharey=True)[0]
  heights = np.arange(len(names))[::-1]
  for number, axes in enumerate(grid):
    means = [gains[name][number] for name in names]
    axes.errorbar(
      [mean.value for mean in means],
      heights,
      xerr=np.nan_to_num([mean.half for mean in means]),
      fmt='o',
      markersize=3.2,
      linewidth=0.9,
      capsize=1.5,
      color=style.COLORS['blue'],
    )
    axes.axvline(0, color='0.5', linewidth=0.6, zorder=0)
    if marks:
      _draw_marks(axes, marks[number])
    axes.set_yticks(heights, [style.plain(name) for name in names])
    axes.set_ylim(-0.6, len(names) - 0.4)
    axes.set_xlabel(labels[number])
  figure.tight_layout(pad=0.4, w_pad=1.2)
  return figure


def _draw_marks(axes: Axes, marks: Mapping[str, float]) -> None:
  """Vertical lines, named above: all but the last to their left, for room."""
  last = list(marks)[-1]
  for name, value in marks.items():
    axes.axvline(value, color='0.35', linewidth=0.7, linestyle=(0, (4, 2)), zorder=0)
    axes.annotate(
      name,
      (value, 1),
      xycoords=('data', 'axes fraction'),
      xytext=(2 if name == last else -2, 2),
      textcoords='offset points',
      ha='left' if name == last else 'right',
      fontsize=6,
      color='0.25',
    )
  low, high = axes.get_xlim()
  axes.set_xlim(low, max(high, marks[last] + 0.14 * (high - low)))
