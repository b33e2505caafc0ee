"""Labels that a run has flagged itself, and keeps, by clip."""

import numpy as np
import tensorflow as tf

from audioset_ml.records.packed_bits import pack, unpack
from audioset_ml.records.targets import (
  IGNORED,
  NEGATIVE,
  POSITIVE,
  STATES_OF_FLAGGED,
)


class ClipFlags(tf.Module):
  """A bit a label, as of a label set. Part of a run's checkpoints.

  Clips are told by their numbers among those of all sources
  (`InputConfig.tells_clips`), −1 for examples whose labels are never flagged.
  """

  def __init__(self, num_clips: int, num_classes: int, flagged_as: str):
    """Args: how many clips and classes there are; what flagged labels are in training,
    ignored or positive."""
    super().__init__()
    self._num_classes = num_classes
    self._state = STATES_OF_FLAGGED[flagged_as]
    # The last row is of no clip, and stays empty. On the CPU, where bytes have kernels.
    with tf.device('CPU:0'):
      packed = tf.zeros([num_clips + 1, -(-num_classes // 8)], tf.uint8)
      self._packed = tf.Variable(packed, trainable=False)

  @property
  def packed(self) -> np.ndarray:
    """The bits, the first class highest. Shape [clips, ⌈classes / 8⌉], uint8."""
    return self._packed.numpy()[:-1]

  def applied(self, target: tf.Tensor, clips: tf.Tensor) -> tf.Tensor:
    """The target with flagged negatives ignored, or positive.

    Of a mixture of clips, what is flagged in any of them: the same as if each clip's
    target had been changed before they were mixed, since what is flagged is an implicit
    negative there, and a mixture with one is never an explicit one.

    Args:
      target: shape [batch, classes], int8.
      clips: the clips of each example, one or two. Shape [batch, 1 or 2], int64.
    """
    open_to_it = target == NEGATIVE
    if self._state == POSITIVE:  # as it is in a mixture with what is ignored
      open_to_it |= target == IGNORED
    state = tf.constant(self._state, target.dtype)
    return tf.where(open_to_it & self._of(clips), state, target)

  def _of(self, clips: tf.Tensor) -> tf.Tensor:
    """Whether each label is flagged. Shape [batch, classes], bool."""
    last = tf.cast(tf.shape(self._packed)[0] - 1, clips.dtype)
    packed = tf.gather(self._packed, tf.where(clips < 0, last, clips))
    found = packed[:, 0]
    for other in range(1, packed.shape[1]):
      found = tf.bitwise.bitwise_or(found, packed[:, other])
    return unpack(found, self._num_classes)

  def add(self, clips: tf.Tensor, flagged: tf.Tensor) -> None:
    """Flags labels of clips, of which a batch may hold one twice.

    Args:
      clips: shape [batch, 1], int64.
      flagged: shape [batch, classes], bool.
    """
    kept = clips[:, 0] >= 0
    clips, places = tf.unique(tf.boolean_mask(clips[:, 0], kept))
    number = tf.shape(clips)[0]
    flagged = tf.cast(tf.boolean_mask(flagged, kept), tf.int8)
    new = pack(tf.math.unsorted_segment_max(flagged, places, number) > 0)
    new = tf.bitwise.bitwise_or(tf.gather(self._packed, clips), new)
    self._packed.scatter_update(tf.IndexedSlices(new, clips))

  def replace(self, first: int, packed: np.ndarray) -> None:
    """Has other flags for some clips.

    Args:
      first: the first clip.
      packed: the flags of it and those that follow. Shape [n, ⌈classes / 8⌉], uint8.
    """
    everything = self._packed.numpy()
    everything[first : first + len(packed)] = packed
    self._packed.assign(everything)
