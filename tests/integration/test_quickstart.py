"""The quick start, with fewer clips and steps."""

import json

import pytest

from tests.stages import kill_stage_when, run_stage, run_stage_ok

FLAGS = (
  '--train_clips=80',
  '--eval_clips=60',
  '--teacher_steps=6',
  '--student_steps=3',
)


def test_quickstart_is_resumed_and_prints_its_table(tmp_path):
  out = tmp_path / 'quickstart'
  flags = [*FLAGS, f'--output_dir={out}']
  kill_stage_when(
    lambda: (out / 'records/train/flags.txt').exists(), 'quickstart', *flags
  )
  printed = run_stage_ok('quickstart', *flags)
  assert f'{out}/soundscapes: finished already' in printed
  table = [line.split() for line in printed.splitlines()]
  assert ['baseline', 'masked', 'gain', '95', '%', 'interval'] in table
  for metric in ('d_prime', 'lwlrap', 'map'):
    row = next(line for line in table if line[:1] == [metric] and len(line) == 6)
    baseline, masked, gain = map(float, row[1:4])
    assert abs(masked - baseline - gain) < 0.002
  assert 'are truly missing' in printed
  assert (out / 'exported/saved_model/saved_model.pb').exists()
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
  assert again.count('finished already') == 11
  weak = {
    name: json.loads((tmp_path / f'out/{name}_evaluation/metrics.json').read_text())
    for name in ('baseline', 'masked')
  }
  gain = weak['masked']['weak']['lwlrap'] - weak['baseline']['weak']['lwlrap']
  assert gain > 0.01
