"""The `train` entry point on tiny data."""

import json
import shutil
import signal

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf

from audioset_ml.models import layers  # noqa: F401  registers the layers
from audioset_ml.records.folder import RecordsFolder
from tests.stages import kill_stage_when, run_stage, run_stage_ok

pytestmark = pytest.mark.few

TINY = (
  '--architecture=mobilenet_v1_tiny',
  '--width_multiplier=0.25',
  '--weight_init=keras',
  '--learning_rate=1e-2',
  '--batch_size=8',
  '--shuffle_buffer=16',
)


def train_flags(records, out, *changes):
  return [f'--records={records}', f'--output_dir={out}', *TINY, *changes]


@pytest.fixture(scope='module')
def teacher(small_records, tmp_path_factory):
  out = tmp_path_factory.mktemp('train') / 'teacher'
  flags = train_flags(
    small_records,
    out,
    f'--validation_records={small_records}',
    '--steps=40',
    '--checkpoint_every=10',
    '--validate_every=20',
    '--log_every=10',
  )
  printed = run_stage_ok('train', *flags)
  assert 'step 20: validation d_prime' in printed
  return out


def scalars(folder):
  """All TensorBoard scalars below a folder: (tag, step) → value."""
  found = {}
  for path in folder.rglob('events*'):
    for event in tf.compat.v1.train.summary_iterator(str(path)):
      for value in event.summary.value:
        if value.metadata.plugin_data.plugin_name == 'scalars':
          found[value.tag, event.step] = float(tf.make_ndarray(value.tensor))
  return found


def weights(out):
  return keras.saving.load_model(out / 'model.keras', compile=False).get_weights()


def test_training_learns_and_writes_what_it_should(teacher, small_records):
  logged = scalars(teacher / 'logs')
  assert logged['loss', 40] < logged['loss', 10]
  for tag in ('learning_rate', 'patches_per_second'):
    assert (tag, 40) in logged
  assert {step for tag, step in logged if tag == 'd_prime'} == {20, 40}
  run_json = json.loads((teacher / 'run.json').read_text())
  assert run_json['counts']['steps'] == 40
  assert run_json['counts']['validation']['lwlrap'] == pytest.approx(
    logged['lwlrap', 40], abs=1e-6
  )
  records = RecordsFolder.open(small_records)
  assert run_json['front_end'] == records.frames.front_end.to_dict()


@pytest.mark.long
def test_a_killed_run_goes_on_from_its_checkpoint_to_the_same_weights(
  teacher, small_records, tmp_path
):
  out = tmp_path / 'killed'
  changes = [
    f'--validation_records={small_records}',
    '--steps=40',
    '--checkpoint_every=10',
    '--validate_every=20',
    '--log_every=10',
  ]
  flags = train_flags(small_records, out, *changes)
  index = out / 'checkpoints' / 'checkpoint'
  kill_stage_when(
    lambda: index.exists() and 'ckpt-20' in index.read_text(), 'train', *flags
  )
  assert not (out / 'model.keras').exists()
  assert 'going on from step' in run_stage_ok('train', *flags)
  for one, other in zip(weights(teacher), weights(out), strict=True):
    assert np.array_equal(one, other)


@pytest.mark.long
def test_a_run_killed_before_its_end_is_validated_all_the_same(
  teacher, small_records, tmp_path
):
  out = tmp_path / 'late'
  shutil.copytree(teacher, out)
  before = json.loads((out / 'run.json').read_text())
  for name in ('run.json', 'model.keras'):
    (out / name).unlink()
  run_stage_ok('train', f'--flagfile={out}/flags.txt', f'--output_dir={out}')
  after = json.loads((out / 'run.json').read_text())
  assert after['counts']['validation'] == before['counts']['validation']


@pytest.mark.long
@pytest.mark.parametrize('their_list', [None, b'model_checkpoint_path: \xff{'])
def test_a_damaged_checkpoint_falls_back_to_the_one_before(
  teacher, tmp_path, their_list
):
  """Whether TensorFlow's list of them is gone or garbage."""
  out = tmp_path / 'damaged'
  shutil.copytree(teacher, out)
  for name in ('run.json', 'model.keras'):
    (out / name).unlink()
  newest = out / 'checkpoints' / 'ckpt-40.data-00000-of-00001'
  newest.write_bytes(newest.read_bytes()[:1000])
  (out / 'checkpoints' / 'checkpoint').unlink()
  if their_list:
    (out / 'checkpoints' / 'checkpoint').write_bytes(their_list)
  command = ('train', f'--flagfile={out}/flags.txt', f'--output_dir={out}')
  printed = run_stage_ok(*command)
  assert 'ckpt-40: a damaged checkpoint' in printed
  assert 'going on from step 30' in printed
  for one, other in zip(weights(teacher), weights(out), strict=True):
    assert np.array_equal(one, other)
  # The new list names them without the folder, which may be moved.
  assert str(tmp_path) not in (out / 'checkpoints' / 'checkpoint').read_text()


