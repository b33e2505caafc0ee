"""A clip and all its labels over one time axis: SL21's Fig. 1.

From the top: the log-mel spectrogram (or the embeddings), the labels of the whole clip,
the strong labels at their exact times, and these on frames of 0.96 s with the
complementary negatives. A row is a class; panels without content are left out.
"""

import dataclasses

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from audioset_ml.audio.front_end import FrontEnd
from audioset_ml.core.errors import counted
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.records.frames import FrameFormat
from audioset_ml.records.inspection import ClipContent
from audioset_ml.reporting import clip_bars, style
from audioset_ml.reporting.clip_bars import Bar, Kind

# Inches.
_WIDTH = 7.16  # two columns of an IEEE paper
_LEFT, _RIGHT, _BOTTOM, _LEGEND = 0.5, 0.12, 0.34, 0.08
_SPECTROGRAM, _ROW, _TITLE = 1.5, 0.155, 0.25
_NAME_PAD = 0.12  # beside the rows' names

_BAR_HEIGHT = 0.68  # of a row
_FRAME_GAP = 0.06  # s; for clarity only
_MAX_ROWS = 40  # a panel
_MAX_LETTERS = 44  # a name
_MAX_TITLE = 60  # a clip id in a title
_ROUND_HZ = (250, 500, 1000, 2000, 4000, 8000, 16000)
_TICK_DISTANCE = 0.1  # of the axis

# Dark, light or hatched: to be told apart in grey as well.
_LOOKS = {
  Kind.PRESENT: {'facecolor': style.COLORS['blue'], 'edgecolor': '#004B76'},
  Kind.DERIVED: {'facecolor': '#A6CBE2', 'edgecolor': '#004B76'},
  Kind.REFUTED: {
    'facecolor': style.COLORS['ochre'],
    'edgecolor': '#7A5200',
    'hatch': '//////',
  },
  Kind.COMPLEMENTARY: {'facecolor': '#FCEBC4', 'edgecolor': '#B98300'},
  Kind.UNSURE: {'facecolor': 'white', 'edgecolor': '#6B6B6B', 'hatch': '....'},
}
_LINE_WIDTH = 0.4


@style.applied()
def draw_clip(content: ClipContent, class_map: ClassMap, frames: FrameFormat) -> Figure:
  """Draws a clip with its labels; the more rows, the higher the figure.

  Args:
    content: the clip.
    class_map: the records' classes, for their names.
    frames: what the records' frames are.
  """
  panels = _panels(content)
  order = clip_bars.class_order(content.labels)
  rows = [_rows_of(bars, order) for _, bars in panels]
  heights = [_SPECTROGRAM, *(len(classes) * _ROW for classes in rows)]
  total = _LEGEND + len(heights) * _TITLE + sum(heights) + _BOTTOM
  figure = style.new_figure(_WIDTH, total)
  names = {index: _shortened(class_map.names[index], _MAX_LETTERS) for index in order}
  left = max(_LEFT, _widest(figure, list(names.values())) + _NAME_PAD)
  axes = _stack(figure, left, heights)
  clip_id = _shortened(content.labels.clip_id, _MAX_TITLE)
  title = 'Log-mel spectrogram' if frames.front_end else 'Embeddings'
  axes[0].set_title(f'{title} of {clip_id}', parse_math=False)
  if frames.front_end:
    _draw_spectrogram(axes[0], content.frames, frames.front_end)
  else:
    _draw_embeddings(axes[0], content.frames, frames)
  for panel, (title, bars), classes in zip(axes[1:], panels, rows, strict=True):
    count = len({bar.class_index for bar in bars})
    cut = (
      f' ({len(classes)} of {counted(count, "class")})' if count > len(classes) else ''
    )
    panel.set_title(title + cut)
    _draw_bars(panel, bars, {index: names[index] for index in classes})
  for panel in axes:
    panel.set_xlim(0, content.seconds)
    panel.xaxis.set_major_locator(MaxNLocator(11, steps=[1, 2, 5, 10]))
    panel.tick_params(labelbottom=panel is axes[-1])
  axes[-1].set_xlabel('Time (s)')
  _draw_legend(figure, [bar for _, bars in panels for bar in bars])
  return figure


def mel_edges_hz(front_end: FrontEnd) -> np.ndarray:
  """Where each mel band is drawn (Hz): halfway, in mel, to the next centre frequency.

  The outermost bands reach to the front end's limits, where only they respond. Shape
  [mel_bands + 1].
  """
  limits = hz_to_mel(np.array([front_end.mel_min_hz, front_end.mel_max_hz]))
  centres = np.linspace(*limits, front_end.mel_bands + 2)[1:-1]
  between = (centres[1:] + centres[:-1]) / 2
  return mel_to_hz(np.concatenate([limits[:1], between, limits[1:]]))


def hz_to_mel(hz: np.ndarray) -> np.ndarray:
  """HTK's mel scale, as in `tf.signal.linear_to_mel_weight_matrix`."""
  return 1127.0 * np.log1p(np.asarray(hz) / 700.0)


def mel_to_hz(mel: np.ndarray) -> np.ndarray:
  """The inverse of `hz_to_mel`."""
  return 700.0 * np.expm1(np.asarray(mel) / 1127.0)


