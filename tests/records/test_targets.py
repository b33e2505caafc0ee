from fractions import Fraction

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from audioset_ml.core.errors import InputError, RecordError
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.labels.clip_labels import ClipLabels, StrongEvent
from audioset_ml.labels.label_set import LabelSet
from audioset_ml.labels.states import LabelState
from audioset_ml.labels.unmarked import pack
from audioset_ml.records import schema, training_input
from audioset_ml.records.folder import RecordsFolder
from audioset_ml.records.folds import Fold
from audioset_ml.records.frames import FrameFormat
from audioset_ml.records.targets import (
  EXPLICIT_NEGATIVE,
  IGNORED,
  NEGATIVE,
  POSITIVE,
  LabelSetLookup,
  TargetMaker,
)
from audioset_ml.records.training_source import Source

CLASSES = 5
LOG_MEL = FrameFormat.log_mel()
# Class 0 is a kind of 1 and 2, and 3 a kind of 2.
IMPLIED = np.zeros((CLASSES, CLASSES), bool)
IMPLIED[0, [1, 2]] = IMPLIED[3, 2] = True


OTHER = ClipLabels(
  'abc_0',
  {
    1: LabelState.EXPLICIT_POSITIVE,
    4: LabelState.EXPLICIT_NEGATIVE,
    0: LabelState.UNSURE,
  },
  (StrongEvent(2, 0.0, 3.0), StrongEvent(3, 0.0, 9.0, present=False)),
  b'\x20',
)


def target(labels, label_mode, start=0, implied=None, **options):
  maker = TargetMaker(CLASSES, LOG_MEL, label_mode, implied=implied, **options)
  serialized = schema.serialize(labels, np.zeros((1008, 64)), LOG_MEL)
  # Beside another clip, for targets are made of many at once.
  other = schema.serialize(OTHER, np.zeros((1008, 64)), LOG_MEL)
  both = tf.constant([other, serialized])
  record = schema.parse_batch(both, strong=maker.needs_events)
  starts = tf.constant([5, start], tf.int64)
  return maker.targets(record, starts)[1].numpy().tolist()


def covers(event, start_frame):
  """The 50 % rule of SL21 3.2, read aloud, in whole milliseconds."""
  first, last = round(event.start * 1000), round(event.end * 1000)
  low = 10 * start_frame
  overlap = min(last, low + 960) - max(first, low)
  return overlap >= 480 or (overlap > 0 and 2 * overlap >= last - first)


def plain_target(labels, label_mode, start, smear):
  """A slow twin: class by class, the rules in words."""
  result = []
  counting = [
    event for event in labels.strong if label_mode == 'diffuse' or covers(event, start)
  ]
  for class_index in range(CLASSES):
    if label_mode == 'weak':
      positive = {c for c, state in labels.weak.items() if state.present}
    else:
      positive = {event.class_index for event in counting if event.present}
    refuted = {c for c, s in labels.weak.items() if s is LabelState.EXPLICIT_NEGATIVE}
    if label_mode == 'strong':
      refuted |= {event.class_index for event in counting if not event.present}
    implied = smear and any(IMPLIED[child, class_index] for child in positive)
    events = {event.class_index for event in labels.strong if event.present}
    unsure = labels.weak.get(class_index) is LabelState.UNSURE
    if label_mode != 'weak':
      unsure = unsure and class_index not in events
    if class_index in positive:
      result.append(POSITIVE)
    elif class_index in refuted:
      result.append(NEGATIVE)
    elif unsure:
      result.append(IGNORED)
    else:
      result.append(int(implied))
  return result


_EVENTS = st.builds(
  lambda c, start, length, present: StrongEvent(
    c, start / 1000, (start + length) / 1000, present
  ),
  st.integers(0, CLASSES - 1),
  st.integers(0, 9000),
  st.one_of(st.integers(0, 1000), st.sampled_from([479, 480, 481, 960, 1920])),
  st.booleans(),
)
_WEAK = st.dictionaries(
  st.integers(0, CLASSES - 1),
  st.sampled_from(
    [LabelState.EXPLICIT_POSITIVE, LabelState.EXPLICIT_NEGATIVE, LabelState.UNSURE]
  ),
)


@settings(max_examples=60, deadline=None)
@given(
  weak=_WEAK,
  strong=st.lists(_EVENTS, max_size=5),
  label_mode=st.sampled_from(['weak', 'diffuse', 'strong']),
  start=st.integers(0, 912),
  smear=st.booleans(),
)
def test_targets_follow_the_rules(weak, strong, label_mode, start, smear):
  labels = ClipLabels('abc_0', weak, tuple(strong))
  found = target(labels, label_mode, start, IMPLIED if smear else None)
  assert found == plain_target(labels, label_mode, start, smear)


