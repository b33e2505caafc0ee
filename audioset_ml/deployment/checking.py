"""Whether a written file gives what the Keras model gives, on sound."""

import dataclasses

import keras
import numpy as np
import tensorflow as tf

from audioset_ml.audio import features
from audioset_ml.audio.front_end import FrontEnd
from audioset_ml.core.errors import ModelError
from audioset_ml.deployment.forms import LEAST_CORRELATION, Form
from audioset_ml.models.exported_model import ExportedModel
from audioset_ml.models.registry import embedding_model

_PATCHES = 8  # of generated sound


@dataclasses.dataclass(frozen=True)
class Difference:
  """Between a file's scores and the Keras model's.

  Attributes:
    highest: of any class and patch.
    mean: over all.
    correlation: of the scores, over all; None where either are all the same.
  """

  highest: float
  mean: float
  correlation: float | None

  @classmethod
  def of(cls, wanted: np.ndarray, gotten: np.ndarray) -> 'Difference':
    """That of two arrays of scores."""
    difference = np.abs(wanted - gotten)
    correlation = None
    if wanted.std() > 0 and gotten.std() > 0:
      correlation = float(np.corrcoef(wanted.ravel(), gotten.ravel())[0, 1])
    return cls(float(difference.max()), float(difference.mean()), correlation)

  def is_too_high(self, form: Form) -> bool:
    """Whether scores of a form may not differ as much."""
    if self.highest <= form.tolerance:
      return False
    return not form.is_approximate or not (
      self.correlation and self.correlation >= LEAST_CORRELATION
    )


def generated_sound(front_end: FrontEnd, samples: int) -> np.ndarray:
  """Noise that swells and fades over a rising tone, the same each time.

  Returns:
    Shape [samples], float32 in [-1, 1].
  """
  seconds = np.arange(samples) / front_end.sample_rate
  noise = np.random.default_rng(0).uniform(-1, 1, samples)
  swell = 0.3 * np.square(np.sin(2 * np.pi * 0.7 * seconds)) + 0.003
  pitch = front_end.mel_min_hz + 400 * seconds  # Hz, at the beginning
  tone = 0.2 * np.sin(2 * np.pi * pitch * seconds)
  return (swell * noise + tone).astype(np.float32)


def generated_patches(model: keras.Model, front_end: FrontEnd | None) -> np.ndarray:
  """Inputs of a network: patches of generated sound, or else embeddings.

  Returns:
    Shape [8, frames, values], float32.
  """
  if front_end is None:
    shape = (_PATCHES, *model.input_shape[1:])
    return np.random.default_rng(0).uniform(-2, 2, shape).astype(np.float32)
  sound = generated_sound(front_end, front_end.num_samples(_PATCHES))
  return features.log_mel_patches(tf.constant(sound), front_end).numpy()


def compare(
  form: Form, exported: ExportedModel, model: keras.Model, patches: np.ndarray
) -> Difference:
  """Compares a file with the model that it was made of.

  Args:
    form: the file's form.
    exported: the file, opened.
    model: the Keras model.
    patches: what a network alone is given. Shape [patches, frames, values], float32.

  Returns:
    The difference of scores.

  Raises:
    ModelError: it is too high, or not a number, and numbers are not of 8 bits; or other
      outputs than scores differ as much, in proportion, where numbers are of 32 bits.
  """
  pairs = (
    _of_waveforms(exported, model)
    if exported.description.takes_waveforms
    else [(_expected(model, patches), exported.of_patches(patches))]
  )
  difference = Difference.of(
    *(np.concatenate([pair[side][0] for pair in pairs]) for side in (0, 1))
  )
  if not form.is_approximate and difference.is_too_high(form):
    _refuse(exported, 'scores', difference.highest, form)
  if form.numbers == 'float32':
    for wanted, gotten in pairs:
      for want, got in zip(wanted[1:], gotten[1:], strict=True):
        found = np.abs(want - got).max() / max(1.0, np.abs(want).max())
        if not found <= form.tolerance:  # NaN, too, is a difference
          _refuse(exported, 'other outputs', found, form)
  return difference


def _refuse(exported: ExportedModel, what: str, found: float, form: Form) -> None:
  raise ModelError(
    f'{exported.path}: does not give what the Keras model gives: {what} differ by '
    f'{found:.2g}, but {form.tolerance:g} is allowed for {form.numbers}'
  )


def _of_waveforms(
  exported: ExportedModel, model: keras.Model
) -> list[tuple[tuple[np.ndarray, ...], tuple[np.ndarray, ...]]]:
  """What is wanted and what is given for sounds of several lengths."""
  end = exported.front_end
  found = []
  for samples in (1, end.min_samples, 3 * end.min_samples + 1):
    sound = generated_sound(end, samples)
    padded = features.pad_waveform(tf.constant(sound), end)
    log_mel = features.log_mel_spectrogram(padded, end)
    wanted = _expected(model, features.frame_patches(log_mel, end))
    found.append(((*wanted, log_mel.numpy()), exported(sound)))
  return found


def _expected(model: keras.Model, patches) -> tuple[np.ndarray, np.ndarray]:
  logits, embeddings = embedding_model(model)(patches, training=False)
  return tf.sigmoid(logits).numpy(), embeddings.numpy()
