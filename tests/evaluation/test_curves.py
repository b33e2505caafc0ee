"""What figures are drawn from."""

import numpy as np
import pytest

from audioset_ml.evaluation import metrics
from audioset_ml.evaluation.curves import class_curves, reliability
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.labels.states import LabelState

CLASS_MAP = ClassMap(mids=('/m/a', '/m/b', '/m/c'), names=('A', 'B', 'C'))
NONE, POSITIVE, NEGATIVE, IMPLICIT = (
  LabelState.IMPLICIT_NEGATIVE,
  LabelState.EXPLICIT_POSITIVE,
  LabelState.EXPLICIT_NEGATIVE,
  LabelState.IMPLICIT_POSITIVE,
)
UNSURE = LabelState.UNSURE


def points(table, curve):
  chosen = table[table['curve'] == curve]
  return list(chosen[['x', 'y', 'threshold']].itertuples(index=False, name=None))


def test_curves_by_hand():
  """Recall, precision and threshold; false positive rate, false negative rate."""
  scores = np.array([[0.1], [0.2], [0.3], [0.4], [0.5]])
  states = np.array([[NONE], [IMPLICIT], [NEGATIVE], [POSITIVE], [NEGATIVE]])
  found = class_curves(scores, states, CLASS_MAP, [0])
  assert set(found['mid']) == {'/m/a'}
  # All labels: two of five are present. From all called to the highest score alone.
  assert points(found, 'precision_recall') == [
    pytest.approx(point)
    for point in [
      (1, 2 / 5, 0.1),
      (1, 2 / 4, 0.2),
      (1 / 2, 1 / 3, 0.3),
      (1 / 2, 1 / 2, 0.4),
      (0, 0, 0.5),
    ]
  ]
  # Explicit labels alone: the positive has one negative above it, and one below.
  x, y, thresholds = zip(*points(found, 'det'), strict=True)
  assert set(zip(x, y, strict=True)) >= {(1 / 2, 0), (1 / 2, 1)}
  assert set(thresholds) <= {0.3, 0.4, 0.5, np.inf}
  kinds = found.groupby('curve')['negatives'].unique()
  assert kinds['precision_recall'].tolist() == ['all']
  assert kinds['det'].tolist() == ['explicit']


def test_what_a_person_was_unsure_of_is_in_no_curve():
  scores = np.array([[0.1], [0.45], [0.2], [0.3], [0.9], [0.4], [0.5]])
  states = np.array(
    [[NONE], [UNSURE], [IMPLICIT], [NEGATIVE], [UNSURE], [POSITIVE], [NEGATIVE]]
  )
  known = states[:, 0] != UNSURE
  found = class_curves(scores, states, CLASS_MAP, [0])
  assert found.equals(class_curves(scores[known], states[known], CLASS_MAP, [0]))
  table = reliability(scores, states)
  assert table.equals(reliability(scores[known], states[known]))
  assert table['labels'].sum() == 5


def random_labels(clips, seed=0):
  random = np.random.default_rng(seed)
  states = random.choice([NONE, POSITIVE, NEGATIVE], (clips, 3)).astype(np.int8)
  states[:, 1] = np.where(states[:, 1] == NEGATIVE, NONE, states[:, 1])
  return random.random((clips, 3)) + 0.3 * (states == POSITIVE), states


@pytest.mark.parametrize('clips', [50, 3000])
def test_curves_end_where_they_should(clips):
  """With many clips, most points are left out, but not the ends."""
  scores, states = random_labels(clips)
  found = class_curves(scores, states, CLASS_MAP, [2, 1])
  assert found['mid'].unique().tolist() == ['/m/c', '/m/b']
  assert found.groupby(['mid', 'curve']).size().max() <= 400
  for mid, index in (('/m/c', 2), ('/m/b', 1)):
    present, score = states[:, index] == POSITIVE, scores[:, index]
    explicit = np.isin(states[:, index], [POSITIVE, NEGATIVE])
    one = found[found['mid'] == mid]
    curve = points(one, 'precision_recall')
    # All that is called: down to the lowest score that any has.
    assert curve[0] == pytest.approx((1, present.mean(), score.min()))
    top = float(present[score.argmax()])
    assert curve[-1] == pytest.approx((top / present.sum(), top, score.max()))
    assert (np.diff([x for x, _, _ in curve]) <= 0).all()
    curve = points(one, 'det')
    assert curve[0][1] == 0  # no positive missed,
    assert curve[-1][0] == 0  # and none falsely called
    assert (np.diff([x for x, _, _ in curve]) <= 0).all()
    assert (np.diff([y for _, y, _ in curve]) >= 0).all()
    chosen = explicit if index == 2 else np.ones(clips, bool)
    for x, y, threshold in curve:
      called = score >= threshold
      absent = ~present & chosen
      assert x == pytest.approx((called & absent).sum() / absent.sum())
      assert y == pytest.approx((present & ~called).sum() / present.sum())
  kinds = found[found['curve'] == 'det'].groupby('mid')['negatives'].unique()
  # Class b has no explicit negatives, so all count.
  assert (kinds['/m/c'].tolist(), kinds['/m/b'].tolist()) == (['explicit'], ['all'])


