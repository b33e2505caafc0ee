import json
import math

import numpy as np
import pytest

from audioset_ml.errors import InputError
from audioset_ml.evaluation.weak import evaluate_weak, write_evaluation
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.labels.states import LabelTable

CLASS_MAP = ClassMap(mids=('/m/a', '/m/b', '/m/c'), names=('A', 'B', 'C'))
POSITIVE, NEGATIVE = 1, 2


def labels(listed):
  return LabelTable.from_lists([f'clip{i}_0' for i in range(len(listed))], 3, listed)


def test_only_explicit_labels_count_for_d_prime():
  table = labels([([0], [POSITIVE]), ([0], [NEGATIVE]), ([1], [POSITIVE]), ([], [])])
  scores = np.array([[0.6, 0, 0], [0.5, 0, 0], [0.9, 1, 0], [0.9, 0, 0]])
  found = evaluate_weak(scores, table, CLASS_MAP)
  # The positive beats the explicit negative, and loses to both implicit ones.
  assert found.per_class['auc'].tolist()[0] == 1.0
  assert found.per_class['auc_implicit'][0] == pytest.approx(1 / 3)
  assert found.summary['classes_in_d_prime'] == 1
  assert found.summary['classes_with_auc_clipped'] == 1
  # One pair: the AUC of 1 is clipped to 1 − 1/2.
  assert found.summary['d_prime'] == pytest.approx(0.0)


def test_means_give_every_class_the_same_weight():
  table = labels([([0], [POSITIVE]), ([0], [POSITIVE]), ([1], [POSITIVE])])
  scores = np.array([[0.9, 0.1, 0.0], [0.9, 0.1, 0.0], [0.9, 0.1, 0.0]])
  summary = evaluate_weak(scores, table, CLASS_MAP).summary
  assert summary['lwlrap'] == pytest.approx((1 + 1 / 2) / 2)
  assert summary['lwlrap_label_weighted'] == pytest.approx((1 + 1 + 1 / 2) / 3)
  assert summary['d_prime'] is None  # no explicit negatives at all


def test_the_two_mean_conventions_of_d_prime_differ():
  random = np.random.default_rng(0)
  states = random.choice([POSITIVE, NEGATIVE], (60, 3))
  table = labels([([0, 1, 2], row) for row in states])
  scores = random.random((60, 3)) + (states == POSITIVE) * [0.1, 0.5, 0.9]
  found = evaluate_weak(scores, table, CLASS_MAP)
  mean_auc = found.per_class['auc'].mean()
  of_mean = found.summary['d_prime_of_mean_auc']
  assert 0.5 * (1 + math.erf(of_mean / 2)) == pytest.approx(mean_auc, abs=1e-9)
  assert found.summary['d_prime'] != pytest.approx(of_mean, abs=1e-3)


def test_perfect_scores_stay_finite(tmp_path):
  table = labels([([0, 1], [POSITIVE, NEGATIVE]), ([0, 1], [NEGATIVE, POSITIVE])])
  found = evaluate_weak(np.array([[1.0, 0, 0], [0, 1.0, 0]]), table, CLASS_MAP)
  assert found.summary['auc'] == 1
  assert math.isfinite(found.summary['d_prime_of_mean_auc'])
  write_evaluation(found, tmp_path)
  assert 'Infinity' not in (tmp_path / 'metrics.json').read_text()


@pytest.mark.parametrize(
  ('scores', 'message'),
  [
    (np.zeros((2, 2)), r'scores have shape \(2, 2\), but the labels \(1, 3\)'),
    (np.array([[0.0, np.nan, 0.0]]), 'clip clip0_0, class /m/b is NaN'),
  ],
)
def test_wrong_scores_are_an_error(scores, message):
  with pytest.raises(InputError, match=message):
    evaluate_weak(scores, labels([([0], [POSITIVE])]), CLASS_MAP)


def test_no_positive_label_is_an_error():
  with pytest.raises(InputError, match='no clip has a positive label'):
    evaluate_weak(np.zeros((1, 3)), labels([([0], [NEGATIVE])]), CLASS_MAP)


def test_files_hold_what_was_found(tmp_path):
  table = labels([([0, 1], [POSITIVE, NEGATIVE]), ([0, 1], [NEGATIVE, POSITIVE])])
  found = evaluate_weak(np.array([[2, 0, 1], [1, 2, 0.0]]), table, CLASS_MAP)
  write_evaluation(found, tmp_path)
  content = json.loads((tmp_path / 'metrics.json').read_text())
  assert content == {'schema_version': 1, 'weak': found.summary}
  lines = (tmp_path / 'per_class.csv').read_text().splitlines()
  assert len(lines) == 4
  assert lines[3].startswith('/m/c,C,0,0,')
