"""Unmarked labels, a bit each, against the same as a matrix."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from audioset_ml.labels.unmarked import UnmarkedLabels, pack, unpack

MATRICES = hnp.arrays(bool, st.tuples(st.integers(1, 7), st.integers(1, 19)))


def unmarked_of(lacking, complete=None):
  """The labels of a matrix [clips, classes]; `complete` may name clips without any."""
  if complete is None:
    complete = lacking.any(axis=1)
  return UnmarkedLabels.of_bytes(
    {
      row: pack(np.flatnonzero(lacking[row]), lacking.shape[1]).tobytes()
      for row in np.flatnonzero(complete).tolist()
    }
  )


def matrix_of(unmarked, shape):
  return unmarked.lacking(0, *shape)


@given(MATRICES, st.data())
def test_the_bits_are_those_of_the_matrix(lacking, more):
  clips, classes = lacking.shape
  complete = more.draw(hnp.arrays(bool, clips)) | lacking.any(axis=1)
  found = unmarked_of(lacking, complete)
  assert np.array_equal(matrix_of(found, lacking.shape), lacking)
  first = more.draw(st.integers(0, clips))
  part = found.lacking(first, clips - first, classes)
  assert np.array_equal(part, lacking[first:])
  assert found.rows.tolist() == np.flatnonzero(complete).tolist()
  assert found.total == lacking.sum()
  assert found.count_classes(classes).tolist() == lacking.sum(axis=0).tolist()
  for index in range(classes):
    assert found.of_class(index).tolist() == np.flatnonzero(lacking[:, index]).tolist()
  by_row = found.to_bytes()
  assert {row: unpack(bits).tolist() for row, bits in by_row.items()} == {
    row: np.flatnonzero(lacking[row]).tolist() for row in np.flatnonzero(complete)
  }
  again = UnmarkedLabels.of_bytes(by_row)
  assert np.array_equal(again.packed, found.packed)


@given(MATRICES, st.data())
def test_labels_are_found_and_taken_out(lacking, more):
  clips, classes = lacking.shape
  found = unmarked_of(lacking)
  pairs = st.tuples(st.integers(0, clips + 1), st.integers(0, classes - 1))
  chosen = more.draw(st.lists(pairs, max_size=12))
  rows, columns = np.array(chosen, int).reshape(-1, 2).T
  held = [row < clips and bool(lacking[row, column]) for row, column in chosen]
  assert found.hold(rows, columns).tolist() == held
  expected = lacking.copy()
  inside = rows < clips
  expected[rows[inside], columns[inside]] = False
  less = found.without(rows, columns)
  assert np.array_equal(matrix_of(less, lacking.shape), expected)
  assert less.rows.tolist() == found.rows.tolist()  # which are complete all the same
  assert np.array_equal(matrix_of(found, lacking.shape), lacking)


@given(MATRICES, st.data())
def test_some_clips_are_numbered_anew(lacking, more):
  clips = more.draw(st.lists(st.integers(0, len(lacking) - 1), unique=True))
  place = np.full(len(lacking), -1)
  place[clips] = np.arange(len(clips))
  found = unmarked_of(lacking).of_clips(place)
  shape = (len(clips), lacking.shape[1])
  assert np.array_equal(matrix_of(found, shape), lacking[clips])
  assert (np.diff(found.rows) > 0).all()


@pytest.mark.parametrize('empty', [UnmarkedLabels(), UnmarkedLabels.of_bytes({})])
def test_there_may_be_none(empty):
  assert empty.total == 0
  assert empty.of_class(3).tolist() == []
  assert empty.count_classes(5).tolist() == [0] * 5
  assert empty.hold(np.array([0, 1]), np.array([0, 4])).tolist() == [False, False]
  assert empty.without(np.array([0]), np.array([4])).total == 0
  assert empty.of_clips(np.array([0, -1])).total == 0
  assert not empty.lacking(0, 2, 3).any()
