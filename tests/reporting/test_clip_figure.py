import itertools

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.text import Text

from audioset_ml.labels.class_map import ClassMap
from audioset_ml.labels.clip_labels import ClipLabels, StrongEvent
from audioset_ml.labels.framing import FrameGrid, frame_events
from audioset_ml.labels.states import LabelState
from audioset_ml.records.frames import FrameFormat
from audioset_ml.records.inspection import ClipContent
from audioset_ml.reporting import clip_figure
from audioset_ml.reporting.clip_bars import Kind

pytestmark = pytest.mark.few

LONG_NAMES = [
  'Narration, monologue',
  'Environmental noise',
  'Female speech, woman speaking',
  'Vehicle horn, car horn, honking, toot',
  'Fire engine, fire truck (siren)',
  'Costs $5, or $6',
  'A name that is far longer than any that AudioSet has among its 527 classes',
]
CLASS_MAP = ClassMap(
  mids=tuple(f'/m/{index}' for index in range(80)),
  names=tuple(LONG_NAMES + [f'Class {index}' for index in range(len(LONG_NAMES), 80)]),
)
WEAK = {
  0: LabelState.EXPLICIT_POSITIVE,
  1: LabelState.EXPLICIT_POSITIVE,
  2: LabelState.EXPLICIT_NEGATIVE,
}
STRONG = (
  StrongEvent(1, 0.3, 1.2),
  StrongEvent(1, 4.0, 4.1),
  StrongEvent(3, 2.5, 9.99),
  StrongEvent(4, 0.96, 1.92, present=False),
)


def content_of(weak, strong=(), seconds=10.0):
  frames = round(100 * seconds) + 8
  log_mel = np.random.default_rng(0).normal(-3, 1, (frames, 64)).astype(np.float32)
  return ClipContent(
    ClipLabels('some-clip_30000', weak, tuple(strong)), log_mel, seconds
  )


def draw(*args, **kwargs):
  return clip_figure.draw_clip(
    content_of(*args, **kwargs), CLASS_MAP, FrameFormat.log_mel()
  )


def drawn_bars(axes):
  """(row label, what the legend calls it, start, end) of each bar of a panel."""
  names = [label.get_text() for label in axes.get_yticklabels()]
  return [
    (
      names[round(bar.get_y() + bar.get_height() / 2)],
      container.get_label(),
      bar.get_x(),
      bar.get_x() + bar.get_width(),
    )
    for container in axes.containers
    for bar in container
  ]


def drawn_frames(axes, kind):
  """(row label, frame) of the bars of a kind."""
  return sorted(
    (name, int((start + end) / 2 / 0.96))
    for name, said, start, end in drawn_bars(axes)
    if said == kind.value
  )


def test_the_panels_show_their_labels():
  spectrogram, weak, strong, frames = draw(WEAK, STRONG).axes
  names = CLASS_MAP.names
  assert 'some-clip_30000' in spectrogram.get_title(loc='left')
  assert sorted(drawn_bars(weak)) == sorted(
    [
      (names[0], 'present', 0.0, 10.0),
      (names[1], 'present', 0.0, 10.0),
      (names[2], 'confirmed not present', 0.0, 10.0),
    ]
  )
  expected = [
    (names[event.class_index], event.present, event.start, event.end)
    for event in STRONG
  ]
  found = [
    (name, said == 'present', pytest.approx(start), pytest.approx(end))
    for name, said, start, end in drawn_bars(strong)
  ]
  assert sorted(expected) == sorted(found, key=lambda row: (row[0], row[2].expected))
  assert drawn_frames(frames, Kind.REFUTED) == sorted(
    [(names[4], 1), *((names[2], frame) for frame in range(10))]
  )


def test_an_event_lies_over_a_refuted_stretch():
  events = [StrongEvent(0, 1, 2.2), StrongEvent(0, 1.92, 2.88, present=False)]
  panel = draw({}, events).axes[1]
  drawn = panel.get_children()
  order = [drawn.index(bar) for bars in panel.containers for bar in bars]
  said = [name[1] for name in drawn_bars(panel)]
  (top,) = [
    what for place, what in zip(order, said, strict=True) if place == max(order)
  ]
  assert top == 'present'


def test_positive_frames_are_those_of_the_50_percent_rule():
  random = np.random.default_rng(5)
  start = random.uniform(0, 9, 30).round(3)
  end = np.minimum(start + random.exponential(0.8, 30), 10).round(3)
  classes = random.integers(8, 20, 30)
  events = [StrongEvent(int(c), *t) for c, *t in zip(classes, start, end, strict=True)]
  panel = draw({}, events).axes[-1]
  event, frame = frame_events(start, end, FrameGrid())
  expected = {(f'Class {classes[e]}', f) for e, f in zip(event, frame, strict=True)}
  assert drawn_frames(panel, Kind.PRESENT) == sorted(expected)
  # SL21 3.2: all other frames of a class that has positive ones, and no more.
  framed = {name for name, _ in expected}
  others = set(itertools.product(framed, range(10))) - expected
  assert drawn_frames(panel, Kind.COMPLEMENTARY) == sorted(others)
  assert not drawn_frames(panel, Kind.REFUTED)


