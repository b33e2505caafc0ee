"""New labels for old records: the same bytes as if all had been made at once."""

import csv
import shutil

import pytest

from audioset_ml.labels.clip_list import read_clip_list, write_clip_list
from audioset_ml.labels.states import LabelState
from audioset_ml.records.dataset import read_label_table
from audioset_ml.records.folder import RecordsFolder
from tests.conftest import prepare_flags
from tests.records.test_pipeline import contents
from tests.stages import run_stage, run_stage_ok


@pytest.fixture(scope='module')
def weak_only(small_data, tmp_path_factory):
  folder = tmp_path_factory.mktemp('weak') / 'records'
  flags = [flag for flag in prepare_flags(small_data) if '_tsv=' not in flag]
  run_stage_ok('prepare', *flags, f'--output_dir={folder}')
  return folder


def relabel_flags(small_data, weak_only, **changes):
  values = {
    'segments_csv': small_data / 'segments.csv',
    'explicit_tsv': small_data / 'explicit.tsv',
    'strong_tsv': small_data / 'strong.tsv',
    'class_map': small_data / 'class_map.csv',
    'records': weak_only,
    **changes,
  }
  return ['--labels_only', *(f'--{name}={value}' for name, value in values.items())]


def test_labels_joined_later_give_the_same_bytes(
  small_data, small_records, weak_only, tmp_path
):
  assert contents(weak_only) != contents(small_records)
  out = tmp_path / 'records'
  run_stage_ok('prepare', *relabel_flags(small_data, weak_only), f'--output_dir={out}')
  assert contents(out) == contents(small_records)


def test_what_a_person_was_unsure_of_is_kept_and_shown(
  small_data, small_records, weak_only, tmp_path
):
  """And gone again with labels that lack it."""
  text = (small_data / 'explicit.tsv').read_text()
  one = next(line for line in text.splitlines() if line.endswith('\tNOT_PRESENT'))
  clip_id, mid, _ = one.split('\t')
  explicit = tmp_path / 'explicit.tsv'
  explicit.write_text(text.replace(one, one.replace('NOT_PRESENT', 'UNSURE')))
  flags = relabel_flags(small_data, weak_only, explicit_tsv=explicit)
  unsure = tmp_path / 'unsure'
  printed = run_stage_ok('prepare', *flags, f'--output_dir={unsure}')
  assert ', 1 unsure (ignored in training and evaluation)' in printed
  records = RecordsFolder.open(unsure)
  row, index = records.clip_ids.index(clip_id), records.class_map.index_of[mid]
  states = read_label_table(records).dense()
  before = read_label_table(RecordsFolder.open(small_records)).dense()
  assert states[row, index] == LabelState.UNSURE
  assert (states != before).sum() == 1
  assert '1 unsure labels' in run_stage_ok('inspect', str(unsure))
  picture = f'--output={tmp_path}/clip.png'
  shown = run_stage_ok('inspect', str(unsure), f'--clip_id={clip_id}', picture)
  assert f'weak, unsure: {records.class_map.names[index]}\n' in shown
  flags = relabel_flags(small_data, unsure)
  again = tmp_path / 'again'
  refused = run_stage('prepare', *flags, f'--output_dir={again}')
  assert f'{unsure}: has 1 unsure labels, but the label files' in refused.stderr
  flags.append('--drop_labels=unsure')
  printed = run_stage_ok('prepare', *flags, f'--output_dir={again}')
  assert f'fewer unsure labels: 0, 1 before ({unsure})' in printed
  assert contents(again) == contents(small_records)


def test_the_clips_follow_the_new_segments(small_data, weak_only, tmp_path):
  lines = (small_data / 'segments.csv').read_text().splitlines()
  fewer = tmp_path / 'fewer.csv'
  fewer.write_text('\n'.join([*lines[:8], 'elsewhere, 0, 2, "/m/low"']) + '\n')
  flags = relabel_flags(small_data, weak_only, segments_csv=fewer)
  out = tmp_path / 'records'
  printed = run_stage_ok('prepare', *flags, f'--output_dir={out}')
  assert '5 clips' in printed
  assert '8 skipped (1 missing, 7 unlabelled' in printed
  with open(out / 'skipped.csv', newline='') as file:
    reasons = {row['clip_id']: row['reason'] for row in csv.DictReader(file)}
  assert reasons['elsewhere_0'] == 'missing'
  records = RecordsFolder.open(out)
  assert read_label_table(records).clip_ids == records.clip_ids


