"""A run in progress: what it is made of, what of it is kept, and how it is restored."""

import math
import os
import pathlib
import shutil
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from audioset_ml.core.auto_choices import AutoChoices
from audioset_ml.core.errors import UnfinishedError, agreeing, counted
from audioset_ml.core.model_digests import MODEL_FILE
from audioset_ml.models.layers import with_plain_layers
from audioset_ml.models.trained import TrainedModel
from audioset_ml.records.folder import RecordsFolder
from audioset_ml.training import distribution, precision
from audioset_ml.training.checkpoints import Checkpoints
from audioset_ml.training.clip_flags import ClipFlags
from audioset_ml.training.config import TrainConfig
from audioset_ml.training.event_logs import trim_events
from audioset_ml.training.flagging import Flagger, flagged_parts, write_label_sets
from audioset_ml.training.inputs import open_input
from audioset_ml.training.loss_table import build_loss
from audioset_ml.training.sources import RunInputs, epoch_steps
from audioset_ml.training.step_losses import StepLosses
from audioset_ml.training.trainer import Shape, Trainer, float32_copy
from audioset_ml.training.validation import (
  BEST_PREFIX,
  BestModel,
  Validator,
  shown_values,
  validate_all,
)
from audioset_ml.training.warm_start import init_from, init_optimizer_from, steps_of


