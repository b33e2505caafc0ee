import dataclasses
import shutil

import numpy as np
import pytest
import tensorflow as tf

from audioset_ml.audio import decoding
from audioset_ml.audio.front_end import FrontEnd
from audioset_ml.audio.waveform_features import padded_log_mel
from audioset_ml.core.errors import InputError, RecordError
from audioset_ml.labels.clip_labels import ClipLabels, StrongEvent
from audioset_ml.labels.states import LabelState
from audioset_ml.records import inspection, schema
from audioset_ml.records.folder import RecordsFolder


@pytest.fixture(scope='module')
def records(small_records):
  return RecordsFolder.open(small_records)


@pytest.fixture
def copied(small_records, tmp_path):
  """A copy of the records that a test may spoil: as of old ones, no checksum tells."""
  opened = RecordsFolder.open(shutil.copytree(small_records, tmp_path / 'copied'))
  return dataclasses.replace(opened, files={})


def log_mel_of(waveform):
  log_mel = padded_log_mel(waveform, FrontEnd())
  return log_mel.astype(np.float16).astype(np.float32)


def rewrite(shard, change):
  """Writes a shard anew, each record as `change(example)` gives it."""
  records = [
    tf.train.Example.FromString(r.numpy()) for r in tf.data.TFRecordDataset(shard)
  ]
  with tf.io.TFRecordWriter(shard) as writer:
    for example in records:
      writer.write(change(example))


def test_a_clip_has_its_labels_and_its_spectrogram(records, small_data):
  clip = inspection.read_clip(records, 'clip0000001_1000')
  # As write_small_data says: tones 1 and 2 over the whole clip, tone 0 refuted.
  assert clip.labels == ClipLabels(
    'clip0000001_1000',
    weak={
      0: LabelState.EXPLICIT_NEGATIVE,
      1: LabelState.EXPLICIT_POSITIVE,
      2: LabelState.EXPLICIT_POSITIVE,
    },
    strong=(StrongEvent(1, 0.0, 2.0), StrongEvent(2, 0.0, 2.0)),
  )
  waveform = decoding.load_audio(small_data / 'audio' / 'clip0000001_1000.flac')
  np.testing.assert_array_equal(clip.frames, log_mel_of(waveform))
  assert clip.frames.dtype == np.float32
  assert clip.seconds == pytest.approx(2.0)


def test_every_clip_is_found_where_it_is(records):
  clips = [inspection.read_clip(records, clip_id) for clip_id in records.clip_ids]
  assert tuple(clip.labels.clip_id for clip in clips) == records.clip_ids
  labels = inspection.read_first_labels(records, 100)
  assert tuple(clip.labels for clip in clips) == labels
  assert inspection.read_first_labels(records, 4) == labels[:4]


def test_derived_labels_and_refuted_stretches_are_read(copied):
  labels = ClipLabels(
    copied.clip_ids[0],
    weak={2: LabelState.IMPLICIT_POSITIVE},
    strong=(
      StrongEvent(0, 0.125, 0.96, present=False),
      StrongEvent(1, 0.333, 1.474),  # neither is exact in float32
    ),
  )
  rewrite(
    copied.shards[0],
    lambda example: (
      schema.relabel(example, labels)
      if schema.clip_id_of(example) == labels.clip_id
      else example.SerializeToString()
    ),
  )
  assert inspection.read_clip(copied, labels.clip_id).labels == labels


def test_the_length_is_the_sounds_without_padding(records):
  assert inspection.read_clip(records, records.clip_ids[0]).seconds == 2.0


def test_only_the_shard_of_the_clip_is_read(copied):
  shard_of = {clip_id: row.shard for clip_id, row in copied.read_clips().items()}
  clip_id = copied.clip_ids[-1]
  for index, shard in enumerate(copied.shards):
    if index != shard_of[clip_id]:
      with open(shard, 'wb') as file:
        file.write(b'no record' * 10)
  assert inspection.read_clip(copied, clip_id).labels.clip_id == clip_id
  other = next(name for name in copied.clip_ids if shard_of[name] != shard_of[clip_id])
  with pytest.raises(RecordError, match='damaged'):
    inspection.read_clip(copied, other)
  with pytest.raises(RecordError, match='damaged'):
    inspection.read_first_labels(copied, 100)


def test_clips_whose_features_were_exchanged_are_not_shown(small_records, tmp_path):
  copied = RecordsFolder.open(shutil.copytree(small_records, tmp_path / 'copied'))
  first, second, *_ = copied.clip_ids
  assert copied.read_clips()[first].shard == copied.read_clips()[second].shard == 0
  kept = {}

  def keep(example):
    kept[schema.clip_id_of(example)] = example.features.feature['log_mel']
    return example.SerializeToString()

  def exchange(example):
    other = {first: second, second: first}.get(schema.clip_id_of(example))
    if other:
      example.features.feature['log_mel'].CopyFrom(kept[other])
    return example.SerializeToString()

  rewrite(copied.shards[0], keep)
  rewrite(copied.shards[0], exchange)
  with pytest.raises(RecordError, match='is not as it was written'):
    inspection.read_clip(copied, first)
  # The other shards are of no concern.
  assert inspection.read_clip(copied, copied.clip_ids[-1]).frames.size


def test_shards_that_lack_their_clips_are_told(copied):
  for shard in copied.shards:
    open(shard, 'wb').close()
  with pytest.raises(RecordError, match=r'not in it, though clips\.csv'):
    inspection.read_clip(copied, copied.clip_ids[0])
  with pytest.raises(RecordError, match='other clips'):
    inspection.read_first_labels(copied, 3)


def test_an_unknown_clip_is_told_with_a_similar_one(records):
  with pytest.raises(InputError, match=r'did you mean clip0000007_7000\?.*clips\.csv'):
    inspection.read_clip(records, 'clip0000007')
  with pytest.raises(InputError) as error:
    inspection.read_clip(records, '%%%')
  assert 'did you mean' not in str(error.value)
