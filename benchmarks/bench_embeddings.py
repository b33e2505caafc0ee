"""Training on embeddings: examples/s from records and from arrays in memory.

A network 128–512–512–527 with batch normalisation, Adam, masked binary crossentropy,
batches of 256, on embeddings of random bytes, ten frames a clip. Each way runs in turn;
the median over the rounds counts, as ratio to PyTorch's too where torch is installed.
Inputs are begun anew in each round, and fill their shuffle buffers then: one that waits
would have read ahead meanwhile.

- records: `training_dataset` and the trainer's steps, as `train --steps_per_call=16`
  has them;
- records, 1 a call: the same, as `train` does it by default;
- records, read only: the same batches, not trained on;
- one at a time, read only: a plain tf.data input, which parses a record and cuts its
  patch, then shuffles and batches;
- arrays: the same step on batches gathered from NumPy arrays;
- Keras fit: the same model, loss and optimiser on the same arrays;
- PyTorch: the same network and a plain loop on arrays, where torch is installed.

  python benchmarks/bench_embeddings.py
"""

import importlib.util
import pathlib
import statistics
import tempfile
import time
from collections.abc import Callable

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
from audioset_ml.training.config import SourceConfig, TrainConfig
from audioset_ml.training.losses import MaskedBinaryCrossentropy
from audioset_ml.training.optimizer_config import OptimizerConfig
from audioset_ml.training.trainer import Shape, Trainer

CLIPS, CLASSES, BATCH, STEPS, ROUNDS = 40_000, 527, 256, 128, 5
STEPS_A_CALL = 16
FRAMES = FrameFormat.audioset_embeddings()
RATE = 1e-3


