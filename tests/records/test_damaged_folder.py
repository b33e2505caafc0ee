"""A user's download, with all that goes wrong in it: every file is accounted for."""

import csv
import json
import re

import numpy as np
import pytest
import soundfile

from audioset_ml.labels import segments
from audioset_ml.records.dataset import read_label_table
from audioset_ml.records.folder import RecordsFolder
from tests.small_data import CLASS_MAP
from tests.stages import run_stage, run_stage_ok

SECONDS = 2.0
# The clips that can be used, and the kinds of reason for the others.
USED = ['8_khz', '96_khz', '6_channels', 'silence', 'whole_wav', 'whole_flac']
USED.append('whole_ogg')
REASONS = {
  'absent': 'missing',
  'wrong_ending': 'missing',
  'zero_bytes': 'undecodable',
  'random_bytes': 'undecodable',
  'text': 'undecodable',
  'nan': 'undecodable',
  '0.1_s': 'too short',
  'no_samples': 'undecodable',
  '11_s': 'wrong length',
}


def sound(rate=16_000, seconds=SECONDS, channels=1):
  random = np.random.default_rng(0)
  return random.normal(0, 0.1, (round(rate * seconds), channels))


def write_download(audio):
  """Writes the damaged files; the clips' ids without their start, in order."""
  write = soundfile.write
  write(audio / '8_khz_0.wav', sound(8000), 8000)
  write(audio / '96_khz_0.flac', sound(96_000), 96_000)
  write(audio / '6_channels_0.wav', sound(channels=6), 16_000)
  write(audio / 'silence_0.wav', np.zeros(round(16_000 * SECONDS)), 16_000)
  write(audio / 'whole_wav_0.wav', sound(), 16_000)
  write(audio / 'whole_flac_0.flac', sound(), 16_000)
  write(audio / 'wrong_ending_0.wav', sound(), 16_000)
  (audio / 'wrong_ending_0.wav').rename(audio / 'wrong_ending_0.part')
  (audio / 'zero_bytes_0.wav').write_bytes(b'')
  header = (audio / 'whole_wav_0.wav').read_bytes()[:36]
  noise = np.random.default_rng(1).bytes(5000)
  (audio / 'random_bytes_0.wav').write_bytes(header + noise)
  (audio / 'text_0.wav').write_text('<html>429 Too Many Requests</html>')
  nan = sound().astype(np.float32)
  nan[100:] = np.nan  # of a few, silence is made
  write(audio / 'nan_0.wav', nan, 16_000, subtype='FLOAT')
  write(audio / '0.1_s_0.wav', sound(seconds=0.1), 16_000)
  write(audio / 'no_samples_0.wav', sound(seconds=0), 16_000)
  write(audio / '11_s_0.wav', sound(seconds=11), 16_000)
  truncated = []
  write(audio / 'whole_ogg_0.ogg', sound(), 16_000)
  for suffix in ('wav', 'flac', 'ogg'):
    data = (audio / f'whole_{suffix}_0.{suffix}').read_bytes()
    for part in (0, 1, 5, 10, 15, 19):
      name = f'truncated_{suffix}_{part}'
      (audio / f'{name}_0.{suffix}').write_bytes(data[: len(data) * part // 20])
      truncated.append(name)
  return [*USED, *REASONS, *truncated]


@pytest.fixture(scope='module')
def download(tmp_path_factory):
  folder = tmp_path_factory.mktemp('download')
  (folder / 'audio').mkdir()
  names = write_download(folder / 'audio')
  ids = [f'{name}_0' for name in names]
  segments.write_weak_csv(
    folder / 'segments.csv', ids, [['/m/low']] * len(ids), SECONDS
  )
  CLASS_MAP.write(folder / 'class_map.csv')
  return folder, ids


def flags_of(folder, *more):
  return [
    f'--segments_csv={folder}/segments.csv',
    f'--class_map={folder}/class_map.csv',
    f'--audio_dir={folder}/audio',
    *more,
  ]


def test_every_file_is_accounted_for(download, tmp_path):
  folder, ids = download
  out = tmp_path / 'records'
  flags = flags_of(folder, f'--output_dir={out}', '--max_skipped_fraction=1')
  printed = run_stage_ok('prepare', *flags)
  with open(out / 'skipped.csv', newline='') as file:
    skipped = {row['clip_id']: row for row in csv.DictReader(file)}
  records = RecordsFolder.open(out)
  assert sorted([*records.clip_ids, *skipped]) == sorted(ids)
  used = {clip_id for clip_id in records.clip_ids if 'truncated' not in clip_id}
  assert used == {f'{name}_0' for name in USED}
  reasons = {clip: row['reason'] for clip, row in skipped.items()}
  for name, reason in REASONS.items():
    assert reasons.pop(f'{name}_0') == reason
  assert set(reasons.values()) == {'undecodable', 'too short'}
  for clip, row in skipped.items():
    if row['reason'] != 'missing':  # the message names the file
      assert str(folder / 'audio' / clip) in row['detail']
  assert len(read_label_table(records).rows) == len(records.clip_ids)
  # What is left of truncated files is used if it fills a patch; which is noted.
  with open(out / 'notes.csv', newline='') as file:
    notes = list(csv.DictReader(file))
  noted = {row['clip_id'] for row in notes}
  assert noted == set(records.clip_ids) - used
  assert {'truncated_wav_10_0', 'truncated_flac_15_0'} <= noted
  assert ('truncated_wav_10_0', '1.0 s of 2') in {
    (row['clip_id'], row['note']) for row in notes
  }
  run = json.loads((out / 'run.json').read_text())
  assert run['counts']['clips_noted'] == len(noted)
  assert f'{len(noted)} clips were used though their sound is odd' in printed
  check_notes_are_kept(folder, out, tmp_path / 'relabelled', notes)


def check_notes_are_kept(folder, records, out, notes):
  run_stage_ok(
    'prepare',
    '--labels_only',
    f'--records={records}',
    *flags_of(folder)[:2],
    f'--output_dir={out}',
  )
  with open(out / 'notes.csv', newline='') as file:
    assert list(csv.DictReader(file)) == notes


def test_short_sounds_can_be_skipped(download, tmp_path):
  folder, _ = download
  out = tmp_path / 'records'
  flags = flags_of(folder, f'--output_dir={out}', '--max_skipped_fraction=1')
  run_stage_ok('prepare', *flags, '--min_share=0.6')
  with open(out / 'skipped.csv', newline='') as file:
    skipped = {row['clip_id']: row for row in csv.DictReader(file)}
  assert skipped['truncated_wav_10_0']['reason'] == 'too short'
  assert '--min_share' in skipped['truncated_wav_10_0']['detail']
  assert 'truncated_wav_15_0' in RecordsFolder.open(out).clip_ids


def test_too_many_skipped_clips_are_an_error_that_loses_nothing(download, tmp_path):
  folder, ids = download
  flags = flags_of(folder, f'--output_dir={tmp_path}/records')
  failed = run_stage('prepare', *flags)
  assert failed.returncode == 1
  assert f'21 of {len(ids)} clips could not be used' in failed.stderr
  assert re.search(
    r'\(2 missing, \d+ too short, \d+ undecodable, 1 wrong length\)', failed.stderr
  )
  assert 'Traceback' not in failed.stderr
  assert (tmp_path / 'records' / 'skipped.csv').exists()
  shard = next((tmp_path / 'records').glob('records-*'))
  changed = shard.stat().st_mtime_ns
  run_stage_ok('prepare', *flags, '--max_skipped_fraction=0.95')
  assert shard.stat().st_mtime_ns == changed


def test_wrong_rows_are_one_error_or_skipped_and_listed(download, tmp_path):
  folder, _ = download
  rows = (folder / 'segments.csv').read_text().splitlines()[:6]
  rows += ['8_khz, 0, 2, "/m/low"', 'x, 0, nan, "/m/low"', 'y, 0, 2, "/m/unknown"']
  (tmp_path / 'segments.csv').write_text('\n'.join(rows) + '\n')
  flags = flags_of(folder, f'--segments_csv={tmp_path}/segments.csv')
  failed = run_stage('prepare', *flags, f'--output_dir={tmp_path}/out')
  assert failed.returncode == 1
  assert f'{tmp_path}/segments.csv: 3 wrong rows' in failed.stderr
  assert 'row 7: 8_khz_0 stands in row 4 already' in failed.stderr
  out = tmp_path / 'out'  # a run that wrote nothing has left no claim on it
  printed = run_stage_ok(
    'prepare', *flags, '--on_bad_label=skip', f'--output_dir={out}'
  )
  assert '3 wrong rows were left out' in printed
  with open(out / 'skipped_labels.csv', newline='') as file:
    rows = list(csv.DictReader(file))
  assert [(row['row'], row['what']) for row in rows] == [
    ('7', '8_khz_0 stands in row 4 already'),
    ('8', "'nan' is no time in seconds"),
    ('9', 'label /m/unknown is not in the class map'),
  ]
