"""The loss that leaves out labels which may be missing (ML20 eqs. 1 and 2)."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package='audioset_ml')
class MaskedBinaryCrossentropy(keras.losses.Loss):
  """−Σ_c y_c·log p_c + M_c·(1 − y_c)·log(1 − p_c), with p_c = sigmoid(logit_c).

  M_c masks the negative term only (ML20 eqs. 1, 2): it is 0 where the target is −1, an
  implicit negative that is to be ignored, and 1 elsewhere. The loss is computed from
  logits, summed over classes, and averaged over the batch. Usable in
  `model.compile(loss=MaskedBinaryCrossentropy())` as well as in a loop.

  Called with y_true [batch, classes] of any number type and y_pred [batch, classes]
  logits. A target is 1 (positive), 0 (negative), −1 (ignored) or, soft, anything
  between 0 and 1, which weights both terms. The gradient of an ignored label's logit is
  exactly zero. Any other target (2, −0.5, NaN) makes the loss of its example NaN.
  """

  def __init__(
    self,
    reduction='sum_over_batch_size',
    name='masked_binary_crossentropy',
    dtype=None,
  ):
    super().__init__(name=name, reduction=reduction, dtype=dtype)

  def call(self, y_true, y_pred):
    """The loss of each example. Shape [batch]."""
    zero = ops.zeros_like(y_pred)
    in_range = ops.equal(y_true, ops.clip(y_true, 0, 1))
    ignored = ops.where(ops.equal(y_true, -1), zero, float('nan'))
    # −log p = softplus(−logit) and −log(1 − p) = softplus(logit), exact for any logit.
    # A term of weight 0 is left out, for an infinite one would make it NaN.
    positive_term = ops.where(y_true > 0, y_true * ops.softplus(-y_pred), zero)
    negative_term = ops.where(y_true < 1, (1 - y_true) * ops.softplus(y_pred), zero)
    negative_term = ops.where(in_range, negative_term, ignored)
    return ops.sum(positive_term + negative_term, axis=-1)
