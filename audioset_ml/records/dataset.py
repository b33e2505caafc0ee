"""The tf.data input: records to batches for training, and to whole clips.

Training sees, of each clip and epoch, one patch that starts at a random frame (SL21
section 4); evaluation sees all patches of a clip, overlapping by half (ML20 IV).
"""

import contextlib
import dataclasses
from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from audioset_ml.audio.front_end import FrontEnd
from audioset_ml.errors import InputError, RecordError
from audioset_ml.labels.label_set import LabelSet
from audioset_ml.labels.states import LabelState, LabelTable
from audioset_ml.records import schema
from audioset_ml.records.folder import RecordsFolder
from audioset_ml.records.targets import LABEL_MODES, LabelSetLookup, TargetMaker

_SHARDS_AT_ONCE = 4


@dataclasses.dataclass(frozen=True)
class InputConfig:
  """How training reads records.

  Attributes:
    batch_size: patches a batch.
    shuffle_buffer: patches that are held to be shuffled (12 kB each).
    seed: of the order of shards, clips and of the patches' places.
    label_mode: weak, diffuse or strong labels (SL21); the last two use the clips with
      strong labels alone.
    strong_clips_only: the same clips with their weak labels: SL21's Weak-67k.
  """

  batch_size: int = 64
  shuffle_buffer: int = 4096
  seed: int = 0
  label_mode: str = 'weak'
  strong_clips_only: bool = False

  def __post_init__(self):
    if self.label_mode not in LABEL_MODES:
      choices = ', '.join(LABEL_MODES)
      raise InputError(f'label_mode is {self.label_mode!r}: choose from {choices}')

  @property
  def needs_strong(self) -> bool:
    """Whether only clips with strong labels are read."""
    return self.strong_clips_only or self.label_mode != 'weak'


