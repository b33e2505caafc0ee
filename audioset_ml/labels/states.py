"""What is known of a label: its state, and what each use makes of that state.

| state | said by | as a training target | in d′ (explicit) | may be ignored |
|---|---|---|---|---|
| implicit negative | nobody was asked | 0, or −1 where a label set says so | no | yes |
| explicit positive | a person: present | 1 | positive | never |
| explicit negative | a person: not present | 0 | negative | never |
| … unmarked | who marked all sounds, not this one | 0 | negative | never |
| implicit positive | derived, as from the ontology | 1 | no | never |
| unsure | a person who could not tell | −1 | no | always |

An unsure label is never flagged as missing, for nobody would learn more of it by
asking again, and counts in no metric, neither as a positive nor as a negative. It
stands above label sets, the ontology and what complete annotators left unmarked, as all
that is listed does; but it decides nothing, so it gives way where another person did.

Explicit negatives train as 0 like implicit ones, but for losses that suspect those that
nobody was asked about: for them targets tell the two apart (`records.targets`).

A clip lists the labels of all states but the first, and but for the unmarked ones,
which are kept a bit each (`unmarked`); every other class is an implicit negative, the
vast majority (ML20 section II).
"""

import dataclasses
import enum
from collections.abc import Sequence

import numpy as np

from audioset_ml.labels.unmarked import UnmarkedLabels

_CLIPS_AT_ONCE = 4_096


class LabelState(enum.IntEnum):
  """The state of one label (a clip and a class)."""

  IMPLICIT_NEGATIVE = 0
  EXPLICIT_POSITIVE = 1
  EXPLICIT_NEGATIVE = 2
  IMPLICIT_POSITIVE = 3
  UNSURE = 4

  @classmethod
  def of(cls, present: bool, explicit: bool) -> 'LabelState':
    """The state of a label that says `present`, given by a person if `explicit`.

    It can't say that a person was unsure.
    """
    if explicit:
      return cls.EXPLICIT_POSITIVE if present else cls.EXPLICIT_NEGATIVE
    return cls.IMPLICIT_POSITIVE if present else cls.IMPLICIT_NEGATIVE

  @property
  def present(self) -> bool:
    return self in (self.EXPLICIT_POSITIVE, self.IMPLICIT_POSITIVE)

  @property
  def explicit(self) -> bool:
    return self in (self.EXPLICIT_POSITIVE, self.EXPLICIT_NEGATIVE)


EXPLICIT_STATES = tuple(state for state in LabelState if state.explicit)
PRESENT_STATES = tuple(state for state in LabelState if state.present)


@dataclasses.dataclass(frozen=True)
class LabelTable:
  """The listed labels of many clips, one entry a label: 4 + 4 + 1 bytes each.

  Attributes:
    clip_ids: the clips, in their order.
    num_classes: number of classes.
    rows: the clip of each listed label, an index into clip_ids. Shape [labels].
    classes: its class index. Shape [labels].
    states: its LabelState; never IMPLICIT_NEGATIVE. Shape [labels], int8.
    unmarked: further explicit negatives, none of which is listed.
  """

  clip_ids: tuple[str, ...]
  num_classes: int
  rows: np.ndarray
  classes: np.ndarray
  states: np.ndarray
  unmarked: UnmarkedLabels = dataclasses.field(default_factory=UnmarkedLabels)

  @classmethod
  def from_lists(
    cls,
    clip_ids: Sequence[str],
    num_classes: int,
    listed: Sequence[tuple[Sequence[int], Sequence[int]]],
    unmarked: UnmarkedLabels | None = None,
  ) -> 'LabelTable':
    """Builds a table from each clip's (class indices, states)."""
    lengths = [len(classes) for classes, _ in listed]
    return cls(
      clip_ids=tuple(clip_ids),
      num_classes=num_classes,
      rows=np.repeat(np.arange(len(listed), dtype=np.int32), lengths),
      classes=_joined([classes for classes, _ in listed], np.int32),
      states=_joined([states for _, states in listed], np.int8),
      unmarked=unmarked or UnmarkedLabels(),
    )

  @property
  def total(self) -> int:
    """How many labels are no implicit negatives."""
    return len(self.rows) + self.unmarked.total

  def dense(self) -> np.ndarray:
    """The state of every label. Shape [clips, classes], int8."""
    matrix = np.zeros((len(self.clip_ids), self.num_classes), np.int8)
    for first in range(0, len(matrix), _CLIPS_AT_ONCE):
      part = matrix[first : first + _CLIPS_AT_ONCE]
      part[self.unmarked.lacking(first, *part.shape)] = LabelState.EXPLICIT_NEGATIVE
    matrix[self.rows, self.classes] = self.states
    return matrix

  def of_clips(self, clips: np.ndarray) -> 'LabelTable':
    """The labels of some clips, given as indices, each once; in their order."""
    place = np.full(len(self.clip_ids), -1, np.int32)
    place[clips] = np.arange(len(clips), dtype=np.int32)
    rows = place[self.rows]
    order = np.argsort(rows, kind='stable')
    order = order[rows[order] >= 0]
    return LabelTable(
      clip_ids=tuple(self.clip_ids[clip] for clip in clips),
      num_classes=self.num_classes,
      rows=rows[order],
      classes=self.classes[order],
      states=self.states[order],
      unmarked=self.unmarked.of_clips(place),
    )

  def known_in_class(self, class_index: int) -> tuple[np.ndarray, np.ndarray]:
    """The rows of the clips in which a class is no implicit negative, and its states,
    of which some may be unsure.

    Those that list it come first, then those in which it is unmarked.
    """
    chosen = self.classes == class_index
    unmarked = self.unmarked.of_class(class_index)
    negative = np.full(len(unmarked), LabelState.EXPLICIT_NEGATIVE, self.states.dtype)
    return (
      np.concatenate([self.rows[chosen], unmarked]),
      np.concatenate([self.states[chosen], negative]),
    )


def _joined(lists: Sequence[Sequence[int]], dtype: type) -> np.ndarray:
  arrays = [np.asarray(values, dtype) for values in lists]
  return np.concatenate(arrays) if arrays else np.zeros(0, dtype)
