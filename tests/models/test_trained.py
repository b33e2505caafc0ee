"""Opening a checkpoint of a run as a model."""

import json
import pathlib
import resource
import zipfile

import keras
import numpy as np
import pytest
import tensorflow as tf

from audioset_ml.audio.front_end import FrontEnd
from audioset_ml.core import folders
from audioset_ml.core.errors import ModelError
from audioset_ml.models.config import ModelConfig
from audioset_ml.models.registry import build_model
from audioset_ml.models.trained import TrainedModel, open_checkpoint
from audioset_ml.training.optimization import MovingAverage


def small_model():
  return build_model(ModelConfig('mobilenet_v1_tiny', 3, width_multiplier=0.25))


def checkpoint_of(folder, **parts) -> str:
  """A checkpoint of step 7, as a run writes it."""
  checkpoint = tf.train.Checkpoint(**parts)
  return tf.train.CheckpointManager(checkpoint, str(folder), 1).save(7)


@pytest.fixture
def run(tmp_path):
  """A finished train folder whose checkpoints differ from its model."""
  model = small_model()
  model.save(tmp_path / 'model.keras')
  front_end = FrontEnd().to_dict()
  run_json = {'stage': 'train', 'front_end': front_end}
  (tmp_path / 'run.json').write_text(json.dumps(run_json))
  return tmp_path, model


def test_a_checkpoint_gives_its_own_weights(run):
  folder, model = run
  for weight in model.weights:
    weight.assign(weight + 1)
  path = checkpoint_of(folder / 'checkpoints', model=model, step=tf.Variable(7))
  opened = TrainedModel.open(path)
  for found, expected in zip(opened.model.weights, model.weights, strict=True):
    assert np.array_equal(found.numpy(), expected.numpy())
  kept = TrainedModel.open(folder).model.weights[0].numpy()
  assert not np.array_equal(kept, model.weights[0].numpy())


def test_a_checkpoint_with_an_average_gives_the_average(run):
  folder, model = run
  average = MovingAverage(model, 0.9)
  expected = [value.numpy() for value in average.averages]
  for weight in model.weights:
    weight.assign(weight + 1)
  path = checkpoint_of(folder / 'checkpoints', model=model, average=average)
  for found, value in zip(TrainedModel.open(path).model.weights, expected, strict=True):
    assert np.array_equal(found.numpy(), value)


def test_a_damaged_checkpoint_is_an_error(run):
  folder, model = run
  path = checkpoint_of(folder / 'checkpoints', model=model)
  data = folder / 'checkpoints' / 'ckpt-7.data-00000-of-00001'
  data.write_bytes(data.read_bytes()[:1000])
  with pytest.raises(ModelError, match='cannot be read as a checkpoint'):
    TrainedModel.open(path)


def test_a_checkpoint_outside_of_a_finished_run_is_an_error(run, tmp_path):
  path = checkpoint_of(tmp_path / 'far/away/off', model=run[1])
  with pytest.raises(ModelError, match='lies in no finished train folder'):
    TrainedModel.open(path)


def test_another_checkpoint_of_the_same_name_is_told(run):
  folder, model = run
  path = checkpoint_of(folder / 'checkpoints', model=model)
  before = folders.fingerprint(path)
  model.weights[0].assign(model.weights[0] + 1)
  assert checkpoint_of(folder / 'checkpoints', model=model) == path
  assert before
  assert folders.fingerprint(path) != before


def test_a_checkpoint_may_be_named_by_its_index_file(run):
  folder, model = run
  path = checkpoint_of(folder / 'checkpoints', model=model)
  assert TrainedModel.open(f'{path}.index').class_map is None


@pytest.mark.parametrize('trick', ['lambda', 'another package'])
def test_a_file_that_would_run_code_is_refused(tmp_path, trick):
  import keras

  layer = keras.layers.Lambda(lambda patches: patches + 1)
  model = keras.Sequential([keras.Input((96, 64)), layer])
  path = tmp_path / 'model.keras'
  model.save(path)
  if trick == 'another package':
    with zipfile.ZipFile(path) as archive:
      parts = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(parts['config.json'])
    config['config']['layers'][1] |= {
      'module': 'subprocess',
      'class_name': 'Popen',
      'config': {'args': ['touch', str(tmp_path / 'ran')]},
    }
    parts['config.json'] = json.dumps(config).encode()
    with zipfile.ZipFile(path, 'w') as archive:
      for name, content in parts.items():
        archive.writestr(name, content)
  with pytest.raises(ModelError, match=str(path)):
    TrainedModel.open(path)
  assert not (tmp_path / 'ran').exists()


