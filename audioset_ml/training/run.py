"""A run in progress: what it is made of, what of it is kept, and how it is restored."""

import math
import os
import pathlib
import shutil
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from audioset_ml.core.errors import UnfinishedError, agreeing, counted
from audioset_ml.core.model_digests import MODEL_FILE
from audioset_ml.evaluation.chosen_clips import choose_clips
from audioset_ml.models.layers import with_plain_layers
from audioset_ml.models.trained import TrainedModel
from audioset_ml.records.folder import RecordsFolder
from audioset_ml.records.training_source import Source
from audioset_ml.training import distribution, precision
from audioset_ml.training.checkpoints import Checkpoints
from audioset_ml.training.clip_flags import ClipFlags
from audioset_ml.training.config import TrainConfig
from audioset_ml.training.event_logs import trim_events
from audioset_ml.training.flagging import Flagger, flagged_parts, write_label_sets
from audioset_ml.training.inputs import open_input
from audioset_ml.training.loss_table import build_loss
from audioset_ml.training.optimizer_config import AUTO
from audioset_ml.training.sources import class_priors, epoch_steps
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
    flagging_due: whether labels are still to be flagged after the step of the
      checkpoint.
    best: the best validation so far.
    losses: their sum and number since a point was logged.
    iterator: the input; None where a tf.data service sends the batches.
    validator: what validates, or None.
    validates_all: whether that is on all validation clips.
    chief: whether this process writes what workers have in common.
    logs_dir: TensorBoard's folder.
  """

  def __init__(
    self, config: TrainConfig, output_dir: pathlib.Path, sources: list[Source]
  ):
    """Args: the run; its folder; what it trains on, of `open_sources`."""
    self._chooses_precision = config.optimizer.precision == AUTO
    self.config = config = precision.settled(config, output_dir / 'checkpoints')
    self._output_dir = output_dir
    strategy = distribution.build_strategy(config.strategy)
    self.chief = distribution.is_chief(strategy)
    self._sources, self._strategy = sources, strategy
    self.records: RecordsFolder = self._sources[0].records
    self.records_paths = ' or '.join(
      sorted({str(source.records.path) for source in self._sources})
    )
    self.logs_dir = output_dir / 'logs'
    self.validates_all = True
    self.validator = self._open_validator()
    # What a tf.data service sends has no position to save: it begins after `restore`.
    saved, self.iterator = {}, None
    if not config.data_service:
      saved['iterator'] = self.iterator = iter(self.open_batches())
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
    weights = None
    if config.balance_loss:
      weights = sources[0].repeats(config.balance_loss)
    self.trainer = Trainer(config, shape, strategy, done, loss, flags, weights)
    self._flagger = None
    self.flagging_due = tf.Variable(False, trainable=False)
    if flags is not None:
      self._flagged_parts = flagged_parts(sources, config.used)
      saved |= {'flags': flags, 'flagging_due': self.flagging_due}
    if config.flagging:
      self._flagger = Flagger(
        config.flagging, self._flagged_parts, self.trainer.model, flags, output_dir
      )
    self.best = BestModel(config.metrics, config.best_metric, config.patience)
    self.losses = tf.Variable(tf.zeros(2, tf.float64))
    self._checkpoints = Checkpoints(
      output_dir / 'checkpoints' / distribution.worker_folder(strategy),
      config.checkpoints_kept,
      model=self.trainer.model,
      optimizer=self.trainer.optimizer,
      step=self.trainer.step,
      best=self.best,
      losses=self.losses,
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

  def _open_validator(self) -> Validator | None:
    if not self.config.validation_records:
      return None
    config, replicas = self.config, self._strategy.num_replicas_in_sync
    records = RecordsFolder.open(config.validation_records)
    self.records.require_like(records)
    logs_dir = self.logs_dir if self.chief else None
    validator = Validator(records, logs_dir, config, replicas)
    clips, lost = choose_clips(records, config.validation_list)
    if config.validation_list and len(lost):
      print(f'{config.validation_list}: {records.path} lacks {len(lost)} of its clips')
    part = len(validator.clips.clips)
    if self.chief and part < len(clips):
      print(
        f'{records.path}: {part:,} of {counted(len(clips), "validation clip")} '
        f'{agreeing(part, "are")} evaluated while training, all at the end'
      )
      self.validates_all = False
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

  def flag(self, step: int, is_interrupted: Callable[[], bool]) -> None:
    """Flags labels anew, if it is time and there are steps to come.

    When it is interrupted, it stays due: what is flagged follows from the weights, so
    that the run that goes on from here flags the same.
    """
    flagging = self.config.flagging
    if (
      flagging and flagging.is_due(step, self.config.steps) and not self.best.exhausted
    ):
      self.require_finite_weights(step)
      with self.trainer.averaged():
        renewed = self._flagger.renew(step, is_interrupted)
      self.flagging_due.assign(not renewed)

  def save_checkpoint(self, step: int) -> None:
    """Writes a checkpoint, and deletes best weights that are so no longer."""
    if self._chooses_precision:
      precision.write_down(self.config, self._output_dir / 'checkpoints')
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
    if self.validates_all:
      return {}
    model = TrainedModel.open(self._output_dir / MODEL_FILE).model
    values, clips = validate_all(model, self.config)
    print(f'all {counted(clips, "validation clip")}: {shown_values(values)}')
    part = {'clips': len(self.validator.clips.clips), **self.best.values}
    return {
      'validation': values,
      'validation_clips': clips,
      'validation_while_training': part,
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
