"""The papers' figures and tables from planted sweeps."""

import itertools

import numpy as np
import pandas as pd
import pytest

from audioset_ml.core.errors import InputError, RecordError
from audioset_ml.missing_labels.audit import audit
from audioset_ml.missing_labels.enhance import write_label_sets
from audioset_ml.missing_labels.rules import build_rule
from audioset_ml.missing_labels.truth import Truth
from audioset_ml.paper_figures import (
  flags_by_class,
  label_sets,
  ml20,
  relative_gains,
  sl21,
)
from audioset_ml.paper_figures.sweep_report import FORMATS, write_sweep_report
from audioset_ml.sweeping.table import Mean, SweepTable
from tests.missing_labels.states import class_map, table_of
from tests.stages import run_stage, run_stage_ok

SEEDS = ('1', '2', '3')
PERCENTS = ('0', '0.1', '0.2', '1', '3', '10', '20')
# A rise, a sweet spot at 3 %, and a decay, as in ML20's Fig. 2.
CURVE = dict(zip(PERCENTS, (0.0, 0.01, 0.032, 0.04, 0.06, 0.01, -0.02), strict=True))


def write_results(folder, axes, values_of):
  """A results.csv of all points of some axes; `values_of(point)` gives the values."""
  rows = []
  for values in itertools.product(*axes.values()):
    point = dict(zip(axes, values, strict=True))
    rows.append(
      {
        'trial': '-'.join(f'{name}_{value}' for name, value in point.items()),
        **point,
        'status': 'finished',
        'seconds': 1.0,
        'message': '',
        **values_of(point),
      }
    )
  folder.mkdir()
  pd.DataFrame(rows).to_csv(folder / 'results.csv', index=False)
  return folder


def metrics(height, seed=0.0):
  return {
    f'evaluate/{section}/{name}': scale * (height + 0.1 * float(seed))
    for section in ('weak', 'strong')
    for name, scale in (('d_prime', 1.0), ('lwlrap', 0.5))
  }


@pytest.fixture
def students(tmp_path):
  def values_of(point):
    gain = CURVE[point['percent']] * (2 if point['size'] == 'small' else 1)
    return metrics(1.0 + gain, point['seed'])

  axes = {'seed': SEEDS, 'size': ('large', 'small'), 'percent': PERCENTS}
  return write_results(tmp_path / 'students', axes, values_of)


def line_of(axes, number):
  return axes.get_lines()[number].get_xydata()


def test_figure_2_shows_the_planted_curve(students):
  table = SweepTable.read(students)
  figure = ml20.figure_2(table)
  d_prime, _, gains, _ = figure.axes
  expected = [1.2 + CURVE[percent] for percent in PERCENTS]
  np.testing.assert_allclose(line_of(d_prime, 0)[:, 1], expected)
  np.testing.assert_allclose(line_of(d_prime, 0)[:, 0], [float(p) for p in PERCENTS])
  np.testing.assert_allclose(line_of(gains, 0)[:, 1], list(CURVE.values()), atol=1e-12)
  assert [text.get_text() for text in figure.legends[0].get_texts()] == [
    'large',
    'small',
    '95 % interval of the difference from the baseline',
  ]


@pytest.fixture
def twice_evaluated(tmp_path):
  """Students evaluated on three kinds of labels, of which one repeats a metric."""

  def values_of(point):
    gain, seed = CURVE[point['percent']], 0.1 * float(point['seed'])
    return {
      'evaluate/weak/d_prime_implicit': 2.0 + seed,
      'evaluate/weak/lwlrap': 0.5 + gain,
      'complete/weak/d_prime': 1.0 + 2 * gain,
      'complete/weak/d_prime_implicit': 1.0 + 2 * gain,
      'complete/weak/lwlrap': 0.4 + 2 * gain,
      'hard/weak/d_prime': 1.0 - gain * (1 + seed),
      'hard/weak/lwlrap': 0.4 + 2 * gain,
    }

  axes = {'network': ('wide',), 'seed': SEEDS, 'percent': PERCENTS}
  return write_results(tmp_path / 'students', axes, values_of)


def test_several_evaluations_have_panels_each(twice_evaluated):
  table = SweepTable.read(twice_evaluated)
  assert ml20.metrics_of(table) == {
    'd′ (implicit negatives)': 'evaluate/weak/d_prime_implicit',
    'lωlrap': 'evaluate/weak/lwlrap',
    'd′ (complete)': 'complete/weak/d_prime',
    'lωlrap (complete)': 'complete/weak/lwlrap',
    'd′ (hard)': 'hard/weak/d_prime',
  }
  shown = [axes for axes in ml20.figure_2(table).axes if axes.axison]
  assert [axes.get_ylabel() for axes in shown] == list(ml20.metrics_of(table))
  rows = ml20.table_2(table).set_index('metric')
  assert rows.loc['lωlrap (complete)', 'best_percent'] == '3'
  assert rows.loc['d′ (hard)', 'best_percent'] == '20'


