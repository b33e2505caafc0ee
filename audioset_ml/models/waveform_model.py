"""A model with its front end: waveform in, scores out, as YAMNet on TensorFlow Hub."""

import json
import os

import keras
import numpy as np
import tensorflow as tf

from audioset_ml.audio import features
from audioset_ml.audio.front_end import FrontEnd
from audioset_ml.core.errors import ModelError
from audioset_ml.models.registry import embedding_model

OUTPUTS = ('scores', 'embeddings', 'log_mel')

PATCHES_AT_ONCE = 128
INTEGERS = (
  'the waveform holds whole numbers above 1, as integer samples are; it must be floats '
  'in [-1, 1]: divide 16-bit samples by 32768'
)


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
    return self._scored(padded, self._front_end.patch_hop_frames)

  @tf.function(
    input_signature=[
      tf.TensorSpec([None], tf.float32, 'waveform'),
      tf.TensorSpec([], tf.int32, 'hop_frames'),
    ]
  )
  def at_hop(self, waveform: tf.Tensor, hop_frames: tf.Tensor):
    """Scores a patch every `hop_frames` frames; see `__call__`.

    No silence is added: patches are those that the waveform fills, of which there must
    be one.
    """
    return self._scored(waveform, hop_frames)

  def _scored(self, waveform: tf.Tensor, hop_frames: int | tf.Tensor):
    with tf.control_dependencies([_refuse_integers(waveform)]):
      waveform = tf.identity(waveform)
    log_mel = features.log_mel_spectrogram(waveform, self._front_end)
    patches = features.frame_patches(log_mel, self._front_end, hop_frames)
    logits, embeddings = self._in_chunks(patches)
    return tf.sigmoid(logits), embeddings, log_mel

  def _in_chunks(self, patches: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Logits and embeddings, a minute at a time: an hour at once would take 10 GB."""
    count = tf.shape(patches)[0]

    def chunk(index: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
      start = index * PATCHES_AT_ONCE
      return self._model(patches[start : start + PATCHES_AT_ONCE], training=False)

    def joined(
      index: tf.Tensor, logits: tf.Tensor, embeddings: tf.Tensor
    ) -> tuple[tf.Tensor, ...]:
      more = chunk(index)
      return (
        index + 1,
        tf.concat([logits, more[0]], axis=0),
        tf.concat([embeddings, more[1]], axis=0),
      )

    logits, embeddings = chunk(tf.constant(0))
    shapes = [tf.TensorShape([None, part.shape[-1]]) for part in (logits, embeddings)]
    return tf.while_loop(
      lambda index, *unused: index * PATCHES_AT_ONCE < count,
      joined,
      (tf.constant(1), logits, embeddings),
      shape_invariants=(tf.TensorShape([]), *shapes),
      parallel_iterations=1,
    )[1:]

  @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, 'waveform')])
  def serve(self, waveform: tf.Tensor) -> dict[str, tf.Tensor]:
    """The outputs of `__call__` by name, as a serving signature needs them."""
    return dict(zip(OUTPUTS, self(waveform), strict=True))

  @tf.function(input_signature=[tf.TensorSpec([None, None], tf.float32, 'waveforms')])
  def serve_batch(self, waveforms: tf.Tensor) -> dict[str, tf.Tensor]:
    """Scores several waveforms of one length; see `__call__`.

    Args:
      waveforms: shape [batch, samples].

    Returns:
      By name: scores [batch, patches, classes], embeddings [batch, patches, D] and
      log_mel [batch, frames, mel_bands].
    """
    with tf.control_dependencies([_refuse_integers(waveforms)]):
      padded = features.pad_waveform(waveforms, self._front_end)
    log_mel = features.log_mel_spectrogram(padded, self._front_end)
    patches = features.frame_patches(log_mel, self._front_end)
    shape = tf.shape(patches)
    of_network = tf.reshape(patches, [-1, *patches.shape[2:]])
    found = [
      tf.reshape(part, [shape[0], shape[1], part.shape[-1]])
      for part in self._in_chunks(of_network)
    ]
    return dict(zip(OUTPUTS, (tf.sigmoid(found[0]), found[1], log_mel), strict=True))

  @tf.function(input_signature=[])
  def front_end(self) -> tf.Tensor:
    """The front end's parameters, as JSON."""
    return tf.constant(json.dumps(self._front_end.to_dict()))

  @tf.function(input_signature=[])
  def class_map_path(self) -> tf.Tensor:
    """Where the class map is, wherever the SavedModel was moved to."""
    return self._class_map.asset_path


def checked_waveform(waveform) -> tf.Tensor:
  """A waveform as float32.

  Args:
    waveform: an array or tensor.

  Raises:
    ModelError: it is not one-dimensional, or its samples are integers.
  """
  if not tf.is_tensor(waveform):
    waveform = np.asarray(waveform)
  shape, kind = tuple(waveform.shape), tf.as_dtype(waveform.dtype)
  if len(shape) != 1:
    raise ModelError(f'the waveform has shape {shape}, but must be mono: [samples]')
  if not kind.is_floating:
    raise ModelError(
      f'the waveform is of {kind.name}, but must be of floats in [-1, 1]: divide '
      '16-bit samples by 32768'
    )
  waveform = tf.cast(waveform, tf.float32)
  if not tf.executing_eagerly():
    return waveform
  values = waveform.numpy()
  if len(values) and np.abs(values).max() > 1 and (values == np.round(values)).all():
    raise ModelError(INTEGERS)
  return waveform


def _refuse_integers(waveform: tf.Tensor) -> tf.Operation:
  """Fails for samples that someone forgot to scale: TensorFlow casts integers to
  floats without a word, and the scores of such a sound are nonsense."""
  whole = tf.reduce_all(tf.equal(waveform, tf.round(waveform)))
  above = tf.reduce_any(tf.abs(waveform) > 1.0)
  return tf.debugging.Assert(~(whole & above), [INTEGERS])
