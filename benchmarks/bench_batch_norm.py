"""Training speed with our fused batch normalisation against Keras's own.

MobileNetV1 at full width with 527 classes, Adam, the same initial weights and the same
random patches; only the batch normalisation class differs. The two take turns, so that
whatever else the machine does meets both; medians are compared.

  python benchmarks/bench_batch_norm.py

Expected on two CPU cores: ours 1.4 to 1.8 times as fast; the more of a step is
convolutions that both share, the less.
"""

import statistics
import time

import keras
import numpy as np
import tensorflow as tf
from absl import flags
from machine import print_machine

from audioset_ml.entry import stage
from audioset_ml.models.config import ModelConfig
from audioset_ml.models.layers import FusedBatchNormalization
from audioset_ml.models.registry import build_model

FLAGS = flags.FLAGS
flags.DEFINE_list('batch_sizes', ['64', '256'], 'Patches in a training step.')
flags.DEFINE_integer('patches', 512, 'Patches in a repetition.', lower_bound=1)
flags.DEFINE_integer('repetitions', 7, 'Turns of each layer.', lower_bound=1)

NUM_CLASSES = 527
LAYERS = {
  'FusedBatchNormalization': FusedBatchNormalization,
  'keras.layers.BatchNormalization': keras.layers.BatchNormalization,
}


def make_train_step(batch_norm: type[keras.layers.BatchNormalization]):
  """A compiled function that takes one optimisation step and returns its loss."""
  model = build_model(ModelConfig('mobilenet_v1', NUM_CLASSES), batch_norm=batch_norm)
  optimizer = keras.optimizers.Adam(1e-4)
  optimizer.build(model.trainable_variables)

  @tf.function
  def train_step(patches: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
    with tf.GradientTape() as tape:
      logits = model(patches, training=True)
      losses = tf.nn.sigmoid_cross_entropy_with_logits(targets, logits)
      loss = tf.reduce_mean(tf.reduce_sum(losses, axis=1))
    gradients = tape.gradient(loss, model.trainable_variables)
    optimizer.apply(gradients, model.trainable_variables)
    return loss

  return train_step


def patches_per_second(train_step, patches: tf.Tensor, targets: tf.Tensor) -> float:
  """The speed of one repetition."""
  steps = max(1, FLAGS.patches // len(patches))
  start = time.perf_counter()
  for _ in range(steps):
    loss = train_step(patches, targets)
  loss.numpy()  # waits for the last step
  return steps * len(patches) / (time.perf_counter() - start)


def main(_) -> None:
  print_machine()
  print(f'{"batch":>5}  {"batch normalisation":30}  patches/s  ratio  first loss')
  train_steps = {name: make_train_step(layer) for name, layer in LAYERS.items()}
  for batch_size in map(int, FLAGS.batch_sizes):
    compare(train_steps, batch_size)


def compare(train_steps: dict, batch_size: int) -> None:
  """Times all layers in turns, and prints a row for each."""
  random = np.random.default_rng(0)
  patches = tf.constant(random.normal(-2, 2, (batch_size, 96, 64)), tf.float32)
  targets = tf.constant(random.random((batch_size, NUM_CLASSES)) < 0.01)
  targets = tf.cast(targets, tf.float32)
  losses = {name: float(step(patches, targets)) for name, step in train_steps.items()}
  speeds = {name: [] for name in LAYERS}
  for _ in range(FLAGS.repetitions):
    for name, train_step in train_steps.items():
      speeds[name].append(patches_per_second(train_step, patches, targets))
  medians = {name: statistics.median(values) for name, values in speeds.items()}
  for name, median in medians.items():
    ratio = median / medians['keras.layers.BatchNormalization']
    print(
      f'{batch_size:5}  {name:30}  {median:9.1f}  {ratio:5.2f}  {losses[name]:10.4f}'
    )


if __name__ == '__main__':
  stage.run(main)
