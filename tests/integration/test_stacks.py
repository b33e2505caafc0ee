"""What one set of versions writes the other reads, in both directions.

This environment's Python is one; the other is that of another environment of this
checkout (`make STACK=current environment` makes one) with another TensorFlow.
"""

import filecmp
import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from tests.conftest import prepare_flags
from tests.stages import ROOT, kill_stage_when, run_stage_ok

pytestmark = pytest.mark.slow

_ASK = 'import importlib.metadata as m; print(m.version("tensorflow"))'
TRAINING = (
  '--architecture=mobilenet_v1_tiny',
  '--width_multiplier=0.25',
  '--learning_rate=1e-2',
  '--batch_size=8',
  '--steps=60',
  '--checkpoint_every=20',
)


def tensorflow_of(python: str) -> str:
  done = subprocess.run([python, '-c', _ASK], capture_output=True, text=True)
  return done.stdout.strip()


@pytest.fixture(scope='module')
def pythons() -> tuple[str, str]:
  """This environment's, and one with another TensorFlow."""
  own = tensorflow_of(sys.executable)
  named = os.environ.get('AUDIOSET_ML_OTHER_PYTHON')
  found = [named] if named else sorted(map(str, ROOT.glob('.venv*/bin/python')))
  for python in found:
    other = tensorflow_of(python)
    if other and other.split('.')[:2] != own.split('.')[:2]:
      return sys.executable, python
  pytest.skip(
    f'no environment with another TensorFlow than {own}: '
    'make STACK=current environment, or STACK=tensorflow-io'
  )


@pytest.fixture(scope='module', params=[(0, 1), (1, 0)], ids=['to other', 'from other'])
def sides(request, pythons, small_data, tmp_path_factory):
  """The folder that the writing side's stages made, and the reading side's Python."""
  writer, reader = (pythons[index] for index in request.param)
  root = tmp_path_factory.mktemp('written')

  def write(stage, *flags):
    run_stage_ok(stage, *flags, python=writer)

  records = root / 'records'
  write('prepare', *labelled(small_data), f'--output_dir={records}')
  write('train', *training(records, root / 'teacher'))
  score = (f'--model={root}/teacher', f'--records={records}', '--patch_scores')
  write('score', *score, f'--output_dir={root}/scores')
  write('enhance', *enhancing(root), f'--output_dir={root}/label_sets')
  write('export', f'--model={root}/teacher', f'--output_dir={root}/exported')
  return root, writer, reader


def labelled(data) -> list[str]:
  """The flags of `prepare`; without explicit labels, so that some are left to flag."""
  return [flag for flag in prepare_flags(data) if 'explicit' not in flag]


def training(records, out, *more):
  return [f'--records={records}', *TRAINING, *more, f'--output_dir={out}']


def enhancing(root):
  return f'--scores={root}/scores', f'--records={root}/records', '--discard_percent=20'


def test_records(sides, small_data, tmp_path):
  root, _, reader = sides
  told = run_stage_ok('inspect', root / 'records', python=reader)
  assert '12 clips' in told
  again = tmp_path / 'again'
  flags = [*labelled(small_data), f'--output_dir={again}']
  run_stage_ok('prepare', *flags, python=reader)
  for name in ('clips.csv', 'skipped.csv', 'class_map.csv'):
    assert filecmp.cmp(root / 'records' / name, again / name, shallow=False)
  relabelled = tmp_path / 'relabelled'
  labels = [flag for flag in labelled(small_data) if 'audio_dir' not in flag]
  labels = [flag for flag in labels if 'clips_per_shard' not in flag]
  more = ('--labels_only', f'--records={root}/records', f'--output_dir={relabelled}')
  run_stage_ok('prepare', *labels, *more, python=reader)
  for shard in (root / 'records').glob('*.tfrecord'):
    assert filecmp.cmp(shard, relabelled / shard.name, shallow=False)


def test_a_model_gives_the_same_scores(sides, tmp_path):
  root, _, reader = sides
  flags = (f'--model={root}/teacher', f'--records={root}/records')
  run_stage_ok('score', *flags, f'--output_dir={tmp_path}/scores', python=reader)
  ours, theirs = (
    np.load(f / 'scores.npy') for f in (root / 'scores', tmp_path / 'scores')
  )
  assert np.abs(ours - theirs).max() < 1e-5
  assert ours.std() > 0.01


def test_scores_give_the_same_label_sets(sides, tmp_path):
  root, _, reader = sides
  out = tmp_path / 'label_sets'
  run_stage_ok('enhance', *enhancing(root), f'--output_dir={out}', python=reader)
  flagged = 'discard_20/flagged.npy'
  assert filecmp.cmp(root / 'label_sets' / flagged, out / flagged, shallow=False)
  assert np.load(out / flagged).any()


def test_a_student_starts_from_it_with_its_label_set(sides, tmp_path):
  root, _, reader = sides
  more = (f'--init_from={root}/teacher', f'--label_set={root}/label_sets/discard_20')
  out = tmp_path / 'student'
  run_stage_ok('train', *training(root / 'records', out, *more), python=reader)
  evaluated = (f'--model={out}', f'--records={root}/records', '--bootstrap=50')
  run_stage_ok('evaluate', *evaluated, f'--output_dir={tmp_path}/e', python=reader)
  metrics = json.loads((tmp_path / 'e/metrics.json').read_text())
  assert metrics['clips']['evaluated'] == 12


def test_a_saved_model_names_the_same_sounds(sides, small_data):
  root, writer, reader = sides
  sound = min((small_data / 'audio').iterdir())
  command = ('tag', f'--model={root}/exported/saved_model', sound)
  assert run_stage_ok(*command, python=reader) == run_stage_ok(*command, python=writer)


def test_a_killed_training_goes_on(sides, tmp_path):
  root, writer, reader = sides
  out = tmp_path / 'run'
  flags = training(root / 'records', out)

  def has_begun():
    return (out / 'checkpoints/checkpoint').exists()

  kill_stage_when(has_begun, 'train', *flags, python=writer)
  steps = step_of(out)
  assert 0 < steps < 60
  run_stage_ok('train', *flags, python=reader)
  assert json.loads((out / 'run.json').read_text())['counts']['steps'] == 60
  # As one that was left alone, but for rounding, which grows with the steps.
  assert last_loss(out) == pytest.approx(last_loss(root / 'teacher'), rel=0.05)


def step_of(run: pathlib.Path) -> int:
  text = (run / 'checkpoints/checkpoint').read_text().splitlines()[0]
  return int(text.rpartition('-')[2].strip('"'))


def last_loss(run: pathlib.Path) -> float:
  found = {}
  for path in (run / 'logs').rglob('events*'):
    for event in tf.compat.v1.train.summary_iterator(str(path)):
      for value in event.summary.value:
        if value.tag == 'loss':
          found[event.step] = float(tf.make_ndarray(value.tensor))
  return found[max(found)]
