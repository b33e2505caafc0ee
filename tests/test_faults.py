"""Stages that are killed, or whose disk is full, at each change that they make.

From the first change to the last, the old content of the folder is there or the new,
and the same command ends in the same bytes.
"""

import random
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
  status, where = end_by_a_fault(runner, command, out, fault, at)
  if fault == 'kill':
    # Another stage takes nothing of it.
    with pytest.raises(InputError, match='was written by `soundscapes`'):
      run_state.enter(out, 'train', run_state.Flags(()), {}, overwrite=True)
  elif status:
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
  labels = [
    f'--strong_tsv={small_data}/strong.tsv',
    f'--class_map={small_data}/class_map.csv',
  ]
  segments = f'{small_data}/segments.csv'
  commands = {
    'prepare': prepare_flags(small_data),
    'train': [records, *network, '--steps=6', '--batch_size=4', '--checkpoint_every=2'],
    'score': [records, f'--model={root}/train', '--patch_scores'],
    'import_scores': [
      records,
      f'--scores={root}/score/scores.npy',
      f'--clip_ids={root}/score/clip_ids.txt',
    ],
    'enhance': [records, f'--scores={root}/score', '--discard_percent=0,40'],
    'audit': [
      records,
      f'--label_sets={root}/enhance/discard_40',
      f'--truth_csv={segments}',
    ],
    'evaluate': [records, f'--scores={root}/score', '--bootstrap=50'],
    'embed': [records, f'--model={root}/train'],
    'export': [f'--model={root}/train'],
    'describe': [f'--segments_csv={segments}', *labels],
  }
  for stage, flags in commands.items():
    run_stage_ok(stage, *flags, f'--output_dir={root}/{stage}')
  commands['frame_labels'] = labels[:1]
  commands['report'] = [f'--evaluation={root}/evaluate']
  commands['review'] = [
    records,
    f'--label_set={root}/enhance/discard_40',
    f'--scores={root}/score',
    f'--audio_dir={small_data}/audio',
  ]
  return root, commands


@pytest.mark.slow
@pytest.mark.parametrize('fault', ['kill', 'full'])
@pytest.mark.parametrize(
  'stage',
  [
    'prepare',
    'train',
    'score',
    'import_scores',
    'enhance',
    'audit',
    'evaluate',
    'embed',
    'export',
    'describe',
  ],
)
def test_every_stage_goes_on_to_the_same_bytes(chain, stage, fault, tmp_path):
  root, commands = chain
  runner, out = faults.Faults(tmp_path / 'hooks'), tmp_path / 'out'
  command = (stage, *commands[stage], f'--output_dir={out}')
  changes = runner.count(*command, under=out)
  expected = faults.content(out)
  assert expected.keys() == faults.content(root / stage).keys()
  for at in some_of(changes, stage, fault):
    shutil.rmtree(out)
    _, where = end_by_a_fault(runner, command, out, fault, at)
    run_stage_ok(*command)
    assert faults.content(out) == expected, where


@pytest.mark.slow
@pytest.mark.parametrize('fault', ['kill', 'full'])
@pytest.mark.parametrize(
  ('stage', 'output'),
  [
    ('frame_labels', '--output_tsv=framed.tsv'),
    ('report', '--output=page.html'),
    ('review', '--output=page.html'),
  ],
)
def test_files_are_the_old_or_the_new(chain, stage, output, fault, tmp_path):
  runner, out = faults.Faults(tmp_path / 'hooks'), tmp_path / 'out'
  flag, name = output.split('=')
  command = (stage, *chain[1][stage], f'{flag}={out}/{name}')
  out.mkdir()
  changes = runner.count(*command, under=out)
  new = (out / name).read_bytes()
  for at in range(1, changes + 1):
    (out / name).write_text('old')
    _, where = end_by_a_fault(runner, command, out, fault, at)
    assert (out / name).read_bytes() in (b'old', new), where
    run_stage_ok(*command)
    assert (out / name).read_bytes() == new, where


def some_of(changes, stage, fault):
  """Each change to be killed at; ten at random where a disk is full."""
  every = range(1, changes + 1)
  if fault == 'kill' or changes <= 10:
    return every
  return sorted(random.Random(stage).sample(every, 10))


def end_by_a_fault(runner, command, out, fault, at):
  """Runs a stage to a fault, at which it ends as it should; its exit status, and where
  it was, for messages."""
  done = runner.run(*command, under=out, fault=fault, at=at)
  where = f'{command[0]}: {fault} at {at}: {done.stderr}'
  if fault == 'kill':
    assert faults.was_killed(done), where
  elif done.returncode:
    assert done.returncode == 1, where
    assert 'No space left on device' in done.stderr, where
    assert 'Traceback' not in done.stderr, where
  return done.returncode, where
