"""From configurations to models."""

import dataclasses
import math

import keras
import numpy as np
import pytest

from audioset_ml.core.errors import InputError, ModelError
from audioset_ml.models.config import ARCHITECTURES, ModelConfig, usual_patch_shape
from audioset_ml.models.registry import build_model, embedding_model

SMALL = ModelConfig('mobilenet_v1_tiny', num_classes=6, width_multiplier=0.1)


def small(**changes):
  shape = usual_patch_shape(changes.get('architecture', SMALL.architecture))
  given = {'patch_frames': shape[0], 'frame_values': shape[1], **changes}
  return dataclasses.replace(SMALL, **given)


def random_patches(count=2, shape=(96, 64)):
  return np.random.default_rng(0).normal(-2, 2, (count, *shape)).astype('float32')


@pytest.fixture
def precision_policy():
  """Sets the precision policy for a test only."""
  before = keras.config.dtype_policy()
  yield keras.config.set_dtype_policy
  keras.config.set_dtype_policy(before)


@pytest.mark.parametrize('architecture', ARCHITECTURES)
def test_every_architecture_makes_logits(architecture):
  model = build_model(small(architecture=architecture, width_multiplier=0.05))
  logits = model(random_patches(shape=usual_patch_shape(architecture)))
  assert logits.shape == (2, 6)
  assert logits.dtype == 'float32'
  assert model.name == architecture
  assert model.layers[-1].name == 'logits'
  assert np.std(logits) > 0


@pytest.mark.parametrize('architecture', ARCHITECTURES)
@pytest.mark.parametrize('policy', ['mixed_float16', 'mixed_bfloat16'])
def test_outputs_are_float32_in_mixed_precision(architecture, policy, precision_policy):
  config = small(architecture=architecture, width_multiplier=0.05)
  patches = random_patches(shape=usual_patch_shape(architecture))
  expected = embedding_model(build_model(config))(patches)
  precision_policy(policy)
  model = build_model(config)
  if architecture != 'linear':
    assert model.layers[3].compute_dtype == policy.removeprefix('mixed_')
  logits, embeddings = embedding_model(model)(patches)
  assert logits.dtype == embeddings.dtype == 'float32'
  np.testing.assert_allclose(embeddings, expected[1], rtol=0.1, atol=0.05)


def test_embedding_model_shares_the_network():
  model = build_model(SMALL)
  both = embedding_model(model)
  logits, embeddings = both(random_patches())
  np.testing.assert_array_equal(logits, model(random_patches()))
  kernel, bias = model.get_layer('logits').get_weights()
  np.testing.assert_allclose(embeddings @ kernel + bias, logits, rtol=1e-4, atol=1e-6)
  model.get_layer('logits').bias.assign(np.full(6, 100.0))
  assert np.min(both(random_patches())[0]) > 50


def test_embedding_model_of_another_network():
  other = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, name='only')])
  with pytest.raises(ModelError, match=r"no layer named 'embeddings'.*only"):
    embedding_model(other)


@pytest.mark.parametrize('weight_init', ['keras', 'ml20'])
def test_initial_weights_follow_the_seed(weight_init):
  config = small(weight_init=weight_init, seed=3)
  first, again = build_model(config), build_model(config)
  other = build_model(dataclasses.replace(config, seed=4))
  for ours, same in zip(first.weights, again.weights, strict=True):
    np.testing.assert_array_equal(ours, same)
  for ours, different in zip(first.weights, other.weights, strict=True):
    if 'kernel' in ours.path:
      assert not np.array_equal(ours, different)


def test_layers_of_equal_shape_start_differently():
  model = build_model(ModelConfig('mobilenet_v1', 2, width_multiplier=0.1))
  eighth, ninth = (
    np.asarray(model.get_layer(f'layer{row}_pointwise_conv').kernel) for row in (8, 9)
  )
  assert eighth.shape == ninth.shape
  assert abs(np.corrcoef(eighth.ravel(), ninth.ravel())[0, 1]) < 0.1


@pytest.mark.parametrize('architecture', ['mobilenet_v1', 'resnet50'])
def test_ml20_weights_have_its_standard_deviation(architecture):
  config = ModelConfig(architecture, 50, width_multiplier=0.25, weight_init='ml20')
  kernels = [
    np.asarray(weight)
    for weight in build_model(config).weights
    if weight.name == 'kernel' and math.prod(weight.shape) > 2000
  ]
  assert len(kernels) > 10
  for kernel in kernels:
    assert kernel.std() == pytest.approx(0.001, rel=0.1)
    assert abs(kernel.mean()) < 1e-4


def test_ml20_weights_starve_a_mobilenet():
  """What the warning of `build_model` says; Glorot's weights are alive."""
  spread = {}
  for weight_init in ('ml20', 'keras'):
    model = build_model(
      ModelConfig('mobilenet_v1', 2, width_multiplier=0.25, weight_init=weight_init)
    )
    embeddings = embedding_model(model)(random_patches(4), training=True)[1]
    spread[weight_init] = np.std(embeddings)
  assert spread['ml20'] < 1e-8
  assert spread['keras'] > 0.1


def test_bias_start_is_the_logit_of_every_class():
  model = build_model(small(bias_start=-4.6))
  np.testing.assert_allclose(model.get_layer('logits').bias, np.full(6, -4.6))


def test_model_file_round_trip(tmp_path):
  model = build_model(SMALL)
  model.save(tmp_path / 'model.keras')
  loaded = keras.saving.load_model(tmp_path / 'model.keras')
  np.testing.assert_array_equal(loaded(random_patches()), model(random_patches()))


@pytest.mark.parametrize(
  ('changes', 'message'),
  [
    ({'architecture': 'vgg'}, "architecture is 'vgg'.*mobilenet_v1.*resnet50"),
    ({'weight_init': 'zeros'}, "weight_init is 'zeros'.*keras, ml20"),
    ({'num_classes': 0}, 'num_classes is 0'),
    ({'patch_frames': -1}, 'patch_frames is -1'),
    ({'frame_values': 0}, 'frame_values is 0'),
    ({'hidden_units': ()}, 'architecture linear'),
    ({'dropout': 1.0}, 'dropout is 1.0'),
    ({'patch_frames': 1}, 'takes spectrograms, but .* a single frame of 64 values'),
    (
      {'architecture': 'mlp', 'patch_frames': 96},
      'mlp takes embeddings, one a patch, but a patch of these records is 96 frames',
    ),
    ({'width_multiplier': 0.0}, 'width_multiplier is 0.0'),
    ({'width_multiplier': -1.0}, 'width_multiplier is -1.0'),
    ({'width_multiplier': math.nan}, 'width_multiplier is nan'),
    ({'width_multiplier': math.inf}, 'width_multiplier is inf'),
    ({'width_multiplier': 8.1}, 'width_multiplier is 8.1, but .* at most 8'),
    ({'hidden_units': (512, 0)}, 'each must be at least 1'),
    ({'hidden_units': (512, 16_385)}, 'at most 16,384 may be in a layer'),
    ({'hidden_units': (2,) * 65}, 'and 64 layers'),
    ({'bias_start': math.nan}, 'bias_start is nan'),
  ],
)
def test_wrong_configurations_are_named(changes, message):
  with pytest.raises(ModelError, match=message) as error:
    small(**changes)
  assert isinstance(error.value, InputError)
