import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from audioset_ml.labels.states import LabelState, LabelTable
from tests.labels.test_unmarked import unmarked_of


@pytest.mark.parametrize('present', [True, False])
@pytest.mark.parametrize('explicit', [True, False])
def test_a_state_says_both_of_its_flags(present, explicit):
  state = LabelState.of(present, explicit)
  assert (state.present, state.explicit) == (present, explicit)


def test_unlisted_labels_are_implicit_negatives():
  table = LabelTable.from_lists(
    ['a', 'b', 'c'], 4, [([1, 3], [1, 2]), ([], []), ([0], [3])]
  )
  assert table.dense().tolist() == [[0, 1, 0, 2], [0, 0, 0, 0], [3, 0, 0, 0]]
  rows, states = table.known_in_class(3)
  assert rows.tolist() == [0]
  assert states.tolist() == [LabelState.EXPLICIT_NEGATIVE]


def test_a_table_of_no_clips_is_empty():
  assert LabelTable.from_lists([], 3, []).dense().shape == (0, 3)
  assert LabelTable.from_lists(['a'], 3, [([], [])]).dense().dtype == np.int8


def table_of(states):
  """A table with these states, its labels in no order.

  Some of the explicit negatives are unmarked ones.
  """
  clip_ids = [f'clip{row}' for row in range(len(states))]
  random = np.random.default_rng(0)
  lacking = (states == LabelState.EXPLICIT_NEGATIVE) & random.choice(2, states.shape)
  lacking = lacking.astype(bool)
  rest = np.where(lacking, 0, states)
  listed = [(np.flatnonzero(row), row[row > 0]) for row in rest]
  table = LabelTable.from_lists(clip_ids, states.shape[1], listed)
  order = random.permutation(len(table.rows))
  parts = (table.rows[order], table.classes[order], table.states[order])
  return LabelTable(table.clip_ids, table.num_classes, *parts, unmarked_of(lacking))


@given(
  hnp.arrays(
    np.int8,
    st.tuples(st.integers(1, 6), st.integers(1, 3)),
    elements={'min_value': 0, 'max_value': 4},
  ),
  st.data(),
)
def test_the_labels_of_some_clips_are_their_rows(states, more):
  """In the order in which the clips are asked for."""
  rows = st.integers(0, len(states) - 1)
  clips = np.array(more.draw(st.lists(rows, unique=True)), int)
  table = table_of(states)
  found = table.of_clips(clips)
  assert found.clip_ids == tuple(f'clip{clip}' for clip in clips)
  assert found.num_classes == states.shape[1]
  assert np.array_equal(found.dense(), states[clips])
  assert (np.diff(found.rows) >= 0).all()
  assert LabelState.IMPLICIT_NEGATIVE not in found.states
  assert found.total == (states[clips] > 0).sum()
  for index in range(states.shape[1]):
    known, of = found.known_in_class(index)
    expected = {row: s for row, s in enumerate(states[clips][:, index]) if s}
    assert dict(zip(known.tolist(), of.tolist(), strict=True)) == expected
  for name in ('rows', 'classes', 'states'):
    assert getattr(found, name).dtype == getattr(table, name).dtype
  assert np.array_equal(table.dense(), states)  # which is left as it was


def test_no_clips_have_no_labels():
  found = table_of(np.ones((3, 2), np.int8)).of_clips(np.zeros(0, int))
  assert found.clip_ids == ()
  assert found.dense().shape == (0, 2)
  assert len(found.rows) == len(found.classes) == len(found.states) == 0
