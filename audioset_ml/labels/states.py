"""What is known of a label: its state, and what each use makes of that state.

| state | said by | as a training target | in d′ (explicit) | may be ignored |
|---|---|---|---|---|
| implicit negative | nobody was asked | 0, or −1 where a label set says so | no | yes |
| explicit positive | a person: present | 1 | positive | never |
| explicit negative | a person: not present | 0 | negative | never |
| implicit positive | derived, as from the ontology | 1 | no | never |

A clip lists the labels of the last three states; every class that it does not list is
an implicit negative, the vast majority (ML20 section II).
"""

import dataclasses
import enum
from collections.abc import Sequence

import numpy as np


class LabelState(enum.IntEnum):
  """The state of one label (a clip and a class)."""

  IMPLICIT_NEGATIVE = 0
  EXPLICIT_POSITIVE = 1
  EXPLICIT_NEGATIVE = 2
  IMPLICIT_POSITIVE = 3

  @classmethod
  def of(cls, present: bool, explicit: bool) -> 'LabelState':
    """The state of a label that says `present`, given by a person if `explicit`."""
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
  """

  clip_ids: tuple[str, ...]
  num_classes: int
  rows: np.ndarray
  classes: np.ndarray
  states: np.ndarray

  @classmethod
  def from_lists(
    cls,
    clip_ids: Sequence[str],
    num_classes: int,
    listed: Sequence[tuple[Sequence[int], Sequence[int]]],
  ) -> 'LabelTable':
    """Builds a table from each clip's (class indices, states)."""
    lengths = [len(classes) for classes, _ in listed]
    return cls(
      clip_ids=tuple(clip_ids),
      num_classes=num_classes,
      rows=np.repeat(np.arange(len(listed), dtype=np.int32), lengths),
      classes=_joined([classes for classes, _ in listed], np.int32),
      states=_joined([states for _, states in listed], np.int8),
    )

  def dense(self) -> np.ndarray:
    """The state of every label. Shape [clips, classes], int8."""
    matrix = np.zeros((len(self.clip_ids), self.num_classes), np.int8)
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
    )

  def listed_in_class(self, class_index: int) -> tuple[np.ndarray, np.ndarray]:
    """The rows of the clips that list a class, and their states."""
    chosen = self.classes == class_index
    return self.rows[chosen], self.states[chosen]


def _joined(lists: Sequence[Sequence[int]], dtype: type) -> np.ndarray:
  arrays = [np.asarray(values, dtype) for values in lists]
  return np.concatenate(arrays) if arrays else np.zeros(0, dtype)
