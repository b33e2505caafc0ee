"""A timeline as a picture: strips below each other, as lines of a text.

A strip holds its stretch of the spectrogram and a row for each class that scores there:
a pale curve is the score, from 0 to 1; bars are events.
"""

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MultipleLocator

from audioset_ml.reporting import style
from audioset_ml.reporting.clip_figure import hz_to_mel, mel_edges_hz, mel_to_hz
from audioset_ml.reporting.timeline_data import Timeline

# Inches.
_WIDTH, _LEFT, _RIGHT = 7.16, 1.5, 0.2
_TOP, _BOTTOM, _GAP = 0.34, 0.2, 0.3
_SPECTROGRAM, _ROW = 0.55, 0.19

_STRIP_SECONDS = (10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200)
_MAX_STRIPS = 8
_SHORTEST_STRIP = 0.5
_LEAST_STRIP = 0.15  # of a strip; a shorter rest makes all others longer
_TICKS = (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800)
_TICKS_A_STRIP = 12
_LEAST_SHOWN = 0.05  # of a score, for a row in a strip
_MAX_LETTERS = 26
_CURVE, _BAR = '#A6CBE2', '#004B76'


@style.applied()
def draw_timeline(timeline: Timeline) -> Figure:
  """Draws a timeline; the longer the sound, the higher the figure."""
  length = strip_seconds(timeline.seconds)
  count = max(1, math.ceil(timeline.seconds / length - 1e-6))
  strips = [(i * length, (i + 1) * length) for i in range(count)]
  rows = [_rows_of(timeline, *strip) for strip in strips]
  heights = [_SPECTROGRAM + _ROW * max(1, len(classes)) + _GAP for classes in rows]
  total = _TOP + sum(heights) + _BOTTOM
  figure = style.new_figure(_WIDTH, total)
  limits = np.percentile(timeline.log_mel, [1, 99.9])
  top = total - _TOP
  for strip, classes, height in zip(strips, rows, heights, strict=True):
    above = _axes(figure, top - _SPECTROGRAM, _SPECTROGRAM)
    _draw_spectrogram(above, timeline, strip, limits)
    below_height = height - _SPECTROGRAM - _GAP
    below = _axes(figure, top - _SPECTROGRAM - below_height, below_height)
    _draw_rows(below, timeline, strip, classes)
    for axes in (above, below):
      axes.set_xlim(*strip)
      axes.xaxis.set_major_locator(MultipleLocator(_tick(length)))
    above.tick_params(labelbottom=False)
    below.xaxis.set_major_formatter(FuncFormatter(lambda t, _: _minutes(t)))
    top -= height
  _draw_head(figure, timeline, total)
  return figure


def strip_seconds(seconds: float) -> float:
  """How long a strip is: at most a few strips, however long the sound is."""
  if seconds < _STRIP_SECONDS[0]:
    return max(seconds, _SHORTEST_STRIP)
  fitting = (s for s in _STRIP_SECONDS if seconds / s <= _MAX_STRIPS)
  length = next(fitting, 3600 * math.ceil(seconds / _MAX_STRIPS / 3600))
  whole, rest = divmod(seconds, length)
  return seconds / whole if whole and rest < _LEAST_STRIP * length else length


def _rows_of(timeline: Timeline, start: float, end: float) -> list[int]:
  """The classes that score in a strip, or have an event there."""
  first = round(start / timeline.cell_seconds)
  last = max(first + 1, round(end / timeline.cell_seconds))
  part = timeline.scores[first:last]
  scoring = part.max(axis=0, initial=0.0) >= _LEAST_SHOWN
  for event in timeline.events:
    if event.start < end and event.end > start:
      scoring[event.class_index] = True
  return np.flatnonzero(scoring).tolist()


def _axes(figure: Figure, bottom: float, height: float) -> Axes:
  width, total = figure.get_size_inches()
  box = (_LEFT / width, bottom / total, (width - _LEFT - _RIGHT) / width)
  return figure.add_axes((*box, height / total))


def _draw_spectrogram(
  axes: Axes, timeline: Timeline, strip: tuple[float, float], limits: np.ndarray
) -> None:
  step = timeline.column_seconds
  first, last = (round(edge / step) for edge in strip)
  part = timeline.log_mel[first:last]
  if len(part):
    times = (first + np.arange(len(part) + 1)) * step
    edges = mel_edges_hz(timeline.front_end)
    low, high = limits
    shown = {'cmap': 'magma', 'vmin': low, 'vmax': high, 'rasterized': True}
    axes.pcolormesh(times, edges, part.T, **shown)
  axes.set_yscale('function', functions=(hz_to_mel, mel_to_hz))
  axes.set_ylim(timeline.front_end.mel_min_hz, timeline.front_end.mel_max_hz)
  ticks = [hz for hz in (250, 1000, 4000) if hz < timeline.front_end.mel_max_hz]
  labels = [f'{hz / 1000:g} kHz' if hz >= 1000 else f'{hz} Hz' for hz in ticks]
  axes.set_yticks(ticks, labels)


def _draw_rows(
  axes: Axes, timeline: Timeline, strip: tuple[float, float], classes: list[int]
) -> None:
  step = timeline.cell_seconds
  first, last = int(strip[0] / step), math.ceil(strip[1] / step)
  for row, index in enumerate(classes):
    scores = timeline.scores[first:last, index]
    times = (first + np.arange(len(scores) + 1)) * step
    times = np.minimum(times, timeline.seconds)
    axes.stairs(
      row + 0.42 - 0.84 * scores, times, baseline=row + 0.42, fill=True, color=_CURVE
    )
    events = [e for e in timeline.events if e.class_index == index]
    spans = [(e.start, e.end - e.start) for e in events]
    axes.broken_barh(spans, (row + 0.2, 0.22), color=_BAR, linewidth=0)
  names = [_shortened(timeline.classes[index]) for index in classes]
  axes.set_yticks(range(len(classes)), names, parse_math=False)
  axes.set_ylim(max(1, len(classes)) - 0.5, -0.5)
  axes.tick_params(axis='y', length=0)
  axes.grid(axis='x', linewidth=0.3, color='0.85')
  axes.set_axisbelow(True)
  if not classes:
    axes.text(0.01, 0.4, f'no class scores {_LEAST_SHOWN:g}', transform=axes.transAxes)


def _draw_head(figure: Figure, timeline: Timeline, total: float) -> None:
  figure.text(
    0.01, 1 - 0.07 / total, _shortened(timeline.name, 60), va='top', parse_math=False
  )
  figure.legend(
    handles=[
      Patch(color=_CURVE, label='score, 0 to 1'),
      Patch(color=_BAR, label=f'event ({timeline.threshold})'),
    ],
    ncols=2,
    loc='upper right',
    bbox_to_anchor=(1 - _RIGHT / _WIDTH, 1),
    borderaxespad=0.3,
    borderpad=0,
  )


def _tick(seconds: float) -> float:
  return next((t for t in _TICKS if seconds / t <= _TICKS_A_STRIP), 3600)


def _minutes(seconds: float) -> str:
  if seconds % 1 > 1e-6 and seconds < _STRIP_SECONDS[0]:
    return f'0:{seconds:05.2f}'.rstrip('0')
  minutes, rest = divmod(round(seconds), 60)
  hours, minutes = divmod(minutes, 60)
  return f'{hours}:{minutes:02d}:{rest:02d}' if hours else f'{minutes}:{rest:02d}'


def _shortened(text: str, letters: int = _MAX_LETTERS) -> str:
  return text if len(text) <= letters else text[: letters - 1].rstrip() + '…'
