import math

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from audioset_ml.core import score_values
from audioset_ml.core.errors import InputError
from audioset_ml.evaluation import metrics, ranks, reference

pytestmark = pytest.mark.few

POSITIVE, NEGATIVE, NEITHER = 1, 0, -1
EXACT = 1e-12


@st.composite
def labelled_scores(draw, ties=True):
  """Scores with many ties (or none); labels of both kinds, in neither, one kind only.

  Down to one example and one class.
  """
  shape = (draw(st.integers(1, 12)), draw(st.integers(1, 5)))
  elements = st.integers(0, 6 if ties else 1000)
  scores = draw(hnp.arrays(np.float32, shape, elements=elements, unique=not ties))
  states = draw(hnp.arrays(np.int8, shape, elements=st.integers(NEITHER, POSITIVE)))
  for index in range(shape[1]):
    only = draw(st.sampled_from([None, None, None, POSITIVE, NEGATIVE, NEITHER]))
    if only is not None:
      states[:, index] = only
  return scores, states == POSITIVE, states == NEGATIVE


@st.composite
def weighted_scores(draw):
  """The same with weights, some 0: of examples, of labels, or None."""
  scores, positive, negative = draw(labelled_scores())
  elements = st.sampled_from([0.0, 0.25, 1.0, 2.0, 3.7])
  shape = draw(st.sampled_from([None, scores.shape[:1], scores.shape]))
  weights = None
  if shape is not None:
    weights = draw(hnp.arrays(float, shape, elements=elements))
  return scores, positive, negative, weights


def of_labels(weights, shape):
  """The weight of each label, whichever form the weights have."""
  if weights is None:
    return np.ones(shape)
  return weights if weights.ndim == 2 else np.repeat(weights[:, None], shape[1], 1)


@given(weighted_scores())
def test_auc_equals_its_twin_and_scikit_learn(data):
  scores, positive, negative, weights = data
  found = metrics.roc_auc(scores, positive, negative, weights)
  assert found.shape == scores.shape[1:]
  every = of_labels(weights, scores.shape)
  for c, value in enumerate(found):
    above, below = positive[:, c], negative[:, c]
    expected = reference.roc_auc(
      *(scores[chosen, c].tolist() for chosen in (above, below)),
      *(every[chosen, c].tolist() for chosen in (above, below)),
    )
    assert value == pytest.approx(expected, abs=EXACT, nan_ok=True)
    if not math.isnan(expected):
      known = above | below
      sklearn_value = sklearn.metrics.roc_auc_score(
        above[known], scores[known, c], sample_weight=every[known, c]
      )
      assert value == pytest.approx(sklearn_value, abs=EXACT)


@given(weighted_scores())
def test_average_precision_equals_its_twin_and_scikit_learn(data):
  scores, positive, negative, weights = data
  found = metrics.average_precision(scores, positive, negative, weights)
  assert found.shape == scores.shape[1:]
  every = of_labels(weights, scores.shape)
  for c, value in enumerate(found):
    known = positive[:, c] | negative[:, c]
    column, truth, weight = scores[known, c], positive[known, c], every[known, c]
    expected = reference.average_precision(
      column.tolist(), truth.tolist(), weight.tolist()
    )
    assert value == pytest.approx(expected, abs=EXACT, nan_ok=True)
    if not math.isnan(expected):
      sklearn_value = sklearn.metrics.average_precision_score(
        truth, column, sample_weight=weight
      )
      assert value == pytest.approx(sklearn_value, abs=EXACT)


@given(weighted_scores(), st.data())
def test_lwlrap_equals_its_twin_and_scikit_learn(data, more):
  scores, positive, _, weights = data
  counted = more.draw(st.none() | hnp.arrays(bool, scores.shape))
  found = metrics.lwlrap(scores, positive, counted, weights)
  every = of_labels(weights, scores.shape)
  counted = np.ones(scores.shape, bool) if counted is None else counted
  expected = reference.lwlrap(
    scores.tolist(), positive.tolist(), counted.tolist(), every.tolist()
  )
  assert found == pytest.approx(expected, abs=EXACT, nan_ok=True)
  if weights is not None and weights.ndim == 2:
    return  # scikit-learn weighs whole examples only
  # DCASE 2019's own identity: scikit-learn's metric, clips weighted by their labels.
  exact = scores.astype(float)  # under NumPy 2 scikit-learn would answer in float32
  labels = positive & counted
  by_class = (labels * every).sum(axis=0)
  if by_class.any():
    gains = 0.0
    for row in np.flatnonzero(labels.any(axis=1)):
      ranked = counted[row]
      value = sklearn.metrics.label_ranking_average_precision_score(
        positive[row : row + 1, ranked], exact[row : row + 1, ranked]
      )
      gains += value * labels[row].sum() * every[row, 0]
    overall = np.nansum(found * by_class) / by_class.sum()
    assert overall == pytest.approx(gains / by_class.sum(), abs=EXACT)


