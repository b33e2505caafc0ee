"""Networks for embeddings, one a patch: layers of units, or a linear classifier.

The published embeddings hold what a large network heard; what is left to learn is
small.
"""

from collections.abc import Sequence
from typing import NamedTuple

import keras

from audioset_ml.models.initialization import KernelInitializers
from audioset_ml.models.layers import FusedBatchNormalization, with_classifier
from audioset_ml.models.mobilenet_v1 import scaled_filters


class HiddenLayer(NamedTuple):
  """One row of the network: units, of which a share is dropped in training."""

  units: int
  dropout: float


def hidden_layers(units: Sequence[int], dropout: float) -> tuple[HiddenLayer, ...]:
  """The table of a network; no units make a linear classifier."""
  return tuple(HiddenLayer(number, dropout) for number in units)


def build_mlp(
  num_classes: int,
  kernel_initializers: KernelInitializers,
  layers: Sequence[HiddenLayer],
  width_multiplier: float = 1.0,
  bias_start: float = 0.0,
  patch_shape: tuple[int, int] = (1, 128),
  batch_norm: type[keras.layers.BatchNormalization] = FusedBatchNormalization,
  seed: int = 0,
  name: str = 'mlp',
) -> keras.Model:
  """The network of a layer table.

  Args:
    num_classes: the number of logits.
    kernel_initializers: from a layer's name to its kernel's initializer.
    layers: the layer table.
    width_multiplier: factor on every row's units.
    bias_start: initial value of the classifier's biases (a logit).
    patch_shape: (1, values) of a patch.
    batch_norm: the class that normalises.
    seed: of dropout.
    name: the model's name.

  Returns:
    A model from float32 embeddings [batch, 1, values] to float32 logits
    [batch, num_classes], in any precision policy. Its layer 'embeddings' is what the
    classifier sees.
  """
  inputs = keras.Input(patch_shape, dtype='float32', name='embedding')
  net = keras.layers.Reshape((patch_shape[1],), name='reshape')(inputs)
  for number, row in enumerate(layers, start=1):
    net = keras.layers.Dense(
      scaled_filters(row.units, width_multiplier),
      use_bias=False,
      kernel_initializer=kernel_initializers(f'layer{number}_dense'),
      name=f'layer{number}_dense',
    )(net)
    net = batch_norm(name=f'layer{number}_bn')(net)
    net = keras.layers.ReLU(name=f'layer{number}_relu')(net)
    if row.dropout:
      net = keras.layers.Dropout(
        row.dropout, seed=seed + number, name=f'layer{number}_dropout'
      )(net)
  net = keras.layers.Activation('linear', dtype='float32', name='embeddings')(net)
  return with_classifier(
    inputs, net, num_classes, kernel_initializers, bias_start, name
  )