def test_a_list_of_clips_gives_what_a_shorter_segments_csv_gives(
  small_data, weak_only, tmp_path
):
  lines = (small_data / 'segments.csv').read_text().splitlines()
  (tmp_path / 'fewer.csv').write_text('\n'.join(lines[:8]) + '\n')
  clips = read_clip_list(tmp_path / 'fewer.csv')
  write_clip_list(tmp_path / 'clips.txt', [*clips, 'gone_0', 'lost_7'], 'five and two')
  fewer, listed = tmp_path / 'fewer', tmp_path / 'listed'
  flags = relabel_flags(small_data, weak_only, segments_csv=tmp_path / 'fewer.csv')
  run_stage_ok('prepare', *flags, f'--output_dir={fewer}')
  flags = relabel_flags(small_data, weak_only, clip_list=tmp_path / 'clips.txt')
  printed = run_stage_ok('prepare', *flags, f'--output_dir={listed}')
  assert f'2 clips of {tmp_path}/clips.txt are in no segments CSV' in printed
  found = contents(listed)
  del found['lost_clips.csv']
  assert found == contents(fewer)
  with open(listed / 'lost_clips.csv', newline='') as file:
    lost = [(row['clip_id'], row['reason']) for row in csv.DictReader(file)]
  assert lost == [(clip, 'in no segments CSV') for clip in ('gone_0', 'lost_7')]
  assert RecordsFolder.open(listed).counts['clips_lost_of_list'] == 2


def test_why_clips_are_lacking_is_passed_on(small_data, tmp_path):
  audio = tmp_path / 'audio'
  audio.mkdir()
  for path in (small_data / 'audio').iterdir():
    (audio / path.name).write_bytes(path.read_bytes())
  first = sorted(audio.iterdir())[0]
  first.write_bytes(first.read_bytes()[:5000])
  flags = [flag for flag in prepare_flags(small_data) if '--audio_dir' not in flag]
  old, new = tmp_path / 'old', tmp_path / 'new'
  run_stage_ok('prepare', *flags, f'--audio_dir={audio}', f'--output_dir={old}')
  run_stage_ok('prepare', *relabel_flags(small_data, old), f'--output_dir={new}')
  assert (new / 'skipped.csv').read_text() == (old / 'skipped.csv').read_text()
  assert 'nothing of it can be decoded' in (new / 'skipped.csv').read_text()


@pytest.mark.parametrize(
  ('changes', 'message'),
  [
    ({'records': 'absent'}, 'absent: no such folder; `prepare` writes it'),
    ({'records': ''}, '--labels_only needs --records'),
    ({'audio_dir': '.'}, 'either of sound files'),
    ({'clips_per_shard': 3}, '--clips_per_shard does nothing here'),
    ({'clip_list': 'absent.txt'}, 'absent.txt: no such file (--clip_list)'),
  ],
)
def test_wrong_input_is_one_clear_line(
  small_data, weak_only, tmp_path, changes, message
):
  flags = relabel_flags(small_data, weak_only, **changes)
  done = run_stage('prepare', *flags, '--output_dir=out', folder=tmp_path)
  assert done.returncode == 1
  assert message in done.stderr
  assert 'Traceback' not in done.stderr


def test_damaged_records_are_named(small_data, weak_only, tmp_path):
  copy = tmp_path / 'copy'
  shutil.copytree(weak_only, copy)
  shard = copy / 'records-00001-of-00003.tfrecord'
  shard.write_bytes(shard.read_bytes()[:-1000])
  done = run_stage(
    'prepare', *relabel_flags(small_data, copy), f'--output_dir={tmp_path}/out'
  )
  assert done.returncode == 1
  assert f'{shard}: has ' in done.stderr
  assert 'Traceback' not in done.stderr
