import math

import numpy as np
import pytest

from audioset_ml.core.errors import InputError
from audioset_ml.evaluation import bootstrap, metrics
from audioset_ml.evaluation.weak import evaluate_weak
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.labels.states import LabelState, LabelTable

CLASS_MAP = ClassMap(mids=('/m/a', '/m/b', '/m/c'), names=('A', 'B', 'C'))
POSITIVE, NEGATIVE, IMPLICIT = 1, 2, 3


def labels(listed):
  return LabelTable.from_lists([f'clip{i}_0' for i in range(len(listed))], 3, listed)


def auc_of(d_prime):
  return 0.5 * (1 + math.erf(d_prime / 2))


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
  assert auc_of(of_mean) == pytest.approx(mean_auc, abs=1e-9)
  assert found.summary['d_prime'] != pytest.approx(of_mean, abs=1e-3)


def test_the_mean_of_implicit_aucs_has_a_d_prime_too():
  """Class c's labels are implicit ones, which count for no explicit value."""
  random = np.random.default_rng(0)
  states = random.choice([POSITIVE, NEGATIVE, IMPLICIT], (60, 3), p=[0.3, 0.4, 0.3])
  states[:, 2] = np.where(states[:, 2] == POSITIVE, IMPLICIT, NEGATIVE)
  table = labels([([0, 1, 2], row) for row in states])
  present = states != NEGATIVE
  scores = random.random((60, 3)) + present * [0.1, 0.5, 0.9]
  found = evaluate_weak(scores, table, CLASS_MAP)
  expected = metrics.roc_auc(scores, present, ~present)
  assert found.per_class['auc_implicit'].to_numpy() == pytest.approx(expected)
  assert found.summary['auc_implicit'] == pytest.approx(expected.mean())
  of_mean = found.summary['d_prime_of_mean_auc_implicit']
  assert auc_of(of_mean) == pytest.approx(expected.mean(), abs=1e-9)
  assert found.summary['d_prime_implicit'] != pytest.approx(of_mean, abs=1e-3)
  assert found.summary['classes_in_d_prime'] == 2


@pytest.mark.parametrize('unsure', [[], [LabelState.UNSURE]])
def test_values_are_those_of_the_metrics(unsure):
  random = np.random.default_rng(1)
  states = random.choice([0, POSITIVE, NEGATIVE, IMPLICIT, *unsure], (40, 3))
  listed = [(np.flatnonzero(row), row[row > 0]) for row in states]
  scores = random.random((40, 3))
  found = evaluate_weak(scores, labels(listed), CLASS_MAP)
  present = np.isin(states, [POSITIVE, IMPLICIT])
  kinds = (states == POSITIVE, states == NEGATIVE)
  counted = states != LabelState.UNSURE
  absent = ~present & counted
  expected = {
    'auc': metrics.roc_auc(scores, *kinds),
    'auc_implicit': metrics.roc_auc(scores, present, absent),
    'average_precision': metrics.average_precision(scores, present, absent),
    'lwlrap': metrics.lwlrap(scores, present, counted),
  }
  expected['d_prime'] = metrics.d_prime(
    expected['auc'], *(kind.sum(axis=0) for kind in kinds)
  )
  expected['d_prime_implicit'] = metrics.d_prime(
    expected['auc_implicit'], present.sum(axis=0), absent.sum(axis=0)
  )
  for name, values in expected.items():
    assert found.per_class[name].to_numpy() == pytest.approx(values, abs=1e-12)
    mean = found.summary['map' if name == 'average_precision' else name]
    assert mean == pytest.approx(values.mean(), abs=1e-12)
  counts = found.per_class[['positives', 'explicit_positives', 'explicit_negatives']]
  sums = [array.sum(axis=0) for array in (present, *kinds)]
  assert counts.to_numpy().T.tolist() == [each.tolist() for each in sums]
  assert found.summary.get('unsure_labels', 0) == (~counted).sum()


def test_whatever_an_unsure_label_scores_changes_nothing():
  random = np.random.default_rng(2)
  states = random.choice([0, POSITIVE, NEGATIVE, LabelState.UNSURE], (40, 3))
  table = labels([(np.flatnonzero(row), row[row > 0]) for row in states])
  scores = random.random((40, 3))
  weights = bootstrap.clip_weights(40, 50, 0)
  found = evaluate_weak(scores, table, CLASS_MAP, weights)
  unsure = states == LabelState.UNSURE
  for value in (-np.inf, 0.5, 1e30):
    other = evaluate_weak(np.where(unsure, value, scores), table, CLASS_MAP, weights)
    assert other.summary == found.summary
    assert other.intervals() == found.intervals()


def test_intervals_hold_the_value():
  random = np.random.default_rng(0)
  states = random.choice([POSITIVE, NEGATIVE], (80, 3))
  table = labels([([0, 1, 2], row) for row in states])
  scores = random.random((80, 3)) + (states == POSITIVE) * [0.1, 0.3, 0.5]
  plain = evaluate_weak(scores, table, CLASS_MAP)
  assert plain.intervals() == {}
  assert not [name for name in plain.table() if name.endswith(('_low', '_high'))]
  weights = bootstrap.clip_weights(80, 100, 0)
  found = evaluate_weak(scores, table, CLASS_MAP, weights)
  assert found.summary == plain.summary
  intervals = found.intervals()
  counted = {name for name in found.summary if name.startswith('classes')} | {'clips'}
  assert intervals.keys() == found.summary.keys() - counted
  for name, (low, high) in intervals.items():
    assert low < found.summary[name] < high < low + 1.5
  by_class = found.table()
  for name in ('d_prime', 'lwlrap', 'd_prime_implicit', 'average_precision'):
    assert (by_class[f'{name}_low'] < by_class[name]).all()
    assert (by_class[name] < by_class[f'{name}_high']).all()


