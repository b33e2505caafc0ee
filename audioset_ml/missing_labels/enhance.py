"""From a teacher's scores to label sets that flag likely missing labels (ML20)."""

import contextlib
import dataclasses
import os
import pathlib
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from audioset_ml.core.errors import InputError
from audioset_ml.core.progress import progress_bar
from audioset_ml.core.score_values import require_ranked
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.labels.label_set import LabelSetWriter
from audioset_ml.labels.states import EXPLICIT_STATES, PRESENT_STATES, LabelTable
from audioset_ml.missing_labels.columns import column_blocks
from audioset_ml.missing_labels.rules import ClassScores, Rule

# The share of a class's implicit negatives above its median positive at which the
# teacher still tells the class apart.
_TOLD_APART = 0.1
# Bytes of scores that are held in memory at a time.
MEMORY = 900_000_000


@dataclasses.dataclass(frozen=True)
class EightClasses:
  """What a rule flags of up to eight classes.

  Attributes:
    columns: for each of the rule's label sets a byte a clip, the first class in the
      highest bit. Shape [label sets, clips], uint8; used again for the next ones.
    summaries: for each label set a row a class: ML20's Table III.
    looks: a row a class: how many of its implicit negatives look like positives.
  """

  columns: np.ndarray
  summaries: list[list[dict]]
  looks: list[dict]


def flag_labels(
  scores: np.ndarray,
  labels: LabelTable,
  class_map: ClassMap,
  rule: Rule,
  memory: int = MEMORY,
  implied: np.ndarray | None = None,
) -> Iterator[EightClasses]:
  """Flags implicit negatives, eight classes after the other.

  Args:
    scores: the teacher's clip scores. Shape [clips, classes]; a memory map will do.
    labels: the states of the same clips' labels.
    class_map: the classes.
    rule: which of them are flagged.
    memory: bytes of scores to hold at a time.
    implied: of `Ontology.implied_classes`: of what the rule selects, only what is an
      ancestor or a descendant of one of the clip's positives is flagged (PSLA); None
      for all of it. Shape [classes, classes].

  Raises:
    InputError: scores and labels have different shapes, or a score is NaN or infinite.
  """
  shape = (len(labels.clip_ids), labels.num_classes)
  if scores.shape != shape:
    raise InputError(f'scores have shape {scores.shape}, but the labels {shape}')
  known = _KnownByClass(labels)
  columns = np.empty((len(rule.names), shape[0]), np.uint8)
  for first, block in column_blocks(scores, memory):
    for begin in range(0, len(block), 8):
      columns[:] = 0
      summaries: list[list[dict]] = [[] for _ in rule.names]
      looks = []
      for place, row in enumerate(block[begin : begin + 8]):
        one, counts = known.of(first + begin + place, row)
        name = class_map.mids[one.index], class_map.names[one.index]
        counts = {'mid': name[0], 'display_name': name[1], **counts}
        try:
          require_ranked(row)
          selections = rule.select(one)
        except InputError as error:
          raise InputError(f'class {name[0]} ({name[1]}): {error}') from None
        related = None if implied is None else known.related(one.index, implied)
        for column, rows, selection in zip(columns, summaries, selections, strict=True):
          clips = selection.rows
          if related is not None:
            clips = clips[related[clips]]
          column[clips] |= np.uint8(128 >> place)
          flagged = len(clips)
          rows.append({**counts, 'flagged': flagged, 'threshold': selection.threshold})
        looks.append(_looks_like_positives(one, counts))
      yield EightClasses(columns, summaries, looks)


class _KnownByClass:
  """The labels of each class that are known, and thereby its implicit negatives."""

  def __init__(self, labels: LabelTable):
    order = np.argsort(labels.classes, kind='stable')
    self._rows, self._states = labels.rows[order], labels.states[order]
    self._begins = np.searchsorted(
      labels.classes[order], np.arange(labels.num_classes + 1)
    )
    self._clips = len(labels.clip_ids)
    self._unmarked = labels.unmarked

  def of(self, index: int, scores: np.ndarray) -> tuple[ClassScores, dict[str, int]]:
    """A class with its scores, and its counts of labels."""
    here = slice(*self._begins[index : index + 2])
    rows, states = self._rows[here], self._states[here]
    implicit = np.ones(self._clips, bool)
    implicit[rows] = False
    unmarked = self._unmarked.of_class(index)
    implicit[unmarked] = False
    places = np.flatnonzero(implicit)
    counts = {
      'total': self._clips,
      'explicit': int(np.isin(states, EXPLICIT_STATES).sum()) + len(unmarked),
      'implicit': len(places),
    }
    positives = rows[np.isin(states, PRESENT_STATES)]
    return ClassScores(index, scores, places, positives), counts

  def related(self, index: int, implied: np.ndarray) -> np.ndarray:
    """In which clips an ancestor or a descendant of a class is present. Shape [clips],
    bool."""
    found = np.zeros(self._clips, bool)
    for other in np.flatnonzero(implied[index] | implied[:, index]):
      here = slice(*self._begins[other : other + 2])
      found[self._rows[here][np.isin(self._states[here], PRESENT_STATES)]] = True
    return found


def _looks_like_positives(one: ClassScores, counts: dict) -> dict:
  """How many implicit negatives score above the class's median positive."""
  median, above = np.nan, 0
  if len(one.positives):
    with np.errstate(invalid='ignore'):  # of infinite scores of either sign
      median = float(np.median(one.scores[one.positives]))
    above = int(np.count_nonzero(one.scores[one.implicit] > median))
  return {
    'mid': counts['mid'],
    'display_name': counts['display_name'],
    'positives': len(one.positives),
    'implicit': counts['implicit'],
    'median_positive_score': median,
    'look_positive': above,
    'look_positive_per_positive': above / max(len(one.positives), 1),
    # If half of the positives can't be told from so many negatives, the scores of the
    # class say little of single labels.
    'told_apart': above <= _TOLD_APART * counts['implicit'],
  }


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
  scores: np.ndarray,
  labels: LabelTable,
  class_map: ClassMap,
  rule: Rule,
  output_dir: str | os.PathLike,
  flagged_as: str = 'ignored',
  memory: int = MEMORY,
  origin: str = '',
  implied: np.ndarray | None = None,
) -> Enhancement:
  """Writes the rule's label sets, a folder each, table_iii.csv and ranking.csv.

  Args:
    scores, labels, class_map, rule, memory, implied: see `flag_labels`.
    output_dir: the folder.
    flagged_as: what the flagged labels are in training: ignored, positive or soft.
    origin: the fingerprint of the scores' folder; see `folders.fingerprint`.

  Raises:
    InputError: see `flag_labels`.
  """
  folder = pathlib.Path(output_dir)
  summaries: list[list[dict]] = [[] for _ in rule.names]
  looks: list[dict] = []
  with contextlib.ExitStack() as stack:
    writers = [
      LabelSetWriter(folder / name, labels.clip_ids, class_map) for name in rule.names
    ]
    for writer in writers:
      stack.callback(writer.close)
    bar = progress_bar(total=len(class_map), desc='enhance', unit='class')
    with bar:
      for part in flag_labels(scores, labels, class_map, rule, memory, implied):
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
      description['scores'] = origin
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
