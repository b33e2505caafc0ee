"""What TensorBoard shows of validation clips: pictures and precision-recall curves."""

import io
from collections.abc import Sequence

import matplotlib
import numpy as np
import tensorflow as tf

from audioset_ml.labels.class_map import ClassMap
from audioset_ml.labels.states import PRESENT_STATES, LabelState
from audioset_ml.records.folder import RecordsFolder
from audioset_ml.records.frames import FrameFormat
from audioset_ml.records.inspection import read_clip

_CLASSES_SHOWN = 6
_DPI = 160
_LARGE = {
  name: 10
  for name in ('font.size', 'axes.labelsize', 'xtick.labelsize', 'ytick.labelsize')
}


class ClipPictures:
  """Some clips' spectrograms or embeddings, with their labels and a model's scores."""

  def __init__(self, records: RecordsFolder, clip_ids: Sequence[str], clips: int):
    """Args: the records; those of their clips that there are scores of; how many of
    these to show, evenly spread."""
    rows = np.linspace(0, len(clip_ids) - 1, clips).round().astype(int)
    self._clip_ids = clip_ids
    self._rows = sorted(set(rows.tolist()))
    self._records = records
    self._frames: dict[int, np.ndarray] = {}

  def write(self, scores: np.ndarray, states: np.ndarray) -> None:
    """Writes a summary a clip.

    Args:
      scores: of these clips. Shape [clips, classes].
      states: their labels' states. Shape [clips, classes].
    """
    for row in self._rows:
      clip_id = self._clip_ids[row]
      if row not in self._frames:
        self._frames[row] = read_clip(self._records, clip_id).frames
      png = draw(
        self._frames[row],
        scores[row],
        states[row],
        self._records.class_map,
        self._records.frames,
      )
      image = tf.image.decode_png(png, channels=3)
      tf.summary.image(f'clips/{clip_id}', image[tf.newaxis])


def draw(
  frames: np.ndarray,
  scores: np.ndarray,
  states: np.ndarray,
  class_map: ClassMap,
  frame_format: FrameFormat,
) -> bytes:
  """A clip's spectrogram over its positives and the highest scores, as PNG.

  TensorBoard shows pictures some 330 pixels wide, so letters are large.

  Args:
    frames: shape [frames, values].
    scores: shape [classes].
    states: the labels' states. Shape [classes].
    class_map: the classes.
    frame_format: what the frames are.
  """
  from audioset_ml.reporting import style

  present = np.isin(states, PRESENT_STATES)
  # The positives first, then what scores highest.
  order = np.lexsort([-scores, ~present])[:_CLASSES_SHOWN]
  colors = {True: style.COLORS['blue'], False: style.COLORS['ochre']}
  with style.applied(), matplotlib.rc_context(_LARGE):
    figure = style.new_figure(3.6, 3.3)
    picture, bars = figure.subplots(2, 1, height_ratios=[4, 5])
    seconds = len(frames) * frame_format.hop_seconds
    values = frame_format.values
    picture.imshow(
      frames.T, 'magma', aspect='auto', origin='lower', extent=(0, seconds, 0, values)
    )
    name = 'mel band' if frame_format.front_end else 'embedding'
    picture.set(xlabel='Time (s)', ylabel=name)
    place = np.arange(len(order))
    bars.barh(place, scores[order], color=[colors[bool(present[i])] for i in order])
    names = [class_map.names[i] for i in order]
    bars.set_yticks(
      place, [f'{name[:24]}…' if len(name) > 25 else name for name in names]
    )
    bars.set(xlim=(0, 1), xlabel='score (blue: labelled)')
    bars.invert_yaxis()
    figure.tight_layout(pad=0.4)
    content = io.BytesIO()
    figure.savefig(content, format='png', dpi=_DPI)
  return content.getvalue()


def write_curves(
  classes: tuple[int, ...], scores: np.ndarray, states: np.ndarray, class_map: ClassMap
) -> None:
  """Writes a precision-recall curve for each chosen class.

  Every label that is no positive counts as a negative, but for unsure ones.
  """
  if not classes:
    return
  from tensorboard.plugins.pr_curve import summary as pr_summary

  present, counted = np.isin(states, PRESENT_STATES), states != LabelState.UNSURE
  for index in classes:
    curve = pr_summary.pb(
      f'precision_recall/{class_map.names[index]}',
      labels=present[counted[:, index], index],
      predictions=scores[counted[:, index], index],
      num_thresholds=101,
    )
    tf.summary.experimental.write_raw_pb(curve.SerializeToString())
