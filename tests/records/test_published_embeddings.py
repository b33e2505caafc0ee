"""Records of AudioSet's published embeddings."""

import contextlib
import csv
import math
import shutil
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from audioset_ml.core.errors import InputError, LabelError, RecordError, UnfinishedError
from audioset_ml.labels.label_files import LabelFiles
from audioset_ml.records import pipeline
from audioset_ml.records.dataset import clip_patches, read_label_table
from audioset_ml.records.embedding_files import read_clips, read_file
from audioset_ml.records.folder import RecordsFolder
from audioset_ml.records.frames import FrameFormat
from audioset_ml.records.inspection import read_clip
from audioset_ml.records.prepare_config import PrepareConfig
from tests.small_embeddings import (
  embeddings_of,
  sequence_example,
  write_shard,
  write_small_embeddings,
)
from tests.stages import ROOT

CLIPS = 24


@pytest.fixture
def data(tmp_path):
  return write_small_embeddings(tmp_path / 'data', CLIPS)


def config_of(data, **options):
  labels = LabelFiles(str(data / 'class_map.csv'), (str(data / 'segments.csv'),))
  given = {'features_dirs': (str(data / 'features'),), 'clips_per_shard': 5, **options}
  return PrepareConfig(labels, **given)


def prepare(data, out, **options):
  """Prepares records as the stage does; returns them, opened."""
  from audioset_ml.core import folders

  out.mkdir()
  counts, details = pipeline.prepare(config_of(data, **options), out)
  run = {'stage': 'prepare', 'counts': counts, **details}
  folders.write_json(out / 'run.json', run)
  return RecordsFolder.open(out)


def skipped(records):
  with open(records.path / 'skipped.csv') as file:
    return {row['clip_id']: row for row in csv.DictReader(file)}


def contents_of(records):
  return [(records.path / shard).read_bytes() for shard in records.shards]


def rows_of(records, name):
  with open(records.path / name) as file:
    return list(csv.reader(file))[1:]


def one_frame(value=7):
  return [bytes([value] * 128)]


def test_records_hold_what_was_published(data, tmp_path):
  records = prepare(data, tmp_path / 'records')
  assert records.frames == FrameFormat.audioset_embeddings()
  assert len(records.clip_ids) == CLIPS
  assert len(records.shards) == 4  # of two files each, which have three clips
  rows = records.read_clips()
  for index in (0, 9, 23):
    clip_id = f'{index:02d}_video-id_{1000 * index}'
    expected = embeddings_of(index, 7 if index == 9 else 10) * (4 / 255) - 2
    content = read_clip(records, clip_id)
    np.testing.assert_allclose(content.frames, expected, atol=1e-6)
    assert [*content.labels.weak] == [index % 3]
    # Ten frames fill ten seconds; of seven, no more is known than that they are there.
    assert rows[clip_id].seconds == (6.72 if index == 9 else 10.0)
  batches = list(clip_patches(records, 7))
  patches = np.concatenate([batch.numpy() for batch, _ in batches])
  assert patches.shape == (10 * CLIPS - 2 * 3, 1, 128)
  assert (patches.min(), patches.max()) >= (-2, -2)
  assert len(read_label_table(records).rows) == CLIPS
  assert records.counts['labels_only_in_features'] == 0
  assert not (records.path / 'differing_labels.csv').exists()


def test_the_same_bytes_again_and_after_a_shard_was_lost(data, tmp_path, monkeypatch):
  whole = prepare(data, tmp_path / 'whole')
  expected = contents_of(whole)
  out = tmp_path / 'stopped'
  out.mkdir()
  write, done = pipeline.shard.ShardWriter.write, []

  def write_two(self, *arguments):
    if len(done) == 2:
      raise KeyboardInterrupt('no more')
    done.append(arguments[0].index)
    return write(self, *arguments)

  with monkeypatch.context() as patch:
    patch.setattr(pipeline.shard.ShardWriter, 'write', write_two)
    with pytest.raises((KeyboardInterrupt, InputError), match='no more'):
      pipeline.prepare(config_of(data), out)
  before = {path.name: path.stat().st_mtime_ns for path in out.glob('records*')}
  assert len(before) == 2
  pipeline.prepare(config_of(data), out)
  found = sorted(out.glob('records*'))
  assert [path.read_bytes() for path in found] == expected
  for name, changed in before.items():
    assert (out / name).stat().st_mtime_ns == changed


