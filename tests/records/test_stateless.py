import numpy as np
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from audioset_ml.records import stateless

_INT64 = st.integers(-(2**63), 2**63 - 1)


@settings(max_examples=30, deadline=None)
@given(
  seed=_INT64,
  pairs=st.lists(
    st.tuples(_INT64, st.one_of(st.integers(1, 2000), st.integers(1, 2**63 - 1))),
    min_size=1,
    max_size=8,
  ),
)
def test_vectors_draw_what_tensorflow_draws_of_each_seed(seed, pairs):
  numbers, most = np.array(pairs, np.int64).T
  expected = [
    tf.random.stateless_uniform(
      [], tf.constant([seed, number], tf.int64), maxval=below, dtype=tf.int64
    )
    for number, below in pairs
  ]
  found = stateless.uniform_integers(seed, tf.constant(numbers), tf.constant(most))
  np.testing.assert_array_equal(found, expected)
