"""Writing models that take waveforms, or embeddings, as SavedModels."""

import os
import pathlib
import shutil
import tempfile
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from audioset_ml.audio import features
from audioset_ml.audio.front_end import FrontEnd
from audioset_ml.core.errors import ModelError, counted
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.models import embedding_export
from audioset_ml.models.model_files import is_saved_model
from audioset_ml.models.registry import embedding_model
from audioset_ml.models.trained import open_with_embedder
from audioset_ml.models.waveform_model import OUTPUTS, WaveformModel

_TOLERANCE = 1e-5  # of an exported model against the Keras model


def export_saved_model(
  model: keras.Model,
  front_end: FrontEnd,
  class_map_path: str | os.PathLike,
  output_dir: str | os.PathLike,
) -> None:
  """Writes a SavedModel that takes waveforms, after checking that it gives the same.

  It holds `WaveformModel`'s functions, a `serving_default` signature (waveform to
  scores, embeddings and log_mel), a signature `batch` (waveforms of one length) and the
  class map as an asset.

  Args:
    model: from log-mel patches to logits.
    front_end: what makes its patches.
    class_map_path: the CSV of its classes.
    output_dir: the folder to write. A SavedModel that is there already is replaced.

  Raises:
    ModelError: the class map is not the model's, the folder holds something else, or
      the SavedModel, loaded again, differs from the model by more than 1e-5.
    LabelError: the class map can't be read.
  """
  output_dir = pathlib.Path(output_dir)
  _require_replaceable(output_dir)
  if (rows := len(ClassMap.read(class_map_path))) != model.output_shape[-1]:
    raise ModelError(
      f'{class_map_path}: has {counted(rows, "class")}, but the model '
      f'{counted(model.output_shape[-1], "output")}'
    )
  module = WaveformModel(model, front_end, class_map_path)

  def save(folder: pathlib.Path) -> None:
    signatures = {'serving_default': module.serve, 'batch': module.serve_batch}
    tf.saved_model.save(module, str(folder), signatures=signatures)
    _require_equal(folder, model, front_end)

  _replace(output_dir, save)


def export_embedding_model(
  model: keras.Model, class_map_path: str | os.PathLike, output_dir: pathlib.Path
) -> None:
  """Writes a SavedModel that takes embeddings; see `embedding_export`."""
  _require_replaceable(output_dir)
  module = embedding_export.EmbeddingModel(model, class_map_path)
  _replace(output_dir, lambda folder: embedding_export.save(module, model, folder))


def _replace(output_dir: pathlib.Path, save: Callable[[pathlib.Path], None]) -> None:
  """Writes a SavedModel under another name, and puts it in the place of an old one."""
  output_dir.parent.mkdir(parents=True, exist_ok=True)
  partial = output_dir.with_name(f'.{output_dir.name}.partial')
  shutil.rmtree(partial, ignore_errors=True)  # of an export that was killed
  try:
    save(partial)
    if output_dir.exists():
      shutil.rmtree(output_dir)
    os.replace(partial, output_dir)
  finally:
    shutil.rmtree(partial, ignore_errors=True)


def export_trained_model(
  model_path: str | os.PathLike,
  class_map_path: str | os.PathLike | None,
  output_dir: str | os.PathLike,
  embedder_path: str | os.PathLike | None = None,
) -> dict[str, int]:
  """Exports a model from its file; see `TrainedModel.open` and `export_saved_model`.

  Args:
    model_path: train folder, `.keras` file or YAMNet weights.
    class_map_path: its classes; None takes the class map beside the model.
    output_dir: the folder to write.
    embedder_path: the network whose embeddings it takes, which then runs before it;
      None leaves a model of embeddings one.

  Returns:
    Counts: classes and parameters.

  Raises:
    ModelError, LabelError: the model, its class map or its network can't be used.
  """
  trained = open_with_embedder(model_path, class_map_path, embedder_path)
  class_map = trained.files.require_class_map()
  with tempfile.TemporaryDirectory() as folder:
    copy = pathlib.Path(folder) / 'class_map.csv'
    class_map.write(copy)
    if front_end := trained.frames.front_end:
      export_saved_model(trained.model, front_end, copy, output_dir)
    else:
      export_embedding_model(trained.model, copy, pathlib.Path(output_dir))
  return {'classes': len(class_map), 'parameters': trained.model.count_params()}


def _require_replaceable(output_dir: pathlib.Path) -> None:
  """Lets only a SavedModel or an empty folder be replaced."""
  if output_dir.is_dir() and (
    is_saved_model(output_dir) or not any(output_dir.iterdir())
  ):
    return
  if output_dir.exists():
    raise ModelError(
      f'{output_dir}: exists and is no SavedModel, so it is not replaced; choose '
      'another folder'
    )


def _require_equal(
  folder: pathlib.Path, model: keras.Model, front_end: FrontEnd
) -> None:
  """Compares the SavedModel with the Keras model on noise of several lengths."""
  loaded = tf.saved_model.load(str(folder))
  keras_model = embedding_model(model)
  random = np.random.default_rng(0)
  for samples in (1, front_end.min_samples, 3 * front_end.min_samples + 1):
    waveform = random.uniform(-0.5, 0.5, samples).astype(np.float32)
    log_mel = features.log_mel_spectrogram(
      features.pad_waveform(tf.constant(waveform), front_end), front_end
    )
    logits, embeddings = keras_model(
      features.frame_patches(log_mel, front_end), training=False
    )
    expected = (tf.sigmoid(logits), embeddings, log_mel)
    for name, want, got in zip(OUTPUTS, expected, loaded(waveform), strict=True):
      want, got = np.asarray(want), np.asarray(got)
      difference = np.abs(want - got).max() / max(1.0, np.abs(want).max())
      if not difference <= _TOLERANCE:  # NaN, too, is a difference
        raise ModelError(
          f'the SavedModel does not give what the Keras model gives: on {samples} '
          f'samples of noise, {name} differ by {difference:.2g}, but {_TOLERANCE:g} is '
          'allowed'
        )
