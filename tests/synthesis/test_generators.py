"""The generators do what their parameters say."""

import numpy as np
import pytest
import scipy.signal

from audioset_ml.synthesis import generators

SAMPLE_RATE = 16_000
SIREN = {
  'low_hz': 1000.0, 'span': 1.0, 'cycle_hz': 2.0, 'steps': 0.0, 'duty': 1.0,
  'rolloff': 2.0,
}  # fmt: skip
BELL = {
  'pitch_hz': 500.0, 'pitch_spread': 0.0, 'stretch': 1.0, 'decay_seconds': 0.2,
  'strike_hz': 0.5, 'jitter': 0.0,
}  # fmt: skip
IMPACT = {
  'rate_hz': 5.0, 'jitter': 0.0, 'resonance_hz': 1000.0, 'decay_seconds': 0.01,
  'noisiness': 0.2, 'alternation': 1.0,
}  # fmt: skip
ENGINE = {
  'firing_hz': 50.0, 'wander': 0.0, 'unevenness': 0.0, 'resonance_hz': 400.0,
  'rolloff': 0.5, 'noisiness': 0.0,
}  # fmt: skip
TEXTURE = {
  'centre_hz': 2000.0, 'octaves': 0.3, 'grain_hz': 100.0, 'graininess': 0.0,
  'swell_hz': 1.0, 'swell_depth': 0.0,
}  # fmt: skip
CALL = {
  'pitch_hz': 1000.0, 'glide': 1.0, 'call_seconds': 0.2, 'call_hz': 2.0,
  'trill_hz': 10.0, 'rolloff': 3.0, 'breath': 0.0,
}  # fmt: skip


def make(generator, defaults, seconds=2.0, seed=0, **changes):
  rng = np.random.default_rng(seed)
  return generator(rng, seconds, SAMPLE_RATE, **{**defaults, **changes})


def peak_hz(waveform):
  spectrum = np.abs(np.fft.rfft(waveform * np.hanning(waveform.size)))
  return spectrum.argmax() * SAMPLE_RATE / waveform.size


def level(waveform, seconds=0.02):
  """RMS over consecutive frames."""
  frame = round(seconds * SAMPLE_RATE)
  frames = waveform[: waveform.size // frame * frame].reshape(-1, frame)
  return np.sqrt((frames**2).mean(axis=1))


def test_siren_keeps_its_pitch_or_sweeps_between_two():
  assert peak_hz(make(generators.siren, SIREN)) == pytest.approx(1000, abs=2)
  sweep = make(generators.siren, SIREN, span=2.0)
  frames = sweep.reshape(-1, 800)
  pitches = [peak_hz(frame) for frame in frames]
  assert min(pitches) == pytest.approx(1000, rel=0.05)
  assert max(pitches) == pytest.approx(2000, rel=0.05)


def test_siren_beeps_for_its_share_of_each_cycle():
  beeps = make(generators.siren, SIREN, duty=0.3)
  is_on = level(beeps, 0.01) > 0.1 * level(beeps, 0.01).max()
  assert is_on.mean() == pytest.approx(0.3, abs=0.03)
  assert is_on[2]  # it starts with a beep


def test_siren_steps_spend_no_time_between_the_pitches():
  def share_between(steps):
    frames = make(generators.siren, SIREN, span=2.0, steps=steps).reshape(-1, 400)
    pitches = np.array([peak_hz(frame) for frame in frames])
    return np.mean((pitches > 1200) & (pitches < 1700))

  assert share_between(1.0) < 0.1 < share_between(0.0)


def test_bell_decays_at_its_rate():
  levels = level(make(generators.bell, BELL, seconds=1.0))
  # A fifth of a second to 1/e for the lowest partial; the others go sooner.
  assert 0.5 * np.exp(-2) < levels[30] / levels[10] < np.exp(-1.5)


def test_bell_partials_stretch():
  stretched = make(generators.bell, BELL, stretch=1.5, seed=1)
  power = np.abs(np.fft.rfft(stretched)) ** 2
  hz = np.fft.rfftfreq(stretched.size, 1 / SAMPLE_RATE)

  def near(centre):
    return power[np.abs(hz - centre) < 0.05 * centre].sum()

  assert near(500 * 2**1.5) > 10 * near(500 * 2)


def test_impacts_come_at_their_rate():
  levels = level(make(generators.impact, IMPACT, seconds=4.0), 0.01)
  hits, _ = scipy.signal.find_peaks(
    np.concatenate([[0], levels]), height=0.2 * levels.max(), distance=5
  )
  assert len(hits) == 20


def test_impacts_alternate_between_two_pitches():
  hits = make(generators.impact, IMPACT, alternation=1.5, noisiness=0.0)
  period = SAMPLE_RATE // 5
  assert peak_hz(hits[:period]) == pytest.approx(1000, rel=0.05)
  assert peak_hz(hits[period : 2 * period]) == pytest.approx(1500, rel=0.05)


def test_engine_repeats_with_each_combustion():
  sound = make(generators.engine, ENGINE)
  lag = SAMPLE_RATE // 50
  assert np.corrcoef(sound[4000:-lag], sound[4000 + lag :])[0, 1] > 0.95
  uneven = make(generators.engine, ENGINE, unevenness=1.0)
  assert np.corrcoef(uneven[4000:-lag], uneven[4000 + lag :])[0, 1] < 0.95


def test_texture_keeps_to_its_band():
  sound = make(generators.texture, TEXTURE)
  hz, power = scipy.signal.welch(sound, SAMPLE_RATE)
  inside = (hz > 2000 / 2**0.6) & (hz < 2000 * 2**0.6)
  assert power[inside].sum() > 0.95 * power.sum()


def test_texture_of_grains_is_burstier_than_smooth_noise():
  def kurtosis(graininess):
    sound = make(generators.texture, TEXTURE, octaves=2.0, graininess=graininess)
    return np.mean(sound**4) / np.mean(sound**2) ** 2

  assert kurtosis(1.0) > 3 * kurtosis(0.0)


def test_texture_swells():
  def spread(depth):
    levels = level(make(generators.texture, TEXTURE, seconds=8.0, swell_depth=depth))
    return np.log(levels).std()

  assert spread(0.8) > 3 * spread(0.0)


def test_calls_glide_and_pause():
  calls = make(generators.call, CALL, glide=2.0, seed=3)
  third = SAMPLE_RATE // 15
  first, last = peak_hz(calls[:third]), peak_hz(calls[2 * third : 3 * third])
  assert 1.3 < last / first < 2
  is_on = level(calls) > 0.02 * level(calls).max()
  assert 0.25 < is_on.mean() < 0.6  # 0.2 s, about twice a second
