import csv
import os
import pathlib
import shlex

import numpy as np
import pytest
import soundfile

from audioset_ml.core.errors import InputError
from audioset_ml.labels.label_files import LabelFiles
from audioset_ml.records.folder import RecordsFolder
from audioset_ml.records.prepare_config import PrepareConfig
from tests.conftest import prepare_flags
from tests.stages import run_stage, run_stage_ok

pytestmark = pytest.mark.few


def contents(folder):
  """The bytes of every file but the provenance, by name."""
  return {
    path.name: path.read_bytes()
    for path in pathlib.Path(folder).iterdir()
    if path.name not in ('run.json', 'flags.txt') and path.name[0] != '.'
  }


def test_records_are_counted_and_listed(small_records):
  names = set(contents(small_records))
  assert {'clips.csv', 'skipped.csv', 'class_map.csv'} < names
  with open(small_records / 'clips.csv', newline='') as file:
    rows = list(csv.DictReader(file))
  assert len(rows) == 12
  assert {row['frames'] for row in rows} == {'240'}
  assert (small_records / 'skipped.csv').read_text() == 'clip_id,reason,detail\n'


def test_clips_without_usable_sound_are_listed_with_the_reason(small_data, tmp_path):
  audio = tmp_path / 'audio'
  (audio / 'deeper').mkdir(parents=True)
  files = sorted((small_data / 'audio').iterdir())
  for path in files[2:]:
    (audio / 'deeper' / path.name).write_bytes(path.read_bytes())
  (audio / files[1].name).write_bytes(files[1].read_bytes()[:5000])
  flags = [f for f in prepare_flags(small_data) if 'audio_dir' not in f]
  out = tmp_path / 'records'
  printed = run_stage_ok(
    'prepare', *flags, f'--audio_dir={audio}', f'--output_dir={out}'
  )
  assert '10 clips (0.01 h) in 3 shards, 2 skipped (1 missing, 1 undecodable' in printed
  with open(out / 'skipped.csv', newline='') as file:
    skipped = {row['clip_id']: row for row in csv.DictReader(file)}
  assert set(skipped) == {files[0].stem, files[1].stem}
  assert skipped[files[0].stem]['reason'] == 'missing'
  assert skipped[files[1].stem]['reason'] == 'undecodable'
  assert 'nothing of it can be decoded' in skipped[files[1].stem]['detail']
  again = ('prepare', *flags, f'--audio_dir={audio}', f'--output_dir={out}')
  assert 'by now' not in run_stage_ok(*again)
  (audio / files[0].name).write_bytes(files[0].read_bytes())
  told = run_stage_ok(*again).splitlines()
  assert told[0].startswith(f'{out}: finished already with the same flags')
  assert told[1].startswith('1 of 1 clip without sound in them has a file by now')
  assert files[0].name in told[1]


def test_of_a_whole_recording_the_command_is_told_that_cuts_the_clip(
  small_data, small_records, tmp_path
):
  audio, out = tmp_path / 'audio of clips', tmp_path / 'records'
  audio.mkdir()
  for path in (small_data / 'audio').iterdir():
    waveform, rate = soundfile.read(path, dtype='int16')
    name, _, start = path.stem.rpartition('_')
    if start == '5000':
      waveform = np.concatenate([np.zeros(5 * rate, np.int16), waveform])
    soundfile.write(audio / f'{name}.flac', waveform, rate)
  flags = [f for f in prepare_flags(small_data) if 'audio_dir' not in f]
  flags += [f'--audio_dir={audio}', f'--output_dir={out}']
  assert '1 sound is longer than its clip; ' in run_stage_ok('prepare', *flags)
  with open(out / 'skipped.csv', newline='') as file:
    [row] = csv.DictReader(file)
  name = f'{audio}/clip0000005.flac'
  move, _, cut = row['detail'].partition('cut it: ')[2].partition(' && ')
  assert shlex.split(move) == ['mv', name, f'{name}.whole']
  times = ['-ss', '5', '-t', '2']
  assert shlex.split(cut) == ['ffmpeg', *times, '-i', f'{name}.whole', '-vn', name]
  os.rename(name, f'{name}.whole')
  waveform, rate = soundfile.read(f'{name}.whole', dtype='int16')
  soundfile.write(name, waveform[5 * rate : 7 * rate], rate)
  run_stage_ok('prepare', *flags, '--overwrite')
  assert contents(out) == contents(small_records)


