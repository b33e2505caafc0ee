"""Convolutions in bfloat16, and batch normalisation folded away.

At inference, batch normalisation is a factor and a shift of each channel, which the
convolution before it can hold itself. What is left are convolutions with biases, which
processors with instructions for bfloat16 take at up to twice float32's speed.
"""

import collections
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from audioset_ml.core import processor
from audioset_ml.models.config import BFLOAT16, FLOAT32, FOLDED

_CONVOLUTIONS = ('Conv2D', 'PointwiseConv2D', 'DepthwiseConv2D')
_NORMALIZATIONS = ('BatchNormalization', 'FusedBatchNormalization')
# What stands between convolutions, and would be cast back and forth otherwise.
_BETWEEN = ('ReLU', 'Add', 'ZeroPadding2D', 'MaxPooling2D', 'Identity')


def computes_bfloat16() -> bool:
  """Whether this machine has instructions for bfloat16: its GPUs, or its processor."""
  gpus = tf.config.list_physical_devices('GPU')
  if not gpus:
    return processor.has_bfloat16()
  details = map(tf.config.experimental.get_device_details, gpus)
  # From NVIDIA's Ampere on; others say nothing.
  return all(one.get('compute_capability', (0, 0)) >= (8, 0) for one in details)


def fastest() -> str:
  """The precision, of SCORE_PRECISIONS, that is fastest on this machine."""
  return BFLOAT16 if computes_bfloat16() else FOLDED


def at_precision(model: keras.Model, precision: str) -> tuple[keras.Model, str]:
  """A model as it scores at a precision of SCORE_PRECISIONS, but 'auto'.

  Returns:
    The model, and its precision: of one without convolutions (or that is no list of
    layers, Keras's Functional) the nearest that there is, 'float32' in the end.
  """
  if precision == FLOAT32 or 'output_layers' not in model.get_config():
    return model, FLOAT32
  as_trained, model = model, folded(model)
  near = FLOAT32 if model is as_trained else FOLDED
  if precision == BFLOAT16 and (lower := in_bfloat16(model)) is not model:
    return lower, precision
  return model, near


def folded(model: keras.Model) -> keras.Model:
  """The same network without the batch normalisations that follow a convolution.

  The same up to rounding, and for inference alone. A convolution that has an activation
  of its own, or whose outputs something else takes as well, keeps what follows it.

  Args:
    model: a model of a list of layers (Keras's Functional).

  Returns:
    A copy, in which layers of the same names that pass on what they get stand for those
    that were folded; the model itself if there are none.
  """
  config = model.get_config()
  layers = {layer['config']['name']: layer for layer in config['layers']}
  convolution_of = dict(_foldable(config))
  if not convolution_of:
    return model
  for normalization, convolution in convolution_of.items():
    layers[convolution]['config']['use_bias'] = True
    _make_identity(layers[normalization])
  copy = type(model).from_config(config)
  convolutions = set(convolution_of.values())
  for layer in model.layers:
    if layer.name not in convolution_of:
      has_bias_now = layer.name in convolutions
      weights = _with_bias(layer) if has_bias_now else layer.get_weights()
      copy.get_layer(layer.name).set_weights(weights)
  for normalization, convolution in convolution_of.items():
    _fold(copy.get_layer(convolution), model.get_layer(normalization))
  return copy


def in_bfloat16(model: keras.Model, depthwise: bool = True) -> keras.Model:
  """A copy that computes convolutions, and what stands between them, in bfloat16.

  Weights stay float32, and so do pooling and the classifier.

  Args:
    model: a model of a list of layers (Keras's Functional).
    depthwise: whether depthwise convolutions are among them, whose gradients in
      bfloat16 are slow on processors.

  Returns:
    A copy; the model itself if it has no convolutions.
  """
  config = model.get_config()
  if not {layer['class_name'] for layer in config['layers']} & set(_CONVOLUTIONS):
    return model
  kinds = {*_CONVOLUTIONS, *_NORMALIZATIONS, *_BETWEEN}
  kinds -= set() if depthwise else {'DepthwiseConv2D'}
  for layer in config['layers']:
    if layer['class_name'] in kinds:
      layer['config']['dtype'] = 'mixed_bfloat16'
  copy = type(model).from_config(config)
  copy.set_weights(model.get_weights())
  return copy


