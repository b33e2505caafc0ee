"""YAMNet's weights file: Google's outputs reproduced, wrong files named."""

import shutil

import h5py
import numpy as np
import pytest

from audioset_ml.audio import features
from audioset_ml.audio.front_end import FrontEnd
from audioset_ml.core.errors import ModelError
from audioset_ml.models.config import ModelConfig
from audioset_ml.models.registry import build_model, embedding_model
from audioset_ml.models.waveform_model import WaveformModel
from audioset_ml.models.yamnet_weights import load_yamnet_weights, yamnet_num_classes
from tests.small_data import YAMNET_REFERENCE_KEYS

pytestmark = pytest.mark.few

WEIGHTS = 'yamnet/yamnet_approx.h5'
SMALL = ModelConfig('mobilenet_v1', num_classes=7, width_multiplier=0.05)


@pytest.fixture(scope='module')
def patch_model(shared_data):
  """YAMNet, from patches to logits."""
  model = build_model(ModelConfig('mobilenet_v1', num_classes=521))
  load_yamnet_weights(model, shared_data(WEIGHTS))
  return model


@pytest.fixture(scope='module')
def yamnet(patch_model):
  """A function from a waveform to YAMNet's (scores, embeddings, log_mel)."""
  return WaveformModel(patch_model, FrontEnd())


def small_shapes():
  """Every dataset of `SMALL`'s weights file, written out from YAMNet's layer table."""
  filters = [1, 3, 6, 6, 12, 12, *[25] * 6, 51, 51]
  shapes = {}

  def add(layer, variable, shape):
    shapes[f'{layer}/{layer}/{variable}:0'] = shape

  def add_bn(layer, channels):
    for variable in ('beta', 'moving_mean', 'moving_variance'):
      add(f'{layer}/bn', variable, (channels,))

  add('layer1/conv', 'kernel', (3, 3, 1, 1))
  add_bn('layer1/conv', 1)
  for row in range(2, 15):
    before, after = filters[row - 2 : row]
    add(f'layer{row}/depthwise_conv', 'depthwise_kernel', (3, 3, before, 1))
    add_bn(f'layer{row}/depthwise_conv', before)
    add(f'layer{row}/pointwise_conv', 'kernel', (1, 1, before, after))
    add_bn(f'layer{row}/pointwise_conv', after)
  return shapes | {'logits/logits/kernel:0': (51, 7), 'logits/logits/bias:0': (7,)}


@pytest.fixture
def small_arrays():
  random = np.random.default_rng(0)
  return {
    name: random.uniform(0.1, 1, shape).astype('float32')
    for name, shape in small_shapes().items()
  }


def write(path, arrays):
  with h5py.File(path, 'w') as file:
    for name, array in arrays.items():
      file[name] = array
  return path


@pytest.mark.parametrize('key', YAMNET_REFERENCE_KEYS)
def test_reproduces_googles_code(yamnet, shared_data, key):
  reference = np.load(shared_data('yamnet/yamnet_code_reference_outputs.npz'))
  scores, embeddings, log_mel = yamnet(reference[f'{key}|waveform'])
  assert log_mel.shape == reference[f'{key}|log_mel'].shape
  np.testing.assert_allclose(log_mel, reference[f'{key}|log_mel'], rtol=0, atol=1e-4)
  np.testing.assert_allclose(scores, reference[f'{key}|scores'], rtol=0, atol=1e-5)
  np.testing.assert_allclose(
    embeddings, reference[f'{key}|embeddings'], rtol=0, atol=1e-4
  )


def test_the_model_alone_reproduces_googles_code(patch_model, shared_data):
  """With Google's own log-mel as input, so that only the network is tested."""
  reference = np.load(shared_data('yamnet/yamnet_code_reference_outputs.npz'))
  patches = features.frame_patches(reference['Rain|log_mel'], FrontEnd())
  logits, embeddings = embedding_model(patch_model)(patches)
  scores = 1 / (1 + np.exp(-np.asarray(logits, 'float64')))
  np.testing.assert_allclose(scores, reference['Rain|scores'], rtol=0, atol=1e-5)
  np.testing.assert_allclose(
    embeddings, reference['Rain|embeddings'], rtol=0, atol=1e-4
  )


# The weights are approximate, so Google's own answers are met only roughly.
@pytest.mark.parametrize(
  ('name', 'frequency', 'tolerance'), [('sine', 440.0, 0.03), ('zeros', 0.0, 1e-6)]
)
def test_is_near_googles_answers(yamnet, shared_data, name, frequency, tolerance):
  reference = np.load(shared_data(f'yamnet/google_reference_{name}.npz'))
  seconds = np.arange(3 * 16000) / 16000
  waveform = np.sin(2 * np.pi * frequency * seconds).astype('float32')
  scores, _, log_mel = yamnet(waveform)
  np.testing.assert_allclose(scores, reference['predictions'], rtol=0, atol=tolerance)
  expected = reference['log_mel_spectrogram']
  # Where there is sound, log-mel agrees; at the floor float32 rounding shows.
  np.testing.assert_allclose(log_mel, expected, rtol=0, atol=0.05)
  if name == 'zeros':
    np.testing.assert_allclose(log_mel, expected, rtol=0, atol=1e-5)
  else:
    audible = expected > -1  # hundreds of times the log offset
    assert audible.sum() > 1000
    np.testing.assert_allclose(log_mel[audible], expected[audible], rtol=0, atol=1e-4)


