"""Scores made up for how frequent classes are in training: logit adjustment.

A classifier's scores tell how likely a class is a priori, too: of two classes that fit
a clip alike, the more frequent one scores higher. Menon et al. (Long-tail learning via
logit adjustment, 2021, section 4) subtract τ times the prior's logarithm from the
logit; of independent classes, as here, the prior's logit. Nothing changes within a
class, so d′ and mAP stay; what compares classes, as lωlrap does, changes.
"""

import dataclasses

import numpy as np

from audioset_ml.core.errors import InputError
from audioset_ml.records.folder import RecordsFolder


@dataclasses.dataclass(frozen=True)
class LogitAdjustment:
  """How much is subtracted from the logits of each class.

  Attributes:
    strength: τ; 1 makes up for the priors in full.
    priors: each class's share of positive clips, between 0 and 1. Shape [classes].
  """

  strength: float
  priors: np.ndarray

  def __post_init__(self):
    if not np.isfinite(self.strength):
      raise InputError(f'logit_adjustment is {self.strength}, but must be a number')

  @classmethod
  def of_records(cls, strength: float, records: RecordsFolder) -> 'LogitAdjustment':
    """By the explicit positives of records, of the train set say.

    Half a clip more on either side keeps priors of absent classes from being 0.
    """
    positives = records.class_counts('explicit_positives')
    return cls(strength, (positives + 0.5) / (len(records.clip_ids) + 1))

  def apply(self, scores: np.ndarray) -> np.ndarray:
    """The adjusted scores; 0 stays 0 and 1 stays 1.

    Args:
      scores: probabilities. Shape [..., classes].

    Returns:
      sigmoid(logit(score) − τ·logit(prior)), of the same shape, float64: float32 would
      make equal what differs near 1.
    """
    scores = np.asarray(scores, np.float64)
    odds = (self.priors / (1 - self.priors)) ** -self.strength
    return scores * odds / (scores * odds + (1 - scores))
