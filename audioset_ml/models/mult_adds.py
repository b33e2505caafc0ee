"""How much a model computes: multiply-add operations for one patch."""

import dataclasses
import math

import keras

from audioset_ml.core.errors import ModelError

_COUNTED = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D, keras.layers.Dense)


@dataclasses.dataclass(frozen=True)
class LayerCost:
  """What one layer holds and computes.

  Attributes:
    name: the layer's name.
    output_shape: of one patch.
    parameters: number of weights, moving statistics included.
    mult_adds: multiply-add operations for one patch.
  """

  name: str
  output_shape: tuple[int, ...]
  parameters: int
  mult_adds: int


def layer_costs(model: keras.Model) -> list[LayerCost]:
  """The cost of every layer that has weights, in the order of the network.

  Raises:
    ModelError: a layer with weights is none of those that can be counted.
  """
  return [_layer_cost(layer) for layer in model.layers if layer.count_params()]


def count_mult_adds(model: keras.Model) -> int:
  """Multiply-adds for one patch: convolutions and dense layers, as papers count them.

  Biases, normalisation (which a deployed model folds into the convolutions),
  activations and pooling are left out.

  Raises:
    ModelError: a layer with weights is none of those that can be counted.
  """
  return sum(cost.mult_adds for cost in layer_costs(model))


def cost_table(model: keras.Model) -> str:
  """A table of the layers that have weights, then the totals.

  Raises:
    ModelError: a layer with weights is none of those that can be counted.
  """
  costs = layer_costs(model)
  width = max(len(cost.name) for cost in costs)
  lines = [f'{"layer":{width}}  {"output":>14}  {"parameters":>10}  {"Mult-Adds":>13}']
  for cost in costs:
    shape = ' x '.join(map(str, cost.output_shape))
    lines.append(
      f'{cost.name:{width}}  {shape:>14}  {cost.parameters:10,}  {cost.mult_adds:13,}'
    )
  trainable = sum(math.prod(weight.shape) for weight in model.trainable_weights)
  return '\n'.join(
    [
      *lines,
      '',
      f'parameters:   {model.count_params():,} ({trainable:,} of them trainable)',
      f'Mult-Adds:    {count_mult_adds(model) / 1e6:,.1f}M for one patch',
    ]
  )


def _layer_cost(layer: keras.Layer) -> LayerCost:
  output_shape = tuple(layer.output.shape[1:])
  if isinstance(layer, _COUNTED):
    # Every output position uses every weight of the kernel once.
    mult_adds = math.prod(layer.kernel.shape) * math.prod(output_shape[:-1])
  elif isinstance(layer, keras.layers.BatchNormalization):
    mult_adds = 0
  else:
    raise ModelError(
      f'layer {layer.name!r} ({type(layer).__name__}) has weights, but only Conv2D, '
      'DepthwiseConv2D, Dense and BatchNormalization layers can be counted'
    )
  return LayerCost(layer.name, output_shape, layer.count_params(), mult_adds)