@pytest.mark.long
def test_a_line_may_lack_a_metric_that_others_have(tmp_path):
  def values_of(point):
    height = {'evaluate/weak/lwlrap': 0.5 + CURVE[point['percent']]}
    if point['labels'] == 'complete':
      height['evaluate/weak/d_prime'] = 1.0
    return height

  axes = {'labels': ('public', 'complete'), 'seed': SEEDS, 'percent': PERCENTS}
  students = write_results(tmp_path / 'students', axes, values_of)
  write_sweep_report([students], tmp_path / 'out')
  rows = pd.read_csv(tmp_path / 'out/ml20_table_2.csv')
  assert list(zip(rows['labels'], rows['metric'], strict=True)) == [
    ('public', 'lωlrap'),
    ('complete', 'd′'),
    ('complete', 'lωlrap'),
  ]
  gained = relative_gains.relative_gains(SweepTable.read(students))
  (panel,) = relative_gains.relative_figure(gained).axes
  assert panel.get_ylabel() == 'gain in lωlrap (% of the baseline)'


def test_names_of_lines_say_what_they_are_of_and_stay_in_the_figure(tmp_path):
  axes = {'size': ('large', 'small'), 'network': ('wide', 'narrow', 'linear')}
  table = SweepTable.read(
    write_results(
      tmp_path / 'students',
      {**axes, 'seed': SEEDS, 'percent': PERCENTS},
      lambda point: {'evaluate/weak/lwlrap': 0.5 + CURVE[point['percent']]},
    )
  )
  figure = ml20.figure_2(table)
  figure.draw_without_rendering()
  (legend,) = figure.legends
  names = [text.get_text() for text in legend.get_texts()]
  assert names[:2] == ['size large, network wide', 'size large, network narrow']
  assert len(names) == 7
  assert legend.get_window_extent().x1 <= figure.bbox.x1
  gained = relative_gains.relative_gains(table)
  assert relative_gains.relative_figure(gained).get_suptitle() == names[0]


def test_relative_gains_stand_beside_the_papers(twice_evaluated):
  table = SweepTable.read(twice_evaluated)
  found = relative_gains.relative_gains(table)
  gains = found.set_index(['metric', 'percent'])
  # Of .4, twice .06.
  assert gains.loc[('lωlrap (complete)', '3'), 'gain'] == pytest.approx(30)
  hard = gains.loc[('d′ (hard)', '3')]
  assert hard['gain'] == pytest.approx(-7.2)
  # 6.6, 7.2 and 7.8 % by seed: Student's t of two degrees of freedom.
  assert hard['low'] == pytest.approx(-7.2 - 4.302653 * 0.6 / np.sqrt(3), abs=1e-5)
  d_prime, lwlrap = relative_gains.relative_figure(found).axes
  expected = [100 * gain / 0.5 for gain in CURVE.values()]
  np.testing.assert_allclose(line_of(lwlrap, 1)[:, 1], expected, atol=1e-9)
  (box,) = lwlrap.patches
  assert (box.get_x(), box.get_width()) == (1, 3)
  # ResNet-50 on tr_large and on tr_small.
  lowest, highest = 100 * (0.484 / 0.451 - 1), 100 * (0.425 / 0.363 - 1)
  assert box.get_y() == pytest.approx(lowest)
  assert box.get_height() == pytest.approx(highest - lowest)
  assert len(d_prime.patches) == 1


def test_a_percentage_chosen_on_other_clips_is_compared_with_the_baseline(tmp_path):
  chosen = write_results(
    tmp_path / 'chosen',
    {'seed': SEEDS, 'labels': ('evaluate', 'complete')},
    lambda p: {
      'evaluate/weak/lwlrap': 0.5 + 0.1 * float(p['seed']),
      'evaluate/selection/value_on_validation': 0.9,
      'baseline/weak/lwlrap': 0.4 + 0.1 * float(p['seed']),
    },
  )
  table = ml20.chosen_gains(SweepTable.read(chosen)).set_index('labels')
  assert table.loc['complete', 'gain'] == '+0.100 [+0.100, +0.100]'
  assert table.loc['evaluate', 'relative'] == '+16.7%'
  assert set(table['metric']) == {'lωlrap'}
  names = {path.name for path in write_sweep_report([chosen], tmp_path / 'out')}
  assert names == {'ml20_chosen.csv', 'tables.md'}


def test_the_baselines_are_marked_with_squares(students):
  figure = ml20.figure_2(SweepTable.read(students))
  squares = [line for line in figure.axes[0].get_lines() if line.get_marker() == 's']
  assert [line.get_xydata().tolist() for line in squares] == [[[0.0, 1.2]]] * 2


def test_lines_can_be_told_apart_in_grey(students):
  figure = ml20.figure_2(SweepTable.read(students))
  lines = [line for line in figure.axes[0].get_lines() if line.get_marker() != 's']
  looks = {(str(line.get_linestyle()), line.get_marker()) for line in lines}
  assert len(looks) == len(lines) == 2


