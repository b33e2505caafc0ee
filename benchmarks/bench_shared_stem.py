"""What overlapping patches could gain if they shared their first layers' rows.

Patches overlap by half, so that `score` computes most rows of the first layers twice.
A network of 'same' padding, MobileNetV1, gives a row of a layer the same values in two
patches, or in a picture of the whole clip, only if nothing that the row depends on was
padding, and if the patches begin a whole number of the layer's strides apart. Of each
depth this prints its share of Mult-Adds and of processor time, the rows of a patch that
could be shared (`rows`, of which `top` and `bottom` depend on padding), and what all of
scoring could at most gain, were all layers up to there shared and did nothing else cost
time. The time of a depth is that of the network cut off there; depths take turns, and
medians are compared.

`in fact` is what a stem shared up to that depth gives: the clip as one picture, the
first and last rows of each patch computed from the few frames that they depend on, and
all put together to the patches that the rest of the network takes. How far its logits
are from the patches' own is said, too.

  python benchmarks/bench_shared_stem.py
"""

import dataclasses
import statistics
import time
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf
from absl import flags
from bench_overheads import CLASSES, LOG_MEL
from machine import print_machine

from audioset_ml.entry import stage
from audioset_ml.models.config import FLOAT32, SCORE_PRECISIONS, ModelConfig
from audioset_ml.models.mobilenet_v1 import YAMNET_LAYERS
from audioset_ml.models.mult_adds import layer_costs
from audioset_ml.models.precision import at_precision
from audioset_ml.models.registry import build_model

FLAGS = flags.FLAGS
flags.DEFINE_enum(
  'precision', FLOAT32, [p for p in SCORE_PRECISIONS if p != 'auto'], 'As of `score`.'
)
flags.DEFINE_integer('clips', 16, 'Clips of ten seconds in a batch.', lower_bound=1)
flags.DEFINE_integer('turns', 5, 'How often each is measured.', lower_bound=1)
flags.DEFINE_list('depths', ['1', '2', '3', '4'], 'Those that are built.')

PATCHES, HOP = 20, 48  # of a clip; frames from one to the next
FRAMES = LOG_MEL.patch_frames + (PATCHES - 1) * HOP


