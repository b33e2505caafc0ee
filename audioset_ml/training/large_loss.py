"""Large losses of suspected negatives: rejected, or taken for positives.

"Large loss matters in weakly supervised multi-label classification" (Kim et al. 2022,
arXiv:2206.03740, section 4). Written from the paper alone: the official code has no
licence. That k labels above the threshold are k of a batch, rounded down, is a reading.
"""

import dataclasses

import tensorflow as tf

from audioset_ml.training.negative_loss import NegativeLoss, highest


@dataclasses.dataclass(frozen=True)
class LargeLoss(NegativeLoss):
  """Among the suspected negatives of a batch the largest (t − 1)·Δ % losses, at epoch
  t = 1, 2, …, are left out (LL-R: λ = 0) or trained as positives, this once (LL-Ct:
  λ = log p / log(1 − p), so that the loss is −log p).

  Attributes:
    delta: Δ_rel (%).
    corrects: whether they are trained as positives.
    epoch_steps: steps an epoch.
  """

  delta: float = 0.2
  corrects: bool = False
  epoch_steps: int = 1

  def suspected(self, logits, where, step):
    epoch = tf.cast((step - 1) // self.epoch_steps, tf.float64)
    percent = tf.minimum(epoch * self.delta, 100.0)
    suspects = tf.cast(tf.math.count_nonzero(where), tf.float64)
    # A billionth more: 0.2 % of 500 in floats may be a little less than one.
    number = tf.cast(tf.floor(suspects * percent / 100.0 + 1e-9), tf.int32)
    large = highest(logits, where, number)
    instead = tf.nn.softplus(-logits) if self.corrects else tf.zeros_like(logits)
    return tf.where(large, instead, tf.nn.softplus(logits))
