"""The quick start, with fewer clips and steps."""

import json
import os
import signal
import subprocess
import sys

import pytest

from tests.stages import (
  ROOT,
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


@pytest.mark.long
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


_SUMMARIZE = """
import pathlib, sys
from audioset_ml import quickstart
from audioset_ml.core import errors
quickstart.FLAGS(['quickstart'])
try:
  print(quickstart.summarize(pathlib.Path(sys.argv[1]), 1.0))
except errors.InputError as error:
  print('error:', error)
"""


def test_damaged_results_are_named(tmp_path):
  compared = {'baseline': 0.5, 'model': 0.75, 'difference': 0.25, 'interval': None}
  metrics = {'comparison': {'weak': {'map': compared}}}
  nothing_flagged = {'flagged': 0, 'truly_missing': 0, 'missing': 9, 'recall': 0.0}
  run_json = {'counts': {'label_sets/discard_3': nothing_flagged}}

  def summarized(metrics, run_json):
    for name, text in (
      ('masked_evaluation/metrics.json', metrics),
      ('audit/run.json', run_json),
    ):
      (tmp_path / name).parent.mkdir(exist_ok=True)
      (tmp_path / name).write_text(text)
    command = [sys.executable, '-c', _SUMMARIZE, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    return done.stdout

  whole = json.dumps(metrics), json.dumps(run_json)
  assert summarized(*whole).split()[6:10] == ['map', '0.500', '0.750', '+0.250']
  for damaged in ('{', '[]', '{"counts": {}}'):
    said = summarized(damaged, whole[1])
    assert said.startswith(f'error: {tmp_path}/masked_evaluation/metrics.json: cannot')
    said = summarized(whole[0], damaged)
    assert said.startswith(f'error: {tmp_path}/audit/run.json: cannot')


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
