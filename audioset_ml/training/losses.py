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

  Called with y_true [batch, classes] of 1 (positive), 0 (negative) and −1 (ignored),
  any number type, and y_pred [batch, classes] logits. The gradient of an ignored
  label's logit is exactly zero.
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
    # −log p = softplus(−logit) and −log(1 − p) = softplus(logit), exact for any logit.
    positive_term = ops.where(y_true > 0, ops.softplus(-y_pred), zero)
    negative_term = ops.where(ops.equal(y_true, 0), ops.softplus(y_pred), zero)
    return ops.sum(positive_term + negative_term, axis=-1)
