"""Figures of gains: rows of means with their intervals, a panel a metric."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from audioset_ml.reporting import style
from audioset_ml.sweeping.table import Mean

_ACROSS = 3  # panels in a row
_PAGE, _PANEL = 7.2, 3.5  # the widest figure and panel (inches)
_MANY = 10  # from so many rows on one in ten may lie beyond the axis
_MIDDLE = (10, 90)  # percentiles
_ROOM = 0.25  # beside them, in parts of what lies between them
_EDGE = 0.05  # between an axis's end and what is nearest to it, in parts of its range


@style.applied()
def draw_gains(
  gains: Mapping[str, Sequence[Mean]],
  labels: Sequence[str],
  marks: Sequence[Mapping[str, float]] | None = None,
) -> Figure:
  """Rows of gains with their intervals, a panel a metric, at most three side by side.

  A gain beyond a panel's limits (`gain_limits`) is an arrow at its edge, with its
  value.

  Args:
    gains: by row's name, a mean a panel.
    labels: the panels' horizontal axes'.
    marks: vertical lines of each panel, by name.
  """
  names = list(gains)
  across = min(_ACROSS, len(labels))
  down = -(-len(labels) // across)
  height = 0.19 * len(names) + 0.75
  figure = style.new_figure(min(_PANEL * across, _PAGE), height * down)
  grid = figure.subplots(down, across, squeeze=False, sharey=True)
  for axes in grid.ravel()[len(labels) :]:
    axes.remove()
  heights = np.arange(len(names))[::-1]
  for number, axes in enumerate(grid.ravel()[: len(labels)]):
    shown = marks[number] if marks else {}
    means = [gains[name][number] for name in names]
    limits = gain_limits(means, list(shown.values()))
    axes.set_xlim(*limits)
    _draw_means(axes, means, heights, limits)
    axes.axvline(0, color='0.5', linewidth=0.6, zorder=0)
    if shown:
      _draw_marks(axes, shown)
    axes.set_yticks(heights, [style.plain(name.replace('_', ' ')) for name in names])
    axes.set_ylim(-0.6, len(names) - 0.4)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.set_xlabel(labels[number])
  figure.tight_layout(pad=0.4, w_pad=1.2, h_pad=1.2)
  return figure


def gain_limits(
  means: Sequence[Mean], marks: Sequence[float] = ()
) -> tuple[float, float]:
  """The ends of an axis of gains, with zero and the marks within.

  Of ten gains or more, those that lie far from most don't stretch it: a gain counts if
  it lies in the range of the middle 80 % and zero or a quarter of that range beyond.
  All that count lie within, with their intervals.
  """
  values = np.array([mean.value for mean in means if mean.seeds])
  halves = np.nan_to_num([mean.half for mean in means if mean.seeds])
  if len(values) >= _MANY:
    low, high = np.percentile(values, _MIDDLE)
    low, high = min(0.0, low), max(0.0, high)
    room = _ROOM * (high - low)
    counts = (values >= low - room) & (values <= high + room)
    values, halves = values[counts], halves[counts]
  ends = [0.0, *marks, *(values - halves), *(values + halves)]
  edge = _EDGE * ((max(ends) - min(ends)) or 1.0)
  return float(min(ends) - edge), float(max(ends) + edge)


def _draw_means(
  axes: Axes,
  means: Sequence[Mean],
  heights: np.ndarray,
  limits: tuple[float, float],
) -> None:
  """Points with intervals; what lies beyond the limits is an arrow and its value."""
  look = {'color': style.COLORS['blue'], 'markersize': 3.2, 'linestyle': ''}
  values = np.array([mean.value for mean in means])
  halves = np.nan_to_num([mean.half for mean in means])
  low, high = limits
  beyond = (values < low) | (values > high)
  within = ~beyond & ~np.isnan(values)
  axes.errorbar(
    values[within],
    heights[within],
    xerr=halves[within],
    marker='o',
    elinewidth=0.9,
    capsize=1.5,
    **look,
  )
  for value, height in zip(values[beyond], heights[beyond], strict=True):
    left = value < low
    place = low if left else high
    axes.plot(place, height, marker='<' if left else '>', clip_on=False, **look)
    digits = 2 - min(1, math.floor(math.log10(abs(value))))
    axes.annotate(
      f'{value:+.{digits}f}'.replace('-', '−'),
      (place, height),
      xytext=(4 if left else -4, 0),
      textcoords='offset points',
      ha='left' if left else 'right',
      va='center',
      fontsize=6,
      color='0.25',
    )


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
