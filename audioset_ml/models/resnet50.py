"""ResNet-50 for log-mel patches (Hershey et al. 2017; ML20 Table I).

He et al., "Deep Residual Learning for Image Recognition", 2016, in the layout of
`keras.applications.ResNet50` (version 1: the stride is in a block's first 1x1
convolution), but with a 7x7 stem of stride 1: "we removed the stride of 2 from the
first 7x7 convolution" (Hershey et al. 2017, "CNN Architectures for Large-Scale Audio
Classification", 3.3).
"""

from typing import NamedTuple

import keras

from audioset_ml.models.initialization import KernelInitializers
from audioset_ml.models.layers import (
  FusedBatchNormalization,
  PointwiseConv2D,
  with_classifier,
)
from audioset_ml.models.mobilenet_v1 import pooled, scaled_filters


class StageSpec(NamedTuple):
  """A stage of bottleneck blocks; the first block has the stride."""

  filters: int  # of a block's first two convolutions; the third has four times as many
  blocks: int
  stride: int


RESNET50_STAGES = (
  StageSpec(64, 3, 1),
  StageSpec(128, 4, 2),
  StageSpec(256, 6, 2),
  StageSpec(512, 3, 2),
)

_BATCH_NORM = {'epsilon': 1.001e-5}


def build_resnet50(
  num_classes: int,
  kernel_initializers: KernelInitializers,
  width_multiplier: float = 1.0,
  bias_start: float = 0.0,
  patch_shape: tuple[int, int] = (96, 64),
  stem_stride: int = 1,
  batch_norm: type[keras.layers.BatchNormalization] = FusedBatchNormalization,
  name: str = 'resnet50',
) -> keras.Model:
  """ResNet-50, its layers named as in `keras.applications.ResNet50`.

  Args:
    num_classes: the number of logits.
    kernel_initializers: from a layer's name to its kernel's initializer.
    width_multiplier: factor on every convolution's filters.
    bias_start: initial value of the classifier's biases (a logit).
    patch_shape: (frames, mel bands) of a patch.
    stem_stride: 1 for audio; 2 for the network that images get.
    batch_norm: the class that normalises.
    name: the model's name.

  Returns:
    A model from float32 log-mel patches [batch, frames, mel bands] to float32 logits
    [batch, num_classes], in any precision policy.
  """
  inputs = keras.Input(patch_shape, dtype='float32', name='log_mel')
  conv_bn = _ConvBatchNorm(kernel_initializers, batch_norm)
  net = keras.layers.Reshape((*patch_shape, 1), name='reshape')(inputs)
  net = keras.layers.ZeroPadding2D(3, name='conv1_pad')(net)
  net = conv_bn(net, 'conv1', scaled_filters(64, width_multiplier), 7, stem_stride)
  net = keras.layers.ReLU(name='conv1_relu')(net)
  net = keras.layers.ZeroPadding2D(1, name='pool1_pad')(net)
  net = keras.layers.MaxPooling2D(3, strides=2, name='pool1_pool')(net)
  for number, spec in enumerate(RESNET50_STAGES, start=2):
    filters = scaled_filters(spec.filters, width_multiplier)
    for block in range(1, spec.blocks + 1):
      stride = spec.stride if block == 1 else 1
      net = _bottleneck(net, f'conv{number}_block{block}', filters, stride, conv_bn)
  net = pooled(net)
  return with_classifier(
    inputs, net, num_classes, kernel_initializers, bias_start, name
  )


class _ConvBatchNorm:
  """A convolution and its batch normalisation."""

  def __init__(self, kernel_initializers, batch_norm):
    self._kernel_initializers = kernel_initializers
    self._batch_norm = batch_norm

  def __call__(self, net, name, filters, kernel, stride=1, padding='valid'):
    # oneDNN's gradient by such a kernel is wrong, in float32 (BUILD_NOTES.md); of other
    # pointwise convolutions here products are no faster.
    is_wrong = kernel == 1 and stride != 1 and net.shape[-1] < 8
    layer = PointwiseConv2D if is_wrong else keras.layers.Conv2D
    net = layer(
      filters,
      kernel,
      strides=stride,
      padding=padding,
      kernel_initializer=self._kernel_initializers(f'{name}_conv'),
      name=f'{name}_conv',
    )(net)
    return self._batch_norm(**_BATCH_NORM, name=f'{name}_bn')(net)


def _bottleneck(net, name, filters, stride, conv_bn):
  """1x1, 3x3 and 1x1 convolutions beside a shortcut, which a stage's first projects."""
  shortcut = net
  if name.endswith('_block1'):
    shortcut = conv_bn(net, f'{name}_0', 4 * filters, 1, stride)
  net = conv_bn(net, f'{name}_1', filters, 1, stride)
  net = keras.layers.ReLU(name=f'{name}_1_relu')(net)
  net = conv_bn(net, f'{name}_2', filters, 3, padding='same')
  net = keras.layers.ReLU(name=f'{name}_2_relu')(net)
  net = conv_bn(net, f'{name}_3', 4 * filters, 1)
  net = keras.layers.Add(name=f'{name}_add')([shortcut, net])
  return keras.layers.ReLU(name=f'{name}_out')(net)
