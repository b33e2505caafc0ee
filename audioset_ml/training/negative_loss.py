"""What all losses that suspect implicit negatives have in common.

A positive, implied ones among them, is trained as the method says, and so is an
implicit negative; an explicit one is what a person said, and keeps plain cross-entropy,
unless the method itself has a term for it. The published forms, which know no explicit
negatives, are what comes out where targets don't tell them (`LossConfig.suspect_all`).

Losses are summed over classes and averaged over the batch, as ML20's; the papers sum or
average over both, which differs by a constant.
"""

import dataclasses

import tensorflow as tf

from audioset_ml.records.targets import (
  EXPLICIT_NEGATIVE,
  IGNORED,
  NEGATIVE,
  POSITIVE,
)


@dataclasses.dataclass(frozen=True)
class NegativeLoss:
  """A loss of labels some of which are suspected to be missing.

  A subclass gives the terms. They are called with logits, [batch, classes] float32, and
  must be finite for finite ones, with finite gradients, since those that don't apply
  are computed as well.
  """

  def __call__(
    self, target: tf.Tensor, logits: tf.Tensor, step: tf.Tensor | int = 1
  ) -> tf.Tensor:
    """The loss of each example.

    Args:
      target: 1 positive, 0 suspected negative, −2 explicit negative, −1 ignored; any
        other makes the loss of its example NaN. Shape [batch, classes].
      logits: shape [batch, classes], float32.
      step: which step of the training this is, from 1.

    Returns:
      Shape [batch].
    """
    suspected = target == NEGATIVE
    terms = tf.where(target == IGNORED, tf.zeros_like(logits), float('nan'))
    terms = tf.where(target == POSITIVE, self.positive(logits), terms)
    terms = tf.where(target == EXPLICIT_NEGATIVE, self.explicit(logits), terms)
    terms = tf.where(suspected, self.suspected(logits, suspected, step), terms)
    return tf.reduce_sum(terms, axis=-1)

  def positive(self, logits: tf.Tensor) -> tf.Tensor:
    """The loss of a positive: −log p."""
    return tf.nn.softplus(-logits)

  def explicit(self, logits: tf.Tensor) -> tf.Tensor:
    """The loss of an explicit negative: −log(1 − p)."""
    return tf.nn.softplus(logits)

  def suspected(
    self, logits: tf.Tensor, where: tf.Tensor, step: tf.Tensor | int
  ) -> tf.Tensor:
    """The loss of a negative that nobody was asked about.

    Args:
      logits: of all labels.
      where: which of them it is about. Shape [batch, classes], bool.
      step: see `__call__`.
    """
    raise NotImplementedError


def power_of_p(logits: tf.Tensor, exponent: float) -> tf.Tensor:
  """p^exponent, with a gradient at any logit; (1 − p)^exponent of −logits."""
  return tf.exp(-exponent * tf.nn.softplus(-logits))


def highest(logits: tf.Tensor, where: tf.Tensor, number: tf.Tensor) -> tf.Tensor:
  """Which of some labels of a batch have its so many highest logits.

  Of equal ones the first count; the largest losses of negatives are the same labels.

  Args:
    logits: shape [batch, classes].
    where: the labels to choose from. Shape [batch, classes], bool.
    number: how many; all, where there are fewer. A scalar, int32.

  Returns:
    Shape [batch, classes], bool.
  """
  candidates = tf.where(where, logits, tf.constant(float('-inf'), logits.dtype))
  flat = tf.reshape(candidates, [-1])
  number = tf.minimum(number, tf.math.count_nonzero(where, dtype=tf.int32))
  places = tf.math.top_k(flat, number).indices[:, tf.newaxis]
  ones = tf.ones(tf.shape(places)[:1], tf.int32)
  chosen = tf.scatter_nd(places, ones, tf.shape(flat)) > 0
  return tf.reshape(chosen, tf.shape(logits)) & where