def test_a_single_clip_says_nothing_of_other_clips():
  table = labels([([0, 1, 2], [POSITIVE, NEGATIVE, POSITIVE])])
  scores = np.array([[0.9, 0.2, 0.1]])
  weights = bootstrap.clip_weights(1, 50, 0)
  found = evaluate_weak(scores, table, CLASS_MAP, weights)
  assert found.summary['lwlrap'] is not None
  assert set(found.intervals().values()) == {None}


def test_replicates_are_evaluations_of_the_clips_drawn():
  random = np.random.default_rng(0)
  states = random.choice([0, POSITIVE, NEGATIVE, IMPLICIT], (30, 3))
  scores = random.random((30, 3)).round(1)
  listed = [(np.flatnonzero(row), row[row > 0]) for row in states]
  weights = bootstrap.clip_weights(30, 5, 0)
  found = evaluate_weak(scores, labels(listed), CLASS_MAP, weights)
  for replicate, times in enumerate(weights.T.astype(int)):
    drawn = np.repeat(np.arange(30), times)
    again = evaluate_weak(
      scores[drawn], labels([listed[clip] for clip in drawn]), CLASS_MAP
    )
    for name, values in found.replicates.summary.items():
      assert values[replicate] == pytest.approx(again.summary[name], abs=1e-6), name
    for name, values in found.replicates.per_class.items():
      assert values[replicate] == pytest.approx(again.per_class[name], abs=1e-5), name


def test_perfect_scores_of_many_clips_have_an_interval():
  clips = 12_000
  states = np.resize([POSITIVE, NEGATIVE], clips).astype(np.int8)
  rows = np.arange(clips, dtype=np.int32)
  table = LabelTable(tuple(map(str, rows)), 3, rows, np.zeros_like(rows), states)
  scores = np.zeros((clips, 3))
  scores[:, 0] = states == POSITIVE
  weights = bootstrap.clip_weights(clips, 10, 0)
  found = evaluate_weak(scores, table, CLASS_MAP, weights)
  assert np.isfinite(found.replicates.summary['d_prime']).all()
  low, high = found.intervals()['d_prime']
  assert low <= found.summary['d_prime'] <= high


def test_perfect_scores_stay_finite():
  table = labels([([0, 1], [POSITIVE, NEGATIVE]), ([0, 1], [NEGATIVE, POSITIVE])])
  found = evaluate_weak(np.array([[1.0, 0, 0], [0, 1.0, 0]]), table, CLASS_MAP)
  assert found.summary['auc'] == 1
  assert math.isfinite(found.summary['d_prime_of_mean_auc'])


@pytest.mark.parametrize(
  ('scores', 'message'),
  [
    (np.zeros((2, 2)), r'scores have shape \(2, 2\), but the labels \(1, 3\)'),
    (np.array([[0.0, np.nan, 0.0]]), 'clip clip0_0, class /m/b is NaN'),
    (np.array([[0.0, np.inf, 0.0]]), 'clip clip0_0, class /m/b is infinite'),
  ],
)
def test_wrong_scores_are_an_error(scores, message):
  with pytest.raises(InputError, match=message):
    evaluate_weak(scores, labels([([0], [POSITIVE])]), CLASS_MAP)


def test_no_positive_label_is_an_error():
  with pytest.raises(InputError, match='no clip has a positive label'):
    evaluate_weak(np.zeros((1, 3)), labels([([0], [NEGATIVE])]), CLASS_MAP)


def test_classes_with_few_clips_have_no_interval_of_their_own():
  """A replicate holds the same few clips again and again, and hardly differs."""
  listed = [
    ([0, 1], [POSITIVE, POSITIVE if row < 4 else NEGATIVE]) for row in range(20)
  ]
  listed += [([0, 1], [NEGATIVE, NEGATIVE])] * 20
  scores = np.random.default_rng(0).random((40, 3))
  weights = bootstrap.clip_weights(40, 50, 0)
  table = evaluate_weak(scores, labels(listed), CLASS_MAP, weights).table()
  for name in ('d_prime', 'lwlrap', 'average_precision', 'd_prime_implicit'):
    assert np.isfinite(table[name][:2]).all()
    assert np.isfinite(table[f'{name}_low']).tolist() == [True, False, False]


def test_intervals_stay_in_the_range_of_their_value():
  listed = [([0], [POSITIVE])] * 6 + [([0], [NEGATIVE])] * 6
  scores = (
    np.tile([0.9, 0.1, 0.2], (12, 1)) + np.random.default_rng(0).random((12, 3)) / 5
  )
  weights = bootstrap.clip_weights(12, 60, 0)
  found = evaluate_weak(scores, labels(listed), CLASS_MAP, weights)
  for name, ends in found.intervals().items():
    if ends is not None and 'd_prime' not in name:
      assert 0 <= ends[0] <= ends[1] <= 1