def exact_share(start, end, start_frame):
  """Whether a patch is half filled by an event or holds half of it, by shares, of times
  that are decimals."""
  start, end, low = Fraction(start), Fraction(end), Fraction(start_frame, 100)
  length = Fraction('0.96')
  overlap = min(end, low + length) - max(start, low)
  if overlap <= 0:
    return False
  return max(overlap / length, overlap / (end - start)) >= Fraction(1, 2)


def has_event(start, end, start_frame):
  """Whether a patch has an event's class, the event read from a record."""
  event = StrongEvent(0, float(start), float(end))
  found = target(ClipLabels('abc_0', {}, (event,)), 'strong', start_frame)
  return found[0] == 1


@pytest.mark.parametrize(
  ('start', 'end', 'frame', 'expected'),
  [
    # Longer than the patch of 0.96 s, fills exactly half of it; a thousandth less.
    ('0.480', '2.400', 0, True),
    ('0.481', '2.401', 0, False),
    ('1.000', '3.470', 299, True),  # its end
    ('1.000', '3.469', 299, False),
    # Short, exactly half of it inside; a thousandth less.
    ('0.860', '1.060', 0, True),
    ('0.861', '1.061', 0, False),
    ('7.410', '7.610', 751, True),
    ('7.409', '7.609', 751, False),
    # 1000 · 8.03, 0.251 and 2.011 are a little less than whole in float32.
    ('7.000', '8.030', 755, True),
    ('0.009', '0.251', 13, True),
    ('2.011', '4.000', 153, False),
  ],
)
def test_exactly_half_of_a_patch_or_of_an_event_is_enough(start, end, frame, expected):
  assert exact_share(start, end, frame) == expected
  assert has_event(start, end, frame) == expected


@pytest.mark.long
@settings(max_examples=200, deadline=None)
@given(
  frame=st.integers(0, 912),
  inside=st.sampled_from([480, 480, 480, 1, 20, 100, 479, 481, 700]),
  outside=st.one_of(st.none(), st.integers(481, 3000)),
  shift=st.sampled_from([0, 0, 1, -1]),
  at_end=st.booleans(),
)
def test_targets_at_the_boundary_are_exact(frame, inside, outside, shift, at_end):
  """Float32 seconds, as records hold them, against rational arithmetic."""
  outside = inside if outside is None else outside  # half of the event is inside
  border = 10 * frame + (960 if at_end else 0)
  before, behind = (inside, outside) if at_end else (outside, inside)
  times_ms = max(border - before + shift, 0), border + behind + shift
  times = [f'{time // 1000}.{time % 1000:03d}' for time in times_ms]
  assert has_event(*times, frame) == exact_share(*times, frame)


FLAGS = {'ignored': IGNORED, 'positive': POSITIVE}


def lookup(flagged, flagged_as):
  """A label set of one clip, with these classes flagged."""
  class_map = ClassMap(tuple('abcde'), tuple('abcde'))
  packed = pack(flagged, CLASSES)[np.newaxis]
  label_set = LabelSet('flags', ('abc_0',), class_map, packed, flagged_as)
  return LabelSetLookup(label_set)


def plain_complete_target(labels, unmarked, label_mode, start, smear, flagged, outside):
  """What a label set, and what nobody was asked about, make of `plain_target`."""
  result = plain_target(labels, label_mode, start, smear)
  events = {event.class_index for event in labels.strong if event.present}
  lacking = set(unmarked or ())
  if smear:
    positive = {c for c, state in labels.weak.items() if state.present} | events
    lacking -= {above for c in positive for above in np.flatnonzero(IMPLIED[c])}
  if label_mode != 'weak' and unmarked is not None:
    outside = set(range(CLASSES)) - events - set(unmarked)
  refuted = {c for c, s in labels.weak.items() if s is LabelState.EXPLICIT_NEGATIVE}
  if label_mode == 'strong':
    refuted |= {
      e.class_index for e in labels.strong if not e.present and covers(e, start)
    }
  for index in range(CLASSES):
    if result[index] == POSITIVE or index in refuted:
      continue
    if label_mode != 'weak' and index in outside:
      result[index] = IGNORED
    if label_mode == 'weak' and index in flagged[0] - lacking - set(labels.weak):
      result[index] = FLAGS[flagged[1]]
  return result


_SOME = st.sets(st.integers(0, CLASSES - 1))


