"""Scores that go up the ontology, against loops."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from audioset_ml.evaluation.score_propagation import ScorePropagation

CLASSES = 5
SCORES = hnp.arrays(
  np.float32,
  st.tuples(st.integers(1, 4), st.just(CLASSES)),
  elements=st.floats(0, 1, width=32),
)


@given(SCORES, hnp.arrays(bool, (CLASSES, CLASSES)))
def test_a_class_scores_at_least_as_high_as_its_kinds(scores, implied):
  before = scores.copy()
  found = ScorePropagation(implied).apply(scores)
  assert found.dtype == np.float32
  assert np.array_equal(scores, before)
  for row, new in zip(scores, found, strict=True):
    for above in range(CLASSES):
      kinds = [row[kind] for kind in range(CLASSES) if implied[kind, above]]
      assert new[above] == max([row[above], *kinds])
