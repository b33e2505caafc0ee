import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from audioset_ml.errors import InputError, RecordError
from audioset_ml.labels.clip_labels import ClipLabels, StrongEvent
from audioset_ml.labels.states import LabelState
from audioset_ml.records import schema, training_input
from audioset_ml.records.folder import RecordsFolder
from audioset_ml.records.frames import FrameFormat
from audioset_ml.records.targets import TargetMaker
from audioset_ml.records.training_source import Source

CLASSES = 5
LOG_MEL = FrameFormat.log_mel()
# Class 0 is a kind of 1 and 2, and 3 a kind of 2.
IMPLIED = np.zeros((CLASSES, CLASSES), bool)
IMPLIED[0, [1, 2]] = IMPLIED[3, 2] = True


def parse(labels: ClipLabels):
  serialized = schema.serialize(labels, np.zeros((1008, 64)), LOG_MEL)
  return schema.parse_batch(tf.constant([serialized]), strong=True)


def target(labels, label_mode, start=0, implied=None):
  maker = TargetMaker(CLASSES, LOG_MEL, label_mode, implied=implied)
  starts = tf.constant([start], tf.int64)
  return maker.targets(parse(labels), starts)[0].numpy().tolist()


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
    result.append(
      int(class_index in positive or (implied and class_index not in refuted))
    )
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
  st.sampled_from([LabelState.EXPLICIT_POSITIVE, LabelState.EXPLICIT_NEGATIVE]),
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


def test_strong_labels_change_with_the_patch():
  labels = ClipLabels(
    'abc_0', {1: LabelState.EXPLICIT_POSITIVE}, (StrongEvent(3, 2, 4),)
  )
  assert target(labels, 'weak') == [0, 1, 0, 0, 0]
  assert target(labels, 'diffuse') == [0, 0, 0, 1, 0]
  assert target(labels, 'strong') == [0, 0, 0, 0, 0]
  assert target(labels, 'strong', start=152) == [0, 0, 0, 1, 0]  # 480 ms of it
  assert target(labels, 'strong', start=151) == [0, 0, 0, 0, 0]


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
    from audioset_ml.labels.class_map import ClassMap

    class_map = ClassMap(tuple('abcde'), tuple('abcde'))
    counts = {'clips_with_events': clips_with_events}
    return RecordsFolder(tmp_path, (shard,), ids, class_map, LOG_MEL, counts)

  return records


def read(records, **options):
  source = Source(records, **options)
  config = training_input.InputConfig(batch_size=4, shuffle_buffer=1)
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


def test_strong_labels_must_be_there(some_strong):
  for options in ({'label_mode': 'strong'}, {'strong_clips_only': True}):
    with pytest.raises(RecordError, match='no clip has strong labels'):
      read(some_strong(0), **options)
  with pytest.raises(InputError, match="'frame': choose from weak, diffuse, strong"):
    read(some_strong(), label_mode='frame')
