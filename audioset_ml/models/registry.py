"""From a configuration to a model.

`audioset_ml.models.config` holds the configuration itself, without TensorFlow.
"""

import warnings

import keras

from audioset_ml.core.errors import ModelError
from audioset_ml.models.config import ARCHITECTURES, ModelConfig
from audioset_ml.models.initialization import kernel_initializers
from audioset_ml.models.layers import FusedBatchNormalization
from audioset_ml.models.mlp import build_mlp, hidden_layers
from audioset_ml.models.mobilenet_v1 import (
  TINY_LAYERS,
  YAMNET_LAYERS,
  build_mobilenet_v1,
)
from audioset_ml.models.resnet50 import build_resnet50

__all__ = [
  'ARCHITECTURES',
  'ModelConfig',
  'build_model',
  'embedding_model',
  'head_on_network',
]


def build_model(
  config: ModelConfig,
  batch_norm: type[keras.layers.BatchNormalization] = FusedBatchNormalization,
) -> keras.Model:
  """The model of a configuration, with its initial weights.

  Args:
    config: the configuration.
    batch_norm: the class that normalises.

  Returns:
    A model from float32 patches [batch, patch_frames, frame_values] to float32
    logits [batch, num_classes], also under a mixed precision policy. Its layer
    'embeddings' is what its classifier 'logits' sees: of convolutional networks the
    global average pooling.
  """
  if config.weight_init == 'ml20' and config.architecture != 'resnet50':
    warnings.warn(
      f"{config.architecture} hardly trains from weight_init='ml20': its batch "
      "normalisation shrinks the signal of kernels that small; use 'keras'",
      stacklevel=2,
    )
  arguments = {
    'num_classes': config.num_classes,
    'kernel_initializers': kernel_initializers(config.weight_init, config.seed),
    'width_multiplier': config.width_multiplier,
    'bias_start': config.bias_start,
    'patch_shape': (config.patch_frames, config.frame_values),
    'batch_norm': batch_norm,
    'name': config.architecture,
  }
  if config.architecture in ('mlp', 'linear'):
    units = config.hidden_units if config.architecture == 'mlp' else ()
    layers = hidden_layers(units, config.dropout)
    return build_mlp(layers=layers, seed=config.seed, **arguments)
  if config.architecture == 'resnet50':
    return build_resnet50(**arguments)
  tiny = config.architecture == 'mobilenet_v1_tiny'
  return build_mobilenet_v1(layers=TINY_LAYERS if tiny else YAMNET_LAYERS, **arguments)


def embedding_model(model: keras.Model) -> keras.Model:
  """The same network, weights shared, with a second output.

  Args:
    model: a model of `build_model`, perhaps loaded from a file.

  Returns:
    A model from patches to (logits [batch, classes], embeddings [batch, D]).

  Raises:
    ModelError: the model has no layer named 'embeddings'.
  """
  names = [layer.name for layer in model.layers]
  if 'embeddings' not in names:
    raise ModelError(
      f"model {model.name!r} has no layer named 'embeddings' (the layer before the "
      'classifier), so it was not built by audioset_ml; its last layers are '
      f'{", ".join(names[-3:])}'
    )
  embeddings = model.get_layer('embeddings').output
  return keras.Model(model.input, (model.output, embeddings), name=model.name)


def head_on_network(head: keras.Model, network: keras.Model) -> keras.Model:
  """A network with another classifier: a model of its embeddings.

  Args:
    head: from the network's embeddings [batch, 1, D] to logits.
    network: a model of `build_model`; its own logits are not computed.

  Returns:
    A model from the network's patches to the head's logits [batch, classes], weights
    shared. Its layer 'embeddings' is the network's.

  Raises:
    ModelError: the network has no layer named 'embeddings'.
  """
  embeddings = embedding_model(network).output[1]
  frame = keras.layers.Reshape((1, embeddings.shape[-1]), name='as_frame')(embeddings)
  return keras.Model(network.input, head(frame), name=head.name)
