"""Means over seeds with intervals, and choices that have not seen what they report."""

import numpy as np
import pandas as pd
import pytest
import scipy.stats

from audioset_ml.core.errors import RecordError
from audioset_ml.sweeping.table import Mean, SweepTable, best, chosen_elsewhere, gain

LWLRAP = 'evaluate/weak/lwlrap'


def write(path, rows, axes):
  table = pd.DataFrame(rows)
  table.insert(0, 'trial', [f'trial_{i}' for i in range(len(table))])
  place = 1 + len(axes)
  for offset, (name, value) in enumerate(
    {'status': 'finished', 'seconds': 1.0, 'message': ''}.items()
  ):
    if name not in table:
      table.insert(place + offset, name, value)
  table.to_csv(path, index=False)
  return SweepTable.read(path)


@pytest.fixture
def sweep(tmp_path):
  values = {'0': (0.5, 0.6, 0.7), '1': (0.6, 0.7, 0.9), '10': (0.5, 1.6, 0.5)}
  rows = [
    {'seed': seed, 'percent': percent, LWLRAP: value}
    for percent, of_seeds in values.items()
    for seed, value in enumerate(of_seeds, 1)
  ]
  return write(tmp_path / 'results.csv', rows, ('seed', 'percent'))


def test_a_mean_has_students_interval():
  numbers = np.random.default_rng(0).normal(size=5)
  mean = Mean.of(numbers)
  expected = scipy.stats.ttest_1samp(numbers, 0).confidence_interval(0.95)
  np.testing.assert_allclose([mean.value - mean.half, mean.value + mean.half], expected)
  assert mean.deviation == pytest.approx(pd.Series(numbers).std())


def test_a_mean_of_one_or_none_claims_no_interval():
  assert np.isnan(Mean.of([3.0]).half)
  assert Mean.of([3.0]).text() == '3.000'
  assert Mean.of([]).seeds == 0


def test_gains_are_paired_by_seed(sweep):
  found = gain(sweep.by_seed(LWLRAP, percent='1'), sweep.by_seed(LWLRAP, percent='0'))
  expected = Mean.of([0.1, 0.1, 0.2])
  assert found.value == pytest.approx(expected.value)
  assert found.half == pytest.approx(expected.half)


def test_axes_values_and_lines_are_in_the_order_of_the_grid(sweep):
  assert sweep.axes == ('seed', 'percent')
  assert sweep.values('percent') == ['0', '1', '10']
  assert sweep.lines('percent') == [{}]


def test_what_is_chosen_has_not_seen_the_seed_it_is_reported_on(sweep):
  # Seed 2 is so much better at 10 % that all three together are, too; but of it itself
  # the others choose 1 %.
  values, chosen = chosen_elsewhere(sweep, 'percent', LWLRAP, LWLRAP)
  assert chosen == ['10', '1', '10']
  assert values.tolist() == [0.5, 0.7, 0.5]


def test_choices_are_compared_on_the_seeds_that_all_have(tmp_path):
  # Seed 3 is easy; at 10 % its trial failed.
  values = {('1', '1'): 0.5, ('2', '1'): 0.5, ('3', '1'): 5.0}
  values |= {('1', '10'): 0.6, ('2', '10'): 0.6}
  rows = [
    {'seed': seed, 'percent': percent, LWLRAP: value}
    for (seed, percent), value in values.items()
  ]
  sweep = write(tmp_path / 'results.csv', rows, ('seed', 'percent'))
  found, chosen = chosen_elsewhere(sweep, 'percent', LWLRAP, LWLRAP)
  assert chosen == ['10', '10']
  assert found.to_dict() == {'1': 0.6, '2': 0.6}


def test_of_one_seed_its_own_best_is_chosen(sweep):
  alone = sweep.where(seed='2')
  found, chosen = chosen_elsewhere(alone, 'percent', LWLRAP, LWLRAP)
  assert (found.to_dict(), chosen) == ({'2': 1.6}, ['10'])


def test_numbers_are_in_their_order_whatever_was_skipped(tmp_path):
  rows = [
    {'labels': 'a', 'mu': '0.5', LWLRAP: 1},
    {'labels': 'None', 'mu': '0', LWLRAP: 1},
    {'labels': 'None', 'mu': '0.5', LWLRAP: 1},
  ]
  sweep = write(tmp_path / 'results.csv', rows, ('labels', 'mu'))
  assert sweep.values('mu') == ['0', '0.5']
  assert sweep.values('labels') == ['a', 'None']


def test_the_best_leaves_nan_aside():
  assert best({'a': float('nan'), 'b': 1.0, 'c': 2.0, 'd': 2.0}) == 'c'


def test_failed_trials_are_left_out(tmp_path):
  rows = [
    {'seed': 1, 'status': 'finished', LWLRAP: 0.5},
    {'seed': 2, 'status': 'failed', LWLRAP: np.nan},
  ]
  sweep = write(tmp_path / 'results.csv', rows, ('seed',))
  assert sweep.by_seed(LWLRAP).to_dict() == {'1': 0.5}


def test_a_folder_stands_for_its_results(sweep, tmp_path):
  assert len(SweepTable.read(tmp_path).table) == 9


@pytest.mark.parametrize(
  ('content', 'message'),
  [
    ('a,b\n1,2\n', 'its columns are a, b'),
    ('', 'no table of `sweep`'),
    ('trial,seed,status,message\nx,1,failed,why\n', 'no trial has finished'),
  ],
)
def test_what_is_no_table_of_a_sweep_is_named(tmp_path, content, message):
  path = tmp_path / 'results.csv'
  path.write_text(content)
  with pytest.raises(RecordError, match=message) as error:
    SweepTable.read(path)
  assert str(path) in str(error.value)


def test_values_that_are_missing_or_ambiguous_are_named(sweep):
  with pytest.raises(RecordError, match='no column evaluate/weak/map'):
    sweep.by_seed('evaluate/weak/map', percent='0')
  with pytest.raises(RecordError, match='have the same seed'):
    sweep.by_seed(LWLRAP)
