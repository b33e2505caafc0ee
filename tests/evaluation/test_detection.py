"""Detection metrics: by hand, by definition, and as sed_scores_eval has them."""

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audioset_ml.core.errors import InputError
from audioset_ml.evaluation import bootstrap, detection, detection_curves
from audioset_ml.evaluation.detection import DetectionConfig, evaluate_detection
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.labels.formats import STRONG_COLUMNS
from tests.evaluation import plain_detection

HOP, WINDOW = 0.48, 0.96
CONFIG = DetectionConfig(HOP, WINDOW)


def events_of(*rows) -> pd.DataFrame:
  return pd.DataFrame(rows, columns=list(STRONG_COLUMNS))


def classes_of(number: int) -> ClassMap:
  return ClassMap(
    tuple(f'/m/{index}' for index in range(number)),
    tuple(f'Class {index}' for index in range(number)),
  )


def made(seed, clips=8, classes=4, hop=HOP, steps=0):
  """Scores of patches that know of events, lengths, and the events.

  Args:
    steps: of how many different scores; 0 for any.
  """
  random = np.random.default_rng(seed)
  scores, rows, seconds = {}, [], {}
  for number in range(clips):
    clip_id = f'clip{number:02d}_0'
    length = seconds[clip_id] = round(random.uniform(3, 9), 3)
    values = 0.4 * random.random((int((length - WINDOW) // hop) + 1, classes))
    for index in random.choice(classes, 2, replace=False):
      for _ in range(random.integers(1, 3)):
        start = round(random.uniform(0, length - 0.4), 3)
        end = round(min(length, start + random.exponential(1.5) + 0.05), 3)
        rows.append((clip_id, start, end, f'/m/{index}'))
        values[int(max(0, start - 0.5) / hop) : int(end / hop), index] += (
          random.random()
        )
    values = np.round(values * steps) / steps if steps else values
    scores[clip_id] = np.minimum(values, 1).astype(np.float32)
  return scores, seconds, events_of(*rows)


def truth_of(events, seconds, classes):
  """For each clip, (start, end) of the events of each class."""
  found = {clip_id: [[] for _ in range(classes)] for clip_id in seconds}
  for row in detection.merge_touching(events, seconds).itertuples():
    found[row.segment_id][int(row.label.removeprefix('/m/'))].append(
      (row.start, row.end)
    )
  return list(found.values())


def drawn(data, weights):
  """The data of a replicate: each clip as often as it was drawn, under other names."""
  scores, seconds, events = data
  copies = [
    (clip_id, f'{clip_id}_{copy}')
    for clip_id, weight in zip(scores, weights, strict=True)
    for copy in range(round(weight))
  ]
  tables = [
    events[events['segment_id'] == old].assign(segment_id=new) for old, new in copies
  ]
  return (
    {new: scores[old] for old, new in copies},
    {new: seconds[old] for old, new in copies},
    pd.concat(tables, ignore_index=True),
  )


@pytest.mark.long
@settings(max_examples=25, deadline=None)
@given(
  seed=st.integers(0, 10_000),
  hop=st.sampled_from([0.48, 0.24, 0.96, 0.32]),
  steps=st.sampled_from([0, 6]),
)
def test_values_are_those_of_the_definition(seed, hop, steps):
  data = scores, seconds, events = made(seed, clips=4, classes=3, hop=hop, steps=steps)
  found = evaluate_detection(*data, classes_of(3), DetectionConfig(hop, WINDOW))
  truth = truth_of(events, seconds, 3)
  classes = sorted({i for one in truth for i in range(3) if one[i]})
  lengths = list(seconds.values())
  expected = plain_detection.evaluate(
    list(scores.values()), lengths, truth, classes, hop
  )
  for name, value in expected.items():
    assert found.summary[name] == pytest.approx(value, abs=1e-9), name
  assert found.summary['classes_with_events'] == len(classes)


def test_an_example_by_hand():
  """One class, a clip with an event from 1 to 3 s and one without, 20 s in all.

  Where the event is, the score is .8 but for a cell of .6 beyond its end; in the other
  clip it is .7 for two seconds, elsewhere .1. Above .7 the event is found, without a
  false alarm. From .7 on there is one: 180 an hour, more than 100.
  """
  first, second = np.full((10, 1), 0.1), np.full((10, 1), 0.1)
  first[1:3], first[3], second[5:7] = 0.8, 0.6, 0.7
  data = (
    {'a_0': first, 'b_0': second},
    {'a_0': 10.0, 'b_0': 10.0},
    events_of(('a_0', 1.0, 3.0, '/m/0')),
  )
  found = evaluate_detection(*data, classes_of(1), DetectionConfig(1.0, 1.0))
  for name in ('psds1', 'psds1_macro', 'psds2', 'psds2_macro'):
    assert found.summary[name] == pytest.approx(1.0), name
  # At .5 the run goes to 4 s, by a second too far (.4 s is allowed), and the other is
  # false: nothing of one event, two alarms. At the best threshold all is right.
  assert found.summary['event_f1'] == 0
  assert found.summary['event_f1_best'] == 1
  assert found.per_class['event_threshold'].tolist() == [pytest.approx(0.75)]
  # Three of five segments at .5: both right ones, and three false.
  assert found.summary['segment_f1'] == pytest.approx(2 * 2 / (5 + 2))
  assert found.summary['segment_f1_best'] == 1


def test_a_cross_trigger_costs_by_the_hours_of_the_other_class():
  """A false alarm in a clip of 90 s in which the other class sounds for all of 30 s."""
  scores = np.full((90, 2), 0.1)
  scores[10:20, 0], scores[40:45, 0], scores[10:40, 1] = 0.5, 0.3, 0.9
  rows = [('a_0', 40.0, 45.0, '/m/0'), ('a_0', 10.0, 40.0, '/m/1')]
  found = evaluate_detection(
    {'a_0': scores},
    {'a_0': 90.0},
    events_of(*rows),
    classes_of(2),
    DetectionConfig(1.0, 1.0),
  )
  # 40 alarms an hour of sound, and half of 120 an hour of the other class.
  assert found.per_class['psds2'].tolist() == pytest.approx([0, 1])
  # Without cross triggers 40 of 100 are lost; one event is 5 of 90 s, all of it found.
  assert found.per_class['psds1'].tolist() == pytest.approx([0.6, 1])
  assert found.summary['psds1_macro'] == pytest.approx(0.8)
  # Up to 40 an hour (mean .5, deviation .5) nothing is left, then all.
  assert found.summary['psds1'] == pytest.approx(0.6)


@pytest.mark.parametrize('seed', [0, 1])
def test_a_replicate_is_the_evaluation_of_the_clips_that_were_drawn(seed, monkeypatch):
  monkeypatch.setattr(detection, '_CLASSES_AT_ONCE', 3)
  data = made(seed)
  weights = bootstrap.clip_weights(8, 20, seed)
  thresholds = np.linspace(0.2, 0.8, 4)
  config = DetectionConfig(HOP, WINDOW, thresholds=thresholds)
  found = evaluate_detection(*data, classes_of(4), config, weights)
  for number in range(20):
    alone = evaluate_detection(*drawn(data, weights[:, number]), classes_of(4), config)
    for name, values in found.replicates.summary.items():
      assert values[number] == pytest.approx(alone.summary[name], abs=1e-6), name
  assert found.replicates.summary.keys() <= found.summary.keys()
  assert found.intervals()['psds1'] is not None
  for name, ends in found.intervals().items():
    assert ends is None or ends[0] <= found.summary[name] <= ends[1]


def test_how_counts_are_summed_changes_nothing(monkeypatch):
  data, weights = made(2), bootstrap.clip_weights(8, 20, 2)
  config = DetectionConfig(HOP, WINDOW)
  found = []
  for many, at_once in ((100, 512), (0, 512), (100, 1), (0, 1)):
    monkeypatch.setattr(detection_curves, '_MANY_SAMPLES', many)
    monkeypatch.setattr(detection_curves, '_SCORES_AT_ONCE', at_once)
    evaluated = evaluate_detection(*data, classes_of(4), config, weights)
    replicates = evaluated.replicates.summary
    found.append((evaluated.summary, {n: v.tolist() for n, v in replicates.items()}))
  assert found[0][0]['psds1'] > 0
  for other in found[1:]:
    np.testing.assert_equal(other, found[0])


def test_classes_in_few_clips_have_no_interval():
  data = made(3, clips=24)
  once = events_of(('clip00_0', 0.5, 1.5, '/m/4'))
  scores = {c: np.hstack([v, v[:, :1]]) for c, v in data[0].items()}
  events = pd.concat([data[2], once], ignore_index=True)
  weights = bootstrap.clip_weights(24, 30, 0)
  found = evaluate_detection(
    scores, data[1], events, classes_of(6), CONFIG, weights
  ).table()
  assert found['psds1'].isna().tolist() == [False] * 5 + [True]
  assert found['psds1_low'].isna().tolist() == [False] * 4 + [True] * 2
  assert found['events'].tolist()[4:] == [1, 0]


def test_thresholds_that_are_given_count_and_infinite_ones_detect_nothing():
  data = made(5)
  plain = evaluate_detection(*data, classes_of(4), CONFIG)
  half = DetectionConfig(HOP, WINDOW, thresholds=np.full(4, 0.5))
  found = evaluate_detection(*data, classes_of(4), half).summary
  for name in ('event_f1', 'segment_f1'):
    assert found[f'{name}_given'] == found[name] == plain.summary[name]
  assert found['event_f1_given_micro'] == found['event_f1_micro']
  best = plain.per_class['event_threshold'].to_numpy()
  at_best = DetectionConfig(HOP, WINDOW, thresholds=best)
  found = evaluate_detection(*data, classes_of(4), at_best).summary
  assert found['event_f1_given'] == found['event_f1_best']
  never = DetectionConfig(HOP, WINDOW, thresholds=np.full(4, np.inf))
  assert evaluate_detection(*data, classes_of(4), never).summary['event_f1_given'] == 0
  assert 'event_f1_given' not in plain.summary


def test_what_a_median_filter_takes_away_is_not_detected():
  scores = np.zeros((20, 1), np.float32)
  scores[4:9], scores[14] = 0.9, 0.9
  data = {'a_0': scores}, {'a_0': 20.0}, events_of(('a_0', 4.0, 9.0, '/m/0'))
  plain = evaluate_detection(*data, classes_of(1), DetectionConfig(1.0, 1.0))
  filtered = evaluate_detection(*data, classes_of(1), DetectionConfig(1.0, 1.0, 3.0))
  assert plain.summary['event_f1'] == pytest.approx(2 / 3)
  assert filtered.summary['event_f1'] == 1
  assert filtered.summary['median_seconds'] == 3


def test_touching_events_are_one_and_end_with_their_clip():
  merged = detection.merge_touching(
    events_of(
      ('a_0', 2.0, 3.0, 'x'),
      ('a_0', 0.0, 1.0, 'x'),
      ('a_0', 1.0, 2.0, 'x'),
      ('a_0', 4.0, 9.0, 'x'),
      ('a_0', 4.5, 5.0, 'x'),
      ('a_0', 0.5, 1.5, 'y'),
      ('b_0', 0.5, 1.5, 'x'),
      ('b_0', 6.0, 7.0, 'x'),
    ),
    {'a_0': 8.0, 'b_0': 5.0},
  )
  assert merged.to_numpy().tolist() == [
    ['a_0', 'x', 0.0, 3.0],
    ['a_0', 'x', 4.0, 8.0],
    ['a_0', 'y', 0.5, 1.5],
    ['b_0', 'x', 0.5, 1.5],
  ]


@pytest.mark.parametrize('value', [np.nan, np.inf])
def test_scores_without_a_rank_are_an_error(value):
  scores, seconds, events = made(0)
  scores['clip03_0'][2, 1] = value
  with pytest.raises(InputError, match='patch of clip03_0 is NaN or infinite'):
    evaluate_detection(scores, seconds, events, classes_of(4), CONFIG)


def test_nothing_to_detect_is_an_error():
  scores = {'a_0': np.zeros((3, 1))}
  events = events_of(('b_0', 0.0, 1.0, '/m/0'), ('a_0', 0.0, 1.0, '/m/other'))
  with pytest.raises(InputError, match='no events'):
    evaluate_detection(scores, {'a_0': 2.0}, events, classes_of(1), CONFIG)


class _WritableFrame(pd.DataFrame):
  """Gives arrays that can be written to, which sed_scores_eval 0.0.4 needs and pandas 3
  does not give (its issue: fgnt/sed_scores_eval#17)."""

  @property
  def _constructor(self) -> type:
    return _WritableFrame

  def to_numpy(self, *args, **arguments) -> np.ndarray:
    return super().to_numpy(*args, **{**arguments, 'copy': True})


@pytest.mark.optional
@pytest.mark.parametrize(('hop', 'steps'), [(0.48, 0), (0.16, 8)])
def test_values_are_those_of_the_library(hop, steps):
  with warnings.catch_warnings():
    warnings.simplefilter('ignore')  # what it imports is deprecated
    pytest.importorskip('sed_scores_eval', reason='`make detection` installs it')
    from sed_scores_eval import collar_based, intersection_based, segment_based

  scores, seconds, events = made(7, clips=12, hop=hop, steps=steps)
  config = DetectionConfig(hop, WINDOW)
  found = evaluate_detection(scores, seconds, events, classes_of(4), config)
  names = [str(index) for index in range(4)]
  tables, truth = {}, {}
  marked = truth_of(events, seconds, 4)
  for (clip_id, patches), events_here in zip(scores.items(), marked, strict=True):
    cells, starts, ends = plain_detection.cells_of(
      patches, seconds[clip_id], hop, WINDOW
    )
    tables[clip_id] = _WritableFrame(cells, columns=names)
    tables[clip_id].insert(0, 'onset', starts)
    tables[clip_id].insert(1, 'offset', ends)
    truth[clip_id] = [(*e, names[i]) for i in range(4) for e in events_here[i]]
  expected = {}
  for name, criteria in (
    ('psds1', {'dtc_threshold': 0.7, 'gtc_threshold': 0.7}),
    (
      'psds2',
      {
        'dtc_threshold': 0.1,
        'gtc_threshold': 0.1,
        'cttc_threshold': 0.3,
        'alpha_ct': 0.5,
      },
    ),
  ):
    for which, alpha in (('', 1.0), ('_macro', 0.0)):
      value, by_class, *_ = intersection_based.psds(
        tables, truth, seconds, **criteria, alpha_st=alpha, max_efpr=100.0
      )
      expected[f'{name}{which}'] = value
    # What PretrainedSED prints.
    assert np.mean(list(by_class.values())) == pytest.approx(value)
    got = found.per_class[name].tolist()
    assert got == pytest.approx([by_class[index] for index in names], abs=1e-12)
  collars = {'onset_collar': 0.2, 'offset_collar': 0.2, 'offset_collar_rate': 0.2}
  f1, *_ = collar_based.fscore(tables, truth, 0.5, **collars)
  expected['event_f1'], expected['event_f1_micro'] = (
    f1[f'{kind}_average'] for kind in ('macro', 'micro')
  )
  best, _, _, thresholds, _ = collar_based.best_fscore(tables, truth, **collars)
  expected['event_f1_best'] = best['macro_average']
  got = found.per_class['event_threshold'].tolist()
  assert got == pytest.approx([thresholds[index] for index in names])
  f1, *_ = segment_based.fscore(tables, truth, seconds, 0.5, segment_length=1.0)
  expected['segment_f1'] = f1['macro_average']
  best, _, _, thresholds, _ = segment_based.best_fscore(
    tables, truth, seconds, segment_length=1.0
  )
  expected['segment_f1_best'] = best['macro_average']
  got = found.per_class['best_threshold'].tolist()
  assert got == pytest.approx([thresholds[index] for index in names])
  for name, value in expected.items():
    assert found.summary[name] == pytest.approx(value, abs=1e-12), name
  assert 0 < expected['psds1'] < expected['psds1_macro'] < 1