def with_changed_layers(path, new_path, change):
  """A `.keras` file whose layers are described otherwise; its weights are the same."""
  with zipfile.ZipFile(path) as archive:
    members = {name: archive.read(name) for name in archive.namelist()}
  config = json.loads(members['config.json'])
  for layer in config['config']['layers']:
    change(layer['class_name'], layer['config'])
  members['config.json'] = json.dumps(config)
  with zipfile.ZipFile(new_path, 'w') as archive:
    for name, content in members.items():
      archive.writestr(name, content)
  return new_path


def many_units(kind, config):
  if kind == 'Dense':
    config['units'] = 4_000_000


def wide_kernels(kind, config):
  if kind == 'Conv2D':
    config['kernel_size'] = [20_000, 20_000]


def padded(kind, config):
  if kind == 'ZeroPadding2D':
    config['padding'] = [[0, 100_000], [0, 100_000]]


def more_units_than_any(kind, config):
  if kind == 'Dense':
    config['units'] = 40_000_000


@pytest.mark.parametrize(
  ('change', 'told'),
  [
    (many_units, 'weights, but'),
    (wide_kernels, 'weights, but'),
    (padded, 'a layer gives'),
    (more_units_than_any, "'units' is '40000000', but at most 4,194,304"),
  ],
)
def test_a_network_far_larger_than_its_file_is_refused(tmp_path, change, told):
  inputs = keras.Input((96, 64))
  hidden = keras.layers.Reshape((96, 64, 1))(inputs)
  hidden = keras.layers.ZeroPadding2D(1)(hidden)
  hidden = keras.layers.Conv2D(2, 3, padding='same')(hidden)
  hidden = keras.layers.GlobalAveragePooling2D()(hidden)
  keras.Model(inputs, keras.layers.Dense(3)(hidden)).save(tmp_path / 'model.keras')
  same = with_changed_layers(
    tmp_path / 'model.keras', tmp_path / 'same.keras', lambda *unused: None
  )
  assert TrainedModel.open(same).model.count_params() == 29
  large = with_changed_layers(same, tmp_path / 'large.keras', change)
  before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
  with pytest.raises(ModelError, match=f'large.keras: not a Keras model.*{told}'):
    TrainedModel.open(large)
  assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000


def large_tables(kind, config):
  if kind == 'MelSpectrogram':
    config |= {'num_mel_bins': 900, 'fft_length': 1 << 20}


def many_steps(kind, config):
  if kind == 'RepeatVector':
    config['n'] = 4000


@pytest.mark.parametrize(
  ('change', 'told'),
  [
    (large_tables, r'it computes \d{3},\d{3},\d{3} values for a patch at once'),
    (many_steps, 'a layer is unrolled, and 4,000 steps'),
  ],
)
def test_what_layers_compute_on_the_way_is_bounded(tmp_path, change, told):
  """Where neither weights nor outputs tell."""
  inputs = keras.Input((96, 64))
  flat = keras.layers.Flatten()(inputs)
  mel = keras.layers.MelSpectrogram(num_mel_bins=8, fft_length=512)(flat)
  few = keras.layers.GlobalAveragePooling1D()(inputs)
  steps = keras.layers.GRU(2, unroll=True)(keras.layers.RepeatVector(3)(few))
  hidden = keras.layers.concatenate([keras.layers.Flatten()(mel), steps])
  hidden = keras.layers.Dropout(0.5, seed=1 << 31)(hidden)
  outputs = keras.layers.Activation('sigmoid')(hidden)
  keras.Model(inputs, outputs).save(tmp_path / 'model.keras')
  same = with_changed_layers(
    tmp_path / 'model.keras', tmp_path / 'same.keras', lambda *unused: None
  )
  assert TrainedModel.open(same).model.output_shape[0] is None
  large = with_changed_layers(same, tmp_path / 'large.keras', change)
  before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
  with pytest.raises(ModelError, match=f'large.keras: not a Keras model.*{told}'):
    TrainedModel.open(large)
  assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000


def test_a_checkpoint_that_promises_more_than_it_holds_is_refused(run):
  folder, model = run
  path = checkpoint_of(folder / 'checkpoints', model=model)
  data = pathlib.Path(f'{path}.data-00000-of-00001')
  data.write_bytes(data.read_bytes()[:1000])
  with pytest.raises(ValueError, match=r'1,000 bytes that would be \d\d\d,\d\d\d'):
    open_checkpoint(path)
  with pytest.raises(ModelError, match='cannot be read as a checkpoint'):
    TrainedModel.open(path)
