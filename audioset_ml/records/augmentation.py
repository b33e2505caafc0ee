"""Augmentation of log-mel patches, defined on targets of all states; off by default.

Everything is a stateless function of a seed and a number, so that a run that goes on
from a checkpoint sees what it would have seen.

| augmentation | the patch | the target |
|---|---|---|
| gain | louder or softer by a random number of decibels | the same |
| time shift | rolled by some frames; what leaves one end enters the other | the same |
| SpecAugment | random bands and stretches silenced (Park et al. 2019) | the same |
| mixup | two patches added in random shares (Zhang et al. 2018) | see `mix_up` |
"""

import tensorflow as tf

from audioset_ml.audio.front_end import FrontEnd
from audioset_ml.records.augment_config import AugmentConfig
from audioset_ml.records.targets import (
  EXPLICIT_NEGATIVE,
  IGNORED,
  NEGATIVE,
  POSITIVE,
)

# Each augmentation draws from a stream of its own.
_GAIN, _SHIFT, _FREQUENCY, _TIME, _MIX = range(1, 6)


def augment_patch(
  patch: tf.Tensor, seed: tuple, config: AugmentConfig, front_end: FrontEnd
) -> tf.Tensor:
  """Gain, time shift and SpecAugment, in this order.

  Args:
    patch: log-mel. Shape [frames, mel_bands], float32.
    seed: two integers that alone decide what happens.
    config: what may happen.
    front_end: the front end.
  """
  if config.gain_db:
    decibels = _uniform(seed, _GAIN, -config.gain_db, config.gain_db)
    patch = change_gain(patch, decibels, front_end.log_offset)
  if config.shift_seconds:
    most = config.shift_seconds / front_end.hop_seconds
    frames = tf.cast(tf.round(_uniform(seed, _SHIFT, -most, most)), tf.int32)
    patch = tf.roll(patch, frames, axis=0)
  silence = tf.math.log(tf.constant(front_end.log_offset, patch.dtype))
  for number in range(config.frequency_masks):
    width = config.frequency_mask_bands
    keep = _mask(seed, (_FREQUENCY, number), front_end.mel_bands, width)
    patch = tf.where(keep[tf.newaxis, :], patch, silence)
  for number in range(config.time_masks):
    keep = _mask(seed, (_TIME, number), front_end.patch_frames, config.time_mask_frames)
    patch = tf.where(keep[:, tf.newaxis], patch, silence)
  return patch


def change_gain(log_mel: tf.Tensor, decibels: tf.Tensor, offset: float) -> tf.Tensor:
  """What the log-mel of a louder or softer waveform would be.

  The mel spectrogram is of magnitudes, log(mel + offset), so a gain of g dB scales mel
  by 10^(g/20); exact but for what rounding and the offset have swallowed.
  """
  mel = tf.maximum(tf.exp(log_mel) - offset, 0.0)
  return tf.math.log(mel * 10.0 ** (decibels / 20.0) + offset)


def mix_up(
  patches: tf.Tensor, targets: tf.Tensor, seed: tuple, alpha: float
) -> tuple[tf.Tensor, tf.Tensor]:
  """Mixes each patch of a batch with its neighbour.

  The magnitudes add up in the shares λ and 1 − λ, as sounds that are played together
  roughly do. The labels do not: a sound that is there is there, however soft. Hence a
  label is positive if it is so in either patch. Where neither is positive, a label that
  is ignored in either may be present in the mixture and stays ignored; only what both
  lack is a negative, and an explicit one only if people said so of both.

  Args:
    patches: log-mel. Shape [batch, frames, mel_bands], float32.
    targets: shape [batch, classes], int8.
    seed: two integers that alone decide the shares.
    alpha: the shares are drawn from Beta(alpha, alpha).
  """
  batch = tf.shape(patches)[0]
  seed = _stream(seed, _MIX)
  gammas = tf.random.stateless_gamma([2, batch], seed, alpha)
  share = gammas[0] / tf.maximum(gammas[0] + gammas[1], 1e-30)
  share = tf.reshape(share, [-1, 1, 1])
  # log(λ e^a + (1 − λ) e^b), where the log offset averages to itself.
  other_patches = _neighbours(patches)
  mixed = tf.math.log(share * tf.exp(patches) + (1 - share) * tf.exp(other_patches))
  return mixed, mix_targets(targets, _neighbours(targets))


def both_mixed(of_each: tf.Tensor) -> tf.Tensor:
  """What belongs to the patches that `mix_up` mixes: [batch, 1] to [batch, 2]."""
  return tf.concat([of_each, _neighbours(of_each)], axis=1)


def _neighbours(of_each: tf.Tensor) -> tf.Tensor:
  """Of each patch of a batch, that of the one it is mixed with."""
  return tf.roll(of_each, 1, axis=0)


def mix_targets(one: tf.Tensor, other: tf.Tensor) -> tf.Tensor:
  """The target of two sounds together; see `mix_up`. Of soft ones the higher."""
  if tf.as_dtype(one.dtype).is_floating:
    ignored = (one == IGNORED) | (other == IGNORED)
    highest = tf.maximum(one, other)
    return tf.where(ignored & (highest < POSITIVE), float(IGNORED), highest)
  present = (one == POSITIVE) | (other == POSITIVE)
  ignored = (one == IGNORED) | (other == IGNORED)
  explicit = (one == EXPLICIT_NEGATIVE) & (other == EXPLICIT_NEGATIVE)
  absent = tf.where(explicit, tf.constant(EXPLICIT_NEGATIVE, tf.int8), NEGATIVE)
  absent = tf.where(ignored, tf.constant(IGNORED, tf.int8), absent)
  return tf.where(present, tf.constant(POSITIVE, tf.int8), absent)


def _mask(seed: tuple, stream: tuple[int, int], size: int, widest: int) -> tf.Tensor:
  """False for a random run of up to `widest` places. Shape [size], bool."""
  kind, number = stream
  width = tf.round(_uniform(seed, 100 * kind + 2 * number, 0.0, float(widest)))
  width = tf.minimum(width, float(size))
  start = tf.floor(
    _uniform(seed, 100 * kind + 2 * number + 1, 0.0, 1.0) * (size - width + 1)
  )
  place = tf.range(size, dtype=tf.float32)
  return (place < start) | (place >= start + width)


def _uniform(seed: tuple, stream: int, low: float, high: float) -> tf.Tensor:
  return tf.random.stateless_uniform([], _stream(seed, stream), low, high)


def _stream(seed: tuple, stream: int) -> tf.Tensor:
  """A seed of its own for each kind of randomness of an example."""
  return tf.random.experimental.stateless_fold_in(
    tf.cast(tf.stack(seed), tf.int64), stream
  )
