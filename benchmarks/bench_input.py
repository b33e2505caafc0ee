"""Training from records against training from memory: patches/s in the same run.

MobileNetV1 at full width with 527 classes, batch 64, on records of ten-second clips
that hold random features and labels. Both ways run alternately; the medians count.

  python benchmarks/bench_input.py
"""

import pathlib
import statistics
import tempfile
import time

import keras
import numpy as np
import tensorflow as tf
from machine import print_machine

from audioset_ml.labels.class_map import ClassMap
from audioset_ml.labels.clip_labels import ClipLabels
from audioset_ml.labels.states import LabelState
from audioset_ml.models.registry import ModelConfig, build_model
from audioset_ml.records import schema
from audioset_ml.records.folder import RecordsFolder
from audioset_ml.records.frames import FrameFormat
from audioset_ml.records.training_input import InputConfig, training_dataset
from audioset_ml.records.training_source import Source
from audioset_ml.training.losses import MaskedBinaryCrossentropy

CLIPS, CLASSES, BATCH, STEPS, ROUNDS = 1024, 527, 64, 12, 5
FRAMES = 1008  # of ten seconds, padded


def write_records(folder: pathlib.Path) -> RecordsFolder:
  """Records of random clips, in four shards."""
  random = np.random.default_rng(0)
  frames = FrameFormat.log_mel()
  class_map = ClassMap(tuple(map(str, range(CLASSES))), ('x',) * CLASSES)
  clip_ids, shards = [], []
  for shard in range(4):
    shards.append(str(folder / f'{shard}.tfrecord'))
    with tf.io.TFRecordWriter(shards[-1]) as writer:
      for _ in range(CLIPS // 4):
        clip_ids.append(f'clip{len(clip_ids)}_0')
        classes = random.choice(CLASSES, 3, replace=False).tolist()
        weak = dict.fromkeys(classes, LabelState.EXPLICIT_POSITIVE)
        log_mel = random.normal(-3, 2, (FRAMES, 64))
        labels = ClipLabels(clip_ids[-1], weak)
        writer.write(schema.serialize(labels, log_mel, frames))
  return RecordsFolder(folder, tuple(shards), tuple(clip_ids), class_map, frames)


def from_records(records: RecordsFolder) -> tf.data.Dataset:
  return training_dataset(Source(records), InputConfig(BATCH))


def from_memory(records: RecordsFolder) -> tf.data.Dataset:
  """The same batches, made once and kept in memory."""
  batches = list(from_records(records).take(CLIPS // BATCH))
  patches = np.concatenate([patch for patch, _ in batches])
  targets = np.concatenate([target for _, target in batches])
  return (
    tf.data.Dataset.from_tensor_slices((patches, targets))
    .shuffle(CLIPS)
    .repeat()
    .batch(BATCH, drop_remainder=True)
    .prefetch(tf.data.AUTOTUNE)
  )


def main() -> None:
  print_machine()
  model = build_model(ModelConfig('mobilenet_v1', CLASSES))
  optimizer = keras.optimizers.Adam(1e-5)
  optimizer.build(model.trainable_variables)
  loss_function = MaskedBinaryCrossentropy()

  @tf.function
  def step(patches: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
    with tf.GradientTape() as tape:
      loss = loss_function(target, model(patches, training=True))
    variables = model.trainable_variables
    optimizer.apply(tape.gradient(loss, variables), variables)
    return loss

  with tempfile.TemporaryDirectory() as folder:
    records = write_records(pathlib.Path(folder))
    sources = {
      'memory': iter(from_memory(records)),
      'records': iter(from_records(records)),
    }
    speeds: dict[str, list[float]] = {name: [] for name in sources}
    for round_number in range(ROUNDS + 1):
      for name, iterator in sources.items():
        start = time.perf_counter()
        for _ in range(STEPS):
          float(step(*next(iterator)))
        if round_number:  # the first warms up
          speeds[name].append(STEPS * BATCH / (time.perf_counter() - start))
  print(f'{"training from":16}{"patches/s":>12}{"ratio":>8}')
  memory = statistics.median(speeds['memory'])
  for name, values in speeds.items():
    median = statistics.median(values)
    print(f'{name:16}{median:12.1f}{median / memory:8.2f}')


if __name__ == '__main__':
  main()