def training_dataset(
  records: RecordsFolder,
  config: InputConfig,
  label_set: LabelSet | None = None,
  implied: np.ndarray | None = None,
) -> tf.data.Dataset:
  """Endless batches of random patches with their three-state targets.

  Every clip is read once an epoch; the shuffle buffer mixes the ends of epochs.

  Args:
    records: the records.
    config: how to read them.
    label_set: which implicit negatives to ignore; None ignores none.
    implied: which classes each class implies (label smearing); None for none.

  Returns:
    (log_mel [batch, 96, 64] float32, target [batch, classes] int8: 1 positive,
    0 negative, −1 ignored).

  Raises:
    RecordError: the label set is of other clips or classes, or there are no strong
      labels where they are needed.
  """
  _check_labels(records, config, label_set)
  lookup = LabelSetLookup(label_set, records) if label_set else None
  targets = TargetMaker(
    records.num_classes, records.front_end, config.label_mode, lookup, implied
  )

  def example(index: tf.Tensor, serialized: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    record = schema.parse(serialized, strong=config.label_mode != 'weak')
    start = random_start(record, (config.seed, index), records.front_end)
    patch = cut_patch(record, start, records.front_end)
    return patch, targets.target(record, start)

  def epoch(number: tf.Tensor) -> tf.data.Dataset:
    # Dataset.shuffle in here would be state that no checkpoint can hold.
    order = tf.random.experimental.stateless_shuffle(
      tf.constant(records.shards), seed=tf.stack([config.seed, number])
    )
    return tf.data.Dataset.from_tensor_slices(order).interleave(
      tf.data.TFRecordDataset,
      cycle_length=min(_SHARDS_AT_ONCE, len(records.shards)),
      num_parallel_calls=tf.data.AUTOTUNE,
      deterministic=True,
    )

  serialized = tf.data.Dataset.counter().flat_map(epoch)
  if config.needs_strong:
    serialized = serialized.filter(schema.has_strong_labels)
  # The patch's place depends on the example's number alone: a restored iterator goes
  # on exactly where it was.
  examples = serialized.enumerate().map(
    example, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True
  )
  buffer = min(config.shuffle_buffer, max(len(records.clip_ids), config.batch_size))
  return (
    examples.shuffle(buffer, config.seed)
    .batch(config.batch_size, drop_remainder=True)
    .map(lambda patch, target: (tf.cast(patch, tf.float32), target))
    .prefetch(tf.data.AUTOTUNE)
  )


def _check_labels(
  records: RecordsFolder, config: InputConfig, label_set: LabelSet | None
) -> None:
  if config.needs_strong and not records.counts.get('strongly_labelled_clips'):
    raise RecordError(
      f'{records.path}: no clip has strong labels; prepare with --strong_tsv (with '
      '--labels_only the features need not be made again)'
    )
  if label_set and config.label_mode != 'weak':
    raise InputError(
      f'a label set ({label_set.path}) ignores labels that may be missing from weak '
      f'labels, but label_mode is {config.label_mode}'
    )


def random_start(
  record: dict[str, tf.Tensor], seed: tuple[int, tf.Tensor], front_end: FrontEnd
) -> tf.Tensor:
  """A random frame at which a whole patch of a clip starts.

  Args:
    record: a parsed record.
    seed: two integers that alone decide the frame.
    front_end: the records' front end.
  """
  starts = record['num_frames'] - front_end.patch_frames + 1
  return tf.random.stateless_uniform(
    [], seed=tf.stack(seed), maxval=starts, dtype=tf.int64
  )


def cut_patch(
  record: dict[str, tf.Tensor], start: tf.Tensor, front_end: FrontEnd
) -> tf.Tensor:
  """The patch that starts at a frame of a clip. Shape [96, 64], float16."""
  frames = tf.constant(front_end.patch_frames, tf.int64)
  patch = schema.decode_frames(record['log_mel'], start, frames, front_end)
  return tf.ensure_shape(patch, [front_end.patch_frames, front_end.mel_bands])


def clip_patches_dataset(records: RecordsFolder, clips_a_batch: int) -> tf.data.Dataset:
  """All 50 %-overlapped patches of every clip, in the order of `records.clip_ids`.

  Returns:
    (log_mel [patches, 96, 64] float32 of the batch's clips one after the other,
    clip [patches] int64: which clip of the batch a patch is of).
  """
  # Imported here, since training never needs it.
  from audioset_ml.audio import features

  def patches(serialized: tf.Tensor) -> tf.Tensor:
    record = schema.parse(serialized, weak=False)
    log_mel = schema.decode_frames(
      record['log_mel'],
      tf.constant(0, tf.int64),
      record['num_frames'],
      records.front_end,
    )
    return features.frame_patches(log_mel, records.front_end)

  def flat(batch: tf.RaggedTensor) -> tuple[tf.Tensor, tf.Tensor]:
    return tf.cast(batch.values, tf.float32), batch.value_rowids()

  return (
    tf.data.TFRecordDataset(list(records.shards))
    .map(patches, num_parallel_calls=tf.data.AUTOTUNE)
    .ragged_batch(clips_a_batch)
    .map(flat)
    .prefetch(tf.data.AUTOTUNE)
  )


@contextlib.contextmanager
def damage_named(records: RecordsFolder) -> Iterator[None]:
  """Turns TensorFlow's error for a damaged shard into a RecordError."""
  try:
    yield
  except tf.errors.DataLossError as error:
    raise RecordError(
      f'{records.path}: a shard is damaged ({error.message}); prepare the records again'
    ) from None


def read_label_table(records: RecordsFolder) -> LabelTable:
  """The states of all labels that the records list, without reading the features.

  Raises:
    RecordError: the shards hold other clips than clips.csv says, or are damaged.
  """
  clip_ids, listed = [], []
  dataset = tf.data.TFRecordDataset(list(records.shards)).map(
    lambda serialized: schema.parse(serialized, log_mel=False),
    num_parallel_calls=tf.data.AUTOTUNE,
  )
  with damage_named(records):
    for record in dataset.as_numpy_iterator():
      clip_ids.append(record['clip_id'].decode())
      flags = zip(record['weak/present'], record['weak/explicit'], strict=True)
      states = [LabelState.of(present, explicit) for present, explicit in flags]
      listed.append((record['weak/class'], states))
  if tuple(clip_ids) != records.clip_ids:
    raise RecordError(
      f'{records.path}: its shards hold other clips than its clips.csv; '
      'run prepare again into a new folder'
    )
  return LabelTable.from_lists(clip_ids, records.num_classes, listed)
