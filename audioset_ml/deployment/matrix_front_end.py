"""The front end of operations that every runtime has: a Fourier transform by a matrix.

`audio.features` computes the same with TensorFlow's fast Fourier transform, which
neither LiteRT (without Flex operations) nor many ONNX runtimes have. A window's
transform is a product with a matrix of 400 rows, YAMNet's exporter does it so as well.
"""

import math

import numpy as np
import tensorflow as tf

from audioset_ml.audio import features
from audioset_ml.audio.front_end import FrontEnd


def fourier_matrix(front_end: FrontEnd) -> np.ndarray:
  """What a window of samples is multiplied with: the Hann window is in it, too.

  Returns:
    Shape [window_samples, 2 * (fft_length / 2 + 1)], float32: the real parts of the
    spectrum, and behind them the imaginary ones.
  """
  samples = np.arange(front_end.window_samples)
  # TensorFlow's, whose float32 shows at the window's ends.
  with tf.init_scope():  # a number, also while a graph is being made
    window = tf.signal.hann_window(front_end.window_samples).numpy()
  bins = np.arange(front_end.fft_length // 2 + 1)
  angles = 2 * np.pi * np.outer(samples, bins) / front_end.fft_length
  matrix = np.concatenate([np.cos(angles), -np.sin(angles)], axis=1)
  return (window[:, np.newaxis].astype(np.float64) * matrix).astype(np.float32)


def log_mel_spectrogram(waveform: tf.Tensor, front_end: FrontEnd) -> tf.Tensor:
  """`features.log_mel_spectrogram` within float32's rounding.

  Args:
    waveform: float32, at least one window long. Shape [samples].
    front_end: the parameters.

  Returns:
    Shape [frames, mel_bands], float32.
  """
  windows = _windows(waveform, front_end)  # [frames, window_samples]
  spectrum = tf.matmul(windows, tf.constant(fourier_matrix(front_end)))
  real, imaginary = tf.split(spectrum, 2, axis=1)
  magnitude = tf.sqrt(tf.square(real) + tf.square(imaginary))
  with tf.init_scope():
    weights = features.mel_weights(front_end).numpy()
  mel = tf.matmul(magnitude, tf.constant(weights))
  return tf.math.log(mel + front_end.log_offset)


def _windows(waveform: tf.Tensor, front_end: FrontEnd) -> tf.Tensor:
  """The overlapping stretches under the window. Shape [frames, window_samples].

  They are gathered from pieces that hop and window are multiples of (80 samples):
  single samples would take eighty times as many steps.
  """
  piece = math.gcd(front_end.window_samples, front_end.hop_samples)
  samples = tf.shape(waveform)[0]
  pieces = tf.reshape(waveform[: samples // piece * piece], [-1, piece])
  frames = 1 + (samples - front_end.window_samples) // front_end.hop_samples
  starts = tf.range(frames) * (front_end.hop_samples // piece)
  places = starts[:, tf.newaxis] + tf.range(front_end.window_samples // piece)
  return tf.reshape(tf.gather(pieces, places), [-1, front_end.window_samples])


def frame_patches(log_mel: tf.Tensor, front_end: FrontEnd) -> tf.Tensor:
  """`features.frame_patches`, gathered. Shape [patches, patch_frames, mel_bands]."""
  hop = front_end.patch_hop_frames
  patches = 1 + (tf.shape(log_mel)[0] - front_end.patch_frames) // hop
  starts = tf.range(patches) * hop
  return tf.gather(log_mel, starts[:, tf.newaxis] + tf.range(front_end.patch_frames))
