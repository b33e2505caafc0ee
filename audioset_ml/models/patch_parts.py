"""So many patches at once as memory has room for: a clip may be an hour long."""

import math

import tensorflow as tf

_MOST_VALUES = 1024 * 96 * 64  # of 1,024 log-mel patches; 16 clips of 30 s have fewer


def parts_of(patches: tf.Tensor) -> list[slice]:
  """The rows of a batch in parts that a network can take at once; one if they are few.

  Args:
    patches: shape [patches, frames, values].
  """
  number, size = len(patches), math.prod(patches.shape[1:])
  step = max(1, _MOST_VALUES // size)
  return [slice(first, first + step) for first in range(0, max(number, 1), step)]