def test_bands_are_the_intervals_of_gains_and_not_of_values(students):
  # The seeds differ by .1, but their gains are the same: no band has a width.
  figure = ml20.figure_2(SweepTable.read(students))
  band = figure.axes[0].collections[0].get_paths()[0].vertices
  assert np.ptp(band[np.isclose(band[:, 0], 3), 1]) < 1e-9


def test_table_2_finds_the_sweet_spot_and_where_half_of_it_is_reached(students):
  table = ml20.table_2(SweepTable.read(students)).set_index(['size', 'metric'])
  row = table.loc[('large', 'd′')]
  assert row['best_percent'] == '3'
  assert row['half_of_it_at'] == '0.2'
  assert row['baseline'] == '1.200 ± 0.100'
  assert row['gain'].startswith('+0.060 [')
  assert row['relative'] == '+5.0%'
  assert row['chosen_percent'] == '3, 3, 3'
  assert table.loc[('small', 'lωlrap'), 'gain'].startswith('+0.060 [')


def test_gains_are_set_against_the_oracle_masks(tmp_path):
  heights = {'none': 1.0, 'ml20_3': 1.08, 'random_3': 0.99, 'truth': 1.1, 'clean': 1.5}
  folder = write_results(
    tmp_path / 'alternatives',
    {'seed': SEEDS, 'label_set': tuple(heights)},
    lambda point: metrics(heights[point['label_set']], point['seed']),
  )
  sweep = SweepTable.read(folder)
  assert label_sets.baseline_axis(sweep) == 'label_set'
  table = label_sets.gains_table(sweep, 'label_set').set_index('label_set')
  assert table.loc['ml20_3', 'of the oracle (d′)'] == '80% (80% to 80%)'
  assert table.loc['random_3', 'of the oracle (d′)'] == '-10% (-10% to -10%)'
  assert table.loc['random_3', 'over ml20_3 (d′)'] == '-0.090 [-0.090, -0.090]'
  assert table.loc['ml20_3', 'over ml20_3 (d′)'] == ''
  chosen = table.loc['best on the other seeds']
  assert chosen['chosen by d′'] == 'ml20_3, ml20_3, ml20_3'
  assert chosen['of the oracle (d′)'] == '80% (80% to 80%)'
  figure = label_sets.gains_figure(sweep, 'label_set')
  names = [text.get_text() for text in figure.axes[0].get_yticklabels()]
  assert names == ['ml20 3', 'random 3']  # in whose scale the others would not fit


def test_table_1_separates_what_labels_restore_from_what_times_add(tmp_path):
  heights = {'weak': 1.0, 'weak_complete': 1.3, 'diffuse': 1.3, 'strong': 1.6}
  scratch = write_results(
    tmp_path / 'scratch',
    {'seed': SEEDS, 'labels': tuple(heights), 'clips': ('subset', 'all')},
    lambda p: metrics(heights[p['labels']] + (p['clips'] == 'all'), p['seed']),
  )
  mixing = write_results(
    tmp_path / 'mixing',
    {'seed': SEEDS, 'labels': ('diffuse', 'strong'), 'mu': ('0', '0.5', '1')},
    lambda p: metrics(2 + {'0': 0, '0.5': 0.4, '1': 0.2}[p['mu']], p['seed']),
  )
  rows = sl21.table_1_rows(SweepTable.read(scratch), SweepTable.read(mixing))
  table = sl21.table_1(rows).set_index('training labels')
  assert table.loc['strong, subset', 'Weak eval d′'] == '1.800 ± 0.100'
  assert table.loc['all + strong (μ = 0.5)', 'Strong eval d′'] == '2.600 ± 0.100'
  differences = sl21.differences(rows).set_index(['from', 'to'])
  steps = differences['Strong eval d′']
  assert steps['all + diffuse (μ = 0.5)', 'all + strong (μ = 0.5)'] == (
    '+0.000 [+0.000, +0.000]'
  )
  assert steps['all + more weak', 'all + strong (μ = 0.5)'].startswith('+0.400 [')
  assert steps['weak, subset', 'weak_complete, subset'].startswith('+0.300 [')
  assert steps['weak_complete, subset', 'diffuse, subset'].startswith('+0.000 [')
  assert steps['diffuse, subset', 'strong, subset'].startswith('+0.300 [')


def test_without_d_prime_the_mixing_fraction_is_chosen_by_lwlrap(tmp_path):
  heights = {'0': 0.0, '0.5': 0.4, '1': 0.2}
  mixing = write_results(
    tmp_path / 'mixing',
    {'labels': ('strong',), 'mu': tuple(heights)},
    lambda p: {'evaluate/strong/lwlrap': heights[p['mu']]},
  )
  rows = sl21.table_1_rows(None, SweepTable.read(mixing))
  row = rows['strong', '+']
  assert row.name == 'all + strong (μ = 0.5, the best on these clips)'
  assert row.values['Strong eval lωlrap'].tolist() == [0.4]


