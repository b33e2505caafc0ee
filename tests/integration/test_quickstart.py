"""The quick start, with fewer clips and steps."""

from tests.stages import kill_stage_when, run_stage_ok

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
  assert ['baseline', 'masked', 'gain'] in table
  for metric in ('d_prime', 'lwlrap', 'map'):
    row = next(line for line in table if line[:1] == [metric])
    baseline, masked, gain = map(float, row[1:])
    assert abs(masked - baseline - gain) < 0.002
  assert 'are truly missing' in printed
  assert (out / 'exported/saved_model/saved_model.pb').exists()
  again = run_stage_ok('quickstart', *flags)
  assert again.count('finished already') == 11
