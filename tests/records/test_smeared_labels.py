"""Smeared labels as tables and as targets: the same negatives, read by two codes."""

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from audioset_ml.labels.class_map import ClassMap
from audioset_ml.labels.clip_labels import ClipLabels, StrongEvent
from audioset_ml.labels.states import PRESENT_STATES, LabelState
from audioset_ml.labels.unmarked import pack
from audioset_ml.records import schema
from audioset_ml.records.dataset import read_label_table
from audioset_ml.records.folder import RecordsFolder
from audioset_ml.records.frames import FrameFormat
from audioset_ml.records.smeared_labels import smeared_table
from audioset_ml.records.targets import TargetMaker

LOG_MEL = FrameFormat.log_mel()
CLIPS, CLASSES = 300, 9


def implied_classes(random):
  """What each class implies, where a class of a lower number is the more special."""
  implied = np.triu(random.random((CLASSES, CLASSES)) < 0.25, 1)
  for _ in range(CLASSES):
    implied |= implied @ implied
  return implied


def some_labels(random, clip_id):
  """Labels of all states; half of the clips are annotated completely."""
  states = random.choice([0, 0, 0, 0, *range(1, 5)], CLASSES)
  weak = {c: LabelState(s) for c, s in enumerate(states) if s}
  events = tuple(StrongEvent(c, 0.0, 1.0) for c in random.choice(CLASSES, 2))
  marked = {event.class_index for event in events}
  lacking = np.flatnonzero(random.random(CLASSES) < 0.6)
  lacking = [c for c in lacking if c not in weak and c not in marked]
  unmarked = pack(np.array(lacking, int), CLASSES).tobytes() if lacking else b''
  if random.random() < 0.5:
    events = unmarked = None
  return ClipLabels(clip_id, weak, events or (), unmarked or b'')


@pytest.mark.parametrize('complete', [True, False])
def test_what_is_no_negative_in_training_is_none_in_the_table(tmp_path, complete):
  random = np.random.default_rng(complete)
  shard, ids = str(tmp_path / 'shard'), tuple(f'clip{i}_0' for i in range(CLIPS))
  with tf.io.TFRecordWriter(shard) as writer:
    for clip_id in ids:
      labels = some_labels(random, clip_id)
      if not complete:
        labels = ClipLabels(clip_id, labels.weak, labels.strong)
      writer.write(schema.serialize(labels, np.zeros((96, 64)), LOG_MEL))
  rows = [(clip_id, 'shard', 96, 1.0) for clip_id in ids]
  table = pd.DataFrame(rows, columns=['clip_id', 'shard', 'frames', 'seconds'])
  table.to_csv(tmp_path / 'clips.csv', index=False)
  names = tuple('abcdefghi')
  counts = {'clips_with_events': CLIPS, 'complete_clips': CLIPS * complete}
  records = RecordsFolder(
    tmp_path, (shard,), ids, ClassMap(names, names), LOG_MEL, counts
  )
  assert records.complete == complete
  implied = implied_classes(random)
  table = smeared_table(records, read_label_table(records), implied).dense()
  maker = TargetMaker(
    CLASSES, LOG_MEL, implied=implied, complete=complete, tells_explicit=True
  )
  serialized = list(tf.data.TFRecordDataset(shard).as_numpy_iterator())
  record = schema.parse_batch(tf.constant(serialized), strong=maker.needs_events)
  target = maker.targets(record, tf.zeros(CLIPS, tf.int64)).numpy()
  assert np.array_equal(target == 0, table == LabelState.IMPLICIT_NEGATIVE)
  assert np.array_equal(target == 1, np.isin(table, PRESENT_STATES))
  assert np.array_equal(target == -2, table == LabelState.EXPLICIT_NEGATIVE)
  assert (table == LabelState.IMPLICIT_POSITIVE).sum() > 100
