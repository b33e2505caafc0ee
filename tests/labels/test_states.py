import numpy as np
import pytest

from audioset_ml.labels.states import LabelState, LabelTable


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
  rows, states = table.listed_in_class(3)
  assert rows.tolist() == [0]
  assert states.tolist() == [LabelState.EXPLICIT_NEGATIVE]


def test_a_table_of_no_clips_is_empty():
  assert LabelTable.from_lists([], 3, []).dense().shape == (0, 3)
  assert LabelTable.from_lists(['a'], 3, [([], [])]).dense().dtype == np.int8
