"""From patch scores to clip scores, against a slow twin."""

import numpy as np
import pytest
from hypothesis import given, strategies
from hypothesis.extra import numpy as hnp

from audioset_ml.models.config import POOLINGS
from audioset_ml.models.pooling import pool

TWINS = {
  'mean': lambda scores: scores.mean(axis=0),
  'max': lambda scores: scores.max(axis=0),
  # Wang et al. 2019, table 1; of nothing but zeros, zero.
  'linear_softmax': lambda scores: np.divide(
    (scores**2).sum(axis=0),
    scores.sum(axis=0),
    out=np.zeros(scores.shape[1]),
    where=scores.sum(axis=0) > 0,
  ),
}


@pytest.mark.parametrize('pooling', POOLINGS)
@given(data=strategies.data())
def test_each_clip_by_itself(pooling, data):
  lengths = data.draw(strategies.lists(strategies.integers(1, 6), min_size=1))
  unit = strategies.floats(0, 1, width=32).filter(lambda s: s == 0 or s > 1e-6)
  shape = (sum(lengths), data.draw(strategies.integers(1, 4)))
  patches = data.draw(hnp.arrays(np.float32, shape, elements=unit))
  found = pool(patches, np.array(lengths), pooling)
  parts = np.split(patches.astype(np.float64), np.cumsum(lengths)[:-1])
  assert found.dtype == np.float32
  np.testing.assert_allclose(found, [TWINS[pooling](p) for p in parts], atol=1e-6)


def test_a_short_sound_is_heard_best_by_the_highest_score():
  patches = np.array([[0.9], [0.1], [0.1], [0.1]], np.float32)
  mean, highest, weighted = (pool(patches, np.array([4]), p)[0, 0] for p in POOLINGS)
  assert mean < weighted < highest
