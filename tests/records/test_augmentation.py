import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from audioset_ml.audio import features
from audioset_ml.audio.front_end import FrontEnd
from audioset_ml.core.errors import InputError
from audioset_ml.records import augmentation
from audioset_ml.records.augment_config import AugmentConfig

FRONT_END = FrontEnd()
SILENCE = np.log(np.float32(0.001))


def noise_patch(seed=0):
  random = np.random.default_rng(seed)
  return random.normal(-2, 1, (96, 64)).astype(np.float32)


def augmented(seed, **options):
  patch = tf.constant(noise_patch())
  config = AugmentConfig(**options)
  return augmentation.augment_patch(patch, (0, seed), config, FRONT_END).numpy()


@pytest.mark.parametrize('decibels', [-12.0, 6.0])
def test_gain_is_that_of_the_waveform(decibels):
  """Log-mel of a louder waveform, by the front end itself."""
  random = np.random.default_rng(0)
  waveform = tf.constant(random.normal(0, 0.1, 16_000).astype(np.float32))
  log_mel = features.log_mel_spectrogram(waveform, FRONT_END)
  louder = features.log_mel_spectrogram(waveform * 10 ** (decibels / 20), FRONT_END)
  found = augmentation.change_gain(log_mel, tf.constant(decibels), 0.001)
  np.testing.assert_allclose(found, louder, atol=2e-4)


def test_a_shift_rolls_the_patch():
  patch, shifts = noise_patch(), set()
  for seed in range(30):
    found = augmented(seed, shift_seconds=0.05)
    matches = [s for s in range(-5, 6) if np.array_equal(found, np.roll(patch, s, 0))]
    assert len(matches) == 1
    shifts.update(matches)
  assert len(shifts) > 6


@pytest.mark.parametrize(('kind', 'axis'), [('frequency', 0), ('time', 1)])
def test_masks_are_runs_of_silence(kind, axis):
  widest = {'frequency': 'frequency_mask_bands', 'time': 'time_mask_frames'}[kind]
  widths = set()
  for seed in range(40):
    found = augmented(seed, **{f'{kind}_masks': 1, widest: 10})
    silent = np.isclose(found, SILENCE).all(axis=axis)
    np.testing.assert_array_equal(
      found[:, ~silent] if axis == 0 else found[~silent],
      noise_patch()[:, ~silent] if axis == 0 else noise_patch()[~silent],
    )
    places = np.flatnonzero(silent)
    if len(places):
      assert places[-1] - places[0] + 1 == len(places)  # one run
    widths.add(len(places))
  assert max(widths) == 10
  assert len(widths) > 5


def test_the_same_seed_does_the_same_and_another_does_not():
  options = {
    'gain_db': 6.0,
    'shift_seconds': 0.3,
    'frequency_masks': 2,
    'time_masks': 2,
  }
  np.testing.assert_array_equal(augmented(5, **options), augmented(5, **options))
  assert not np.array_equal(augmented(5, **options), augmented(6, **options))


def test_off_means_untouched():
  assert not AugmentConfig().of_patches
  np.testing.assert_array_equal(augmented(0), noise_patch())


def plain_mix(one, other):
  """The table of the docstring, case by case."""
  if 1 in (one, other):
    return 1
  if -1 in (one, other):
    return -1
  return -2 if one == other == -2 else 0


@given(st.lists(st.tuples(*[st.sampled_from([-2, -1, 0, 1])] * 2), min_size=1))
def test_mixed_targets_follow_the_table(pairs):
  one, other = np.array(pairs, np.int8).T
  found = augmentation.mix_targets(tf.constant(one), tf.constant(other))
  assert found.numpy().tolist() == [plain_mix(a, b) for a, b in pairs]
  assert found.dtype == tf.int8
  # That explicit negatives are told changes nothing else.
  three = (np.where(row == -2, 0, row).astype(np.int8) for row in (one, other))
  expected = np.where(found == -2, 0, found)
  assert augmentation.mix_targets(*three).numpy().tolist() == expected.tolist()


def test_mixup_adds_energies_in_shares_between_the_two():
  patches = np.stack([noise_patch(0), noise_patch(1)])
  targets = np.array([[1, 0, -1], [0, 0, 0]], np.int8)
  mixed, target = augmentation.mix_up(
    tf.constant(patches), tf.constant(targets), (0, 7), alpha=1.0
  )
  a, b = np.exp(patches)
  shares = (np.exp(mixed.numpy()[0]) - b) / (a - b)
  share = np.median(shares)
  assert 0 < share < 1
  np.testing.assert_allclose(
    np.exp(mixed.numpy()[0]), share * a + (1 - share) * b, rtol=1e-3
  )
  assert target.numpy().tolist() == [[1, 0, -1], [1, 0, -1]]


def test_wrong_values_are_refused():
  with pytest.raises(InputError, match='gain_db is -1'):
    AugmentConfig(gain_db=-1)
