"""Scores made up for the classes' priors."""

import numpy as np
import pytest
import scipy.special
from hypothesis import given
from hypothesis import strategies as st

from audioset_ml.core.errors import InputError
from audioset_ml.evaluation.logit_adjustment import LogitAdjustment
from audioset_ml.records.folder import RecordsFolder


@given(st.integers(0, 1000), st.floats(-2, 2))
def test_logits_move_by_the_logit_of_the_prior(seed, strength):
  random = np.random.default_rng(seed)
  scores = random.uniform(1e-6, 1 - 1e-6, (20, 4)).astype(np.float32)
  priors = random.uniform(0.001, 0.9, 4)
  found = LogitAdjustment(strength, priors).apply(scores)
  logits = scipy.special.logit(scores.astype(np.float64))
  expected = logits - strength * scipy.special.logit(priors)
  np.testing.assert_allclose(found, scipy.special.expit(expected), rtol=1e-9)
  for column in range(4):  # nothing changes within a class
    before, after = scores[:, column], found[:, column]
    assert (np.diff(after[np.argsort(before, kind='stable')]) >= 0).all()


def test_certain_scores_stay():
  adjustment = LogitAdjustment(1.0, np.array([0.01, 0.99]))
  ends = np.array([[0.0, 0.0], [1.0, 1.0]], np.float32)
  np.testing.assert_array_equal(adjustment.apply(ends), ends)
  # A prior of a half says nothing; a score of the prior becomes a half.
  even = LogitAdjustment(1.0, np.array([0.5])).apply(np.array([[0.2]]))
  assert even == pytest.approx(0.2)
  assert adjustment.apply(np.array([[0.01, 0.99]])) == pytest.approx(0.5)


def test_priors_are_those_of_records(small_records):
  records = RecordsFolder.open(small_records)
  adjustment = LogitAdjustment.of_records(0.5, records)
  positives = records.class_counts('explicit_positives')
  expected = (positives + 0.5) / (len(records.clip_ids) + 1)
  np.testing.assert_allclose(adjustment.priors, expected)
  with pytest.raises(InputError, match='logit_adjustment is nan'):
    LogitAdjustment(float('nan'), adjustment.priors)
