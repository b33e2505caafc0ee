"""How much a network that a `.keras` file describes would take: bounds.

A few digits of its description are enough for any memory: a layer's units, a table that
it computes. So it is built and called in a graph that never runs, where all shapes are
known and nothing is allocated.
"""

import json
import math
import os
import zipfile
from collections.abc import Iterator
from typing import Any

import keras
import tensorflow as tf

from audioset_ml.core.errors import shown

# What a layer gives, or computes on its way, for a patch; ours have some 100,000.
_MOST_VALUES = 1 << 22
# Each unrolled step is traced by itself; a patch of YAMNet has 96 frames.
_MOST_UNROLLED = 1000
_NO_SIZES = 'seed', 'shared_object_id'


def require_bounded(path: str | os.PathLike, stored: int) -> None:
  """Raises ValueError if a network would be larger than its stored weights, or if what
  it computes of a patch would fill the memory.

  Args:
    path: a `.keras` file.
    stored: how many numbers it holds as weights.
  """
  with zipfile.ZipFile(path) as archive:
    config = json.loads(archive.read('config.json'))
  for name, number in _numbers(config):
    if number > _MOST_VALUES:
      raise ValueError(f'{name} is {shown(number)}, but at most {_MOST_VALUES:,}')
  config['compile_config'] = None
  with tf.Graph().as_default() as graph:
    model = keras.saving.deserialize_keras_object(config, safe_mode=True)
    weights = sum(math.prod(weight.shape) for weight in model.weights)  # without seeds
    if weights > stored:
      raise ValueError(
        f'its layers would have {weights:,} weights, but {stored:,} are stored'
      )
    _require_bounded_layers(model)
    inputs = [tf.compat.v1.placeholder(one.dtype, one.shape) for one in model.inputs]
    model(inputs if len(inputs) > 1 else inputs[0], training=False)
  largest = max(map(math.prod, _shapes(graph)), default=0)
  # Weights are read as they are stored.
  if largest > max(_MOST_VALUES, stored):
    raise ValueError(
      f'it computes {largest:,} values for a patch at once; at most {_MOST_VALUES:,} '
      'may be'
    )


def _numbers(config: Any, name: str = 'its description') -> Iterator[tuple[str, int]]:
  """The whole numbers of a description that may be sizes, and what they are called."""
  if isinstance(config, int):
    yield name, config
  elif isinstance(config, dict):
    for key, value in config.items():
      if key not in _NO_SIZES:
        yield from _numbers(value, shown(key))
  elif isinstance(config, list):
    for value in config:
      yield from _numbers(value, name)


def _require_bounded_layers(model: keras.Model) -> None:
  shapes = list(_output_shapes(model))
  largest = max(map(math.prod, shapes), default=0)
  if largest > _MOST_VALUES:
    raise ValueError(
      f'a layer gives {largest:,} values for a patch; at most {_MOST_VALUES:,} may be'
    )
  if any(getattr(layer, 'unroll', False) for layer in model._flatten_layers()):
    steps = max((shape[0] for shape in shapes if len(shape) > 1), default=0)
    if steps > _MOST_UNROLLED:
      raise ValueError(
        f'a layer is unrolled, and {steps:,} steps there may be; at most '
        f'{_MOST_UNROLLED:,} may be'
      )


def _output_shapes(model: keras.Model) -> Iterator[list[int]]:
  """The shapes of all that layers give, of one patch."""
  for layer in model._flatten_layers():
    for node in getattr(layer, '_inbound_nodes', ()):
      for tensor in node.output_tensors:
        yield [size for size in tensor.shape[1:] if size is not None]


def _shapes(graph: tf.Graph) -> Iterator[list[int]]:
  """The shapes of all that is computed; what is unknown, as of a batch, is left out."""
  for operation in graph.get_operations():
    for tensor in operation.outputs:
      if tensor.shape.rank is not None:
        yield [size for size in tensor.shape if size is not None]