@pytest.mark.parametrize('seeds', [SEEDS, SEEDS[:1]])
def test_a_mixing_fraction_that_was_chosen_on_validation_clips_is_taken(
  tmp_path, seeds
):
  """Though another is the best on the clips that are reported."""
  heights = {'0': 0.9, '0.5': 0.4, '0.8': 0.3, '1': 0.2}
  # On the second seed's validation clips another is the best.
  best = {'1': '0.8', '2': '1', '3': '0.8'}
  mixing = write_results(
    tmp_path / 'mixing',
    {'seed': seeds, 'labels': ('strong',), 'mu': tuple(heights)},
    lambda p: {
      **metrics(heights[p['mu']], p['seed']),
      'evaluate/selection/value_on_validation': 1 + (p['mu'] == best[p['seed']]),
    },
  )
  row = sl21.table_1_rows(None, SweepTable.read(mixing))['strong', '+']
  mu = '0.8, 1' if len(seeds) == 3 else '0.8'
  assert row.name == f'all + strong (μ = {mu}, chosen on validation clips)'
  expected = [heights[best[seed]] + 0.1 * float(seed) for seed in seeds]
  assert row.values['Strong eval d′'].tolist() == pytest.approx(expected)
  assert row.values['Strong eval d′'].index.tolist() == list(seeds)


def test_masking_is_compared_at_the_same_mu(tmp_path):
  gains = {'strong': 0.0, 'strong_masked': 0.2}
  mixing = write_results(
    tmp_path / 'mixing',
    {'seed': SEEDS, 'labels': tuple(gains), 'mu': ('0', '0.5')},
    lambda p: metrics(float(p['mu']) * (1 + gains[p['labels']]), p['seed']),
  )
  table = sl21.masking_gains_by_mu(SweepTable.read(mixing)).set_index('μ')
  assert table.loc['0', 'Weak eval d′'] == '+0.000 [+0.000, +0.000]'
  assert table.loc['0.5', 'Strong eval d′'] == '+0.100 [+0.100, +0.100]'


def test_what_weak_labels_first_gain_is_told_where_there_are_both(tmp_path):
  starts = {'fine_tuned': 0.5, 'scratch': 0.0}
  shares = write_results(
    tmp_path / 'shares',
    {'seed': SEEDS, 'start': tuple(starts), 'share': ('0.1', '1')},
    lambda p: metrics(starts[p['start']] * (1 - float(p['share'])), p['seed']),
  )
  table = sl21.gains_over_scratch(SweepTable.read(shares)).set_index('share')
  assert table.loc['0.1', 'Strong eval d′'] == '+0.450 [+0.450, +0.450]'
  assert table.loc['1', 'Weak eval lωlrap'] == '+0.000 [+0.000, +0.000]'
  alone = write_results(
    tmp_path / 'alone', {'seed': SEEDS, 'share': ('0.1', '1')}, lambda _: metrics(1)
  )
  assert sl21.gains_over_scratch(SweepTable.read(alone)).empty


def test_lines_go_from_the_lowest_value_on_whatever_was_skipped(tmp_path):
  mixing = write_results(
    tmp_path / 'mixing',
    {'seed': SEEDS, 'labels': ('diffuse', 'strong'), 'mu': ('0', '0.5', '1')},
    lambda p: metrics(float(p['mu']), p['seed']),
  )
  path = mixing / 'results.csv'
  table = pd.read_csv(path, dtype={'mu': str})
  table[(table['labels'] == 'strong') | (table['mu'] != '0')].to_csv(path, index=False)
  figure = sl21.mu_figure(SweepTable.read(mixing))
  lines = [list(line.get_xdata()) for line in figure.axes[0].get_lines()]
  assert lines[:2] == [[0.5, 1.0], [0.0, 0.5, 1.0]]


def test_points_are_compared_with_weak_labels_alone(tmp_path):
  mixing = write_results(
    tmp_path / 'mixing',
    {'seed': SEEDS, 'labels': ('strong',), 'mu': ('0', '1')},
    lambda p: metrics(1.0 + float(p['mu']), p['seed']),
  )
  # At a share of 0.1 the seeds gain alike; at 0.5, by different steps.
  shares = write_results(
    tmp_path / 'shares',
    {'seed': SEEDS, 'share': ('0.1', '0.5')},
    lambda p: metrics(2.0, float(p['seed']) * (1 if p['share'] == '0.1' else 3)),
  )
  figure = sl21.figure_3(SweepTable.read(shares), SweepTable.read(mixing))
  axes = figure.axes[0]
  line, level = axes.get_lines()
  assert level.get_ydata() == pytest.approx([1.2, 1.2])
  assert line.get_ydata() == pytest.approx([2.2, 2.6])
  band = axes.collections[0].get_paths()[0].vertices
  widths = [np.ptp(band[np.isclose(band[:, 0], share), 1]) for share in (0.1, 0.5)]
  # The differences 1.2, 1.4, 1.6: Student's t of two degrees of freedom.
  assert widths == pytest.approx([0, 2 * 4.302653 * 0.2 / np.sqrt(3)], abs=1e-6)
  table = sl21.points_shown(SweepTable.read(shares), 'share', SweepTable.read(mixing))
  assert table['share'].tolist() == ['0.1', '0.5']
  over = table['Weak eval d′: over weak labels alone'].tolist()
  assert over == ['+1.000 [+1.000, +1.000]', '+1.400 [+0.903, +1.897]']
  assert table['Weak eval d′'].tolist() == ['2.200 ± 0.100', '2.600 ± 0.300']
  (legend,) = figure.legends
  assert [text.get_text() for text in legend.get_texts()] == [
    'weak labels alone',
    '95 % interval of the difference from weak labels alone',
  ]


