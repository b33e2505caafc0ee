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

import tensorflow as tf
import tqdm

from audioset_ml.core import folders
from audioset_ml.evaluation.chosen_clips import LOST_FILE
from audioset_ml.models.train_folder import MODEL_STEP
from audioset_ml.records.dataset import damage_named
from audioset_ml.records.folder_files import CLASS_MAP_FILE
from audioset_ml.training import distribution
from audioset_ml.training.config import TrainConfig
from audioset_ml.training.data_service import ServedBatches
from audioset_ml.training.monitor import Monitor
from audioset_ml.training.run import Run
from audioset_ml.training.sources import RunInputs, lost_of_lists, open_inputs
from audioset_ml.training.validation_share import cost_remark

# Steps between two at which several workers look at what the others want: to look is
# to wait for the device.
AGREE_EVERY = 8


def train(
  config: TrainConfig,
  output_dir: str | os.PathLike,
  flag_text: str = '',
  inputs: RunInputs | None = None,
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
    inputs: of `open_inputs`, where they are open already.

  Returns:
    Counts for run.json, and the details that `TrainedModel.open` reads from it.

  Raises:
    InputError: records, label set or starting model don't fit.
    UnfinishedError: the loss is NaN, or another worker or the tf.data service was lost;
      the checkpoints stay.
    KeyboardInterrupt: interrupted (Ctrl-C, SIGTERM), after writing a checkpoint.
  """
  output_dir = pathlib.Path(output_dir)
  run = Run(config, output_dir, inputs or open_inputs(config))
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
  """A run's steps, one after the other.

  Between two steps after which there is something to do, nothing waits for what the
  device computes, but where a loss is shown: batches and steps are handed to it.
  """

  def __init__(self, run: Run, flag_text: str):
    self._run, self._flag_text = run, flag_text
    self._done = run.trainer.steps_done  # counted here: the variable is the device's
    self._interrupted = False
    self._since, self._told = time.perf_counter(), False
    self._served: ServedBatches | None = None

  def train(self) -> None:
    """Trains from the current step to the last one."""
    run, config = self._run, self._run.config
    handlers = {
      number: signal.signal(number, self._interrupt)
      for number in (signal.SIGTERM, signal.SIGINT)
    }
    logs_dir = run.logs_dir if run.chief else None
    self._monitor = Monitor(logs_dir, config, self._done, self._flag_text)
    if config.data_service:
      batches = iter(run.open_batches(self._done))
      self._served = ServedBatches(batches, config.data_service, self._is_interrupted)
    try:
      # Interrupted, it would be the same again next time.
      if run.flagging_is_due(self._done) and not self._flag():
        raise KeyboardInterrupt
      while self._done < config.steps and not run.best.exhausted:
        before = self._done
        leaving = self._train_until(before + config.steps_until_due(before))
        self._look()
        if self._done == before:  # interrupted while waiting for a batch
          self._save()
          raise KeyboardInterrupt
        self._after_steps(leaving)
    finally:
      self._monitor.close()
      if run.validator:
        run.validator.close()
      for number, handler in handlers.items():
        signal.signal(number, handler)

  def _train_until(self, step: int) -> bool:
    """Trains up to a step, or until one is to leave; whether one is."""
    run = self._run
    while self._done < step:
      found = self._next_steps(step - self._done)
      if found is None:
        return True
      number, losses, wishes = found
      run.losses.add(losses)
      self._done += number
      self._monitor.steps(number)
      if run.has_peers:
        # All look at the same steps: a worker that left by itself would be lost.
        if self._done % AGREE_EVERY == 0 or self._done == step:
          self._look()
          if float(wishes) > 0:
            return True
      elif self._interrupted:
        return True
      elif self._monitor.is_due:
        self._look()
    return False

  def _next_steps(self, most: int) -> tuple[int, tf.Tensor, tf.Tensor | float] | None:
    """Hands the device a call's steps, at most so many.

    Returns:
      How many steps they are; their losses, and the share of the processes that want to
      stop, neither of them fetched. None if one is to leave and no batch has come.
    """
    config, trainer = self._run.config, self._run.trainer
    with damage_named(self._run.records_paths):
      if config.steps_per_call > 1:
        number = min(config.steps_per_call, most)
        return number, trainer.train_steps(self._run.iterator, number), 0.0
      batch = self._served.next() if self._served else next(self._run.iterator)
    if batch is None:
      return None
    patches, target, *more = batch
    told = dict(zip(trainer.told, more, strict=True))
    return 1, *trainer.train_step(patches, target, self._interrupted, **told)

  def _look(self) -> None:
    """Fetches the losses of the steps since it was done last, and shows the newest.

    Raises:
      UnfinishedError: one is no finite number; the first step with such a one is named.
    """
    losses = self._run.losses.read()
    for step, loss in enumerate(losses, self._done - len(losses) + 1):
      self._run.require_finite(loss, step)
    if losses:
      self._monitor.show(losses[-1])

  def _after_steps(self, leaving: bool) -> None:
    """Logs, validates and saves where it is time, in an order that a kill can't break.

    The checkpoint comes last: what was logged before it, stays; what was logged after
    it is cut off when the run goes on from it, and logged again.
    """
    run, config, step = self._run, self._run.config, self._done
    last = step == config.steps
    if step % config.log_every == 0 or last:
      self._monitor.log(step, run.losses.take_mean(), run.trainer.learning_rate)
    with self._monitor.paused():
      if run.validator and (step % config.validate_every == 0 or last):
        run.require_finite_weights(step)
        start = time.perf_counter()
        with run.trainer.averaged():
          values = run.validator.validate(run.trainer.model, step)
          run.best.update(values, step, run.save_best if run.chief else None)
        self._tell_cost(start)
      leaving |= not self._flag()
      if step % config.checkpoint_every == 0 or last or leaving or run.best.exhausted:
        self._save()
      if leaving:
        raise KeyboardInterrupt

  def _flag(self) -> bool:
    """Flags labels anew, if it is time; False if it was interrupted."""
    return self._run.flag(self._done, self._is_interrupted)

  def _tell_cost(self, start: float) -> None:
    """Says once what the validation that began then cost, where it is much."""
    now = time.perf_counter()
    trained, validated = start - self._since, now - start
    self._since = now
    if self._told or not self._run.chief:
      return
    if remark := cost_remark(trained, validated, self._run.config.validation_share):
      self._told = True
      tqdm.tqdm.write(remark)

  def _save(self) -> None:
    """Writes a checkpoint, but none of weights that are lost already."""
    self._run.require_finite_weights(self._done)
    self._monitor.flush()
    if self._run.validator:
      self._run.validator.flush()
    self._run.save_checkpoint(self._done)

  def _interrupt(self, *unused) -> None:
    self._interrupted = True

  def _is_interrupted(self) -> bool:
    return self._interrupted
