"""What a clip's labels say of which stretch of it, as the bars of SL21's Fig. 1."""

import dataclasses
import enum
from collections.abc import Iterable

import numpy as np

from audioset_ml.labels.clip_labels import ClipLabels, StrongEvent
from audioset_ml.labels.framing import FrameGrid, frame_events
from audioset_ml.labels.states import LabelState


class Kind(enum.Enum):
  """What a bar says of a class; the value is what the legend says."""

  PRESENT = 'present'
  DERIVED = 'present (derived)'
  REFUTED = 'confirmed not present'
  COMPLEMENTARY = 'complementary negative'
  UNSURE = 'unsure'


KIND_OF_STATE = {
  LabelState.EXPLICIT_POSITIVE: Kind.PRESENT,
  LabelState.IMPLICIT_POSITIVE: Kind.DERIVED,
  LabelState.EXPLICIT_NEGATIVE: Kind.REFUTED,
  LabelState.UNSURE: Kind.UNSURE,
}


@dataclasses.dataclass(frozen=True)
class Bar:
  """A stretch of a clip of which a label says something.

  Attributes:
    class_index: the class.
    kind: what is said.
    start: begin (s, from the start of the clip).
    end: end (s).
  """

  class_index: int
  kind: Kind
  start: float
  end: float


def weak_bars(labels: ClipLabels, seconds: float) -> list[Bar]:
  """The weak labels, as long as the clip (s)."""
  return [
    Bar(class_index, KIND_OF_STATE[state], 0.0, seconds)
    for class_index, state in labels.weak.items()
  ]


def strong_bars(labels: ClipLabels) -> list[Bar]:
  """The events and the refuted stretches, as they are."""
  return [
    Bar(
      event.class_index,
      Kind.PRESENT if event.present else Kind.REFUTED,
      event.start,
      event.end,
    )
    for event in labels.strong
  ]


def frame_bars(labels: ClipLabels, grid: FrameGrid) -> list[Bar]:
  """The labels on frames, as SL21 3.2 evaluates on them; a bar a frame."""
  starts, ends = grid.bounds(np.arange(grid.frames))
  classes = {event.class_index for event in labels.strong} | _refuted(labels)
  return [
    Bar(class_index, kind, float(start), float(end))
    for class_index in sorted(classes)
    for kind, start, end in zip(
      frame_kinds(labels, class_index, grid), starts, ends, strict=True
    )
    if kind
  ]


def frame_kinds(
  labels: ClipLabels, class_index: int, grid: FrameGrid
) -> list[Kind | None]:
  """What the labels say of a class in each frame; None where they say nothing.

  Present by the 50 % rule. Not present are the frames of refuted stretches, by the same
  rule, and all frames if the class is refuted for the whole clip and has no events (as
  in `framing.frame_table`). If there are positive frames, the rest of the clip's frames
  are complementary negatives.
  """
  own = [event for event in labels.strong if event.class_index == class_index]
  events = [event for event in own if event.present]
  positive = _frames(events, grid)
  kinds = np.full(grid.frames, Kind.COMPLEMENTARY if len(positive) else None)
  if not events and class_index in _refuted(labels):
    kinds[:] = Kind.REFUTED
  kinds[_frames((event for event in own if not event.present), grid)] = Kind.REFUTED
  kinds[positive] = Kind.PRESENT
  return kinds.tolist()


def frame_grid(seconds: float) -> FrameGrid:
  """The whole frames of a clip: ten in ten seconds, as in Google's file."""
  return FrameGrid(frames=max(1, round(1000 * seconds) // FrameGrid().frame_ms))


def class_order(labels: ClipLabels) -> list[int]:
  """The classes in the order of their rows.

  Those with events by their first begin, those present in the clip, those refuted or
  unsure.
  """
  places: dict[int, tuple] = {}
  for event in labels.strong:
    place = (0, event.start) if event.present else (2, 0.0)
    places[event.class_index] = min(place, places.get(event.class_index, place))
  for index, state in labels.weak.items():
    place = (1 if state.present else 2, 0.0)
    places[index] = min(place, places.get(index, place))
  return sorted(places, key=lambda index: (places[index], index))


def _frames(events: Iterable[StrongEvent], grid: FrameGrid) -> np.ndarray:
  """The frames of any of the events by the 50 % rule, sorted."""
  times = np.array([(event.start, event.end) for event in events]).reshape(-1, 2)
  return np.unique(frame_events(times[:, 0], times[:, 1], grid)[1])


def _refuted(labels: ClipLabels) -> set[int]:
  """The classes that are refuted for the whole clip."""
  return {
    index
    for index, state in labels.weak.items()
    if state == LabelState.EXPLICIT_NEGATIVE
  }
