"""Negatives that count for less: "Multi-label learning from single positive labels"
(Cole et al. 2021, section 4)."""

import dataclasses

import tensorflow as tf

from audioset_ml.training.negative_loss import NegativeLoss


@dataclasses.dataclass(frozen=True)
class WeakNegatives(NegativeLoss):
  """WAN: −w·log(1 − p) for suspected negatives; w = 0 leaves them out.

  Attributes:
    weight: w, 1/(classes − 1) in the paper: as if there were one for each positive.
  """

  weight: float

  def suspected(self, logits, where, step):
    return self.weight * tf.nn.softplus(logits)


@dataclasses.dataclass(frozen=True)
class SmoothedLabels(NegativeLoss):
  """AN-LS: targets ε for suspected negatives and 1 − ε for positives.

  With the official code's ε; the paper writes ε/2 for it.

  Attributes:
    epsilon: ε.
  """

  epsilon: float

  def positive(self, logits):
    return self._smoothed(-logits)

  def suspected(self, logits, where, step):
    return self._smoothed(logits)

  def _smoothed(self, logits: tf.Tensor) -> tf.Tensor:
    this, other = tf.nn.softplus(logits), tf.nn.softplus(-logits)
    return (1.0 - self.epsilon) * this + self.epsilon * other
