"""Bootstrap over clips: replicates, intervals, and what the intervals hold."""

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from audioset_ml.evaluation import bootstrap, metrics, ranks
from audioset_ml.evaluation.result import mean_over_classes
from audioset_ml.evaluation.weak import evaluate_weak
from audioset_ml.labels import segments
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.labels.states import LabelState, LabelTable

POSITIVE, NEGATIVE, NEITHER = 1, 0, -1
EXACT = 1e-12


@st.composite
def resampled_frames(draw):
  """Frames with their scores and states, the clip of each, and weights of clips."""
  frames, classes = draw(st.integers(1, 10)), draw(st.integers(1, 3))
  clips, replicates = draw(st.integers(1, 5)), draw(st.integers(1, 4))
  shape = (frames, classes)
  scores = draw(hnp.arrays(np.float32, shape, elements=st.integers(0, 5)))
  states = draw(hnp.arrays(np.int8, shape, elements=st.integers(NEITHER, POSITIVE)))
  clip = draw(hnp.arrays(np.int64, frames, elements=st.integers(0, clips - 1)))
  shape = (clips, replicates)
  weights = draw(hnp.arrays(np.float32, shape, elements=st.integers(0, 3)))
  return scores, states, clip, weights


def repeated(arrays, times):
  return [np.repeat(array, times.astype(int), axis=0) for array in arrays]


def same(found, expected):
  return np.allclose(found, expected, rtol=0, atol=EXACT, equal_nan=True)


def class_ranks(scores, states):
  return ranks.ClassRanks.of(
    scores, np.flatnonzero(states == POSITIVE), np.flatnonzero(states == NEGATIVE)
  )


def check_classes(scores, states, weights, clip=None):
  for index in range(scores.shape[1]):
    one = class_ranks(scores[:, index], states[:, index])
    if clip is not None:
      one = one.weighed_under(clip)
    auc, precision, positives, negatives = one.measure(weights)
    assert auc.shape == precision.shape == weights.shape[1:]
    for replicate, times in enumerate(weights.T):
      times = times if clip is None else times[clip]
      again, state = repeated((scores, states), times)
      labels = (state == POSITIVE, state == NEGATIVE)
      assert same(auc[replicate], metrics.roc_auc(again, *labels)[index])
      expected = metrics.average_precision(again, *labels)[index]
      assert same(precision[replicate], expected)
      assert positives[replicate] == labels[0][:, index].sum()
      assert negatives[replicate] == labels[1][:, index].sum()


@given(resampled_frames())
def test_replicates_are_the_metrics_of_repeated_clips(data):
  scores, states, clip, weights = data
  check_classes(scores, states, weights[clip])


@given(resampled_frames())
def test_replicates_of_frames_repeat_their_clips(data):
  scores, states, clip, weights = data
  check_classes(scores, states, weights, clip)


@given(resampled_frames())
def test_lwlraps_replicates_are_those_of_repeated_clips(data):
  scores, states, clip, weights = data
  counted = states != NEITHER
  found = ranks.LabelRanks.of(scores, states == POSITIVE, counted)
  values, labels = found.weighed_under(clip).resampled(weights)
  assert values.shape == labels.shape == (weights.shape[1], scores.shape[1])
  for replicate, times in enumerate(weights.T):
    again, state = repeated((scores, states), times[clip])
    expected = metrics.lwlrap(again, state == POSITIVE, state != NEITHER)
    assert same(values[replicate], expected)
    assert labels[replicate].tolist() == (state == POSITIVE).sum(axis=0).tolist()


def test_one_weighting_gives_scalars():
  scores, states = np.array([0.0, 1, 2, 3]), np.array([0, 1, 0, 1])
  one, times = class_ranks(scores, states), np.array([2.0, 1, 1, 3])
  plain, weighted = one.measure(), one.measure(times)
  assert [np.shape(value) for value in plain + weighted] == [()] * 8
  assert plain.auc == 3 / 4
  assert weighted.auc == (1 * 2 + 3 * 3) / (4 * 3)
  assert plain.average_precision == (1 / 1 + 2 / 3) / 2
  assert weighted.average_precision == (3 * 3 / 3 + 1 * 4 / 5) / 4
  assert (plain.positives, plain.negatives) == (2, 2)
  assert (weighted.positives, weighted.negatives) == (4, 3)
  columns = one.measure(times[:, np.newaxis])
  assert [value.tolist() for value in columns] == [[value] for value in weighted]


def test_a_class_without_a_kind_is_undefined_in_every_replicate():
  scores, weights = np.arange(3.0), np.ones((3, 4), np.float32)
  full, empty = (class_ranks(scores, np.full(3, s)) for s in (POSITIVE, NEGATIVE))
  for one in (full, empty):
    assert np.isnan(one.measure(weights).auc).tolist() == [True] * 4
    assert np.isnan(one.measure().auc)
  assert np.isnan(empty.measure(weights).average_precision).tolist() == [True] * 4
  assert full.measure(weights).average_precision.tolist() == [1] * 4


