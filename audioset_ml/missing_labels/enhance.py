"""From a teacher's scores to label sets that ignore its top-scored negatives (ML20)."""

import dataclasses
import os
import pathlib
from collections.abc import Sequence
from decimal import Decimal

import numpy as np
import pandas as pd

from audioset_ml.errors import InputError
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.labels.label_set import write_label_set
from audioset_ml.labels.states import EXPLICIT_STATES, LabelTable
from audioset_ml.missing_labels import thresholds
from audioset_ml.progress import progress_bar
from audioset_ml.records.dataset import read_label_table
from audioset_ml.records.folder import RecordsFolder
from audioset_ml.records.scores import read_scores


@dataclasses.dataclass(frozen=True)
class Flags:
  """The labels to ignore at one discard percentage.

  Attributes:
    percent: the discard percentage.
    packed: a bit a label. Shape [clips, ⌈classes / 8⌉], uint8.
    summary: ML20's Table III: one row a class with mid, display_name, total, explicit,
      implicit, ignored (counts of labels) and threshold.
  """

  percent: Decimal
  packed: np.ndarray
  summary: pd.DataFrame


def flag_top_scored(
  scores: np.ndarray,
  labels: LabelTable,
  class_map: ClassMap,
  percents: Sequence[Decimal],
) -> list[Flags]:
  """Flags the top-scored implicit negatives of each class, for each percentage.

  Args:
    scores: the teacher's clip scores. Shape [clips, classes]; a memory map will do.
    labels: the states of the same clips' labels.
    class_map: the classes.
    percents: the discard percentages.

  Raises:
    InputError: scores and labels have different shapes, or a score is NaN.
  """
  shape = (len(labels.clip_ids), labels.num_classes)
  if scores.shape != shape:
    raise InputError(f'scores have shape {scores.shape}, but the labels {shape}')
  packed = [np.zeros((shape[0], -(-shape[1] // 8)), np.uint8) for _ in percents]
  rows: list[list[dict]] = [[] for _ in percents]
  for index in progress_bar(range(shape[1]), desc='enhance', unit='class'):
    column = np.ascontiguousarray(scores[:, index])
    listed, states = labels.listed_in_class(index)
    implicit = np.ones(shape[0], bool)
    implicit[listed] = False
    try:
      found = thresholds.class_thresholds(column[implicit], percents)
    except InputError as error:
      raise InputError(f'class {class_map.mids[index]}: {error}') from None
    for position, (threshold, ignored) in enumerate(found):
      bits = (implicit & (column > threshold)).astype(np.uint8)
      packed[position][:, index // 8] |= bits << (7 - index % 8)
      rows[position].append(
        {
          'mid': class_map.mids[index],
          'display_name': class_map.names[index],
          'total': shape[0],
          'explicit': int(np.isin(states, EXPLICIT_STATES).sum()),
          'implicit': int(implicit.sum()),
          'ignored': ignored,
          'threshold': threshold,
        }
      )
  return [
    Flags(percent, bits, pd.DataFrame(table))
    for percent, bits, table in zip(percents, packed, rows, strict=True)
  ]


def enhance_records(
  scores_path: str,
  records_path: str,
  percents: Sequence[Decimal],
  output_dir: str | os.PathLike,
) -> dict[str, int]:
  """Writes one label set a percentage, `discard_<percent>/`, into a folder.

  Args:
    scores_path: folder with the teacher's scores.
    records_path: folder of the records that were scored.
    percents: the discard percentages.
    output_dir: the folder.

  Returns:
    How many labels each of them ignores, by the label set's name.

  Raises:
    InputError: scores or records can't be read, or don't belong together.
  """
  records = RecordsFolder.open(records_path)
  scores = read_scores(scores_path)
  scores.require_of(records)
  labels, class_map = read_label_table(records), records.class_map
  counts = {}
  for flags in flag_top_scored(scores.values, labels, class_map, percents):
    name = thresholds.label_set_name(flags.percent)
    counts[name] = int(flags.summary['ignored'].sum())
    write_label_set(
      pathlib.Path(output_dir) / name,
      labels.clip_ids,
      class_map,
      flags.packed,
      flags.summary,
      {'discard_percent': str(flags.percent), 'ignored': counts[name]},
    )
  return counts