class Run:
  """A training run between two of its steps.

  Attributes:
    config: the run.
    records: the first source's records.
    records_paths: all records' folders, for messages.
    trainer: the model and what updates it.
    flags: the labels that the run flags itself, or None.
    best: the best validation so far.
    losses: those of its steps.
    iterator: the input; None where a tf.data service sends the batches.
    validator: what validates, or None.
    chief: whether this process writes what workers have in common.
    has_peers: whether other processes train with this one.
    logs_dir: TensorBoard's folder.
  """

  def __init__(self, config: TrainConfig, output_dir: pathlib.Path, inputs: RunInputs):
    """Args: the run; its folder; what it reads, of `open_inputs`."""
    checkpoints = output_dir / 'checkpoints'
    self._choices = AutoChoices(checkpoints)
    self.config = config = precision.settled(config, self._choices)
    self._output_dir = output_dir
    strategy = distribution.build_strategy(config.strategy)
    self.chief = distribution.is_chief(strategy)
    self.has_peers = distribution.has_peers(strategy)
    sources = inputs.sources
    self._sources, self._strategy = sources, strategy
    self.records: RecordsFolder = self._sources[0].records
    self.records_paths = ' or '.join(
      sorted({str(source.records.path) for source in self._sources})
    )
    self.logs_dir = output_dir / 'logs'
    self._validation = inputs.validation
    self.validator = self._open_validator() if inputs.validation else None
    # What a tf.data service sends has no position to save: it begins after `restore`.
    saved, self.iterator = {}, None
    if not config.data_service:
      saved['iterator'] = self.iterator = iter(self.open_batches())
    shape = Shape(self.records.num_classes, self.records.frames.patch_shape)
    done = steps_of(config.init_from) if config.init_optimizer else 0
    an_epoch = epoch_steps(config, sources)
    loss = build_loss(config.loss, shape.num_classes, an_epoch, inputs.priors)
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
    self.losses = StepLosses()
    self._checkpoints = Checkpoints(
      checkpoints / distribution.worker_folder(strategy),
      config.checkpoints_kept,
      model=self.trainer.model,
      optimizer=self.trainer.optimizer,
      step=self.trainer.step,
      best=self.best,
      losses=self.losses.state,
      **({'average': self.trainer.average} if self.trainer.average else {}),
      **({'seeds': seeds} if (seeds := self.trainer.seeds) else {}),
      **saved,
    )

  @property
  def clips_chosen(self) -> int:
    """How many clips of the records lists, shares and folds leave to train on."""
    chosen = self._sources[0].chosen()
    return len(self.records.clip_ids if chosen is None else chosen)

  def _build_flags(self) -> ClipFlags | None:
    """Where the run keeps the labels that it flags, if it does."""
    if not self.config.flags_labels:
      return None
    clips = sum(len(source.records.clip_ids) for source in self._sources)
    flagging = self.config.flagging
    flagged_as = flagging.flagged_as if flagging else 'positive'
    return ClipFlags(clips, self.records.num_classes, flagged_as)

  def _open_validator(self) -> Validator:
    config, validation = self.config, self._validation
    records = validation.records
    replicas = self._strategy.num_replicas_in_sync
    clips = validation.while_training(config, self._choices, replicas)
    logs_dir = self.logs_dir if self.chief else None
    worker = distribution.worker_folder(self._strategy)
    copy = self._output_dir / f'.validation_clips{worker}.tfrecord'
    validator = Validator(records, clips, logs_dir, config, copy)
    if lost := validation.lost:
      print(f'{config.validation_list}: {records.path} lacks {lost} of its clips')
    if self.chief and len(clips) < len(validation):
      print(
        f'{records.path}: {len(clips):,} of '
        f'{counted(len(validation), "validation clip")} {agreeing(len(clips), "are")} '
        'evaluated while training, all at the end'
      )
    return validator

  def open_batches(self, steps_done: int = 0) -> tf.data.Dataset:
    """The batches, from the step after these on."""
    job = os.path.abspath(self._output_dir)
    return open_input(self.config, self._sources, self._strategy, job, steps_done)

  def restore(self) -> None:
    """Goes back to the newest checkpoint, or to the model to start from."""
    if self._checkpoints.restore(self._of_all_workers):
      print(f'going on from step {self.trainer.steps_done}')
      if self.chief:
        trim_events(self.logs_dir, self.trainer.steps_done)
      return
    if self.chief and self.logs_dir.exists():  # of a run without any checkpoint
      shutil.rmtree(self.logs_dir)
    if self.config.init_from:
      init_from(self.trainer.model, self.config.init_from, self.records)
      if self.config.init_optimizer:
        init_optimizer_from(self.trainer.optimizer, self.config.init_from)
      if self.trainer.average is not None:
        self.trainer.average.reset()

  def _of_all_workers(self, value: int) -> list[int]:
    return distribution.of_all_workers(self._strategy, value)

  def flagging_is_due(self, step: int) -> bool:
    """Whether labels are to be flagged before the first step that comes."""
    return step == 0 or bool(self._flagging_due.numpy())

  def flag(self, step: int, is_interrupted: Callable[[], bool]) -> bool:
    """Flags labels anew, if it is time and there are steps to come.

    Returns:
      False if it was interrupted. Then it stays due: what is flagged follows from the
      weights, so that the run that goes on from here flags the same.
    """
    flagging = self.config.flagging
    if (
      not flagging
      or not flagging.is_due(step, self.config.steps)
      or self.best.exhausted
    ):
      return True
    self.require_finite_weights(step)
    with self.trainer.averaged():
      renewed = self._flagger.renew(step, is_interrupted)
    self._flagging_due.assign(not renewed)
    return renewed

  def save_checkpoint(self, step: int) -> None:
    """Writes a checkpoint, and deletes best weights that are so no longer."""
    if self.chief:
      self._choices.keep()
    self._checkpoints.save(step)
    if self.chief:
      for old in self._output_dir.glob(f'{BEST_PREFIX}*'):
        if old.name != self.best.file:
          old.unlink()

  def save_model(self) -> int:
    """Writes `model.keras`, the best weights, or the last; returns their step."""
    best = self._output_dir / self.best.file
    if self.config.best_metric and best.exists():
      partial = self._output_dir / f'.partial.{MODEL_FILE}'
      shutil.copyfile(best, partial)
      partial.replace(self._output_dir / MODEL_FILE)
    else:
      with self.trainer.averaged():
        save_model(self.trainer.model, self._output_dir / MODEL_FILE)
      return self.trainer.steps_done
    return self.best.step

  def save_best(self) -> None:
    """Writes the weights as those that validated best."""
    save_model(self.trainer.model, self._output_dir / self.best.file)

  def validate_all(self) -> dict[str, Any]:
    """What `model.keras` gives on all validation clips, for run.json.

    Nothing where all have been evaluated while it was trained.
    """
    validation = self._validation
    part = len(self.validator.clips.clips) if self.validator else 0
    if validation is None or part == len(validation):
      return {}
    model = TrainedModel.open(self._output_dir / MODEL_FILE).model
    values = validate_all(model, validation, self.config)
    print(f'all {counted(len(validation), "validation clip")}: {shown_values(values)}')
    return {
      'validation': values,
      'validation_clips': len(validation),
      'validation_while_training': {'clips': part, **self.best.values},
    }

  def write_label_sets(self) -> int:
    """Writes the labels that the run has flagged; returns how many they are."""
    config = self.config
    value, flagged_as = f'{config.loss.options.get("delta", 0):g}', 'positive'
    step = self.trainer.steps_done
    if config.flagging:
      value, flagged_as = (
        f'{config.flagging.percent.normalize():f}',
        config.flagging.flagged_as,
      )
      step = config.flagging.last_before(step, config.steps)
    about = {'value': value, 'flagged_as': flagged_as, 'step': step}
    if config.smear_ontology:
      about['smear_to'] = config.smear_to
    return write_label_sets(self._flagged_parts, self.flags, self._output_dir, about)

  def require_finite(self, loss: float, step: int, what: str = 'the loss is') -> None:
    """Raises UnfinishedError for what is no finite number."""
    if not math.isfinite(loss):
      raise UnfinishedError(
        f'{what} {loss} at step {step}; try a lower --learning_rate. The last good '
        f'checkpoint is {self._checkpoints.latest}'
      )

  def require_finite_weights(self, step: int) -> None:
    """Raises UnfinishedError where a weight is no finite number."""
    if not self.trainer.weights_are_finite():
      self.require_finite(math.nan, step, 'a weight is')


def save_model(model: keras.Model, path: pathlib.Path) -> None:
  """Writes a `.keras` file and renames it into place.

  In float32, whatever it was trained in, and of Keras's own layers.
  """
  partial = path.with_name(f'.partial.{path.name}')
  with_plain_layers(float32_copy(model)).save(partial)
  os.replace(partial, path)
