"""Validation while a model trains, and the best model so far."""

import functools
import pathlib
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf
import tqdm

from audioset_ml.evaluation.weak import evaluate_weak
from audioset_ml.labels.states import LabelState
from audioset_ml.models.scoring import PatchScorer, score_clips
from audioset_ml.records.dataset import read_label_table
from audioset_ml.records.folder import RecordsFolder
from audioset_ml.training.config import BEST_METRICS, TrainConfig
from audioset_ml.training.pictures import ClipPictures, write_curves

BEST_PREFIX = '.best-'


class Validator:
  """Evaluates a model on validation records and logs the result."""

  def __init__(
    self, records: RecordsFolder, logs_dir: pathlib.Path | None, config: TrainConfig
  ):
    """Args: the validation records; TensorBoard's folder, None to log nothing."""
    self._records = records
    self._labels = read_label_table(records)
    self._states = self._labels.dense()
    self._logs_dir = logs_dir
    self._pictures = ClipPictures(records, config.show_clips)
    # So that unknown ones are told of before training.
    self._curves = tuple(map(records.class_map.find, config.curve_classes))
    self._scorer: PatchScorer | None = None

  def validate(self, model: keras.Model, step: int) -> dict[str, float]:
    """Returns and logs the metrics of `BEST_METRICS` that the records allow."""
    if self._scorer is None or self._scorer.model is not model:
      self._scorer = PatchScorer(model)  # which is traced once
    scores = score_clips(self._scorer, self._records, 'validate')
    summary = evaluate_weak(scores, self._labels, self._records.class_map).summary
    values = {name: summary[name] for name in BEST_METRICS if summary[name] is not None}
    if self._logs_dir is not None:
      with self._writer.as_default(step=step):
        self._write(values, scores)
      shown = [f'{name} {value:.4f}' for name, value in values.items()][:3]
      tqdm.tqdm.write(f'step {step}: validation {", ".join(shown)}')
    return values

  def flush(self) -> None:
    """Writes what was logged to the disk."""
    if self._logs_dir is not None:
      self._writer.flush()

  @functools.cached_property
  def _writer(self) -> tf.summary.SummaryWriter:
    # Opened when it is needed: before, the logs may be cut back.
    return tf.summary.create_file_writer(str(self._logs_dir / 'validation'))

  def _write(self, values: dict[str, float], scores: np.ndarray) -> None:
    for name, value in values.items():
      tf.summary.scalar(name, value)
    for state in (LabelState.EXPLICIT_POSITIVE, LabelState.EXPLICIT_NEGATIVE):
      chosen = scores[self._states == state]
      if len(chosen):
        tf.summary.histogram(f'scores/{state.name.lower()}s', chosen)
    write_curves(self._curves, scores, self._states, self._records.class_map)
    self._pictures.write(scores, self._states)


class BestModel(tf.Module):
  """The last validation, the best so far, and how many came after that in vain.

  Part of a run's checkpoints.
  """

  def __init__(self, metric: str, patience: int):
    """Args: the metric, '' for none; validations in vain that end the run, 0 for any
    number."""
    super().__init__()
    self._metric = metric
    self._patience = patience
    unknown = np.full(len(BEST_METRICS), np.nan)
    self._values = tf.Variable(unknown, trainable=False)
    self._last = tf.Variable(unknown, trainable=False)
    self._step = tf.Variable(0, dtype=tf.int64, trainable=False)
    self._in_vain = tf.Variable(0, dtype=tf.int64, trainable=False)

  @property
  def file(self) -> str:
    """The name of the kept model's file. It is told by its step, for a run that goes on
    from a checkpoint needs that which was the best then."""
    return f'{BEST_PREFIX}{int(self._step)}.keras'

  @property
  def values(self) -> dict[str, float]:
    """What the kept model's validation gave, by metric: the best, or the last."""
    values = self._values if self._metric else self._last
    named = zip(BEST_METRICS, values.numpy().tolist(), strict=True)
    return {name: value for name, value in named if np.isfinite(value)}

  @property
  def exhausted(self) -> bool:
    """Whether training should stop."""
    return bool(self._patience) and int(self._in_vain) >= self._patience

  def update(
    self, values: dict[str, float], step: int, save: Callable[[], None] | None
  ) -> None:
    """Notes a validation, and saves the model if none was better.

    Args:
      values: the validation's values, by metric.
      step: when it was.
      save: saves the model; None where another process does.
    """
    row = [values.get(name, np.nan) for name in BEST_METRICS]
    self._last.assign(row)
    if not self._metric:
      return
    value, best = values.get(self._metric, np.nan), self.values.get(self._metric)
    if np.isfinite(value) and (best is None or value > best):
      self._values.assign(row)
      self._step.assign(step)
      if save is not None:
        save()
      self._in_vain.assign(0)
    else:
      self._in_vain.assign_add(1)
      if self.exhausted:
        best_step = int(self._step)
        tqdm.tqdm.write(
          f'step {step}: no better {self._metric} since step {best_step}; stopping'
        )