def test_without_explicit_negatives_another_d_prime_is_shown_and_named(students):
  path = students / 'results.csv'
  table = pd.read_csv(path, dtype={'percent': str})
  name = 'evaluate/weak/d_prime'
  table.rename(columns={name: f'{name}_implicit'}).to_csv(path, index=False)
  figure = ml20.figure_2(SweepTable.read(students))
  assert figure.axes[0].get_ylabel() == 'd′ (implicit negatives)'


@pytest.mark.long
def test_everything_is_written_in_three_formats_and_the_same_twice(students, tmp_path):
  written = write_sweep_report([students], tmp_path / 'first')
  names = {path.name for path in written}
  assert {f'ml20_figure_2.{kind}' for kind in FORMATS} <= names
  assert {'ml20_table_2.csv', 'tables.md'} <= names
  write_sweep_report([students], tmp_path / 'second')
  for path in written:
    assert path.read_bytes() == (tmp_path / 'second' / path.name).read_bytes()
  text = (tmp_path / 'first' / 'tables.md').read_text()
  assert '| large | d′ | 1.200 ± 0.100 |' in text


@pytest.mark.long
def test_failed_trials_are_told_of(students, tmp_path):
  path = students / 'results.csv'
  table = pd.read_csv(path, dtype=str)
  table.loc[3, ['status', 'message']] = 'failed', 'train: the loss is NaN'
  table.to_csv(path, index=False)
  text = run_stage_ok('report', f'--results={students}', f'--output={tmp_path}/out')
  assert f'warning: trials failed and are left out; {tmp_path}/out/failed.csv' in text
  found = pd.read_csv(tmp_path / 'out' / 'failed.csv').to_dict('records')
  assert found == [
    {
      'sweep': str(path),
      'trial': 'seed_1-size_large-percent_1',
      'message': 'train: the loss is NaN',
    }
  ]
  text = (tmp_path / 'out' / 'tables.md').read_text()
  assert text.index('## failed\n') < text.index('## ml20_figure_2\n')


@pytest.mark.parametrize(
  ('gains', 'expected'),
  [
    ([0, 1, 3, 6, 2], '2'),
    ([0, 3, 2, 6, 2], '3'),  # a first crossing that is not kept does not count
    ([0, 6, 2, 1, 0], '1'),
    ([4, 3, 4, 6, 0], '0'),
  ],
)
def test_half_of_the_gain_is_where_it_stays_above(gains, expected):
  means = {str(place): Mean.of([value]) for place, value in enumerate(gains)}
  top = max(means, key=lambda one: means[one].value)
  assert ml20.half_reached_at(means, top) == expected


def test_public_weak_labels_show_another_d_prime_and_say_so(tmp_path):
  def values_of(point):
    found = metrics(1.0, point['seed'])
    found['evaluate/weak/d_prime_implicit'] = found.pop('evaluate/weak/d_prime')
    return found

  axes = {'seed': SEEDS, 'labels': ('strong',), 'mu': ('0', '1')}
  mixing = write_results(tmp_path / 'mixing', axes, values_of)
  table = SweepTable.read(mixing)
  found = sl21.table_1(sl21.table_1_rows(None, table))
  assert 'Weak eval d′ (implicit negatives)' in found
  assert 'Weak eval d′' not in found
  labels = {axes.get_ylabel() for axes in sl21.mu_figure(table).axes}
  assert 'Weak eval d′ (implicit negatives)' in labels


@pytest.mark.parametrize(
  ('output', 'message'),
  [('figures.html', 'a folder of figures and tables'), ('file', 'is a file, but')],
)
def test_the_report_of_sweeps_is_a_folder(students, tmp_path, output, message):
  (tmp_path / 'file').write_text('mine')
  done = run_stage('report', f'--results={students}', f'--output={tmp_path}/{output}')
  assert done.returncode == 1
  assert done.stderr.startswith('error: ')
  assert message in done.stderr


def test_a_baseline_of_nothing_has_no_relative_gain(tmp_path):
  axes = {'seed': SEEDS, 'percent': PERCENTS}
  height = {percent: gain - 0.5 for percent, gain in CURVE.items()}
  folder = write_results(
    tmp_path / 'poor', axes, lambda p: metrics(height[p['percent']])
  )
  table = ml20.table_2(SweepTable.read(folder))
  assert table['relative'].tolist() == ['', '']