def _foldable(config: dict[str, Any]) -> Iterator[tuple[str, str]]:
  """Names of normalisations and of the convolutions that can take them in."""
  layers = {layer['config']['name']: layer for layer in config['layers']}
  takers = collections.Counter(
    name for layer in config['layers'] for name in _taken(layer['inbound_nodes'])
  )
  takers.update(_output_names(config['output_layers']))
  for name, layer in layers.items():
    taken = list(_taken(layer['inbound_nodes']))
    if layer['class_name'] in _NORMALIZATIONS and len(taken) == 1:
      before, axis = layers[taken[0]], layer['config']['axis']
      if takers[taken[0]] == 1 and _can_take_in(before, axis):
        yield name, taken[0]


def _can_take_in(layer: dict[str, Any], axis: Any) -> bool:
  """Whether a layer is a convolution whose channels a normalisation normalises."""
  config = layer['config']
  return (
    layer['class_name'] in _CONVOLUTIONS
    and config['activation'] == 'linear'
    and config['data_format'] == 'channels_last'
    and axis in (-1, 3, [-1], [3])
  )


def _taken(nodes: Any) -> Iterator[str]:
  """The names of the layers whose outputs a layer takes, once for each."""
  if isinstance(nodes, dict):
    if 'keras_history' in nodes:
      yield nodes['keras_history'][0]
    else:
      for value in nodes.values():
        yield from _taken(value)
  elif isinstance(nodes, list | tuple):
    for value in nodes:
      yield from _taken(value)


def _output_names(outputs: Any) -> Iterator[str]:
  """The names in a model's `output_layers`: one [name, 0, 0], or a list of such."""
  if isinstance(outputs, list | tuple) and outputs and isinstance(outputs[0], str):
    yield outputs[0]
  elif isinstance(outputs, dict):
    yield from _output_names(list(outputs.values()))
  elif isinstance(outputs, list | tuple):
    for output in outputs:
      yield from _output_names(output)


def _make_identity(layer: dict[str, Any]) -> None:
  """Puts a layer that passes on what it gets in the place of one, in a description."""
  own = {name: layer['config'][name] for name in ('name', 'dtype')}
  layer.update(
    module='keras.layers', class_name='Identity', registered_name=None, config=own
  )
  for node in layer['inbound_nodes']:
    node['kwargs'] = {}


def _with_bias(layer: keras.layers.Layer) -> list[np.ndarray]:
  """A convolution's kernel and its biases, zeros if it has none."""
  kernel, *bias = layer.get_weights()
  channels = layer.compute_output_shape(layer.input.shape)[-1]
  return [kernel, *(bias or [np.zeros(channels, kernel.dtype)])]


def _fold(convolution: keras.layers.Layer, normalization: keras.layers.Layer) -> None:
  """Takes what a normalisation does into a convolution's weights, in float64.

  γ·(x − mean)/√(variance + ε) + β of x = kernel∗input + bias.
  """
  kernel, bias = (weight.astype(np.float64) for weight in convolution.get_weights())
  mean, variance = (
    np.array(weight, np.float64)
    for weight in (normalization.moving_mean, normalization.moving_variance)
  )
  factor = 1 / np.sqrt(variance + normalization.epsilon)
  if normalization.scale:
    factor *= np.array(normalization.gamma, np.float64)
  shift = np.array(normalization.beta, np.float64) if normalization.center else 0
  # Depthwise: [height, width, channels, multiplier], whose last two are the outputs.
  depthwise = isinstance(convolution, keras.layers.DepthwiseConv2D)
  outputs = kernel.shape[-2:] if depthwise else kernel.shape[-1:]
  convolution.set_weights(
    [kernel * factor.reshape(outputs), (bias - mean) * factor + shift]
  )
