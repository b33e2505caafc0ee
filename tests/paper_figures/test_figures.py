"""How figures of sweeps look: lines that differ, axes that fit, words that are free."""

import itertools

import numpy as np
import pytest

from audioset_ml.paper_figures import gain_figures, label_sets, ml20
from audioset_ml.paper_figures.line_looks import common_name, looks
from audioset_ml.sweeping.table import Mean, SweepTable
from tests.paper_figures.test_sweep_report import SEEDS, write_results


@pytest.mark.parametrize(
  'sizes', [(1,), (6,), (7,), (2, 4), (4, 2), (7, 3), (9, 4), (2, 3, 6), (6, 36)]
)
def test_no_two_lines_of_a_figure_look_the_same(sizes):
  axes = [
    [(f'axis_{n}', str(value)) for value in range(size)] for n, size in enumerate(sizes)
  ]
  lines = [dict(values) for values in itertools.product(*axes)]
  found = {(one['color'], one['linestyle'], one['marker']) for one in looks(lines)}
  assert len(found) == len(lines) == np.prod(sizes)


def test_many_lines_have_a_colour_for_each_value_of_the_longest_axis():
  lines = [
    {'labels': labels, 'strength': strength}
    for labels in ('public', 'complete')
    for strength in ('0', '0.25', '0.5', '1')
  ]
  public, complete = looks(lines)[:4], looks(lines)[4:]
  assert [one['color'] for one in public] == [one['color'] for one in complete]
  assert len({one['color'] for one in public}) == 4
  assert len({(one['linestyle'], one['marker']) for one in public}) == 1


def test_the_axis_of_percentages_ends_where_the_data_do(tmp_path):
  axes = {'seed': SEEDS, 'percent': ('0', '3', '5')}
  folder = write_results(
    tmp_path / 'students', axes, lambda p: {'evaluate/weak/lwlrap': float(p['percent'])}
  )
  (panel, _) = ml20.figure_2(SweepTable.read(folder)).axes
  assert panel.get_xlim()[1] == pytest.approx(5.5)
  assert max(panel.get_xticks()) == 5


def test_equal_lines_are_drawn_once_and_named(tmp_path):
  """lωlrap is the same whatever the negatives; d′ isn't."""
  axes = {'number': ('100', '1000'), 'seed': SEEDS, 'percent': ('0', '1')}
  folder = write_results(
    tmp_path / 'students',
    axes,
    lambda p: {
      'evaluate/weak/lwlrap': float(p['percent']),
      'evaluate/weak/d_prime': float(p['percent']) * float(p['number']),
    },
  )
  d_prime, lwlrap, *_ = ml20.figure_2(SweepTable.read(folder)).axes
  counts = [
    sum(line.get_marker() != 's' for line in axes.get_lines())
    for axes in (d_prime, lwlrap)
  ]
  assert counts == [2, 1]
  assert d_prime.get_legend() is None
  (text,) = lwlrap.get_legend().get_texts()
  assert text.get_text() == 'number 100 = 1000'


def test_equal_lines_that_are_no_grid_are_named_one_by_one():
  lines = [{'a': 'x', 'b': '1'}, {'a': 'y', 'b': '2'}]
  assert common_name(lines) == 'a x, b 1 = a y, b 2'


def means(values, half=0.001):
  return [Mean(value, half, half, 3) for value in values]


def test_a_gain_far_from_the_others_does_not_stretch_the_axis():
  near = list(np.linspace(-0.05, 0.03, 11))
  low, high = gain_figures.gain_limits(means([*near, -0.45]))
  assert -0.08 < low < -0.05
  assert 0.03 < high < 0.05
  # Few gains all count: none of them is one of ten.
  low, _ = gain_figures.gain_limits(means([0.01, 0.02, -0.45]))
  assert low < -0.45


def test_a_gain_within_the_axis_has_its_whole_interval_there():
  # The first counts with its long interval, into which the second falls.
  near = np.linspace(-0.05, 0.03, 20)
  found = [Mean(-0.06, 0.01, 0.03, 3), Mean(-0.08, 0.01, 0.05, 3)]
  low, _ = gain_figures.gain_limits([*means(near), *found])
  assert low < -0.13


def test_limits_hold_zero_the_marks_and_the_intervals():
  found = [*means([0.5] * 11), Mean(0.52, 0.1, 0.3, 3)]
  low, high = gain_figures.gain_limits(found, [0.9])
  assert low < 0
  assert high > 0.9
  assert gain_figures.gain_limits(found)[1] > 0.82
  assert gain_figures.gain_limits([])[0] < 0 < gain_figures.gain_limits([])[1]


def test_what_lies_beyond_is_an_arrow_with_its_value():
  values = {f'row {n}': value for n, value in enumerate(np.linspace(-0.05, 0.03, 11))}
  values |= {'worst': -0.45, 'best': 0.351}
  gains = {name: means([value]) for name, value in values.items()}
  (axes,) = gain_figures.draw_gains(gains, ['gain']).axes
  assert {text.get_text() for text in axes.texts} == {'−0.450', '+0.351'}
  arrows = {
    line.get_marker(): line.get_xydata().tolist()
    for line in axes.get_lines()
    if line.get_marker() in '<>'
  }
  low, high = axes.get_xlim()
  assert arrows == {'<': [[low, 1]], '>': [[high, 0]]}
  points = next(line for line in axes.get_lines() if line.get_marker() == 'o')
  assert len(points.get_xdata()) == 11


def test_panels_of_gains_stand_in_rows_of_three_with_names_at_the_left():
  gains = {'one': means([0.1] * 7), 'two': means([0.2] * 7)}
  figure = gain_figures.draw_gains(gains, [f'gain {n}' for n in range(7)])
  assert figure.get_figwidth() <= 7.5
  figure.draw_without_rendering()
  named = [
    any(text.get_visible() and text.get_text() for text in axes.get_yticklabels())
    and axes.yaxis.get_tick_params()['labelleft']
    for axes in figure.axes
  ]
  assert named == [True, False, False, True, False, False, True]


def test_flags_at_random_are_a_dashed_line_beside_the_rules(tmp_path):
  rates = {'percent': 0.3, 'three': 0.4, 'random': 0.1}

  def values_of(point):
    kind = 'random' if point['rule'] == 'random' else 'discard'
    return {
      f'audit/percent/{kind}_{percent}/{rate}': rates[point['rule']]
      for percent in (1, 3)
      for rate in ('precision', 'recall')
    }

  axes = {'rule': tuple(rates), 'seed': SEEDS}
  table = SweepTable.read(write_results(tmp_path / 'missing', axes, values_of))
  figure = label_sets.flags_figure(table)
  assert [one.get_ylabel() for one in figure.axes] == [
    'precision of the flags',
    'recall of the flags',
  ]
  for panel in figure.axes:
    drawn = [line.get_ydata().tolist() for line in panel.get_lines()]
    np.testing.assert_allclose(drawn, [[0.3] * 2, [0.4] * 2, [0.1] * 2])
    assert panel.get_lines()[-1].get_linestyle() == '--'
  (legend,) = figure.legends
  names = [text.get_text() for text in legend.get_texts()]
  assert names == ['percent', 'three', 'at random']
