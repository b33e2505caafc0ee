"""Sweeps as a user runs them: resumed, extended, with failures, killed."""

import json
import os
import signal
import time

import pandas as pd
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.stages import (
  children_of,
  kill_stage_when,
  run_stage,
  run_stage_ok,
  started_stage,
)

CLIPS = '--train_clips=3 --eval_clips=2 --num_workers=1'


def flags(folder, *more, seeds='1,2'):
  return (
    f'--output_dir={folder}',
    f'--axis=seed={seeds}',
    f'--stage=soundscapes {CLIPS} --seed={{seed}}',
    *more,
  )


def finished_at(folder):
  return {
    path.parent.name: path.stat().st_mtime_ns for path in folder.glob('*/run.json')
  }


@pytest.fixture(scope='module')
def trained(small_records, tmp_path_factory):
  """A sweep of training and evaluation, in which a trial fails."""
  folder = tmp_path_factory.mktemp('sweep') / 'out'
  network = '--architecture=mobilenet_v1_tiny --width_multiplier=0.25 --batch_size=4'
  arguments = (
    f'--output_dir={folder}',
    '--axis=rate=1e-3,0,1e-2',
    f'--stage=train --records={small_records} {network} --steps=2 '
    '--learning_rate={rate}',
    f'--stage=evaluate --model={{trial}}/train --records={small_records} --nofigures',
    '--jobs=2',
  )
  return folder, arguments, run_stage('sweep', *arguments)


def test_one_table_holds_all_trials_and_a_failure_stops_no_other(trained):
  folder, _, done = trained
  assert done.returncode == 1
  table = pd.read_csv(folder / 'results.csv').set_index('trial')
  assert table['status'].to_dict() == {
    'rate_1e-3': 'finished',
    'rate_0': 'failed',
    'rate_1e-2': 'finished',
  }
  assert 'learning_rate is 0.0' in table.loc['rate_0', 'message']
  assert f'failed: {folder}/rate_0: train: error: learning_rate is 0.0' in done.stdout
  metrics = json.loads((folder / 'rate_1e-2/evaluate/metrics.json').read_text())
  value = table.loc['rate_1e-2', 'evaluate/weak/lwlrap']
  assert value == pytest.approx(metrics['weak']['lwlrap'], rel=1e-12)
  assert table.loc['rate_1e-3', 'train/steps'] == 2
  assert 0 < table.loc['rate_1e-3', 'train/wall_seconds'] <= table['seconds'].max()


@pytest.mark.slow
def test_a_trial_is_what_its_commands_give_by_themselves(trained, tmp_path):
  folder, _, _ = trained
  flagfile = folder / 'rate_1e-2/train/flags.txt'
  run_stage_ok('train', f'--flagfile={flagfile}', f'--output_dir={tmp_path}/alone')
  run_stage_ok(
    'evaluate',
    f'--flagfile={folder}/rate_1e-2/evaluate/flags.txt',
    f'--model={tmp_path}/alone',
    f'--output_dir={tmp_path}/evaluated',
  )
  ours = json.loads((tmp_path / 'evaluated/metrics.json').read_text())
  table = pd.read_csv(folder / 'results.csv').set_index('trial')
  value = table.loc['rate_1e-2', 'evaluate/weak/lwlrap']
  assert value == pytest.approx(ours['weak']['lwlrap'], abs=1e-6)


def test_tensorboard_has_a_session_a_finished_trial(trained):
  folder, _, _ = trained
  assert {path.name for path in (folder / 'logs').iterdir()} == {
    'rate_1e-3',
    'rate_1e-2',
  }
  events = EventAccumulator(str(folder / 'logs/rate_1e-2')).Reload()
  assert '_hparams_/session_start_info' in events.PluginTagToContent('hparams')
  assert 'weak/lwlrap' in events.Tags()['tensors']


def test_what_made_the_results_is_told(trained):
  folder, _, _ = trained
  made_by = json.loads((folder / 'provenance.json').read_text())
  assert {'version', 'commit', 'tensorflow', 'numpy', 'processor'} <= set(made_by)
  assert made_by['tensorflow'].startswith('2.')


