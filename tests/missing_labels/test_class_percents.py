"""A percentage for each class, chosen by students' evaluations."""

import json
import re
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from audioset_ml.core.errors import InputError
from audioset_ml.evaluation.files import EvaluatedModel
from audioset_ml.missing_labels.class_percents import (
  choose_class_percents,
  require_percent,
)
from audioset_ml.missing_labels.rules import build_rule
from tests.missing_labels.states import class_map, flagged_by, scores_and_states

PERCENTS = [Decimal(text) for text in ('0', '0.1', '1', '10')]


def evaluation(values, name='student', identity='same', mids=None):
  """A student's evaluation with these values of its classes."""
  mids = mids or [f'/m/{i}' for i in range(len(values))]
  table = pd.DataFrame({'mid': mids, 'display_name': 'x', 'lwlrap': values})
  return EvaluatedModel(name, {'clips': {'identity': identity}}, table, {})


def choose(values, percents=PERCENTS, metric='lwlrap', **more):
  """Chooses from values of shape [classes, percents]."""
  models = [evaluation(column) for column in np.asarray(values, float).T]
  return choose_class_percents(percents, models, metric, class_map(len(values)), **more)


def slow_choice(row):
  """The place of the best value of one class in words; None where there is none."""
  means = []
  for place in range(len(row)):
    places = (place - 1, place, place, place + 1)
    near = [row[i] for i in places if 0 <= i < len(row)]
    near = [value for value in near if not np.isnan(value)]
    means.append(sum(near) / len(near) if near else -np.inf)
  best = max(means)
  # Sums in another order may differ in their last digit.
  close = [place for place, mean in enumerate(means) if best - mean < 1e-12]
  return None if best == -np.inf else close


_VALUES = hnp.arrays(
  np.float64,
  st.tuples(st.integers(1, 6), st.just(len(PERCENTS))),
  elements=st.sampled_from([np.nan, 0.1, 0.25, 0.5, 0.75]),
)


@given(values=_VALUES)
def test_each_class_has_the_percentage_of_its_best_student(values):
  if np.isnan(values).all():
    with pytest.raises(InputError, match='no class has a value of lwlrap'):
      choose(values)
    return
  found = choose(values)
  assert found['mid'].tolist() == [f'/m/{i}' for i in range(len(values))]
  for row, percent in zip(values, found['percent'], strict=True):
    expected = slow_choice(row)
    if expected is not None:
      assert percent in {str(PERCENTS[place]) for place in expected}
  own = found.filter(like='percent_').to_numpy()
  assert np.array_equal(own, values, equal_nan=True)
  smoothed = found.filter(like='smoothed_').to_numpy()
  assert np.array_equal(np.isnan(smoothed).all(axis=1), np.isnan(values).all(axis=1))


def test_a_single_lucky_student_is_not_believed():
  found = choose([[0.5, 0.1, 0.45, 0.45], [0.2, 0.3, 0.2, 0.0]])
  assert found['percent'].tolist() == ['10', '0.1']


def test_of_two_students_the_better_one_counts():
  found = choose([[0.5, 0.6], [0.6, 0.5], [0.5, 0.5]], PERCENTS[:2])
  assert found['percent'].tolist() == ['0.1', '0', '0']


def test_a_class_that_no_student_has_gets_the_best_on_average():
  nothing = [np.nan] * 4
  found = choose([nothing, [0.1, 0.2, 0.9, 0.9], [0.3, 0.2, 0.3, 0.5]])
  assert found['percent'].tolist() == ['10', '10', '10']


def test_one_percentage_for_all_is_the_best_on_average():
  values = [[0.9, 0.5, 0.1, 0.1], [0.1, 0.1, 0.4, 0.4], [0.1, 0.1, 0.7, 0.7]]
  assert choose(values)['percent'].tolist() == ['0', '10', '10']
  assert choose(values, one_for_all=True)['percent'].tolist() == ['10'] * 3


def test_percentages_come_in_any_order():
  values = np.random.default_rng(0).random((5, 4))
  shuffled = [2, 0, 3, 1]
  found = choose(values[:, shuffled], [PERCENTS[place] for place in shuffled])
  pd.testing.assert_frame_equal(found, choose(values))


def test_what_does_not_belong_together_is_named():
  values = [[0.1, 0.2], [0.3, 0.4]]
  two = PERCENTS[:2]
  with pytest.raises(InputError, match='4 percentages, but 2 evaluations'):
    choose(values)
  with pytest.raises(InputError, match=re.escape("no 'd_prime', but lwlrap")):
    choose(values, two, 'd_prime')
  models = [evaluation([0.1]), evaluation([0.2], 'other', identity='else')]
  with pytest.raises(InputError, match='other: is of other clips than student'):
    choose_class_percents(two, models, 'lwlrap', class_map(1))
  models = [evaluation([0.1]), evaluation([0.2], 'other', mids=['/m/9'])]
  with pytest.raises(InputError, match='other: is of other classes than the records'):
    choose_class_percents(two, models, 'lwlrap', class_map(1))


def test_an_evaluation_in_another_ones_place_is_told(tmp_path):
  runs = {
    'train': {'label_set': 'label_sets/discard_0.1'},
    'evaluate': {'model': [str(tmp_path / 'train')]},
  }
  for stage, inputs in runs.items():
    (tmp_path / stage).mkdir()
    run = {'stage': stage, 'inputs': inputs}
    (tmp_path / stage / 'run.json').write_text(json.dumps(run))
  path = str(tmp_path / 'evaluate')
  require_percent(path, Decimal('0.10'))
  with pytest.raises(InputError, match=r'of discard_0.1, but .* one of discard_1 '):
    require_percent(path, Decimal('1'))
  run = {'stage': 'train', 'inputs': {'label_set': ''}}
  (tmp_path / 'train' / 'run.json').write_text(json.dumps(run))
  require_percent(path, Decimal('0'))
  with pytest.raises(InputError, match='a student of no label set'):
    require_percent(path, Decimal('1'))
  nothing = ['--negative_loss=bce', '--flag_while_training=', '--soft_scores=']
  for changed in (
    [],
    ['flag_while_training=3'],
    ['negative_loss=ll_r'],
    ['soft_scores=a'],
  ):
    run['flags'] = [*nothing, *(f'--{flag}' for flag in changed)]
    (tmp_path / 'train' / 'run.json').write_text(json.dumps(run))
    if not changed:
      require_percent(path, Decimal('0'))
      continue
    with pytest.raises(InputError, match=f'trained with --{changed[0]}, which does'):
      require_percent(path, Decimal('0'))
  (tmp_path / 'train' / 'run.json').unlink()
  require_percent(path, Decimal('1'))  # nobody can know


@given(data=scores_and_states(), seed=st.integers(0, 99))
def test_each_class_is_flagged_as_by_its_own_percentage(data, seed):
  scores, states = data
  each = np.random.default_rng(seed).integers(len(PERCENTS), size=states.shape[1])
  rule = build_rule('chosen', [], class_percents=[PERCENTS[i] for i in each])
  (flags,), rows = flagged_by(rule, scores, states)
  uniform, uniform_rows = flagged_by(
    build_rule('percent', [str(percent) for percent in PERCENTS]), scores, states
  )
  for index, place in enumerate(each):
    assert np.array_equal(flags[:, index], uniform[place][:, index])
    assert rows[0][index]['threshold'] == uniform_rows[place][index]['threshold']
