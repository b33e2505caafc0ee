"""Each clip's labels: one clip's, and those of all clips as columns."""

import dataclasses
import functools
from collections.abc import Iterable

import numpy as np
import pandas as pd

from audioset_ml.core.hashing import stable_hash
from audioset_ml.labels.states import LabelState
from audioset_ml.labels.unmarked import UnmarkedLabels, unpack


@dataclasses.dataclass(frozen=True)
class StrongEvent:
  """A labelled stretch of a clip.

  Attributes:
    class_index: the class.
    start: its begin (s, from the start of the clip).
    end: its end (s).
    present: True for an event, False for a stretch that was refuted.
  """

  class_index: int
  start: float
  end: float
  present: bool = True


@dataclasses.dataclass(frozen=True)
class ClipLabels:
  """All labels of a clip.

  Attributes:
    clip_id: `<YouTube id>_<start in ms>`.
    weak: the state of each class listed for the whole clip, by class index.
    strong: its strong labels.
    unmarked: the classes that complete annotators did not mark, a bit each
      (`unmarked.pack`); b'' unless the clip was annotated completely.
  """

  clip_id: str
  weak: dict[int, LabelState] = dataclasses.field(default_factory=dict)
  strong: tuple[StrongEvent, ...] = ()
  unmarked: bytes = b''

  @property
  def explicit_negatives(self) -> set[int]:
    """The classes that the clip lacks for sure: refuted by name, or not marked."""
    refuted = (c for c, s in self.weak.items() if s == LabelState.EXPLICIT_NEGATIVE)
    return {*refuted, *unpack(self.unmarked).tolist()}


@dataclasses.dataclass(frozen=True)
class ClipLabelTable:
  """The labels of many clips as columns: some 50 bytes a label.

  Attributes:
    clips: a row a clip, sorted by clip_id: clip_id, seconds (its length).
    weak: a row a label of a whole clip, sorted: clip (its row in `clips`), class_index,
      state (LabelState).
    strong: a row a labelled stretch, sorted: clip, start, end (s), class_index,
      present.
    unmarked: what complete annotators did not mark.
  """

  clips: pd.DataFrame
  weak: pd.DataFrame
  strong: pd.DataFrame
  unmarked: UnmarkedLabels = dataclasses.field(default_factory=UnmarkedLabels)

  def __len__(self) -> int:
    return len(self.clips)

  def clip(self, row: int) -> ClipLabels:
    """The labels of the clip in a row."""
    ids, states = self._clip_ids, self._states
    weak, strong = self._weak_columns, self._strong_columns
    first, last = self._weak_bounds[row : row + 2]
    listed = zip(*(column[first:last].tolist() for column in weak), strict=True)
    first, last = self._strong_bounds[row : row + 2]
    events = zip(*(column[first:last].tolist() for column in strong), strict=True)
    return ClipLabels(
      clip_id=ids[row],
      weak={class_index: states[state] for class_index, state in listed},
      strong=tuple(StrongEvent(*event) for event in events),
      unmarked=self._unmarked_bytes.get(row, b''),
    )

  def sample(self, fraction: float) -> 'ClipLabelTable':
    """A share of the clips, by a hash of their ids, with their labels.

    A smaller share is part of every larger one, and neither depends on the other clips.
    """
    limit = int(fraction * 2**64)
    # Not the hash by which training takes a share: of the sample this is to be one too.
    hashes = (stable_hash(f'sample of {clip_id}') for clip_id in self.clips['clip_id'])
    kept = [number < limit for number in hashes]
    return self.of_rows(np.flatnonzero(kept))

  def of_rows(self, rows: np.ndarray) -> 'ClipLabelTable':
    """Some clips, given as ascending rows, with their labels."""
    place = np.full(len(self), -1)
    place[rows] = np.arange(len(rows))

    def of_kept(labels: pd.DataFrame) -> pd.DataFrame:
      labels = labels.assign(clip=place[labels['clip'].to_numpy()])
      return labels[labels['clip'] >= 0].reset_index(drop=True)

    clips = self.clips.iloc[rows].reset_index(drop=True)
    return ClipLabelTable(
      clips, of_kept(self.weak), of_kept(self.strong), self.unmarked.of_clips(place)
    )

  @functools.cached_property
  def _clip_ids(self) -> list[str]:
    return self.clips['clip_id'].tolist()

  @functools.cached_property
  def _states(self) -> dict[int, LabelState]:
    return {int(state): state for state in LabelState}

  @functools.cached_property
  def _weak_columns(self) -> list[np.ndarray]:
    return [self.weak[name].to_numpy() for name in ('class_index', 'state')]

  @functools.cached_property
  def _strong_columns(self) -> list[np.ndarray]:
    names = [field.name for field in dataclasses.fields(StrongEvent)]
    return [self.strong[name].to_numpy() for name in names]

  @functools.cached_property
  def _weak_bounds(self) -> np.ndarray:
    return self._bounds(self.weak)

  @functools.cached_property
  def _strong_bounds(self) -> np.ndarray:
    return self._bounds(self.strong)

  @functools.cached_property
  def _unmarked_bytes(self) -> dict[int, bytes]:
    return self.unmarked.to_bytes()

  def _bounds(self, labels: pd.DataFrame) -> np.ndarray:
    """Where each clip's labels begin; one more entry for the end of the last."""
    return np.searchsorted(labels['clip'].to_numpy(), np.arange(len(self) + 1))


