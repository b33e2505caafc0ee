"""The folder discipline that all stages share, through one quick stage."""

import fcntl
import json
import subprocess
import sys

import numpy as np
import pytest
import soundfile

from audioset_ml.core import folders
from audioset_ml.core.errors import InputError
from tests.stages import run_stage, run_stage_ok

CLIPS = ('--train_clips=3', '--eval_clips=2', '--num_workers=1')


@pytest.fixture
def finished(tmp_path):
  run_stage_ok('soundscapes', *CLIPS, f'--output_dir={tmp_path}/out')
  return tmp_path / 'out'


def test_a_finished_folder_says_what_made_it(finished):
  run_json = folders.read_run(finished, 'soundscapes')
  assert run_json['seed'] == 1
  assert run_json['wall_seconds'] > 0
  text = (finished / 'flags.txt').read_text()
  assert text.startswith('# python -m audioset_ml.soundscapes --flagfile')
  assert '--train_clips=3\n' in text
  assert 'num_workers' not in text


def test_overwrite_replaces_a_run_with_other_flags(finished):
  (finished / 'left_over.txt').write_text('')
  changed = ('--train_clips=2', *CLIPS[1:], f'--output_dir={finished}')
  refused = run_stage('soundscapes', *changed)
  assert refused.returncode == 1
  assert '(--train_clips=3, now --train_clips=2)' in refused.stderr
  assert (finished / 'left_over.txt').exists()
  run_stage_ok('soundscapes', *changed, '--overwrite')
  assert not (finished / 'left_over.txt').exists()
  assert len(list((finished / 'audio/train').iterdir())) == 2


def test_a_folder_that_no_stage_wrote_is_left_alone(tmp_path):
  (tmp_path / 'thesis.txt').write_text('mine')
  done = run_stage('soundscapes', *CLIPS, f'--output_dir={tmp_path}', '--overwrite')
  assert done.returncode == 1
  assert 'holds files that no stage wrote' in done.stderr
  assert (tmp_path / 'thesis.txt').read_text() == 'mine'


def test_a_second_process_waits_for_the_first(tmp_path):
  out = tmp_path / 'out'
  out.mkdir()
  with open(out / '.lock', 'a') as lock:
    fcntl.flock(lock, fcntl.LOCK_EX)
    command = [sys.executable, '-m', 'audioset_ml.soundscapes', *CLIPS]
    process = subprocess.Popen(
      [*command, f'--output_dir={out}'], stdout=subprocess.PIPE, text=True
    )
    line = process.stdout.readline()
    assert 'another process is writing it; waiting' in line
    assert not (out / 'flags.txt').exists()
  assert process.wait(timeout=60) == 0
  assert folders.is_finished(out)


@pytest.mark.parametrize(
  ('target', 'told'),
  [
    ('/proc/nowhere/out', '/proc/nowhere: cannot be used (No such file or directory)'),
    ('file', 'file: is a file, but --output_dir must be a folder'),
    ('file/out', 'cannot be used (Not a directory); name another path'),
  ],
)
def test_a_path_that_cannot_be_written_is_one_clear_line(tmp_path, target, told):
  (tmp_path / 'file').write_text('')
  done = run_stage('soundscapes', *CLIPS, f'--output_dir={tmp_path / target}')
  assert done.returncode == 1
  assert done.stderr.startswith('error: ')
  assert told in done.stderr
  assert len(done.stderr.splitlines()) == 1


def test_a_wrong_use_is_one_clear_line():
  done = run_stage('report', '--output=x')
  assert done.returncode == 1
  assert done.stderr == (
    'error: give either --evaluation or --results; --help explains the flags\n'
  )


def test_a_folder_of_another_stage_or_a_damaged_one_is_refused(tmp_path):
  with pytest.raises(InputError, match='no such folder; `train` writes it'):
    folders.read_run(tmp_path / 'absent', 'train')
  with pytest.raises(InputError, match='not a finished `train` folder'):
    folders.read_run(tmp_path, 'train')
  (tmp_path / 'run.json').write_text(json.dumps({'stage': 'score'}))
  with pytest.raises(InputError, match='written by `score`, but a `train` folder'):
    folders.read_run(tmp_path, 'train')
  (tmp_path / 'run.json').write_text('{')
  with pytest.raises(InputError, match='not JSON'):
    folders.read_run(tmp_path, 'train')


def test_a_changed_input_is_not_passed_over(tmp_path):
  recordings = tmp_path / 'recordings'
  for name in ('one', 'two'):
    (recordings / name).mkdir(parents=True)
    for number in (1, 2):
      soundfile.write(
        recordings / name / f'{number}-a.wav', np.ones(9000) * 0.1, 16_000
      )
  classes = tmp_path / 'classes.csv'
  classes.write_text('folder,mid,display_name\none,/m/1,One\n')
  command = (
    'soundscapes',
    *CLIPS,
    f'--source_dir={recordings}',
    '--eval_sources=2-*',
    f'--source_classes={classes}',
    f'--output_dir={tmp_path}/out/',
  )
  run_stage_ok(*command)
  assert 'finished already' in run_stage_ok(
    *command[:-1], f'--output_dir={tmp_path}/out'
  )
  classes.write_text('folder,mid,display_name\none,/m/1,Another\n')
  done = run_stage(*command)
  assert done.returncode == 1
  assert 'has changed since; replace it with --overwrite' in done.stderr


@pytest.mark.parametrize(
  ('place', 'told'), [('', 'is --output_dir'), ('/source', 'lies in --output_dir')]
)
@pytest.mark.parametrize('more', [[], ['--overwrite'], ['--dry_run']])
def test_an_input_in_the_output_folder_is_refused(tmp_path, place, told, more):
  out = tmp_path / 'out'
  (out / 'source').mkdir(parents=True)
  (tmp_path / 'link').symlink_to(out)
  flags = (*CLIPS, f'--source_dir={tmp_path}/link{place}', f'--output_dir={out}/')
  done = run_stage('soundscapes', *flags, *more)
  assert done.returncode == 1
  assert f'link{place}: --source_dir {told}, which this stage writes' in done.stderr
  assert len(done.stderr.splitlines()) == 1
  assert [path.name for path in out.iterdir()] == ['source']
