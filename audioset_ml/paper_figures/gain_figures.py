"""Figures of gains: rows of means with their intervals, a panel a metric."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from audioset_ml.reporting import style
from audioset_ml.sweeping.table import Mean


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
  width = 3.5 if len(labels) <= 3 else 1.9
  figure = style.new_figure(width * len(labels), 0.19 * len(names) + 0.75)
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
    axes.set_yticks(heights, [style.plain(name.replace('_', ' ')) for name in names])
    axes.set_ylim(-0.6, len(names) - 0.4)
    axes.xaxis.set_major_locator(MaxNLocator(4 if width < 2 else 'auto'))
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
