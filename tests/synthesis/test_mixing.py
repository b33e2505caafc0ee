"""Clips: where the events lie, and how loud."""

import hypothesis
import numpy as np
import pytest
import scipy.signal
from hypothesis import strategies

from audioset_ml.synthesis import mixing
from audioset_ml.synthesis.config import SAMPLE_RATE, SoundscapeConfig
from audioset_ml.synthesis.mixing import Event
from audioset_ml.synthesis.sound_classes import SOUND_CLASSES, ParametricSounds


def measured_snr(noise, event, waveform):
  """The ratio as it stands in the mixture, from the difference that the event makes."""
  sound = mixing.mix(noise, [event], [waveform]) - noise
  powers = [np.mean(part[event.samples] ** 2) for part in (sound, noise)]
  return 10 * np.log10(powers[0] / powers[1])


@hypothesis.given(
  snr_db=strategies.floats(-10, 20),
  start_ms=strategies.integers(0, 9000),
  seed=strategies.integers(0, 1000),
)
@hypothesis.settings(max_examples=15, deadline=None)
def test_snr_is_as_asked(snr_db, start_ms, seed):
  rng = np.random.default_rng(seed)
  config = SoundscapeConfig(background_dbfs=(-50, -45))
  noise = mixing.background(rng, config)
  event = Event(0, start_ms, start_ms + 1000, snr_db, 'siren')
  waveform = 7 * rng.standard_normal(SAMPLE_RATE).astype(np.float32)
  assert measured_snr(noise, event, waveform) == pytest.approx(snr_db, abs=0.01)


def test_nothing_sounds_outside_the_event():
  noise = mixing.background(np.random.default_rng(0), SoundscapeConfig())
  event = Event(0, 2500, 3000, 10.0, 'siren')
  change = mixing.mix(noise, [event], [np.ones(8000, np.float32)]) - noise
  assert change[40_000:47_000].all()
  assert not change[:40_000].any()
  assert not change[48_000:].any()


def test_loud_clips_are_scaled_as_a_whole():
  noise = mixing.background(
    np.random.default_rng(0), SoundscapeConfig(background_dbfs=(-12, -12))
  )
  event = Event(0, 0, 1000, 20.0, 'siren')
  tone = np.sin(0.3 * np.arange(SAMPLE_RATE)).astype(np.float32)
  clip = mixing.mix(noise, [event], [tone])
  assert np.abs(clip).max() == pytest.approx(0.98, abs=1e-3)
  scale = clip[SAMPLE_RATE:] / noise[SAMPLE_RATE:]
  np.testing.assert_allclose(scale, scale[0], rtol=1e-4)


@pytest.mark.parametrize('exponent', [0.0, 1.0, 2.0])
def test_background_has_its_level_and_colour(exponent):
  config = SoundscapeConfig(
    background_dbfs=(-40, -40), background_exponent=(exponent, exponent)
  )
  noise = mixing.background(np.random.default_rng(0), config)
  assert noise.dtype == np.float32
  assert noise.shape == (160_000,)
  assert 20 * np.log10(noise.std()) == pytest.approx(-40, abs=0.01)
  hz, power = scipy.signal.welch(noise, SAMPLE_RATE, nperseg=4096)
  band = (hz > 100) & (hz < 7500)
  slope = np.polyfit(np.log(hz[band]), np.log(power[band]), 1)[0]
  assert -slope == pytest.approx(exponent, abs=0.1)


@hypothesis.given(
  seed=strategies.integers(0, 10_000), classes=strategies.integers(1, 3)
)
@hypothesis.settings(max_examples=50, deadline=None)
def test_events_lie_in_the_clip_and_never_overlap_their_own_class(seed, classes):
  config = SoundscapeConfig(event_probabilities=(0, 0, 0, 1))
  sounds = ParametricSounds(SOUND_CLASSES[:classes])
  events = mixing.plan_events(np.random.default_rng(seed), config, sounds, 'train')
  assert 1 <= len(events) <= 4
  for event in events:
    assert 0 <= event.start_ms < event.end_ms <= 10_000
    assert 500 <= event.end_ms - event.start_ms <= 5000
    assert 0 <= event.snr_db <= 20
    others = [item for item in events if item != event]
    assert not any(event.overlaps_same_class(other) for other in others)
  assert list(events) == sorted(events, key=lambda event: event.start_ms)


def test_number_of_events_follows_the_probabilities():
  config, sounds = SoundscapeConfig(), ParametricSounds()
  rng = np.random.default_rng(0)
  counts = [len(mixing.plan_events(rng, config, sounds, 'train')) for _ in range(2000)]
  shares = np.bincount(counts, minlength=5)[1:] / 2000
  np.testing.assert_allclose(shares, (0.30, 0.35, 0.25, 0.10), atol=0.04)