@pytest.mark.parametrize('at_once', [1, 7, 25, 64])
def test_replicates_are_the_same_in_pieces(monkeypatch, at_once):
  random = np.random.default_rng(0)
  scores, states = random.integers(0, 9, 60), random.integers(0, 2, 60)
  weights = bootstrap.clip_weights(60, 25, 0)
  one = class_ranks(scores, states)
  whole = one.measure(weights)
  assert len(np.unique(whole.auc)) > 20
  monkeypatch.setattr(ranks, '_BIN_VALUES', 1)
  monkeypatch.setattr(ranks, '_REPLICATES_AT_ONCE', at_once)
  assert same(whole, one.measure(weights))
  # Weights that are views of others, too.
  backwards = one.measure(weights[:, ::-1])
  assert same([values[::-1] for values in whole], backwards)


@pytest.mark.parametrize('values', [1, 60 * 7])
def test_replicates_of_lwlrap_are_the_same_in_pieces(monkeypatch, values):
  random = np.random.default_rng(0)
  scores, positive = random.random((60, 5)), random.random((60, 5)) < 0.3
  weights = bootstrap.clip_weights(60, 25, 0)
  one = ranks.LabelRanks.of(scores, positive)
  whole = one.resampled(weights)
  assert len(np.unique(whole[0])) > 100
  monkeypatch.setattr(ranks, '_WEIGHTS_AT_ONCE', values)
  # The last bit of a mean depends on how its values lie in memory.
  for found, expected in zip(one.resampled(weights), whole, strict=True):
    assert np.array_equal(found, expected)
    assert np.array_equal(found.mean(axis=1), expected.mean(axis=1))


@pytest.mark.parametrize('clips', [1, 7, 300])
def test_a_replicate_draws_as_many_clips_as_there_are(clips):
  weights = bootstrap.clip_weights(clips, 50, 3)
  assert weights.shape == (clips, 50)
  assert weights.sum(axis=0).tolist() == [clips] * 50
  assert (weights >= 0).all()
  assert np.array_equal(weights, weights.astype(int))


def test_the_seed_says_what_is_drawn():
  one, same_seed, other = (bootstrap.clip_weights(40, 6, seed) for seed in (5, 5, 6))
  assert np.array_equal(one, same_seed)
  assert not np.array_equal(one, other)
  assert len({tuple(column) for column in one.T}) == 6
  # The first replicates do not depend on how many follow.
  assert np.array_equal(bootstrap.clip_weights(40, 3, 5), one[:, :3])


def test_clips_are_drawn_evenly():
  weights = bootstrap.clip_weights(100, 2000, 0)
  assert weights.mean(axis=1) == pytest.approx(np.ones(100), abs=0.1)
  assert weights.var() == pytest.approx(0.99, abs=0.02)  # a multinomial's: 1 − 1/n


def test_the_identity_is_of_the_clips_in_their_order():
  one = bootstrap.identity(['a_0', 'b_0'])
  assert one == bootstrap.identity(('a_0', 'b_0'))
  assert one != bootstrap.identity(['b_0', 'a_0'])
  assert one != bootstrap.identity(['a_0'])


def test_the_interval_of_normal_replicates_is_the_normal_one():
  replicates = np.random.default_rng(0).normal(3, 0.5, 40_000)
  low, high = bootstrap.interval(np.array(3.0), replicates)
  expected = scipy.stats.norm(3, 0.5).interval(0.95)
  assert (low, high) == pytest.approx(expected, abs=0.02)
  narrow = bootstrap.interval(np.array(3.0), replicates, level=0.5)
  assert narrow == pytest.approx(scipy.stats.norm(3, 0.5).interval(0.5), abs=0.02)


@given(
  hnp.arrays(
    float,
    st.tuples(st.integers(1, 12), st.integers(1, 3)),
    elements=st.floats(-5, 5) | st.just(np.nan),
  ),
  st.data(),
)
def test_intervals_are_turned_or_moved_percentiles(replicates, more):
  """Turned around the value; of AP moved so that the mean lies on it; NaN where half of
  the replicates are undefined. The value is always within."""
  value = more.draw(hnp.arrays(float, replicates.shape[1], elements=st.floats(-5, 5)))
  for name in ('d_prime', 'map'):
    found = bootstrap.interval(value, replicates, name)
    assert found.shape == (2, len(value))
    for index, column in enumerate(replicates.T):
      defined, center = column[~np.isnan(column)], value[index]
      if 2 * len(defined) < len(column) or len(defined) < 2:
        assert np.isnan(found[:, index]).all()
        continue
      low, high = np.percentile(defined, [2.5, 97.5])
      if name == 'd_prime':
        low, high = 2 * center - high, 2 * center - low
      else:
        low, high = (center + end - defined.mean() for end in (low, high))
      expected = min(low, center), max(high, center)
      assert found[:, index] == pytest.approx(expected, abs=1e-9)


