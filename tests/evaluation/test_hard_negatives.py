"""The explicit negatives that an independent classifier scores highest."""

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from audioset_ml.core.errors import InputError
from audioset_ml.evaluation.hard_negatives import HardNegatives
from audioset_ml.evaluation.weak import evaluate_weak
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.labels.states import LabelState, LabelTable
from audioset_ml.labels.unmarked import UnmarkedLabels
from audioset_ml.records.scores import ClipScores

CLIPS, CLASSES = 40, 5
CLASS_MAP = ClassMap(tuple('abcde'), tuple('ABCDE'))
NO, YES = LabelState.EXPLICIT_NEGATIVE, LabelState.EXPLICIT_POSITIVE


def small(seed):
  """States of labels, which of them are unmarked, and two classifiers' scores."""
  random = np.random.default_rng(seed)
  states = random.choice([0, YES, NO, LabelState.IMPLICIT_POSITIVE], (CLIPS, CLASSES))
  unmarked = (states == NO) & (random.random(states.shape) < 0.5)
  # Few values, so that there are ties.
  return states, unmarked, *random.integers(0, 9, (2, CLIPS, CLASSES)).astype(float)


def table_of(states, unmarked):
  listed = [(np.flatnonzero(row), row[row != 0]) for row in states * ~unmarked]
  packed = np.packbits(unmarked, axis=1)
  ids = [f'c{i}_0' for i in range(CLIPS)]
  rows = UnmarkedLabels(np.arange(CLIPS, dtype=np.int32), packed)
  return LabelTable.from_lists(ids, CLASSES, listed, rows)


@given(st.integers(0, 1000), st.integers(1, 30))
def test_of_each_class_those_with_the_highest_scores_stay(seed, number):
  states, unmarked, scores, _ = small(seed)
  labels = table_of(states, unmarked)
  assert (labels.dense() == states).all()
  # The scores are of more clips than the labels, and in another order.
  ids = ('other_0', *reversed(labels.clip_ids))
  values = np.concatenate([np.full((1, CLASSES), 99.0), scores[::-1]])
  hard = HardNegatives(number, ClipScores('scores', ids, CLASS_MAP, values))
  found = hard.choose(labels).dense()
  expected = states.copy()
  for column in range(CLASSES):
    clips = np.flatnonzero(states[:, column] == NO).tolist()
    clips.sort(key=lambda clip: -scores[clip, column])  # stable: the first comes first
    expected[clips[number:], column] = 0
  np.testing.assert_array_equal(found, expected)


def test_d_prime_is_against_them_alone():
  states, unmarked, judge, scores = small(1)
  labels = table_of(states, unmarked)
  chosen = HardNegatives(3, ClipScores('s', labels.clip_ids, CLASS_MAP, judge))
  found = evaluate_weak(scores, chosen.choose(labels), CLASS_MAP)
  for column in range(CLASSES):
    refuted = [clip for clip in range(CLIPS) if states[clip, column] == NO]
    hard = sorted(refuted, key=lambda clip: -judge[clip, column])[:3]
    positives = scores[states[:, column] == YES, column]
    result = scipy.stats.mannwhitneyu(positives, scores[hard, column])
    auc = result.statistic / (3 * len(positives))
    assert found.per_class['auc'][column] == pytest.approx(auc)
    assert found.per_class['explicit_negatives'][column] == 3


def test_none_at_all_is_an_error():
  scores = ClipScores('s', (), CLASS_MAP, np.zeros((0, CLASSES)))
  with pytest.raises(InputError, match='must be at least 1'):
    HardNegatives(0, scores)
