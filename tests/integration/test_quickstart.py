"""The quick start, with fewer clips and steps."""

import json
import os
import signal

import pytest

from tests.stages import (
  children_of,
  is_alive,
  run_stage,
  run_stage_ok,
  started_stage,
  wait_until,
)

FLAGS = (
  '--train_clips=80',
  '--eval_clips=60',
  '--teacher_steps=6',
  '--validation_clips=10',
  '--student_steps=3',
)


def test_quickstart_is_resumed_and_prints_its_table(tmp_path):
  out = tmp_path / 'quickstart'
  flags = [*FLAGS, f'--output_dir={out}']
  with started_stage('quickstart', *flags) as process:
    wait_until((out / 'soundscapes/flags.txt').exists, 120)
    [launcher] = children_of(process.pid)
    process.kill()
    wait_until(lambda: not is_alive(launcher), 60)
  with started_stage('quickstart', *flags) as process:
    wait_until((out / 'soundscapes/run.json').exists, 120)
    os.killpg(process.pid, signal.SIGINT)  # as in a terminal, where all get it
    _, said = process.communicate(timeout=60)
  assert process.returncode == 130
  assert 'the same command goes on from' in said.splitlines()[-1]
  assert 'Traceback' not in said
  printed = run_stage_ok('quickstart', *flags)
  assert f'{out}/soundscapes: finished already' in printed
  table = [line.split() for line in printed.splitlines()]
  assert ['baseline', 'masked', 'gain', '95', '%', 'interval'] in table
  for metric in ('d_prime', 'lwlrap', 'map'):
    row = next(line for line in table if line[:1] == [metric] and len(line) == 6)
    baseline, masked, gain = map(float, row[1:4])
    assert abs(masked - baseline - gain) < 0.002
  assert 'are truly missing' in printed
  assert (out / 'records/validation/run.json').exists()
  assert (out / 'exported/saved_model/saved_model.pb').exists()
  # Each stage is what its command alone gives: the same folder, left as it is.
  again = run_stage_ok('train', f'--flagfile={out}/teacher/flags.txt')
  assert f'{out}/teacher: finished already with the same flags' in again
  assert '"masked"' in (out / 'report.html').read_text()


@pytest.mark.parametrize('percent', ['abc', '1,3', '100'])
def test_a_wrong_percentage_is_told_at_once(tmp_path, percent):
  done = run_stage(
    'quickstart', f'--discard_percent={percent}', f'--output_dir={tmp_path}/out'
  )
  assert done.returncode == 1
  assert done.stderr.startswith('error: percentage')


@pytest.mark.slow
def test_masking_helps_at_full_size(tmp_path):
  run_stage_ok('quickstart', f'--output_dir={tmp_path}/out', seconds=1500)
  again = run_stage_ok('quickstart', f'--output_dir={tmp_path}/out')
  assert again.count('finished already') == 14
  weak = {
    name: json.loads((tmp_path / f'out/{name}_evaluation/metrics.json').read_text())
    for name in ('baseline', 'masked')
  }
  gain = weak['masked']['weak']['lwlrap'] - weak['baseline']['weak']['lwlrap']
  assert gain > 0.01
