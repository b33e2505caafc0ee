"""Accuracy, mAP, their intervals and the simplest models, by other libraries."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.metrics import average_precision_score, confusion_matrix
from sklearn.neighbors import KNeighborsClassifier

from audioset_ml.finetuning import measures, simple_models


def single(seed=0, clips=60, classes=4, groups=None):
  random = np.random.default_rng(seed)
  truth = random.integers(0, classes, clips)
  present = np.eye(classes, dtype=bool)[truth]
  scores = random.random((clips, classes)) + 0.5 * present
  group = np.arange(clips) if groups is None else random.integers(0, groups, clips)
  return truth, scores, measures.Labelled(present, np.ones_like(present), group)


def test_accuracy_and_confusions_are_scikit_learns():
  truth, scores, labelled = single()
  best = scores.argmax(axis=1)
  found = measures.accuracy(scores, labelled)
  assert found.value == (best == truth).mean()
  np.testing.assert_array_equal(
    measures.confusions(scores, labelled), confusion_matrix(truth, best)
  )
  assert found.replicates.mean() == pytest.approx(found.value, abs=0.01)


@given(st.integers(1, 500), st.data())
def test_wilsons_interval_is_scipys(trials, data):
  right = data.draw(st.integers(0, trials))
  expected = binomtest(right, trials).proportion_ci(method='wilson')
  assert measures.wilson(right / trials, trials) == pytest.approx(
    (expected.low, expected.high), abs=1e-6
  )


def test_clips_of_one_group_count_once_in_the_interval():
  _, scores, labelled = single()
  in_fives = measures.Labelled(labelled.present, labelled.known, np.arange(60) // 5)
  value = measures.accuracy(scores, labelled)
  alone = measures.interval(value, labelled, 'accuracy')
  grouped = measures.interval(value, in_fives, 'accuracy')
  assert grouped[1] - grouped[0] > alone[1] - alone[0]
  weights = in_fives.weights()
  assert (weights[::5] == weights[4::5]).all()


def test_map_leaves_out_what_is_not_known():
  random = np.random.default_rng(1)
  present = random.random((80, 3)) < 0.4
  present[:, 2] = False  # nothing to say of this one
  known = present | (random.random((80, 3)) < 0.7)
  scores = random.random((80, 3)) + 0.3 * present
  labelled = measures.Labelled(present, known, np.arange(80))
  found = measures.mean_average_precision(scores, labelled)
  expected = [
    average_precision_score(present[known[:, c], c], scores[known[:, c], c])
    for c in range(2)
  ]
  assert found.value == pytest.approx(np.mean(expected))
  low, high = measures.interval(found, labelled, 'map')
  assert low < found.value < high


def test_map_of_nothing_is_undefined():
  nothing = np.zeros((5, 2), bool)
  labelled = measures.Labelled(nothing, ~nothing, np.arange(5))
  assert math.isnan(measures.mean_average_precision(np.zeros((5, 2)), labelled).value)


def test_a_class_of_which_nobody_is_sure_is_not_the_best():
  present = np.array([[True, False, False]])
  scores = np.array([[0.5, 0.4, 0.9]])
  sure = measures.Labelled(present, np.ones_like(present), np.zeros(1, int))
  unsure = measures.Labelled(present, np.array([[True, True, False]]), np.zeros(1, int))
  assert measures.accuracy(scores, sure).value == 0
  assert measures.accuracy(scores, unsure).value == 1


def test_differences_are_of_the_same_draws():
  _, scores, labelled = single(clips=300)
  ours = measures.accuracy(scores, labelled)
  assert measures.difference(ours, ours) == (0, 0, 0)
  better = measures.accuracy(scores + 2 * labelled.present, labelled)
  value, low, high = measures.difference(better, ours)
  assert 0 < low < value < high
  assert value == better.value - ours.value


def test_nearest_neighbour_is_scikit_learns():
  random = np.random.default_rng(2)
  train, features = random.standard_normal((50, 8)), random.standard_normal((2000, 8))
  labels = random.integers(0, 3, 50)
  present = np.zeros((50, 4), bool)
  present[np.arange(50), labels] = True
  scores = simple_models.nearest_neighbour(train, present, features)
  expected = KNeighborsClassifier(1, metric='cosine').fit(train, labels)
  np.testing.assert_array_equal(scores.argmax(axis=1), expected.predict(features))
  assert (scores[:, 3] == -1).all()


@pytest.mark.parametrize('single_label', [True, False])
def test_logistic_regression_learns_and_gives_up_on_too_much(single_label):
  random = np.random.default_rng(3)
  labels = np.repeat([0, 2], 20)
  present = np.eye(3, dtype=bool)[labels]
  train = random.standard_normal((40, 5)) + 4 * labels[:, np.newaxis]
  arguments = (train, present, np.ones_like(present), train, single_label)
  scores = simple_models.logistic_regression(*arguments)
  np.testing.assert_array_equal(scores.argmax(axis=1), labels)
  assert (scores[:, 1] == 0).all()
  many = np.zeros((300_000, 1), bool)
  assert simple_models.logistic_regression(many, many, many, many, True) is None