def test_where_the_replicates_of_ap_lie_does_not_matter():
  replicates = np.random.default_rng(0).gamma(2, size=(300, 2))
  value = np.array([0.3, 0.7])
  found = bootstrap.interval(value, replicates, 'map')
  moved = bootstrap.interval(value, replicates + np.array([5, -2]), 'map')
  assert moved == pytest.approx(found, abs=EXACT)
  assert (found[0] < value).all()
  assert (value < found[1]).all()


def test_the_copies_of_a_positive_raise_only_its_replicates_ap():
  """Why AP has an interval of its own kind."""
  random = np.random.default_rng(0)
  scores, states = random.standard_normal(300), random.integers(0, 20, 300)
  one = class_ranks(scores, (states == 0).astype(int))
  value = one.measure().average_precision
  replicates = one.measure(bootstrap.clip_weights(300, 400, 0)).average_precision
  assert replicates.mean() > value + 0.01
  low, high = bootstrap.interval(value, replicates, 'average_precision')
  assert low < value < high


def test_an_undefined_value_has_no_interval():
  assert np.isnan(bootstrap.interval(np.array(np.nan), np.arange(5.0))).all()
  nothing = np.full((4, 2), np.nan)
  assert np.isnan(bootstrap.interval(np.zeros(2), nothing)).all()


def test_one_replicate_has_no_spread():
  assert np.isnan(bootstrap.interval(np.array(2.0), np.array([7.0]))).all()


def test_intervals_of_the_mean_hold_the_planted_d_prime():
  """In 200 small sets about 95 %; such a share has a standard deviation of 1.5 %."""
  random = np.random.default_rng(0)
  clips, classes, positives = 240, 20, 40
  planted = np.linspace(0.5, 2.5, classes)
  held = 0
  for number in range(200):
    weights = bootstrap.clip_weights(clips, 150, number)
    values, replicates = [], []
    for index in range(classes):
      places = random.permutation(clips)
      above, below = places[:positives], places[positives:]
      scores = random.standard_normal(clips)
      scores[above] += planted[index]
      one = ranks.ClassRanks.of(scores, above, below)
      for found, weight in ((values, None), (replicates, weights)):
        auc, _, *counts = one.measure(weight)
        found.append(metrics.d_prime(auc, *counts))
    means = [mean_over_classes(np.array(found).T) for found in (values, replicates)]
    low, high = bootstrap.interval(*means)
    held += low <= planted.mean() <= high
  print(f'{held} of 200 intervals hold the planted mean')
  assert 0.88 <= held / 200 <= 0.99


@pytest.fixture(scope='module')
def planted_eval(shared_data):
  """AudioSet's evaluation labels with made-up scores: the planted d′ of each class, and
  the evaluation. Each class has a value of its own, in no order."""
  class_map = ClassMap.read(shared_data('audioset/class_labels_indices.csv'))
  path = shared_data('audioset/eval_segments.csv')
  listed = segments.read_weak_csv(path, class_map)
  clip_ids = tuple(listed.clips['clip_id'])
  row_of = {clip_id: row for row, clip_id in enumerate(clip_ids)}
  rows = listed.labels['clip_id'].map(row_of).to_numpy(np.int32)
  mids = listed.labels['mid'].astype(str)
  classes = mids.map(class_map.index_of).to_numpy(np.int32)
  states = np.full(len(rows), LabelState.EXPLICIT_POSITIVE, np.int8)
  labels = LabelTable(clip_ids, len(class_map), rows, classes, states)
  random = np.random.default_rng(0)
  planted = random.permutation(np.linspace(0.5, 2.5, len(class_map)))
  shape = (len(clip_ids), len(class_map))
  scores = random.standard_normal(shape, dtype=np.float32)
  scores[rows, classes] += planted[classes]
  weights = bootstrap.clip_weights(len(clip_ids), 200, 0)
  return planted, evaluate_weak(scores, labels, class_map, weights)


def test_audiosets_classes_have_the_planted_d_prime(planted_eval):
  """For all 527 classes, most of which have 60 positives.

  The intervals of 93 % of classes hold the planted value (seen over many seeds): 60
  positives are few. Classes are independent, so such a share has a standard deviation
  of √(0.93 · 0.07 / 527) = 0.011, three of which are allowed for.
  """
  planted, found = planted_eval
  table = found.table()
  assert len(table) == 527
  assert table['positives'].min() >= 59
  low, high = table['d_prime_implicit_low'], table['d_prime_implicit_high']
  held = ((low <= planted) & (planted <= high)).mean()
  print(f'{held:.4f} of 527 intervals hold the planted value')
  assert 0.895 <= held <= 0.965
  # Nor do they hold it for being wide: ± 0.2 to 0.5.
  assert (high - low).between(0.05, 1.1).all()
  assert np.abs(table['d_prime_implicit'] - planted).max() < 0.8


def test_the_interval_of_audiosets_mean_holds_the_planted_one(planted_eval):
  planted, found = planted_eval
  low, high = found.intervals()['d_prime_implicit']
  print(f'{planted.mean():.4f} planted, {low:.4f} to {high:.4f} found')
  assert high - low < 0.04
  assert low <= planted.mean() <= high
