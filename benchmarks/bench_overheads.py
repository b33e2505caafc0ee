"""What checkpoints and validations cost as shares of training, by default intervals.

MobileNetV1 at full width on 400 generated clips of ten seconds, batches of 64: the time
of a step, of a checkpoint (weights, Adam's state and the position in the data, shuffle
buffer included), and of a validation, for each clip; and what
`--validation_share=auto` makes of AudioSet's evaluation clips.

  python benchmarks/bench_overheads.py
"""

import dataclasses
import functools
import pathlib
import statistics
import tempfile
import time
import types
from collections.abc import Callable

import numpy as np
import tensorflow as tf
from machine import print_machine

from audioset_ml.core.auto_choices import AutoChoices
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.labels.clip_labels import ClipLabels
from audioset_ml.labels.states import LabelState
from audioset_ml.models.scoring import PatchScorer, score_clips
from audioset_ml.records import schema
from audioset_ml.records.dataset import copy_clips
from audioset_ml.records.folder import RecordsFolder
from audioset_ml.records.frames import FrameFormat
from audioset_ml.records.training_input import InputConfig, training_dataset
from audioset_ml.records.training_source import Source
from audioset_ml.training.checkpoints import Checkpoints
from audioset_ml.training.config import SourceConfig, TrainConfig
from audioset_ml.training.trainer import Shape, Trainer
from audioset_ml.training.validation_share import ValidationClips

CLIPS, FRAMES, CLASSES, STEPS = 400, 1008, 527, 40
AUDIOSET_EVAL = 20_371
LOG_MEL = FrameFormat.log_mel()


def write_records(folder: pathlib.Path, clips: int = CLIPS) -> RecordsFolder:
  random = np.random.default_rng(0)
  mids = tuple(f'/m/{index}' for index in range(CLASSES))
  ids = tuple(f'clip{number}_0' for number in range(clips))
  shard = str(folder / 'records.tfrecord')
  with tf.io.TFRecordWriter(shard) as writer:
    for clip_id in ids:
      log_mel = random.normal(-3, 2, (FRAMES, LOG_MEL.values))
      weak = {int(random.integers(CLASSES)): LabelState.EXPLICIT_POSITIVE}
      writer.write(schema.serialize(ClipLabels(clip_id, weak), log_mel, LOG_MEL))
  return RecordsFolder(folder, (shard,), ids, ClassMap(mids, mids), LOG_MEL)


def median_seconds(call: Callable[[], object], times: int) -> float:
  call()  # warms up
  found = []
  for _ in range(times):
    start = time.perf_counter()
    call()
    found.append(time.perf_counter() - start)
  return statistics.median(found)


def main() -> None:
  print_machine()
  with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    records = write_records(folder)
    config = TrainConfig(SourceConfig(name))
    shape = Shape(CLASSES, LOG_MEL.patch_shape)
    trainer = Trainer(config, shape, tf.distribute.get_strategy())
    reading = InputConfig(config.batch_size, config.shuffle_buffer)
    iterator = iter(training_dataset(Source(records), reading))
    checkpoints = Checkpoints(
      folder / 'checkpoints',
      2,
      model=trainer.model,
      optimizer=trainer.optimizer,
      iterator=iterator,
    )
    numbers = iter(range(1, 100))
    step = median_seconds(lambda: float(trainer.train_step(*next(iterator))[0]), STEPS)
    checkpoint = median_seconds(lambda: checkpoints.save(next(numbers)), 5)
    size = sum(f.stat().st_size for f in (folder / 'checkpoints').glob('ckpt-6.*'))
    scorer = PatchScorer(trainer.model)
    clip = median_seconds(lambda: score_clips(scorer, records), 2) / CLIPS
    chosen = np.arange(CLIPS) % 40 == 0
    copy = functools.partial(copy_clips, records, chosen, folder / 'copy.tfrecord')
    passed = median_seconds(copy, 2) / CLIPS
  every = config.checkpoint_every
  print(f'a step of {config.batch_size} patches: {1000 * step:.0f} ms')
  print(
    f'a checkpoint: {1000 * checkpoint:.0f} ms, {size / 1e6:.0f} MB; every {every} '
    f'steps: {checkpoint / (every * step):.2%} of training'
  )
  for clips in (1000, 20_000):
    share = clips * clip / (config.validate_every * step)
    print(
      f'a validation on {clips} clips: {clips * clip:.0f} s; every '
      f'{config.validate_every} steps: {share:.1%} of training'
    )
  clips = AUDIOSET_EVAL
  ids = [f'clip{number}_0' for number in range(clips)]
  rows = dict.fromkeys(ids, types.SimpleNamespace(frames=FRAMES))
  whole = types.SimpleNamespace(
    path=folder, clip_ids=ids, frames=LOG_MEL, read_clips=lambda: rows
  )
  config = dataclasses.replace(config, validation_records=name, validation_share=None)
  everything = ValidationClips(whole, np.arange(clips))
  chosen = len(everything.while_training(config, AutoChoices()))
  seconds = chosen * clip
  print(
    f'--validation_share=auto: {chosen} of {clips} clips, {seconds:.1f} s, '
    f'{seconds / (config.validate_every * step):.1%} of training; they are copied once '
    f'before, in {clips * passed:.1f} s'
  )


if __name__ == '__main__':
  main()
