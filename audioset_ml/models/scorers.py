"""Scorers: one model or several, from records or from sound files."""

import os
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from audioset_ml.audio import decoding
from audioset_ml.audio.front_end import FrontEnd
from audioset_ml.core.errors import AudioError, ModelError, RecordError, counted
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.labels.class_mapping import ClassMapping
from audioset_ml.models.config import FLOAT32
from audioset_ml.models.exported_file import is_exported_file
from audioset_ml.models.exported_model import ExportedModel
from audioset_ml.models.model_checks import class_mapping, require_fits
from audioset_ml.models.model_files import find_saved_model
from audioset_ml.models.scoring import (
  ExportedScorer,
  PatchScorer,
  PatchScores,
  Scorer,
)
from audioset_ml.models.train_folder import left_out_folds
from audioset_ml.models.trained import TrainedModel
from audioset_ml.models.waveform_loading import OpenedWaveformModel, load_waveform_model
from audioset_ml.records.audio_files import find_audio
from audioset_ml.records.audio_names import AUTO
from audioset_ml.records.folder import RecordsFolder
from audioset_ml.records.folds import Fold


def open_scorer(
  paths: Sequence[str | os.PathLike],
  records: RecordsFolder,
  class_map_path: str | None = None,
  class_mapping_path: str | None = None,
  audio_dir: str | None = None,
  audio_names: str = AUTO,
  precision: str = FLOAT32,
) -> Scorer:
  """Opens models to score the clips of some records with.

  Several models give the mean of their scores; but where each has left a fold of clips
  out of its training, a clip is scored by the one that has not seen it.

  Args:
    paths: train folders, `.keras` files, YAMNet weights (`.h5`), LiteRT or ONNX files,
      or SavedModels that take waveforms.
    records: the clips.
    class_map_path: the models' classes, where none lie beside them.
    class_mapping_path: from their classes to those of the records; None if they have
      the same.
    audio_dir: the clips' sound files, for models that take waveforms.
    audio_names: how they are named.
    precision: of models whose networks are Keras's; see `precision.at_precision`.

  Raises:
    InputError: a model can't be opened, or does not fit the records or the others.
  """
  options = (class_map_path, class_mapping_path, audio_dir, audio_names, precision)
  scorers = [_open_one(path, records, *options) for path in paths]
  if len(scorers) == 1:
    return scorers[0]
  folds = left_out_folds(paths)
  return MeanScorer(scorers) if folds is None else FoldScorer(scorers, folds)


class MeanScorer:
  """The mean of several models' scores."""

  def __init__(self, scorers: Sequence[Scorer]):
    self._scorers = scorers
    self.precisions = _precisions(scorers)

  def score(
    self, records: RecordsFolder, count: Callable[[int], object]
  ) -> PatchScores:
    """See `Scorer.score`."""
    total = self._scorers[0].score(records, count)
    for scorer in self._scorers[1:]:
      one = scorer.score(records, lambda clips: None)
      total.clips[:] += one.clips
      total.patches[:] += one.patches
    number = np.float32(len(self._scorers))
    return PatchScores(total.clips / number, total.patches / number, total.lengths)


class FoldScorer:
  """Each clip's scores by the model that has left its fold out of its training."""

  def __init__(self, scorers: Sequence[PatchScorer], folds: Sequence[Fold]):
    self._scorers, self._folds = scorers, folds
    self.precisions = _precisions(scorers)

  def score(
    self, records: RecordsFolder, count: Callable[[int], object]
  ) -> PatchScores:
    """See `Scorer.score`."""
    parts, places = [], []
    for scorer, fold in zip(self._scorers, self._folds, strict=True):
      chosen = np.array([fold.holds(clip_id) for clip_id in records.clip_ids])
      if chosen.any():
        parts.append(scorer.score(records, count, chosen))
        places.append(np.flatnonzero(chosen))
    joined, order = PatchScores.joined(parts), np.argsort(np.concatenate(places))
    begins = np.concatenate([[0], np.cumsum(joined.lengths)])
    patches = [joined.patches[begins[i] : begins[i + 1]] for i in order]
    return PatchScores(
      joined.clips[order], np.concatenate(patches), joined.lengths[order]
    )