@given(labelled_scores(), st.data())
def test_the_label_weighted_lwlrap_is_scikit_learns(data, more):
  scores, positive, _ = data
  weights = more.draw(hnp.arrays(float, len(scores), elements=st.floats(0.1, 9)))
  found = metrics.lwlrap(scores, positive, weights=weights)
  by_clip = weights * positive.sum(axis=1)
  chosen = by_clip > 0
  if chosen.any():
    expected = sklearn.metrics.label_ranking_average_precision_score(
      positive[chosen], scores[chosen].astype(float), sample_weight=by_clip[chosen]
    )
    by_class = weights @ positive
    overall = np.nansum(found * by_class) / by_class.sum()
    assert overall == pytest.approx(expected, abs=EXACT)


@given(labelled_scores(ties=False))
def test_lwlrap_without_ties_is_dcase_2019s(data):
  scores, positive, _ = data
  found = metrics.lwlrap(scores, positive)
  expected, shares = reference.dcase_lwlrap(scores.tolist(), positive.tolist())
  there = positive.any(axis=0)
  assert found[there] == pytest.approx(np.array(expected)[there], abs=EXACT)
  assert np.isnan(found[~there]).all()
  assert shares == pytest.approx(positive.sum(axis=0) / max(1, positive.sum()))


def all_metrics(scores, positive, negative, weights=None):
  return np.stack(
    [
      metrics.roc_auc(scores, positive, negative, weights),
      metrics.average_precision(scores, positive, negative, weights),
      metrics.lwlrap(scores, positive, weights=weights),
    ]
  )


def equal(found, expected):
  return np.allclose(found, expected, rtol=0, atol=EXACT, equal_nan=True)


@given(labelled_scores(), st.data())
def test_only_the_order_of_scores_matters(data, more):
  """Any strictly increasing map, onto infinite values too."""
  scores, positive, negative = data
  distinct, place = np.unique(scores, return_inverse=True)
  steps = hnp.arrays(float, len(distinct), elements=st.floats(1e-3, 1e9))
  image = np.cumsum(more.draw(steps)) - 1e6
  if more.draw(st.booleans()):
    image[0] = -np.inf
  if more.draw(st.booleans()) and len(image) > 1:
    image[-1] = np.inf
  mapped = image[place].reshape(scores.shape)
  before = all_metrics(scores, positive, negative)
  assert np.array_equal(before, all_metrics(mapped, positive, negative), equal_nan=True)


@given(weighted_scores())
def test_turned_around_auc_is_its_complement(data):
  scores, positive, negative, weights = data
  found = metrics.roc_auc(scores, positive, negative, weights)
  assert equal(metrics.roc_auc(-scores, positive, negative, weights), 1 - found)
  assert equal(metrics.roc_auc(scores, negative, positive, weights), 1 - found)


@given(labelled_scores(), st.data())
def test_whole_weights_are_repeated_examples(data, more):
  times = more.draw(hnp.arrays(int, len(data[0]), elements=st.integers(0, 3)))
  repeated = [np.repeat(array, times, axis=0) for array in data]
  assert equal(all_metrics(*data, times), all_metrics(*repeated))
  by_label = np.repeat(times[:, np.newaxis], data[0].shape[1], axis=1)
  assert equal(all_metrics(*data, by_label), all_metrics(*repeated))


def test_infinite_scores_are_ranked():
  scores = np.array([[-np.inf], [0.0], [np.inf], [np.inf]])
  positive = np.array([[False], [True], [False], [True]])
  assert metrics.roc_auc(scores, positive, ~positive)[0] == (1 + 1 + 0 + 0.5) / 4
  expected = (1 / 2 + 2 / 3) / 2
  assert metrics.average_precision(scores, positive, ~positive)[0] == expected
  # The class scores as high as another infinite one.
  ranked = metrics.lwlrap(np.array([[np.inf, np.inf]]), np.array([[True, False]]))
  assert ranked[0] == 0.5


def test_no_example_at_all_defines_nothing():
  scores, labels = np.zeros((0, 2)), np.zeros((0, 2), bool)
  assert np.isnan(all_metrics(scores, labels, labels)).all()


