"""What came of a run, before it is measured."""

import dataclasses
from typing import Any

import numpy as np

from audioset_ml.finetuning.measures import Labelled


@dataclasses.dataclass(frozen=True)
class Outcome:
  """What came out.

  Attributes:
    clip_ids: the clips that are evaluated.
    labelled: what is true of them.
    scores: the model's scores of them. Shape [clips, classes].
    simple: those of simple models, by name.
    folds: which part each is of. Shape [clips], str.
    metrics: the content of evaluation/metrics.json.
    counts: what `prepare` counted.
    steps: how many batches the model was trained on.
  """

  clip_ids: tuple[str, ...]
  labelled: Labelled
  scores: np.ndarray
  simple: dict[str, np.ndarray]
  folds: np.ndarray
  metrics: dict[str, Any]
  counts: dict[str, int]
  steps: int
