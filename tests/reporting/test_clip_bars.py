import numpy as np
import pandas as pd
import pytest

from audioset_ml.labels import formats, framing, label_rows
from audioset_ml.labels.clip_labels import ClipLabels, StrongEvent
from audioset_ml.labels.framing import FrameGrid
from audioset_ml.labels.states import LabelState
from audioset_ml.reporting import clip_bars
from audioset_ml.reporting.clip_bars import Kind

GRID = FrameGrid()


def random_labels(seed, classes=6):
  random = np.random.default_rng(seed)
  weak = {
    index: LabelState(random.integers(1, 4))
    for index in range(classes)
    if random.random() < 0.7
  }
  events = []
  for _ in range(random.integers(1, 8)):
    start = round(random.uniform(0, 9.9), 3)
    end = round(min(start + random.exponential(1), 10), 3)
    events.append(StrongEvent(int(random.integers(classes)), start, end))
  return ClipLabels('clip_0', weak, tuple(events))


def google_frames(labels):
  """(class, frame) of PRESENT and of NOT_PRESENT rows of `framing.frame_table`."""
  strong = pd.DataFrame(
    [('clip_0', event.start, event.end, event.class_index) for event in labels.strong],
    columns=formats.STRONG_COLUMNS,
  )
  said = {
    LabelState.EXPLICIT_POSITIVE: label_rows.PRESENT,
    LabelState.EXPLICIT_NEGATIVE: label_rows.NOT_PRESENT,
  }
  explicit = pd.DataFrame(
    [('clip_0', index, said[s]) for index, s in labels.weak.items() if s in said],
    columns=formats.EXPLICIT_COLUMNS,
  )
  table = framing.frame_table(strong, explicit, GRID)
  frames = (table['start_time_seconds'] / 0.96).round().astype(int)
  pairs = list(zip(table['label'], frames, strict=True))
  return tuple(
    {pair for pair, found in zip(pairs, table['present'], strict=True) if found == said}
    for said in (label_rows.PRESENT, label_rows.NOT_PRESENT)
  )


@pytest.mark.parametrize('seed', range(40))
def test_frames_are_those_that_are_evaluated_on(seed):
  labels = random_labels(seed)
  bars = clip_bars.frame_bars(labels, GRID)
  present, absent = google_frames(labels)
  drawn = [(bar.class_index, round(bar.start / 0.96)) for bar in bars]
  is_present = [bar.kind == Kind.PRESENT for bar in bars]
  assert len(set(drawn)) == len(drawn)
  assert {p for p, said in zip(drawn, is_present, strict=True) if said} == present
  assert {p for p, said in zip(drawn, is_present, strict=True) if not said} == absent
  assert all(bar.end - bar.start == pytest.approx(0.96) for bar in bars)


def test_refuted_stretches_stand_before_complementary_negatives():
  labels = ClipLabels(
    'clip_0',
    strong=(
      StrongEvent(4, 0.0, 1.0),
      StrongEvent(4, 1.92, 3.84, present=False),
      StrongEvent(4, 0.0, 0.96, present=False),  # contradicts the event
    ),
  )
  kinds = clip_bars.frame_kinds(labels, 4, GRID)
  negative, other = Kind.REFUTED, Kind.COMPLEMENTARY
  assert kinds == [Kind.PRESENT, other, negative, negative] + [other] * 6


def test_events_count_more_than_a_rating_of_the_whole_clip():
  refuted = {4: LabelState.EXPLICIT_NEGATIVE}
  labels = ClipLabels('clip_0', refuted, (StrongEvent(4, 0.0, 1.0),))
  kinds = clip_bars.frame_kinds(labels, 4, GRID)
  assert kinds == [Kind.PRESENT] + [Kind.COMPLEMENTARY] * 9
  late = ClipLabels('clip_0', refuted, (StrongEvent(4, 9.7, 9.9),))
  assert clip_bars.frame_kinds(late, 4, GRID) == [None] * 10


def test_of_a_class_without_events_only_refuted_stretches_are_drawn():
  labels = ClipLabels('clip_0', strong=(StrongEvent(2, 0.96, 1.92, present=False),))
  bars = clip_bars.frame_bars(labels, GRID)
  assert [(bar.kind, bar.start, bar.end) for bar in bars] == [
    (Kind.REFUTED, 0.96, 1.92)
  ]


def test_an_event_behind_the_last_frame_gives_no_frames():
  labels = ClipLabels('clip_0', strong=(StrongEvent(2, 9.7, 9.9),))
  assert clip_bars.frame_bars(labels, GRID) == []
  assert len(clip_bars.strong_bars(labels)) == 1


def test_weak_labels_are_as_long_as_the_clip():
  weak = {
    3: LabelState.EXPLICIT_POSITIVE,
    1: LabelState.EXPLICIT_NEGATIVE,
    0: LabelState.IMPLICIT_POSITIVE,
  }
  bars = clip_bars.weak_bars(ClipLabels('clip_0', weak), 7.5)
  assert {(bar.start, bar.end) for bar in bars} == {(0.0, 7.5)}
  assert {bar.class_index: bar.kind for bar in bars} == {
    3: Kind.PRESENT,
    1: Kind.REFUTED,
    0: Kind.DERIVED,
  }


def test_rows_are_in_the_order_of_events_then_of_presence():
  weak = {
    0: LabelState.EXPLICIT_NEGATIVE,
    1: LabelState.EXPLICIT_POSITIVE,
    2: LabelState.EXPLICIT_POSITIVE,
    5: LabelState.EXPLICIT_NEGATIVE,
  }
  events = (
    StrongEvent(0, 0.0, 0.96, present=False),
    StrongEvent(4, 1.0, 2.0),
    StrongEvent(2, 0.5, 2.0),
    StrongEvent(5, 3.0, 4.0),  # listening for events found what the rating denies
    StrongEvent(4, 0.1, 0.2),
  )
  assert clip_bars.class_order(ClipLabels('c_0', weak, events)) == [4, 2, 5, 1, 0]


@pytest.mark.parametrize(
  ('seconds', 'frames'),
  [(10.0, 10), (9.6, 10), (9.59, 9), (2.0, 2), (0.96, 1), (0.5, 1), (30.0, 31)],
)
def test_a_clip_has_as_many_frames_as_fit(seconds, frames):
  assert clip_bars.frame_grid(seconds) == FrameGrid(frames=frames)
