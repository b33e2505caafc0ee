"""Initial weights that are the same in every run with the same seed.

ML20's standard deviation of 0.001 goes with ResNet-50. In a MobileNetV1 with YAMNet's
batch normalisation it starves the network: a depthwise kernel of 9 such weights makes
outputs whose variance, about 1e-5, lies below the epsilon of 1e-4, so that each layer
shrinks its input further. The embeddings start at 1e-11 instead of 0.4, and Adam, whose
own epsilon is 1e-7, doesn't move them.
"""

import zlib
from collections.abc import Callable

import keras

# "random weight initialization with a standard deviation of 0.001" (ML20 IV)
ML20_STANDARD_DEVIATION = 0.001

KernelInitializers = Callable[[str], keras.initializers.Initializer]


def kernel_initializers(weight_init: str, seed: int) -> KernelInitializers:
  """A function from a layer's name to the initializer of its kernel.

  Each layer draws from a seed of its own, made of `seed` and the layer's name: layers
  of the same shape differ, and a layer's weights don't depend on the other layers.

  Args:
    weight_init: 'ml20', normal with standard deviation 0.001; or 'keras', Glorot
      uniform, Keras's default.
    seed: the model's seed.
  """

  def initializer(layer_name: str) -> keras.initializers.Initializer:
    layer_seed = zlib.crc32(f'{seed}/{layer_name}'.encode()) & 0x7FFFFFFF
    if weight_init == 'ml20':
      return keras.initializers.RandomNormal(
        stddev=ML20_STANDARD_DEVIATION, seed=layer_seed
      )
    return keras.initializers.GlorotUniform(seed=layer_seed)

  return initializer
