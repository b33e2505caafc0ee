"""A sound in blocks has the scores that it has at once, at the seams, too."""

import numpy as np
import pytest
import soundfile
import tensorflow as tf

from audioset_ml.audio import features
from audioset_ml.audio.front_end import FrontEnd
from audioset_ml.core.errors import ModelError
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.models.config import ModelConfig
from audioset_ml.models.registry import build_model
from audioset_ml.models.sound_scores import SoundScores
from audioset_ml.models.waveform_loading import LoadedWaveformModel
from audioset_ml.models.waveform_model import WaveformModel

pytestmark = pytest.mark.few

CLASSES = ClassMap(('/m/a', '/m/b', '/m/c'), ('Bark', 'Rain', 'Siren'))
FRONT_END = FrontEnd()
SEAM = FRONT_END.num_samples(128)


@pytest.fixture(scope='module')
def network():
  model = build_model(ModelConfig('mobilenet_v1_tiny', 3, width_multiplier=0.1))
  model.get_layer('logits').kernel.assign(
    np.random.default_rng(0).normal(0, 1000, model.get_layer('logits').kernel.shape)
  )
  return model


@pytest.fixture(scope='module')
def function(network):
  return WaveformModel(network, FRONT_END)


@pytest.fixture(scope='module')
def model(function):
  return LoadedWaveformModel(function, CLASSES, 'model')


class OldSavedModel:
  """One that knows nothing but its own hop, as YAMNet of TensorFlow Hub."""

  def __init__(self, function):
    self._function = function

  def __call__(self, waveform):
    return self._function(waveform)


def noise(samples, seed=0):
  random = np.random.default_rng(seed)
  loudness = np.repeat(random.uniform(0, 0.5, samples // 4000 + 1), 4000)[:samples]
  return (loudness * random.standard_normal(samples)).clip(-1, 1).astype(np.float32)


def write(tmp_path, waveform):
  path = tmp_path / 'sound.wav'
  soundfile.write(path, waveform, 16_000, subtype='PCM_16')
  return path, soundfile.read(path, dtype='float32')[0]


@pytest.mark.parametrize(
  'samples', [1, 15_600, 15_601, SEAM, SEAM + 1, SEAM + 7_680, 2 * SEAM + 12_345]
)
def test_blocks_are_the_whole_waveform_at_once(model, tmp_path, samples):
  path, waveform = write(tmp_path, noise(samples))
  blocks = list(SoundScores(model, path).blocks())
  firsts = np.cumsum([0, *(len(block.scores) for block in blocks)])
  assert [block.first for block in blocks] == firsts[:-1].tolist()
  assert [block.is_last for block in blocks] == [False] * (len(blocks) - 1) + [True]
  assert blocks[-1].seconds == pytest.approx(samples / 16_000)
  for name, whole in zip(
    ('scores', 'embeddings', 'log_mel'), model(waveform), strict=True
  ):
    found = np.concatenate([getattr(block, name) for block in blocks])
    assert found.shape == whole.shape
    np.testing.assert_allclose(found, whole, rtol=0, atol=2e-6)
  if samples > SEAM:
    assert len(blocks) > 1
    assert np.ptp(np.asarray(model(waveform)[0])) > 0.01  # they do differ


@pytest.mark.parametrize('hop', [10, 24, 37, 96])
def test_other_hops_are_patches_cut_from_the_spectrogram(network, model, tmp_path, hop):
  samples = FRONT_END.min_samples + 140 * hop * 160 + 99
  path, waveform = write(tmp_path, noise(samples, hop))
  sound = SoundScores(model, path, hop)
  scores = np.concatenate([block.scores for block in sound.blocks()])
  assert sound.hop_seconds == pytest.approx(hop / 100)
  assert len(scores) == 142  # to the end of the sound
  padded = np.pad(waveform, (0, FRONT_END.min_samples + 141 * hop * 160 - samples))
  log_mel = features.log_mel_spectrogram(tf.constant(padded), FRONT_END).numpy()
  for number in (0, 1, 127, 128, 141):
    patch = log_mel[number * hop : number * hop + 96]
    expected = tf.sigmoid(network(patch[np.newaxis]))[0]
    np.testing.assert_allclose(scores[number], expected, rtol=0, atol=2e-6)


def test_a_saved_model_of_one_hop_is_shifted(function, model, tmp_path):
  old = LoadedWaveformModel(OldSavedModel(function), CLASSES, 'old')
  path, _ = write(tmp_path, noise(100_000))
  for hop in (12, 24, 48):
    (expected,) = SoundScores(model, path, hop).blocks()
    (found,) = SoundScores(old, path, hop).blocks()
    for name in ('scores', 'embeddings', 'log_mel'):
      one, other = getattr(found, name), getattr(expected, name)
      np.testing.assert_allclose(one[: len(other)], other[: len(one)], atol=2e-6)
    assert found.scores.shape == expected.scores.shape
  with pytest.raises(ModelError, match=r'shifted to parts of that \(0\.24, 0\.16'):
    old.require_hop(10)
  model.require_hop(10)
