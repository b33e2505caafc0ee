"""Waveform to log-mel patches, as YAMNet computes them (`features.py` there).

Pure TensorFlow: the functions run eagerly, in tf.data maps on waveforms of unknown
length, and inside a SavedModel.
"""

import tensorflow as tf

from audioset_ml.audio.front_end import FrontEnd


def pad_waveform(waveform: tf.Tensor, front_end: FrontEnd) -> tf.Tensor:
  """Pads with silence so that whole patches cover the waveform to its end.

  Args:
    waveform: float32, mono. Shape [samples], or [batch, samples] of several.
    front_end: the parameters.

  Returns:
    The waveform with zeros behind it: at least one patch (15,600 samples), and beyond
    it a whole number of patch hops (7,680 samples). Shape [padded samples], or [batch,
    padded samples].
  """
  hop = front_end.patch_hop_samples
  samples = tf.shape(waveform)[-1]
  after_first_patch = tf.maximum(samples - front_end.min_samples, 0)
  hops = (after_first_patch + hop - 1) // hop
  padding = front_end.min_samples + hops * hop - samples
  return tf.pad(waveform, [[0, 0]] * (len(waveform.shape) - 1) + [[0, padding]])


def log_mel_spectrogram(waveform: tf.Tensor, front_end: FrontEnd) -> tf.Tensor:
  """log(mel magnitude + offset), natural logarithm.

  The window is a periodic Hann window and the mel bands are HTK's, triangles over the
  mel scale, without area normalisation.

  Args:
    waveform: float32 in [-1, 1], mono, at least one window long (`pad_waveform` sees
      to that). Shape [samples], or [batch, samples] of several.
    front_end: the parameters.

  Returns:
    float32. Shape [frames, mel_bands], or [batch, frames, mel_bands]; frame i starts at
    sample i * hop_samples, and only frames that the waveform fills are there.

  Raises:
    tf.errors.InvalidArgumentError: the waveform is shorter than a window.
  """
  spectrum = tf.signal.stft(
    waveform,
    frame_length=front_end.window_samples,
    frame_step=front_end.hop_samples,
    fft_length=front_end.fft_length,
    window_fn=tf.signal.hann_window,  # periodic unless told otherwise
  )  # [frames, fft_length / 2 + 1]
  mel = tf.matmul(tf.abs(spectrum), mel_weights(front_end))  # [frames, mel_bands]
  return tf.math.log(mel + front_end.log_offset)


def mel_weights(front_end: FrontEnd) -> tf.Tensor:
  """From a spectrum's magnitudes to mel bands.

  Returns:
    Shape [fft_length / 2 + 1, mel_bands], float32.
  """
  return tf.signal.linear_to_mel_weight_matrix(
    num_mel_bins=front_end.mel_bands,
    num_spectrogram_bins=front_end.fft_length // 2 + 1,
    sample_rate=front_end.sample_rate,
    lower_edge_hertz=front_end.mel_min_hz,
    upper_edge_hertz=front_end.mel_max_hz,
  )


def frame_patches(
  log_mel: tf.Tensor, front_end: FrontEnd, hop_frames: int | tf.Tensor | None = None
) -> tf.Tensor:
  """Cuts the evaluation patches, which overlap by 50 %, or others.

  Args:
    log_mel: shape [frames, mel_bands], or [batch, frames, mel_bands].
    front_end: the parameters.
    hop_frames: from one patch to the next; None for the front end's.

  Returns:
    Shape [patches, patch_frames, mel_bands], or with the batch before. Frames behind
    the last whole patch are left out: there are none for a waveform from
    `pad_waveform`, and no patches at all for fewer frames than a patch has.
  """
  return tf.signal.frame(
    log_mel,
    frame_length=front_end.patch_frames,
    frame_step=front_end.patch_hop_frames if hop_frames is None else hop_frames,
    axis=-2,
  )


def log_mel_patches(
  waveform: tf.Tensor, front_end: FrontEnd | None = None
) -> tf.Tensor:
  """The patches of a waveform as networks take them: log-mel spectrograms.

  Args:
    waveform: mono, in [-1, 1], at `front_end.sample_rate`. Shape [samples], float32.
    front_end: the parameters; None for YAMNet's.

  Returns:
    Shape [patches, patch_frames, mel_bands], float32; at least one patch.
  """
  front_end = front_end or FrontEnd()
  padded = pad_waveform(tf.convert_to_tensor(waveform, tf.float32), front_end)
  return frame_patches(log_mel_spectrogram(padded, front_end), front_end)
