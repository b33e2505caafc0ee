"""Stages that are killed, or whose disk is full, at each change that they make.

From the first change to the last, the old content of the folder is there or the new,
and the same command ends in the same bytes.
"""

import shutil

import pytest

from audioset_ml import folders, run_state
from audioset_ml.errors import InputError
from tests import faults
from tests.conftest import prepare_flags
from tests.stages import run_stage_ok

OLD = ('--train_clips=2', '--eval_clips=1', '--num_workers=1')
NEW = ('--train_clips=1', '--eval_clips=1', '--num_workers=1')


@pytest.fixture(scope='module')
def soundscapes(tmp_path_factory):
  """(the runner of faults, a finished folder, its content, that of the new run, how
  often the new run changes something when it replaces the finished one)."""
  root = tmp_path_factory.mktemp('faults')
  out = root / 'out'
  run_stage_ok('soundscapes', *OLD, f'--output_dir={out}')
  shutil.copytree(out, root / 'old')
  old = faults.content(out)
  runner = faults.Faults(root / 'hooks')
  changes = runner.count(
    'soundscapes', *NEW, f'--output_dir={out}', '--overwrite', under=out
  )
  assert changes > 20
  return runner, root / 'old', old, faults.content(out), changes


@pytest.mark.parametrize('fault', ['kill', 'full'])
def test_overwriting_loses_nothing_at_some_faults(soundscapes, fault, tmp_path):
  changes = soundscapes[-1]
  for at in (2, 9, changes // 2, changes):
    overwrite_to_a_fault(soundscapes, fault, at, tmp_path / str(at))


@pytest.mark.slow
@pytest.mark.parametrize('fault', ['kill', 'full'])
def test_overwriting_loses_nothing_at_any_fault(soundscapes, fault, tmp_path):
  for at in range(1, soundscapes[-1] + 1):
    overwrite_to_a_fault(soundscapes, fault, at, tmp_path / str(at))


def overwrite_to_a_fault(soundscapes, fault, at, out):
  runner, finished, old, new, _ = soundscapes
  shutil.copytree(finished, out)
  command = ('soundscapes', *NEW, f'--output_dir={out}', '--overwrite')
  done = runner.run(*command, under=out, fault=fault, at=at)
  where = f'{fault} at {at}: {done.stderr}'
  if fault == 'kill':
    assert faults.was_killed(done), where
    # Another stage takes nothing of it.
    with pytest.raises(InputError, match='was written by `soundscapes`'):
      run_state.enter(out, 'train', run_state.Flags(()), {}, overwrite=True)
  elif done.returncode:
    assert done.returncode == 1, where
    assert 'No space left on device' in done.stderr, where
    assert 'Traceback' not in done.stderr, where
    assert faults.content(out) == old, where
  if folders.is_finished(out):
    kept = {
      name: digest
      for name, digest in faults.content(out).items()
      if not name.startswith(('.replaced', '..replaced'))
    }
    assert kept in (old, new), where
  run_stage_ok(*command)
  assert faults.content(out) == new, where


@pytest.fixture(scope='module')
def chain(small_data, small_records, tmp_path_factory):
  """The flags of each stage of a small chain, and folders that they have written."""
  root = tmp_path_factory.mktemp('chain')
  records = f'--records={small_records}'
  network = ('--architecture=mobilenet_v1_tiny', '--width_multiplier=0.1')
  commands = {
    'prepare': prepare_flags(small_data),
    'train': [records, *network, '--steps=6', '--batch_size=4', '--checkpoint_every=2'],
    'score': [records, f'--model={root}/train', '--save_patch_scores'],
    'enhance': [records, f'--scores={root}/score', '--discard_percent=0,40'],
    'evaluate': [records, f'--scores={root}/score', '--bootstrap=50'],
    'embed': [records, f'--model={root}/train'],
    'export': [f'--model={root}/train'],
    'describe': [records],
  }
  for stage, flags in commands.items():
    run_stage_ok(stage, *flags, f'--output_dir={root}/{stage}')
  return root, commands


@pytest.mark.slow
@pytest.mark.parametrize('fault', ['kill', 'full'])
@pytest.mark.parametrize(
  'stage',
  ['prepare', 'train', 'score', 'enhance', 'evaluate', 'embed', 'export', 'describe'],
)
def test_every_stage_goes_on_to_the_same_bytes(chain, stage, fault, tmp_path):
  root, commands = chain
  runner, out = faults.Faults(tmp_path / 'hooks'), tmp_path / 'out'
  command = (stage, *commands[stage], f'--output_dir={out}')
  changes = runner.count(*command, under=out)
  expected = faults.content(out)
  assert expected.keys() == faults.content(root / stage).keys()
  for at in sorted({round(1 + part * (changes - 1) / 7) for part in range(8)}):
    shutil.rmtree(out)
    done = runner.run(*command, under=out, fault=fault, at=at)
    where = f'{stage}: {fault} at {at} of {changes}: {done.stderr}'
    if fault == 'kill':
      assert faults.was_killed(done), where
    elif done.returncode:
      assert done.returncode == 1, where
      assert 'No space left on device' in done.stderr, where
      assert 'Traceback' not in done.stderr, where
    run_stage_ok(*command)
    assert faults.content(out) == expected, where
