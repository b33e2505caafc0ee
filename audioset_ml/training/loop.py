"""The training loop: steps, checkpoints, and a model at the end.

A loop of our own instead of `fit`, so that a checkpoint holds the data position too and
a killed run goes on where it was.
"""

import math
import os
import pathlib
import signal
from typing import Any

import keras
import tensorflow as tf

from audioset_ml.errors import InputError
from audioset_ml.labels.label_set import LabelSet
from audioset_ml.labels.ontology import Ontology
from audioset_ml.models.registry import build_model
from audioset_ml.models.trained import MODEL_FILE
from audioset_ml.records.dataset import InputConfig, damage_named, training_dataset
from audioset_ml.records.folder import CLASS_MAP_FILE, RecordsFolder
from audioset_ml.training.config import TrainConfig
from audioset_ml.training.losses import MaskedBinaryCrossentropy
from audioset_ml.training.monitor import Monitor, Validator
from audioset_ml.training.optimization import build_optimizer
from audioset_ml.training.warm_start import init_from

_CHECKPOINTS_KEPT = 2


def train(
  config: TrainConfig, output_dir: str | os.PathLike
) -> tuple[dict[str, Any], dict[str, Any]]:
  """Trains a model, going on from the newest checkpoint in the folder.

  Writes `checkpoints/`, `logs/` (TensorBoard), `class_map.csv` and `model.keras`.

  Args:
    config: the run.
    output_dir: its folder.

  Returns:
    Counts for run.json, and the details that `TrainedModel.open` reads from it.

  Raises:
    InputError: records, label set or starting model don't fit, or the loss is NaN.
    KeyboardInterrupt: interrupted (Ctrl-C, SIGTERM), after writing a checkpoint.
  """
  output_dir = pathlib.Path(output_dir)
  trainer = _Trainer(config, output_dir)
  trainer.restore()
  trainer.run()
  trainer.records.class_map.write(output_dir / CLASS_MAP_FILE)
  save_model(trainer.model, output_dir / MODEL_FILE)
  counts = {
    'steps': config.steps,
    'clips': len(trainer.records.clip_ids),
    'classes': trainer.records.num_classes,
    'parameters': trainer.model.count_params(),
    'validation': trainer.last_validation,
  }
  return counts, {'front_end': trainer.records.front_end.to_dict()}


def save_model(model: keras.Model, path: pathlib.Path) -> None:
  """Writes a `.keras` file and renames it into place."""
  partial = path.with_name(f'.partial.{path.name}')
  model.save(partial)
  os.replace(partial, path)


class _Trainer:
  """A run in progress."""

  def __init__(self, config: TrainConfig, output_dir: pathlib.Path):
    self.config = config
    self.records = RecordsFolder.open(config.records)
    self._logs_dir = str(output_dir / 'logs')
    self._validator = self._open_validator()
    self._iterator = iter(self._open_input())
    front_end = self.records.front_end
    patch_shape = (front_end.patch_frames, front_end.mel_bands)
    self.model = build_model(config.model_config(self.records.num_classes, patch_shape))
    self._optimizer = build_optimizer(config.optimizer, config.steps)
    self._optimizer.build(self.model.trainable_variables)
    self._loss = MaskedBinaryCrossentropy()
    self._step = tf.Variable(0, dtype=tf.int64, trainable=False)
    self._checkpoint = tf.train.Checkpoint(
      model=self.model,
      optimizer=self._optimizer,
      iterator=self._iterator,
      step=self._step,
    )
    self._manager = tf.train.CheckpointManager(
      self._checkpoint,
      str(output_dir / 'checkpoints'),
      max_to_keep=_CHECKPOINTS_KEPT,
    )
    self._interrupted = False

  @property
  def last_validation(self) -> dict[str, float]:
    return self._validator.last if self._validator else {}

  def restore(self) -> None:
    """Goes back to the newest checkpoint, or to the model to start from."""
    for path in reversed(self._manager.checkpoints):
      try:
        self._checkpoint.restore(path).assert_existing_objects_matched()
      except Exception as error:  # TensorFlow raises many types for a damaged file
        print(f'{path}: a damaged checkpoint ({type(error).__name__}); trying an older')
        continue
      print(f'going on from step {int(self._step)}')
      return
    if self._manager.checkpoints:
      raise InputError(
        f'{self._manager.directory}: none of its checkpoints can be read; begin anew '
        'with --overwrite'
      )
    if self.config.init_from:
      init_from(self.model, self.config.init_from, self.records)

  def run(self) -> None:
    """Trains from the current step to the last one."""
    config, first = self.config, int(self._step)
    handlers = {
      number: signal.signal(number, self._interrupt)
      for number in (signal.SIGTERM, signal.SIGINT)
    }
    monitor = Monitor(self._logs_dir, config.steps, first, config.batch_size)
    train_step = tf.function(self._train_step)
    try:
      for step in range(first + 1, config.steps + 1):
        with damage_named(self.records):
          batch = next(self._iterator)
        loss = float(train_step(*batch))
        self._require_finite(loss, step)
        self._step.assign(step)
        monitor.step(loss)
        last = step == config.steps
        if step % config.log_every == 0 or last:
          monitor.log(step, float(self._optimizer.learning_rate))
        with monitor.paused():
          if step % config.checkpoint_every == 0 or last or self._interrupted:
            self._save(step)
          if self._interrupted:
            raise KeyboardInterrupt
          if self._validator and step % config.validate_every == 0 and not last:
            self._validator.validate(self.model, step)
      # Behind the loop, so that a run killed after its last checkpoint has it too.
      if self._validator:
        self._validator.validate(self.model, config.steps)
    finally:
      monitor.close()
      for number, handler in handlers.items():
        signal.signal(number, handler)

  def _open_input(self) -> tf.data.Dataset:
    config, implied = self.config, None
    reading = InputConfig(
      config.batch_size,
      config.shuffle_buffer,
      config.seed,
      config.label_mode,
      config.strong_clips_only,
    )
    label_set = LabelSet.read(config.label_set) if config.label_set else None
    if config.smear_ontology:
      ontology = Ontology.read(config.smear_ontology)
      implied = ontology.implied_classes(self.records.class_map)
    return training_dataset(self.records, reading, label_set, implied)

  def _train_step(self, patches: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
    with tf.GradientTape() as tape:
      loss = self._loss(target, self.model(patches, training=True))
    variables = self.model.trainable_variables
    self._optimizer.apply(tape.gradient(loss, variables), variables)
    return loss

  def _save(self, step: int) -> None:
    """Writes a checkpoint, but none of weights that are lost already."""
    for weight in self.model.trainable_variables:
      if not bool(tf.reduce_all(tf.math.is_finite(weight.value))):
        self._require_finite(math.nan, step)
    self._manager.save(step)

  def _interrupt(self, *unused) -> None:
    self._interrupted = True

  def _open_validator(self) -> Validator | None:
    if not self.config.validation_records:
      return None
    records = RecordsFolder.open(self.config.validation_records)
    self.records.require_like(records)
    return Validator(records, self._logs_dir)

  def _require_finite(self, loss: float, step: int) -> None:
    if not math.isfinite(loss):
      raise InputError(
        f'the loss is {loss} at step {step}; try a lower --learning_rate. The last '
        f'good checkpoint is {self._manager.latest_checkpoint}'
      )
