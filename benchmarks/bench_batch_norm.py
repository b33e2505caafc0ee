"""Training speed with our fused batch normalisation against Keras's own.

MobileNetV1 at full width with 527 classes, Adam, the same initial weights and the same
random patches; only the batch normalisation class differs. The two take turns, so that
whatever else the machine does meets both; medians are compared.

  python benchmarks/bench_batch_norm.py

Expected on two CPU cores: ours at least 1.8 times as fast.
"""

import statistics
import time

import keras
import numpy as np
import tensorflow as tf
from absl import flags

from audioset_ml import stage
from audioset_ml.models.config import ModelConfig
from audioset_ml.models.layers import FusedBatchNormalization
from audioset_ml.models.registry import build_model

FLAGS = flags.FLAGS
flags.DEFINE_integer('batch_size', 64, 'Patches in a training step.', lower_bound=1)
flags.DEFINE_integer('steps', 5, 'Training steps in a repetition.', lower_bound=1)
flags.DEFINE_integer('repetitions', 7, 'Turns of each layer.', lower_bound=1)

NUM_CLASSES = 527
TARGET_RATIO = 1.8
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
  start = time.perf_counter()
  for _ in range(FLAGS.steps):
    loss = train_step(patches, targets)
  loss.numpy()  # waits for the last step
  return FLAGS.steps * len(patches) / (time.perf_counter() - start)


def main(_) -> None:
  random = np.random.default_rng(0)
  patches = tf.constant(random.normal(-2, 2, (FLAGS.batch_size, 96, 64)), tf.float32)
  targets = tf.constant(random.random((FLAGS.batch_size, NUM_CLASSES)) < 0.01)
  targets = tf.cast(targets, tf.float32)
  train_steps = {name: make_train_step(layer) for name, layer in LAYERS.items()}
  losses = {name: float(step(patches, targets)) for name, step in train_steps.items()}
  speeds = {name: [] for name in LAYERS}
  for _ in range(FLAGS.repetitions):
    for name, train_step in train_steps.items():
      speeds[name].append(patches_per_second(train_step, patches, targets))
  print_table(losses, speeds)


def print_table(losses: dict[str, float], speeds: dict[str, list[float]]) -> None:
  """Prints each layer's median speed, its range, and the ratio."""
  print(f'{"batch normalisation":32}  patches/s  slowest  fastest  first loss')
  for name, values in speeds.items():
    print(
      f'{name:32}  {statistics.median(values):9.1f}  {min(values):7.1f}  '
      f'{max(values):7.1f}  {losses[name]:10.4f}'
    )
  ours, keras_own = (statistics.median(speeds[name]) for name in LAYERS)
  print(f'ratio {ours / keras_own:.2f} (target: at least {TARGET_RATIO})')


if __name__ == '__main__':
  stage.run(main)