def convolved(rows: int, stride: int) -> tuple[int, int]:
  """What a convolution of three rows makes of so many, as TensorFlow pads them for
  'same': how many rows, and how many of padding are before the first."""
  total = -(-rows // stride)
  return total, max((total - 1) * stride + 3 - rows, 0) // 2


@dataclasses.dataclass(frozen=True)
class Rows:
  """A depth's rows of one patch.

  Attributes:
    total: how many.
    top, bottom: how many of the first and of the last depend on padding.
    stride: frames from one to the next.
  """

  total: int
  top: int = 0
  bottom: int = 0
  stride: int = 1

  def after(self, stride: int) -> 'Rows':
    """Those of a convolution of three rows; see `convolved`."""
    total, padding = convolved(self.total, stride)
    first = [row * stride - padding for row in range(total)]
    inner = [
      row
      for row, start in enumerate(first)
      if start >= self.top and start + 3 <= self.total - self.bottom
    ]
    top, end = (inner[0], inner[-1] + 1) if inner else (total, total)
    return Rows(total, top, total - end, self.stride * stride)

  @property
  def inner(self) -> int:
    """Rows without padding in what they depend on."""
    return self.total - self.top - self.bottom

  @property
  def saved(self) -> float:
    """Share of the rows of many patches in a row that another patch has."""
    if HOP % self.stride:
      return 0.0
    return max(self.inner - HOP // self.stride, 0) / self.total


def rows_by_depth() -> list[Rows]:
  """Of each layer of the network; only its 3x3 convolutions look at other rows."""
  found, rows = [], Rows(LOG_MEL.patch_frames)
  for spec in YAMNET_LAYERS:
    rows = rows.after(spec.stride)
    found.append(rows)
  return found


def end_of(depth: int) -> str:
  """The name of a depth's last layer."""
  kind = {'conv': '', 'separable': '_pointwise_conv'}[YAMNET_LAYERS[depth - 1].kind]
  return f'layer{depth}{kind}_relu'


def frames_below(rows: Rows, first: int, count: int, depth: int) -> tuple[int, int]:
  """Which frames of a patch some rows of a depth depend on, in whole strides of it.

  Returns:
    (first, how many); beyond the patch's ends there is padding.
  """
  start, end = first, first + count
  heights = [LOG_MEL.patch_frames, *(one.total for one in rows_by_depth())]
  for upper in reversed(range(depth)):
    stride, before = YAMNET_LAYERS[upper].stride, heights[upper]
    _, padding = convolved(before, stride)
    start = max(start * stride - padding, 0)
    end = min((end - 1) * stride - padding + 3, before)
  start = start // rows.stride * rows.stride
  end = -(-end // rows.stride) * rows.stride
  return start, end - start


class SharedStem:
  """The network with the layers up to a depth shared by a clip's patches."""

  def __init__(self, model: keras.Model, depth: int):
    """Args: from patches to logits; how many layers are shared."""
    self.rows = rows_by_depth()[depth - 1]
    self.depth = depth
    body_input = keras.Input(model.get_layer(end_of(depth)).output.shape[1:])
    net, later = body_input, False
    for layer in model.layers:
      net = layer(net) if later else net
      later |= layer.name == end_of(depth)
    self.body = keras.Model(body_input, net)
    self.whole = self._stem(model, FRAMES)
    self.top_frames = frames_below(self.rows, 0, self.rows.top, depth)[1]
    last = self.rows.total - self.rows.bottom
    self.bottom_frames = frames_below(self.rows, last, self.rows.bottom, depth)[1]
    self.top = self._stem(model, self.top_frames) if self.rows.top else None
    self.bottom = self._stem(model, self.bottom_frames)

  def _stem(self, model: keras.Model, frames: int) -> keras.Model:
    """The layers up to the depth, for pictures of another height."""
    inputs = keras.Input((frames, LOG_MEL.values))
    net = keras.layers.Reshape((frames, LOG_MEL.values, 1))(inputs)
    for layer in model.layers[2:]:
      net = layer(net)
      if layer.name == end_of(self.depth):
        return keras.Model(inputs, net)
    raise AssertionError

  def __call__(self, clips: tf.Tensor) -> tf.Tensor:
    """Logits [clips · patches, classes] of spectrograms [clips, frames, values]."""
    rows, size = self.rows, LOG_MEL.patch_frames
    starts = np.arange(PATCHES) * HOP
    inner = starts[:, None] // rows.stride + np.arange(rows.top, rows.top + rows.inner)
    parts = [tf.gather(self.whole(clips, training=False), inner, axis=1)]
    if self.top is not None:
      first = self._of_frames(clips, self.top, starts, self.top_frames)
      parts.insert(0, first[:, :, : rows.top])
    ends = starts + size - self.bottom_frames
    last = self._of_frames(clips, self.bottom, ends, self.bottom_frames)
    parts.append(last[:, :, -rows.bottom :])
    patches = tf.concat(parts, axis=2)
    return self.body(tf.reshape(patches, (-1, *patches.shape[2:])), training=False)

  def _of_frames(self, clips, stem, starts, count) -> tf.Tensor:
    """A stem's rows of some frames of each patch. Shape [clips, patches, rows, ...]."""
    pieces = tf.gather(clips, starts[:, None] + np.arange(count), axis=1)
    found = stem(tf.reshape(pieces, (-1, count, clips.shape[-1])), training=False)
    return tf.reshape(found, (-1, PATCHES, *found.shape[1:]))


def as_patches(clips: tf.Tensor) -> tf.Tensor:
  """Shape [clips, frames, values] → [clips · patches, patch frames, values]."""
  places = np.arange(PATCHES)[:, None] * HOP + np.arange(LOG_MEL.patch_frames)
  pieces = tf.gather(clips, places, axis=1)
  return tf.reshape(pieces, (-1, LOG_MEL.patch_frames, clips.shape[-1]))


def in_turns(ways: dict, clips: tf.Tensor) -> dict:
  """Median seconds of processor time of each way, after a call that warms up.

  Every other turn is in the other order: what else the machine does changes slowly.
  """
  seconds: dict = {name: [] for name in ways}
  for turn in range(FLAGS.turns + 1):
    for name, run in list(ways.items())[:: 1 if turn % 2 else -1]:
      start = time.process_time()
      run(clips)
      if turn:
        seconds[name].append(time.process_time() - start)
  return {name: statistics.median(found) for name, found in seconds.items()}


def cut_off(model: keras.Model, depth: int) -> Callable[[tf.Tensor], tf.Tensor]:
  """The network up to a depth, of clips."""
  upto = keras.Model(model.input, model.get_layer(end_of(depth)).output)
  return tf.function(lambda clips: upto(as_patches(clips), training=False))


def with_signal(random: np.random.Generator) -> keras.Model:
  """The network with kernels so large that what they give stays of a size (He's)."""
  model = build_model(ModelConfig('mobilenet_v1', CLASSES))
  for layer in model.layers:
    if isinstance(layer, keras.layers.Conv2D | keras.layers.DepthwiseConv2D):
      shape = layer.kernel.shape
      depthwise = isinstance(layer, keras.layers.DepthwiseConv2D)
      inputs = np.prod(shape[:2] if depthwise else shape[:3])
      layer.set_weights([random.normal(0, np.sqrt(2 / inputs), shape)])
  return model


def main(_) -> None:
  print_machine()
  random = np.random.default_rng(0)
  model, _ = at_precision(with_signal(random), FLAGS.precision)
  shape = (FLAGS.clips, FRAMES, LOG_MEL.values)
  clips = tf.constant(random.normal(-3, 2, shape), tf.float32)
  shared = {int(depth): SharedStem(model, int(depth)) for depth in FLAGS.depths}
  ways = {
    'whole': tf.function(lambda clips: model(as_patches(clips), training=False)),
    0: tf.function(as_patches),
    **{d: cut_off(model, d) for d in range(1, len(YAMNET_LAYERS) + 1)},
    **{('shared', depth): tf.function(stem) for depth, stem in shared.items()},
  }
  own = ways['whole'](clips).numpy()
  differences = {
    depth: np.abs(ways['shared', depth](clips).numpy() - own).max() for depth in shared
  }
  print_table(model, in_turns(ways, clips), differences)
  print(f'logits are {np.abs(own).max():.1f} at most')


def print_table(model: keras.Model, seconds: dict, differences: dict) -> None:
  """Prints a row a depth."""
  costs = {cost.name: cost.mult_adds for cost in layer_costs(model)}
  total, whole = sum(costs.values()), seconds['whole']
  print(
    f'{"depth":>5}{"stride":>7}{"Mult-Adds":>10}{"time":>7}{"rows":>5}{"top":>4}'
    f'{"bottom":>7}{"shared":>7}{"gain at most":>13}{"in fact":>8}{"differ":>9}'
  )
  mult_adds, bound = 0, 0.0
  for depth, rows in enumerate(rows_by_depth(), start=1):
    mult_adds += sum(c for n, c in costs.items() if n.startswith(f'layer{depth}_'))
    bound += max(seconds[depth] - seconds[depth - 1], 0) / whole * rows.saved
    fact, differ = '', ''
    if depth in differences:
      fact = f'{1 - seconds["shared", depth] / whole:.1%}'
      differ = f'{differences[depth]:.0e}'
    print(
      f'{depth:5}{rows.stride:7}{mult_adds / total:10.1%}{seconds[depth] / whole:7.1%}'
      f'{rows.total:5}{rows.top:4}{rows.bottom:7}{rows.saved:7.1%}{bound:13.1%}'
      f'{fact:>8}{differ:>9}'
    )


if __name__ == '__main__':
  stage.run(main)
