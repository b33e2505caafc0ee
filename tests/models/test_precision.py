"""Folded batch normalisation and bfloat16, against Keras's own layers in float32."""

import keras
import numpy as np
import pytest

from audioset_ml.core import processor
from audioset_ml.models.config import ModelConfig
from audioset_ml.models.precision import at_precision, fastest, folded
from audioset_ml.models.registry import build_model

pytestmark = pytest.mark.few


def randomized(model: keras.Model, seed: int = 0) -> keras.Model:
  """The model with weights of a trained one's kind: statistics that are not 0 and 1."""
  random = np.random.default_rng(seed)
  for layer in model.layers:
    if isinstance(layer, keras.layers.BatchNormalization):
      for weight in layer.weights:
        positive = weight.name in ('gamma', 'moving_variance')
        values = random.normal(0, 0.3, weight.shape)
        weight.assign(np.exp(values) if positive else values)
  return model


def patches(number: int = 5) -> np.ndarray:
  return np.random.default_rng(1).normal(-3, 2, (number, 96, 64)).astype(np.float32)


def kinds(model: keras.Model) -> set[str]:
  return {type(layer).__name__ for layer in model.layers}


@pytest.mark.parametrize('architecture', ['mobilenet_v1_tiny', 'resnet50'])
def test_folding_changes_nothing_but_rounding(architecture):
  plain = build_model(
    ModelConfig(architecture, 7, width_multiplier=0.1),
    batch_norm=keras.layers.BatchNormalization,
  )
  plain = randomized(plain)
  before = [weight.copy() for weight in plain.get_weights()]
  expected = plain(patches(), training=False).numpy()
  model, precision = at_precision(plain, 'folded_float32')
  assert precision == 'folded_float32'
  assert not any('Normalization' in kind for kind in kinds(model))
  scale = float(np.abs(expected).max())
  assert model(patches()).numpy() == pytest.approx(expected, abs=1e-5 * scale)
  # What was folded stays as it was.
  for old, new in zip(before, plain.get_weights(), strict=True):
    assert np.array_equal(old, new)


@pytest.mark.parametrize('architecture', ['mobilenet_v1_tiny', 'resnet50'])
def test_bfloat16_is_near_and_ends_in_float32(architecture):
  plain = randomized(build_model(ModelConfig(architecture, 7, width_multiplier=0.1)))
  expected = plain(patches(), training=False).numpy()
  model, precision = at_precision(plain, 'bfloat16')
  assert precision == 'bfloat16'
  found = model(patches())
  assert found.dtype == 'float32'
  assert all(weight.dtype == 'float32' for weight in model.weights)
  scale = float(np.abs(expected).max())
  assert np.abs(found - expected).max() < 0.1 * scale  # 8 bits of mantissa
  assert np.abs(found - expected).max() > 1e-5 * scale  # and not float32


def network(build) -> keras.Model:
  """A small network around what `build` makes of a convolution's outputs."""
  inputs = keras.Input((12, 8, 3))
  net = keras.layers.Flatten()(build(inputs))
  return randomized(keras.Model(inputs, keras.layers.Dense(4)(net)))


def normalized(net, **options):
  return keras.layers.BatchNormalization(**options)(net)


def with_activation(net):
  return normalized(keras.layers.Conv2D(6, 3, activation='relu')(net))


def taken_twice(net):
  net = keras.layers.Conv2D(6, 3)(net)
  return keras.layers.Concatenate()([net, normalized(net)])


def over_another_axis(net):
  return normalized(keras.layers.Conv2D(6, 3)(net), axis=1)


def one_for_two(net):
  shared = keras.layers.BatchNormalization()
  parts = [shared(keras.layers.Conv2D(6, 3)(net)) for _ in range(2)]
  return keras.layers.Add()(parts)


@pytest.mark.parametrize(
  'build', [with_activation, taken_twice, over_another_axis, one_for_two]
)
def test_what_cannot_be_folded_stays(build):
  model = network(build)
  assert folded(model) is model


def test_all_forms_of_convolutions_are_folded():
  def build(net):
    net = normalized(keras.layers.DepthwiseConv2D(3, depth_multiplier=2)(net))
    net = normalized(keras.layers.Conv2D(6, 1, strides=2, groups=3)(net), scale=False)
    net = normalized(keras.layers.Conv2D(5, 3, padding='same')(net), center=False)
    last = keras.layers.Conv2D(4, 3, padding='same', dilation_rate=2, use_bias=False)
    return normalized(last(net))

  model = network(build)
  found = folded(model)
  assert 'BatchNormalization' not in kinds(found)
  sounds = np.random.default_rng(0).normal(size=(3, 12, 8, 3)).astype(np.float32)
  expected = model(sounds, training=False).numpy()
  assert found(sounds).numpy() == pytest.approx(expected, abs=1e-5)


def test_where_nothing_can_be_done_the_model_is_itself():
  head = build_model(ModelConfig('mlp', 7, hidden_units=(16,), patch_frames=1))
  listed = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
  for model in (head, listed):
    for precision in ('float32', 'folded_float32', 'bfloat16'):
      assert at_precision(model, precision) == (model, 'float32')


def test_what_is_fastest_follows_from_the_processor(monkeypatch):
  assert fastest() in ('bfloat16', 'folded_float32')
  for flags, expected in (('fma avx512_bf16', True), ('fma avx2', False), ('', False)):
    info = {'model name': 'Some CPU', 'flags': flags}
    monkeypatch.setattr(processor, '_cpuinfo', lambda info=info: info)
    assert processor.has_bfloat16() is expected
    assert processor.processor() == 'Some CPU'
    assert set(processor.instruction_sets()) == set(flags.split())
