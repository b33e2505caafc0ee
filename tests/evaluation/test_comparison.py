"""Two evaluations compared: paired, and by groups of priors."""

import dataclasses
import json
import math

import numpy as np
import pandas as pd
import pytest

from audioset_ml.core.errors import InputError
from audioset_ml.evaluation import bootstrap, files
from audioset_ml.evaluation.comparison import compare, group_of, priors_of
from audioset_ml.evaluation.detection import DetectionConfig, evaluate_detection
from audioset_ml.evaluation.evaluate_config import PriorGroups, Resampling
from audioset_ml.evaluation.result import Evaluation, Replicates, named_classes
from audioset_ml.evaluation.weak import evaluate_weak
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.labels.formats import STRONG_COLUMNS
from audioset_ml.labels.states import LabelState, LabelTable
from tests import small_data as small
from tests.evaluation.test_files import strong_evaluation

CLIPS, CLASSES, REPLICATES = 120, 8, 120
CLASS_MAP = ClassMap(
  mids=tuple(f'/m/{index}' for index in range(CLASSES)),
  names=tuple(f'Class {index}' for index in range(CLASSES)),
)


def make_states(seed=0):
  random = np.random.default_rng(seed)
  kinds = [LabelState.EXPLICIT_POSITIVE, LabelState.EXPLICIT_NEGATIVE]
  return random.choice(kinds, (CLIPS, CLASSES), p=[0.3, 0.7])


def make_scores(gain=1.0, noise=0.0, seed=0):
  """Scores that all share what a clip sounds like, so they are correlated."""
  shape = (CLIPS, CLASSES)
  present = make_states() == LabelState.EXPLICIT_POSITIVE
  shared = np.random.default_rng(99).standard_normal(shape)
  own = np.random.default_rng(seed).standard_normal(shape)
  return shared + gain * present + noise * own


def assembled(scores, path='model', states=None, seed=0, replicates=REPLICATES):
  """An evaluation with weak labels; without a bootstrap if `replicates` is 0."""
  states = make_states() if states is None else states
  clip_ids = [f'clip{number}_0' for number in range(len(scores))]
  labels = LabelTable.from_lists(
    clip_ids, CLASSES, [(np.flatnonzero(row), row[row > 0]) for row in states]
  )
  if not replicates:
    found = evaluate_weak(scores, labels, CLASS_MAP)
    return files.assemble(path, {'weak': found}, clip_ids)
  weights = bootstrap.clip_weights(len(scores), replicates, seed)
  found = evaluate_weak(scores, labels, CLASS_MAP, weights)
  resampling = Resampling(replicates, seed)
  return files.assemble(path, {'weak': found}, clip_ids, resampling)


def width(interval):
  return interval[1] - interval[0]


def test_a_model_against_itself_is_no_better():
  baseline, model = (assembled(make_scores(), name) for name in ('old', 'new'))
  found = compare(baseline, model)
  assert found.summary.keys() == {'weak'}
  assert found.summary['weak'].keys() == model.replicates['weak'].summary.keys()
  for one in found.summary['weak'].values():
    assert one['difference'] == 0
    assert one['baseline'] == one['model']
    assert one['interval'] == [0, 0]
  for name in ('d_prime', 'lwlrap', 'map', 'd_prime_implicit'):
    one = found.summary['weak'][name]
    assert (one['clearly_better'], one['clearly_worse']) == (0, 0)
    assert one['classes'] == CLASSES
  assert (found.per_class['d_prime_difference'] == 0).all()
  assert found.groups['improved'].tolist() == [0, 0, 0]


def test_a_model_is_no_better_than_itself_read_from_its_files(tmp_path):
  model = assembled(make_scores(), tmp_path)
  files.write_evaluation(model)
  found = compare(files.load_evaluation(tmp_path), model)
  for name in ('d_prime', 'lwlrap', 'map', 'd_prime_implicit'):
    one = found.summary['weak'][name]
    assert one['interval'] == pytest.approx([0, 0], abs=1e-6)
    assert (one['clearly_better'], one['clearly_worse']) == (0, 0)
  assert found.groups['improved'].tolist() == [0, 0, 0]


def test_differences_of_correlated_models_are_surer_than_either():
  baseline = assembled(make_scores(), 'old')
  model = assembled(make_scores(noise=0.2, seed=1), 'new')
  found = compare(baseline, model)
  for name in ('d_prime', 'lwlrap', 'map', 'auc_implicit'):
    one = found.summary['weak'][name]
    assert one['baseline'] == baseline.metrics['weak'][name]
    assert one['model'] == model.metrics['weak'][name]
    assert one['difference'] == pytest.approx(one['model'] - one['baseline'])
    assert one['interval'][0] < one['difference'] < one['interval'][1]
    own = [width(each.metrics['intervals']['weak'][name]) for each in (baseline, model)]
    assert width(one['interval']) < 0.5 * math.hypot(*own)