@pytest.mark.parametrize('value', ['none', '', 'nan', 'inf', '1 %'])
@pytest.mark.parametrize(
  'axes',
  [
    {'percent': ('0', '1')},
    {'labels': ('strong',), 'mu': ('0', '1')},
    {'labels': ('strong',), 'share': ('0.1', '1')},
  ],
)
def test_an_axis_of_numbers_with_another_value_is_told(tmp_path, axes, value):
  axes = {'seed': SEEDS[:1], **axes}
  *_, name = axes
  axes[name] = (*axes[name], value)
  folder = write_results(tmp_path / 'odd', axes, lambda _: metrics(1))
  with pytest.raises(
    RecordError, match=rf"results\.csv: {name} of .* is '{value}', but must be a number"
  ):
    write_sweep_report([folder], tmp_path / 'out')


@pytest.mark.parametrize(
  ('old', 'new'), [('status', 'status '), ('message', 'text'), ('trial', 'name')]
)
def test_columns_that_sweep_does_not_name_so_are_told(students, old, new):
  path = students / 'results.csv'
  path.write_text(path.read_text().replace(old, new, 1))
  with pytest.raises(RecordError, match='no table of `sweep`'):
    SweepTable.read(students)


def test_a_table_that_a_spreadsheet_has_saved_is_read(students):
  path = students / 'results.csv'
  whole = SweepTable.read(students)
  path.write_bytes(b'\xef\xbb\xbf' + path.read_bytes())
  pd.testing.assert_frame_equal(SweepTable.read(students).table, whole.table)


@pytest.mark.parametrize('value', ['x', 'inf'])
@pytest.mark.parametrize(
  'column', ['evaluate/weak/d_prime', 'audit/percent/discard_3/recall']
)
def test_a_metric_that_is_no_number_is_told(students, tmp_path, column, value):
  path = students / 'results.csv'
  table = pd.read_csv(path, dtype=str)
  table.loc[5, column] = value
  table.to_csv(path, index=False)
  with pytest.raises(RecordError, match=f"{column} of .* is '{value}', but must be"):
    write_sweep_report([students], tmp_path / 'out')


def test_without_a_baseline_nothing_is_compared_with_it(tmp_path):
  axes = {'seed': SEEDS[:1], 'percent': ('1', '3')}
  folder = write_results(tmp_path / 'students', axes, lambda _: metrics(1))
  names = {path.stem for path in write_sweep_report([folder], tmp_path / 'out')}
  assert 'ml20_figure_2' in names
  assert not names & {'ml20_table_2', 'ml20_relative'}


@pytest.fixture
def audited(tmp_path):
  """A sweep of label sets alone, of which one has no percentage."""
  rates = {
    f'audit/percent/{name}/{rate}': 0.5
    for name in ('discard_3', 'discard_chosen')
    for rate in ('precision', 'recall', 'flagged')
  }
  return write_results(tmp_path / 'audited', {'seed': SEEDS}, lambda _: rates)


def test_a_rule_that_has_no_percentage_is_in_the_table_of_flags(audited, tmp_path):
  write_sweep_report([audited], tmp_path / 'out')
  flags = pd.read_csv(tmp_path / 'out' / 'flags.csv')
  assert set(flags['label_set']) == {'discard_3', 'discard_chosen'}


# Of each class, the missing ones of 100 implicit negatives whose truth is known, and of
# those flagged at 1 and at 3 % how many are missing.
PLANTED = {'Dog': (20, (1, 3)), 'Purr': (5, (0, 1)), 'Rain': (0, (0, 0))}


def planted_audit(found=PLANTED, more=0, folder='trial/percent'):
  """The rows of an audit; `more` missing ones are found of dogs at 3 %."""
  rows = []
  for name, (missing, hits) in found.items():
    row = {'mid': f'/m/{name}', 'display_name': name, 'folder': folder}
    row |= {'implicit': 100, 'missing': missing}
    for flagged, hit in zip((1, 3), hits, strict=True):
      judged = 2 * flagged
      counts = {'judged': judged, 'by_chance': judged * missing / 100}
      hit += more if flagged == 3 and name == 'Dog' else 0
      rows.append(
        {**row, **counts, 'truly_missing': hit, 'label_set': f'discard_{flagged}'}
      )
    for other in ('random_3', 'discard_chosen', 'discard_0'):
      rows.append({**rows[-1], 'label_set': other, 'truly_missing': 6})
  rows.append({**rows[0], 'mid': '/m/unknown', 'implicit': 0, 'missing': 0})
  return pd.DataFrame(rows)