def test_frames_stand_apart_and_inside_their_times():
  bars = sorted(
    bar[2:] for bar in drawn_bars(draw({}, [StrongEvent(0, 0.0, 9)]).axes[-1])
  )
  assert len(bars) == 10
  for index, (start, end) in enumerate(bars):
    assert 0.96 * index < start < end < 0.96 * (index + 1)


def test_panels_without_content_are_left_out():
  assert len(draw(WEAK).axes) == 2
  assert len(draw({}, STRONG).axes) == 3
  assert len(draw(WEAK, STRONG).axes) == 4
  # An event behind the last frame has no frames.
  assert len(draw({}, [StrongEvent(0, 9.7, 9.9)]).axes) == 2
  assert len(draw({}).axes) == 1


def test_the_legend_stands_once_and_names_what_is_drawn():
  def entries(figure):
    assert len(figure.legends) == 1
    assert not any(axes.get_legend() for axes in figure.axes)
    return [text.get_text() for text in figure.legends[0].get_texts()]

  assert entries(draw(WEAK)) == ['present', 'confirmed not present']
  assert entries(draw(WEAK | {5: LabelState.IMPLICIT_POSITIVE}, STRONG)) == [
    'present',
    'present (derived)',
    'confirmed not present',
    'complementary negative',
  ]


def test_panels_are_aligned_and_rows_equally_high():
  figure = draw(WEAK, STRONG)
  boxes = [axes.get_position() for axes in figure.axes]
  assert len({round(box.x0, 6) for box in boxes}) == 1
  assert len({round(box.x1, 6) for box in boxes}) == 1
  assert {axes.get_xlim() for axes in figure.axes} == {(0.0, 10.0)}
  height = figure.get_size_inches()[1]
  rows = [
    height * box.height / len(axes.get_yticks())
    for axes, box in list(zip(figure.axes, boxes, strict=True))[1:]
  ]
  np.testing.assert_allclose(rows, rows[0])
  more = draw(WEAK | {index: LabelState.EXPLICIT_NEGATIVE for index in (8, 9)})
  less = draw(WEAK)
  grown = more.get_size_inches()[1] - less.get_size_inches()[1]
  assert grown == pytest.approx(2 * rows[0])


@pytest.mark.parametrize('seconds', [0.97, 10.0, 30.0])
def test_no_text_is_over_another_or_cut_off(seconds):
  weak = {index: LabelState(index % 3 + 1) for index in range(15)}
  strong = [StrongEvent(index, 0.1, 0.9) for index in range(20)]
  figure = draw(weak, strong, seconds)
  figure.draw_without_rendering()
  boxes = []
  for axes in figure.axes:
    texts = [*axes.get_yticklabels(), axes.yaxis.label, axes.xaxis.label]
    times = axes.get_xticklabels()
    texts += [label for label in times if label.get_position()[0] <= seconds]
    boxes += [text.get_window_extent() for text in texts if shown(text)]
    boxes.append(title_of(axes).get_window_extent())
  boxes += [text.get_window_extent() for text in figure.legends[0].get_texts()]
  assert len(boxes) > 15 + 2 * 20
  for box in boxes:
    assert box.x0 >= 0
    assert box.y0 >= 0
    assert box.x1 <= figure.bbox.x1
    assert box.y1 <= figure.bbox.y1
  for one, other in itertools.combinations(boxes, 2):
    assert not one.overlaps(other), (one, other)


def shown(text):
  return text.get_visible() and text.get_text()


def title_of(axes):
  (title,) = (
    text
    for text in axes.findobj(Text)
    if text.get_text() == axes.get_title(loc='left') != ''
  )
  return title


def test_dollar_signs_in_names_are_no_formulas():
  axes = draw({LONG_NAMES.index('Costs $5, or $6'): LabelState.EXPLICIT_POSITIVE}).axes
  texts = [title_of(axes[0]), *axes[1].get_yticklabels()]
  assert not any(text.get_parse_math() for text in texts)


def test_very_many_classes_are_cut_and_counted():
  weak = {index: LabelState.EXPLICIT_NEGATIVE for index in range(70)}
  weak[79] = LabelState.EXPLICIT_POSITIVE
  panel = draw(weak).axes[1]
  assert panel.get_title(loc='left').endswith('(40 of 71 classes)')
  names = [label.get_text() for label in panel.get_yticklabels()]
  assert len(names) == 40
  assert names[0] == 'Class 79'  # what is present is not what is cut


def test_kinds_can_be_told_apart_in_grey():
  looks = clip_figure._LOOKS
  grey = {
    kind: np.dot(to_rgb(look['facecolor']), [0.299, 0.587, 0.114])
    for kind, look in looks.items()
  }
  assert set(looks) == set(Kind)
  for one, other in itertools.combinations(Kind, 2):
    hatched = ('hatch' in looks[one]) != ('hatch' in looks[other])
    assert hatched or abs(grey[one] - grey[other]) > 0.1
  assert abs(grey[Kind.PRESENT] - grey[Kind.REFUTED]) > 0.25