def test_labels_are_held_against_each_other(data, tmp_path):
  records = [
    sequence_example('00_video-id', 0, [0, 2], one_frame()),  # 2 is only here
    sequence_example('01_video-id', 1, [], one_frame()),  # 1 is only in the CSV
    sequence_example('02_video-id', 2, [2], one_frame()),
  ]
  write_shard(data / 'features' / '00.tfrecord', records)
  made = prepare(data, tmp_path / 'records')
  assert made.counts['labels_only_in_features'] == 1
  assert made.counts['labels_only_in_label_files'] == 1
  rows = (made.path / 'differing_labels.csv').read_text().splitlines()[1:]
  assert rows == [
    '00_video-id_0,/m/high,features',
    '01_video-id_1000,/m/middle,labels',
  ]
  content = read_clip(made, '00_video-id_0')
  assert [*content.labels.weak] == [0]  # the label files decide


def test_other_starts_are_matched_by_their_video_and_counted(data, tmp_path):
  records = [
    sequence_example('00_video-id', 0.5, [0], one_frame(1)),
    sequence_example('01_video-id', 1, [1], one_frame(2)),
    sequence_example('01_video-id', 4, [1], one_frame(3)),  # the other fits better
    sequence_example('elsewhere', 2, [2], one_frame(4)),
  ]
  write_shard(data / 'features' / '00.tfrecord', records)
  made = prepare(data, tmp_path / 'records')
  assert made.counts['clips_with_other_start'] == 1
  assert made.counts['embeddings_of_other_clips'] == 2
  for clip_id, value in (('00_video-id_0', 1), ('01_video-id_1000', 2)):
    np.testing.assert_allclose(
      read_clip(made, clip_id).frames, value * 4 / 255 - 2, atol=1e-6
    )
  assert skipped(made)['02_video-id_2000']['reason'] == 'missing'
  assert rows_of(made, 'other_starts.csv') == [['00_video-id_0', '0.5']]


@pytest.mark.parametrize(
  ('starts', 'matched'),
  [
    ([5], True),  # half of the clip's ten seconds
    ([5.001], False),
    ([300], False),
    ([0.5, 0.7], False),  # which one is it?
    ([0.5, 300], False),
  ],
)
def test_another_start_must_be_near_and_the_only_one(data, tmp_path, starts, matched):
  records = [sequence_example('00_video-id', s, [0], one_frame()) for s in starts]
  write_shard(data / 'features' / '00.tfrecord', records)
  made = prepare(data, tmp_path / 'records')
  assert ('00_video-id_0' in made.clip_ids) == matched
  assert made.counts['clips_with_other_start'] == matched
  assert made.counts['embeddings_of_other_clips'] == len(starts) - matched
  assert (made.path / 'other_starts.csv').exists() == matched


def test_a_record_near_two_clips_of_its_video_is_of_neither(data, tmp_path):
  with open(data / 'segments.csv', 'a') as file:
    file.write('00_video-id, 6.0, 16.0, "/m/low"\n')
  record = sequence_example('00_video-id', 3, [0], one_frame())
  write_shard(data / 'features' / '00.tfrecord', [record])
  made = prepare(data, tmp_path / 'records')
  assert made.counts['clips_with_other_start'] == 0
  assert {'00_video-id_0', '00_video-id_6000'} <= set(skipped(made))