class WaveformScorer:
  """Scores by a model that takes waveforms, from the clips' sound files."""

  def __init__(
    self,
    model: OpenedWaveformModel,
    audio_dir: str,
    records: RecordsFolder,
    mapping: ClassMapping,
    path: str,
    audio_names: str,
  ):
    """Args: the model; the folder of sound files; all clips that may be asked for; from
    the model's classes to those of the records; where the model is, for messages; how
    the sound files are named."""
    self._model, self._audio_dir = model, audio_dir
    self._mapping, self._path = mapping, path
    self.precisions = (None,)
    self._found = find_audio(audio_dir, records.clip_ids, names=audio_names)
    rows = records.read_clips().items()
    frames = records.frames
    self._front_end = frames.require_front_end(
      f'{path} takes waveforms', str(records.path)
    )
    model.require_hop(self._front_end.patch_hop_frames)
    self._patches = {name: frames.num_patches(row.frames) for name, row in rows}

  def score(
    self, records: RecordsFolder, count: Callable[[int], object]
  ) -> PatchScores:
    """See `Scorer.score`."""
    sounds = self._found.sounds
    lacking = next((c for c in records.clip_ids if c not in sounds), None)
    if lacking:
      raise RecordError(
        f'{self._audio_dir}: has no sound of the clip {lacking} of {records.path}.'
        f'{self._found.explanation(lacking)}'
      )
    found = []
    for clip_id in records.clip_ids:
      patches = self._patches[clip_id]
      scores = self._patch_scores(sounds[clip_id], patches, self._front_end)
      mean = scores.mean(axis=0, dtype=np.float32, keepdims=True)
      found.append(PatchScores(mean, scores, np.array([patches])))
      count(1)
    return PatchScores.joined(found)

  def _patch_scores(self, sound: str, patches: int, front_end: FrontEnd) -> np.ndarray:
    """The scores of a sound's first patches: those that its record holds."""
    try:
      waveform = decoding.load_audio(sound, front_end.sample_rate)
    except AudioError as error:
      raise RecordError(str(error)) from error
    # YAMNet pads what is longer to one more patch.
    waveform = waveform[: front_end.num_samples(patches)]
    hop = front_end.patch_hop_frames
    if hop == self._model.front_end.patch_hop_frames:
      scores = np.asarray(self._model(tf.constant(waveform))[0])
    else:
      scores = np.asarray(self._model.at_hop(tf.constant(waveform), hop)[0])
    if len(scores) != patches:
      raise ModelError(
        f'{self._path}: gives scores of {counted(len(scores), "patch")} for {sound}, '
        f'whose record has {patches}: its front end is another'
      )
    return self._mapping.apply(scores)


def _precisions(scorers: Sequence[Scorer]) -> tuple[str | None, ...]:
  return tuple(one for scorer in scorers for one in scorer.precisions)


def _open_one(
  path: str | os.PathLike,
  records: RecordsFolder,
  class_map_path: str | None,
  class_mapping_path: str | None,
  audio_dir: str | None,
  audio_names: str,
  precision: str,
) -> Scorer:
  require_fits(path, records, class_map_path, class_mapping_path, audio_dir)
  if is_exported_file(path):
    exported = ExportedModel.open(path, class_map_path)
    if not exported.description.takes_waveforms:
      classes = exported.description.class_map
      mapping = class_mapping(class_mapping_path, records, classes, str(path))
      return ExportedScorer(exported, mapping)
  if find_saved_model(path) or is_exported_file(path):
    model = load_waveform_model(path, class_map_path)
    classes = ClassMap(model.mids, model.class_names)
    mapping = class_mapping(class_mapping_path, records, classes, str(path))
    return WaveformScorer(model, audio_dir, records, mapping, str(path), audio_names)
  trained = TrainedModel.open(path, class_map_path)
  trained.require_patches(records.frames, str(records.path))
  classes = trained.files.require_class_map()
  mapping = class_mapping(class_mapping_path, records, classes, str(trained.path))
  return PatchScorer(trained.model, mapping, precision)
