from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audioset_ml.errors import InputError
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.labels.states import LabelState, LabelTable
from audioset_ml.missing_labels.enhance import flag_top_scored
from audioset_ml.missing_labels.thresholds import label_set_name


def class_map(classes):
  return ClassMap(tuple(f'/m/{i}' for i in range(classes)), ('x',) * classes)


def table_of(states):
  listed = [(np.flatnonzero(row), row[np.flatnonzero(row)]) for row in states]
  return LabelTable.from_lists(
    [f'c{i}_0' for i in range(len(states))], len(states[0]), listed
  )


@given(seed=st.integers(0, 1000), clips=st.integers(1, 30), classes=st.integers(1, 19))
def test_only_top_scored_implicit_negatives_are_flagged(seed, clips, classes):
  random = np.random.default_rng(seed)
  scores = random.integers(0, 8, (clips, classes)).astype(np.float32)
  states = random.choice(4, (clips, classes), p=[0.7, 0.1, 0.1, 0.1]).astype(np.int8)
  percents = [Decimal(5), Decimal(30)]
  found = flag_top_scored(scores, table_of(states), class_map(classes), percents)
  implicit = states == LabelState.IMPLICIT_NEGATIVE
  for flags in found:
    ignored = np.unpackbits(flags.packed, axis=1, count=classes).astype(bool)
    thresholds = flags.summary['threshold'].to_numpy()
    # A slow reading of ML20 eq. 2.
    assert np.array_equal(ignored, implicit & (scores > thresholds))
    assert flags.summary['ignored'].tolist() == ignored.sum(axis=0).tolist()
    assert flags.summary['implicit'].tolist() == implicit.sum(axis=0).tolist()
    total = flags.summary['explicit'] + flags.summary['implicit']
    assert (total + (states == 3).sum(axis=0) == flags.summary['total']).all()
  small, large = (np.unpackbits(f.packed, axis=1) for f in found)
  assert (small <= large).all()


def test_table_iii_of_a_large_class():
  """Ambulance (siren) in ML20: 506,721 clips, 1,657 explicit labels, 0.1 %."""
  clips, explicit = 506_721, 1657
  table = LabelTable(
    clip_ids=tuple(map(str, range(clips))),
    num_classes=1,
    rows=np.arange(explicit, dtype=np.int32),
    classes=np.zeros(explicit, np.int32),
    states=np.full(explicit, LabelState.EXPLICIT_NEGATIVE, np.int8),
  )
  scores = np.random.default_rng(0).permutation(clips).astype(np.float32)[:, np.newaxis]
  summary = flag_top_scored(scores, table, class_map(1), [Decimal('0.1')])[0].summary
  row = summary.iloc[0]
  assert (row['total'], row['explicit'], row['implicit']) == (506_721, 1657, 505_064)
  assert row['ignored'] == 505


def test_scores_of_another_shape_or_with_nan_are_refused():
  table = table_of(np.zeros((2, 3), np.int8))
  with pytest.raises(InputError, match=r'shape \(3, 2\), but the labels \(2, 3\)'):
    flag_top_scored(np.zeros((3, 2)), table, class_map(3), [Decimal(1)])
  scores = np.zeros((2, 3))
  scores[1, 2] = np.nan
  with pytest.raises(InputError, match='class /m/2: a score is NaN'):
    flag_top_scored(scores, table, class_map(3), [Decimal(1)])


def test_label_sets_are_named_by_their_percentage():
  names = [
    label_set_name(Decimal(text)) for text in ('0.1', '10', '3.0', '0', '40.00001')
  ]
  assert names == [
    'discard_0.1',
    'discard_10',
    'discard_3',
    'discard_0',
    'discard_40.00001',
  ]