def test_another_start_in_two_files_is_a_clip_in_two_files(data, tmp_path):
  record = sequence_example('00_video-id', 0.5, [0], one_frame())
  for name in ('00', 'again'):
    write_shard(data / 'features' / f'{name}.tfrecord', [record])
  message = r'00.tfrecord and .*again.tfrecord both hold the clip 00_video-id_0'
  with pytest.raises(InputError, match=message):
    prepare(data, tmp_path / 'records')


@pytest.mark.parametrize(
  ('frames', 'detail'),
  [
    ([], 'no frames'),
    ([bytes(128), bytes(1024)], 'frame 1 has 1,024 bytes, not 128'),
    ([[0.5] * 128], 'frames are floats, not the strings of 128 bytes'),
    ([bytes(128), [0.5]], 'frame 1 has no single string of bytes'),
  ],
)
def test_wrong_shapes_are_skipped_and_named(data, tmp_path, frames, detail):
  records = [
    sequence_example('00_video-id', 0, [0], frames),
    sequence_example('01_video-id', 1, [1], one_frame()),
    sequence_example('02_video-id', 2, [2], one_frame()),
  ]
  write_shard(data / 'features' / '00.tfrecord', records)
  made = prepare(data, tmp_path / 'records')
  row = skipped(made).pop('00_video-id_0')
  assert row['reason'] == 'wrong shape'
  assert detail in row['detail']
  assert '00.tfrecord' in row['detail']
  assert len(made.clip_ids) == CLIPS - 1


