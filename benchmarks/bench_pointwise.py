"""Pointwise convolutions in training, against matrix products: ms, by picture's size.

Outputs and both gradients of Keras's layer with kernels of 1×1, and of ours, at the
sizes that MobileNetV1 has for a batch of 64. They take turns; of each the fastest turn
counts. TF_ENABLE_ONEDNN_OPTS=0 or 1 says by which kernels.

  python benchmarks/bench_pointwise.py
"""

import time
from collections.abc import Callable

import keras
import tensorflow as tf
from machine import print_machine

from audioset_ml.models.layers import PointwiseConv2D

TURNS, CALLS, BATCH = 6, 6, 64
LAYERS = keras.layers.Conv2D, PointwiseConv2D
# Height, width, channels in and out.
SIZES = (
  (48, 32, 32, 64),
  (24, 16, 128, 128),
  (12, 8, 256, 256),
  (6, 4, 512, 512),
  (3, 2, 1024, 1024),
)


def with_gradients(layer: keras.layers.Layer, inputs: tf.Tensor) -> Callable[[], list]:
  """A graph's call that has the outputs and their gradients; of random factors."""
  factors = tf.random.normal(layer(inputs).shape)
  by = inputs, layer.kernel.value

  @tf.function
  def call() -> list[tf.Tensor]:
    with tf.GradientTape() as tape:
      tape.watch(inputs)
      outputs = layer(inputs, training=True)
    return [outputs, *tape.gradient(outputs, by, factors)]

  return call


def milliseconds(call: Callable[[], list]) -> float:
  start = time.perf_counter()
  for _ in range(CALLS):
    found = call()
  found[0].numpy()  # waits for the device
  return 1e3 * (time.perf_counter() - start) / CALLS


def main() -> None:
  print_machine()
  print(f'{"picture, channels":24}{"convolution":>14}{"product":>11}{"ratio":>8}')
  for height, width, channels, filters in SIZES:
    inputs = tf.random.normal((BATCH, height, width, channels))
    layers = [kind(filters, 1, use_bias=False) for kind in LAYERS]
    calls = [with_gradients(layer, inputs) for layer in layers]
    turns = [[milliseconds(call) for call in calls] for _ in range(TURNS)]
    by_convolution, by_product = map(min, zip(*turns, strict=True))
    size = f'{height} × {width}, {channels} to {filters}'
    print(
      f'{size:24}{by_convolution:11.1f} ms{by_product:8.1f} ms'
      f'{by_convolution / by_product:8.2f}'
    )


if __name__ == '__main__':
  main()
