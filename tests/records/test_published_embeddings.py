"""Records of AudioSet's published embeddings."""

import csv
import shutil
import subprocess
import sys

import numpy as np
import pytest

from audioset_ml.errors import InputError, UnfinishedError
from audioset_ml.labels.label_files import LabelFiles
from audioset_ml.records import pipeline
from audioset_ml.records.dataset import clip_patches_dataset, read_label_table
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
  from audioset_ml import folders

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
  batches = list(clip_patches_dataset(records, 7))
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
    sequence_example('01_video-id', 40, [1], one_frame(3)),  # the other fits better
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


@pytest.mark.parametrize(
  ('frames', 'detail'),
  [
    ([], 'no frames'),
    ([bytes(128), bytes(1024)], 'frame 1 has 1024 bytes, not 128'),
    ([[0.5] * 128], 'no single string of bytes'),
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


def test_damaged_files_are_named_and_the_rest_is_used(data, tmp_path, capsys):
  cut, flipped = (data / 'features' / f'0{n}.tfrecord' for n in (1, 5))
  cut.write_bytes(cut.read_bytes()[:-100])
  content = bytearray(flipped.read_bytes())
  content[len(content) // 2] ^= 255  # in the second record, whose checksum tells
  flipped.write_bytes(content)
  made = prepare(data, tmp_path / 'records')
  rows = skipped(made)
  assert {clip_id: row['reason'] for clip_id, row in rows.items()} == {
    '05_video-id_5000': 'missing',
    '16_video-id_16000': 'damaged',
    '17_video-id_17000': 'damaged',
  }
  assert '05.tfrecord: damaged' in rows['16_video-id_16000']['detail']
  assert '01.tfrecord: damaged after 2 clips' in capsys.readouterr().out
  assert made.counts['damaged_files'] == 1
  assert len(made.clip_ids) == CLIPS - 3


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
  with pytest.raises(UnfinishedError, match='none of 24 clips could be used'):
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
    f'clips, problem = read_file(find_files([{str(data / "features")!r}])[0])\n'
    "assert (len(clips), problem) == (3, ''), problem\n"
    "assert 'tensorflow' not in sys.modules\n"
  )
  subprocess.run([sys.executable, '-c', code], check=True, cwd=ROOT)
