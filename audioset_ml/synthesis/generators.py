"""Parametric sounds: one fast, vectorised generator for each family of classes.

Each takes `(rng, seconds, sample_rate, **parameters)` and returns a float32 waveform
of shape [round(seconds * sample_rate)] at an arbitrary level; the mixing sets the
level. Two events with equal parameters still differ: what the parameters leave open
(phases, irregular timing, strengths, the colour of a strike) is drawn from `rng`.
The sound starts at the waveform's first samples, so that an event's start is a start.
"""

import numpy as np
import scipy.fft
import scipy.signal

from audioset_ml.synthesis import waveforms


def siren(
  rng: np.random.Generator,
  seconds: float,
  sample_rate: int,
  *,
  low_hz: float,
  span: float,
  cycle_hz: float,
  steps: float,
  duty: float,
  rolloff: float,
) -> np.ndarray:
  """A tone that sweeps between two pitches, or beeps.

  Args:
    low_hz: the lower pitch.
    span: the higher pitch over the lower one; 1 for a steady pitch.
    cycle_hz: sweeps, or beeps, in a second.
    steps: 0 for a gliding pitch to 1 for one that jumps between the two.
    duty: the share of each cycle that sounds; 1 for no pauses.
    rolloff: harmonic n has the amplitude n ** -rolloff.
  """
  time = waveforms.times(seconds, sample_rate)
  sweep = np.sin(2 * np.pi * (cycle_hz * time + rng.random()))
  sharpness = 0.1 + 8 * steps**2
  sweep = np.tanh(sharpness * sweep) / np.tanh(sharpness)
  pitch = low_hz * span ** ((1 + sweep) / 2)
  tone = waveforms.harmonic_tone(rng, pitch, sample_rate, rolloff)
  return _float32(tone * waveforms.gate(cycle_hz * time, duty, cycle_hz))


def bell(
  rng: np.random.Generator,
  seconds: float,
  sample_rate: int,
  *,
  pitch_hz: float,
  pitch_spread: float,
  stretch: float,
  decay_seconds: float,
  strike_hz: float,
  jitter: float,
) -> np.ndarray:
  """Struck metal: decaying, inharmonic partials.

  Args:
    pitch_hz: the lowest partial.
    pitch_spread: standard deviation of the log pitch among the three bells that are
      struck at random; near 0 for a single bell.
    stretch: partial n stands at n ** stretch times the lowest; 1 is harmonic.
    decay_seconds: time in which the lowest partial falls to 1/e.
    strike_hz: strikes in a second.
    jitter: irregularity of the strikes, 0 to 1.
  """
  strikes = waveforms.pulse_train(rng, seconds, sample_rate, strike_hz, jitter)
  bell_of = rng.integers(3, size=strikes.size)
  sound = np.zeros(strikes.size)
  for number in range(3):
    pitch = pitch_hz * np.exp(pitch_spread * rng.standard_normal())
    struck = np.where(bell_of == number, strikes, 0)
    if not struck.any():
      continue
    for partial in range(1, 7):
      hz = pitch * partial**stretch * np.exp(0.01 * rng.standard_normal())
      amplitude = rng.uniform(0.3, 1) / np.sqrt(partial)
      decay = decay_seconds / partial**0.7
      sound += amplitude * waveforms.resonate(struck, hz, decay, sample_rate)
  return _float32(sound)


def impact(
  rng: np.random.Generator,
  seconds: float,
  sample_rate: int,
  *,
  rate_hz: float,
  jitter: float,
  resonance_hz: float,
  decay_seconds: float,
  noisiness: float,
  alternation: float,
) -> np.ndarray:
  """Short hits in a rhythm.

  Args:
    rate_hz: hits in a second.
    jitter: irregularity of the hits, 0 to 1.
    resonance_hz: what the struck body rings at.
    decay_seconds: time in which a hit falls to 1/e.
    noisiness: 0 for a ringing hit to 1 for a burst of noise around the resonance.
    alternation: every other hit rings at this multiple of the resonance.
  """
  hits = waveforms.pulse_train(rng, seconds, sample_rate, rate_hz, jitter)
  every_other = np.cumsum(hits > 0) % 2 == 1
  sound = np.zeros(hits.size)
  for chosen, ratio in ((every_other, 1), (~every_other, alternation)):
    kernel = waveforms.hit(
      rng, resonance_hz * ratio, decay_seconds, noisiness, sample_rate
    )
    kernel = kernel[: hits.size]
    sound += scipy.signal.oaconvolve(np.where(chosen, hits, 0), kernel)[: hits.size]
  return _float32(sound)


