"""Silent patches that are labelled as such, without anybody's having heard them.

YAMNet's authors "automatically label silence frames" in training (tensorflow/models,
issue 10368) and don't say how. Our reading: a patch whose level in the log-mel
spectrogram is below a threshold is a positive of the class Silence, unless people said
otherwise; what else its clip is labelled with stays.
"""

import dataclasses
import math
from typing import TYPE_CHECKING

from audioset_ml.audio.front_end import FrontEnd
from audioset_ml.core.errors import InputError
from audioset_ml.records.folder import RecordsFolder

if TYPE_CHECKING:
  import tensorflow as tf

SILENCE = 'Silence'
_LEAST_POWER = 1e-30  # whose logarithm is a number


@dataclasses.dataclass(frozen=True)
class SilenceConfig:
  """Which patches are silent.

  Attributes:
    below_db: the level; see `SilenceRule.levels`.
    name: name or mid of the class that they are positives of.
  """

  below_db: float
  name: str = SILENCE

  def __post_init__(self):
    if not math.isfinite(self.below_db):
      raise InputError(f'silence_below_db is {self.below_db}, but must be a number')

  def of(self, records: RecordsFolder) -> 'SilenceRule':
    """The rule for some records.

    Raises:
      InputError: they have no such class, or no log-mel spectrograms.
    """
    front_end = records.frames.require_front_end(
      '--silence_below_db is of levels', str(records.path)
    )
    return SilenceRule(self.below_db, records.class_map.find(self.name), front_end)


@dataclasses.dataclass(frozen=True)
class SilenceRule:
  """Labels silent patches; attributes as `SilenceConfig` has, and the class's index."""

  below_db: float
  index: int
  front_end: FrontEnd

  def labelled(self, target: 'tf.Tensor', patches: 'tf.Tensor') -> 'tf.Tensor':
    """The target, in which implicit negatives of silent patches are positives.

    Args:
      target: of `TargetMaker` that tells explicit negatives. Shape [batch, classes].
      patches: log-mel patches. Shape [batch, frames, bands], float32.
    """
    import tensorflow as tf

    from audioset_ml.records.targets import NEGATIVE, POSITIVE

    silent = self.levels(patches) < self.below_db
    here = tf.one_hot(self.index, target.shape[-1], True, False, dtype=tf.bool)
    changed = silent[:, tf.newaxis] & here & (target == NEGATIVE)
    return tf.where(changed, tf.constant(POSITIVE, target.dtype), target)

  def levels(self, patches: 'tf.Tensor') -> 'tf.Tensor':
    """The level of patches in dB, over bands and frames; a sine of full scale has about
    0, from 200 to 7,000 Hz. Shape [batch]."""
    import tensorflow as tf

    magnitudes = tf.maximum(tf.exp(patches) - self.front_end.log_offset, 0.0)
    power = tf.reduce_mean(tf.reduce_sum(tf.square(magnitudes), axis=2), axis=1)
    # A Hann window makes a quarter of its samples of a sine of amplitude 1 at its
    # frequency, and as much again on both sides; mel bands add these up.
    full_scale = self.front_end.window_samples / 2
    decibels = 10 / math.log(10)
    return decibels * tf.math.log(power / full_scale**2 + _LEAST_POWER)
