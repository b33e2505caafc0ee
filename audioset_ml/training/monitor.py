"""What a person watches while a model trains: progress bar, TensorBoard, validation."""

import contextlib
import os
import time
from collections.abc import Iterator

import keras
import tensorflow as tf
import tqdm

from audioset_ml.evaluation.weak import evaluate_weak
from audioset_ml.labels.states import LabelTable
from audioset_ml.models.scoring import score_clips
from audioset_ml.progress import progress_bar
from audioset_ml.records.dataset import read_label_table
from audioset_ml.records.folder import RecordsFolder

_SECONDS_SHOWN = 2.0  # between two values beside the progress bar
_VALIDATION_SCALARS = ('d_prime', 'lwlrap', 'map')


class Monitor:
  """Shows and logs a run."""

  def __init__(self, logs_dir: str, total_steps: int, first_step: int, batch_size: int):
    """Args: TensorBoard's folder; steps in all and done before; patches a batch."""
    self._writer = tf.summary.create_file_writer(os.path.join(logs_dir, 'train'))
    self._bar = progress_bar(
      total=total_steps, initial=first_step, desc='train', unit='step', smoothing=0.1
    )
    self._batch_size = batch_size
    self._losses: list[float] = []
    self._since = self._shown = time.perf_counter()

  def step(self, loss: float) -> None:
    """Counts a step."""
    self._losses.append(loss)
    self._bar.update()
    if time.perf_counter() - self._shown > _SECONDS_SHOWN:
      self._shown = time.perf_counter()
      speed = len(self._losses) * self._batch_size / (self._shown - self._since)
      self._bar.set_postfix_str(f'loss {loss:.4f}, {speed:.0f} patches/s')

  def log(self, step: int, learning_rate: float) -> None:
    """Logs the mean loss and the speed since the last call."""
    if not self._losses:
      return
    seconds = time.perf_counter() - self._since
    speed = len(self._losses) * self._batch_size / seconds
    loss = sum(self._losses) / len(self._losses)
    with self._writer.as_default(step=step):
      tf.summary.scalar('loss', loss)
      tf.summary.scalar('learning_rate', learning_rate)
      tf.summary.scalar('patches_per_second', speed)
    self._losses.clear()
    self._since = time.perf_counter()

  @contextlib.contextmanager
  def paused(self) -> Iterator[None]:
    """Stops the clock, so that evaluating doesn't count as slow training."""
    start = time.perf_counter()
    yield
    self._since += time.perf_counter() - start

  def close(self) -> None:
    self._bar.refresh()
    self._bar.close()
    self._writer.close()


class Validator:
  """Evaluates a model on validation records and logs the result."""

  def __init__(self, records: RecordsFolder, logs_dir: str):
    """Args: the validation records; TensorBoard's folder."""
    self._records = records
    self._labels: LabelTable = read_label_table(records)
    self._writer = tf.summary.create_file_writer(os.path.join(logs_dir, 'validation'))
    self.last: dict[str, float] = {}

  def validate(self, model: keras.Model, step: int) -> dict[str, float]:
    """Returns and logs d′ (explicit), lωlrap and mAP."""
    scores = score_clips(model, self._records, 'validate')
    summary = evaluate_weak(scores, self._labels, self._records.class_map).summary
    self.last = {
      name: summary[name] for name in _VALIDATION_SCALARS if summary[name] is not None
    }
    with self._writer.as_default(step=step):
      for name, value in self.last.items():
        tf.summary.scalar(name, value)
    self._writer.flush()
    shown = ', '.join(f'{name} {value:.4f}' for name, value in self.last.items())
    tqdm.tqdm.write(f'step {step}: validation {shown}')
    return self.last
