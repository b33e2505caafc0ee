"""From a teacher's scores to label sets that flag likely missing labels (ML20)."""

import contextlib
import dataclasses
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from audioset_ml.core.progress import progress_bar
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.labels.label_set import LabelSetWriter
from audioset_ml.labels.states import LabelTable
from audioset_ml.missing_labels.class_flags import MEMORY, flag_labels
from audioset_ml.missing_labels.rules import Rule
from audioset_ml.records.top_scores import TopValues


@dataclasses.dataclass(frozen=True)
class ChosenClips:
  """Of which of the scored clips labels are flagged.

  Attributes:
    all_ids: the clips that were scored.
    rows: those whose labels are flagged, as indices. Shape [clips].
  """

  all_ids: tuple[str, ...]
  rows: np.ndarray


@dataclasses.dataclass(frozen=True)
class Enhancement:
  """What `write_label_sets` has written, as tables.

  Attributes:
    table: ML20's Table III for every class and label set: label_set, value, mid,
      display_name, total, explicit, implicit, flagged (counts) and threshold.
    ranking: the classes, those first of which most implicit negatives look like
      positives, for each positive: labelling errors are likely there (ML20 V). Classes
      that the teacher can't tell apart come last.
  """

  table: pd.DataFrame
  ranking: pd.DataFrame

  @property
  def flagged(self) -> dict[str, int]:
    """How many labels each label set flags."""
    counts = self.table.groupby('label_set', sort=False)['flagged'].sum()
    return {name: int(count) for name, count in counts.items()}


def write_label_sets(
  scores: np.ndarray | TopValues,
  labels: LabelTable,
  class_map: ClassMap,
  rule: Rule,
  output_dir: str | os.PathLike,
  flagged_as: str = 'ignored',
  memory: int = MEMORY,
  implied: np.ndarray | None = None,
  given: LabelTable | None = None,
  chosen: ChosenClips | None = None,
  about: Mapping[str, Any] | None = None,
) -> Enhancement:
  """Writes the rule's label sets, a folder each, table_iii.csv and ranking.csv.

  Args:
    scores, labels, class_map, rule, memory, implied, given: see `flag_labels`.
    output_dir: the folder.
    flagged_as: what the flagged labels are in training: ignored, positive or soft.
    chosen: of which of the scored clips the labels are; None for all.
    about: what else the label sets say of themselves.

  Raises:
    InputError: see `flag_labels`.
  """
  folder = pathlib.Path(output_dir)
  summaries: list[list[dict]] = [[] for _ in rule.names]
  looks: list[dict] = []
  with contextlib.ExitStack() as stack:
    clip_ids = labels.clip_ids if chosen is None else chosen.all_ids
    clips = None if chosen is None else chosen.rows
    writers = [
      LabelSetWriter(folder / name, clip_ids, class_map, clips) for name in rule.names
    ]
    for writer in writers:
      stack.callback(writer.close)
    bar = progress_bar(total=len(class_map), desc='enhance', unit='class')
    with bar:
      for part in flag_labels(
        scores, labels, class_map, rule, memory, implied, given, clips
      ):
        for writer, column in zip(writers, part.columns, strict=True):
          writer.add(column)
        for rows, new in zip(summaries, part.summaries, strict=True):
          rows += new
        looks += part.looks
        bar.update(len(part.looks))
    tables = []
    for writer, name, value, rows in zip(
      writers, rule.names, rule.values, summaries, strict=True
    ):
      summary = pd.DataFrame(rows)
      flagged = int(summary['flagged'].sum())
      description = {'name': name, 'value': value, 'flagged_as': flagged_as}
      description |= about or {}
      if implied is not None:
        description['related_only'] = True
      writer.finish(summary, {**description, 'flagged': flagged})
      summary.insert(0, 'label_set', name)
      summary.insert(1, 'value', value)
      tables.append(summary)
  return _write_tables(folder, tables, looks)


def _write_tables(
  folder: pathlib.Path, tables: Sequence[pd.DataFrame], looks: Sequence[dict]
) -> Enhancement:
  ranking = pd.DataFrame(looks).sort_values(
    ['told_apart', 'look_positive_per_positive'], ascending=False, kind='stable'
  )
  found = Enhancement(pd.concat(tables, ignore_index=True), ranking)
  for name, table in (('table_iii', found.table), ('ranking', found.ranking)):
    table.to_csv(folder / f'{name}.csv', index=False, lineterminator='\n')
  return found