def write_records(folder: pathlib.Path) -> RecordsFolder:
  """Records of random clips, in 40 shards."""
  random = np.random.default_rng(0)
  class_map = ClassMap(tuple(map(str, range(CLASSES))), ('x',) * CLASSES)
  clip_ids, shards = [], []
  for shard in range(40):
    shards.append(str(folder / f'{shard}.tfrecord'))
    with tf.io.TFRecordWriter(shards[-1]) as writer:
      for _ in range(CLIPS // 40):
        clip_ids.append(f'clip{len(clip_ids)}_0')
        classes = random.choice(CLASSES, 3, replace=False).tolist()
        weak = dict.fromkeys(classes, LabelState.EXPLICIT_POSITIVE)
        frames = random.integers(0, 256, (10, FRAMES.values))
        writer.write(schema.serialize(ClipLabels(clip_ids[-1], weak), frames, FRAMES))
  return RecordsFolder(folder, tuple(shards), tuple(clip_ids), class_map, FRAMES)


def plain_input(records: RecordsFolder) -> tf.data.Dataset:
  """Batches as most programs read them: a record at a time."""

  def example(serialized: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    record = schema.parse(serialized, FRAMES)
    start = tf.random.uniform([], maxval=record['num_frames'], dtype=tf.int64)
    one = tf.constant(1, tf.int64)
    patch = schema.decode_frames(record['frames'], start, one, FRAMES)
    return patch, tf.reduce_max(tf.one_hot(record['weak/class'], CLASSES), axis=0)

  serialized = tf.data.Dataset.from_tensor_slices(list(records.shards)).interleave(
    tf.data.TFRecordDataset, cycle_length=4, num_parallel_calls=tf.data.AUTOTUNE
  )
  examples = serialized.repeat().map(example, num_parallel_calls=tf.data.AUTOTUNE)
  batches = examples.shuffle(4096).batch(BATCH)
  return batches.map(
    lambda patches, target: (schema.as_floats(patches, FRAMES), target)
  ).prefetch(tf.data.AUTOTUNE)


def in_turn(
  patches: np.ndarray, targets: np.ndarray
) -> Callable[[], tuple[np.ndarray, np.ndarray]]:
  """Gives random batches of arrays."""
  random = np.random.default_rng(0)

  def batch() -> tuple[np.ndarray, np.ndarray]:
    rows = random.integers(0, len(patches), BATCH)
    return patches[rows], targets[rows]

  return batch


def trainer_of() -> Trainer:
  config = TrainConfig(
    SourceConfig(''),
    architecture='mlp',
    batch_size=BATCH,
    optimizer=OptimizerConfig(learning_rate=RATE),
  )
  return Trainer(
    config, Shape(CLASSES, FRAMES.patch_shape), tf.distribute.get_strategy()
  )


def keras_fit(patches: np.ndarray, targets: np.ndarray) -> Callable[[], None]:
  shape = dict(zip(('patch_frames', 'frame_values'), FRAMES.patch_shape, strict=True))
  model = build_model(ModelConfig('mlp', CLASSES, **shape))
  model.compile(keras.optimizers.Adam(RATE), MaskedBinaryCrossentropy())
  most = STEPS * BATCH
  return lambda: model.fit(
    patches[:most], targets[:most], batch_size=BATCH, epochs=1, verbose=0
  )


def pytorch(patches: np.ndarray, targets: np.ndarray) -> Callable[[], None]:
  import torch

  layers, width = [], FRAMES.values
  for units in (512, 512):
    layers += [
      torch.nn.Linear(width, units, bias=False),
      torch.nn.BatchNorm1d(units),
      torch.nn.ReLU(),
    ]
    width = units
  model = torch.nn.Sequential(*layers, torch.nn.Linear(width, CLASSES))
  optimizer = torch.optim.Adam(model.parameters(), RATE)
  inputs = torch.from_numpy(patches[:, 0])
  wanted = torch.from_numpy(targets.astype(np.float32))

  def run() -> None:
    for _ in range(STEPS):
      rows = torch.randint(0, len(inputs), (BATCH,))
      logits, labels = model(inputs[rows]), wanted[rows]
      losses = torch.nn.functional.binary_cross_entropy_with_logits(
        logits, labels.clamp(min=0), weight=(labels >= 0).float(), reduction='none'
      )
      loss = losses.sum(1).mean()
      optimizer.zero_grad()
      loss.backward()
      optimizer.step()
      loss.item()

  return run


def main() -> None:
  print_machine('torch')
  with tempfile.TemporaryDirectory() as folder:
    records = write_records(pathlib.Path(folder))
    ours = training_dataset(Source(records), InputConfig(BATCH))
    plain, batches = plain_input(records), iter(ours)
    known = [next(batches) for _ in range(CLIPS // BATCH)]
    patches = np.concatenate([batch.numpy() for batch, _ in known])
    targets = np.concatenate([target.numpy() for _, target in known])
    many, one, other = trainer_of(), trainer_of(), trainer_of()
    from_arrays = in_turn(patches, targets)

    def train_on(trainer: Trainer, batch: Callable) -> None:
      for _ in range(STEPS):
        loss, _ = trainer.train_step(*map(tf.convert_to_tensor, batch()))
      float(loss)  # waits for the device

    def read(dataset: tf.data.Dataset) -> None:
      for _ in dataset.take(STEPS):
        pass

    def train_on_records() -> None:
      batches = iter(ours)
      for _ in range(STEPS // STEPS_A_CALL):
        losses = many.train_steps(batches, STEPS_A_CALL)
      losses.numpy()

    ways: dict[str, Callable[[], object]] = {
      'records': train_on_records,
      'records, 1 a call': lambda: train_on(one, iter(ours).__next__),
      'records, read only': lambda: read(ours),
      'one at a time, read only': lambda: read(plain),
      'arrays': lambda: train_on(other, from_arrays),
      'Keras fit': keras_fit(patches, targets),
    }
    if importlib.util.find_spec('torch'):
      ways['PyTorch'] = pytorch(patches, targets)
    speeds: dict[str, list[float]] = {name: [] for name in ways}
    for round_number in range(ROUNDS + 1):
      for name, way in ways.items():
        start = time.perf_counter()
        way()
        if round_number:  # the first warms up
          speeds[name].append(STEPS * BATCH / (time.perf_counter() - start))
  print(f'{"":26}{"examples/s":>12}{"ratio":>8}')
  medians = {name: statistics.median(values) for name, values in speeds.items()}
  for name, speed in medians.items():
    print(f'{name:26}{speed:12,.0f}{speed / medians.get("PyTorch", np.nan):8.2f}')


if __name__ == '__main__':
  main()
