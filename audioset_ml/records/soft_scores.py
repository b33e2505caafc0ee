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

Scores may be of the highest classes alone (`top_scores`): those of the others then are
0, as in CED's code (its `label_type` of zero), or the label itself, so that of them
nothing is learnt from the teacher.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from audioset_ml.core.errors import InputError
from audioset_ml.core.score_values import require_probabilities
from audioset_ml.records.folder import RecordsFolder
from audioset_ml.records.scores import (
  ClipPatchScores,
  ClipScores,
  read_any_scores,
  read_patch_scores,
  read_top_patch_scores,
  require_of,
)
from audioset_ml.records.top_scores import TopClipScores, TopPatchScores, TopValues

SOFT_ON = ('all', 'implicit', 'flagged')
# What a score is that isn't among the highest ones, where these alone are kept.
SOFT_ABSENT = ('zero', 'label')


@dataclasses.dataclass(frozen=True)
class SoftConfig:
  """Which scores soften targets, and how.

  Attributes:
    scores: folders of scores.
    weight: α.
    on: which labels are softened: one of SOFT_ON.
    patches: whether a patch has the scores of the scored patch that is nearest to it;
      else those of its clip.
    absent: what the score of a class is that a folder doesn't keep: one of SOFT_ABSENT.
  """

  scores: tuple[str, ...]
  weight: float = 1.0
  on: str = 'all'
  patches: bool = False
  absent: str = 'zero'

  def __post_init__(self):
    if not 0 < self.weight <= 1:
      raise InputError(f'soft_weight is {self.weight}, but must be in (0, 1]')
    if self.on not in SOFT_ON:
      choices = ', '.join(SOFT_ON)
      raise InputError(f'soft_on is {self.on!r}: choose from {choices}')
    if self.absent not in SOFT_ABSENT:
      choices = ', '.join(SOFT_ABSENT)
      raise InputError(f'soft_absent is {self.absent!r}: choose from {choices}')
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
  parts: Sequence[ClipScores | ClipPatchScores | TopClipScores | TopPatchScores]

  @property
  def leaves_labels(self) -> bool:
    """Whether labels stand where a folder has no score; see `are_known`."""
    return self.config.absent == 'label' and any(map(_top_of, self.parts))

  @classmethod
  def open(cls, config: SoftConfig, records: RecordsFolder) -> 'SoftScores':
    """Opens the scores of records.

    Raises:
      InputError: there are none, or some are no probabilities.
      RecordError: they are of other clips, classes or patches.
    """
    parts: list = []
    for path in config.scores:
      scores = read_any_scores(path)
      require_of(scores, records)
      if not config.patches:
        parts.append(scores)
      elif isinstance(scores, TopClipScores):
        parts.append(read_top_patch_scores(scores))
      else:
        parts.append(read_patch_scores(scores))
      top = _top_of(parts[-1])
      values = top.values if top else parts[-1].values
      require_probabilities(values, '--soft_scores', path)
    found = cls(config, parts)
    if config.absent != 'zero' and not found.leaves_labels:
      raise InputError(
        f'soft_absent={config.absent} does nothing here: {", ".join(config.scores)} '
        'has the scores of all classes'
      )
    return found

  def of(self, rows: np.ndarray, patches: np.ndarray) -> np.ndarray:
    """The mean scores of patches.

    Args:
      rows: their clips, by place in the records. Shape [n], int64.
      patches: which of the scored patches of its clip is nearest to each; beyond the
        last it is the last. Shape [n], int64.

    Returns:
      Shape [n, classes], float32.
    """
    total = self._zeros(rows)
    for part in self.parts:
      places, top = _places(part, rows, patches), _top_of(part)
      total += top.dense(places) if top else part.values[places]
    return total / np.float32(len(self.parts))

  def are_known(self, rows: np.ndarray, patches: np.ndarray) -> np.ndarray:
    """The share of the folders that have each score. As `of`."""
    total = self._zeros(rows)
    for part in self.parts:
      top = _top_of(part)
      total += top.are_kept(_places(part, rows, patches)) if top else 1
    return total / np.float32(len(self.parts))

  def _zeros(self, rows: np.ndarray) -> np.ndarray:
    """Shape [n, classes], float32."""
    first = self.parts[0]
    classes = (_top_of(first) or first.values).shape[1]
    return np.zeros((len(rows), classes), np.float32)


def _top_of(part) -> TopValues | None:
  """The highest scores of a folder that has no others."""
  return part.top if isinstance(part, (TopClipScores, TopPatchScores)) else None


def _places(part, rows: np.ndarray, patches: np.ndarray) -> np.ndarray:
  """The rows of a folder's scores that clips' nearest patches have; see `of`."""
  if not isinstance(part, (ClipPatchScores, TopPatchScores)):
    return rows
  return part.offsets[rows] + np.minimum(
    patches, part.offsets[rows + 1] - part.offsets[rows] - 1
  )