@pytest.mark.long
def test_finished_trials_are_not_repeated_and_failed_ones_are(trained):
  folder, arguments, _ = trained
  before = {path: path.stat().st_mtime_ns for path in folder.glob('*/trial.json')}
  again = run_stage('sweep', *arguments)
  assert '3 trials, 2 finished before' in again.stdout
  after = {path: path.stat().st_mtime_ns for path in folder.glob('*/trial.json')}
  assert [path.parent.name for path in before if before[path] != after[path]] == [
    'rate_0'
  ]


def test_new_values_extend_a_sweep(tmp_path):
  out = tmp_path / 'out'
  run_stage_ok('sweep', *flags(out, seeds='1'))
  first = (out / 'seed_1/soundscapes/run.json').stat().st_mtime_ns
  text = run_stage_ok('sweep', *flags(out))
  assert '2 trials, 1 finished before' in text
  assert (out / 'seed_1/soundscapes/run.json').stat().st_mtime_ns == first


@pytest.mark.long
def test_a_changed_input_is_told_of_and_overwrite_makes_the_trial_anew(tmp_path):
  out, source = tmp_path / 'out', tmp_path / 'clips'
  run_stage_ok('soundscapes', *CLIPS.split(), f'--output_dir={source}')
  stage = (
    f'--stage=describe --segments_csv={source}/train_segments.csv '
    f'--class_map={source}/class_labels_indices.csv'
  )
  run_stage_ok('sweep', f'--output_dir={out}', stage)
  os.utime(source / 'train_segments.csv')
  refused = run_stage('sweep', f'--output_dir={out}', stage)
  assert refused.returncode == 1
  assert 'has changed since; replace it with --overwrite' in refused.stdout
  again = run_stage_ok('sweep', f'--output_dir={out}', stage, '--overwrite')
  assert '1 of 1 trial finished' in again
  assert '1 trial, 1 finished' in run_stage_ok('sweep', f'--output_dir={out}', stage)


def test_a_sweeps_flagfile_repeats_it(tmp_path):
  out = tmp_path / 'out'
  arguments = (
    f'--output_dir={out}',
    '--axis=seed=1',
    '--axis=clips=2',
    '--stage=soundscapes --train_clips={clips} --eval_clips=1 --seed={seed}',
    '--stage=describe --segments_csv={trial}/soundscapes/train_segments.csv '
    '--class_map={trial}/soundscapes/class_labels_indices.csv',
  )
  run_stage_ok('sweep', *arguments)
  flagfile = f'--flagfile={out}/flags.txt'
  printed = run_stage_ok('sweep', flagfile, '--print_commands')
  assert printed == run_stage_ok('sweep', *arguments, '--print_commands')


def test_a_folder_of_something_else_is_left_alone(tmp_path):
  (tmp_path / 'thesis.txt').write_text('mine')
  done = run_stage('sweep', *flags(tmp_path))
  assert done.returncode == 1
  assert 'holds files that no sweep wrote' in done.stderr
  assert [path.name for path in tmp_path.iterdir()] == ['thesis.txt']


def test_flags_that_are_no_text_are_told(tmp_path):
  (tmp_path / 'flags.txt').write_bytes(b'audioset_ml.sweep \xff\n')
  done = run_stage('sweep', *flags(tmp_path))
  assert done.returncode == 1
  assert done.stderr.startswith(f'error: {tmp_path}/flags.txt: cannot be read')


@pytest.mark.long
def test_a_sweep_that_was_killed_goes_on(tmp_path):
  out = tmp_path / 'out'
  arguments = flags(out, seeds='1,2,3')
  kill_stage_when((out / 'seed_1/trial.json').exists, 'sweep', *arguments)
  first = (out / 'seed_1/trial.json').stat().st_mtime_ns
  run_stage_ok('sweep', *arguments)
  table = pd.read_csv(out / 'results.csv')
  assert table['status'].tolist() == ['finished'] * 3
  assert (out / 'seed_1/trial.json').stat().st_mtime_ns == first


