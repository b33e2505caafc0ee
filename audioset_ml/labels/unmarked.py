"""Labels that complete annotators did not mark: explicit negatives, a bit a label.

Who marked every sound of some classes says of each of these that is not marked that it
is not there: of all the others at once, hundreds a clip. Listed one by one they would
be many times all other labels of a clip. They are kept apart from labels that a person
refuted by name for another reason, too: who chooses the most specific name ("Hiss")
does not say that the more general one ("Snake") is false (SL21 section 3.1), which
label smearing (`ontology`) can mend here and must not where a person was asked.
"""

import dataclasses
from collections.abc import Mapping

import numpy as np


def pack(classes: np.ndarray, num_classes: int) -> np.ndarray:
  """Classes as bits, the first class highest. Shape [⌈num_classes / 8⌉], uint8."""
  chosen = np.zeros(num_classes, bool)
  chosen[classes] = True
  return np.packbits(chosen)


def unpack(packed: bytes) -> np.ndarray:
  """The classes of which the bit is set, in their order."""
  return np.flatnonzero(np.unpackbits(np.frombuffer(packed, np.uint8)))


def has_class(packed: np.ndarray, class_index: int) -> np.ndarray:
  """Whether a class's bit is set. Shape [n, ⌈classes / 8⌉] to [n], bool."""
  # numpy.packbits puts the first class into the highest bit.
  return (packed[:, class_index // 8] >> (7 - class_index % 8) & 1).astype(bool)


@dataclasses.dataclass(frozen=True)
class UnmarkedLabels:
  """The unmarked labels of many clips; without arguments, of none.

  Attributes:
    rows: the completely annotated clips, as indices, in their order. Shape [n], int32.
    packed: what each lacks, bits as of `pack`. Shape [n, ⌈classes / 8⌉], uint8.
  """

  rows: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(0, np.int32))
  packed: np.ndarray = dataclasses.field(
    default_factory=lambda: np.zeros((0, 0), np.uint8)
  )

  @classmethod
  def of_bytes(cls, by_row: Mapping[int, bytes]) -> 'UnmarkedLabels':
    """Of the bits of each clip that has any, by its index, ascending."""
    if not by_row:
      return cls()
    packed = np.frombuffer(b''.join(by_row.values()), np.uint8)
    return cls(np.array(list(by_row), np.int32), packed.reshape(len(by_row), -1))

  def to_bytes(self) -> dict[int, bytes]:
    """The bits of each clip that has any, by its index."""
    return dict(zip(self.rows.tolist(), map(bytes, self.packed), strict=True))

  @property
  def total(self) -> int:
    """How many labels there are."""
    return int(self.count_classes(8 * self.packed.shape[1]).sum())

  def lacking(self, first: int, clips: int, num_classes: int) -> np.ndarray:
    """Which labels of some consecutive clips these are. Shape [clips, classes], bool.

    Args:
      first: the first clip.
      clips: how many, at a byte a label.
      num_classes: number of classes.
    """
    found = np.zeros((clips, num_classes), bool)
    here = slice(*np.searchsorted(self.rows, [first, first + clips]))
    bits = np.unpackbits(self.packed[here], axis=1, count=num_classes)
    found[self.rows[here] - first] = bits
    return found

  def of_class(self, class_index: int) -> np.ndarray:
    """The clips that lack a class, as indices."""
    if not len(self.rows):
      return self.rows
    return self.rows[has_class(self.packed, class_index)]

  def count_classes(self, num_classes: int) -> np.ndarray:
    """How many clips lack each class. Shape [num_classes]."""
    counts = np.zeros(num_classes, np.int64)
    # Eight classes at a time: all bits at once would take a byte each.
    for first, column in zip(range(0, num_classes, 8), self.packed.T, strict=False):
      sums = np.unpackbits(column[:, np.newaxis], axis=1).sum(axis=0, dtype=np.int64)
      counts[first : first + 8] = sums[: num_classes - first]
    return counts

  def hold(self, rows: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Whether each of some labels, a clip and a class, is one of these. Shape [n]."""
    place, found = self._places(rows)
    held = np.zeros(len(found), bool)
    chosen = np.asarray(classes)[found]
    bytes_of = self.packed[place, chosen // 8]
    held[found] = bytes_of >> (7 - chosen % 8).astype(np.uint8) & 1
    return held

  def without(self, rows: np.ndarray, classes: np.ndarray) -> 'UnmarkedLabels':
    """The same less some labels, each a clip and a class."""
    place, found = self._places(rows)
    chosen = np.asarray(classes)[found]
    kept = 255 - (128 >> chosen % 8).astype(np.uint8)
    packed = self.packed.copy()
    np.bitwise_and.at(packed, (place, chosen // 8), kept)
    return dataclasses.replace(self, packed=packed)

  def of_clips(self, place: np.ndarray) -> 'UnmarkedLabels':
    """Those of some clips, numbered anew.

    Args:
      place: the new index of each clip, −1 for those that are left out. Shape [clips].
    """
    rows = place[self.rows]
    order = np.argsort(rows, kind='stable')
    order = order[rows[order] >= 0]
    return UnmarkedLabels(rows[order].astype(np.int32), self.packed[order])

  def _places(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where each clip stands here, of those that do; and which do."""
    rows = np.asarray(rows)
    place = np.searchsorted(self.rows, rows)
    found = np.zeros(len(rows), bool)
    within = place < len(self.rows)
    found[within] = self.rows[place[within]] == rows[within]
    return place[found], found
