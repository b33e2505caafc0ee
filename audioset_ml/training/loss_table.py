"""The losses by name; what they are is said in `loss_config`."""

import math
from collections.abc import Callable

import numpy as np

from audioset_ml.training.asymmetric_losses import Asymmetric, ClassAwareSelective
from audioset_ml.training.large_loss import CorrectedForGood, LargeLoss
from audioset_ml.training.loss_config import LossConfig
from audioset_ml.training.losses import MaskedBinaryCrossentropy
from audioset_ml.training.negative_loss import NegativeLoss
from audioset_ml.training.robust_losses import Hill, SelfPacedCorrection
from audioset_ml.training.weak_negatives import SmoothedLabels, WeakNegatives

Loss = NegativeLoss | MaskedBinaryCrossentropy


def build_loss(
  config: LossConfig,
  num_classes: int,
  epoch_steps: int = 1,
  priors: np.ndarray | None = None,
) -> Loss:
  """The loss of a run, of single examples.

  Args:
    config: which, with its hyper-parameters.
    num_classes: number of classes.
    epoch_steps: steps an epoch, for losses that go by epochs.
    priors: each class's prior, for those that use them; None for none. Shape [classes].
  """
  if config.name == 'bce':
    # Keras's own mean would divide by the number of replicas once more.
    return MaskedBinaryCrossentropy(reduction=None, dtype='float32')
  given = dict(config.options)
  if config.kind.by_epoch:
    given['epoch_steps'] = epoch_steps
  if config.kind.takes_priors:
    threshold = given.pop('prior_threshold')
    given['frequent'] = None if priors is None else priors > threshold
  if config.name == 'wan' and math.isnan(given['weight']):
    given['weight'] = 1.0 / max(num_classes - 1, 1)
  if 'lambda' in given:  # a word of Python's
    given['strength'] = given.pop('lambda')
  return _MAKERS[config.name](**given)


def _corrected(**given) -> LargeLoss:
  return LargeLoss(corrects=True, **given)


_MAKERS: dict[str, Callable[..., NegativeLoss]] = {
  'll_r': LargeLoss,
  'll_ct': _corrected,
  'll_cp': CorrectedForGood,
  'hill': Hill,
  'splc': SelfPacedCorrection,
  'asl': Asymmetric,
  'csl': ClassAwareSelective,
  'wan': WeakNegatives,
  'ls': SmoothedLabels,
}
