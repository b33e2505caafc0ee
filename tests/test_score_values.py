"""The one check of scores that have no rank, against a plain search."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from audioset_ml.core import score_values
from audioset_ml.core.errors import InputError

VALUES = st.sampled_from([0.0, 1.0, -np.inf, np.inf, np.nan])


@given(
  arrays.arrays(
    np.float32, st.tuples(st.integers(0, 9), st.integers(1, 3)), elements=VALUES
  ),
  st.booleans(),
  st.integers(1, 8),
)
def test_the_first_one_is_found_in_whatever_parts(scores, finite, at_once):
  expected = None
  for place, score in np.ndenumerate(scores):
    if np.isnan(score) or (finite and score == np.inf):
      expected = place, 'NaN' if np.isnan(score) else 'infinite'
      break
  before, score_values._AT_ONCE = score_values._AT_ONCE, at_once
  try:
    assert score_values.unranked(scores, finite) == expected
  finally:
    score_values._AT_ONCE = before


def test_those_of_one_class_are_told_without_a_place():
  score_values.require_ranked(np.array([-np.inf, 0.5]))
  score_values.require_ranked(np.array([np.inf, 0.5]), finite=False)
  for wrong, what in ((np.inf, 'infinite'), (np.nan, 'NaN')):
    with pytest.raises(InputError, match=f'a score is {what}: it has no rank'):
      score_values.require_ranked(np.array([0.5, wrong], np.float16))
