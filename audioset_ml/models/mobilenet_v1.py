"""MobileNetV1 as in YAMNet: a table of layers, and how a row becomes layers.

Howard et al., "MobileNets", 2017; YAMNet: github.com/tensorflow/models,
research/audioset/yamnet.
"""

from collections.abc import Sequence
from typing import NamedTuple

import keras

from audioset_ml.models.initialization import KernelInitializers
from audioset_ml.models.layers import (
  FusedBatchNormalization,
  PointwiseConv2D,
  with_classifier,
)


class LayerSpec(NamedTuple):
  """One row of the network: 'conv' or 'separable' (depthwise, then pointwise)."""

  kind: str
  kernel: tuple[int, int]
  stride: int
  filters: int


YAMNET_LAYERS = (
  LayerSpec('conv', (3, 3), 2, 32),
  LayerSpec('separable', (3, 3), 1, 64),
  LayerSpec('separable', (3, 3), 2, 128),
  LayerSpec('separable', (3, 3), 1, 128),
  LayerSpec('separable', (3, 3), 2, 256),
  LayerSpec('separable', (3, 3), 1, 256),
  LayerSpec('separable', (3, 3), 2, 512),
  LayerSpec('separable', (3, 3), 1, 512),
  LayerSpec('separable', (3, 3), 1, 512),
  LayerSpec('separable', (3, 3), 1, 512),
  LayerSpec('separable', (3, 3), 1, 512),
  LayerSpec('separable', (3, 3), 1, 512),
  LayerSpec('separable', (3, 3), 2, 1024),
  LayerSpec('separable', (3, 3), 1, 1024),
)

# Small enough to train in minutes on a CPU, at a width multiplier of 0.25. Its stem is
# wide so that 32 filters, as many as YAMNet's, are left at that width.
TINY_LAYERS = (
  LayerSpec('conv', (3, 3), 2, 128),
  LayerSpec('separable', (3, 3), 2, 128),
  LayerSpec('separable', (3, 3), 2, 256),
  LayerSpec('separable', (3, 3), 1, 256),
  LayerSpec('separable', (3, 3), 2, 512),
  LayerSpec('separable', (3, 3), 1, 512),
)

_BATCH_NORM = {'center': True, 'scale': False, 'epsilon': 1e-4}


def scaled_filters(filters: int, width_multiplier: float) -> int:
  """The number of filters at a width multiplier, at least 1."""
  return max(1, int(filters * width_multiplier))


def build_mobilenet_v1(
  num_classes: int,
  kernel_initializers: KernelInitializers,
  layers: Sequence[LayerSpec] = YAMNET_LAYERS,
  width_multiplier: float = 1.0,
  bias_start: float = 0.0,
  patch_shape: tuple[int, int] = (96, 64),
  batch_norm: type[keras.layers.BatchNormalization] = FusedBatchNormalization,
  name: str = 'mobilenet_v1',
) -> keras.Model:
  """The network of a layer table.

  Layers are named as in YAMNet's published weights, `_` for `/`, which Keras 3 forbids.

  Args:
    num_classes: the number of logits.
    kernel_initializers: from a layer's name to its kernel's initializer.
    layers: the layer table.
    width_multiplier: factor on every row's filters.
    bias_start: initial value of the classifier's biases (a logit).
    patch_shape: (frames, mel bands) of a patch.
    batch_norm: the class that normalises.
    name: the model's name.

  Returns:
    A model from float32 log-mel patches [batch, frames, mel bands] to float32 logits
    [batch, num_classes], in any precision policy.
  """
  inputs = keras.Input(patch_shape, dtype='float32', name='log_mel')
  net = keras.layers.Reshape((*patch_shape, 1), name='reshape')(inputs)
  for number, spec in enumerate(layers, start=1):
    filters = scaled_filters(spec.filters, width_multiplier)
    build_row = {'conv': _conv, 'separable': _separable}[spec.kind]
    net = build_row(
      net, f'layer{number}', spec, filters, kernel_initializers, batch_norm
    )
  net = pooled(net)
  return with_classifier(
    inputs, net, num_classes, kernel_initializers, bias_start, name
  )


def pooled(net: keras.KerasTensor) -> keras.KerasTensor:
  """Global average pooling in float32, the layer 'embeddings'. Shape [batch, channels].

  Args:
    net: a network's last feature map. Shape [batch, height, width, channels].
  """
  return keras.layers.GlobalAveragePooling2D(dtype='float32', name='embeddings')(net)


def _conv(net, name, spec, filters, kernel_initializers, batch_norm):
  net = keras.layers.Conv2D(
    filters,
    spec.kernel,
    strides=spec.stride,
    padding='same',
    use_bias=False,
    kernel_initializer=kernel_initializers(f'{name}_conv'),
    name=f'{name}_conv',
  )(net)
  net = batch_norm(**_BATCH_NORM, name=f'{name}_conv_bn')(net)
  return keras.layers.ReLU(name=f'{name}_relu')(net)


def _separable(net, name, spec, filters, kernel_initializers, batch_norm):
  depthwise, pointwise = f'{name}_depthwise_conv', f'{name}_pointwise_conv'
  net = keras.layers.DepthwiseConv2D(
    spec.kernel,
    strides=spec.stride,
    padding='same',
    use_bias=False,
    depthwise_initializer=kernel_initializers(depthwise),
    name=depthwise,
  )(net)
  net = batch_norm(**_BATCH_NORM, name=f'{depthwise}_bn')(net)
  net = keras.layers.ReLU(name=f'{depthwise}_relu')(net)
  net = PointwiseConv2D(
    filters,
    (1, 1),
    padding='same',
    use_bias=False,
    kernel_initializer=kernel_initializers(pointwise),
    name=pointwise,
  )(net)
  net = batch_norm(**_BATCH_NORM, name=f'{pointwise}_bn')(net)
  return keras.layers.ReLU(name=f'{pointwise}_relu')(net)
