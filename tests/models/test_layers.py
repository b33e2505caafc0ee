"""Our batch normalisation against Keras's own."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from audioset_ml.models.layers import FusedBatchNormalization

pytestmark = pytest.mark.few

VARIANTS = {
  'defaults': {},
  'yamnet': {'scale': False, 'epsilon': 1e-4},
  'no_center': {'center': False, 'momentum': 0.5},
  'neither': {'scale': False, 'center': False},
  'positive_axis': {'axis': 3},
  'resnet': {'epsilon': 1.001e-5},
}


def layer_pair(shape, **arguments):
  """Ours and Keras's layer, with the same random weights."""
  ours = FusedBatchNormalization(**arguments)
  keras_own = keras.layers.BatchNormalization(**arguments)
  ours.build(shape)
  keras_own.build(shape)
  random = np.random.default_rng(1)
  weights = [random.uniform(0.5, 2.0, weight.shape) for weight in ours.weights]
  ours.set_weights(weights)
  keras_own.set_weights(weights)
  return ours, keras_own


def random_inputs(shape, dtype='float32', scale=2.0, offset=3.0):
  values = np.random.default_rng(2).normal(offset, scale, shape)
  return tf.cast(tf.constant(values), dtype)


def outputs_and_gradients(layer, inputs, training, **arguments):
  """The outputs, and a random functional's gradients by inputs and weights."""
  weights = [weight.value for weight in layer.trainable_weights]
  with tf.GradientTape() as tape:
    tape.watch(inputs)
    outputs = layer(inputs, training=training, **arguments)
    factors = np.random.default_rng(3).normal(size=outputs.shape)
    total = tf.reduce_sum(tf.cast(outputs, 'float32') * factors.astype('float32'))
  return outputs, tape.gradient(total, [inputs, *weights])


def assert_same(ours, keras_own, inputs, training, tolerance=2e-5, **arguments):
  our_outputs, our_gradients = outputs_and_gradients(
    ours, inputs, training, **arguments
  )
  outputs, gradients = outputs_and_gradients(keras_own, inputs, training, **arguments)
  assert our_outputs.dtype == outputs.dtype
  for got, want in zip(
    [our_outputs, *our_gradients], [outputs, *gradients], strict=True
  ):
    got, want = np.asarray(got, 'float64'), np.asarray(want, 'float64')
    largest = max(1.0, np.abs(want).max())
    np.testing.assert_allclose(got, want, rtol=0, atol=tolerance * largest)
  for got, want in zip(ours.weights, keras_own.weights, strict=True):
    assert got.dtype == want.dtype
    np.testing.assert_allclose(got, want, rtol=2e-5)


def graph_operations(layer, inputs, **arguments):
  function = tf.function(lambda x: layer(x, **arguments)).get_concrete_function(inputs)
  return {operation.type for operation in function.graph.get_operations()}


@pytest.mark.parametrize('training', [True, False])
@pytest.mark.parametrize('shape', [(4, 5, 3, 7), (6, 7)])
@pytest.mark.parametrize('arguments', VARIANTS.values(), ids=VARIANTS.keys())
def test_equals_keras(arguments, shape, training):
  if len(shape) == 2:
    arguments = {**arguments, 'axis': -1}
  inputs = random_inputs(shape)
  ours, keras_own = layer_pair(inputs.shape, **arguments)
  before = ours.get_weights()
  assert_same(ours, keras_own, inputs, training)
  changed = any(
    not np.array_equal(old, new)
    for old, new in zip(before, ours.get_weights(), strict=True)
  )
  assert changed == training


@settings(max_examples=25, deadline=None)
@given(
  shape=st.tuples(*[st.integers(1, 5)] * 4),
  momentum=st.floats(0, 1),
  offset=st.floats(-10, 10),
)
def test_moving_statistics_equal_kerass_for_any_shape(shape, momentum, offset):
  inputs = random_inputs(shape, offset=offset)
  ours, keras_own = layer_pair(shape, momentum=momentum)
  for _ in range(2):
    ours(inputs, training=True)
    keras_own(inputs, training=True)
  np.testing.assert_allclose(ours.moving_mean, keras_own.moving_mean, atol=1e-5)
  np.testing.assert_allclose(ours.moving_variance, keras_own.moving_variance, atol=1e-4)


def test_the_moving_variance_is_the_populations():
  inputs = tf.reshape(tf.constant([1.0, 3.0]), (2, 1, 1, 1))
  layer = FusedBatchNormalization(momentum=0.0)
  layer(inputs, training=True)
  # The sample variance of the two values would be 2.
  np.testing.assert_allclose(layer.moving_variance, [1.0], rtol=1e-6)


def test_frozen_layer_acts_as_in_inference():
  inputs = random_inputs((4, 5, 3, 7))
  ours, keras_own = layer_pair(inputs.shape)
  ours.trainable = keras_own.trainable = False
  before = ours.get_weights()
  assert_same(ours, keras_own, inputs, training=True)
  for old, new in zip(before, ours.get_weights(), strict=True):
    np.testing.assert_array_equal(old, new)
  np.testing.assert_array_equal(
    ours(inputs, training=True), ours(inputs, training=False)
  )


@pytest.mark.parametrize('training', [True, False])
@pytest.mark.parametrize(
  ('policy', 'tolerance'), [('mixed_float16', 2e-3), ('mixed_bfloat16', 2e-2)]
)
def test_mixed_precision_equals_keras(policy, tolerance, training):
  dtype = policy.removeprefix('mixed_')
  inputs = random_inputs((4, 5, 3, 7), dtype)
  ours, keras_own = layer_pair(inputs.shape, dtype=policy)
  assert 'FusedBatchNormV3' in graph_operations(ours, inputs, training=training)
  assert_same(ours, keras_own, inputs, training, tolerance)
  assert ours(inputs, training=training).dtype == dtype


