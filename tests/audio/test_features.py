"""Log-mel patches against Google's code, Google's numbers, librosa and plain NumPy."""

import numpy as np
import pytest
import tensorflow as tf

from audioset_ml.audio import features, waveform_features
from audioset_ml.audio.front_end import FrontEnd
from tests.small_data import YAMNET_REFERENCE_KEYS

pytestmark = pytest.mark.few

FRONT_END = FrontEnd()


@tf.function(input_signature=[tf.TensorSpec([None], tf.float32)])
def padded_log_mel(waveform):
  padded = features.pad_waveform(waveform, FRONT_END)
  return features.log_mel_spectrogram(padded, FRONT_END)


@tf.function(input_signature=[tf.TensorSpec([None], tf.float32)])
def patches_of(waveform):
  return features.frame_patches(padded_log_mel(waveform), FRONT_END)


def by_numpy(waveform):
  return waveform_features.padded_log_mel(waveform, FRONT_END)


both_ways = pytest.mark.parametrize(
  'log_mel_of', [padded_log_mel, by_numpy], ids=['tensorflow', 'numpy']
)


def sine(seconds=3.0, rate=16000):
  return np.sin(2 * np.pi * 440 * np.arange(int(seconds * rate)) / rate).astype('f4')


def noise(samples, seed=0):
  return np.random.default_rng(seed).normal(0, 0.1, samples).astype('f4')


@both_ways
@pytest.mark.parametrize('key', YAMNET_REFERENCE_KEYS)
def test_reproduces_yamnets_own_code(shared_data, key, log_mel_of):
  reference = np.load(shared_data('yamnet/yamnet_code_reference_outputs.npz'))
  log_mel = log_mel_of(reference[f'{key}|waveform'])
  np.testing.assert_allclose(log_mel, reference[f'{key}|log_mel'], atol=1e-5, rtol=0)


@both_ways
def test_reproduces_googles_zeros(shared_data, log_mel_of):
  reference = np.load(shared_data('yamnet/google_reference_zeros.npz'))
  log_mel = log_mel_of(np.zeros(48000, 'f4'))
  np.testing.assert_allclose(
    log_mel, reference['log_mel_spectrogram'], atol=1e-5, rtol=0
  )


@both_ways
def test_reproduces_googles_sine(shared_data, log_mel_of):
  expected = np.load(shared_data('yamnet/google_reference_sine.npz'))[
    'log_mel_spectrogram'
  ]
  log_mel = np.asarray(log_mel_of(sine()))
  assert log_mel.shape == expected.shape == (336, 64)
  loud = expected > np.log(0.001) + 3
  assert loud.mean() > 0.1
  difference = np.abs(log_mel - expected)
  assert difference[loud].max() < 2e-4
  assert (difference[loud] < 1e-4).mean() > 0.98
  # At the log offset's floor float32 rounding shows.
  assert difference.max() < 0.05


@pytest.mark.parametrize(
  ('samples', 'padded'),
  [
    (0, 15600),
    (1, 15600),
    (15600, 15600),
    (15601, 15600 + 7680),
    (15600 + 7680, 15600 + 7680),
    (15600 + 7681, 15600 + 2 * 7680),
    (160000, 15600 + 19 * 7680),
  ],
)
def test_padding(samples, padded):
  waveform = noise(samples)
  result = features.pad_waveform(tf.constant(waveform), FRONT_END).numpy()
  assert len(result) == padded
  np.testing.assert_array_equal(result[:samples], waveform)
  assert not result[samples:].any()


def test_padding_counts_exactly_where_float32_would_not():
  # YAMNet divides in float32, which can't tell these lengths apart.
  hops = 1 << 13
  samples = 15600 + hops * 7680 + 1
  padded = features.pad_waveform(tf.zeros([samples]), FRONT_END)
  assert padded.shape[0] == 15600 + (hops + 1) * 7680


def test_matches_a_plain_numpy_spectrogram():
  waveform = noise(4000)
  window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)  # periodic Hann
  frames = np.stack([waveform[i : i + 400] for i in range(0, 3601, 160)])
  magnitude = np.abs(np.fft.rfft(frames * window, 512))
  expected = np.log(magnitude @ mel_triangles() + 0.001)
  log_mel = features.log_mel_spectrogram(tf.constant(waveform), FRONT_END)
  np.testing.assert_allclose(log_mel, expected, atol=1e-4)


def mel_triangles():
  """HTK's filters, written out: triangles over the mel scale, DC left out."""

  def to_mel(hertz):
    return 1127 * np.log1p(hertz / 700)

  edges = np.linspace(to_mel(125), to_mel(7500), 66)
  bins = to_mel(np.arange(257) * 16000 / 512)[:, np.newaxis]
  rising = (bins - edges[:-2]) / np.diff(edges)[:-1]
  falling = (edges[2:] - bins) / np.diff(edges)[1:]
  weights = np.maximum(0, np.minimum(rising, falling))
  weights[0] = 0
  return weights  # [257, 64]


