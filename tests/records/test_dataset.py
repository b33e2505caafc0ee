import dataclasses
import shutil

import numpy as np
import pytest
import tensorflow as tf

from audioset_ml.audio import decoding, features, waveform_features
from audioset_ml.audio.front_end import FrontEnd
from audioset_ml.core.errors import InputError, RecordError
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.labels.label_set import LabelSet
from audioset_ml.labels.states import LabelState
from audioset_ml.records import dataset
from audioset_ml.records.folder import RecordsFolder
from audioset_ml.records.frames import FrameFormat
from audioset_ml.records.training_input import InputConfig, training_dataset
from audioset_ml.records.training_source import Source
from tests.small_data import CLASS_MAP

pytestmark = pytest.mark.few


@pytest.fixture(scope='module')
def records(small_records):
  return RecordsFolder.open(small_records)


def label_set_of(records, ignored, class_map=CLASS_MAP, clip_ids=None):
  return LabelSet(
    'flags', clip_ids or records.clip_ids, class_map, np.packbits(ignored, axis=1)
  )


def take(records, batches, label_set=None, **changes):
  config = InputConfig(**{'batch_size': 4, 'seed': 3, **changes})
  source = Source(records, label_set=label_set)
  return list(training_dataset(source, config).take(batches).as_numpy_iterator())


def test_every_epoch_sees_each_clip_once(records):
  batches = take(records, 3, batch_size=4, shuffle_buffer=1)
  assert batches[0][0].shape == (4, 96, 64)
  assert batches[0][0].dtype == np.float32
  found = sorted(tuple(target) for _, targets in batches for target in targets)
  positive = dataset.read_label_table(records).dense() == LabelState.EXPLICIT_POSITIVE
  assert found == sorted(map(tuple, positive.astype(int)))


@pytest.mark.parametrize('patches_per_clip', [1, 4])
def test_patches_are_cut_from_the_clips_at_changing_frames(
  records, small_data, patches_per_clip
):
  spectrograms = []
  for clip_id in records.clip_ids:
    waveform = decoding.load_audio(small_data / 'audio' / f'{clip_id}.flac')
    log_mel = waveform_features.padded_log_mel(waveform, records.frames.front_end)
    spectrograms.append(log_mel.astype(np.float16))
  starts = set()
  for patches, _ in take(records, 6, patches_per_clip=patches_per_clip):
    for patch in patches.astype(np.float16):
      matches = [
        start
        for log_mel in spectrograms
        for start in range(len(log_mel) - 95)
        if np.array_equal(log_mel[start : start + 96], patch)
      ]
      assert matches, 'a patch that is in no clip'
      starts.add(matches[0])
  assert len(starts) > 12


def test_the_same_seed_gives_the_same_batches_and_another_does_not(records):
  first, second, other = take(records, 4), take(records, 4), take(records, 4, seed=4)
  for (a, x), (b, y) in zip(first, second, strict=True):
    assert np.array_equal(a, b)
    assert np.array_equal(x, y)
  assert not np.array_equal(first[0][0], other[0][0])


def test_a_restored_iterator_goes_on_where_it_was(records, tmp_path):
  data = training_dataset(Source(records), InputConfig(4, seed=1))
  iterator = iter(data)
  for _ in range(5):
    next(iterator)
  path = tf.train.Checkpoint(iterator=iterator).save(tmp_path / 'position')
  expected = [next(iterator)[0].numpy() for _ in range(4)]
  again = iter(data)
  tf.train.Checkpoint(iterator=again).restore(path)
  for patch in expected:
    assert np.array_equal(patch, next(again)[0])


def test_a_label_set_turns_implicit_negatives_into_ignored(records):
  ignored = np.ones((len(records.clip_ids), 3), bool)
  targets = np.concatenate(
    [t for _, t in take(records, 3, label_set_of(records, ignored), shuffle_buffer=1)]
  )
  states = dataset.read_label_table(records).dense()
  meaning = np.array([-1, 1, 0, 1])  # by state: everything implicit is flagged
  assert sorted(map(tuple, targets)) == sorted(map(tuple, meaning[states]))
  assert (targets == -1).any()


def test_the_label_set_is_joined_by_clip_not_by_row(records):
  ignored = np.zeros((len(records.clip_ids), 3), bool)
  ignored[4] = True
  order = [7, 4, *[i for i in range(len(ignored)) if i not in (4, 7)]]
  shuffled = label_set_of(
    records, ignored[order], clip_ids=tuple(records.clip_ids[i] for i in order)
  )
  targets = np.concatenate([t for _, t in take(records, 3, shuffled, shuffle_buffer=1)])
  states = dataset.read_label_table(records).dense()
  expected = np.array([0, 1, 0, 1])[states]
  expected[4] = np.array([-1, 1, 0, 1])[states[4]]
  assert sorted(map(tuple, targets)) == sorted(map(tuple, expected))


def test_a_label_set_must_cover_the_clips_and_classes(records):
  ignored = np.zeros((len(records.clip_ids), 3), bool)
  fewer = label_set_of(records, ignored[:-2], clip_ids=records.clip_ids[:-2])
  with pytest.raises(RecordError, match='lacks 2 of 12 clips'):
    take(records, 1, fewer)
  other = ClassMap(('/m/low', '/m/high', '/m/middle'), ('a', 'b', 'c'))
  with pytest.raises(RecordError, match=r'class 1 is /m/middle, but in label set'):
    take(records, 1, label_set_of(records, ignored, other))


def test_evaluation_sees_all_overlapping_patches_in_order(records, small_data):
  flat, owner = [], []
  for number, (patches, clip) in enumerate(dataset.clip_patches(records, 5)):
    flat.append(patches.numpy())
    owner.append(clip.numpy() + 5 * number)
  flat, owner = np.concatenate(flat), np.concatenate(owner)
  assert np.bincount(owner).tolist() == [4] * 12  # 240 frames: 0, 48, 96, 144
  clip_id = records.clip_ids[9]
  waveform = decoding.load_audio(small_data / 'audio' / f'{clip_id}.flac')
  front_end = records.frames.front_end
  padded = features.pad_waveform(tf.constant(waveform), front_end)
  expected = features.frame_patches(
    features.log_mel_spectrogram(padded, front_end), front_end
  )
  assert np.abs(flat[owner == 9] - expected).max() < 0.005  # float16


def test_a_damaged_shard_is_named(small_records, tmp_path):
  copy = tmp_path / 'records'
  shutil.copytree(small_records, copy)
  shard = copy / 'records-00001-of-00003.tfrecord'
  shard.write_bytes(shard.read_bytes()[:-1000])
  with pytest.raises(RecordError, match=f'{shard.name}: has'):
    dataset.read_label_table(RecordsFolder.open(copy))
  shard.unlink()
  with pytest.raises(RecordError, match='records-00001-of-00003'):
    RecordsFolder.open(copy)
  (copy / 'run.json').unlink()
  with pytest.raises(InputError, match='not a finished `prepare` folder'):
    RecordsFolder.open(copy)


def test_records_of_another_front_end_or_map_do_not_fit(records):
  other = dataclasses.replace(
    records, frames=FrameFormat.log_mel(FrontEnd(mel_max_hz=8000.0))
  )
  with pytest.raises(RecordError, match='has mel_max_hz = 7500'):
    records.require_like(other)
  fewer = dataclasses.replace(records, class_map=ClassMap(('/m/low',), ('Low',)))
  with pytest.raises(RecordError, match=r'has 3 classes, but .* has 1'):
    records.require_like(fewer)
