"""Shards that are not as they were written: told by size at once, else by checksum."""

import hashlib
import json
import shutil

import pytest

from audioset_ml.core.errors import RecordError
from audioset_ml.records.dataset import clip_patches, read_label_table
from audioset_ml.records.folder import RecordsFolder
from audioset_ml.records.inspection import read_first_labels
from audioset_ml.records.overview import read_overview
from audioset_ml.records.strong_labels import read_strong_labels
from tests.stages import run_stage, run_stage_ok


@pytest.fixture
def records(small_records, tmp_path):
  """A copy of small records, and its shards."""
  folder = tmp_path / 'records'
  shutil.copytree(small_records, folder)
  return folder, sorted(folder.glob('*.tfrecord'))


def test_run_json_says_what_the_shards_are(records):
  folder, shards = records
  files = json.loads((folder / 'run.json').read_text())['shard_files']
  assert files == {
    shard.name: {
      'bytes': shard.stat().st_size,
      'sha256': hashlib.sha256(shard.read_bytes()).hexdigest(),
    }
    for shard in shards
  }


def change_nothing_of_the_size(shards):
  data = bytearray(shards[0].read_bytes())
  data[len(data) // 2] ^= 1
  shards[0].write_bytes(data)


@pytest.mark.parametrize(
  'damage',
  [
    lambda shards: shards[0].write_bytes(b''),
    lambda shards: shards[0].write_bytes(2 * shards[0].read_bytes()),
    lambda shards: shards[0].write_bytes(shards[0].read_bytes()[:-1]),
    lambda shards: shutil.copy(shards[2], shards[0]),
  ],
  ids=['empty', 'doubled', 'cut', 'another'],
)
def test_another_size_is_told_when_the_records_are_opened(records, damage):
  folder, shards = records
  damage(shards)
  with pytest.raises(RecordError, match=f'{shards[0].name}: has .* were written'):
    RecordsFolder.open(folder)


def test_another_content_is_told_when_it_is_read(records):
  folder, shards = records
  assert RecordsFolder.open(folder).verify() == len(shards)
  change_nothing_of_the_size(shards)
  opened = RecordsFolder.open(folder)
  for read in (
    opened.verify,
    lambda: read_label_table(opened),
    lambda: next(clip_patches(opened, 2)),
    lambda: read_first_labels(opened, 1),
    lambda: read_strong_labels(opened),
    lambda: read_overview(opened, scanned_clips=1),
  ):
    with pytest.raises(RecordError, match=f'{shards[0].name}: is not as it was writte'):
      read()
  # Nothing is known of a shard by itself but what is its own.
  assert opened.split()[1].verify() == 1


def test_only_the_shards_of_the_first_clips_are_read_for_their_labels(records):
  folder, shards = records
  change_nothing_of_the_size(shards[1:])
  opened = RecordsFolder.open(folder)
  in_first = sum(row.shard == 0 for row in opened.read_clips().values())
  labels = read_first_labels(opened, in_first)
  assert tuple(one.clip_id for one in labels) == opened.clip_ids[:in_first]
  with pytest.raises(RecordError, match=f'{shards[1].name}: is not as it was written'):
    read_first_labels(opened, in_first + 1)


def test_stages_refuse_other_content(records, small_data, tmp_path):
  folder, shards = records
  text = run_stage_ok('inspect', folder, '--verify')
  assert f'checksums: {len(shards)} of {len(shards)} shards are as they were' in text
  change_nothing_of_the_size(shards)
  of = f'--records={folder}'
  flags = ('--architecture=mobilenet_v1_tiny', '--steps=1', '--batch_size=2')
  labels = [f'--segments_csv={small_data}/segments.csv', '--labels_only']
  labels += [f'--class_map={small_data}/class_map.csv', '--drop_labels=explicit,strong']
  for done in (
    run_stage('inspect', folder, '--verify'),
    run_stage('inspect', folder),
    run_stage('train', of, *flags, f'--output_dir={tmp_path}/out'),
    run_stage('prepare', of, *labels, f'--output_dir={tmp_path}/relabelled'),
  ):
    assert done.returncode == 1
    assert f'{shards[0]}: is not as it was written' in done.stderr
    assert 'Traceback' not in done.stderr


def test_records_of_older_versions_have_no_checksums_and_are_read(records):
  folder, shards = records
  run_json = json.loads((folder / 'run.json').read_text())
  del run_json['shard_files']
  (folder / 'run.json').write_text(json.dumps(run_json))
  opened = RecordsFolder.open(folder)
  assert opened.verify() == 0
  assert read_label_table(opened).clip_ids == opened.clip_ids
  text = run_stage_ok('inspect', folder, '--verify')
  assert f'checksums: 0 of {len(shards)} shards are as they were' in text


@pytest.mark.parametrize(
  ('column', 'value', 'message'),
  [
    (2, 10**9, 'more frames than its bytes'),
    (2, 10**30, 'more frames than its bytes'),
    (3, '1e9', 'a length that none can have'),
  ],
)
def test_no_clip_is_longer_than_its_shard(records, column, value, message):
  """Else a few digits in clips.csv would have any memory allocated."""
  folder, _ = records
  table = folder / 'clips.csv'
  rows = [row.split(',') for row in table.read_text().splitlines()]
  rows[1][column] = str(value)
  table.write_text('\n'.join(map(','.join, rows)) + '\n')
  with pytest.raises(RecordError, match=rf'clips\.csv.*{message}'):
    RecordsFolder.open(folder)
