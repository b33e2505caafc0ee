"""Targets that scores have softened; see `soft_scores`."""

from collections.abc import Callable

import tensorflow as tf

from audioset_ml.records.folder import RecordsFolder
from audioset_ml.records.soft_scores import SoftScores
from audioset_ml.records.targets import (
  EXPLICIT_NEGATIVE,
  FLAGGED,
  IGNORED,
  NEGATIVE,
  TargetMaker,
)


class SoftTargetMaker:
  """Makes soft targets of what a `TargetMaker` makes, and is used in its place."""

  def __init__(self, maker: TargetMaker, soft: SoftScores, records: RecordsFolder):
    """Args: what makes hard targets, which tells explicit negatives if only implicit
    ones are softened; the scores; the records that they are of."""
    self._maker, self._soft = maker, soft
    clip_ids = tf.constant(records.clip_ids)
    rows = tf.range(len(records.clip_ids), dtype=tf.int64)
    self._row_of = tf.lookup.StaticHashTable(
      tf.lookup.KeyValueTensorInitializer(clip_ids, rows), -1
    )
    self._hop = records.frames.patch_hop_frames

  @property
  def needs_events(self) -> bool:
    """See `TargetMaker.needs_events`."""
    return self._maker.needs_events

  def targets(self, record: dict[str, tf.Tensor], starts: tf.Tensor) -> tf.Tensor:
    """The targets of a patch of each of some clips.

    Returns:
      float32, shape [batch, classes]: from 0 to 1, or −1 ignored.
    """
    target = self._maker.targets(record, starts)
    softened = {
      'all': target != IGNORED,
      'implicit': target == NEGATIVE,
      'flagged': target == FLAGGED,
    }[self._soft.config.on]
    rows = self._row_of.lookup(record['clip_id'])
    # Scored patches begin with every hop.
    nearest = (starts + self._hop // 2) // self._hop
    scores = self._of_teachers(self._soft.of, rows, nearest, target.shape)
    negative = (target == EXPLICIT_NEGATIVE) | (target == FLAGGED)
    hard = tf.cast(
      tf.where(negative, tf.constant(NEGATIVE, tf.int8), target), tf.float32
    )
    if self._soft.leaves_labels:
      known = self._of_teachers(self._soft.are_known, rows, nearest, target.shape)
      scores += (1.0 - known) * hard
    weight = self._soft.config.weight
    return tf.where(softened, (1.0 - weight) * hard + weight * scores, hard)

  def _of_teachers(
    self, function: Callable, rows: tf.Tensor, nearest: tf.Tensor, shape: tf.TensorShape
  ) -> tf.Tensor:
    """What a function of `SoftScores` gives in a graph. Shape [batch, classes]."""
    found = tf.numpy_function(function, [rows, nearest], tf.float32, stateful=False)
    return tf.ensure_shape(found, shape)