def test_differences_are_of_the_same_replicate():
  baseline = assembled(make_scores(), 'old')
  model = assembled(make_scores(gain=1.4, noise=0.5, seed=1), 'new')
  found = compare(baseline, model)
  sections = [one.replicates['weak'] for one in (baseline, model)]
  for name, column in (('d_prime', 'd_prime'), ('map', 'average_precision')):
    one = found.summary['weak'][name]
    difference = sections[1].summary[name] - sections[0].summary[name]
    ends = bootstrap.interval(np.array(one['difference']), difference)
    assert one['interval'] == pytest.approx(ends, abs=1e-9)
    values = model.per_class[column] - baseline.per_class[column]
    assert found.per_class[f'{column}_difference'].tolist() == values.tolist()
    differences = sections[1].per_class[column] - sections[0].per_class[column]
    ends = bootstrap.interval(values.to_numpy(), differences)
    for end, expected in zip(('low', 'high'), ends, strict=True):
      column_found = found.per_class[f'{column}_{end}'].to_numpy()
      assert column_found == pytest.approx(expected, abs=1e-6)
    assert one['clearly_better'] == (ends[0] > 0).sum()
    assert one['clearly_worse'] == (ends[1] < 0).sum()


def test_a_better_model_is_clearly_better_and_the_other_clearly_worse():
  old, new = assembled(make_scores(), 'old'), assembled(make_scores(gain=2.5), 'new')
  found, turned = (compare(*pair).summary['weak'] for pair in ((old, new), (new, old)))
  assert found['d_prime']['clearly_better'] == CLASSES
  assert found['d_prime']['clearly_worse'] == 0
  assert found['d_prime']['interval'][0] > 0.5
  for name, one in found.items():
    assert turned[name]['difference'] == -one['difference']
    low, high = turned[name]['interval']
    assert [-high, -low] == pytest.approx(one['interval'], abs=1e-9)
  assert turned['d_prime']['clearly_worse'] == CLASSES


def test_without_a_bootstrap_there_are_differences_alone():
  old = assembled(make_scores(), 'old')
  new = assembled(make_scores(gain=2), 'new', replicates=0)
  found = compare(old, new)
  assert found.summary['weak'].keys() == {
    'd_prime',
    'lwlrap',
    'map',
    'd_prime_implicit',
  }
  for one in found.summary['weak'].values():
    assert one.keys() == {'baseline', 'model', 'difference'}
    assert one['difference'] > 0
  assert 'd_prime_difference' in found.per_class
  assert not [name for name in found.per_class if name.endswith(('_low', '_high'))]


def by_hand(path, lwlrap):
  """An evaluation of which only lωlrap is told."""
  table = {
    'mid': [f'/m/{index}' for index in range(len(lwlrap))],
    'display_name': list('ABCDEFGH'),
    **dict.fromkeys(('d_prime', 'average_precision', 'd_prime_implicit'), np.nan),
    'lwlrap': lwlrap,
  }
  summary = {'d_prime': None, 'lwlrap': float(np.nanmean(lwlrap)), 'map': None}
  metrics = {'weak': {**summary, 'd_prime_implicit': None}}
  metrics['clips'] = {'evaluated': 1, 'identity': 'x'}
  return files.EvaluatedModel(path, metrics, pd.DataFrame(table), {})


def test_groups_are_those_of_table_iv():
  old = by_hand('old', [0.2, 0.4, 0.6, 0.5, 0.3, 0.1, np.nan, 0.0])
  new = by_hand('new', [0.3, 0.4, 0.5, 0.7, 0.35, 0.05, 0.2, 1.0])
  priors = np.array([0.02, 0.5, 0.011, 0.01, 0.00325, 0.001, 0.001, np.nan])
  found = compare(old, new, priors=priors)
  assert found.per_class['group'].tolist() == [
    *['large'] * 3,
    *['medium'] * 2,
    *['small'] * 2,
    '',
  ]
  groups = found.groups.set_index('group')
  assert groups.index.tolist() == ['large', 'medium', 'small']
  # A class without labels (the seventh), or without a prior, is in no group's numbers.
  assert groups['classes'].tolist() == [3, 2, 1]
  assert groups['improved'].tolist() == [1, 2, 0]
  assert groups['share_improved'].tolist() == pytest.approx([1 / 3, 1, 0])
  # The paper's mean is over the improved classes only.
  assert groups['mean_improvement_of_improved'].tolist() == pytest.approx(
    [0.1, 0.125, np.nan], nan_ok=True
  )
  assert groups['mean_improvement'].tolist() == pytest.approx([0, 0.125, -0.05])
  assert found.summary['weak'].keys() == {'lwlrap'}
  content = json.loads(json.dumps(found.to_json(), allow_nan=False))
  assert content['groups'][2]['mean_improvement_of_improved'] is None
  assert content['weak']['lwlrap']['difference'] == pytest.approx(
    3.5 / 8 - 2.1 / 7, abs=1e-12
  )