@pytest.mark.long
def test_the_stages_end_with_a_sweep_that_is_killed(tmp_path):
  out = tmp_path / 'out'
  stage = '--stage=soundscapes --train_clips=20000 --eval_clips=1 --num_workers=1'
  some_audio = out / 'trial/soundscapes/audio/train'
  kill_stage_when(
    lambda: some_audio.exists() and any(some_audio.iterdir()),
    'sweep',
    f'--output_dir={out}',
    stage,
  )
  deadline = time.monotonic() + 30
  while processes_of(out):
    assert time.monotonic() < deadline, processes_of(out)
    time.sleep(0.1)


@pytest.mark.long
@pytest.mark.parametrize('of_stage', [False, True])
def test_a_killed_process_is_told_with_what_its_signal_means(tmp_path, of_stage):
  out = tmp_path / 'out'
  stage = '--stage=soundscapes --train_clips=20000 --eval_clips=1 --num_workers=1'
  with started_stage('sweep', f'--output_dir={out}', stage) as process:
    deadline = time.monotonic() + 120
    while not any(out.glob('trial/soundscapes/audio/train/*')):
      assert time.monotonic() < deadline
      time.sleep(0.02)
    killed = children_of(process.pid, 'launcher')
    if of_stage:
      killed = children_of(killed[0])
    os.kill(killed[0], signal.SIGKILL)
    process.communicate(timeout=60)
  message = pd.read_csv(out / 'results.csv')['message'][0]
  assert 'was ended by signal 9 (Killed), as happens when memory runs short' in message
  assert message.startswith('soundscapes: ' if of_stage else 'its launcher ')


def test_an_interrupted_sweep_says_how_to_go_on(tmp_path):
  out = tmp_path / 'out'
  status = kill_stage_when(
    (out / 'seed_1/trial.json').exists,
    'sweep',
    *flags(out, seeds='1,2,3,4,5,6'),
    signal_number=signal.SIGTERM,
  )
  assert status == 130
  assert not processes_of(out)


def processes_of(folder):
  """Processes whose command line or open files name a folder."""
  found = []
  for process in os.listdir('/proc'):
    if process.isdigit() and int(process) != os.getpid():
      try:
        files = [
          os.readlink(f'/proc/{process}/fd/{one}')
          for one in os.listdir(f'/proc/{process}/fd')
        ]
      except OSError:
        continue
      if any(file.startswith(str(folder)) for file in files):
        found.append(process)
  return found


def test_the_commands_are_printed_instead(tmp_path):
  text = run_stage_ok('sweep', *flags(tmp_path / 'out'), '--print_commands')
  assert [line.partition(' --')[0] for line in text.splitlines()] == [
    'python -m audioset_ml.soundscapes'
  ] * 2
  assert not (tmp_path / 'out').exists()


@pytest.mark.long
def test_a_dry_run_finds_what_would_fail(tmp_path, small_records):
  out = tmp_path / 'out'
  good = run_stage_ok('sweep', *flags(out), '--dry_run')
  assert '2 trials of soundscapes' in good
  later = '--stage=evaluate --model={trial}/train --record=' + str(small_records)
  misspelt = run_stage('sweep', *flags(out, later), '--dry_run')
  assert misspelt.returncode == 1
  assert '2 of 2 trials would fail, seed_1 for one: evaluate' in misspelt.stderr
  assert 'there is no flag --record' in misspelt.stderr
  lacking = f'--stage=train --records={tmp_path}/nowhere'
  refused = run_stage('sweep', f'--output_dir={out}', lacking, '--dry_run')
  assert f'{tmp_path}/nowhere: no such folder' in refused.stderr
  assert not out.exists()


def test_wrong_flags_are_named(tmp_path):
  done = run_stage('sweep', f'--output_dir={tmp_path}/out', '--stage=trian')
  assert done.returncode == 1
  assert "begins with 'trian'" in done.stderr
  assert 'Traceback' not in done.stderr
  (tmp_path / 'file').write_text('')
  done = run_stage('sweep', *flags(tmp_path / 'file'))
  assert 'is a file, but --output_dir must be a folder' in done.stderr
