"""Teachers' scores for soft targets: knowledge distillation. Needs no TensorFlow.

ML20's appendix A puts its method as distillation, L(f(p_teacher), p_student); with f
the identity a target is the teacher's score. Here a target is (1 − α)·y + α·s, of label
y and score s (the mean of several teachers'), on all labels that aren't ignored, on
those that nobody was asked about, or on those that a label set flags.

| way | α | on | scores |
|---|---|---|---|
| distillation (ML20 appendix A) | 1 | all | of clips |
| pseudo strong labels (Dinkel et al. 2022) | 1 | all | of patches |
| an ensemble's (CED, Dinkel et al. 2024) | 1 | all | of patches, several folders |
| a softened label set | 1 | flagged | of clips |
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from audioset_ml.core.errors import InputError
from audioset_ml.records.folder import RecordsFolder
from audioset_ml.records.scores import (
  ClipPatchScores,
  ClipScores,
  read_patch_scores,
  read_scores,
)

SOFT_ON = ('all', 'implicit', 'flagged')
_ROWS = 65_536  # of scores that are looked at at a time


@dataclasses.dataclass(frozen=True)
class SoftConfig:
  """Which scores soften targets, and how.

  Attributes:
    scores: folders of scores.
    weight: α.
    on: which labels are softened: one of SOFT_ON.
    patches: whether a patch has the scores of the scored patch that is nearest to it;
      else those of its clip.
  """

  scores: tuple[str, ...]
  weight: float = 1.0
  on: str = 'all'
  patches: bool = False

  def __post_init__(self):
    if not 0 < self.weight <= 1:
      raise InputError(f'soft_weight is {self.weight}, but must be in (0, 1]')
    if self.on not in SOFT_ON:
      choices = ', '.join(SOFT_ON)
      raise InputError(f'soft_on is {self.on!r}: choose from {choices}')
    if len(set(self.scores)) < len(self.scores):
      raise InputError('soft_scores names a folder twice')


@dataclasses.dataclass(frozen=True)
class SoftScores:
  """The scores, opened.

  Attributes:
    config: how they are used.
    parts: of each folder the scores of clips, or of patches.
  """

  config: SoftConfig
  parts: Sequence[ClipScores | ClipPatchScores]

  @classmethod
  def open(cls, config: SoftConfig, records: RecordsFolder) -> 'SoftScores':
    """Opens the scores of records.

    Raises:
      InputError: there are none, or some are no probabilities.
      RecordError: they are of other clips, classes or patches.
    """
    parts: list[ClipScores | ClipPatchScores] = []
    for path in config.scores:
      scores = read_scores(path)
      scores.require_of(records)
      parts.append(read_patch_scores(scores) if config.patches else scores)
      _require_probabilities(parts[-1].values, path)
    return cls(config, parts)

  def of(self, rows: np.ndarray, patches: np.ndarray) -> np.ndarray:
    """The mean scores of patches.

    Args:
      rows: their clips, by place in the records. Shape [n], int64.
      patches: which of the scored patches of its clip is nearest to each; beyond the
        last it is the last. Shape [n], int64.

    Returns:
      Shape [n, classes], float32.
    """
    total = np.zeros((len(rows), self.parts[0].values.shape[1]), np.float32)
    for part in self.parts:
      places = rows
      if isinstance(part, ClipPatchScores):
        places = part.offsets[rows] + np.minimum(
          patches, part.offsets[rows + 1] - part.offsets[rows] - 1
        )
      total += part.values[places]
    return total / np.float32(len(self.parts))


def _require_probabilities(values: np.ndarray, path: str) -> None:
  for row in range(0, len(values), _ROWS):
    here = values[row : row + _ROWS]
    if not ((here >= 0) & (here <= 1)).all():
      raise InputError(f'{path}: a score is no probability, as soft targets need')
