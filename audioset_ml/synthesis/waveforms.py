"""What the generators are built of: timing, resonances, slow noise, harmonic tones."""

import numpy as np
import scipy.fft
import scipy.signal

# Partials above this share of the sample rate would alias.
_HIGHEST_PARTIAL = 0.45
_EDGE_SECONDS = 0.005  # attack and release of anything gated, against clicks


def times(seconds: float, sample_rate: int) -> np.ndarray:
  """The times (s) of the samples, at least one. Shape [samples]."""
  return np.arange(max(round(seconds * sample_rate), 1)) / sample_rate


def rms(waveform: np.ndarray) -> float:
  """Root mean square; never 0, so that it can be divided by."""
  return float(np.sqrt(np.mean(waveform**2))) + 1e-12


def onsets(
  rng: np.random.Generator, seconds: float, rate_hz: float, jitter: float
) -> np.ndarray:
  """Times (s) of about `rate_hz` onsets a second; the first is 0. Shape [onsets]."""
  count = int(2 * seconds * rate_hz) + 2
  gaps = np.exp(jitter * rng.standard_normal(count)) / rate_hz
  onsets = np.concatenate([[0.0], np.cumsum(gaps)])
  return onsets[onsets < seconds]


def pulse_train(
  rng: np.random.Generator,
  seconds: float,
  sample_rate: int,
  rate_hz: float,
  jitter: float,
) -> np.ndarray:
  """Pulses of varying strength at `onsets`; zeros between them. Shape [samples]."""
  train = np.zeros(times(seconds, sample_rate).size)
  starts = (onsets(rng, seconds, rate_hz, jitter) * sample_rate).astype(np.int64)
  starts = starts[starts < train.size]
  train[starts] = np.exp(0.3 * rng.standard_normal(starts.size))
  return train


def hit(
  rng: np.random.Generator,
  hz: float,
  decay_seconds: float,
  noisiness: float,
  sample_rate: int,
) -> np.ndarray:
  """A single hit, faded to 1/400 of its level. Shape [6 * decay_seconds in samples]."""
  time = times(6 * decay_seconds, sample_rate)
  ring = np.sin(2 * np.pi * hz * time)
  burst = resonate(rng.standard_normal(time.size), hz, 1 / hz, sample_rate)
  mixed = (1 - noisiness) * ring / rms(ring) + noisiness * burst / rms(burst)
  return mixed * np.exp(-time / decay_seconds)


def resonate(
  source: np.ndarray, hz: float, decay_seconds: float, sample_rate: int
) -> np.ndarray:
  """Passes a source through a two-pole resonance that falls to 1/e in the time."""
  if hz > _HIGHEST_PARTIAL * sample_rate:
    return np.zeros(source.size)
  radius = np.exp(-1 / (decay_seconds * sample_rate))
  angle = 2 * np.pi * hz / sample_rate
  feedback = [1, -2 * radius * np.cos(angle), radius**2]
  return scipy.signal.lfilter([np.sin(angle)], feedback, source)


def slow_noise(
  rng: np.random.Generator, samples: int, sample_rate: int, rate_hz: float
) -> np.ndarray:
  """Standard normal points `rate_hz` times a second, joined by lines. [samples]."""
  points = rng.standard_normal(int(samples / sample_rate * rate_hz) + 3)
  start = rng.random()
  position = start + np.arange(samples) * (rate_hz / sample_rate)
  return np.interp(position, np.arange(points.size), points)


def gate(cycles: np.ndarray, duty: float, cycle_hz: float) -> np.ndarray:
  """1 in the first `duty` of each cycle, else 0, with short ramps. [samples]."""
  if duty >= 1:
    return np.ones(cycles.size)
  position = cycles % 1
  ramp = _EDGE_SECONDS * cycle_hz
  return np.clip(np.minimum(position, duty - position) / ramp, 0, 1)


def harmonic_tone(
  rng: np.random.Generator,
  pitch: np.ndarray,
  sample_rate: int,
  rolloff: float,
  in_phase: bool = False,
) -> np.ndarray:
  """A tone of varying pitch (Hz, [samples]) from one period's table. [samples]."""
  highest = int(_HIGHEST_PARTIAL * sample_rate / pitch.max())
  numbers = np.arange(1, np.clip(highest, 1, 40) + 1)
  phases = 0 if in_phase else rng.random(numbers.size)
  spectrum = np.zeros(1025, np.complex128)
  spectrum[numbers] = numbers**-rolloff * np.exp(2j * np.pi * phases)
  table = scipy.fft.irfft(spectrum) * 1024
  position = np.cumsum(pitch) * (table.size / sample_rate)
  return table[position.astype(np.int64) % table.size]
