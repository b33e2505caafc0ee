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

from audioset_ml.audio.front_end import FrontEnd
from audioset_ml.labels.label_set import LabelSet

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
    flagged = _unpack(packed, self._num_classes)
    return tf.where(flagged, tf.constant(self._state, tf.int8), NEGATIVE)


@dataclasses.dataclass(frozen=True)
class TargetMaker:
  """Makes the target of a patch.

  Attributes:
    num_classes: number of classes.
    front_end: the records' front end, which says where a frame is in time.
    label_mode: one of `training_source.LABEL_MODES`.
    lookup: the label set, or None for none.
    implied: which classes a positive of each class makes positive, unless a person said
      otherwise (`Ontology.implied_classes`, SL21 3.1's label smearing); None for none.
      Shape [classes, classes], bool.
    unannotated: the classes that annotators were not asked about, which are ignored
      unless a person said something; in completely annotated clips it is all that they
      neither marked nor left unmarked. None for none. Shape [classes], bool.
    complete: whether some clips were annotated completely: what is unmarked in them can
      no more be ignored than what was refuted by name.
  """

  num_classes: int
  front_end: FrontEnd
  label_mode: str = 'weak'
  lookup: LabelSetLookup | None = None
  implied: np.ndarray | None = None
  unannotated: np.ndarray | None = None
  complete: bool = False

  @property
  def needs_events(self) -> bool:
    """Whether records must be parsed with their events."""
    smeared = self.complete and self.lookup is not None and self.implied is not None
    return self.label_mode != 'weak' or smeared

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
      if self.complete:
        negative_state = tf.constant(NEGATIVE, tf.int8)
        target = tf.where(self._lacking(record, positive), negative_state, target)
    if self.unannotated is not None:
      target = -tf.cast(self._not_asked(record), tf.int8)
    if self.implied is not None:
      above = self._above(positive)
      target = tf.where(above, tf.constant(POSITIVE, tf.int8), target)
    target = _set(target, negative, NEGATIVE)
    target = _set(target, positive, POSITIVE)
    return tf.ensure_shape(target, [self.num_classes])

  def _lacking(self, record: dict[str, tf.Tensor], positive: tf.Tensor) -> tf.Tensor:
    """What complete annotators did not mark, nor any kind of it where labels are
    smeared. Shape [classes], bool."""
    unmarked = _unpack_bytes(record['unmarked'], self.num_classes)
    if self.implied is None:
      return unmarked
    marked = tf.concat([positive, record['strong/class']], axis=0)
    return unmarked & ~self._above(marked)

  def _not_asked(self, record: dict[str, tf.Tensor]) -> tf.Tensor:
    """The classes that a clip's annotators were not asked about. Shape [classes]."""
    unannotated = tf.constant(self.unannotated)
    if not self.complete:
      return unannotated
    unmarked = _unpack_bytes(record['unmarked'], self.num_classes)
    marked = tf.zeros([self.num_classes], tf.int8)
    marked = _set(marked, record['strong/class'], POSITIVE) > 0
    return tf.where(record['unmarked'] != '', ~(unmarked | marked), unannotated)

  def _above(self, classes: tf.Tensor) -> tf.Tensor:
    """What any of some classes implies. Shape [classes], bool."""
    return tf.reduce_any(tf.gather(tf.constant(self.implied), classes), axis=0)

  def _event_classes(
    self, record: dict[str, tf.Tensor], kind: str, start: tf.Tensor
  ) -> tf.Tensor:
    """The classes of the stretches of a kind that count for the patch."""
    classes = record[f'{kind}/class']
    if self.label_mode == 'diffuse':
      # A refuted stretch says nothing of the rest of the clip.
      return classes if kind == 'strong' else classes[:0]
    hop_ms = round(1000 * self.front_end.hop_seconds)
    patch_ms = hop_ms * self.front_end.patch_frames
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


def _unpack(packed: tf.Tensor, num_classes: int) -> tf.Tensor:
  """Bits, the first class highest, as of `numpy.packbits`. Shape [classes], bool."""
  masks = tf.constant([128, 64, 32, 16, 8, 4, 2, 1], tf.uint8)
  bits = tf.bitwise.bitwise_and(packed[:, tf.newaxis], masks)  # [bytes, 8]
  return tf.reshape(bits > 0, [-1])[:num_classes]


def _unpack_bytes(packed: tf.Tensor, num_classes: int) -> tf.Tensor:
  """The same of bytes, a scalar string; all are False where there are none."""
  none = tf.constant(bytes(-(-num_classes // 8)))
  known = tf.where(packed == '', none, packed)
  return _unpack(tf.io.decode_raw(known, tf.uint8), num_classes)


def _set(target: tf.Tensor, classes: tf.Tensor, state: int) -> tf.Tensor:
  """The target with a state for some classes."""
  return tf.tensor_scatter_nd_update(
    target,
    classes[:, tf.newaxis],
    tf.fill([tf.size(classes)], tf.constant(state, tf.int8)),
  )
