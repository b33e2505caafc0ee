"""Training targets: from a clip's labels and a label set to three states.

1 positive, 0 negative, −1 ignored: ML20's "multi-hot target vectors with three states".
"""

import tensorflow as tf

from audioset_ml.errors import RecordError
from audioset_ml.labels.label_set import LabelSet
from audioset_ml.records.folder import RecordsFolder

POSITIVE, NEGATIVE, IGNORED = 1, 0, -1


class LabelSetLookup:
  """A label set as a tf.data function can ask it: which classes to ignore in a clip.

  The bits stay packed, a bit a label; 135 MB for AudioSet's two million clips.
  """

  def __init__(self, label_set: LabelSet, records: RecordsFolder):
    """Args: the label set, and the records whose clips it must cover.

    Raises:
      RecordError: the label set is of other classes, or lacks clips of the records.
    """
    records.require_class_map(label_set.class_map, f'label set {label_set.path}')
    missing = set(records.clip_ids).difference(label_set.clip_ids)
    if missing:
      raise RecordError(
        f'label set {label_set.path}: lacks {len(missing)} of the '
        f'{len(records.clip_ids)} clips of {records.path}, {min(missing)} for one; '
        'score and enhance these records'
      )
    self._row_of = tf.lookup.StaticHashTable(
      tf.lookup.KeyValueTensorInitializer(
        tf.constant(label_set.clip_ids),
        tf.range(len(label_set.clip_ids), dtype=tf.int64),
      ),
      default_value=-1,
    )
    self._packed = tf.constant(label_set.packed)
    self._num_classes = len(label_set.class_map)

  def ignored(self, clip_id: tf.Tensor) -> tf.Tensor:
    """Whether each class is ignored in a clip. Shape [classes], bool."""
    packed = tf.gather(self._packed, self._row_of.lookup(clip_id))  # [bytes]
    # numpy.packbits puts the first class into the highest bit.
    masks = tf.constant([128, 64, 32, 16, 8, 4, 2, 1], tf.uint8)
    bits = tf.bitwise.bitwise_and(packed[:, tf.newaxis], masks)  # [bytes, 8]
    return tf.reshape(bits > 0, [-1])[: self._num_classes]


def clip_target(
  record: dict[str, tf.Tensor], num_classes: int, lookup: LabelSetLookup | None
) -> tf.Tensor:
  """The target of every patch of a clip in the weak label mode.

  Only what nobody was asked about can be ignored: a listed label stands, whatever the
  label set says.

  Args:
    record: a parsed record with its weak labels.
    num_classes: number of classes.
    lookup: the label set, or None for none.

  Returns:
    int8, shape [classes]: 1 positive, 0 negative, −1 ignored.
  """
  target = tf.zeros([num_classes], tf.int8)
  if lookup is not None:
    target = -tf.cast(lookup.ignored(record['clip_id']), tf.int8)
  target = tf.tensor_scatter_nd_update(
    target,
    record['weak/class'][:, tf.newaxis],
    tf.cast(record['weak/present'], tf.int8),
  )
  return tf.ensure_shape(target, [num_classes])