@settings(max_examples=80, deadline=None)
@given(
  weak=_WEAK,
  strong=st.lists(_EVENTS, max_size=4),
  asked=st.none() | _SOME,
  label_mode=st.sampled_from(['weak', 'diffuse', 'strong']),
  start=st.integers(0, 912),
  smear=st.booleans(),
  flagged=st.tuples(_SOME, st.sampled_from(['ignored', 'positive'])),
  outside=_SOME,
)
def test_what_complete_annotators_did_not_mark_is_never_ignored(
  weak, strong, asked, label_mode, start, smear, flagged, outside
):
  """Nor added by a label set; what they were not asked about can be left out."""
  events = {event.class_index for event in strong if event.present}
  unmarked = None if asked is None else asked - events - set(weak)
  packed = b'' if asked is None else pack(sorted(unmarked), CLASSES).tobytes()
  labels = ClipLabels('abc_0', weak, tuple(strong), packed)
  options = {'complete': True}
  if label_mode == 'weak':
    options['lookup'] = lookup(sorted(flagged[0]), flagged[1])
  else:
    options['unannotated'] = np.isin(np.arange(CLASSES), sorted(outside))
  found = target(labels, label_mode, start, IMPLIED if smear else None, **options)
  assert found == plain_complete_target(
    labels, unmarked, label_mode, start, smear, flagged, outside
  )


def plain_explicit(labels, unmarked, label_mode, start, smear):
  """The classes that people said are absent, where they are negatives: the rules in
  words."""
  said = {c for c, s in labels.weak.items() if s is LabelState.EXPLICIT_NEGATIVE}
  events = {event.class_index for event in labels.strong if event.present}
  kinds_of = {above for c in events for above in np.flatnonzero(IMPLIED[c]).tolist()}
  said |= set(unmarked or ()) - (kinds_of if smear and label_mode == 'weak' else set())
  if label_mode == 'strong':
    said |= events | (kinds_of if smear else set())
    for event in labels.strong:
      if not event.present and covers(event, start):
        said.add(event.class_index)
  return said


@pytest.mark.long
@settings(max_examples=120, deadline=None)
@given(
  weak=_WEAK,
  strong=st.lists(_EVENTS, max_size=4),
  asked=st.none() | _SOME,
  label_mode=st.sampled_from(['weak', 'diffuse', 'strong']),
  start=st.integers(0, 912),
  smear=st.booleans(),
  flagged=st.none() | st.tuples(_SOME, st.sampled_from(['ignored', 'positive'])),
  outside=st.none() | _SOME,
)
def test_explicit_negatives_are_told_where_they_are_asked_for(
  weak, strong, asked, label_mode, start, smear, flagged, outside
):
  """They are what people said is absent, and nothing else changes."""
  events = {event.class_index for event in strong if event.present}
  unmarked = None if asked is None else asked - events - set(weak)
  packed = b'' if asked is None else pack(sorted(unmarked), CLASSES).tobytes()
  labels = ClipLabels('abc_0', weak, tuple(strong), packed)
  options = {'complete': asked is not None, 'implied': IMPLIED if smear else None}
  if label_mode == 'weak' and flagged is not None:
    options['lookup'] = lookup(sorted(flagged[0]), flagged[1])
  if label_mode != 'weak' and outside is not None:
    options['unannotated'] = np.isin(np.arange(CLASSES), sorted(outside))
  three = np.array(target(labels, label_mode, start, **options))
  four = np.array(target(labels, label_mode, start, tells_explicit=True, **options))
  said = plain_explicit(labels, unmarked, label_mode, start, smear)
  explicit = (three == NEGATIVE) & np.isin(np.arange(CLASSES), sorted(said))
  assert four.tolist() == np.where(explicit, EXPLICIT_NEGATIVE, three).tolist()


def test_a_kind_that_was_marked_leaves_its_class_to_the_label_set():
  """Class 0 was marked, which implies class 1: nobody said that 1 is absent."""
  unmarked = pack([1], CLASSES).tobytes()
  labels = ClipLabels('abc_0', {}, (StrongEvent(0, 0.0, 5.0),), unmarked)
  options = {'complete': True, 'lookup': lookup([1], 'ignored')}
  assert target(labels, 'weak', implied=IMPLIED, **options)[1] == IGNORED
  assert target(labels, 'weak', **options)[1] == 0