def _panels(content: ClipContent) -> list[tuple[str, list[Bar]]]:
  """Title and bars of the panels below the spectrogram; none is empty."""
  labels = content.labels
  grid = clip_bars.frame_grid(content.seconds)
  frames = clip_bars.frame_bars(labels, grid) if labels.strong else []
  panels = [
    ('Weak labels of the whole clip', clip_bars.weak_bars(labels, content.seconds)),
    ('Strong labels', clip_bars.strong_bars(labels)),
    (
      f'Strong labels on frames of {grid.frame_ms / 1000:g} s',
      [
        dataclasses.replace(
          bar, start=bar.start + _FRAME_GAP / 2, end=bar.end - _FRAME_GAP / 2
        )
        for bar in frames
      ],
    ),
  ]
  return [(title, bars) for title, bars in panels if bars]


def _rows_of(bars: list[Bar], order: list[int]) -> list[int]:
  """The classes of a panel's rows, from the top."""
  classes = {bar.class_index for bar in bars}
  return [index for index in order if index in classes][:_MAX_ROWS]


def _stack(figure: Figure, left: float, heights: list[float]) -> list[Axes]:
  """Axes of these heights below each other, all from `left` (inches)."""
  width, total = figure.get_size_inches()
  axes, top = [], total - _LEGEND
  for height in heights:
    top -= _TITLE + height
    box = (left / width, top / total, (width - left - _RIGHT) / width, height / total)
    axes.append(figure.add_axes(box))
  return axes


def _draw_spectrogram(axes: Axes, log_mel: np.ndarray, front_end: FrontEnd) -> None:
  """Draws a log-mel spectrogram over a mel axis in Hz."""
  hop, window = front_end.hop_seconds, front_end.window_seconds
  times = np.arange(len(log_mel) + 1) * hop + (window - hop) / 2  # centred windows
  times[0] = 0.0
  lowest, highest = np.percentile(log_mel, [1, 99.9])
  axes.pcolormesh(
    times,
    mel_edges_hz(front_end),
    log_mel.T,
    cmap='magma',
    vmin=lowest,
    vmax=highest,
    rasterized=True,
  )
  axes.set_yscale('function', functions=(hz_to_mel, mel_to_hz))
  axes.set_ylim(front_end.mel_min_hz, front_end.mel_max_hz)
  ticks = _ticks_hz(front_end)
  axes.set_yticks(
    ticks, [f'{hz / 1000:g}k' if hz >= 1000 else f'{hz:g}' for hz in ticks]
  )
  axes.set_ylabel('Frequency (Hz)')


def _draw_embeddings(axes: Axes, values: np.ndarray, frames: FrameFormat) -> None:
  """Draws embeddings, each as wide as the time to the next one."""
  axes.pcolormesh(
    np.arange(len(values) + 1) * frames.hop_seconds,
    np.arange(frames.values + 1),
    values.T,
    cmap='magma',
    rasterized=True,
  )
  axes.set_ylabel('Value')


def _ticks_hz(front_end: FrontEnd) -> list[float]:
  """The limits, and the round frequencies that are not too near to them."""
  limits = [front_end.mel_min_hz, front_end.mel_max_hz]
  lowest, highest = hz_to_mel(np.array(limits))
  margin = _TICK_DISTANCE * (highest - lowest)
  inside = [
    hz for hz in _ROUND_HZ if lowest + margin < hz_to_mel(hz) < highest - margin
  ]
  return sorted([*limits, *inside])


def _draw_bars(axes: Axes, bars: list[Bar], names: dict[int, str]) -> None:
  """Draws the bars of the classes in `names`, a row a class in their order."""
  row_of = {index: row for row, index in enumerate(names)}
  for kind in reversed(Kind):  # what is present lies on top
    drawn = [bar for bar in bars if bar.kind == kind and bar.class_index in row_of]
    axes.barh(
      [row_of[bar.class_index] for bar in drawn],
      [bar.end - bar.start for bar in drawn],
      left=[bar.start for bar in drawn],
      height=_BAR_HEIGHT,
      linewidth=_LINE_WIDTH,
      label=kind.value,
      **_LOOKS[kind],
    )
  axes.set_ylim(len(names) - 0.5, -0.5)
  axes.set_yticks(range(len(names)), names.values(), parse_math=False)
  axes.tick_params(axis='y', length=0)
  axes.grid(axis='x', linewidth=0.3, color='0.85')
  axes.set_axisbelow(True)


def _draw_legend(figure: Figure, bars: list[Bar]) -> None:
  """Explains the kinds of bars that there are, once, at the top."""
  used = {bar.kind for bar in bars}
  if not used:
    return
  width = figure.get_size_inches()[0]
  figure.legend(
    handles=[
      Patch(label=kind.value, linewidth=_LINE_WIDTH, **_LOOKS[kind])
      for kind in Kind
      if kind in used
    ],
    ncols=len(used),
    loc='upper right',
    bbox_to_anchor=(1 - _RIGHT / width, 1),
    borderaxespad=0.3,
    borderpad=0,
    handlelength=1.8,
    columnspacing=1.6,
  )


def _widest(figure: Figure, names: list[str]) -> float:
  """The width of the widest row label (inches)."""
  font = FontProperties(size=matplotlib.rcParams['ytick.labelsize'])
  renderer = figure.canvas.get_renderer()
  widths = [
    renderer.get_text_width_height_descent(name, font, ismath=False)[0]
    for name in names
  ]
  return max(widths, default=0) / figure.dpi


def _shortened(text: str, letters: int) -> str:
  return text if len(text) <= letters else text[: letters - 1].rstrip() + '…'
