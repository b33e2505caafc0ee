"""MobileNetV1: the layer table, the names, the batch normalisation."""

import h5py
import keras
import numpy as np
import pytest

from audioset_ml.models.initialization import kernel_initializers
from audioset_ml.models.layers import FusedBatchNormalization
from audioset_ml.models.mobilenet_v1 import (
  TINY_LAYERS,
  YAMNET_LAYERS,
  build_mobilenet_v1,
)


def build(num_classes=5, **arguments):
  initializers = kernel_initializers('keras', seed=0)
  return build_mobilenet_v1(num_classes, initializers, **arguments)


def strides_and_filters(model):
  """(stride, filters) of each row, read from the convolutions of a model."""
  rows = []
  for layer in model.layers:
    if isinstance(layer, keras.layers.DepthwiseConv2D):
      rows.append((layer.strides[0],))
    elif layer.name.endswith('pointwise_conv'):
      rows[-1] += (layer.filters,)
    elif isinstance(layer, keras.layers.Conv2D):
      rows.append((layer.strides[0], layer.filters))
  return rows


def test_rows_are_those_of_mobilenet_v1():
  # Howard et al. 2017, Table 1; without its last stride, as YAMNet.
  expected = [(2, 32), (1, 64), (2, 128), (1, 128), (2, 256), (1, 256), (2, 512)]
  expected += [(1, 512)] * 5 + [(2, 1024), (1, 1024)]
  model = build()
  assert strides_and_filters(model) == expected
  assert model.get_layer('layer14_pointwise_conv').output.shape == (None, 3, 2, 1024)


def test_parameters_are_yamnets():
  assert build(521).count_params() == 3_751_369


def test_layer_names_are_those_of_the_published_weights(shared_data):
  with h5py.File(shared_data('yamnet/yamnet_approx.h5')) as file:
    names = [str(name) for name in file.attrs['layer_names']]
  body = names[names.index('layer1/conv') : names.index('global_average_pooling2d')]
  ours = [layer.name for layer in build(width_multiplier=0.1).layers]
  assert ours[2:-2] == [name.replace('/', '_') for name in body]


def test_batch_normalisation_is_yamnets():
  layer = build(width_multiplier=0.1).get_layer('layer3_depthwise_conv_bn')
  assert isinstance(layer, FusedBatchNormalization)
  assert (layer.center, layer.scale, layer.epsilon) == (True, False, 1e-4)


@pytest.mark.parametrize('training', [True, False])
def test_stock_batch_normalisation_gives_the_same(training):
  patches = np.random.default_rng(0).normal(-2, 2, (4, 96, 64)).astype('float32')
  ours = build(layers=TINY_LAYERS, width_multiplier=0.25)
  stock = build(
    layers=TINY_LAYERS,
    width_multiplier=0.25,
    batch_norm=keras.layers.BatchNormalization,
  )
  assert not any(isinstance(layer, FusedBatchNormalization) for layer in stock.layers)
  for _ in range(2):  # the second time with moving statistics of the first
    np.testing.assert_allclose(
      ours(patches, training=training), stock(patches, training=training), atol=2e-4
    )


def test_width_multiplier_scales_every_row():
  rows = strides_and_filters(build(width_multiplier=0.5))
  assert rows == [(spec.stride, spec.filters // 2) for spec in YAMNET_LAYERS]


def test_smallest_width_keeps_a_filter_in_every_row():
  rows = strides_and_filters(build(width_multiplier=1e-6))
  assert [filters for _, filters in rows] == [1] * 14


def test_tiny_at_a_quarter_of_the_width():
  model = build(38, layers=TINY_LAYERS, width_multiplier=0.25)
  expected = [(2, 32), (2, 32), (2, 64), (1, 64), (2, 128), (1, 128)]
  assert strides_and_filters(model) == expected
  assert model.count_params() == 42_118


def test_table_can_be_cut():
  model = build(layers=YAMNET_LAYERS[:3])
  assert strides_and_filters(model) == [(2, 32), (1, 64), (2, 128)]
  assert model.get_layer('embeddings').output.shape == (None, 128)


def test_other_patch_sizes():
  model = build(width_multiplier=0.1, patch_shape=(50, 40))
  assert model(np.zeros((2, 50, 40), 'float32')).shape == (2, 5)
