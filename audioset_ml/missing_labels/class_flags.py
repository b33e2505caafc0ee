"""Flags implicit negatives that are likely missing labels, class by class (ML20)."""

import dataclasses
import itertools
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from audioset_ml.core.errors import InputError
from audioset_ml.core.score_values import require_ranked
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.labels.states import EXPLICIT_STATES, PRESENT_STATES, LabelTable
from audioset_ml.missing_labels.columns import column_blocks
from audioset_ml.missing_labels.rules import ClassScores, Rule, Selection
from audioset_ml.records.top_scores import TopValues

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
  scores: np.ndarray | TopValues,
  labels: LabelTable,
  class_map: ClassMap,
  rule: Rule,
  memory: int = MEMORY,
  implied: np.ndarray | None = None,
  given: LabelTable | None = None,
  clips: np.ndarray | None = None,
) -> Iterator[EightClasses]:
  """Flags implicit negatives, eight classes after the other.

  Args:
    scores: the teacher's clip scores. Shape [clips, classes]; a memory map will do. Or
      those of the highest classes alone, where what is flagged follows from them.
    labels: the states of the same clips' labels.
    class_map: the classes.
    rule: which of them are flagged.
    memory: bytes of scores to hold at a time.
    implied: of `Ontology.implied_classes`: of what the rule selects, only what is an
      ancestor or a descendant of one of the clip's positives is flagged (PSLA); None
      for all of it. Shape [classes, classes].
    given: the labels whose positives are meant by that, where `labels` have more, which
      follow from the ontology; None for `labels`.
    clips: of which rows of the scores the labels are, where they aren't of all. Shape
      [clips].

  Raises:
    InputError: scores and labels have different shapes, a score is NaN or infinite, or
      what is flagged hangs on scores that aren't known.
  """
  shape = (len(labels.clip_ids), labels.num_classes)
  found = (scores.shape[0] if clips is None else len(clips), *scores.shape[1:])
  if found != shape:
    raise InputError(f'scores have shape {found}, but the labels {shape}')
  known = _KnownByClass(labels)
  relatives = known if given is None else _KnownByClass(given)
  columns = np.empty((len(rule.names), shape[0]), np.uint8)
  for first, group in _eight_classes(scores, memory):
    columns[:] = 0
    summaries: list[list[dict]] = [[] for _ in rule.names]
    looks = []
    for place, bounds in enumerate(group):
      if clips is not None:
        bounds = _Bounds(*(one[clips] for one in bounds))
      one, counts = known.of(first + place, bounds.low)
      name = class_map.mids[one.index], class_map.names[one.index]
      counts = {'mid': name[0], 'display_name': name[1], **counts}
      try:
        require_ranked(one.scores)
        selections = _select(rule, one, bounds, scores)
      except InputError as error:
        raise InputError(f'class {name[0]} ({name[1]}): {error}') from None
      related = None if implied is None else relatives.related(one.index, implied)
      for column, rows, selection in zip(columns, summaries, selections, strict=True):
        flagged = selection.rows
        if related is not None:
          flagged = flagged[related[flagged]]
        column[flagged] |= np.uint8(128 >> place)
        rows.append(
          {**counts, 'flagged': len(flagged), 'threshold': selection.threshold}
        )
      looks.append(_looks_like_positives(one, bounds, counts))
    yield EightClasses(columns, summaries, looks)


class _Bounds(NamedTuple):
  """Between what a class's scores of clips lie: the same array where all are known."""

  low: np.ndarray
  high: np.ndarray


def _eight_classes(
  scores: np.ndarray | TopValues, memory: int
) -> Iterator[tuple[int, list[_Bounds]]]:
  """(first class, scores of it and the next seven), to the last class."""
  if isinstance(scores, TopValues):
    bounds = enumerate(scores.bounds())
    while group := list(itertools.islice(bounds, 8)):
      yield group[0][0], [_Bounds(*pair) for _, pair in group]
    return
  for first, block in column_blocks(scores, memory):
    for begin in range(0, len(block), 8):
      yield first + begin, [_Bounds(row, row) for row in block[begin : begin + 8]]


def _select(
  rule: Rule, one: ClassScores, bounds: _Bounds, scores: np.ndarray | TopValues
) -> list[Selection]:
  """What a rule flags of a class, be the scores that aren't known as they may.

  A threshold is an order statistic, which higher scores never make lower: where the
  least and the highest that scores may be give the same threshold and the same labels,
  so do all between.

  Raises:
    InputError: it hangs on scores that aren't known.
  """
  selections = rule.select(one)
  if bounds.high is bounds.low:
    return selections
  others = rule.select(dataclasses.replace(one, scores=bounds.high))
  for name, here, there in zip(rule.names, selections, others, strict=True):
    same = np.array_equal(np.sort(here.rows), np.sort(there.rows))
    if not same or not np.array_equal(here.threshold, there.threshold, equal_nan=True):
      raise InputError(
        f'what {name} flags hangs on scores that were not kept: of each clip there are '
        f'those of its {scores.kept} highest classes alone; score with a higher '
        '--top_classes, or without it'
      )
  return selections


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


def _above_median(one: ClassScores, scores: np.ndarray) -> tuple[float, int]:
  """A class's median positive, and how many implicit negatives score above it."""
  if not len(one.positives):
    return np.nan, 0
  with np.errstate(invalid='ignore'):  # of infinite scores of either sign
    median = float(np.median(scores[one.positives]))
  return median, int(np.count_nonzero(scores[one.implicit] > median))


def _looks_like_positives(one: ClassScores, bounds: _Bounds, counts: dict) -> dict:
  """How many implicit negatives score above the class's median positive; NaN where it
  hangs on scores that aren't known."""
  median, above = _above_median(one, bounds.low)
  if bounds.high is not bounds.low and (median, above) != _above_median(
    one, bounds.high
  ):
    median, above = np.nan, np.nan
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
