"""Our pointwise convolution against Keras's own."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from audioset_ml.models.config import ModelConfig
from audioset_ml.models.layers import PointwiseConv2D, with_plain_layers
from audioset_ml.models.precision import folded
from audioset_ml.models.registry import build_model
from tests.models.test_layers import (
  assert_same,
  graph_operations,
  outputs_and_gradients,
  random_inputs,
)

pytestmark = pytest.mark.few


def layer_pair(shape, kernel=1, **arguments):
  """Ours and Keras's layer, with the same random weights."""
  arguments = {'kernel_size': kernel, 'filters': 6, **arguments}
  ours, keras_own = PointwiseConv2D(**arguments), keras.layers.Conv2D(**arguments)
  random = np.random.default_rng(1)
  for layer in (ours, keras_own):
    layer.build(shape)
  ours.set_weights([random.normal(size=weight.shape) for weight in ours.weights])
  keras_own.set_weights(ours.get_weights())
  return ours, keras_own


shapes = st.tuples(*[st.integers(1, 7)] * 4)


@settings(max_examples=25)
@given(
  shape=shapes,
  padding=st.sampled_from(['same', 'valid']),
  use_bias=st.booleans(),
  activation=st.sampled_from([None, 'tanh']),
)
def test_equals_keras(shape, padding, use_bias, activation):
  ours, keras_own = layer_pair(
    shape, padding=padding, use_bias=use_bias, activation=activation
  )
  for training in (True, False):
    assert_same(ours, keras_own, random_inputs(shape), training)


@settings(max_examples=25)
@given(
  shape=shapes,
  strides=st.tuples(*[st.integers(1, 3)] * 2),
  padding=st.sampled_from(['same', 'valid']),
)
def test_strides_have_the_gradients_of_the_sum(shape, strides, padding):
  # Not those of Keras's layer, which may be wrong by oneDNN's fault: see below.
  inputs = random_inputs(shape)
  ours, keras_own = layer_pair(shape, strides=strides, padding=padding)
  outputs, gradients = outputs_and_gradients(ours, inputs, training=True)
  np.testing.assert_allclose(outputs, keras_own(inputs), rtol=0, atol=1e-4)
  down, across = strides
  seen = np.asarray(inputs, np.float64)[:, ::down, ::across]
  kernel = np.asarray(ours.kernel, np.float64)[0, 0]
  expected = np.einsum('bhwc,co->bhwo', seen, kernel) + np.asarray(ours.bias)
  np.testing.assert_allclose(outputs, expected, rtol=0, atol=1e-4)
  factors = np.random.default_rng(3).normal(size=outputs.shape)
  by_inputs = np.zeros(inputs.shape)
  by_inputs[:, ::down, ::across] = np.einsum('bhwo,co->bhwc', factors, kernel)
  by_kernel = np.einsum('bhwc,bhwo->co', seen, factors)[None, None]
  by_bias = factors.sum(axis=(0, 1, 2))
  for got, want in zip(gradients, (by_inputs, by_kernel, by_bias), strict=True):
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-3)


@pytest.mark.parametrize(
  ('architecture', 'width', 'pointwise'),
  [('mobilenet_v1', 0.02, 13), ('resnet50', 0.02, 2), ('resnet50', 0.13, 0)],
)
def test_no_network_asks_onednn_for_the_gradient_that_it_has_wrong(
  monkeypatch, architecture, width, pointwise
):
  # By a 1x1 kernel with strides of more than 1, on fewer than 8 channels (AVX2).
  monkeypatch.setattr(tf.config, 'list_physical_devices', lambda kind: [])
  model = build_model(ModelConfig(architecture, 3, width_multiplier=width))
  assert sum(isinstance(one, PointwiseConv2D) for one in model.layers) == pointwise

  function = tf.function(lambda patches: model(patches, training=True))
  graph = function.get_concrete_function(tf.zeros((2, 96, 64))).graph
  convolutions = [one for one in graph.get_operations() if one.type == 'Conv2D']
  assert convolutions
  for operation in convolutions:
    height, width, channels, _ = operation.inputs[1].shape
    if (height, width) == (1, 1) and max(operation.get_attr('strides')) > 1:
      assert channels >= 8, operation.name


@pytest.mark.parametrize('why', ['frozen', 'gpu'])
def test_frozen_or_on_a_gpu_it_is_kerass(monkeypatch, why):
  inputs = random_inputs((4, 5, 3, 7))
  ours, keras_own = layer_pair(inputs.shape)
  if why == 'frozen':
    ours.trainable = False
  else:
    monkeypatch.setattr(tf.config, 'list_physical_devices', lambda kind: [kind])
  assert 'MatMul' not in graph_operations(ours, inputs, training=True)
  np.testing.assert_array_equal(ours(inputs, training=True), keras_own(inputs))


def test_training_is_a_matrix_product_and_inference_a_convolution(monkeypatch):
  monkeypatch.setattr(tf.config, 'list_physical_devices', lambda kind: [])
  inputs = random_inputs((4, 5, 3, 7))
  ours, _ = layer_pair(inputs.shape)
  trained = graph_operations(ours, inputs, training=True)
  assert 'MatMul' in trained
  assert 'Conv2D' not in trained
  scored = graph_operations(ours, inputs, training=False)
  assert 'Conv2D' in scored
  assert 'MatMul' not in scored


@pytest.mark.parametrize(
  'arguments',
  [
    {'kernel': 3},
    {'kernel': (1, 2)},
    {'filters': 4, 'groups': 2},
    {'dtype': 'float64'},
    {'dtype': 'mixed_bfloat16'},
  ],
  ids=str,
)
def test_what_is_no_product_in_float32_is_kerass(arguments):
  policy = arguments.get('dtype', 'float32')
  inputs = random_inputs((4, 5, 3, 8), policy.removeprefix('mixed_'))
  ours, keras_own = layer_pair(inputs.shape, **arguments)
  assert 'MatMul' not in graph_operations(ours, inputs, training=True)
  for got, want in zip(
    outputs_and_gradients(ours, inputs, True)[1],
    outputs_and_gradients(keras_own, inputs, True)[1],
    strict=True,
  ):
    np.testing.assert_array_equal(got, want)


def test_sizes_that_a_graph_does_not_know():
  inputs = random_inputs((4, 5, 3, 7))
  ours, _ = layer_pair(inputs.shape, strides=2)
  signature = [tf.TensorSpec([None, None, None, 7])]
  function = tf.function(lambda x: ours(x, training=True), signature)
  np.testing.assert_allclose(
    function(inputs), ours(inputs, training=True), rtol=1e-5, atol=1e-5
  )


@pytest.mark.parametrize('architecture', ['mobilenet_v1_tiny', 'mobilenet_v1'])
def test_networks_have_it_and_trade_it_for_kerass(architecture):
  model = build_model(ModelConfig(architecture, 3, width_multiplier=0.1))
  pointwise = [one for one in model.layers if isinstance(one, PointwiseConv2D)]
  assert {layer.kernel_size for layer in pointwise} == {(1, 1)}
  others = [one for one in model.layers if type(one) is keras.layers.Conv2D]
  assert all(layer.kernel_size != (1, 1) for layer in others)
  plain = with_plain_layers(model)
  assert {type(layer).__module__.split('.')[0] for layer in plain.layers} == {'keras'}
  patches = np.random.default_rng(0).normal(size=(2, 96, 64)).astype(np.float32)
  np.testing.assert_allclose(model(patches), plain(patches), atol=1e-5)
  # Batch normalisation goes into ours as into Keras's.
  assert not [one for one in folded(model).layers if 'Norm' in type(one).__name__]
