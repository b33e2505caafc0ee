"""ResNet-50 against `keras.applications.ResNet50`, and its audio stem."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from audioset_ml.models.initialization import kernel_initializers
from audioset_ml.models.resnet50 import build_resnet50

PATCH_SHAPE = (64, 48)


def build(num_classes=5, **arguments):
  return build_resnet50(num_classes, kernel_initializers('keras', seed=0), **arguments)


@pytest.fixture(scope='module')
def image_networks():
  """Ours with the image stem and Keras's own, with the same random weights."""
  keras_own = keras.applications.ResNet50(
    weights=None, input_shape=(*PATCH_SHAPE, 1), classes=5, classifier_activation=None
  )
  ours = build(patch_shape=PATCH_SHAPE, stem_stride=2)
  random = np.random.default_rng(0)
  for layer in keras_own.layers:
    if isinstance(layer, keras.layers.BatchNormalization):
      layer.set_weights(
        [random.uniform(0.5, 1.5, weight.shape) for weight in layer.weights]
      )
    elif layer.weights:
      kernel, bias = layer.get_weights()
      layer.set_weights([kernel, random.normal(0, 0.1, bias.shape)])
    name = {'predictions': 'logits', 'avg_pool': 'embeddings'}.get(layer.name)
    if layer.weights:
      ours.get_layer(name or layer.name).set_weights(layer.get_weights())
  return ours, keras_own


def outputs_of(model, layer_names, patches):
  layers = [model.get_layer(name).output for name in layer_names]
  return keras.Model(model.input, layers)(patches)


def test_equals_keras_applications(image_networks):
  ours, keras_own = image_networks
  patches = np.random.default_rng(1).normal(size=(2, *PATCH_SHAPE)).astype('float32')
  shared = ['conv1_relu', 'pool1_pool', 'conv2_block3_out', 'conv4_block1_out']
  got = outputs_of(ours, [*shared, 'embeddings', 'logits'], patches)
  want = outputs_of(keras_own, [*shared, 'avg_pool', 'predictions'], patches[..., None])
  for ours_at, keras_at in zip(got, want, strict=True):
    largest = np.abs(keras_at).max()
    assert largest > 0.1
    np.testing.assert_allclose(ours_at, keras_at, rtol=0, atol=2e-5 * largest)


def test_layer_settings_equal_keras_applications(image_networks):
  ours, keras_own = image_networks
  for layer in keras_own.layers:
    if isinstance(layer, keras.layers.BatchNormalization):
      own = ours.get_layer(layer.name)
      assert own.epsilon == layer.epsilon
      assert (own.center, own.scale) == (layer.center, layer.scale)
  names = [layer.name for layer in keras_own.layers if layer.weights][:-1]
  assert sorted(names) == sorted(
    layer.name for layer in ours.layers if layer.weights and layer.name != 'logits'
  )


def test_audio_stem_keeps_the_resolution():
  model = build(width_multiplier=0.05)
  shapes = {
    name: model.get_layer(name).output.shape[1:3]
    for name in ('conv1_conv', 'pool1_pool', 'conv5_block3_out')
  }
  # Hershey et al. 2017, 3.3: a last pooling window of 6 x 4
  assert shapes == {
    'conv1_conv': (96, 64),
    'pool1_pool': (48, 32),
    'conv5_block3_out': (6, 4),
  }


def test_width_multiplier():
  model = build(width_multiplier=0.25)
  assert model.get_layer('conv1_conv').filters == 16
  assert model.get_layer('embeddings').output.shape == (None, 512)


def test_gradients_reach_every_weight():
  model = build(width_multiplier=0.05)
  patches = np.random.default_rng(2).normal(size=(2, 96, 64)).astype('float32')
  with tf.GradientTape() as tape:
    loss = tf.reduce_sum(model(patches, training=True) ** 2)
  gradients = tape.gradient(loss, [w.value for w in model.trainable_weights])
  assert all(gradient is not None for gradient in gradients)
  assert all(np.isfinite(gradient).all() for gradient in gradients)
