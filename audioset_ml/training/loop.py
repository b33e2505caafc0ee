"""The training loop: steps, checkpoints, validations, and a model at the end.

A loop of our own instead of `fit`, so that a checkpoint holds the data position too and
a killed run goes on where it was.
"""

import dataclasses
import math
import os
import pathlib
import shutil
import signal
from typing import Any

import keras
import tensorflow as tf

from audioset_ml import folders
from audioset_ml.errors import UnfinishedError
from audioset_ml.evaluation.chosen_clips import LOST_FILE
from audioset_ml.models.layers import with_plain_layers
from audioset_ml.models.model_files import MODEL_FILE
from audioset_ml.records.dataset import damage_named
from audioset_ml.records.folder import CLASS_MAP_FILE, RecordsFolder
from audioset_ml.records.training_source import Source
from audioset_ml.training import distribution
from audioset_ml.training.checkpoints import Checkpoints
from audioset_ml.training.clip_flags import ClipFlags
from audioset_ml.training.config import TrainConfig
from audioset_ml.training.data_service import ServedBatches
from audioset_ml.training.event_logs import trim_events
from audioset_ml.training.flagging import Flagger, flagged_parts, write_label_sets
from audioset_ml.training.inputs import open_input
from audioset_ml.training.loss_table import build_loss
from audioset_ml.training.monitor import Monitor
from audioset_ml.training.sources import (
  class_priors,
  epoch_steps,
  lost_of_lists,
  open_sources,
)
from audioset_ml.training.trainer import Shape, Trainer, float32_copy
from audioset_ml.training.validation import BEST_PREFIX, BestModel, Validator
from audioset_ml.training.warm_start import init_from, init_optimizer_from, steps_of


def train(
  config: TrainConfig,
  output_dir: str | os.PathLike,
  flag_text: str = '',
  sources: list[Source] | None = None,
) -> tuple[dict[str, Any], dict[str, Any]]:
  """Trains a model, going on from the newest checkpoint in the folder.

  Writes `checkpoints/`, `logs/` (TensorBoard), `class_map.csv` and `model.keras`; where
  the run flags labels, `label_set/`. With several workers, the first alone writes; the
  others keep their checkpoints (they hold a position in the data of their own) in
  `checkpoints/worker_<number>`.

  Args:
    config: the run.
    output_dir: its folder.
    flag_text: the run's flags, for TensorBoard.
    sources: of `open_sources`, where they are open already.

  Returns:
    Counts for run.json, and the details that `TrainedModel.open` reads from it.

  Raises:
    InputError: records, label set or starting model don't fit.
    UnfinishedError: the loss is NaN, or another worker or the tf.data service was lost;
      the checkpoints stay.
    KeyboardInterrupt: interrupted (Ctrl-C, SIGTERM), after writing a checkpoint.
  """
  output_dir = pathlib.Path(output_dir)
  run = _Run(config, output_dir, flag_text, sources or open_sources(config))
  with distribution.lost_peers_named():
    run.restore()
    run.train()
  records = run.records
  counts = {
    'steps': run.trainer.steps_done,
    'clips': len(records.clip_ids),
    'clips_chosen': run.clips_chosen,
    'classes': records.num_classes,
    'parameters': run.trainer.model.count_params(),
    'validation': run.best.values,
  }
  if run.chief:
    records.class_map.write(output_dir / CLASS_MAP_FILE)
    run.save_model()
    if run.flags is not None:
      counts['flagged_labels'] = run.write_label_sets()
    if (lost := lost_of_lists(config)) is not None:
      text = lost.to_csv(index=False, lineterminator='\n')
      folders.write_atomically(output_dir / LOST_FILE, text)
      counts['clips_lost_of_lists'] = len(lost)
  details = records.frames.to_run()
  if config.left_out:
    details['left_out'] = dataclasses.asdict(config.left_out)
  if config.data_service:
    details['data_service'] = config.data_service
  return counts, details


