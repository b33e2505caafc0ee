"""The front end's parameters: YAMNet's, in one frozen dataclass.

Needs no TensorFlow, so that records and models can state and compare their front end
cheaply; `audio.features` computes with it.
"""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from audioset_ml.core.errors import InputError, shown

# Above what sounds and networks have, and below what takes all memory: a front end can
# come from a file of anyone.
_MOST = {'sample_rate': 1_000_000, 'mel_bands': 1024}  # recorders of bats: 500 kHz
_MOST_OF_OTHERS = 1_000_000  # seconds and hertz
_MOST_WINDOW_SAMPLES = 1 << 16
_MOST_HOPS = 64  # under the window; YAMNet has 2.5
_MOST_PATCH_SAMPLES = 1 << 22  # over four minutes at 16 kHz
_MOST_PATCH_VALUES = 1 << 22


@dataclasses.dataclass(frozen=True)
class FrontEnd:
  """How sound becomes log-mel patches; the defaults are YAMNet's (`params.py`).

  Attributes:
    sample_rate: of the waveform, in Hz.
    window_seconds: length of the Hann window of the short-time Fourier transform.
    hop_seconds: from one spectrogram frame to the next.
    mel_bands: number of mel bands.
    mel_min_hz: lower edge of the lowest mel band.
    mel_max_hz: upper edge of the highest mel band.
    log_offset: added to the mel magnitudes before the logarithm.
    patch_window_seconds: length of a patch, the model's input.
    patch_hop_seconds: from one evaluation patch to the next.

  At most: 1,000,000 Hz; 65,536 samples, and 64 hops, under the window, so that the
  Fourier transform (the next power of two) is no longer; 1,024 mel bands; 4,194,304
  samples (over four minutes at 16 kHz), and as many values (frames x mel bands), in a
  patch; as many samples between two.

  Raises:
    InputError: a parameter is no number, not positive or above its bound, or they don't
      fit together.
  """

  sample_rate: int = 16000
  window_seconds: float = 0.025
  hop_seconds: float = 0.010
  mel_bands: int = 64
  mel_min_hz: float = 125.0
  mel_max_hz: float = 7500.0
  log_offset: float = 0.001
  patch_window_seconds: float = 0.96
  patch_hop_seconds: float = 0.48

  def __post_init__(self):
    for field in dataclasses.fields(self):
      self._check_number(field.name, whole=field.type is int)
    if not self.mel_min_hz < self.mel_max_hz <= self.sample_rate / 2:
      raise InputError(
        f'front end: mel_min_hz={self.mel_min_hz} and mel_max_hz={self.mel_max_hz} '
        f'must rise and stay below half of sample_rate={self.sample_rate}'
      )
    for name in ('window', 'hop', 'patch_window', 'patch_hop'):
      unit = self.hop_seconds if name.startswith('patch') else 1 / self.sample_rate
      if round(getattr(self, f'{name}_seconds') / unit) < 1:
        raise InputError(f'front end: {name}_seconds is shorter than {unit:g} s')
    self._check_sizes()

  def _check_sizes(self) -> None:
    """Holds what sizes memory to its bound."""
    rate, hop = self.sample_rate, self.hop_seconds
    sizes = {
      'window_seconds in samples': (rate * self.window_seconds, _MOST_WINDOW_SAMPLES),
      'window_seconds in hops': (self.window_seconds / hop, _MOST_HOPS),
      'patch_window_seconds in samples': (
        rate * self.patch_window_seconds,
        _MOST_PATCH_SAMPLES,
      ),
      'patch_hop_seconds in samples': (
        rate * self.patch_hop_seconds,
        _MOST_PATCH_SAMPLES,
      ),
      'patch_window_seconds in hops, times mel_bands': (
        self.patch_window_seconds / hop * self.mel_bands,
        _MOST_PATCH_VALUES,
      ),
    }
    for name, (size, most) in sizes.items():
      if size > most:
        raise InputError(f'front end: {name} is {size:,g}, but at most {most:,}')

  def _check_number(self, name: str, whole: bool) -> None:
    value = getattr(self, name)
    kinds = int if whole else (int, float)
    if isinstance(value, bool) or not isinstance(value, kinds):
      wanted = 'a whole number' if whole else 'a number'
      raise InputError(f'front end: {name} must be {wanted}, not {value!r}')
    if not 0 < value < math.inf:
      raise InputError(f'front end: {name} must be positive and finite, not {value!r}')
    if value > (most := _MOST.get(name, _MOST_OF_OTHERS)):
      raise InputError(
        f'front end: {name} must be at most {most:,}, not {shown(value)}'
      )

  @property
  def window_samples(self) -> int:
    """Samples under the Hann window."""
    return round(self.sample_rate * self.window_seconds)

  @property
  def hop_samples(self) -> int:
    """Samples from one spectrogram frame to the next."""
    return round(self.sample_rate * self.hop_seconds)

  @property
  def fft_length(self) -> int:
    """The smallest power of two that holds the window."""
    return 1 << (self.window_samples - 1).bit_length()

  @property
  def patch_frames(self) -> int:
    """Spectrogram frames in a patch."""
    return round(self.patch_window_seconds / self.hop_seconds)

  @property
  def patch_hop_frames(self) -> int:
    """Spectrogram frames from one evaluation patch to the next."""
    return round(self.patch_hop_seconds / self.hop_seconds)

  @property
  def patch_hop_samples(self) -> int:
    """Samples from one evaluation patch to the next."""
    return self.patch_hop_frames * self.hop_samples

  @property
  def min_samples(self) -> int:
    """Samples of the shortest waveform that fills one patch."""
    return (self.patch_frames - 1) * self.hop_samples + self.window_samples

  def num_patches(self, frames: int) -> int:
    """How many whole evaluation patches a spectrogram of so many frames has."""
    return max(0, 1 + (frames - self.patch_frames) // self.patch_hop_frames)

  def patches_within(self, samples: int, hop_frames: int) -> int:
    """How many patches a waveform of so many samples fills, at some hop."""
    if samples < self.min_samples:
      return 0
    return 1 + (samples - self.min_samples) // (hop_frames * self.hop_samples)

  def padded_samples(self, samples: int, hop_frames: int) -> int:
    """Samples of the shortest waveform that patches at some hop fill to its end, and
    that has so many at least; see `features.pad_waveform`."""
    hop = hop_frames * self.hop_samples
    hops = -(-max(samples - self.min_samples, 0) // hop)
    return self.min_samples + hops * hop

  def num_samples(self, patches: int) -> int:
    """Samples of the shortest waveform that fills so many evaluation patches."""
    return self.min_samples + (patches - 1) * self.patch_hop_samples

  def to_dict(self) -> dict[str, int | float]:
    """The parameters by name, ready for JSON."""
    return dataclasses.asdict(self)

  @classmethod
  def from_dict(cls, parameters: Mapping[str, Any]) -> 'FrontEnd':
    """The front end that `to_dict` described.

    Raises:
      InputError: a parameter is missing, unknown, or has an impossible value.
    """
    names = {field.name for field in dataclasses.fields(cls)}
    for problem, wrong in (
      ('unknown', set(parameters) - names),
      ('missing', names - set(parameters)),
    ):
      if wrong:
        listed = ', '.join(sorted(map(str, wrong)))
        raise InputError(f'front end: {problem} parameters: {listed}')
    return cls(**parameters)
