import math

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from audioset_ml.evaluation import metrics, reference


@st.composite
def labelled_scores(draw):
  """Scores with many ties, positives and negatives, some in neither."""
  shape = (draw(st.integers(1, 12)), draw(st.integers(1, 5)))
  scores = draw(hnp.arrays(np.float32, shape, elements=st.integers(0, 6)))
  states = draw(hnp.arrays(np.int8, shape, elements=st.integers(-1, 1)))
  return scores, states == 1, states == 0


@given(labelled_scores())
def test_auc_equals_its_twin_and_scikit_learn(data):
  scores, positive, negative = data
  found = metrics.roc_auc(scores, positive, negative)
  for c, value in enumerate(found):
    above = scores[positive[:, c], c].tolist()
    below = scores[negative[:, c], c].tolist()
    expected = reference.roc_auc(above, below)
    assert value == pytest.approx(expected, abs=1e-12, nan_ok=True)
    if not math.isnan(expected):
      truth = [1] * len(above) + [0] * len(below)
      sklearn_value = sklearn.metrics.roc_auc_score(truth, above + below)
      assert value == pytest.approx(sklearn_value, abs=1e-12)


@given(labelled_scores())
def test_average_precision_equals_its_twin_and_scikit_learn(data):
  scores, positive, negative = data
  found = metrics.average_precision(scores, positive, negative)
  for c, value in enumerate(found):
    counted = positive[:, c] | negative[:, c]
    column, truth = scores[counted, c], positive[counted, c]
    expected = reference.average_precision(column.tolist(), truth.tolist())
    assert value == pytest.approx(expected, abs=1e-12, nan_ok=True)
    if truth.any():
      sklearn_value = sklearn.metrics.average_precision_score(truth, column)
      assert value == pytest.approx(sklearn_value, abs=1e-12)


@given(labelled_scores())
def test_lwlrap_equals_its_twin_and_scikit_learn(data):
  scores, positive, _ = data
  found = metrics.lwlrap(scores, positive)
  expected = reference.lwlrap(scores.tolist(), positive.tolist())
  assert found == pytest.approx(expected, abs=1e-12, nan_ok=True)
  weights = positive.sum(axis=1)
  if weights.any():
    # DCASE 2019's own identity: scikit-learn's metric, clips weighted by their labels.
    overall = sklearn.metrics.label_ranking_average_precision_score(
      positive[weights > 0], scores[weights > 0], sample_weight=weights[weights > 0]
    )
    counts = positive.sum(axis=0)
    assert np.nansum(found * counts) / counts.sum() == pytest.approx(overall, abs=1e-12)


def test_lwlrap_is_the_same_in_chunks(monkeypatch):
  random = np.random.default_rng(0)
  scores, positive = random.random((50, 7)), random.random((50, 7)) < 0.3
  whole = metrics.lwlrap(scores, positive)
  monkeypatch.setattr(metrics, '_PAIRS_AT_ONCE', 11)
  assert np.array_equal(whole, metrics.lwlrap(scores, positive))


@given(
  auc=st.floats(0, 1), positives=st.integers(1, 1000), negatives=st.integers(1, 1000)
)
def test_d_prime_equals_its_twin_and_is_finite(auc, positives, negatives):
  found = metrics.d_prime(
    np.array([auc]), np.array([positives]), np.array([negatives])
  )[0]
  assert math.isfinite(found)
  expected = reference.d_prime(auc, positives, negatives)
  assert found == pytest.approx(expected, abs=1e-9)


def test_d_prime_is_the_distance_of_two_normals():
  random = np.random.default_rng(0)
  count = 200_000
  planted = 1.186  # ML20's Table II, ResNet-50 on tr_small
  scores = np.concatenate(
    [random.normal(planted, 1, count), random.normal(0, 1, count)]
  )
  positive = np.arange(2 * count)[:, np.newaxis] < count
  auc = metrics.roc_auc(scores[:, np.newaxis], positive, ~positive)
  found = metrics.d_prime(auc, np.array([count]), np.array([count]))
  assert found[0] == pytest.approx(planted, abs=0.01)


def test_classes_without_a_kind_are_nan():
  scores = np.array([[0.1, 0.2], [0.3, 0.4]])
  none, every = np.zeros((2, 2), bool), np.ones((2, 2), bool)
  assert np.isnan(metrics.roc_auc(scores, every, none)).all()
  assert np.isnan(metrics.roc_auc(scores, none, every)).all()
  assert np.isnan(metrics.average_precision(scores, none, every)).all()
  assert np.isnan(metrics.lwlrap(scores, none)).all()
  assert np.isnan(metrics.d_prime(np.array([np.nan]), np.array([0]), np.array([3])))