def test_other_boundaries_make_other_groups():
  old, new = by_hand('old', [0.2] * 8), by_hand('new', [0.3] * 8)
  priors = np.linspace(0.1, 0.8, 8)
  found = compare(old, new, PriorGroups(large=0.55, small=0.25), priors)
  assert found.groups['classes'].tolist() == [3, 3, 2]


def test_an_empty_group_has_no_means():
  old, new = by_hand('old', [0.2] * 8), by_hand('new', [0.3] * 8)
  found = compare(old, new, priors=np.full(8, 0.5))
  assert found.groups['classes'].tolist() == [8, 0, 0]
  assert found.groups['share_improved'].isna().tolist() == [False, True, True]
  assert found.to_json()['groups'][1]['mean_improvement'] is None


def test_groups_hold_their_boundaries():
  above, below = np.nextafter(0.01, 1), np.nextafter(0.00325, 0)
  priors = np.array([0.01, above, 0.00325, below, 0.0, 1.0, np.nan])
  assert group_of(priors, PriorGroups()).tolist() == [
    'medium',
    'large',
    'medium',
    'small',
    'small',
    'large',
    '',
  ]


@pytest.mark.parametrize(('large', 'small'), [(0.01, 0.02), (1.5, 0.1), (0.5, -0.1)])
def test_impossible_boundaries_are_an_error(large, small):
  with pytest.raises(InputError, match='divide no classes'):
    PriorGroups(large, small)


def test_priors_are_those_of_the_evaluated_clips_unless_told():
  model = assembled(make_scores())
  found = compare(model, model)
  positives = (make_states() == LabelState.EXPLICIT_POSITIVE).sum(axis=0)
  assert found.per_class['prior'].tolist() == (positives / CLIPS).tolist()
  told = compare(model, model, priors=np.linspace(0, 1, CLASSES))
  assert told.per_class['prior'].tolist() == np.linspace(0, 1, CLASSES).tolist()


def test_priors_may_be_those_of_other_records(small_records):
  mids = pd.DataFrame({'mid': small.CLASS_MAP.mids})
  model = files.EvaluatedModel('model', {}, mids, {})
  # Of 12 clips; those with i % 4 = 3 lack their second label.
  positives = [0, 0, 0]
  for index in range(12):
    positives[index % 3] += 1
    if index % 4 == 1:
      positives[(index + 1) % 3] += 1
  found = priors_of(str(small_records), model)
  assert found.tolist() == [count / 12 for count in positives]
  turned = dataclasses.replace(model, per_class=mids.iloc[::-1])
  with pytest.raises(InputError, match='has other classes than model, or in another'):
    priors_of(str(small_records), turned)
  with pytest.raises(InputError, match='no such folder'):
    priors_of(str(small_records / 'absent'), model)


def test_strong_evaluations_are_compared_too():
  weights = bootstrap.clip_weights(30, 40, 7)
  found = strong_evaluation(weights)
  resampling = Resampling(40, 7)
  model = files.assemble('model', {'strong': found}, ['x_0'], resampling)
  compared = compare(model, model, priors=np.array([0.5, 0.001, 0.001]))
  assert compared.summary.keys() == {'strong'}
  one = compared.summary['strong']['d_prime']
  assert one['model'] == found.summary['d_prime']
  assert (one['difference'], one['interval'], one['classes']) == (0, [0, 0], 1)
  column = compared.per_class['strong_d_prime_model']
  assert column.tolist()[0] == found.per_class['d_prime'][0]
  # Without weak lωlrap, the groups are of the strong one: of class a alone.
  assert compared.groups['classes'].tolist() == [1, 0, 0]
  # Weak labels say how frequent classes are; these have none.
  assert compare(model, model).groups['classes'].tolist() == [0, 0, 0]


def with_detection(path, seed, more=0.0):
  """An evaluation of events of one class in ten clips, by scores that know of them."""
  random = np.random.default_rng(seed)
  clip_ids = [f'{number}_0' for number in range(10)]
  columns = list(STRONG_COLUMNS)
  rows = [
    (clip_id, 2.0, 5.0 + number / 5, '/m/0') for number, clip_id in enumerate(clip_ids)
  ]
  scores = {clip_id: random.random((10, CLASSES)) for clip_id in clip_ids}
  for values in scores.values():
    values[2:6, 0] += more
  weights = bootstrap.clip_weights(10, 40, 7)
  found = evaluate_detection(
    {clip_id: np.minimum(values, 1) for clip_id, values in scores.items()},
    dict.fromkeys(clip_ids, 10.0),
    pd.DataFrame(rows, columns=columns),
    CLASS_MAP,
    DetectionConfig(1.0, 1.0),
    weights,
  )
  sections = {'strong': strong_of(clip_ids), 'detection': found}
  return files.assemble(path, sections, clip_ids, Resampling(40, 7))


