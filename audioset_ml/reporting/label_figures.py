"""Figures of a set of labels: priors, counts, quality and odds ratios."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator
from matplotlib.transforms import Bbox

from audioset_ml.core.errors import counted
from audioset_ml.reporting import style

_NAMED = 12  # classes with a name in the scatter plot
_FREQUENT = 2  # of them the most frequent ones
_DOT = 1  # the radius of a point, which no name may cover (points)
_WIDTH = 3.5  # a column of a two-column paper (inches)


@style.applied()
def prior_scatter(classes: pd.DataFrame) -> Figure:
  """SL21's Fig. 2: each class's prior by strong labels over that by weak ones.

  Classes that one kind of label lacks lie on the axes, as in the paper.

  Args:
    classes: of `labels.statistics.class_table`.
  """
  figure = style.new_figure(_WIDTH, _WIDTH)
  axes = figure.add_subplot()
  weak, strong = (classes[f'{kind}_prior'].to_numpy() for kind in ('weak', 'strong'))
  positive = np.concatenate([weak[weak > 0], strong[strong > 0]])
  floor = positive.min() / 2
  top = min(1.0, max(2 * positive.max(), 40 * floor))  # so that all lines are in sight
  shown = (weak > 0) | (strong > 0)
  x, y = np.maximum(weak, floor), np.maximum(strong, floor)
  for factor, line in ((1, '-'), (10, '--'), (0.1, '--')):
    ends = np.array([floor, top])
    axes.plot(ends, factor * ends, line, color='0.6', linewidth=0.6, zorder=1)
    left = 1.7 * floor / min(factor, 1)
    place = (left, left * factor)
    axes.annotate(
      f'×{factor:g}',
      place,
      color='0.4',
      ha='center',
      va='center',
      fontsize=6,
      bbox={'facecolor': 'white', 'edgecolor': 'none', 'pad': 0.5},
    )
  both = shown & (weak > 0) & (strong > 0)
  dots = {'s': 7, 'linewidths': 0, 'alpha': 0.7, 'zorder': 2}
  axes.scatter(x[both], y[both], color=style.COLORS['blue'], **dots)
  one = shown & ~both
  axes.scatter(
    x[one], y[one], color=style.COLORS['vermilion'], marker='D', clip_on=False, **dots
  )
  axes.set(xscale='log', yscale='log', xlim=(floor, top), ylim=(floor, top))
  axes.set(xlabel='prior, weak labels', ylabel='prior, strong labels', aspect='equal')
  _mark_shares(axes, floor, top)
  note = f'{counted(both.sum(), "class")} with both kinds of labels'
  if one.any():
    note += f', {one.sum()} with one (◆)'
  axes.set_title(f'{note}\nof the clips with events')
  figure.tight_layout(pad=0.4)
  figure.draw_without_rendering()  # places the axes, by which names are placed
  _name_extremes(axes, classes, both, x, y)
  return figure


@style.applied()
def class_counts(classes: pd.DataFrame) -> Figure:
  """How many clips have a label of each class, the most frequent class first."""
  figure = style.new_figure(_WIDTH, 2.2)
  axes = figure.add_subplot()
  kinds = {
    'positives': ('explicit positives', 'blue', '-'),
    'explicit_negatives': ('explicit negatives', 'ochre', '--'),
    'strong_clips': ('clips with events', 'green', ':'),
  }
  for column, (name, color, line) in kinds.items():
    counts = np.sort(classes[column].to_numpy())[::-1]
    counts = counts[counts > 0]
    if len(counts):
      label = f'{name} ({counted(len(counts), "class")}, median {np.median(counts):g})'
      rank = np.arange(1, len(counts) + 1)
      axes.plot(rank, counts, line, color=style.COLORS[color], label=label)
  axes.set(yscale='log', xlabel='rank of the class', ylabel='clips')
  axes.margins(x=0.02)
  axes.legend()
  figure.tight_layout(pad=0.4)
  return figure


@style.applied()
def labels_per_clip(counts: dict[str, np.ndarray]) -> Figure:
  """How many labels clips have.

  Args:
    counts: the number of labels of each clip, by the kind of label.
  """
  figure = style.new_figure(_WIDTH, 2.2)
  axes = figure.add_subplot()
  most = max(int(values.max(initial=0)) for values in counts.values())
  edges = np.arange(most + 2) - 0.5
  width = 0.8 / len(counts)
  for place, (name, values) in enumerate(counts.items()):
    share = np.histogram(values, edges)[0] / max(len(values), 1)
    color = list(style.COLORS.values())[place]
    left = np.arange(most + 1) - 0.4 + (place + 0.5) * width
    label = f'{name} (mean {values.mean():.2f})'
    axes.bar(left, share, width, color=color, label=label, hatch='///' * place)
  axes.set(xlabel='labels of a clip', ylabel='share of the clips')
  axes.xaxis.get_major_locator().set_params(integer=True)
  axes.legend()
  figure.tight_layout(pad=0.4)
  return figure


@style.applied()
def label_quality(classes: pd.DataFrame) -> Figure:
  """The share of confirmed labels of each class over its number of positives.

  Args:
    classes: with the columns `positives` and `quality`.
  """
  figure = style.new_figure(_WIDTH, 2.4)
  axes = figure.add_subplot()
  rated = rated_classes(classes)
  # Ten ratings a class give few values: spread them, or most dots hide others.
  spread = np.random.default_rng(0).uniform(-0.015, 0.015, len(rated))
  axes.scatter(
    rated['positives'],
    rated['quality'] + spread,
    s=7,
    linewidths=0,
    alpha=0.6,
    color=style.COLORS['blue'],
  )
  axes.axhline(rated['quality'].mean(), color='0.5', linewidth=0.6, linestyle='--')
  axes.set(xscale='log', xlabel='clips with the label', ylabel='share confirmed')
  note = f'{counted(len(rated), "rated class")}, mean {rated["quality"].mean():.2f}'
  axes.set_title(f'{note} (points spread by ±0.015)')
  figure.tight_layout(pad=0.4)
  return figure


def rated_classes(classes: pd.DataFrame) -> pd.DataFrame:
  """The classes that have positives and whose quality is known."""
  return classes[classes['quality'].notna() & (classes['positives'] > 0)]


@style.applied()
def odds_ratio_bars(pairs: pd.DataFrame, name: str, title: str) -> Figure:
  """Odds ratios of one label with others, with their 95 % intervals.

  Args:
    pairs: rows of `labels.odds_ratios.odds_ratios`, the largest first.
    name: the column with the other labels' names.
    title: what they are.
  """
  figure = style.new_figure(_WIDTH, 0.6 + 0.16 * len(pairs))
  axes = figure.add_subplot()
  place = np.arange(len(pairs))
  ratio = pairs['odds_ratio'].replace(np.inf, np.nan)
  axes.hlines(place, pairs['low'], pairs['high'], color='0.5', linewidth=0.8)
  axes.plot(ratio, place, 'o', color=style.COLORS['blue'], markersize=3)
  axes.axvline(1, color='0.6', linewidth=0.6, linestyle='--')
  axes.set(xscale='log', xlabel='odds ratio (95 % interval)', title=title)
  axes.set_yticks(place, pairs[name])
  axes.set_ylim(len(pairs) - 0.5, -0.5)
  figure.tight_layout(pad=0.4)
  return figure


def _mark_shares(axes: Axes, lowest: float, highest: float) -> None:
  """Marks both axes with as many shares as there is room for: of less than a decade,
  matplotlib would write 2 × 10⁻¹, 3 × 10⁻¹ … over each other."""
  if highest >= 10 * lowest:
    return
  for axis in (axes.xaxis, axes.yaxis):
    axis.set_minor_locator(LogLocator(subs=(2, 5)))
    for mark in (axis.set_major_formatter, axis.set_minor_formatter):
      mark(lambda share, _: f'{share:g}')


def _name_extremes(
  axes: Axes, classes: pd.DataFrame, both: np.ndarray, x: np.ndarray, y: np.ndarray
) -> None:
  """Names the most frequent classes and those whose prior changed the most, in a figure
  that is laid out.

  To the right of its point or to the left; a name that would lie on another name or on
  another class's point is left out, as are those that changed by less than a factor of
  three, which stand close together.
  """
  change = np.abs(np.log(y / x)) * both
  frequent = np.argsort(-np.maximum(x, y) * both, kind='stable')[:_FREQUENT]
  changed = np.argsort(-change, kind='stable')
  order = [*frequent, *changed[change[changed] > np.log(3)]]
  points = axes.transData.transform(np.column_stack([x, y]))
  named: list[Bbox] = []
  for index in dict.fromkeys(order):
    for side, align in ((1, 'left'), (-1, 'right')) if both[index] else ():
      if len(named) >= _NAMED:
        return
      text = axes.annotate(
        style.plain(classes['display_name'].iloc[index]),
        (x[index], y[index]),
        xytext=(3 * side, 0),
        textcoords='offset points',
        ha=align,
        va='center',
        fontsize=5,
      )
      box = text.get_window_extent()
      covered = box.padded(_DOT * axes.figure.dpi / 72)
      hides = [covered.contains(*point) for point in np.delete(points, index, axis=0)]
      inside = axes.bbox.x0 <= box.x0 and box.x1 <= axes.bbox.x1
      if inside and not any(hides) and not any(box.overlaps(one) for one in named):
        named.append(box)
        break
      text.remove()