def test_the_area_under_precision_and_recall_is_average_precision():
  scores, states = random_labels(60)
  found = class_curves(scores, states, CLASS_MAP, [0])
  recall, precision, _ = zip(*points(found, 'precision_recall'), strict=True)
  steps = -np.diff([*recall, 0])
  present = states == POSITIVE
  expected = metrics.average_precision(scores, present, ~present)[0]
  assert (steps * precision).sum() == pytest.approx(expected)


def test_classes_without_both_kinds_have_no_curve():
  states = np.array([[POSITIVE, NONE, POSITIVE], [IMPLICIT, NEGATIVE, NONE]])
  scores = np.array([[0.1, 0.2, 0.9], [0.5, 0.6, 0.3]])
  found = class_curves(scores, states, CLASS_MAP, [0, 1, 2])
  assert found['mid'].unique().tolist() == ['/m/c']
  nothing = class_curves(scores, states, CLASS_MAP, [0, 1])
  assert nothing.empty
  assert nothing.columns.tolist() == found.columns.tolist()
  assert nothing.columns.tolist() == [
    'mid',
    'curve',
    'negatives',
    'x',
    'y',
    'threshold',
  ]


def test_infinite_scores_have_curves_too():
  """They are ranked everywhere else: the log of a probability of 0."""
  states = np.array([[NONE], [POSITIVE], [NEGATIVE], [POSITIVE]])
  scores = np.array([[-np.inf], [-np.inf], [-2.0], [-1.0]])
  found = class_curves(scores, states, CLASS_MAP, [0])
  assert points(found, 'precision_recall')[0][:2] == (1, 1 / 2)


def test_reliability_by_hand():
  """Class b's scores lie on the edges of bins, which belong to the upper one."""
  scores = np.array([[0.05, 0.0], [0.07, 0.3], [0.31, 1.0], [0.97, 0.95]])
  states = np.array(
    [[NONE, NEGATIVE], [POSITIVE, IMPLICIT], [NEGATIVE, POSITIVE], [POSITIVE, NONE]]
  )
  found = reliability(scores, states)
  assert found['low'].tolist() == pytest.approx([0, 0.3, 0.9])
  assert found['high'].tolist() == pytest.approx([0.1, 0.4, 1])
  assert found['labels'].tolist() == [3, 2, 3]
  assert found['mean_score'].tolist() == pytest.approx(
    [0.12 / 3, 0.61 / 2, (0.97 + 1 + 0.95) / 3]
  )
  assert found['share_present'].tolist() == pytest.approx([1 / 3, 1 / 2, 2 / 3])


def test_calibrated_scores_lie_on_the_diagonal():
  random = np.random.default_rng(0)
  scores = random.random((20_000, 2)).astype(np.float32)
  states = np.where(random.random(scores.shape) < scores, POSITIVE, NONE)
  found = reliability(scores, states)
  assert found['labels'].sum() == scores.size
  assert len(found) == 10
  gap = found['share_present'] - found['mean_score']
  assert np.abs(gap).max() < 0.03
  assert found['mean_score'].between(found['low'], found['high']).all()


@pytest.mark.parametrize('wrong', [-0.01, 1.01, np.inf, -np.inf])
def test_scores_that_are_no_probabilities_have_no_reliability(wrong):
  scores = np.array([[0.5], [wrong]])
  found = reliability(scores, np.array([[NONE], [POSITIVE]]))
  assert found.empty
  assert found.columns.tolist() == [
    'low',
    'high',
    'labels',
    'mean_score',
    'share_present',
  ]