def test_damaged_files_are_named_and_the_rest_is_used(data, tmp_path):
  cut, flipped, last = (data / 'features' / f'0{n}.tfrecord' for n in (1, 5, 6))
  cut.write_bytes(cut.read_bytes()[:-100])
  content = bytearray(flipped.read_bytes())
  content[len(content) // 2] ^= 255  # in the second record, whose checksum tells
  flipped.write_bytes(content)
  # The checksum of a record that no clip needs.
  other = sequence_example('elsewhere', 0, [], one_frame())
  kept = list(tf.data.TFRecordDataset(str(last)).as_numpy_iterator())
  write_shard(last, [*kept, other])
  content = bytearray(last.read_bytes())
  content[-1] ^= 255
  last.write_bytes(content)
  made = prepare(data, tmp_path / 'records')
  rows = skipped(made)
  assert {clip_id: row['reason'] for clip_id, row in rows.items()} == {
    '05_video-id_5000': 'missing',
    '16_video-id_16000': 'damaged',
    '17_video-id_17000': 'damaged',
  }
  assert '05.tfrecord: damaged' in rows['16_video-id_16000']['detail']
  assert rows['05_video-id_5000']['detail'] == (
    'no embeddings of this id; 3 files are damaged (01.tfrecord, 05.tfrecord, '
    '06.tfrecord): see damaged_files.csv'
  )
  listed = rows_of(made, 'damaged_files.csv')
  assert [file for file, _ in listed] == [str(cut), str(flipped), str(last)]
  assert listed[0][1] == 'damaged after 2 records (the file ends within a record)'
  assert all('corrupted record' in problem for _, problem in listed[1:])
  assert made.counts['damaged_files'] == 3
  assert made.counts['bad_records'] == 0
  assert len(made.clip_ids) == CLIPS - 3


def test_a_broken_length_loses_what_follows(data, tmp_path):
  """As of a file whose end is zeros: they are no records without content."""
  zeros = data / 'features' / '01.tfrecord'
  first = next(iter(tf.data.TFRecordDataset(str(zeros)).as_numpy_iterator()))
  write_shard(zeros, [first])
  zeros.write_bytes(zeros.read_bytes() + bytes(5000))
  made = prepare(data, tmp_path / 'records')
  assert set(skipped(made)) == {'04_video-id_4000', '05_video-id_5000'}
  ((_, problem),) = rows_of(made, 'damaged_files.csv')
  assert 'after 1 record' in problem
  assert 'wrong checksum' in problem


@pytest.mark.parametrize(
  ('bad', 'problem'),
  [
    (b'\xff\xff\xffgarbage', 'cannot be decoded'),
    (b'', 'without video_id and start_time_seconds'),
    (sequence_example('01_video-id', math.nan, [1], one_frame()), 'is nan'),
    (sequence_example('01_video-id', math.inf, [1], one_frame()), 'is inf'),
    (sequence_example('01_video-id', -1, [1], one_frame()), 'is -1'),
  ],
)
@pytest.mark.parametrize('place', [0, 1])
def test_a_bad_record_is_named_and_the_others_of_its_file_are_used(
  data, tmp_path, bad, problem, place
):
  records = [
    sequence_example('00_video-id', 0, [0], one_frame(1)),
    sequence_example('02_video-id', 2, [2], one_frame(2)),
  ]
  records.insert(place, bad)
  write_shard(data / 'features' / '00.tfrecord', records)
  made = prepare(data, tmp_path / 'records')
  row = skipped(made).pop('01_video-id_1000')
  assert 'damaged (00.tfrecord): see damaged_files.csv' in row['detail']
  assert len(made.clip_ids) == CLIPS - 1
  ((file, text),) = rows_of(made, 'damaged_files.csv')
  assert file.endswith('00.tfrecord')
  assert text.startswith(f'1 bad record: record {place + 1} (')
  assert problem in text
  assert made.counts['bad_records'] == 1
  assert made.counts['damaged_files'] == 0


def test_a_file_without_embeddings_is_named_and_the_others_are_used(data, tmp_path):
  path = data / 'features' / '00.tfrecord'
  write_shard(path, [sequence_example('00_video-id', 0, [0], one_frame(), 'rgb')])
  made = prepare(data, tmp_path / 'records')
  assert len(made.clip_ids) == CLIPS - 3
  problem = "its records have no feature list 'audio_embedding' (but rgb)"
  assert rows_of(made, 'damaged_files.csv') == [[str(path), problem]]
  assert made.counts['damaged_files'] == 1


def test_many_bad_records_are_counted(data):
  path = data / 'features' / '00.tfrecord'
  write_shard(path, [sequence_example('a', -1, [], one_frame())] * 12)
  text = read_file(str(path)).bad_text()
  assert text.startswith('12 bad records: record 1 (')
  assert text.endswith('record 10 (start_time_seconds of a is -1) and 2 more')


@settings(max_examples=60, deadline=None)
@given(content=st.data())
def test_any_content_is_read_or_named(content, tmp_path_factory):
  """Bytes changed anywhere: what is left is read, and nothing else raised."""
  records = [sequence_example(f'v{n}', n, [n], one_frame()) for n in range(4)]
  path = tmp_path_factory.mktemp('any') / 'a.tfrecord'
  write_shard(path, records)
  whole = path.read_bytes()
  changed = bytearray(whole)
  for _ in range(content.draw(st.integers(1, 4))):
    place = content.draw(st.integers(0, len(whole) - 1))
    changed[place] = content.draw(st.integers(0, 255))
  path.write_bytes(changed[: content.draw(st.integers(0, len(whole)))])
  index = read_file(str(path))
  assert len(index.clips) + len(index.bad_records) <= 4
  lost = 4 - len(index.clips) - len(index.bad_records)
  at_ends = [sum(len(one) + 16 for one in records[:n]) for n in range(4)]
  assert bool(index.damage) or lost == 0 or path.stat().st_size in at_ends
  with contextlib.suppress(RecordError):
    for key, _ in read_clips([str(path)]):
      assert key in {f'v{n}_{1000 * n}' for n in range(4)}


def test_lists_of_an_unfinished_run_are_removed_where_nothing_is_wrong(data, tmp_path):
  file = data / 'features' / '00.tfrecord'
  good = file.read_bytes()
  other = sequence_example('00_video-id', 0.5, [1], one_frame())
  write_shard(file, [other, b'garbage'])
  out = tmp_path / 'records'
  out.mkdir()
  with pytest.raises(UnfinishedError, match='max_skipped_fraction'):
    pipeline.prepare(config_of(data, max_skipped_fraction=0.01), out)
  lists = ('damaged_files.csv', 'other_starts.csv', 'differing_labels.csv')
  assert all((out / name).exists() for name in lists)
  file.write_bytes(good)
  pipeline.prepare(config_of(data, max_skipped_fraction=0.01), out)
  assert not any((out / name).exists() for name in lists)


def test_another_class_map_is_told_before_its_unknown_labels(data, tmp_path):
  rows = (data / 'class_map.csv').read_text().splitlines(keepends=True)
  (data / 'class_map.csv').write_text(''.join(rows[:-1]))
  message = r'class_map.csv: is not the class map of these features: it has 2 classes, '
  with pytest.raises(LabelError, match=message + r'but .*02_video-id_2000 .*label 2'):
    prepare(data, tmp_path / 'records')
  with pytest.raises(LabelError, match=r'^\S*segments.csv: 8 wrong rows'):
    prepare(data, tmp_path / 'ignored', labels_in_features=False)


def test_labels_outside_the_class_map_are_an_error_unless_ignored(data, tmp_path):
  records = [sequence_example('00_video-id', 0, [3], one_frame())]
  write_shard(data / 'features' / '00.tfrecord', records)
  with pytest.raises(InputError, match=r'00_video-id_0 has the label 3, but .* 3 cl'):
    prepare(data, tmp_path / 'records')
  made = prepare(data, tmp_path / 'ignored', labels_in_features=False)
  assert '00_video-id_0' in made.clip_ids


def test_the_same_clip_in_two_files(data, tmp_path):
  shutil.copy(data / 'features' / '03.tfrecord', data / 'features' / 'again.tfrecord')
  with pytest.raises(InputError, match=r'03.tfrecord and .*again.tfrecord both hold'):
    prepare(data, tmp_path / 'records')


def test_folders_that_are_no_such_features(data, tmp_path):
  with pytest.raises(InputError, match='no such folder of embeddings'):
    prepare(data, tmp_path / 'one', features_dirs=(str(tmp_path / 'nowhere'),))
  empty = tmp_path / 'empty'
  empty.mkdir()
  with pytest.raises(InputError, match=r'has no \.tfrecord files'):
    prepare(data, tmp_path / 'two', features_dirs=(str(empty),))
  other = tmp_path / 'other'
  write_shard(other / 'a.tfrecord', [sequence_example('x', 0, [0], [b''], 'rgb')])
  with pytest.raises(
    InputError, match=r"no feature list 'audio_embedding' \(but rgb\)"
  ):
    prepare(data, tmp_path / 'three', features_dirs=(str(other),))
  write_shard(
    other / 'a.tfrecord', [sequence_example('00_video-id', 0, [0], [bytes(1024)])]
  )
  with pytest.raises(InputError, match='none of 24 clips could be used'):
    prepare(data, tmp_path / 'four', features_dirs=(str(other),))
  with pytest.raises(InputError, match='give one of them'):
    prepare(data, tmp_path / 'five', audio_dir=str(other))


def test_new_labels_leave_embeddings_as_they_are(data, tmp_path):
  old = prepare(data, tmp_path / 'old')
  new = prepare(data, tmp_path / 'new', features_dirs=(), records=str(old.path))
  assert new.frames == old.frames
  assert contents_of(new) == contents_of(old)


def test_files_are_matched_without_tensorflow(data):
  """Planning starts at once, and its processes stay small."""
  code = (
    'import sys\n'
    'from audioset_ml.records.embedding_files import find_files, read_file\n'
    f'index = read_file(find_files([{str(data / "features")!r}])[0])\n'
    "assert (len(index.clips), index.damage) == (3, ''), index\n"
    "assert 'tensorflow' not in sys.modules\n"
  )
  subprocess.run([sys.executable, '-c', code], check=True, cwd=ROOT)
