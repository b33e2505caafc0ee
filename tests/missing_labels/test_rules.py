"""The alternatives to ML20's rule."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis.strategies import integers

from audioset_ml.core.errors import InputError
from audioset_ml.missing_labels.rules import ClassScores, build_rule, top_percent_name
from audioset_ml.missing_labels.truth import Truth
from tests.missing_labels.states import class_map, flagged_by, scores_and_states


@given(data=scores_and_states())
def test_a_score_for_all_classes(data):
  scores, states = data
  (flags,), _ = flagged_by(build_rule('score', ['0.25']), scores, states)
  assert np.array_equal(flags, (states == 0) & (scores > 0.25))


def test_a_percentile_of_the_positives():
  random = np.random.default_rng(0)
  scores = random.random((500, 2)).astype(np.float32)
  states = np.zeros((500, 2), np.int8)
  states[:40, 0], states[40:80, 0] = 1, 2  # class 1 has no positives
  (flags,), rows = flagged_by(build_rule('positives', ['25']), scores, states)
  limit = np.percentile(scores[:40, 0], 25)
  expected = (states[:, 0] == 0) & (scores[:, 0] > limit)
  assert np.array_equal(flags[:, 0], expected)
  assert rows[0][0]['threshold'] == pytest.approx(limit)
  assert not flags[:, 1].any()


@given(data=scores_and_states())
def test_as_many_at_random_and_nested(data):
  scores, states = data
  rule = build_rule('random', ['10', '50'], seed=3)
  (small, large), _ = flagged_by(rule, scores, states)
  implicit = (states == 0).sum(axis=0)
  assert small.sum(axis=0).tolist() == [n // 10 for n in implicit]
  assert large.sum(axis=0).tolist() == [n // 2 for n in implicit]
  assert (small <= large).all()
  assert not (large & (states != 0)).any()
  again, _ = flagged_by(rule, scores, states)
  assert np.array_equal(again, [small, large])


def test_other_seeds_draw_others():
  data = np.zeros((100, 1), np.float32), np.zeros((100, 1), np.int8)
  (one,), _ = flagged_by(build_rule('random', ['50'], seed=0), *data)
  (other,), _ = flagged_by(build_rule('random', ['50'], seed=1), *data)
  assert one.sum() == other.sum() == 50
  assert not np.array_equal(one, other)


def test_cleanlab_finds_planted_missing_labels():
  pytest.importorskip('cleanlab', reason='cleanlab is an optional extra')
  random = np.random.default_rng(0)
  truth = random.random((2000, 1)) < 0.3
  scores = np.where(
    truth, random.beta(8, 2, truth.shape), random.beta(2, 8, truth.shape)
  )
  missing = truth & (random.random(truth.shape) < 0.3)
  states = (truth & ~missing).astype(np.int8)
  (flags,), _ = flagged_by(
    build_rule('cleanlab', ()), scores.astype(np.float32), states
  )
  assert (flags & missing).sum() / flags.sum() > 0.8
  assert (flags & missing).sum() / missing.sum() > 0.7
  with pytest.raises(InputError, match='class 0: a score is no probability'):
    flagged_by(build_rule('cleanlab', ()), 2 * scores.astype(np.float32), states)


def test_cleanlab_leaves_a_class_without_positives_alone():
  pytest.importorskip('cleanlab', reason='cleanlab is an optional extra')
  one = ClassScores(0, np.ones(5, np.float32), np.arange(5), np.arange(0))
  (selection,) = build_rule('cleanlab', ()).select(one)
  assert not len(selection.rows)


def test_label_sets_are_named_by_rule_and_value():
  assert build_rule('percent', ['0.1', '3.0', '10', '0']).names == (
    'discard_0.1',
    'discard_3',
    'discard_10',
    'discard_0',
  )
  assert build_rule('score', ['-0.5']).names == ('score_-0.5',)
  assert build_rule('positives', ['25']).names == ('positives_25',)
  assert top_percent_name('40.00001') == 'discard_40.00001'


@pytest.mark.parametrize(
  ('rule', 'values', 'message'),
  [
    ('percent', ['100'], r'100 is not in \[0, 100\)'),
    ('percent', ['x'], "'x' is not a number"),
    ('random', ['1', '1.0'], 'stands twice'),
    ('positives', [], 'no percentage is given'),
    ('score', ['nan'], "'nan' is not a number"),
    ('score', ['1', '1'], 'each once'),
  ],
)
def test_wrong_values_are_named(rule, values, message):
  with pytest.raises(InputError, match=message):
    build_rule(rule, values)


@given(data=scores_and_states(), seed=integers(0, 99))
def test_the_oracle_flags_exactly_what_is_missing(data, seed):
  scores, states = data
  present = np.random.default_rng(seed).random(states.shape) < 0.3
  clips, classes = np.nonzero(present)
  judged = pd.DataFrame({'clip': clips, 'class_index': classes, 'present': True})
  ids = tuple(f'c{i}_0' for i in range(len(states)))
  truth = Truth(ids, class_map(states.shape[1]), judged, complete=True)
  (flags,), _ = flagged_by(build_rule('truth', [], truth=truth), scores, states)
  assert np.array_equal(flags, present & (states == 0))


def test_the_oracle_needs_the_truth():
  with pytest.raises(InputError, match='needs the truth'):
    build_rule('truth', [])
