"""The training loop: steps, checkpoints, validations, and a model at the end.

A loop of our own instead of `fit`, so that a checkpoint holds the data position too and
a killed run goes on where it was.
"""

import dataclasses
import os
import pathlib
import signal
import time
from typing import Any

import tqdm

from audioset_ml.core import folders
from audioset_ml.evaluation.chosen_clips import LOST_FILE
from audioset_ml.models.train_folder import MODEL_STEP
from audioset_ml.records.dataset import damage_named
from audioset_ml.records.folder_files import CLASS_MAP_FILE
from audioset_ml.records.training_source import Source
from audioset_ml.training import distribution
from audioset_ml.training.config import TrainConfig
from audioset_ml.training.data_service import ServedBatches
from audioset_ml.training.monitor import Monitor
from audioset_ml.training.run import Run
from audioset_ml.training.sources import lost_of_lists, open_sources
from audioset_ml.training.validation_share import cost_remark


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
  run = Run(config, output_dir, sources or open_sources(config))
  with distribution.lost_peers_named():
    run.restore()
    _Loop(run, flag_text).train()
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
    model_step = run.save_model()
    counts |= run.validate_all()
    if run.flags is not None:
      counts['flagged_labels'] = run.write_label_sets()
    if (lost := lost_of_lists(config)) is not None:
      text = lost.to_csv(index=False, lineterminator='\n')
      folders.write_atomically(output_dir / LOST_FILE, text)
      counts['clips_lost_of_lists'] = len(lost)
  details = records.frames.to_run()
  if run.chief:
    details[MODEL_STEP] = model_step
  details['precision'] = run.config.optimizer.precision
  if config.left_out:
    details['left_out'] = dataclasses.asdict(config.left_out)
  if config.data_service:
    details['data_service'] = config.data_service
  return counts, details


class _Loop:
  """A run's steps, one after the other."""

  def __init__(self, run: Run, flag_text: str):
    self._run, self._flag_text = run, flag_text
    self._interrupted = False
    self._since, self._told = time.perf_counter(), False

  def train(self) -> None:
    """Trains from the current step to the last one."""
    run, config, trainer = self._run, self._run.config, self._run.trainer
    handlers = {
      number: signal.signal(number, self._interrupt)
      for number in (signal.SIGTERM, signal.SIGINT)
    }
    logs_dir = run.logs_dir if run.chief else None
    monitor = Monitor(logs_dir, config, trainer.steps_done, self._flag_text)
    served = None
    if config.data_service:
      served = ServedBatches(
        iter(run.open_batches(trainer.steps_done)),
        config.data_service,
        self._is_interrupted,
      )
    try:
      if trainer.steps_done == 0 or run.flagging_due.numpy():
        run.flag(trainer.steps_done, self._is_interrupted)
        if run.flagging_due.numpy():  # interrupted: the same again next time
          raise KeyboardInterrupt
      while trainer.steps_done < config.steps and not run.best.exhausted:
        done = trainer.steps_done
        losses, leaving = self._next_steps(served)
        if not losses:  # interrupted while waiting for a batch
          self._save(done, monitor)
          raise KeyboardInterrupt
        for step, loss in enumerate(losses, done + 1):
          run.require_finite(loss, step)
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
    config, trainer = self._run.config, self._run.trainer
    iterator = self._run.iterator
    if config.steps_per_call > 1:
      due = config.steps_until_due(trainer.steps_done)
      with damage_named(self._run.records_paths):
        losses = trainer.train_steps(iterator, min(config.steps_per_call, due))
      return losses, self._interrupted
    with damage_named(self._run.records_paths):
      batch = served.next() if served else next(iterator)
    if batch is None:
      return [], True
    patches, target, *clips = batch
    loss, leaving = trainer.train_step(patches, target, self._interrupted, *clips)
    return [loss], leaving

  def _note(self, losses: list[float]) -> None:
    """Adds losses, one by one, to those since the last point."""
    total, number = self._run.losses.numpy().tolist()
    for loss in losses:
      total += loss
    self._run.losses.assign([total, number + len(losses)])

  def _after_step(self, step: int, monitor: Monitor, leaving: bool) -> None:
    """Logs, validates and saves where it is time, in an order that a kill can't break.

    The checkpoint comes last: what was logged before it, stays; what was logged after
    it is cut off when the run goes on from it, and logged again.
    """
    run, config = self._run, self._run.config
    last = step == config.steps
    if step % config.log_every == 0 or last:
      total, number = run.losses.numpy()
      monitor.log(step, total / number, run.trainer.learning_rate)
      run.losses.assign([0.0, 0.0])
    with monitor.paused():
      if run.validator and (step % config.validate_every == 0 or last):
        run.require_finite_weights(step)
        start = time.perf_counter()
        with run.trainer.averaged():
          values = run.validator.validate(run.trainer.model, step)
          run.best.update(values, step, run.save_best if run.chief else None)
        self._tell_cost(start)
      run.flag(step, self._is_interrupted)
      leaving |= bool(run.flagging_due.numpy())
      if step % config.checkpoint_every == 0 or last or leaving or run.best.exhausted:
        self._save(step, monitor)
      if leaving:
        raise KeyboardInterrupt

  def _tell_cost(self, start: float) -> None:
    """Says once what the validation that began then cost, where it is much."""
    now = time.perf_counter()
    trained, validated = start - self._since, now - start
    self._since = now
    if self._told or not (self._run.chief and self._run.validates_all):
      return
    if remark := cost_remark(trained, validated):
      self._told = True
      tqdm.tqdm.write(remark)

  def _save(self, step: int, monitor: Monitor) -> None:
    """Writes a checkpoint, but none of weights that are lost already."""
    self._run.require_finite_weights(step)
    monitor.flush()
    if self._run.validator:
      self._run.validator.flush()
    self._run.save_checkpoint(step)

  def _interrupt(self, *unused) -> None:
    self._interrupted = True

  def _is_interrupted(self) -> bool:
    return self._interrupted