@pytest.fixture
def audited_classes(tmp_path):
  """A sweep of two rules, with the audits' classes beside it: the main one; one that
  says the same, as of classes that agree; and one that differs in dogs alone."""
  axes = {'seed': SEEDS, 'precision': ('float32', 'bfloat16')}
  sweep = write_results(tmp_path / 'sweep', axes, lambda _: {'audit/rate': 0.5})
  smeared = {**PLANTED, 'Dog': (40, (2, 3))}
  for number, seed in enumerate(SEEDS):
    for precision in axes['precision']:
      audits = {
        'agreeing': planted_audit(more=number),  # of dogs 3, 4 and 5 of 6
        'audit': planted_audit(more=number),
        'ancestors': planted_audit(smeared, more=number),
      }
      for stage, rows in audits.items():
        folder = sweep / f'seed_{seed}-precision_{precision}' / stage
        folder.mkdir(parents=True)
        if precision == 'bfloat16':
          rows['truly_missing'] = 0
        rows.to_csv(folder / 'audit_classes.csv', index=False)
  return sweep


def test_flags_by_class_are_the_planted_ones(audited_classes, tmp_path):
  write_sweep_report([audited_classes], tmp_path / 'out')
  table = pd.read_csv(tmp_path / 'out' / 'flags_by_class.csv')
  # Whole audits, each once; an axis that is named as a column has another name.
  keys = ['axis_precision', 'audit', 'folder']
  assert (table.groupby(keys).size() == len(PLANTED)).all()
  assert set(table['audit']) == {'audit', 'ancestors'}
  assert not {'precision_chosen', 'precision_0', 'axis_seed', 'seed'} & set(table)
  found = table[(table['axis_precision'] == 'float32') & (table['audit'] == 'audit')]
  assert list(found['display_name']) == list(PLANTED)
  np.testing.assert_allclose(found['chance'], [0.2, 0.05, 0])
  np.testing.assert_allclose(found['precision_1'], [1 / 2, 0, 0])
  np.testing.assert_allclose(found['precision_3'], [4 / 6, 1 / 6, 0], atol=1e-5)
  np.testing.assert_allclose(found['recall_3'], [4 / 20, 1 / 5, np.nan])
  np.testing.assert_allclose(found['random_recall_3'], [0.06, 0.06, np.nan])
  text = (tmp_path / 'out' / 'tables.md').read_text()
  assert 'see flags_by_class.csv' in text
  assert 'Purr' not in text


def test_flags_by_class_are_drawn_over_chance(audited_classes):
  rates = flags_by_class.rates_by_class(SweepTable.read(audited_classes))
  figure = flags_by_class.class_figure(rates)
  title = 'axis precision float32, audit audit, 3 % flagged'
  assert figure.get_suptitle().startswith(title)
  precision, recall = figure.axes
  for axes, expected in (precision, [4 / 6, 1 / 6]), (recall, [4 / 20, 1 / 5]):
    points = np.concatenate([part.get_offsets() for part in axes.collections])
    points = points[np.argsort(-points[:, 0])]
    np.testing.assert_allclose(points, np.transpose([[0.2, 0.05], expected]))
  np.testing.assert_allclose(line_of(precision, 0), [[0.05, 0.05], [0.2, 0.2]])
  np.testing.assert_allclose(line_of(recall, 0), [[0.05, 0.06], [0.2, 0.06]])


def test_flags_by_class_of_a_sweep_over_percentages_are_in_one_row(tmp_path):
  axes = {'seed': SEEDS[:1], 'percent': ('0.5', '5')}
  sweep = write_results(tmp_path / 'sweep', axes, lambda _: {'audit/rate': 0.5})
  for percent in axes['percent']:
    folder = sweep / f'seed_1-percent_{percent}' / 'audit'
    folder.mkdir(parents=True)
    rows = planted_audit(folder='any/where')
    rows = rows[rows['label_set'] == 'discard_1']
    rows.assign(label_set=f'discard_{percent}').to_csv(
      folder / 'audit_classes.csv', index=False
    )
  rates = flags_by_class.rates_by_class(SweepTable.read(sweep))
  assert len(rates) == len(PLANTED)
  np.testing.assert_allclose(rates['precision_5'], rates['precision_0.5'])
  assert flags_by_class.class_figure(rates).get_suptitle().startswith('5 % flagged')


def test_flags_by_class_of_what_audit_writes(tmp_path):
  sweep = write_results(tmp_path / 'sweep', {'seed': SEEDS[:1]}, lambda _: {'a': 0})
  trial = sweep / 'seed_1'
  random = np.random.default_rng(0)
  present = random.random((200, 3)) < 0.2
  labels, classes = table_of(np.zeros(present.shape, np.int8)), class_map(3)
  scores = (present + 0.5 * random.random(present.shape)).astype(np.float32)
  rule = build_rule('percent', ['5'])
  write_label_sets(scores, labels, classes, rule, trial / 'percent')
  judged = pd.DataFrame(np.argwhere(present), columns=['clip', 'class_index'])
  truth = Truth(labels.clip_ids, classes, judged.assign(present=True), True)
  (trial / 'audit').mkdir()
  audit([trial / 'percent'], labels, truth, trial / 'audit')
  rates = flags_by_class.rates_by_class(SweepTable.read(sweep))
  np.testing.assert_allclose(rates['chance'], present.mean(axis=0))
  np.testing.assert_array_equal(rates['precision_5'], 1)
  np.testing.assert_allclose(rates['recall_5'], 10 / present.sum(axis=0))
  np.testing.assert_allclose(rates['random_recall_5'], 0.05)


