"""Whole clips from records: all their patches, overlapping by half, or their labels.

Evaluation sees all patches (ML20 IV); `training_input` has the batches for training.
"""

import contextlib
import dataclasses
import functools
import os
import pathlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from audioset_ml.core.errors import RecordError
from audioset_ml.labels.states import LabelTable
from audioset_ml.labels.unmarked import UnmarkedLabels
from audioset_ml.records import record_writer, schema
from audioset_ml.records.folder import RecordsFolder
from audioset_ml.records.frames import FrameFormat

_LABELS_A_BATCH = 1024


def clip_patches(
  records: RecordsFolder, clips_a_batch: int, chosen: np.ndarray | None = None
) -> Iterator[tuple[tf.Tensor, tf.Tensor]]:
  """All 50 %-overlapped patches of every clip, in the order of `records.clip_ids`.

  Args:
    records: the clips.
    clips_a_batch: how many clips a batch has.
    chosen: which clips to read; None for all. Shape [clips], bool.

  Yields:
    (frames [patches, 96, 64] float32 of the batch's clips one after the other,
    clip [patches] int64: which clip of the batch a patch is of).

  Raises:
    RecordError: a shard is not as it was written.
  """
  records.verify()
  frames, serialized = records.frames, _serialized(records, chosen)
  if frames.patch_frames == frames.patch_hop_frames == 1:
    # A dataset of its own function would trace it anew for each shard that is scored,
    # which takes longer than to read it.
    whole_clips = _whole_clips(frames)
    for block in serialized.batch(clips_a_batch):
      yield whole_clips(block)
    return

  def patches(serialized: tf.Tensor) -> tf.Tensor:
    record = schema.parse(serialized, frames, weak=False)
    stored = schema.decode_frames(
      record['frames'], tf.constant(0, tf.int64), record['num_frames'], frames
    )
    return tf.signal.frame(stored, frames.patch_frames, frames.patch_hop_frames, axis=0)

  def flat(batch: tf.RaggedTensor) -> tuple[tf.Tensor, tf.Tensor]:
    return schema.as_floats(batch.values, frames), batch.value_rowids()

  yield from (
    serialized.map(patches, num_parallel_calls=tf.data.AUTOTUNE)
    .ragged_batch(clips_a_batch)
    .map(flat)
    .prefetch(tf.data.AUTOTUNE)
  )


def copy_clips(
  records: RecordsFolder, chosen: np.ndarray, path: pathlib.Path
) -> RecordsFolder:
  """Copies clips into a shard of their own, to be read over and over.

  To pass over the others takes a millisecond a clip.

  Args:
    records: the clips.
    chosen: which of them. Shape [clips], bool.
    path: the shard.

  Returns:
    The records of those clips.

  Raises:
    RecordError: a shard is not as it was written.
    OSError: the copy can't be written.
  """
  records.verify()
  with damage_named(records.path), record_writer.opened(path) as write:
    for one in _serialized(records, chosen):
      write(one.numpy())
  ids = tuple(records.clip_ids[clip] for clip in np.flatnonzero(chosen))
  return dataclasses.replace(records, shards=(str(path),), clip_ids=ids, files={})


def _serialized(
  records: RecordsFolder, chosen: np.ndarray | None = None
) -> tf.data.Dataset:
  """The serialized records of clips, in their order; of all where none are chosen."""
  serialized = tf.data.TFRecordDataset(list(records.shards))
  if chosen is None:
    return serialized
  wanted = tf.data.Dataset.from_tensor_slices(chosen)
  pairs = tf.data.Dataset.zip(serialized, wanted).filter(lambda _, keep: keep)
  return pairs.map(lambda one, _: one)


@functools.cache
def _whole_clips(frames: FrameFormat) -> Callable:
  """Reads the patches of a block of records in which each frame is a patch."""

  @tf.function(input_signature=[tf.TensorSpec([None], tf.string)], autograph=False)
  def whole_clips(serialized: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    record = schema.parse_batch(serialized, frames, weak=False)
    joined = tf.strings.reduce_join(record['frames'])
    stored = tf.io.decode_raw(joined, frames.dtype, little_endian=True)
    numbers = record['num_frames']
    clip = tf.repeat(tf.range(tf.size(numbers, tf.int64)), numbers)
    patches = tf.reshape(stored, [-1, *frames.patch_shape])
    return schema.as_floats(patches, frames), clip

  return whole_clips


@contextlib.contextmanager
def damage_named(path: str | os.PathLike) -> Iterator[None]:
  """Turns TensorFlow's error for a damaged shard into a RecordError.

  Args:
    path: the shard, or the records' folder where it isn't known which.
  """
  try:
    yield
  except tf.errors.DataLossError as error:
    raise RecordError(
      f'{path}: a shard is damaged ({error.message}); prepare the records again'
    ) from None


def label_records(
  records: RecordsFolder, clips: int | None = None, strong: bool = False
) -> Iterator[dict[str, Any]]:
  """What the records say of labels, one after the other, without the features.

  Args:
    records: the records.
    clips: how many to read, from the first on; None for all.
    strong: whether to read the labels with times.

  Yields:
    A record's features: bytes, and arrays of what is a list; see `schema.parse`.

  Raises:
    RecordError: a shard is damaged.
  """
  # Parsed and handed over many at once: TensorFlow's iterator takes .4 ms an element.
  batches = (
    tf.data.TFRecordDataset(list(records.shards))
    .take(-1 if clips is None else clips)
    .batch(_LABELS_A_BATCH)
    .map(lambda serialized: schema.parse_batch(serialized, strong=strong))
    .prefetch(1)
  )
  with damage_named(records.path):
    for batch in batches:
      columns = {name: _rows(values) for name, values in batch.items()}
      for row in zip(*columns.values(), strict=True):
        yield dict(zip(columns, row, strict=True))


def _rows(values: tf.Tensor | tf.RaggedTensor) -> Sequence:
  """The values of each record of a batch."""
  if not isinstance(values, tf.RaggedTensor):
    return values.numpy()
  return np.split(values.values.numpy(), values.row_splits.numpy()[1:-1])


def read_label_table(records: RecordsFolder) -> LabelTable:
  """The states of all labels that the records hold, without reading the features.

  Raises:
    RecordError: the shards hold other clips than clips.csv says, or are damaged.
  """
  records.verify()
  clip_ids, listed, unmarked = [], [], {}
  for record in label_records(records):
    if record['unmarked']:
      unmarked[len(clip_ids)] = record['unmarked']
    clip_ids.append(record['clip_id'].decode())
    listed.append(schema.weak_labels(record))
  if tuple(clip_ids) != records.clip_ids:
    raise RecordError(
      f'{records.path}: its shards hold other clips than its clips.csv; '
      'run prepare again into a new folder'
    )
  return LabelTable.from_lists(
    clip_ids, records.num_classes, listed, UnmarkedLabels.of_bytes(unmarked)
  )