def test_strong_labels_change_with_the_patch():
  labels = ClipLabels(
    'abc_0', {1: LabelState.EXPLICIT_POSITIVE}, (StrongEvent(3, 2, 4),)
  )
  assert target(labels, 'weak') == [0, 1, 0, 0, 0]
  assert target(labels, 'diffuse') == [0, 0, 0, 1, 0]
  assert target(labels, 'strong') == [0, 0, 0, 0, 0]
  assert target(labels, 'strong', start=152) == [0, 0, 0, 1, 0]  # 480 ms of it
  assert target(labels, 'strong', start=151) == [0, 0, 0, 0, 0]


def test_who_marked_a_sound_knew_where_it_is_not():
  """Elsewhere it is an explicit negative; what nobody marked is an implicit one."""
  labels = ClipLabels('abc_0', {}, (StrongEvent(0, 2, 4),))
  options = {'tells_explicit': True}
  assert target(labels, 'strong', **options) == [-2, 0, 0, 0, 0]
  assert target(labels, 'strong', start=250, **options) == [1, 0, 0, 0, 0]
  # A kind's events are those of its class, too.
  options['implied'] = IMPLIED
  assert target(labels, 'strong', **options) == [-2, -2, -2, 0, 0]
  assert target(labels, 'strong', start=250, **options) == [1, 1, 1, 0, 0]


def test_what_a_person_said_is_not_smeared_over():
  labels = ClipLabels(
    'abc_0', {0: LabelState.EXPLICIT_POSITIVE, 2: LabelState.EXPLICIT_NEGATIVE}
  )
  assert target(labels, 'weak', implied=IMPLIED) == [1, 1, 0, 0, 0]


@pytest.fixture
def some_strong(tmp_path):
  """Records of eight clips; those with an odd number have an event of class 2."""
  shard = str(tmp_path / 'shard')
  ids = tuple(f'clip{i}_0' for i in range(8))
  with tf.io.TFRecordWriter(shard) as writer:
    for number, clip_id in enumerate(ids):
      weak = {number % 2: LabelState.EXPLICIT_POSITIVE}
      strong = (StrongEvent(2, 0.0, 10.0),) if number % 2 else ()
      labels = ClipLabels(clip_id, weak, strong)
      writer.write(schema.serialize(labels, np.full((1008, 64), number), LOG_MEL))

  def records(clips_with_events=4):
    class_map = ClassMap(tuple('abcde'), tuple('abcde'))
    counts = {'clips_with_events': clips_with_events}
    return RecordsFolder(tmp_path, (shard,), ids, class_map, LOG_MEL, counts)

  return records


def read(records, tells_explicit=False, **options):
  source = Source(records, **options)
  config = training_input.InputConfig(
    batch_size=4, shuffle_buffer=1, tells_explicit=tells_explicit
  )
  batches = training_input.training_dataset(source, config).take(2)
  patches, targets = zip(*batches.as_numpy_iterator(), strict=True)
  values = np.concatenate(patches)[:, 0, 0].tolist()
  return sorted(values), {tuple(row) for row in np.concatenate(targets).tolist()}


@pytest.mark.parametrize(
  ('options', 'clips', 'targets'),
  [
    ({}, [0, 1, 2, 3, 4, 5, 6, 7], {(1, 0, 0, 0, 0), (0, 1, 0, 0, 0)}),
    ({'strong_clips_only': True}, [1, 1, 3, 3, 5, 5, 7, 7], {(0, 1, 0, 0, 0)}),
    ({'label_mode': 'diffuse'}, [1, 1, 3, 3, 5, 5, 7, 7], {(0, 0, 1, 0, 0)}),
    ({'label_mode': 'strong'}, [1, 1, 3, 3, 5, 5, 7, 7], {(0, 0, 1, 0, 0)}),
  ],
)
def test_the_label_sets_of_sl21(some_strong, options, clips, targets):
  """Weak, Weak-67k, Diffuse-67k and Strong-67k from the same records."""
  assert read(some_strong(), **options) == (clips, targets)


def test_batches_tell_explicit_negatives_where_they_are_asked_for(some_strong):
  options = {'label_mode': 'strong', 'tells_explicit': True}
  assert read(some_strong(), **options)[1] == {(0, 0, 1, 0, 0)}  # ten seconds of it
  options['left_out'] = Fold(0, 2)
  clips, targets = read(some_strong(), **options)
  assert set(clips) < {1, 3, 5, 7}
  assert targets == {(0, 0, 1, 0, 0)}


def test_strong_labels_must_be_there(some_strong):
  for options in ({'label_mode': 'strong'}, {'strong_clips_only': True}):
    with pytest.raises(RecordError, match='no clip has strong labels'):
      read(some_strong(0), **options)
  with pytest.raises(InputError, match="'frame': choose from weak, diffuse, strong"):
    read(some_strong(), label_mode='frame')
