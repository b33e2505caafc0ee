"""A model with its front end: waveform in, scores out, as YAMNet on TensorFlow Hub."""

import os

import keras
import tensorflow as tf

from audioset_ml.audio import features
from audioset_ml.audio.front_end import FrontEnd
from audioset_ml.errors import ModelError
from audioset_ml.models.registry import embedding_model

OUTPUTS = ('scores', 'embeddings', 'log_mel')


class WaveformModel(tf.Module):
  """A patch model behind its front end; what `export_saved_model` writes."""

  def __init__(
    self,
    model: keras.Model,
    front_end: FrontEnd,
    class_map_path: str | os.PathLike | None = None,
  ):
    """Wraps a model.

    Args:
      model: from log-mel patches to logits, of `build_model`.
      front_end: what makes its patches.
      class_map_path: its class map, to be stored with it.

    Raises:
      ModelError: the front end's patches are not the model's inputs, or the model has
        no layer 'embeddings'.
    """
    super().__init__(name='waveform_model')
    patch_shape = (front_end.patch_frames, front_end.mel_bands)
    if tuple(model.input_shape[1:]) != patch_shape:
      raise ModelError(
        f'the front end makes patches of shape {patch_shape}, but model '
        f'{model.name!r} takes {tuple(model.input_shape[1:])}; give the front end that '
        'it was trained with'
      )
    self._front_end = front_end
    self._model = embedding_model(model)
    if class_map_path is not None:
      self._class_map = tf.saved_model.Asset(os.fspath(class_map_path))

  @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, 'waveform')])
  def __call__(self, waveform: tf.Tensor):
    """Scores the 50 %-overlapped patches of a waveform.

    Args:
      waveform: float32 in [-1, 1], mono, at the front end's sample rate (16 kHz), of
        any length: silence is added up to whole patches. Shape [samples].

    Returns:
      Sigmoid scores [patches, classes], embeddings [patches, D] and the log-mel
      spectrogram [frames, mel_bands], all float32.
    """
    padded = features.pad_waveform(waveform, self._front_end)
    log_mel = features.log_mel_spectrogram(padded, self._front_end)
    patches = features.frame_patches(log_mel, self._front_end)
    logits, embeddings = self._model(patches, training=False)
    return tf.sigmoid(logits), embeddings, log_mel

  @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, 'waveform')])
  def serve(self, waveform: tf.Tensor) -> dict[str, tf.Tensor]:
    """The outputs of `__call__` by name, as a serving signature needs them."""
    return dict(zip(OUTPUTS, self(waveform), strict=True))

  @tf.function(input_signature=[])
  def class_map_path(self) -> tf.Tensor:
    """Where the class map is, wherever the SavedModel was moved to."""
    return self._class_map.asset_path