METRICS = {
  'roc_auc': metrics.roc_auc,
  'average_precision': metrics.average_precision,
  'lwlrap': lambda scores, positive, negative, weights=None: metrics.lwlrap(
    scores, positive, weights=weights
  ),
}


@pytest.mark.parametrize('metric', METRICS.values(), ids=METRICS)
@pytest.mark.parametrize(
  ('wrong', 'message'),
  [
    ({'scores': np.array([[0, 1], [2, np.nan]])}, 'example 1, class 1 is NaN'),
    ({'scores': np.zeros(2)}, r'scores have shape \(2,\), not \[examples, classes\]'),
    (
      {'positive': np.ones((2, 3), bool)},
      r'`positive` has shape \(2, 3\), but the scores \(2, 2\)',
    ),
    ({'weights': np.array([1.0, -0.5])}, 'a weight is negative, infinite or NaN'),
    (
      {'weights': np.array([[1, 1], [np.nan, 1]])},
      'a weight is negative, infinite or NaN',
    ),
    (
      {'weights': np.ones(3)},
      r'weights have shape \(3,\), but the scores \(2, 2\)',
    ),
    (
      {'weights': np.ones((2, 1))},
      r'weights have shape \(2, 1\), but the scores \(2, 2\)',
    ),
  ],
  ids=[
    'NaN',
    'flat_scores',
    'labels_shape',
    'negative_weight',
    'NaN_weight',
    'weights_of_others',
    'weights_shape',
  ],
)
def test_wrong_input_is_told_of(metric, wrong, message):
  right = {
    'scores': np.zeros((2, 2)),
    'positive': np.eye(2, dtype=bool),
    'negative': ~np.eye(2, dtype=bool),
  }
  with pytest.raises(InputError, match=message):
    metric(**{**right, **wrong})


@pytest.mark.parametrize('metric', [metrics.roc_auc, metrics.average_precision])
def test_a_label_that_is_both_is_an_error(metric):
  positive = np.array([[True, False], [False, True]])
  negative = np.array([[False, False], [True, True]])
  message = 'example 1 is both a positive and a negative of class 1'
  with pytest.raises(InputError, match=message):
    metric(np.zeros((2, 2)), positive, negative)
  with pytest.raises(InputError, match=r'`negative` has shape \(2, 1\)'):
    metric(np.zeros((2, 2)), positive, negative[:, :1])


def test_a_wrong_mask_of_counted_labels_is_an_error():
  with pytest.raises(InputError, match=r'`counted` has shape \(2,\)'):
    metrics.lwlrap(np.zeros((2, 2)), np.eye(2, dtype=bool), np.ones(2, bool))


def test_a_nan_far_down_is_found(monkeypatch):
  monkeypatch.setattr(score_values, '_AT_ONCE', 3 * 2)
  scores = np.zeros((10, 2))
  metrics.require_ranked(scores)
  scores[7, 1] = np.nan
  with pytest.raises(InputError, match='example 7, class 1 is NaN'):
    metrics.require_ranked(scores)


@pytest.mark.parametrize(
  ('constant', 'size'), [('_LABELS_AT_ONCE', 11), ('_CLASSES_AT_ONCE', 3)]
)
def test_metrics_are_the_same_in_pieces(monkeypatch, constant, size):
  random = np.random.default_rng(0)
  scores, positive = random.random((50, 7)), random.random((50, 7)) < 0.3
  whole = all_metrics(scores, positive, ~positive)
  assert len(np.unique(whole)) == whole.size
  monkeypatch.setattr(ranks, constant, size)
  assert np.array_equal(whole, all_metrics(scores, positive, ~positive))


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
  assert (metrics.average_precision(scores, every, none) == 1).all()
  assert np.isnan(metrics.lwlrap(scores, none)).all()
  assert np.isnan(metrics.d_prime(np.array([np.nan]), np.array([0]), np.array([3])))


def test_a_class_without_weight_is_nan():
  scores, positive = np.array([[0.3], [0.1]]), np.array([[True], [False]])
  for weights in (np.array([0.0, 1.0]), np.array([1.0, 0.0])):
    assert np.isnan(metrics.roc_auc(scores, positive, ~positive, weights)).all()
  of_positive = np.array([0.0, 1.0])
  assert np.isnan(
    metrics.average_precision(scores, positive, ~positive, of_positive)
  ).all()
  assert np.isnan(metrics.lwlrap(scores, positive, weights=of_positive)).all()