def test_sound_that_comes_later_is_found_by_the_same_command(
  small_data, small_records, tmp_path
):
  audio = tmp_path / 'audio'
  audio.mkdir()
  flags = [f for f in prepare_flags(small_data) if 'audio_dir' not in f]
  flags += [f'--audio_dir={audio}', f'--output_dir={tmp_path}/out']
  failed = run_stage('prepare', *flags)
  assert 'none of 12 clips could be used' in failed.stderr
  for path in (small_data / 'audio').iterdir():
    (audio / path.name).write_bytes(path.read_bytes())
  run_stage_ok('prepare', *flags)
  assert contents(tmp_path / 'out') == contents(small_records)


@pytest.mark.parametrize(
  ('change', 'message'),
  [
    ('--audio_dir=.', 'none of 12 clips could be used'),
    ('--class_map=fewer.csv', 'label /m/high is not in the class map'),
  ],
)
def test_wrong_input_is_one_clear_line(small_data, tmp_path, change, message):
  (tmp_path / 'fewer.csv').write_text(
    'index,mid,display_name\n0,/m/low,Low\n1,/m/middle,Middle\n'
  )
  name = change.split('=')[0]
  flags = [flag for flag in prepare_flags(small_data) if not flag.startswith(name)]
  done = run_stage('prepare', *flags, change, '--output_dir=out', folder=tmp_path)
  assert done.returncode == 1
  assert message in done.stderr
  assert 'Traceback' not in done.stderr
  # Nothing is left: the right command may have the folder.
  assert not (tmp_path / 'out').exists()


def test_a_finished_folder_is_not_made_again_nor_overwritten_by_mistake(
  small_data, small_records
):
  flags = [*prepare_flags(small_data), f'--output_dir={small_records}']
  assert 'finished already' in run_stage_ok('prepare', *flags)
  done = run_stage('prepare', *flags, '--clips_per_shard=6')
  assert done.returncode == 1
  assert '--clips_per_shard=6' in done.stderr
  assert '--overwrite' in done.stderr


def test_the_written_flagfile_repeats_the_run(small_data, small_records, tmp_path):
  out = tmp_path / 'again'
  run_stage_ok(
    'prepare', f'--flagfile={small_records}/flags.txt', f'--output_dir={out}'
  )
  assert contents(out) == contents(small_records)


def test_wrong_settings_are_refused():
  labels = LabelFiles(class_map='a', segments_csvs=('b',))
  for options, message in (
    ({'decoder': 'sox'}, "decoder 'sox' is unknown"),
    ({'clips_per_shard': 0}, 'clips_per_shard is 0'),
    ({'records': 'x'}, 'either of sound files'),
  ):
    with pytest.raises(InputError, match=message):
      PrepareConfig(labels, audio_dir='c', **options)


def test_labels_that_a_missing_flag_would_lose_are_an_error(
  small_data, small_records, tmp_path
):
  given = {flag.split('=')[0]: flag for flag in prepare_flags(small_data)}
  flags = ['--labels_only', f'--records={small_records}']
  flags += [given['--segments_csv'], given['--class_map']]
  counts = RecordsFolder.open(small_records).counts
  for more in ((), ('--dry_run',)):
    done = run_stage('prepare', *flags, *more, f'--output_dir={tmp_path}/fewer')
    assert done.returncode == 1
    assert (
      f'{small_records}: has {counts["explicit_negatives"]} explicit negatives, but '
      'the label files that are given have none: labels are read anew, so give '
      '--explicit_tsv again, or --drop_labels=explicit if they are to go'
    ) in done.stderr
    assert not (tmp_path / 'fewer').exists()
  flags.append('--drop_labels=explicit')
  done = run_stage('prepare', *flags, f'--output_dir={tmp_path}/fewer')
  assert 'give --strong_tsv again, or --drop_labels=explicit,strong' in done.stderr
  flags[-1] += ',strong'
  printed = run_stage_ok('prepare', *flags, f'--output_dir={tmp_path}/fewer')
  assert f'fewer strong events: 0, {counts["strong_events"]} before' in printed
  flags[-1] = '--drop_labels=all'
  done = run_stage('prepare', *flags, f'--output_dir={tmp_path}/other')
  assert "drop_labels 'all' is unknown; choose from explicit, strong" in done.stderr