def test_a_failed_overwrite_keeps_the_old_model(teacher, tmp_path):
  out = tmp_path / 'kept'
  shutil.copytree(teacher, out)
  command = ('train', f'--flagfile={out}/flags.txt', f'--output_dir={out}')
  done = run_stage(*command, '--records=typo', '--overwrite')
  assert done.returncode == 1
  assert 'typo: no such folder' in done.stderr
  assert (out / 'model.keras').read_bytes() == (teacher / 'model.keras').read_bytes()
  assert (out / 'run.json').exists()


@pytest.mark.slow
def test_a_run_that_diverged_keeps_its_checkpoints_when_it_replaced_another(
  teacher, tmp_path
):
  out = tmp_path / 'diverged'
  shutil.copytree(teacher, out)
  command = ('train', f'--flagfile={out}/flags.txt', f'--output_dir={out}')
  changes = ('--learning_rate=3e37', '--checkpoint_every=1', '--overwrite')
  done = run_stage(*command, *changes)
  assert done.returncode == 1
  latest = done.stderr.strip().rpartition('The last good checkpoint is ')[2]
  assert latest.startswith(str(out))
  assert (tmp_path / f'{latest}.index').exists()


@pytest.mark.long
@pytest.mark.parametrize('steps_per_call', [pytest.param(1, marks=pytest.mark.slow), 8])
def test_an_interrupted_run_writes_a_checkpoint_and_leaves(
  small_records, tmp_path, steps_per_call
):
  out = tmp_path / 'interrupted'
  calls = (f'--log_every={steps_per_call}', f'--steps_per_call={steps_per_call}')
  flags = train_flags(small_records, out, '--steps=100000', *calls)
  status = kill_stage_when(
    lambda: any((out / 'logs').rglob('events*')),
    'train',
    *flags,
    signal_number=signal.SIGTERM,
  )
  assert status == 130
  assert (out / 'checkpoints' / 'checkpoint').exists()
  assert not (out / 'run.json').exists()


@pytest.mark.long
def test_a_student_starts_from_its_teacher(teacher, small_records, tmp_path):
  out = tmp_path / 'student'
  flags = train_flags(small_records, out, '--steps=1', f'--init_from={teacher}')
  assert 'its classifier included' in run_stage_ok('train', *flags)
  # One step of Adam moves a weight by at most the learning rate, 0.01.
  model = keras.saving.load_model(out / 'model.keras', compile=False)
  old = keras.saving.load_model(teacher / 'model.keras', compile=False)
  for one, other in zip(model.trainable_weights, old.trainable_weights, strict=True):
    assert np.abs(one.numpy() - other.numpy()).max() < 0.0101


@pytest.mark.long
@pytest.mark.parametrize(
  ('change', 'message'),
  [
    (['--records=absent'], 'absent: no such folder; `prepare` writes it'),
    (['--label_set=absent'], 'absent: no label set'),
    (['--init_from=absent.keras'], 'absent.keras: no such model file'),
    (['--learning_rate=-1'], 'learning_rate is -1.0'),
    (['--learning_rate=3e38'], 'the loss is'),
    (['--output_dir=/proc/nowhere'], '/proc/nowhere'),
  ],
)
def test_wrong_input_is_one_clear_line(small_records, tmp_path, change, message):
  flags = train_flags(small_records, tmp_path / 'out', '--steps=20', *change)
  done = run_stage('train', *flags, folder=tmp_path)
  assert done.returncode == 1
  assert message in done.stderr
  assert 'Traceback' not in done.stderr


@pytest.mark.long
def test_a_model_of_another_width_cannot_be_started_from(
  teacher, small_records, tmp_path
):
  flags = train_flags(
    small_records, tmp_path / 'out', f'--init_from={teacher}', '--width_multiplier=0.5'
  )
  done = run_stage('train', *flags)
  assert done.returncode == 1
  assert 'choose the architecture and width' in done.stderr


def test_yamnet_weights_start_a_model_with_a_new_classifier(
  small_records, shared_data, tmp_path
):
  yamnet = shared_data('yamnet/yamnet_approx.h5')
  out = tmp_path / 'fine_tuned'
  printed = run_stage_ok(
    'train',
    f'--records={small_records}',
    f'--init_from={yamnet}',
    '--learning_rate=1e-9',
    '--steps=1',
    '--batch_size=4',
    f'--output_dir={out}',
  )
  assert 'its classifier left out' in printed
  model = keras.saving.load_model(out / 'model.keras', compile=False)
  assert model.output_shape == (None, 3)
  with h5py.File(yamnet) as file:
    kernel = file['layer9/pointwise_conv/layer9/pointwise_conv/kernel:0'][:]
  found = model.get_layer('layer9_pointwise_conv').get_weights()[0]
  assert np.abs(found - kernel).max() < 1e-6


def test_yamnet_weights_do_not_fit_another_architecture(
  small_records, shared_data, tmp_path
):
  done = run_stage(
    'train',
    f'--records={small_records}',
    f'--init_from={shared_data("yamnet/yamnet_approx.h5")}',
    '--architecture=resnet50',
    f'--output_dir={tmp_path}/out',
  )
  assert done.returncode == 1
  assert 'choose the architecture and width' in done.stderr
