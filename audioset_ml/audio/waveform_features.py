"""`audio.features` of one waveform in memory, by NumPy: half the processor time.

TensorFlow's graph spends as long on handing a clip over as on its arithmetic. This one
stays in the thread that calls it: the mel product is sparse rather than BLAS's, whose
threads would wait busily. Window and weights are the graph's own.
"""

import functools
import threading

import numpy as np
import scipy.fft
import scipy.sparse
import tensorflow as tf

from audioset_ml.audio import features
from audioset_ml.audio.front_end import FrontEnd

_FRAMES = 256  # at a time: what is computed of them stays in the cache
_LOCK = threading.Lock()


def padded_log_mel(waveform: np.ndarray, front_end: FrontEnd) -> np.ndarray:
  """`log_mel_spectrogram(pad_waveform(waveform))`, within float32's rounding.

  Args:
    waveform: float32 in [-1, 1], mono. Shape [samples].
    front_end: the parameters.

  Returns:
    float32. Shape [frames, mel_bands].
  """
  frames = framed(waveform, front_end)
  log_mel = np.empty((len(frames), front_end.mel_bands), np.float32)
  for start in range(0, len(frames), _FRAMES):
    part = magnitudes(frames[start : start + _FRAMES], front_end)
    log_mel[start : start + _FRAMES] = mel_bands(part, front_end)
  log_mel += np.float32(front_end.log_offset)
  return np.log(log_mel, out=log_mel)


def framed(waveform: np.ndarray, front_end: FrontEnd) -> np.ndarray:
  """The frames of a padded waveform, views. Shape [frames, window samples]."""
  length = front_end.padded_samples(len(waveform), front_end.patch_hop_frames)
  padded = np.zeros(length, np.float32)
  padded[: len(waveform)] = waveform
  frames = np.lib.stride_tricks.sliding_window_view(padded, front_end.window_samples)
  return frames[:: front_end.hop_samples]


def magnitudes(frames: np.ndarray, front_end: FrontEnd) -> np.ndarray:
  """Of the frames' spectra under the window. Shape [frames, fft_length / 2 + 1]."""
  window, _ = _window_and_weights(front_end)
  spectra = scipy.fft.rfft(frames * window, front_end.fft_length, overwrite_x=True)
  return np.abs(spectra)


def mel_bands(spectrum: np.ndarray, front_end: FrontEnd) -> np.ndarray:
  """Of magnitudes [frames, fft_length / 2 + 1]. Shape [frames, mel_bands]."""
  _, weights = _window_and_weights(front_end)
  return (weights @ spectrum.T).T


def _window_and_weights(
  front_end: FrontEnd,
) -> tuple[np.ndarray, scipy.sparse.csr_array]:
  """Of shapes [window samples] and [mel_bands, fft_length / 2 + 1]; any thread may."""
  with _LOCK:  # TensorFlow has crashed whose first operations two threads did at once
    return _computed(front_end)


@functools.cache
def _computed(front_end: FrontEnd) -> tuple[np.ndarray, scipy.sparse.csr_array]:
  window = tf.signal.hann_window(front_end.window_samples).numpy()
  weights = features.mel_weights(front_end).numpy()
  return window, scipy.sparse.csr_array(weights.T)
