"""The soundscapes entry point, as a user runs it."""

import hashlib
import json
import time

import pytest

from tests.stages import kill_stage_when, run_stage, run_stage_ok
from tests.synthesis.source_folders import write_source_dir

ARGUMENTS = ('--train_clips=60', '--eval_clips=20', '--clip_seconds=3', '--seed=5')


def digests(folder):
  """The hash of every file but those that hold the time or the folder's own name."""
  return {
    path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
    for path in sorted(folder.rglob('*'))
    if path.is_file() and path.name not in ('run.json', 'flags.txt')
  }


@pytest.fixture(scope='module')
def finished(tmp_path_factory):
  folder = tmp_path_factory.mktemp('finished') / 'set'
  printed = run_stage_ok('soundscapes', f'--output_dir={folder}', *ARGUMENTS)
  return folder, printed


def test_summary_and_provenance(finished):
  folder, printed = finished
  assert 'train: 60 clips' in printed
  assert 'eval: 20 clips' in printed
  assert str(folder) in printed
  run = json.loads((folder / 'run.json').read_text())
  assert run['stage'] == 'soundscapes'
  assert run['seed'] == 5
  assert run['counts']['train_clips'] == 60


def test_finished_folder_is_left_alone(finished):
  folder, _ = finished
  before = (folder / 'run.json').stat().st_mtime_ns
  printed = run_stage_ok('soundscapes', f'--flagfile={folder / "flags.txt"}')
  assert 'finished already' in printed
  assert (folder / 'run.json').stat().st_mtime_ns == before


def test_killed_run_goes_on_to_the_same_bytes(finished, tmp_path):
  folder = tmp_path / 'set'

  def some_written():
    return len(list(folder.glob('audio/train/*.flac'))) >= 12

  arguments = (f'--output_dir={folder}', *ARGUMENTS)
  kill_stage_when(some_written, 'soundscapes', *arguments, '--num_workers=2')
  assert not (folder / 'run.json').exists()
  time.sleep(1)  # the workers notice that they are alone
  early = {path: path.stat().st_mtime_ns for path in folder.rglob('audio/*/*.flac')}
  run_stage_ok('soundscapes', *arguments, '--num_workers=1')
  assert all(path.stat().st_mtime_ns == written for path, written in early.items())
  left = {name for name in digests(folder) if name.endswith('.partial')}
  assert not left
  assert digests(folder) == digests(finished[0])


def test_recordings(tmp_path):
  sources = write_source_dir(tmp_path / 'sources')
  printed = run_stage_ok(
    'soundscapes',
    f'--output_dir={tmp_path / "set"}',
    f'--source_dir={sources}',
    '--eval_sources=5-*',
    *ARGUMENTS,
  )
  assert 'events of 3 classes' in printed


@pytest.mark.parametrize(
  ('arguments', 'message'),
  [
    (('--snr_db=20,0',), 'snr_db'),
    (('--snr_db=loud,quiet',), 'not a list of numbers'),
    (('--source_dir=/nonexistent',), '/nonexistent: no such folder'),
    (('--eval_sources=5-*',), 'source_dir'),
  ],
)
def test_bad_input_is_explained_without_a_traceback(tmp_path, arguments, message):
  done = run_stage('soundscapes', f'--output_dir={tmp_path / "set"}', *arguments)
  assert done.returncode == 1
  assert done.stderr.startswith('error: ')
  assert message in done.stderr
  assert 'Traceback' not in done.stderr


def test_no_output_folder():
  done = run_stage('soundscapes')
  assert done.returncode == 1
  assert '--output_dir' in done.stderr


def test_help_is_quick():
  start = time.monotonic()
  done = run_stage('soundscapes', '--help')
  assert time.monotonic() - start < 2
  assert '--source_dir' in done.stdout
