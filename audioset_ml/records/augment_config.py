"""How patches are augmented, as plain values. Needs no TensorFlow."""

import dataclasses

from audioset_ml.core.errors import InputError

# What augmentation does, by its setting, that only spectrograms can undergo.
OF_SPECTROGRAMS = {
  'gain_db': 'changes loudness',
  'shift_seconds': 'shifts spectrograms in time',
  'frequency_masks': 'silences mel bands',
  'time_masks': 'silences stretches of spectrograms',
  'mixup_alpha': 'adds magnitudes of spectrograms',
}


@dataclasses.dataclass(frozen=True)
class AugmentConfig:
  """How patches are augmented; the defaults change nothing.

  Attributes:
    gain_db: the largest gain or attenuation (dB).
    shift_seconds: the largest shift in time, either way (s).
    frequency_masks: how many bands SpecAugment silences.
    frequency_mask_bands: the widest of them (mel bands).
    time_masks: how many stretches SpecAugment silences.
    time_mask_frames: the longest of them (frames).
    mixup_alpha: mixing shares are drawn from Beta(alpha, alpha); 0 for none.
  """

  gain_db: float = 0.0
  shift_seconds: float = 0.0
  frequency_masks: int = 0
  frequency_mask_bands: int = 8
  time_masks: int = 0
  time_mask_frames: int = 16
  mixup_alpha: float = 0.0

  def __post_init__(self):
    for field in dataclasses.fields(self):
      value = getattr(self, field.name)
      if not 0 <= value < float('inf'):
        raise InputError(f'{field.name} is {value}, but must be 0 or more')

  @property
  def of_patches(self) -> bool:
    """Whether single patches are changed."""
    return bool(
      self.gain_db or self.shift_seconds or self.frequency_masks or self.time_masks
    )
