"""The front end of matrix products against the package's own, and plain numpy."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from audioset_ml.audio import features
from audioset_ml.audio.front_end import FrontEnd
from audioset_ml.deployment import graphs, matrix_front_end
from tests.small_data import YAMNET_REFERENCE_KEYS

FRONT_ENDS = [
  FrontEnd(),
  FrontEnd(sample_rate=8000, mel_max_hz=3900.0, mel_bands=20),
  # Window (441) and hop (147 samples) have another common divisor.
  FrontEnd(sample_rate=14700, window_seconds=0.03, mel_max_hz=7000.0),
  FrontEnd(patch_window_seconds=0.5, patch_hop_seconds=0.2),
]


def exact(waveform, front_end):
  """The log-mel spectrogram in float64, but for the mel weights."""
  window, hop = front_end.window_samples, front_end.hop_samples
  starts = range(0, len(waveform) - window + 1, hop)
  windows = np.stack([waveform[start : start + window] for start in starts])
  hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)
  spectrum = np.abs(
    np.fft.rfft(windows.astype(np.float64) * hann, front_end.fft_length)
  )
  weights = features.mel_weights(front_end).numpy().astype(np.float64)
  return np.log(spectrum @ weights + front_end.log_offset)


@pytest.mark.parametrize('front_end', FRONT_ENDS)
@settings(max_examples=10)
@given(
  samples=st.integers(1, 60_000),
  seed=st.integers(0, 99),
  gain=st.sampled_from([1.0, 0.1, 1e-3, 0.0]),
)
def test_is_the_packages_front_end(front_end, samples, seed, gain):
  noise = np.random.default_rng(seed).uniform(-gain, gain, samples).astype(np.float32)
  waveform = features.pad_waveform(tf.constant(noise), front_end)
  wanted = features.log_mel_spectrogram(waveform, front_end)
  found = matrix_front_end.log_mel_spectrogram(waveform, front_end)
  np.testing.assert_allclose(found, wanted, rtol=0, atol=2e-5)
  np.testing.assert_array_equal(
    matrix_front_end.frame_patches(wanted, front_end),
    features.frame_patches(wanted, front_end),
  )


def test_is_near_float64_where_rounding_is_all_there_is():
  """A loud tone leaves bands empty; how a processor adds decides what they hold."""
  seconds = np.arange(16_000) / 16_000
  front_end = FrontEnd()
  for pitch in (440, 1000, 5000):
    tone = np.sin(2 * np.pi * pitch * seconds).astype(np.float32)
    wanted = exact(tone, front_end)
    ours = matrix_front_end.log_mel_spectrogram(tf.constant(tone), front_end)
    fast = features.log_mel_spectrogram(tf.constant(tone), front_end)
    for found in (ours, fast):
      np.testing.assert_allclose(found, wanted, rtol=0, atol=0.05)


@pytest.mark.parametrize('key', YAMNET_REFERENCE_KEYS)
def test_is_yamnets_front_end(key, shared_data):
  """Google's code on real sounds; see SOURCES.md of the shared data."""
  with np.load(shared_data('yamnet/yamnet_code_reference_outputs.npz')) as reference:
    waveform, wanted = reference[f'{key}|waveform'], reference[f'{key}|log_mel']
  padded = features.pad_waveform(tf.constant(waveform, tf.float32), FrontEnd())
  found = matrix_front_end.log_mel_spectrogram(padded, FrontEnd())
  np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-3)


def test_a_frozen_graph_has_no_operation_that_other_runtimes_lack():
  from tests.models.test_saved_model import build

  graph = graphs.waveform_graph(build(), FrontEnd())
  definition = tf.compat.v1.GraphDef.FromString(graph.definition)
  kinds = {node.op for node in definition.node}
  kinds |= {node.op for f in definition.library.function for node in f.node_def}
  assert not [kind for kind in kinds if 'FFT' in kind or 'Variable' in kind]
  assert 'MatMul' in kinds
