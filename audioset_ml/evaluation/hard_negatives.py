"""Explicit negatives as the papers' raters made them: what a classifier scored high.

Both papers measure d′ against labels that raters refuted, and raters were asked about
"plausible candidates" (SL21 3.2): hard negatives. Complete annotators refute all that
they don't mark, nearly all of it easy. Of these, the clips that an independent
classifier scores highest stand for the raters' negatives.
"""

import dataclasses

import numpy as np

from audioset_ml.core.errors import InputError
from audioset_ml.labels.states import LabelState, LabelTable
from audioset_ml.records.scores import ClipScores


@dataclasses.dataclass(frozen=True)
class HardNegatives:
  """Which explicit negatives count.

  Attributes:
    number: how many of each class, those with the highest scores.
    scores: of a classifier that nothing here is trained with or evaluated by.
  """

  number: int
  scores: ClipScores

  def __post_init__(self):
    if self.number < 1:
      raise InputError(f'hardest_negatives is {self.number}, but must be at least 1')

  def choose(self, labels: LabelTable) -> LabelTable:
    """The labels, all other explicit negatives of whole clips made implicit.

    Of equal scores the clip that comes first is taken.

    Args:
      labels: of clips that the scores have, and of their classes.
    """
    places = {clip_id: row for row, clip_id in enumerate(self.scores.clip_ids)}
    rows = np.array([places[clip_id] for clip_id in labels.clip_ids])
    by_name = labels.states == LabelState.EXPLICIT_NEGATIVE
    kept = ~by_name
    easy: list[tuple[np.ndarray, int]] = []
    for index in range(labels.num_classes):
      listed = np.flatnonzero(by_name & (labels.classes == index))
      unmarked = labels.unmarked.of_class(index)
      clips = np.concatenate([labels.rows[listed], unmarked]).astype(np.int64)
      values = np.asarray(self.scores.values[:, index])[rows[clips]]
      hard = np.zeros(len(clips), bool)
      hard[np.lexsort((clips, -values))[: self.number]] = True
      kept[listed] = hard[: len(listed)]
      easy.append((unmarked[~hard[len(listed) :]], index))
    gone = np.concatenate([clips for clips, _ in easy])
    classes = np.repeat([index for _, index in easy], [len(clips) for clips, _ in easy])
    return dataclasses.replace(
      labels,
      rows=labels.rows[kept],
      classes=labels.classes[kept],
      states=labels.states[kept],
      unmarked=labels.unmarked.without(gone, classes),
    )
