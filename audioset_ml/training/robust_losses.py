"""Hill and SPLC: "Simple and robust loss design for multi-label learning with missing
labels" (Zhang et al. 2021, arXiv:2112.07368)."""

import dataclasses

import tensorflow as tf

from audioset_ml.training.negative_loss import NegativeLoss, power_of_p


@dataclasses.dataclass(frozen=True)
class FocalMargin(NegativeLoss):
  """Positives by the focal margin loss: −(1 − p_m)^γ · log p_m, p_m = sigmoid(x − m).

  Attributes:
    margin: m.
    gamma: γ.
  """

  margin: float
  gamma: float

  def positive(self, logits):
    return focal(logits - self.margin, self.gamma)


@dataclasses.dataclass(frozen=True)
class Hill(FocalMargin):
  """(λ − p)·p² for suspected negatives, whose gradient falls again where p is high.

  Attributes:
    strength: λ.
  """

  strength: float

  def suspected(self, logits, where, step):
    p = tf.sigmoid(logits)
    return (self.strength - p) * p * p


@dataclasses.dataclass(frozen=True)
class SelfPacedCorrection(FocalMargin):
  """SPLC: a suspected negative with p > τ is trained as a positive.

  As in the official code: without a margin, with focal weights for negatives too
  (−p^γ · log(1 − p)), and not in the first epochs.

  Attributes:
    tau: τ.
    from_epoch: the first epoch, counted from 0, that corrects labels.
    epoch_steps: steps an epoch.
  """

  tau: float
  from_epoch: float
  epoch_steps: int = 1

  def suspected(self, logits, where, step):
    epoch = tf.cast((step - 1) // self.epoch_steps, tf.float32)
    missing = (tf.sigmoid(logits) > self.tau) & (epoch >= self.from_epoch)
    return tf.where(missing, focal(logits, self.gamma), focal(-logits, self.gamma))


def focal(logits: tf.Tensor, gamma: float) -> tf.Tensor:
  """−(1 − p)^γ · log p; of a negative, with −logits."""
  return power_of_p(-logits, gamma) * tf.nn.softplus(-logits)
