"""Records are read many at a time; nothing of an example depends on it."""

import numpy as np
import pytest
import tensorflow as tf

from audioset_ml.core.errors import InputError
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.labels.clip_labels import ClipLabels
from audioset_ml.labels.states import LabelState
from audioset_ml.records import schema
from audioset_ml.records.augment_config import AugmentConfig
from audioset_ml.records.folder import RecordsFolder
from audioset_ml.records.frames import FrameFormat
from audioset_ml.records.training_input import InputConfig, training_dataset
from audioset_ml.records.training_source import Source

KINDS = {
  'log_mel': FrameFormat.log_mel(),
  'published': FrameFormat.audioset_embeddings(),
  'network': FrameFormat.log_mel().embeddings(16, 'x', 'embeddings of x'),
}
CLIPS = 40


@pytest.fixture(params=KINDS)
def records(request, tmp_path):
  """Clips of several lengths; the first value of a frame tells clip and frame."""
  frames = KINDS[request.param]
  shards = [str(tmp_path / f'{number}') for number in range(2)]
  ids = []
  for place, shard in enumerate(shards):
    with tf.io.TFRecordWriter(shard) as writer:
      for number in range(place, CLIPS, 2):
        ids.append(f'clip{number}_0')
        stored = np.zeros((frames.patch_frames + number % 7, frames.values))
        stored[:, 0], stored[:, 1] = number, np.arange(len(stored))
        labels = ClipLabels(ids[-1], {number % 3: LabelState.EXPLICIT_POSITIVE})
        writer.write(schema.serialize(labels, stored, frames))
  class_map = ClassMap(tuple('abc'), tuple('abc'))
  return RecordsFolder(tmp_path, tuple(shards), tuple(ids), class_map, frames)


def examples_of(records, batches, **options):
  """(clip, first frame, target) of each example."""
  config = InputConfig(batch_size=8, seed=5, **options)
  data = training_dataset(Source(records), config).take(batches)
  patches, targets = zip(*data.as_numpy_iterator(), strict=True)
  patches = np.concatenate(patches)
  assert patches.dtype == np.float32
  assert patches.shape[1:] == records.frames.patch_shape
  numbers = (patches[:, 0, :2] - records.frames.offset) / records.frames.scale
  targets = [tuple(row) for row in np.concatenate(targets).tolist()]
  return list(zip(*numbers.round().astype(int).T.tolist(), targets, strict=True))


def plain_examples(records, epochs, seed=5):
  """A slow twin: one example after the other, each patch drawn by TensorFlow."""
  for epoch in range(epochs):
    order = tf.random.experimental.stateless_shuffle(
      tf.constant(records.shards), seed=tf.constant([seed, epoch], tf.int64)
    )
    contents = [list(tf.data.TFRecordDataset(shard)) for shard in order.numpy()]
    in_turn = [one for pair in zip(*contents, strict=True) for one in pair]
    for place, serialized in enumerate(in_turn):
      record = schema.parse(serialized, records.frames)
      starts = int(record['num_frames']) - records.frames.patch_frames + 1
      number = tf.constant([seed, epoch * CLIPS + place], tf.int64)
      start = tf.random.stateless_uniform([], number, maxval=starts, dtype=tf.int64)
      clip = int(record['clip_id'].numpy()[4:-2])
      target = tuple(int(index == clip % 3) for index in range(3))
      yield clip, int(start), target


def test_each_example_is_what_it_is_alone(records):
  found = examples_of(records, 10, shuffle_buffer=1)
  assert found == list(plain_examples(records, 2))


def test_a_run_goes_on_within_a_block(records, tmp_path):
  config = InputConfig(batch_size=8, shuffle_buffer=10)
  iterator = iter(training_dataset(Source(records), config))
  for _ in range(3):
    next(iterator)
  path = tf.train.Checkpoint(iterator=iterator).save(tmp_path / 'position')
  expected = [next(iterator) for _ in range(12)]
  again = iter(training_dataset(Source(records), config))
  tf.train.Checkpoint(iterator=again).restore(path).assert_consumed()
  for batch in expected:
    for one, other in zip(batch, next(again), strict=True):
      np.testing.assert_array_equal(one, other)


def test_embeddings_are_not_augmented_as_sound(records):
  config = InputConfig(augment=AugmentConfig(gain_db=6))
  if records.frames.front_end:
    training_dataset(Source(records), config)
  else:
    with pytest.raises(InputError, match='--gain_db changes loudness, but'):
      training_dataset(Source(records), config)
