import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from audioset_ml.labels.clip_labels import ClipLabels, StrongEvent
from audioset_ml.labels.states import LabelState
from audioset_ml.records import schema
from audioset_ml.records.frames import FrameFormat

LOG_MEL = FrameFormat.log_mel()
_TIMES = st.floats(0, 10, width=32)
_EVENTS = st.builds(StrongEvent, st.integers(0, 526), _TIMES, _TIMES, st.booleans())
_LISTED = st.sampled_from([state for state in LabelState if state])


@settings(deadline=None, max_examples=30)
@given(
  weak=st.dictionaries(st.integers(0, 526), _LISTED, max_size=6),
  strong=st.lists(_EVENTS, max_size=5),
  unmarked=st.binary(max_size=66),
  frames=st.integers(1, 300),
)
def test_a_record_reads_as_it_was_written(weak, strong, unmarked, frames):
  log_mel = np.random.default_rng(frames).normal(-3, 2, (frames, 64)).astype('f4')
  labels = ClipLabels('abc_10000', weak, tuple(strong), unmarked)
  record = schema.parse(
    schema.serialize(labels, log_mel, LOG_MEL), LOG_MEL, strong=True
  )
  assert record['clip_id'].numpy() == b'abc_10000'
  assert int(record['num_frames']) == frames
  arrays = {name: values.numpy() for name, values in record.items()}
  assert dict(zip(*schema.weak_labels(arrays), strict=True)) == weak
  for kind, present in (('strong', True), ('strong_negative', False)):
    events = [event for event in strong if event.present == present]
    read = zip(
      *(record[f'{kind}/{f}'].numpy() for f in ('class', 'start', 'end')), strict=True
    )
    assert list(read) == [(e.class_index, e.start, e.end) for e in events]
  assert record['unmarked'].numpy() == unmarked
  decoded = schema.decode_frames(record['frames'], 0, frames, LOG_MEL)
  assert np.array_equal(decoded, log_mel.astype(np.float16))


def test_frames_are_cut_at_any_place():
  log_mel = np.arange(200 * 64, dtype=np.float32).reshape(200, 64) % 1000
  serialized = schema.serialize(ClipLabels('abc_0'), log_mel, LOG_MEL)
  record = schema.parse(serialized, LOG_MEL)
  for start in (0, 1, 57, 104):
    patch = schema.decode_frames(record['frames'], start, 96, LOG_MEL)
    assert np.array_equal(patch, log_mel[start : start + 96])


def test_patches_are_filled_up_with_silence_and_float16():
  serialized = schema.serialize(ClipLabels('abc_0'), np.zeros((97, 64), 'f4'), LOG_MEL)
  stored = np.frombuffer(schema.parse(serialized, LOG_MEL)['frames'].numpy(), '<f2')
  patches = stored.reshape(2, 96, 64)
  assert (patches[1, 1:] == np.float16(np.log(0.001))).all()
  assert (patches[1, 0] == 0).all()


def test_a_ten_second_clip_takes_at_most_140_kb():
  assert (
    len(schema.serialize(ClipLabels('abc_0'), np.zeros((1008, 64)), LOG_MEL)) < 140e3
  )


def test_bytes_are_the_same_every_time_and_can_be_parsed_by_tensorflow():
  labels = ClipLabels('abc_0', {3: LabelState.EXPLICIT_POSITIVE})
  first = schema.serialize(labels, np.ones((96, 64)), LOG_MEL)
  assert first == schema.serialize(labels, np.ones((96, 64)), LOG_MEL)
  features = tf.train.Example.FromString(first).features.feature
  assert list(features['weak/class'].int64_list.value) == [3]


def test_an_older_reader_takes_what_a_person_was_unsure_of_for_nothing_listed():
  """And records without such labels are those of older versions."""
  known = {3: LabelState.EXPLICIT_POSITIVE, 5: LabelState.EXPLICIT_NEGATIVE}
  labels = ClipLabels('abc_0', known)
  unsure = dataclasses.replace(labels, weak={4: LabelState.UNSURE, **known})
  frames = np.ones((96, 64))
  plain = schema.serialize(labels, frames, LOG_MEL)
  more = schema.serialize(unsure, frames, LOG_MEL)
  features, others = (
    tf.train.Example.FromString(one).features.feature for one in (plain, more)
  )
  assert set(others) - set(features) == {'weak/unsure'}
  assert all(others[name] == features[name] for name in features)
  examples = [tf.train.Example.FromString(one) for one in (plain, more)]
  assert schema.relabel(examples[0], unsure) == more
  assert schema.relabel(examples[1], labels) == plain


def test_features_not_asked_for_are_not_read():
  serialized = schema.serialize(ClipLabels('abc_0'), np.ones((96, 64)), LOG_MEL)
  assert set(schema.parse(serialized, weak=False)) == {'clip_id'}


def test_what_is_unmarked_takes_a_bit_and_nothing_where_there_is_none():
  """So records of clips that were not annotated completely are those of version 0.1."""
  labels = ClipLabels('abc_0', {3: LabelState.EXPLICIT_POSITIVE})
  plain = schema.serialize(labels, np.ones((96, 64)), LOG_MEL)
  names = set(tf.train.Example.FromString(plain).features.feature)
  parts = ('class', 'start', 'end')
  assert names == {
    'clip_id',
    'log_mel',
    'num_frames',
    *(f'weak/{name}' for name in ('class', 'present', 'explicit')),
    *(f'strong/{name}' for name in parts),
    *(f'strong_negative/{name}' for name in parts),
  }
  complete = dataclasses.replace(labels, unmarked=bytes(66))  # of 527 classes
  more = schema.serialize(complete, np.ones((96, 64)), LOG_MEL)
  assert len(more) - len(plain) < 90
  # Labels can be given and taken.
  examples = [tf.train.Example.FromString(one) for one in (plain, more)]
  assert schema.relabel(examples[0], complete) == more
  assert schema.relabel(examples[1], labels) == plain


@pytest.mark.parametrize(
  ('labels', 'expected'),
  [
    (ClipLabels('abc_0', {3: LabelState.EXPLICIT_POSITIVE}), False),
    (ClipLabels('abc_0', strong=(StrongEvent(0, 0.0, 1.0, present=False),)), False),
    (ClipLabels('abc_0', strong=(StrongEvent(0, 0.0, 1.0),)), True),
    (ClipLabels('abc_0', unmarked=b'\x00'), True),
  ],
)
def test_events_and_complete_annotations_are_strong_labels(labels, expected):
  serialized = schema.serialize(labels, np.ones((96, 64)), LOG_MEL)
  assert schema.have_strong_labels(tf.constant([serialized])).numpy() == [expected]


def test_another_message_is_refused():
  with pytest.raises(tf.errors.InvalidArgumentError):
    schema.parse(b'not a record')
