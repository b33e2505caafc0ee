"""ML20's Fig. 2 in relative terms, beside the gains that the paper reports.

The paper gives numbers for its best operating points only (Table II), and networks,
data and negatives differ: what can be compared is the shape, and how large gains are in
proportion to the baseline.
"""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from audioset_ml.paper_figures import published_values
from audioset_ml.paper_figures.line_looks import line_name, looks
from audioset_ml.paper_figures.ml20 import (
  PERCENT,
  PERCENT_LABEL,
  metrics_of,
  set_percent_axis,
)
from audioset_ml.reporting import style
from audioset_ml.sweeping.table import Mean, SweepTable

_COLUMNS = ('metric', PERCENT, 'gain', 'low', 'high', 'seeds')


def relative_gains(table: SweepTable) -> pd.DataFrame:
  """The gains over percentage 0 in % of its mean, with their 95 % intervals over seeds.

  Returns:
    The axes but the seed, metric, percent, gain, low and high (NaN of one seed), seeds.
  """
  rows = []
  for line in table.lines(PERCENT):
    for metric, value in metrics_of(table).items():
      base = table.by_seed(value, **line, percent='0')
      if base.empty or base.mean() <= 0:
        continue
      for percent in table.values(PERCENT):
        change = (table.by_seed(value, **line, percent=percent) - base).dropna()
        mean = Mean.of(100 * change / base[change.index].mean())
        if mean.seeds:
          ends = mean.value - mean.half, mean.value + mean.half
          found = (metric, percent, mean.value, *ends, mean.seeds)
          rows.append({**line, **dict(zip(_COLUMNS, found, strict=True))})
  return pd.DataFrame(rows)


@style.applied()
def relative_figure(gains: pd.DataFrame) -> Figure:
  """`relative_gains` of the first line: panels of d′ and lωlrap.

  A panel is left out where the line has nothing for it.

  A box shows at which percentages the paper's best operating points usually are, and
  how much its four pairs of network and train set gain there.
  """
  axes_of_lines = [name for name in gains if name not in _COLUMNS]
  line = {axis: gains[axis].iloc[0] for axis in axes_of_lines}
  for axis, value in line.items():
    gains = gains[gains[axis] == value]
  metrics = list(dict.fromkeys(gains['metric']))
  published = {
    kind: (paper, shown)
    for kind, paper in published_values.ML20_TABLE_2.items()
    if (shown := [metric for metric in metrics if metric.startswith(kind)])
  }
  figure = style.new_figure(3.6 * len(published), 2.7)
  panels = figure.subplots(1, len(published), squeeze=False)[0]
  for axes, (kind, (paper, shown)) in zip(panels, published.items(), strict=True):
    paper_percents = published_values.ML20_BEST_PERCENTS[kind]
    set_percent_axis(axes, [*gains['percent'], *paper_percents])
    axes.axhline(0, color='0.5', linewidth=0.6, zorder=0)
    for look, metric in zip(
      looks([{'metric': one} for one in shown]), shown, strict=True
    ):
      found = gains[gains['metric'] == metric]
      places = found['percent'].astype(float)
      axes.plot(
        places, found['gain'], label=metric, markersize=2.8, linewidth=0.9, **look
      )
      axes.fill_between(
        places,
        found['low'],
        found['high'],
        color=look['color'],
        alpha=0.14,
        linewidth=0,
      )
    _draw_paper(axes, kind, [100 * gain.relative for gain in paper.values()])
    axes.set(xlabel=PERCENT_LABEL, ylabel=f'gain in {kind} (% of the baseline)')
    axes.legend(loc='best', fontsize=6)
  if line:
    figure.suptitle(style.plain(line_name(line)), fontsize=7)
  figure.tight_layout(pad=0.4, w_pad=1.2)
  return figure


def _draw_paper(axes: Axes, kind: str, gains: list[float]) -> None:
  low, high = published_values.ML20_BEST_PERCENTS[kind]
  box = Rectangle(
    (low, min(gains)),
    high - low,
    max(gains) - min(gains),
    facecolor='none',
    edgecolor='0.3',
    linestyle=(0, (3, 2)),
    linewidth=0.8,
    label="ML20's best points (Table II)",
  )
  axes.add_patch(box)
