"""Holding the flagged labels against the truth, where it is known."""

import dataclasses

import numpy as np

from audioset_ml.errors import LabelError
from audioset_ml.labels import segments
from audioset_ml.labels.label_set import LabelSet


@dataclasses.dataclass(frozen=True)
class FlagAudit:
  """How good a label set's flags are.

  Attributes:
    flagged: labels that it ignores.
    truly_missing: those of them that are truly present.
    missing: labels that are truly present and not in the weak labels.
  """

  flagged: int
  truly_missing: int
  missing: int

  @property
  def precision(self) -> float:
    """The share of the flagged labels that are truly missing; NaN without any."""
    return self.truly_missing / self.flagged if self.flagged else float('nan')

  @property
  def recall(self) -> float:
    """The share of the missing labels that are flagged; NaN without any."""
    return self.truly_missing / self.missing if self.missing else float('nan')


def audit_label_set(label_set: LabelSet, weak_csv: str, truth_csv: str) -> FlagAudit:
  """Compares a label set with complete labels.

  Args:
    label_set: what is ignored.
    weak_csv: the weak labels, with some missing.
    truth_csv: the complete labels of the same clips, in the same form.

  Raises:
    LabelError: a file is wrong, or lacks clips of the label set.
  """
  present = _positives(label_set, weak_csv)
  truth = _positives(label_set, truth_csv)
  ignored, missing = label_set.ignored(), truth & ~present
  return FlagAudit(
    flagged=int(ignored.sum()),
    truly_missing=int((ignored & missing).sum()),
    missing=int(missing.sum()),
  )


def _positives(label_set: LabelSet, path: str) -> np.ndarray:
  """Which labels a weak CSV names. Shape [clips, classes]."""
  read = segments.read_weak_csv(path, label_set.class_map)
  table = read.labels
  row_of = {clip_id: row for row, clip_id in enumerate(label_set.clip_ids)}
  lacking = set(row_of).difference(read.clips['clip_id'])
  if lacking:
    raise LabelError(f'{path}: lacks the clip {min(lacking)} of {label_set.path}')
  matrix = np.zeros((len(row_of), len(label_set.class_map)), bool)
  table = table[table['clip_id'].isin(row_of)]
  rows = [row_of[clip_id] for clip_id in table['clip_id']]
  matrix[rows, [label_set.class_map.index_of[mid] for mid in table['mid']]] = True
  return matrix