def test_float16_statistics_do_not_overflow():
  inputs = random_inputs((4, 5, 3, 2), 'float16', scale=1000.0)  # variance 1e6 > 65504
  layer = FusedBatchNormalization(momentum=0.0, dtype='mixed_float16')
  outputs = layer(inputs, training=True)
  assert np.isfinite(outputs).all()
  want = np.asarray(inputs, 'float64').var((0, 1, 2))
  np.testing.assert_allclose(layer.moving_variance, want, rtol=1e-4)


@pytest.mark.parametrize(
  ('shape', 'arguments'),
  [
    ((6, 4, 7), {'scale': False}),
    ((2, 3, 4, 2, 5), {}),
    ((4, 7, 3, 5), {'axis': 1}),
    ((4, 5, 3, 7), {'epsilon': 1e-7}),
    ((4, 5, 3, 7), {'dtype': 'float64'}),
    ((4, 5, 3, 7), {'synchronized': True}),
  ],
  ids=['rank3', 'rank5', 'axis1', 'tiny_epsilon', 'float64', 'synchronized'],
)
@pytest.mark.parametrize('training', [True, False])
def test_what_the_kernel_cannot_do_falls_back(shape, arguments, training):
  inputs = random_inputs(shape, arguments.get('dtype', 'float32'))
  ours, keras_own = layer_pair(shape, **arguments)
  assert 'FusedBatchNormV3' not in graph_operations(ours, inputs, training=training)
  assert_same(ours, keras_own, inputs, training)


def test_masked_inputs_fall_back():
  inputs = random_inputs((4, 5, 3, 7))
  mask = tf.constant(np.random.default_rng(4).random((4, 5, 3)) < 0.7)
  ours, keras_own = layer_pair(inputs.shape)
  assert_same(ours, keras_own, inputs, training=True, mask=mask)


def test_mask_of_the_wrong_rank_is_refused():
  with pytest.raises(ValueError, match='mask'):
    FusedBatchNormalization()(tf.zeros((4, 5, 3, 7)), mask=tf.ones((4, 5), bool))


@pytest.mark.parametrize('training', [True, False])
@pytest.mark.parametrize('shape', [(4, 5, 3, 7), (6, 7)])
def test_uses_one_fused_kernel(shape, training):
  operations = graph_operations(
    FusedBatchNormalization(), tf.zeros(shape), training=training
  )
  assert 'FusedBatchNormV3' in operations
  assert not operations & {'Rsqrt', 'SquaredDifference', 'Mean'}


def test_function_with_unknown_sizes_equals_eager():
  inputs = random_inputs((4, 5, 3, 7))
  traced, eager = layer_pair(inputs.shape)[0], layer_pair(inputs.shape)[0]
  signature = [tf.TensorSpec([None, None, None, 7])]
  function = tf.function(lambda x: traced(x, training=True), signature)
  np.testing.assert_allclose(
    function(inputs), eager(inputs, training=True), rtol=1e-5, atol=1e-6
  )
  np.testing.assert_allclose(traced.moving_variance, eager.moving_variance, rtol=1e-6)


def test_saved_model_file_keeps_class_and_weights(tmp_path):
  inputs = random_inputs((4, 5, 3, 7))
  layer = FusedBatchNormalization(scale=False, epsilon=1e-4, momentum=0.9)
  model = keras.Sequential([keras.Input(inputs.shape[1:]), layer])
  model(inputs, training=True)
  model.save(tmp_path / 'model.keras')
  loaded = keras.saving.load_model(tmp_path / 'model.keras')
  assert type(loaded.layers[0]) is FusedBatchNormalization
  assert loaded.layers[0].get_config() == layer.get_config()
  np.testing.assert_array_equal(loaded(inputs), model(inputs))


def test_weights_go_both_ways_between_ours_and_kerass():
  inputs = random_inputs((4, 5, 3, 7))
  ours, keras_own = FusedBatchNormalization(), keras.layers.BatchNormalization()
  keras_own.build(inputs.shape)
  ours(inputs, training=True)
  keras_own.set_weights(ours.get_weights())
  np.testing.assert_allclose(keras_own(inputs), ours(inputs), rtol=1e-5, atol=1e-5)
  keras_own(inputs, training=True)
  ours.set_weights(keras_own.get_weights())
  np.testing.assert_allclose(keras_own(inputs), ours(inputs), rtol=1e-5, atol=1e-5)
  names = [[weight.name for weight in layer.weights] for layer in (ours, keras_own)]
  assert names[0] == names[1]


def test_fit_trains_as_with_kerass_layer():
  random = np.random.default_rng(5)
  inputs = random.normal(size=(32, 6, 4, 3)).astype('float32')
  targets = random.normal(size=(32, 1)).astype('float32')
  losses = []
  for batch_norm in (FusedBatchNormalization, keras.layers.BatchNormalization):
    keras.utils.set_random_seed(6)
    model = keras.Sequential(
      [
        keras.layers.Conv2D(4, 3),
        batch_norm(),
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dense(1),
      ]
    )
    model.compile(keras.optimizers.SGD(0.05), 'mse')
    history = model.fit(
      inputs, targets, batch_size=8, epochs=3, shuffle=False, verbose=0
    )
    losses.append(history.history['loss'])
  np.testing.assert_allclose(losses[0], losses[1], rtol=1e-4)
  assert losses[0][-1] < losses[0][0]
