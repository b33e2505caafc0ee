"""A model of embeddings as a SavedModel: embeddings in, scores out."""

import os
import pathlib

import keras
import numpy as np
import tensorflow as tf

from audioset_ml.core.errors import ModelError
from audioset_ml.models.registry import embedding_model

OUTPUTS = ('scores', 'embeddings')
_TOLERANCE = 1e-5


class EmbeddingModel(tf.Module):
  """A network for embeddings, one a patch; what `export` writes of it."""

  def __init__(
    self, model: keras.Model, class_map_path: str | os.PathLike | None = None
  ):
    """Args: a model of `build_model` with patches of one frame; its class map, to be
    stored with it."""
    super().__init__(name='embedding_model')
    self._model = embedding_model(model)
    values = model.input_shape[-1]
    if class_map_path is not None:
      self._class_map = tf.saved_model.Asset(os.fspath(class_map_path))
    spec = tf.TensorSpec([None, values], tf.float32, 'frames')

    @tf.function(input_signature=[spec])
    def scores(frames: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
      logits, embeddings = self._model(frames[:, tf.newaxis], training=False)
      return tf.sigmoid(logits), embeddings

    @tf.function(input_signature=[spec])
    def serve(frames: tf.Tensor) -> dict[str, tf.Tensor]:
      return dict(zip(OUTPUTS, scores(frames), strict=True))

    self._scores, self.serve = scores, serve
    self.frame_values = tf.Variable(values, trainable=False, name='frame_values')

  @tf.function
  def __call__(self, frames: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Scores embeddings.

    Args:
      frames: as the records' `FrameFormat.decoded` gives them (of AudioSet's published
        bytes, x · 4/255 − 2). Shape [frames, values], float32.

    Returns:
      Sigmoid scores [frames, classes], and what the classifier sees [frames, D].
    """
    return self._scores(frames)

  @tf.function(input_signature=[])
  def class_map_path(self) -> tf.Tensor:
    """Where the class map is, wherever the SavedModel was moved to."""
    return self._class_map.asset_path


def save(module: EmbeddingModel, model: keras.Model, folder: pathlib.Path) -> None:
  """Writes the SavedModel and checks that it, loaded again, gives the same.

  Raises:
    ModelError: it differs from the Keras model by more than 1e-5.
  """
  values = int(module.frame_values)
  frames = np.random.default_rng(0).uniform(-2, 2, (7, values)).astype(np.float32)
  # Saved for any number of frames.
  module.__call__.get_concrete_function(tf.TensorSpec([None, values], tf.float32))
  tf.saved_model.save(module, str(folder), signatures={'serving_default': module.serve})
  loaded = tf.saved_model.load(str(folder))
  logits, embeddings = embedding_model(model)(frames[:, np.newaxis], training=False)
  wanted = (tf.sigmoid(logits), embeddings)
  for name, want, got in zip(OUTPUTS, wanted, loaded(frames), strict=True):
    difference = np.abs(np.asarray(want) - np.asarray(got)).max()
    if not difference <= _TOLERANCE:
      raise ModelError(
        f'the SavedModel does not give what the Keras model gives: {name} differ by '
        f'{difference:.2g}, but {_TOLERANCE:g} is allowed'
      )