def engine(
  rng: np.random.Generator,
  seconds: float,
  sample_rate: int,
  *,
  firing_hz: float,
  wander: float,
  unevenness: float,
  resonance_hz: float,
  rolloff: float,
  noisiness: float,
) -> np.ndarray:
  """Combustion pulses through the resonance of a casing, with pulsed noise.

  Args:
    firing_hz: combustions in a second.
    wander: standard deviation of the log speed, which drifts at about 2 Hz.
    unevenness: how much the four cylinders differ in strength, 0 to 1.
    resonance_hz: where the casing and the exhaust resonate.
    rolloff: harmonic n of the pulse has the amplitude n ** -rolloff.
    noisiness: level of the noise against the pulses, 0 to 1.
  """
  samples = waveforms.times(seconds, sample_rate).size
  drift = waveforms.slow_noise(rng, samples, sample_rate, 2.0)
  speed = firing_hz * np.exp(wander * drift)
  cycles = np.cumsum(speed) / sample_rate
  strengths = 1 + unevenness * rng.uniform(-1, 1, 4)
  strength = strengths[cycles.astype(np.int64) % 4]
  pulses = strength * waveforms.harmonic_tone(
    rng, speed, sample_rate, rolloff, in_phase=True
  )
  noise = strength * (1 + np.cos(2 * np.pi * cycles)) * rng.standard_normal(samples)
  source = pulses / waveforms.rms(pulses) + 1.5 * noisiness * noise / waveforms.rms(
    noise
  )
  ringing = waveforms.resonate(source, resonance_hz, 2.5 / resonance_hz, sample_rate)
  return _float32(source / 3 + ringing / waveforms.rms(ringing))


def texture(
  rng: np.random.Generator,
  seconds: float,
  sample_rate: int,
  *,
  centre_hz: float,
  octaves: float,
  grain_hz: float,
  graininess: float,
  swell_hz: float,
  swell_depth: float,
) -> np.ndarray:
  """A band of noise, smooth or made of grains, that may swell.

  Args:
    centre_hz: middle of the band.
    octaves: half-width of the band at which the amplitude falls to 1/sqrt(e).
    grain_hz: drops, crackles or bubbles in a second.
    graininess: 0 for smooth noise to 1 for grains alone.
    swell_hz: swells in a second.
    swell_depth: 0 for a steady level to 1 for swells out of near silence.
  """
  samples = waveforms.times(seconds, sample_rate).size
  grains = rng.random(samples) < grain_hz / sample_rate
  grains = np.where(grains, rng.standard_normal(samples) ** 3, 0)
  grains[0] = 1  # never silent
  smooth = rng.standard_normal(samples)
  source = (1 - graininess) * smooth + graininess * grains / waveforms.rms(grains)
  length = scipy.fft.next_fast_len(samples, real=True)
  frequencies = np.maximum(scipy.fft.rfftfreq(length, 1 / sample_rate), 1)
  distance = np.log2(frequencies / centre_hz) / octaves
  band = scipy.fft.rfft(source, length) * np.exp(-0.5 * distance**2)
  swell = waveforms.slow_noise(rng, samples, sample_rate, swell_hz)
  level = np.exp(2 * swell_depth * swell)
  return _float32(level * scipy.fft.irfft(band, length)[:samples])


def call(
  rng: np.random.Generator,
  seconds: float,
  sample_rate: int,
  *,
  pitch_hz: float,
  glide: float,
  call_seconds: float,
  call_hz: float,
  trill_hz: float,
  rolloff: float,
  breath: float,
) -> np.ndarray:
  """Short voiced calls, one after the other.

  Args:
    pitch_hz: pitch at the middle of a call.
    glide: pitch at a call's end over that at its start.
    call_seconds: length of a call.
    call_hz: calls in a second; they never run into each other.
    trill_hz: beats of the amplitude within a call, in a second.
    rolloff: harmonic n has the amplitude n ** -rolloff.
    breath: level of the noise against the voice, 0 to 1.
  """
  time = waveforms.times(seconds, sample_rate)
  onsets = waveforms.onsets(rng, seconds, call_hz, 0.25)
  latest = np.searchsorted(onsets, time, side='right') - 1
  gaps = np.diff(onsets, append=onsets[-1] + 1 / call_hz)
  lengths = np.minimum(call_seconds, 0.95 * gaps)
  position = (time - onsets[latest]) / lengths[latest]  # 0 to 1 within a call
  offsets = np.exp(0.05 * rng.standard_normal(onsets.size))
  inside = np.clip(position, 0, 1)
  pitch = pitch_hz * offsets[latest] * glide ** (inside - 0.5)
  voice = waveforms.harmonic_tone(rng, pitch, sample_rate, rolloff)
  noise = waveforms.resonate(
    rng.standard_normal(time.size), 2 * pitch_hz, 1 / pitch_hz, sample_rate
  )
  trill = 1 + 0.8 * np.cos(2 * np.pi * trill_hz * time)
  envelope = np.sqrt(np.sin(np.pi * inside)) * trill * (position < 1)
  return _float32(
    envelope * (voice / waveforms.rms(voice) + breath * noise / waveforms.rms(noise))
  )


def _float32(waveform: np.ndarray) -> np.ndarray:
  return waveform.astype(np.float32)
