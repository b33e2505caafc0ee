"""Large losses of suspected negatives: rejected, or taken for positives.

"Large loss matters in weakly supervised multi-label classification" (Kim et al. 2022,
arXiv:2206.03740). The paper's full text was not at hand, and the authors' code, which
has no licence, is not copied: this is written anew from what is known of both.

As in that code, a percentage of labels is rounded up, so that it means something for
few classes too; it rises over ten epochs; and what LL-Cp finds is positive in the very
step that finds it. Two deviations from that code:

* It is a percentage of the suspected negatives of a batch. There it is one of all
  labels of the batch: k = ⌈B·C·Δ·(t − 1) / 100⌉ of B examples and C classes at epoch
  t. So ours finds fewer where many labels are positive, explicit or ignored.
* LL-Cp corrects the k labels of the largest losses. There it corrects those whose loss
  is strictly above the k-th largest: k − 1, without ties.

Readings of ours: that an epoch is a tenth of the run where nothing is said, since one
of ours reads one patch a clip; and that LL-Cp, too, changes nothing in the first epoch.
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

  delta: float
  corrects: bool = False
  epoch_steps: int = 1

  def suspected(self, logits, where, step):
    large = self._large(logits, where, self.delta * self._epoch(step))
    instead = tf.nn.softplus(-logits) if self.corrects else tf.zeros_like(logits)
    return tf.where(large, instead, tf.nn.softplus(logits))

  def _epoch(self, step: tf.Tensor | int) -> tf.Tensor:
    """The epoch, from 0."""
    return tf.cast((step - 1) // self.epoch_steps, tf.float64)

  def _large(
    self, logits: tf.Tensor, where: tf.Tensor, percent: tf.Tensor
  ) -> tf.Tensor:
    """The largest losses of some labels. Shape [batch, classes], bool."""
    suspects = tf.cast(tf.math.count_nonzero(where), tf.float64)
    # A billionth less: 0.2 % of 500 in floats may be a little more than one.
    number = tf.math.ceil(suspects * tf.minimum(percent, 100.0) / 100.0 - 1e-9)
    number = tf.maximum(number, 0.0)
    return highest(logits, where, tf.cast(number, tf.int32))


@dataclasses.dataclass(frozen=True)
class CorrectedForGood(LargeLoss):
  """LL-Cp: among the suspected negatives of a batch the largest Δ % losses become
  positives for good, from this very step on.

  Who trains makes them so and keeps them (`training.clip_flags`); the loss itself is
  cross-entropy.
  """

  def suspected(self, logits, where, step):
    return tf.nn.softplus(logits)

  def found(
    self, logits: tf.Tensor, where: tf.Tensor, step: tf.Tensor | int
  ) -> tf.Tensor:
    """The labels of a batch that become positives. Shape [batch, classes], bool.

    Args:
      logits: shape [batch, classes].
      where: the suspected negatives that can be kept. Shape [batch, classes], bool.
      step: which step of the training this is, from 1.
    """
    begun = tf.cast(self._epoch(step) >= 1, tf.float64)
    return self._large(logits, where, self.delta * begun)
