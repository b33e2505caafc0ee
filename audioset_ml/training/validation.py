"""Validation while a model trains, and the best model so far."""

import functools
import pathlib
from collections.abc import Callable, Sequence

import keras
import numpy as np
import tensorflow as tf
import tqdm

from audioset_ml.core.errors import InputError, counted
from audioset_ml.evaluation.files import STRONG_PREFIX
from audioset_ml.evaluation.labelled_clips import LabelledClips
from audioset_ml.evaluation.truth import Truth
from audioset_ml.labels.states import LabelState
from audioset_ml.models.scoring import PatchScorer, score_clips
from audioset_ml.records.dataset import copy_clips, read_label_table
from audioset_ml.records.folder import RecordsFolder
from audioset_ml.records.scores import ClipPatchScores
from audioset_ml.training.config import STRONG_METRICS, WEAK_METRICS, TrainConfig
from audioset_ml.training.pictures import ClipPictures, write_curves
from audioset_ml.training.validation_share import ValidationClips

BEST_PREFIX = '.best-'


class Validator:
  """Evaluates a model on validation records and logs the result.

  Attributes:
    clips: the validation clips with their labels.
  """

  def __init__(
    self,
    records: RecordsFolder,
    clips: np.ndarray,
    logs_dir: pathlib.Path | None,
    config: TrainConfig,
    copy: pathlib.Path | None = None,
  ):
    """Args: the validation records; which of their clips, as indices; TensorBoard's
    folder, None to log nothing; the run; where the clips are copied to, if they aren't
    all, so that validations needn't pass over the others; None for nowhere.

    Raises:
      InputError: the clips' labels don't allow the metric by which the best model is to
        be kept, or nothing to evaluate.
    """
    self._records, self._copy = records, copy
    self._metrics = config.metrics
    self.clips = _labelled_clips(records, clips, config)
    self._states = self.clips.labels.dense()
    self._require_defined(config.best_metric)
    self._logs_dir = logs_dir
    self._pictures = ClipPictures(records, self.clips.clip_ids, config.show_clips)
    # So that unknown ones are told of before training.
    self._curves = tuple(map(records.class_map.find, config.curve_classes))
    self._scorer: PatchScorer | None = None

  def validate(self, model: keras.Model, step: int) -> dict[str, float]:
    """Returns and logs the metrics of `TrainConfig.metrics` that the labels allow."""
    if self._scorer is None or self._scorer.model is not model:
      self._scorer = PatchScorer(model)  # which is traced once
    records, chosen = self._scored
    scores = score_clips(self._scorer, records, 'validate', chosen)
    frame_scores = None
    if self.clips.has_frames:
      offsets = np.concatenate([[0], np.cumsum(scores.lengths)])
      rows = np.arange(len(self.clips.clips))
      patches = ClipPatchScores(scores.patches, offsets)
      frame_scores = self.clips.frame_scores(patches, rows)
    values = self._values(scores.clips, frame_scores)
    if self._logs_dir is not None:
      with self._writer.as_default(step=step):
        self._write(values, scores.clips)
      tqdm.tqdm.write(f'step {step}: validation {shown_values(values)}')
    return values

  @functools.cached_property
  def _scored(self) -> tuple[RecordsFolder, np.ndarray | None]:
    """The records that are scored, and which of their clips; None for all."""
    records = self._records
    chosen = np.zeros(len(records.clip_ids), bool)
    chosen[self.clips.clips] = True
    if chosen.all():
      return records, None
    if self._copy is None:
      return records, chosen
    return copy_clips(records, chosen, self._copy), None

  def close(self) -> None:
    """Deletes the copy of the clips."""
    if self._copy is not None:
      self._copy.unlink(missing_ok=True)

  def _values(
    self, clip_scores: np.ndarray, frame_scores: np.ndarray | None
  ) -> dict[str, float]:
    sections = self.clips.evaluate_arrays(clip_scores, frame_scores)
    found = {}
    for section, evaluation in sections.items():
      prefix = STRONG_PREFIX if section == 'strong' else ''
      summary = evaluation.summary.items()
      found |= {prefix + name: value for name, value in summary}
    return {name: found[name] for name in self._metrics if found.get(name) is not None}

  def _require_defined(self, metric: str) -> None:
    """Raises InputError if the labels don't allow a metric, whatever the scores."""
    shape = self._states.shape
    frames = None
    if self.clips.has_frames:
      frames = np.zeros((len(self.clips.frames.clips), shape[1]), np.float32)
    defined = self._values(np.zeros(shape, np.float32), frames)
    if metric and metric not in defined:
      raise InputError(
        f'{self._records.path}: {metric} is not defined on the {shape[0]} validation '
        'clips: no class has what it needs (d_prime: explicit positives and negatives; '
        'strong_…: events, and for d_prime explicit negatives besides); '
        f'{", ".join(defined)} are'
      )

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


def shown_values(values: dict[str, float]) -> str:
  """The values of a validation that are printed."""
  names = [*list(values)[:3], *(name for name in STRONG_METRICS if name in values)]
  return ', '.join(f'{name} {values[name]:.4f}' for name in names)


def validate_all(
  model: keras.Model, validation: ValidationClips, config: TrainConfig
) -> dict[str, float]:
  """What a validation on all clips gives."""
  clips = validation.everything
  return Validator(validation.records, clips, None, config).validate(model, step=0)


def _labelled_clips(
  records: RecordsFolder, clips: np.ndarray, config: TrainConfig
) -> LabelledClips:
  """The clips to evaluate with their labels; those of frames where they are used."""
  if config.metrics == WEAK_METRICS:
    return Truth(records, read_label_table(records)).of(clips)
  found = Truth.read(records).of(clips)
  if not found.has_frames:
    raise InputError(
      f'{records.path}: none of {counted(len(clips), "validation clip")} has a frame '
      'with an event (prepare --strong_tsv), which validation on strong labels needs'
    )
  return found


class BestModel(tf.Module):
  """The last validation, the best so far, and how many came after that in vain.

  Part of a run's checkpoints.
  """

  def __init__(self, metrics: Sequence[str], metric: str, patience: int):
    """Args: what a validation gives; the metric of these, '' for none; validations in
    vain that end the run, 0 for any number."""
    super().__init__()
    self._metrics = tuple(metrics)
    self._metric = metric
    self._patience = patience
    unknown = np.full(len(self._metrics), np.nan)
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
  def step(self) -> int:
    """When the kept model's validation was; 0 before the first."""
    return int(self._step)

  @property
  def values(self) -> dict[str, float]:
    """What the kept model's validation gave, by metric: the best, or the last."""
    values = self._values if self._metric else self._last
    named = zip(self._metrics, values.numpy().tolist(), strict=True)
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
    row = [values.get(name, np.nan) for name in self._metrics]
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
