"""A clip: which events it has, and how they are laid over background noise."""

import dataclasses
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import scipy.fft

from audioset_ml.synthesis.config import SAMPLE_RATE, SoundscapeConfig
from audioset_ml.synthesis.sound_classes import SoundClass

_PEAK = 0.98  # of full scale; louder clips are scaled down as a whole
_BACKGROUND_LOWEST_HZ = 50  # as microphones roll off; else 1/f^2 is all subsonic
_FADE_SECONDS = 0.01
# Attempts at an event that doesn't overlap another of its class, then it is left out.
_ATTEMPTS = 100


class Sounds(Protocol):
  """Where events come from: synthesisers or recordings."""

  @property
  def classes(self) -> Sequence[SoundClass]:
    """The classes, in the order of their indices."""

  def choose(
    self, rng: np.random.Generator, split: str, class_index: int
  ) -> tuple[str, float]:
    """A source for an event in a clip of the split, and its greatest length (s)."""

  def render(
    self,
    rng: np.random.Generator,
    class_index: int,
    source: str,
    seconds: float,
    sample_rate: int,
  ) -> np.ndarray:
    """The event's sound, float32 [round(seconds * sample_rate)], at any level."""


@dataclasses.dataclass(frozen=True)
class Event:
  """A sound in a clip. Times are whole milliseconds, as in AudioSet's strong labels.

  Attributes:
    class_index: its class.
    start_ms: where it starts in the clip.
    end_ms: where it ends.
    snr_db: its power over the background's, both over its own duration.
    source: the generator's name, or the recording's path within source_dir.
  """

  class_index: int
  start_ms: int
  end_ms: int
  snr_db: float
  source: str

  @property
  def samples(self) -> slice:
    """Its samples within the clip."""
    per_ms = SAMPLE_RATE // 1000
    return slice(self.start_ms * per_ms, self.end_ms * per_ms)

  def overlaps_same_class(self, other: 'Event') -> bool:
    """Whether both are of one class and share time, or touch."""
    return (
      self.class_index == other.class_index
      and self.start_ms <= other.end_ms
      and other.start_ms <= self.end_ms
    )


def plan_events(
  rng: np.random.Generator, config: SoundscapeConfig, sounds: Sounds, split: str
) -> tuple[Event, ...]:
  """Draws a clip's events, in the order of their starts.

  Events of one class never overlap, so that each is a strong label of its own; an
  event for which no room is found (few classes, long events) is left out.
  """
  counts = np.arange(1, len(config.event_probabilities) + 1)
  probabilities = np.asarray(config.event_probabilities)
  count = rng.choice(counts, p=probabilities / probabilities.sum())
  events = []
  for _ in range(count):
    for _ in range(_ATTEMPTS):
      event = _draw_event(rng, config, sounds, split)
      if not any(event.overlaps_same_class(other) for other in events):
        events.append(event)
        break
  return tuple(sorted(events, key=lambda event: (event.start_ms, event.class_index)))


def background(rng: np.random.Generator, config: SoundscapeConfig) -> np.ndarray:
  """Coloured noise, 1/f^a in power above 50 Hz. Float32 [clip samples]."""
  samples = round(config.clip_seconds * SAMPLE_RATE)
  exponent = rng.uniform(*config.background_exponent)
  level = 10 ** (rng.uniform(*config.background_dbfs) / 20)
  length = scipy.fft.next_fast_len(samples, real=True)
  frequencies = scipy.fft.rfftfreq(length, 1 / SAMPLE_RATE).astype(np.float32)
  shape = np.maximum(frequencies, _BACKGROUND_LOWEST_HZ) ** np.float32(-exponent / 2)
  shape[frequencies < _BACKGROUND_LOWEST_HZ] = 0
  parts = rng.standard_normal(2 * frequencies.size, dtype=np.float32)
  noise = scipy.fft.irfft(shape * parts.view(np.complex64), length)[:samples]
  return noise * (level / np.sqrt(np.mean(noise**2)))


def mix(
  noise: np.ndarray, events: Sequence[Event], waveforms: Sequence[np.ndarray]
) -> np.ndarray:
  """Lays events over the background, each at its signal-to-noise ratio.

  The ratio is that of mean powers over the event's duration: pauses within an event
  (between knocks, say) count, other events don't.

  Args:
    noise: the background, float32 [clip samples].
    events: when and how loud.
    waveforms: the events' sounds, float32 [event samples] each.

  Returns:
    The clip, float32 [clip samples]; scaled down as a whole where its peak would
    exceed 0.98, which changes no ratio.
  """
  clip = noise.copy()
  for event, waveform in zip(events, waveforms, strict=True):
    sound = _fade_out(waveform)
    sound_power = np.mean(np.square(sound, dtype=np.float64))
    noise_power = np.mean(np.square(noise[event.samples], dtype=np.float64))
    ratio = 10 ** (event.snr_db / 10)
    gain = np.sqrt(ratio * noise_power / max(sound_power, 1e-20))
    clip[event.samples] += np.float32(gain) * sound
  peak = np.abs(clip).max()
  return clip * np.float32(_PEAK / peak) if peak > _PEAK else clip


def render_clip(
  rng: np.random.Generator,
  config: SoundscapeConfig,
  sounds: Sounds,
  events: Sequence[Event],
) -> np.ndarray:
  """The sound of a clip with these events, float32 [clip samples]."""
  noise = background(rng, config)
  waveforms = [
    sounds.render(
      rng,
      event.class_index,
      event.source,
      (event.end_ms - event.start_ms) / 1000,
      SAMPLE_RATE,
    )
    for event in events
  ]
  return mix(noise, events, waveforms)


def _draw_event(
  rng: np.random.Generator, config: SoundscapeConfig, sounds: Sounds, split: str
) -> Event:
  class_index = int(rng.integers(len(sounds.classes)))
  source, longest = sounds.choose(rng, split, class_index)
  seconds = min(rng.uniform(*config.event_seconds), longest, config.clip_seconds)
  # Rounded down: a recording has no millisecond more, nor has the clip.
  duration_ms = max(int(seconds * 1000), 1)
  latest_ms = int(config.clip_seconds * 1000) - duration_ms
  start_ms = int(rng.integers(latest_ms + 1))
  snr_db = round(float(rng.uniform(*config.snr_db)), 3)
  return Event(class_index, start_ms, start_ms + duration_ms, snr_db, source)


def _fade_out(waveform: np.ndarray) -> np.ndarray:
  """Ramps the last 10 ms, so that a sound cut off doesn't click."""
  length = min(int(_FADE_SECONDS * SAMPLE_RATE), waveform.size)
  faded = waveform.copy()
  faded[faded.size - length :] *= np.linspace(1, 0, length, dtype=np.float32)
  return faded
