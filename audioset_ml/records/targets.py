"""Training targets: from a clip's labels, a label mode and a label set to three states.

1 positive, 0 negative, −1 ignored: ML20's "multi-hot target vectors with three states".

| label mode (SL21) | a class is positive on a patch if |
|---|---|
| weak | the clip has it |
| diffuse | the clip has an event of it, anywhere |
| strong | an event of it covers the patch by the 50 % rule |
"""

import dataclasses

import numpy as np
import tensorflow as tf

from audioset_ml.labels.label_set import LabelSet
from audioset_ml.records.frames import FrameFormat

POSITIVE, NEGATIVE, IGNORED = 1, 0, -1


class LabelSetLookup:
  """A label set as a tf.data function can ask it: a clip's flagged labels.

  The bits stay packed, a bit a label; 135 MB for AudioSet's two million clips.
  """

  def __init__(self, label_set: LabelSet):
    """Args: the label set; it has the clips and the classes of the records that it is
    used with (see `training_source.Source`)."""
    self._row_of = tf.lookup.StaticHashTable(
      tf.lookup.KeyValueTensorInitializer(
        tf.constant(label_set.clip_ids),
        tf.range(len(label_set.clip_ids), dtype=tf.int64),
      ),
      default_value=-1,
    )
    self._packed = tf.constant(label_set.packed)
    self._num_classes = len(label_set.class_map)
    self._state = {'ignored': IGNORED, 'positive': POSITIVE}[label_set.flagged_as]

  def target(self, clip_id: tf.Tensor) -> tf.Tensor:
    """What the flagged labels of a clip are; the others are NEGATIVE.

    Shape [classes], int8.
    """
    packed = tf.gather(self._packed, self._row_of.lookup(clip_id))  # [bytes]
    # numpy.packbits puts the first class into the highest bit.
    masks = tf.constant([128, 64, 32, 16, 8, 4, 2, 1], tf.uint8)
    bits = tf.bitwise.bitwise_and(packed[:, tf.newaxis], masks)  # [bytes, 8]
    flagged = tf.reshape(bits > 0, [-1])[: self._num_classes]
    return tf.where(flagged, tf.constant(self._state, tf.int8), NEGATIVE)


@dataclasses.dataclass(frozen=True)
class TargetMaker:
  """Makes the target of a patch.

  Attributes:
    num_classes: number of classes.
    frames: the records' frames, which say where a patch is in time.
    label_mode: one of `training_source.LABEL_MODES`.
    lookup: the label set, or None for none.
    implied: which classes a positive of each class makes positive, unless a person said
      otherwise (`Ontology.implied_classes`, SL21 3.1's label smearing); None for none.
      Shape [classes, classes], bool.
    unannotated: classes that are ignored unless a person said something; None for none.
      Shape [classes], bool.
  """

  num_classes: int
  frames: FrameFormat
  label_mode: str = 'weak'
  lookup: LabelSetLookup | None = None
  implied: np.ndarray | None = None
  unannotated: np.ndarray | None = None

  def target(self, record: dict[str, tf.Tensor], start: tf.Tensor) -> tf.Tensor:
    """The target of a patch of a clip.

    Only what nobody was asked about can be ignored, added or implied: what a person
    said stands, whatever the label set and the ontology say.

    Args:
      record: a parsed record, with the labels that the mode needs.
      start: the patch's first frame in the clip.

    Returns:
      int8, shape [classes]: 1 positive, 0 negative, −1 ignored.
    """
    present = tf.cast(record['weak/present'], tf.bool)
    negative = record['weak/class'][~present]
    if self.label_mode == 'weak':
      positive = record['weak/class'][present]
    else:
      positive = self._event_classes(record, 'strong', start)
      refuted = self._event_classes(record, 'strong_negative', start)
      negative = tf.concat([negative, refuted], axis=0)
    target = tf.zeros([self.num_classes], tf.int8)
    if self.lookup is not None:
      target = self.lookup.target(record['clip_id'])
    if self.unannotated is not None:
      target = -tf.constant(self.unannotated.astype(np.int8))
    if self.implied is not None:
      above = tf.reduce_any(tf.gather(tf.constant(self.implied), positive), axis=0)
      target = tf.where(above, tf.constant(POSITIVE, tf.int8), target)
    target = _set(target, negative, NEGATIVE)
    target = _set(target, positive, POSITIVE)
    return tf.ensure_shape(target, [self.num_classes])

  def _event_classes(
    self, record: dict[str, tf.Tensor], kind: str, start: tf.Tensor
  ) -> tf.Tensor:
    """The classes of the stretches of a kind that count for the patch."""
    classes = record[f'{kind}/class']
    if self.label_mode == 'diffuse':
      # A refuted stretch says nothing of the rest of the clip.
      return classes if kind == 'strong' else classes[:0]
    hop_ms = round(1000 * self.frames.hop_seconds)
    patch_ms = round(1000 * self.frames.patch_window_seconds)
    chosen = covered(
      record[f'{kind}/start'], record[f'{kind}/end'], start * hop_ms, patch_ms
    )
    return tf.boolean_mask(classes, chosen)


def covered(
  start: tf.Tensor, end: tf.Tensor, window_ms: tf.Tensor, length_ms: int
) -> tf.Tensor:
  """Which events label a window by the 50 % rule (SL21 3.2); see `labels.framing`.

  Args:
    start: begin of each event (s). Shape [events], float32.
    end: its end (s). Shape [events], float32.
    window_ms: begin of the window (ms), a scalar int64.
    length_ms: its length (ms).

  Returns:
    Shape [events], bool.
  """
  # Thousandths of a second survive float32 as long as clips are shorter than hours.
  start_ms = tf.cast(tf.round(start * 1000), tf.int64)
  end_ms = tf.cast(tf.round(end * 1000), tf.int64)
  overlap = tf.minimum(end_ms, window_ms + length_ms) - tf.maximum(start_ms, window_ms)
  fills_window = 2 * overlap >= length_ms
  holds_event = (2 * overlap >= end_ms - start_ms) & (overlap > 0)
  return fills_window | holds_event


def _set(target: tf.Tensor, classes: tf.Tensor, state: int) -> tf.Tensor:
  """The target with a state for some classes."""
  return tf.tensor_scatter_nd_update(
    target,
    classes[:, tf.newaxis],
    tf.fill([tf.size(classes)], tf.constant(state, tf.int8)),
  )
