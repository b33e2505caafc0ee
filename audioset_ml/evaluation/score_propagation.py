"""Scores that go up the ontology: who hears a dog hears an animal.

Tuncay et al. (Hierarchical label propagation, 2025) have a class score at least as high
as its kinds, s_p = max(s_p, s_c), after any training. It changes how clips rank within
a class and how classes rank in a clip.
"""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class ScorePropagation:
  """Which scores go where.

  Attributes:
    implied: what each class implies (`Ontology.implied_classes`). Shape [classes,
      classes], bool.
  """

  implied: np.ndarray

  def apply(self, scores: np.ndarray) -> np.ndarray:
    """The scores, of which each class has at least its kinds'.

    Args:
      scores: shape [..., classes].

    Returns:
      A new array of the same shape and type.
    """
    found = scores.copy()
    for above in np.flatnonzero(self.implied.any(axis=0)):
      kinds = scores[..., self.implied[:, above]]
      found[..., above] = np.maximum(scores[..., above], kinds.max(axis=-1))
    return found