def with_decided(weak: pd.DataFrame, decided: pd.DataFrame) -> pd.DataFrame:
  """Labels of whole clips with further ones, sorted.

  What a person was unsure of gives way to what another one decided.

  Args:
    weak: as `ClipLabelTable.weak`.
    decided: more of these, of clips and classes that `weak` has no others of.
  """
  pair = ['clip', 'class_index']
  table = pd.concat([weak, decided])
  unsure = (table['state'] == LabelState.UNSURE) & table.duplicated(pair, keep=False)
  return table[~unsure].sort_values(pair, ignore_index=True)


def count_states(clips: Iterable[ClipLabels]) -> dict[str, int]:
  """How many labels of each kind the clips have, and how many have strong ones.

  Explicit negatives are those refuted by name and the unmarked ones.
  """
  clips = list(clips)
  states = [state for clip in clips for state in clip.weak.values()]
  unmarked = sum(len(unpack(clip.unmarked)) for clip in clips)
  return {
    'explicit_positives': states.count(LabelState.EXPLICIT_POSITIVE),
    'explicit_negatives': states.count(LabelState.EXPLICIT_NEGATIVE) + unmarked,
    'unmarked_labels': unmarked,
    'unsure_labels': states.count(LabelState.UNSURE),
    'strong_events': sum(event.present for clip in clips for event in clip.strong),
    'refuted_stretches': sum(not event.present for c in clips for event in c.strong),
    'clips_with_events': sum(any(e.present for e in clip.strong) for clip in clips),
    'complete_clips': sum(bool(clip.unmarked) for clip in clips),
    'complete_clips_without_events': sum(
      bool(clip.unmarked) and not any(e.present for e in clip.strong) for clip in clips
    ),
  }


# What `count_classes` counts, in its order.
CLASS_COUNTS = (
  'explicit_positives',
  'explicit_negatives',
  'clips_with_events',
  'clips_with_refuted_stretches',
)


def count_classes(clips: Iterable[ClipLabels]) -> dict[int, list[int]]:
  """For each class the clips with it as: explicit positive, explicit negative, events,
  refuted stretches."""
  counts: dict[int, list[int]] = {}
  for clip in clips:
    for class_index, state in clip.weak.items():
      if state.explicit:
        counts.setdefault(class_index, [0] * 4)[0 if state.present else 1] += 1
    for class_index in unpack(clip.unmarked).tolist():
      counts.setdefault(class_index, [0] * 4)[1] += 1
    for class_index, present in {(e.class_index, e.present) for e in clip.strong}:
      counts.setdefault(class_index, [0] * 4)[2 if present else 3] += 1
  return counts