@pytest.mark.long
def test_close_to_librosa():
  librosa = pytest.importorskip('librosa')
  # librosa centres the window in the FFT frame, so its frames start 56 samples early;
  # and its filters are triangles over Hertz, not over the mel scale.
  waveform = noise(16000)
  mel = librosa.feature.melspectrogram(
    y=np.concatenate([np.zeros(56, 'f4'), waveform, np.zeros(56, 'f4')]),
    sr=16000,
    n_fft=512,
    win_length=400,
    hop_length=160,
    window='hann',
    center=False,
    power=1,
    n_mels=64,
    fmin=125,
    fmax=7500,
    htk=True,
    norm=None,
  )
  log_mel = features.log_mel_spectrogram(tf.constant(waveform), FRONT_END).numpy()
  expected = np.log(mel.T + 0.001)
  assert log_mel.shape == expected.shape
  difference = np.abs(log_mel - expected)
  assert difference.mean() < 0.01
  assert difference.max() < 0.15


@pytest.mark.parametrize('samples', [0, 1, 15600, 15601, 48000, 160000])
@pytest.mark.parametrize(
  'front_end',
  [
    FRONT_END,
    FrontEnd(sample_rate=8000, mel_bands=40, mel_max_hz=3800.0),
    FrontEnd(window_seconds=0.032, hop_seconds=0.016),  # a window of a power of two
  ],
  ids=['yamnet', '8_khz', 'long_hops'],
)
def test_numpy_and_tensorflow_agree(samples, front_end):
  waveform = noise(samples, seed=samples)
  padded = features.pad_waveform(tf.constant(waveform), front_end)
  expected = features.log_mel_spectrogram(padded, front_end).numpy()
  found = waveform_features.padded_log_mel(waveform, front_end)
  assert found.dtype == np.float32
  np.testing.assert_allclose(found, expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize(('samples', 'patches'), [(0, 1), (15600, 1), (48000, 6)])
def test_patches_overlap_by_half(samples, patches):
  waveform = noise(samples)
  result = patches_of(waveform).numpy()
  log_mel = padded_log_mel(waveform).numpy()
  assert result.shape == (patches, 96, 64)
  for i, patch in enumerate(result):
    np.testing.assert_array_equal(patch, log_mel[i * 48 : i * 48 + 96])
  assert (patches - 1) * 48 + 96 == len(log_mel)


def test_patches_leave_out_what_fills_none():
  assert features.frame_patches(tf.zeros([95, 64]), FRONT_END).shape == (0, 96, 64)
  assert features.frame_patches(tf.zeros([143, 64]), FRONT_END).shape == (1, 96, 64)
  assert features.frame_patches(tf.zeros([144, 64]), FRONT_END).shape == (2, 96, 64)


def test_shorter_than_a_window_is_an_error():
  with pytest.raises(tf.errors.InvalidArgumentError):
    features.log_mel_spectrogram(tf.zeros([399]), FRONT_END)


def test_same_eagerly_in_tf_data_and_in_a_saved_model(tmp_path):
  waveforms = [noise(n, seed=n) for n in (100, 15601, 40000)]
  eager = []
  for waveform in waveforms:
    padded = features.pad_waveform(tf.constant(waveform), FRONT_END)
    log_mel = features.log_mel_spectrogram(padded, FRONT_END)
    eager.append(features.frame_patches(log_mel, FRONT_END).numpy())
  dataset = tf.data.Dataset.from_generator(
    lambda: waveforms, output_signature=tf.TensorSpec([None], tf.float32)
  ).map(patches_of, num_parallel_calls=2)
  module = tf.Module()
  module.patches = patches_of
  tf.saved_model.save(module, str(tmp_path))
  loaded = tf.saved_model.load(str(tmp_path))
  for waveform, expected, mapped in zip(waveforms, eager, dataset, strict=True):
    np.testing.assert_allclose(mapped, expected, atol=1e-4)
    np.testing.assert_allclose(loaded.patches(waveform), expected, atol=1e-4)


def test_static_shapes_are_known_in_a_graph():
  assert patches_of.get_concrete_function().output_shapes == [None, 96, 64]


def test_other_front_ends():
  front_end = FrontEnd(sample_rate=8000, mel_bands=40, mel_max_hz=3800.0)
  padded = features.pad_waveform(tf.constant(noise(8000)), front_end)
  log_mel = features.log_mel_spectrogram(padded, front_end)
  assert features.frame_patches(log_mel, front_end).shape == (2, 96, 40)
