"""Losses that focus on negatives otherwise than on positives: ASL and CSL.

As in the official trainings, no gradient goes through focal weights.
"""

import dataclasses

import numpy as np
import tensorflow as tf

from audioset_ml.training.negative_loss import NegativeLoss, highest, power_of_p


@dataclasses.dataclass(frozen=True)
class Asymmetric(NegativeLoss):
  """ASL: "Asymmetric loss for multi-label classification" (Ridnik et al. 2021, eq. 7).

  −(1 − p)^γ₊ · log p for positives, and −p_m^γ₋ · log(1 − p_m) for suspected negatives,
  with p_m = max(p − m, 0): easy ones (p ≤ m) are left out.

  Attributes:
    gamma_positive: γ₊.
    gamma_negative: γ₋.
    clip: m.
  """

  gamma_positive: float
  gamma_negative: float
  clip: float

  def positive(self, logits):
    return weighted(tf.nn.softplus(-logits), -logits, self.gamma_positive)

  def suspected(self, logits, where, step):
    if not self.clip:
      return weighted(tf.nn.softplus(logits), logits, self.gamma_negative)
    # 1 − p is exact where it is small, and the logarithm's argument at least m.
    absent = tf.minimum(tf.sigmoid(-logits) + self.clip, 1.0)
    weight = tf.stop_gradient(tf.pow(1.0 - absent, self.gamma_negative))
    return -weight * tf.math.log(absent)


@dataclasses.dataclass(frozen=True)
class ClassAwareSelective(NegativeLoss):
  """CSL: "Multi-label classification with partial annotations using class-aware
  selective loss" (Ben-Baruch et al. 2022, section 3).

  Of the suspected negatives, the paper's un-annotated labels, those are left out that
  are likely: of each batch the K·B highest p, and all of classes whose prior is above
  η. The rest has −p^γᵤ · log(1 − p). Explicit negatives have a term of their own in the
  paper, −p^γ₋ · log(1 − p), which is plain cross-entropy with γ₋ = 0.

  Attributes:
    gamma_positive, gamma_negative, gamma_unannotated: γ₊, γ₋, γᵤ.
    likely: K, for B examples.
    frequent: the classes with a prior above η; None for none. Shape [classes], bool.
  """

  gamma_positive: float
  gamma_negative: float
  gamma_unannotated: float
  likely: float
  frequent: np.ndarray | None = None

  def positive(self, logits):
    return weighted(tf.nn.softplus(-logits), -logits, self.gamma_positive)

  def explicit(self, logits):
    return weighted(tf.nn.softplus(logits), logits, self.gamma_negative)

  def suspected(self, logits, where, step):
    number = tf.cast(self.likely * tf.cast(tf.shape(logits)[0], tf.float32), tf.int32)
    left_out = highest(logits, where, number)
    if self.frequent is not None:
      left_out |= tf.constant(self.frequent)
    terms = weighted(tf.nn.softplus(logits), logits, self.gamma_unannotated)
    return tf.where(left_out, tf.zeros_like(terms), terms)


def weighted(terms: tf.Tensor, logits: tf.Tensor, gamma: float) -> tf.Tensor:
  """Terms times p^γ, which counts as a constant."""
  if not gamma:
    return terms
  return tf.stop_gradient(power_of_p(logits, gamma)) * terms