@pytest.mark.parametrize(
  ('name', 'text', 'message'),
  [
    ('audit_classes.csv', 'mid,display_name\n/m/a,A\n', 'no column'),
    ('audit_classes.csv', '\xff', 'cannot be read'),
    ('table_iii.csv', 'display_name\nDog\n', 'no column'),
    ('table_iii.csv', '\xff', 'cannot be read'),
    ('comparison.csv', 'group,lwlrap_baseline\nlarge,1\n', 'no column'),
    ('comparison.csv', '\xff', 'cannot be read'),
  ],
)
def test_damaged_tables_of_trials_are_told(audited, tmp_path, name, text, message):
  folder = audited / 'seed_1' / 'stage'
  folder.mkdir(parents=True)
  (folder / name).write_bytes(text.encode('latin-1'))
  with pytest.raises(RecordError, match=rf'{name}: .*{message}'):
    write_sweep_report([audited], tmp_path / 'out')


@pytest.mark.long
@pytest.mark.parametrize(
  ('name', 'text', 'message'),
  [
    ('classes.csv', 'mid,display_name\n/m/a,A\n', 'no column'),
    ('classes.csv', 'display_name,weak_prior,strong_prior\nA,x,1\n', 'no number'),
    ('classes.csv', 'display_name,weak_prior,strong_prior\nA,,\n', 'no class has any'),
    ('odds_ratios.csv', 'both\n1\n', 'no column'),
    ('odds_ratios.csv', '', 'cannot be read'),
  ],
)
def test_damaged_tables_of_a_description_are_told(
  students, tmp_path, name, text, message
):
  folder = tmp_path / 'description'
  folder.mkdir()
  (folder / 'classes.csv').write_text(
    'display_name,weak_prior,strong_prior\nA,0.5,0.1\n'
  )
  (folder / name).write_text(text)
  with pytest.raises(RecordError, match=rf'{name}: .*{message}'):
    write_sweep_report([students], tmp_path / 'out', folder)


def test_a_sweep_of_something_else_is_named(tmp_path):
  folder = write_results(tmp_path / 'rates', {'rate': ('1', '2')}, lambda _: metrics(1))
  with pytest.raises(
    InputError, match=r'none of these sweeps .*rates/results.csv: rate'
  ):
    write_sweep_report([folder], tmp_path / 'out')


def test_methods_stand_beside_the_papers_rule_in_map_too(tmp_path):
  """Three seeds of one, two of another: what is compared are the seeds of both."""
  heights = {'none': 0.0, 'ml20_3': 0.3, 'hill': 0.1}
  folder = write_results(
    tmp_path / 'methods',
    {'seed': SEEDS, 'method': tuple(heights)},
    lambda p: {
      'evaluate/weak/lwlrap': heights[p['method']] + float(p['seed']),
      'evaluate/weak/map': -heights[p['method']] * float(p['seed']),
    },
  )
  path = folder / 'results.csv'
  table = pd.read_csv(path, dtype=str)
  table[(table['method'] != 'hill') | (table['seed'] != '3')].to_csv(path, index=False)
  sweep = SweepTable.read(folder)
  gains = label_sets.gains_table(sweep, 'method').set_index('method')
  assert gains.loc['hill', 'gain in lωlrap'] == '+0.100 [+0.100, +0.100]'
  assert gains.loc['ml20_3', 'gain in mAP'].startswith('-0.600 [')
  assert gains.loc['hill', 'over ml20_3 (lωlrap)'] == '-0.200 [-0.200, -0.200]'
  assert gains.loc['hill', 'over ml20_3 (mAP)'].startswith('+0.300 [')
  figure = label_sets.gains_figure(sweep, 'method')
  assert [axes.get_xlabel() for axes in figure.axes] == [
    'gain in lωlrap\nover no method',
    'gain in mAP\nover no method',
  ]
  assert [axes.texts[0].get_text() for axes in figure.axes] == ['ML20', 'ML20']


def test_gains_of_sweeps_with_another_axis_stand_apart(tmp_path):
  height = {'none': 0.3, 'hill': 0.4}
  sweep = write_results(
    tmp_path / 'steps',
    {'size': ('small', 'large'), 'method': tuple(height), 'seed': SEEDS},
    lambda point: {
      'evaluate/weak/lwlrap': height[point['method']] * (1 + (point['size'] == 'large'))
    },
  )
  write_sweep_report([sweep], tmp_path / 'out')
  for size, gain in (('small', '+0.100'), ('large', '+0.200')):
    assert (tmp_path / f'out/by_method_{size}.png').is_file()
    table = pd.read_csv(tmp_path / f'out/by_method_{size}.csv').set_index('method')
    assert table.loc['hill', 'gain in lωlrap'].startswith(gain)