class _Run:
  """A run in progress."""

  def __init__(
    self,
    config: TrainConfig,
    output_dir: pathlib.Path,
    flag_text: str,
    sources: list[Source],
  ):
    self.config = config
    self._output_dir, self._flag_text = output_dir, flag_text
    strategy = distribution.build_strategy(config.strategy)
    self.chief = distribution.is_chief(strategy)
    self._sources, self._strategy = sources, strategy
    self.records: RecordsFolder = self._sources[0].records
    self._records_paths = ' or '.join(
      sorted({str(source.records.path) for source in self._sources})
    )
    self._logs_dir = output_dir / 'logs'
    self._validator = self._open_validator()
    # What a tf.data service sends has no position to save: it begins after `restore`.
    saved = {}
    if not config.data_service:
      saved['iterator'] = self._iterator = iter(self._open_input())
    shape = Shape(self.records.num_classes, self.records.frames.patch_shape)
    done = steps_of(config.init_from) if config.init_optimizer else 0
    an_epoch = epoch_steps(config, sources)
    loss = build_loss(
      config.loss, shape.num_classes, an_epoch, class_priors(config, self.records)
    )
    if self.chief:
      for line in config.loss.remarks(config.steps, an_epoch):
        print(line)
    self.flags = flags = self._build_flags()
    self.trainer = Trainer(config, shape, strategy, done, loss, flags)
    self._flagger = None
    # Whether labels are still to be flagged after the step of the checkpoint.
    self._flagging_due = tf.Variable(False, trainable=False)
    if flags is not None:
      self._flagged_parts = flagged_parts(sources, config.used)
      saved |= {'flags': flags, 'flagging_due': self._flagging_due}
    if config.flagging:
      self._flagger = Flagger(
        config.flagging, self._flagged_parts, self.trainer.model, flags, output_dir
      )
    self.best = BestModel(config.metrics, config.best_metric, config.patience)
    self._losses = tf.Variable(tf.zeros(2, tf.float64))  # sum and number since a point
    self._checkpoints = Checkpoints(
      output_dir / 'checkpoints' / distribution.worker_folder(strategy),
      config.checkpoints_kept,
      model=self.trainer.model,
      optimizer=self.trainer.optimizer,
      step=self.trainer.step,
      best=self.best,
      losses=self._losses,
      **({'average': self.trainer.average} if self.trainer.average else {}),
      **({'seeds': seeds} if (seeds := self.trainer.seeds) else {}),
      **saved,
    )
    self._interrupted = False

  @property
  def clips_chosen(self) -> int:
    """How many clips of the records lists, shares and folds leave to train on."""
    chosen = self._sources[0].chosen()
    return len(self.records.clip_ids if chosen is None else chosen)

  def restore(self) -> None:
    """Goes back to the newest checkpoint, or to the model to start from."""
    if self._checkpoints.restore(self._of_all_workers):
      print(f'going on from step {self.trainer.steps_done}')
      if self.chief:
        trim_events(self._logs_dir, self.trainer.steps_done)
      return
    if self.chief and self._logs_dir.exists():  # of a run without any checkpoint
      shutil.rmtree(self._logs_dir)
    if self.config.init_from:
      init_from(self.trainer.model, self.config.init_from, self.records)
      if self.config.init_optimizer:
        init_optimizer_from(self.trainer.optimizer, self.config.init_from)
      if self.trainer.average is not None:
        self.trainer.average.reset()

  def train(self) -> None:
    """Trains from the current step to the last one."""
    config, trainer = self.config, self.trainer
    handlers = {
      number: signal.signal(number, self._interrupt)
      for number in (signal.SIGTERM, signal.SIGINT)
    }
    logs_dir = self._logs_dir if self.chief else None
    monitor = Monitor(logs_dir, config, trainer.steps_done, self._flag_text)
    served = None
    if config.data_service:
      served = ServedBatches(
        iter(self._open_input(trainer.steps_done)),
        config.data_service,
        lambda: self._interrupted,
      )
    try:
      if trainer.steps_done == 0 or self._flagging_due.numpy():
        self._flag(trainer.steps_done)
        if self._flagging_due.numpy():  # interrupted: the same again next time
          raise KeyboardInterrupt
      while trainer.steps_done < config.steps and not self.best.exhausted:
        done = trainer.steps_done
        losses, leaving = self._next_steps(served)
        if not losses:  # interrupted while waiting for a batch
          self._save(done, monitor)
          raise KeyboardInterrupt
        for step, loss in enumerate(losses, done + 1):
          self._require_finite(loss, step)
        self._note(losses)
        monitor.steps(len(losses), losses[-1])
        self._after_step(done + len(losses), monitor, leaving)
    finally:
      monitor.close()
      for number, handler in handlers.items():
        signal.signal(number, handler)

  def _next_steps(self, served: ServedBatches | None) -> tuple[list[float], bool]:
    """Trains for a call: never beyond a step after which there is something to do.

    Returns:
      The losses, none if one is to leave and no batch has come; whether a process
      wants to stop.
    """
    config, trainer = self.config, self.trainer
    if config.steps_per_call > 1:
      due = config.steps_until_due(trainer.steps_done)
      with damage_named(self._records_paths):
        losses = trainer.train_steps(self._iterator, min(config.steps_per_call, due))
      return losses, self._interrupted
    with damage_named(self._records_paths):
      batch = served.next() if served else next(self._iterator)
    if batch is None:
      return [], True
    patches, target, *clips = batch
    loss, leaving = trainer.train_step(patches, target, self._interrupted, *clips)
    return [loss], leaving

  def _note(self, losses: list[float]) -> None:
    """Adds losses, one by one, to those since the last point."""
    total, number = self._losses.numpy().tolist()
    for loss in losses:
      total += loss
    self._losses.assign([total, number + len(losses)])

  def _after_step(self, step: int, monitor: Monitor, leaving: bool) -> None:
    """Logs, validates and saves where it is time, in an order that a kill can't break.

    The checkpoint comes last: what was logged before it, stays; what was logged after
    it is cut off when the run goes on from it, and logged again.
    """
    config, last = self.config, step == self.config.steps
    if step % config.log_every == 0 or last:
      total, number = self._losses.numpy()
      monitor.log(step, total / number, self.trainer.learning_rate)
      self._losses.assign([0.0, 0.0])
    with monitor.paused():
      if self._validator and (step % config.validate_every == 0 or last):
        self._require_finite_weights(step)
        with self.trainer.averaged():
          values = self._validator.validate(self.trainer.model, step)
          self.best.update(values, step, self._save_best if self.chief else None)
      self._flag(step)
      leaving |= bool(self._flagging_due.numpy())
      if step % config.checkpoint_every == 0 or last or leaving or self.best.exhausted:
        self._save(step, monitor)
      if leaving:
        raise KeyboardInterrupt

  def _build_flags(self) -> ClipFlags | None:
    """Where the run keeps the labels that it flags, if it does."""
    if not self.config.flags_labels:
      return None
    clips = sum(len(source.records.clip_ids) for source in self._sources)
    flagging = self.config.flagging
    flagged_as = flagging.flagged_as if flagging else 'positive'
    return ClipFlags(clips, self.records.num_classes, flagged_as)

  def _flag(self, step: int) -> None:
    """Flags labels anew, if it is time and there are steps to come.

    When it is interrupted, it stays due: what is flagged follows from the weights, so
    that the run that goes on from here flags the same.
    """
    flagging = self.config.flagging
    if (
      flagging and flagging.is_due(step, self.config.steps) and not self.best.exhausted
    ):
      self._require_finite_weights(step)
      with self.trainer.averaged():
        renewed = self._flagger.renew(step, lambda: self._interrupted)
      self._flagging_due.assign(not renewed)

  def write_label_sets(self) -> int:
    """Writes the labels that the run has flagged; returns how many they are."""
    config = self.config
    value, flagged_as = f'{config.loss.options.get("delta", 0):g}', 'positive'
    if config.flagging:
      value, flagged_as = (
        f'{config.flagging.percent.normalize():f}',
        config.flagging.flagged_as,
      )
    about = {'value': value, 'flagged_as': flagged_as}
    return write_label_sets(self._flagged_parts, self.flags, self._output_dir, about)

  def _open_input(self, steps_done: int = 0) -> tf.data.Dataset:
    job = os.path.abspath(self._output_dir)
    return open_input(self.config, self._sources, self._strategy, job, steps_done)

  def save_model(self) -> None:
    """Writes `model.keras`: the best weights, or the last."""
    best = self._output_dir / self.best.file
    if self.config.best_metric and best.exists():
      partial = self._output_dir / f'.partial.{MODEL_FILE}'
      shutil.copyfile(best, partial)
      partial.replace(self._output_dir / MODEL_FILE)
    else:
      with self.trainer.averaged():
        save_model(self.trainer.model, self._output_dir / MODEL_FILE)

  def _save_best(self) -> None:
    save_model(self.trainer.model, self._output_dir / self.best.file)

  def _save(self, step: int, monitor: Monitor) -> None:
    """Writes a checkpoint, but none of weights that are lost already."""
    self._require_finite_weights(step)
    monitor.flush()
    if self._validator:
      self._validator.flush()
    self._checkpoints.save(step)
    if self.chief:
      for old in self._output_dir.glob(f'{BEST_PREFIX}*'):
        if old.name != self.best.file:
          old.unlink()

  def _interrupt(self, *unused) -> None:
    self._interrupted = True

  def _open_validator(self) -> Validator | None:
    if not self.config.validation_records:
      return None
    records = RecordsFolder.open(self.config.validation_records)
    self.records.require_like(records)
    return Validator(records, self._logs_dir if self.chief else None, self.config)

  def _require_finite(self, loss: float, step: int, what: str = 'the loss is') -> None:
    if not math.isfinite(loss):
      raise UnfinishedError(
        f'{what} {loss} at step {step}; try a lower --learning_rate. The last good '
        f'checkpoint is {self._checkpoints.latest}'
      )

  def _require_finite_weights(self, step: int) -> None:
    if not self.trainer.weights_are_finite():
      self._require_finite(math.nan, step, 'a weight is')

  def _of_all_workers(self, value: int) -> list[int]:
    return distribution.of_all_workers(self._strategy, value)


def save_model(model: keras.Model, path: pathlib.Path) -> None:
  """Writes a `.keras` file and renames it into place.

  In float32, whatever it was trained in, and of Keras's own layers.
  """
  partial = path.with_name(f'.partial.{path.name}')
  with_plain_layers(float32_copy(model)).save(partial)
  os.replace(partial, path)