def strong_of(clip_ids):
  """What stands beside it, and is not looked at here."""
  columns = ['d_prime', 'lwlrap']
  summary = {'classes': CLASSES, 'd_prime': None, 'lwlrap': 0.5}
  table = pd.DataFrame({**named_classes(CLASS_MAP), **dict.fromkeys(columns, np.nan)})
  empty = np.full((40, CLASSES), np.nan, np.float32)
  replicates = {name: np.full(40, 0.5) for name in columns}
  return Evaluation(
    summary, table, Replicates(replicates, dict.fromkeys(columns, empty))
  )


def test_detections_are_compared_in_pairs_too():
  old, new = with_detection('old', 0), with_detection('new', 0, more=0.3)
  assert compare(old, old).summary['detection']['psds1']['interval'] == [0, 0]
  found = compare(old, new)
  one = found.summary['detection']['event_f1_best']
  assert one['difference'] == one['model'] - one['baseline'] > 0
  assert one['interval'][0] <= one['difference'] <= one['interval'][1]
  assert one['classes'] == 1
  gain = found.per_class['psds1_difference']
  assert gain[0] == found.summary['detection']['psds1_macro']['difference'] > 0
  # Pairs are closer than two evaluations by themselves.
  pair = found.summary['detection']['segment_f1']['interval']
  alone = new.metrics['intervals']['detection']['segment_f1']
  assert width(pair) < 2 * width(alone)


def test_an_evaluation_without_newer_values_is_compared_by_the_others():
  old, new = with_detection('old', 0), with_detection('new', 1)
  for name in ('psds2', 'psds2_macro', 'event_f1', 'event_f1_micro', 'event_f1_best'):
    old.metrics['detection'].pop(name)
    old.per_class.drop(columns=name, errors='ignore', inplace=True)
  del old.replicates['detection']
  found = compare(old, new).summary['detection']
  assert found.keys() == {'psds1_macro', 'segment_f1', 'segment_f1_best'}
  assert 'interval' not in found['segment_f1']


def with_other_labels():
  states = make_states()
  row = np.flatnonzero(states[:, 3] == LabelState.EXPLICIT_POSITIVE)[0]
  states[row, 3] = LabelState.IMPLICIT_NEGATIVE
  return assembled(make_scores(), 'new', states)


def with_other_clips():
  half = CLIPS // 2
  return assembled(make_scores()[:half], 'new', make_states()[:half])


def with_other_classes():
  model = assembled(make_scores(), 'new')
  return dataclasses.replace(model, per_class=model.per_class.iloc[::-1])


@pytest.mark.parametrize(
  ('other', 'message'),
  [
    (with_other_clips, r'old and new are of other clips \('),
    (
      lambda: assembled(make_scores(), 'new', seed=1),
      '--bootstrap_seed: evaluate both',
    ),
    (lambda: assembled(make_scores(), 'new', replicates=60), 'another --bootstrap or'),
    (with_other_classes, 'have other classes, or in another order'),
    (with_other_labels, 'are of other labels: class /m/3 has [0-9]+ positives in one'),
  ],
  ids=['clips', 'seed', 'replicates', 'classes', 'labels'],
)
def test_what_does_not_belong_together_is_not_compared(other, message):
  with pytest.raises(InputError, match=message):
    compare(assembled(make_scores(), 'old'), other())


def test_a_weak_and_a_strong_evaluation_have_nothing_in_common():
  strong = files.assemble('strong', {'strong': strong_evaluation()}, ['x_0'])
  weak = dataclasses.replace(
    strong, path='weak', metrics={**strong.metrics, 'weak': {}}
  )
  del weak.metrics['strong']
  with pytest.raises(InputError, match='nothing in common: one is weak, one is strong'):
    compare(weak, strong)


def test_other_clips_are_noticed_without_a_bootstrap_too():
  """Half as many clips more, of which nothing is known: other AUCs, other AP."""
  old = assembled(make_scores(), 'old', replicates=0)
  more = np.zeros((CLIPS // 2, CLASSES), int)
  scores = np.concatenate([make_scores(), more])
  new = assembled(scores, 'new', np.concatenate([make_states(), more]), replicates=0)
  assert new.metrics['weak']['map'] != old.metrics['weak']['map']
  with pytest.raises(InputError, match='other clips'):
    compare(old, new)