def test_number_of_classes(shared_data):
  assert yamnet_num_classes(shared_data(WEIGHTS)) == 521


def test_every_weight_goes_to_its_place(tmp_path, small_arrays):
  path = write(tmp_path / 'weights.h5', small_arrays)
  model = build_model(SMALL)
  load_yamnet_weights(model, path)
  assert yamnet_num_classes(path) == 7
  assert len(model.weights) == len(small_arrays)
  assert sorted(float(np.sum(weight)) for weight in model.weights) == pytest.approx(
    sorted(float(np.sum(array)) for array in small_arrays.values())
  )
  np.testing.assert_array_equal(
    model.get_layer('layer9_depthwise_conv_bn').moving_variance,
    small_arrays['layer9/depthwise_conv/bn/layer9/depthwise_conv/bn/moving_variance:0'],
  )


@pytest.mark.parametrize('prefix', ['dense/dense', 'predictions/predictions'])
def test_the_classifier_may_have_any_name(tmp_path, small_arrays, prefix):
  renamed = {
    name.replace('logits/logits', prefix): array for name, array in small_arrays.items()
  }
  model = build_model(SMALL)
  load_yamnet_weights(model, write(tmp_path / 'weights.h5', renamed))
  np.testing.assert_array_equal(
    model.get_layer('logits').kernel, small_arrays['logits/logits/kernel:0']
  )


def test_without_the_classifier_other_classes_are_welcome(tmp_path, small_arrays):
  path = write(tmp_path / 'weights.h5', small_arrays)
  model = build_model(ModelConfig('mobilenet_v1', 3, width_multiplier=0.05))
  before = model.get_layer('logits').get_weights()
  load_yamnet_weights(model, path, include_classifier=False)
  for old, new in zip(before, model.get_layer('logits').get_weights(), strict=True):
    np.testing.assert_array_equal(old, new)
  np.testing.assert_array_equal(
    model.get_layer('layer1_conv').kernel,
    small_arrays['layer1/conv/layer1/conv/kernel:0'],
  )


def assert_refused(model, path, *messages):
  before = model.get_weights()
  with pytest.raises(ModelError) as error:
    load_yamnet_weights(model, path)
  for message in (str(path), *messages):
    assert message in str(error.value)
  for old, new in zip(before, model.get_weights(), strict=True):
    np.testing.assert_array_equal(old, new)


def test_other_number_of_classes(tmp_path, small_arrays):
  path = write(tmp_path / 'weights.h5', small_arrays)
  model = build_model(ModelConfig('mobilenet_v1', 3, width_multiplier=0.05))
  remedies = ('num_classes=7', 'include_classifier=False')
  assert_refused(model, path, '(51, 7)', '(51, 3)', *remedies)


def test_other_width(tmp_path, small_arrays):
  path = write(tmp_path / 'weights.h5', small_arrays)
  model = build_model(ModelConfig('mobilenet_v1', 7, width_multiplier=0.1))
  assert_refused(model, path, '(3, 3, 1, 1)', '(3, 3, 1, 3)', 'width multiplier 1')


def test_missing_weights_are_listed(tmp_path, small_arrays):
  name = 'layer5/pointwise_conv/layer5/pointwise_conv/kernel:0'
  del small_arrays[name]
  path = write(tmp_path / 'weights.h5', small_arrays)
  assert_refused(build_model(SMALL), path, '1 of', name)


def test_weights_of_another_network(tmp_path):
  path = tmp_path / 'other.weights.h5'
  build_model(ModelConfig('mobilenet_v1_tiny', 7, 0.05)).save_weights(path)
  assert_refused(build_model(SMALL), path, 'not')


def test_model_of_another_architecture(tmp_path, small_arrays):
  path = write(tmp_path / 'weights.h5', small_arrays)
  model = build_model(ModelConfig('resnet50', 7, width_multiplier=0.02))
  assert_refused(model, path, 'conv1_conv/conv1_conv/kernel:0')


@pytest.mark.parametrize('value', [np.nan, np.inf])
def test_values_that_are_not_finite(tmp_path, small_arrays, value):
  name = 'layer7/pointwise_conv/layer7/pointwise_conv/kernel:0'
  small_arrays[name][0, 0, 3, 2] = value
  path = write(tmp_path / 'weights.h5', small_arrays)
  assert_refused(build_model(SMALL), path, name, 'NaN')


def test_no_such_file(tmp_path):
  assert_refused(build_model(SMALL), tmp_path / 'none.h5', 'no such file')


def test_not_hdf5(tmp_path):
  path = tmp_path / 'weights.h5'
  path.write_text('<html>404</html>')
  assert_refused(build_model(SMALL), path, 'HDF5')


def test_broken_off_download(tmp_path, small_arrays):
  whole = write(tmp_path / 'whole.h5', small_arrays)
  path = shutil.copy(whole, tmp_path / 'part.h5')
  with open(path, 'r+b') as file:
    file.truncate(whole.stat().st_size // 2)
  assert_refused(build_model(SMALL), path, 'HDF5')
