"""The losses that suspect implicit negatives: against slow twins, finite differences,
and what the official code gave."""

import json
import math
import pathlib
import re

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from audioset_ml.core.errors import InputError
from audioset_ml.training.config import SourceConfig, TrainConfig
from audioset_ml.training.loss_config import (
  KINDS,
  NEGATIVE_LOSSES,
  LossConfig,
  parse_options,
)
from audioset_ml.training.loss_table import build_loss
from audioset_ml.training.losses import MaskedBinaryCrossentropy
from audioset_ml.training.sources import epoch_steps
from audioset_ml.training.trainer import Shape, Trainer

SUSPECTING = [name for name in NEGATIVE_LOSSES if name != 'bce']
OFFICIAL = json.loads(
  (pathlib.Path(__file__).parent / 'official_losses.json').read_text('utf-8')
)
EPOCH_STEPS = 10


def plain_terms(name, target, logits, epoch, priors=None, frozen_at=None, **given):
  """The published equations, label by label, in float64. [batch, classes].

  Args:
    frozen_at: logits at which weights and choices that have no gradient are taken.
  """
  options = LossConfig(name, given).options
  frozen_at = logits if frozen_at is None else frozen_at
  p, fixed = (1 / (1 + np.exp(-np.float64(x))) for x in (logits, frozen_at))
  chosen = plain_choice(name, target, frozen_at, epoch, options)
  terms = np.zeros(target.shape)
  for place in np.ndindex(*target.shape):
    state = target[place]
    terms[place] = {
      1: lambda *given: plain_positive(name, *given),
      0: lambda *given: plain_suspected(name, *given),
      -2: lambda *given: plain_explicit(name, *given),
      -1: lambda *_: 0.0,
    }[state](p[place], fixed[place], options, bool(chosen[place]))
    if name == 'csl' and state == 0 and priors is not None:
      terms[place] *= priors[place[1]] <= options['prior_threshold']
    if name == 'wan' and state == 0 and math.isnan(options['weight']):
      terms[place] = -np.log(1 - p[place]) / (target.shape[1] - 1)
  return terms


def plain_positive(name, p, fixed, o, _):
  if name in ('hill', 'splc'):
    p = 1 / (1 + np.exp(-(np.log(p / (1 - p)) - o['margin'])))
    return -((1 - p) ** o['gamma']) * np.log(p)
  if name in ('asl', 'csl'):
    return -((1 - fixed) ** o['gamma_positive']) * np.log(p)
  if name == 'ls':
    return -(1 - o['epsilon']) * np.log(p) - o['epsilon'] * np.log(1 - p)
  return -np.log(p)


def plain_explicit(name, p, fixed, o, _):
  weight = fixed ** o['gamma_negative'] if name == 'csl' else 1
  return -weight * np.log(1 - p)


def plain_suspected(name, p, fixed, o, chosen):
  if name == 'hill':
    return (o['lambda'] - p) * p**2
  if name == 'splc':
    if chosen:
      return -((1 - p) ** o['gamma']) * np.log(p)
    return -(p ** o['gamma']) * np.log(1 - p)
  if name == 'asl':
    weight = max(fixed - o['clip'], 0) ** o['gamma_negative']
    return -weight * np.log(1 - max(p - o['clip'], 0))
  if name == 'csl':
    return 0 if chosen else -(fixed ** o['gamma_unannotated']) * np.log(1 - p)
  if name == 'ls':
    return -(1 - o['epsilon']) * np.log(1 - p) - o['epsilon'] * np.log(p)
  if name == 'wan':
    return -o['weight'] * np.log(1 - p)
  if chosen:
    return -np.log(p) if name == 'll_ct' else 0
  return -np.log(1 - p)


def plain_choice(name, target, logits, epoch, options):
  """The suspected labels that a loss treats otherwise than the rest."""
  suspected = target == 0
  if name == 'splc':
    above = logits > np.log(options['tau'] / (1 - options['tau']))
    return above & suspected & (epoch >= options['from_epoch'])
  if name == 'csl':
    number = int(options['likely'] * len(target))
  elif name in ('ll_r', 'll_ct'):
    percent = min(epoch * options['delta'], 100)
    number = math.ceil(suspected.sum() * percent / 100 - 1e-9)
  else:
    return np.zeros(target.shape, bool)
  places = [place for place in np.ndindex(*target.shape) if suspected[place]]
  places.sort(key=lambda place: -logits[place])
  chosen = np.zeros(target.shape, bool)
  for place in places[:number]:
    chosen[place] = True
  return chosen


def loss_and_gradient(name, target, logits, epoch=0, priors=None, **given):
  """Of each example, and of their sum."""
  loss = build_loss(LossConfig(name, given), target.shape[1], EPOCH_STEPS, priors)
  variable = tf.Variable(np.float32(logits))
  step = tf.constant(epoch * EPOCH_STEPS + EPOCH_STEPS, tf.int64)  # its last one
  with tf.GradientTape() as tape:
    found = loss(tf.constant(target, tf.int8), variable, step)
  return found.numpy(), tape.gradient(found, variable).numpy()


PAIRS = st.tuples(st.integers(1, 4), st.integers(2, 6)).flatmap(
  lambda shape: st.tuples(
    hnp.arrays(np.int8, shape, elements=st.sampled_from([1, 0, 0, 0, -1, -2])),
    # All different, and none where SPLC or ASL change their form.
    st.permutations(range(shape[0] * shape[1])).map(
      lambda order: (np.array(order).reshape(shape) - len(order) / 2) * 0.37 + 0.113
    ),
  )
)
GIVEN = {
  'll_r': {'delta': 20},
  'll_ct': {'delta': 20},
  'll_cp': {'delta': 20},
  'hill': {'margin': 0.5, 'gamma': 1.5},
  'asl': {'gamma_positive': 1, 'clip': 0.1},
  'csl': {'likely': 0.5, 'gamma_positive': 1},
  'splc': {'tau': 0.8},
  'wan': {'weight': 0.3},
  'ls': {'epsilon': 0.2},
}


@pytest.mark.parametrize('name', SUSPECTING)
@settings(max_examples=25)
@given(PAIRS, st.integers(0, 3), st.booleans())
def test_losses_and_gradients_are_those_of_the_equations(name, pair, epoch, published):
  target, logits = pair
  given = {} if published else GIVEN[name]
  priors = np.linspace(0, 0.1, target.shape[1]) if name == 'csl' else None
  options = {'epoch': epoch, 'priors': priors, **given}
  losses, gradient = loss_and_gradient(name, target, logits, **options)
  expected = plain_terms(name, target, logits, **options)
  np.testing.assert_allclose(losses, expected.sum(axis=1), rtol=2e-5, atol=2e-6)
  step = 1e-5
  higher, lower = (
    plain_terms(name, target, logits + s, frozen_at=logits, **options)
    for s in (step, -step)
  )
  np.testing.assert_allclose(gradient, (higher - lower) / (2 * step), atol=2e-4)


@pytest.mark.parametrize(
  ('name', 'of_target', 'options'),
  [
    ('hill', 'target', {}),
    ('splc', 'target', {'epoch': 1}),
    ('splc_first_epoch', 'target', {'epoch': 0}),
    ('asl', 'target', {}),
    ('asl_class_defaults', 'target', {'gamma_positive': 1}),
    ('csl', 'asked', {'priors': np.array(OFFICIAL['priors'])}),
    (
      'csl_without_priors',
      'asked',
      {
        'gamma_positive': 1,
        'gamma_negative': 3,
        'gamma_unannotated': 4,
        'likely': 2,
      },
    ),
    ('wan', 'target', {}),
    ('ls', 'target', {}),
  ],
)
def test_what_the_official_code_gave(name, of_target, options):
  """All zeros are suspected, but in CSL, whose −1 are un-annotated labels."""
  expected, target = OFFICIAL['losses'][name], np.array(OFFICIAL[of_target])
  if of_target == 'asked':
    target = np.array([0, -2, 1])[target + 1]
  kind = name.partition('_')[0]
  losses, gradient = loss_and_gradient(kind, target, OFFICIAL['logits'], **options)
  assert losses.sum(dtype=np.float64) == pytest.approx(expected['loss'], rel=1e-6)
  np.testing.assert_allclose(gradient, expected['gradient'], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize('name', SUSPECTING)
def test_extreme_logits_stay_finite_and_ignored_labels_have_no_gradient(name):
  logits = np.array([[1e4, -1e4, 100, -100, 90, -90, 0, 1e30, -1e30]] * 4)
  target = np.repeat([[1], [0], [-2], [-1]], 9, axis=1)
  losses, gradient = loss_and_gradient(name, target, logits, epoch=5)
  assert np.isfinite(losses).all()
  assert np.isfinite(gradient).all()
  assert losses[3] == 0
  assert not gradient[3].any()


@pytest.mark.parametrize('name', SUSPECTING)
@pytest.mark.parametrize('wrong', [2, -3, 100])
def test_a_target_that_means_nothing_makes_its_examples_loss_nan(name, wrong):
  target = np.array([[1, 0, -1], [wrong, 0, 1], [-2, 0, -1]])
  losses, _ = loss_and_gradient(name, target, np.zeros((3, 3)))
  assert np.isnan(losses).tolist() == [False, True, False]


@pytest.mark.parametrize('name', [n for n in SUSPECTING if n != 'csl'])
def test_what_a_person_refuted_is_plain_cross_entropy(name):
  random = np.random.default_rng(0)
  logits = random.normal(0, 3, (4, 6))
  target = np.full((4, 6), -2)
  losses, gradient = loss_and_gradient(name, target, logits, epoch=5)
  bce = MaskedBinaryCrossentropy(reduction=None)
  np.testing.assert_allclose(losses, bce(np.zeros((4, 6)), np.float32(logits)))
  np.testing.assert_allclose(gradient, 1 / (1 + np.exp(-logits)), rtol=1e-5)


def test_the_largest_losses_of_the_first_epoch_are_kept():
  """In the sixth a percent of them is rejected: of all 200 suspected ones two."""
  delta = {'delta': 0.2}
  random = np.random.default_rng(0)
  logits, target = random.normal(0, 3, (10, 24)), np.zeros((10, 24), int)
  target[:, :2], target[:, 2:4] = 1, -2
  everything = loss_and_gradient('ll_r', target, logits, epoch=0, **delta)[1]
  assert (everything != 0).all()
  gradient = loss_and_gradient('ll_r', target, logits, epoch=5, **delta)[1]
  rejected = np.argwhere(gradient == 0)
  assert len(rejected) == 2
  suspects = np.where(target == 0, logits, -np.inf)
  assert set(map(tuple, rejected)) == {
    np.unravel_index(place, (10, 24)) for place in np.argsort(suspects.ravel())[-2:]
  }
  corrected = loss_and_gradient('ll_ct', target, logits, epoch=5, **delta)[1]
  assert (corrected[tuple(rejected.T)] < 0).all()


def test_binary_cross_entropy_is_the_default():
  assert TrainConfig(SourceConfig('')).loss == LossConfig()
  loss = build_loss(LossConfig(), 5)
  assert isinstance(loss, MaskedBinaryCrossentropy)
  assert not LossConfig().tells_explicit
  assert LossConfig('hill').tells_explicit
  assert not LossConfig('hill', suspect_all=True).tells_explicit


@pytest.mark.parametrize(
  ('given', 'message'),
  [
    ({'name': 'focal'}, "negative_loss is 'focal': choose from bce, ll_r"),
    ({'given': {'gamma': 2}}, "negative_loss bce has no 'gamma'; it has: none"),
    (
      {'name': 'asl', 'given': {'tau': 0.5}},
      "asl has no 'tau'; it has: gamma_positive",
    ),
    ({'name': 'splc', 'given': {'tau': 2}}, r'splc: tau is 2, but must be in \[0, 1\]'),
    ({'name': 'hill', 'given': {'gamma': -1}}, 'gamma is -1, but must be a number, at'),
    ({'name': 'wan', 'given': {'weight': math.nan}}, 'weight is nan'),
    ({'suspect_all': True}, 'bce has no use for suspect_all_negatives'),
    ({'name': 'csl', 'suspect_all': True}, 'csl has a term of its own for explicit'),
    (
      {'name': 'csl', 'given': {'prior_threshold': 0.5}},
      'prior_threshold does nothing without prior_scores',
    ),
    ({'name': 'hill', 'epoch_steps': 5}, 'hill has no use for epoch_steps'),
    ({'name': 'asl', 'priors': 'scores'}, 'asl has no use for prior_scores'),
    ({'name': 'll_r', 'epoch_steps': -1}, 'epoch_steps is -1'),
  ],
)
def test_what_a_loss_cannot_use_is_refused(given, message):
  with pytest.raises(InputError, match=message):
    LossConfig(**given)


@pytest.mark.parametrize('name', ['ll_r', 'll_ct'])
@pytest.mark.parametrize('epoch', range(3))
def test_a_small_share_of_few_labels_is_one(name, epoch):
  """From the second epoch on, however few classes there are."""
  gradient = loss_and_gradient(name, np.zeros((2, 3)), np.ones((2, 3)), epoch)[1]
  other = {'ll_r': gradient == 0, 'll_ct': gradient < 0}[name]
  assert other.sum() == (epoch > 0)


@pytest.mark.parametrize(
  ('config', 'steps', 'line'),
  [
    (LossConfig('ll_r'), 1000, '0.5 % more .* left out every 100 steps, 4.5 % at the'),
    (LossConfig('ll_ct', {'delta': 20}), 1000, 'as positives every .*, 100 % at the'),
    (LossConfig('ll_cp'), 1000, "from step 101 on 0.1 % of a batch's .* for good"),
    (LossConfig('ll_ct', epoch_steps=9), 9, 'has one epoch .* changes nothing'),
    (LossConfig('csl'), 1000, 'csl: without prior_scores the classes that are freq'),
    (LossConfig('csl', priors='scores'), 1000, None),
    (LossConfig('hill'), 1000, None),
  ],
)
def test_what_a_loss_will_do_is_told_beforehand(config, steps, line):
  """An epoch of ll_… is a tenth of the run, whatever the clips."""
  run = TrainConfig(SourceConfig(''), loss=config, steps=steps)
  remarks = config.remarks(steps, epoch_steps(run, []))
  assert len(remarks) == (line is not None)
  assert line is None or re.search(line, remarks[0])


def test_options_are_names_and_numbers():
  assert parse_options(['gamma=2', ' tau = .5']) == {'gamma': 2.0, 'tau': 0.5}
  for texts, message in (
    (['gamma'], "loss option 'gamma': needed is a name and a number"),
    (['gamma=high'], 'needed is a name and a number'),
    (['gamma=1', 'gamma=2'], 'loss option gamma stands twice'),
  ):
    with pytest.raises(InputError, match=message):
      parse_options(texts)


@pytest.mark.parametrize('name', [n for n, kind in KINDS.items() if kind.whole_batch])
def test_what_ranks_a_batch_runs_on_one_device(name):
  with pytest.raises(InputError, match='ranks the labels of a whole batch'):
    TrainConfig(SourceConfig(''), loss=LossConfig(name), strategy='mirrored')


@pytest.mark.parametrize('steps_a_call', [1, 2, 3])
def test_a_trainer_tells_the_loss_which_epoch_it_is(steps_a_call):
  """After an epoch of two steps, all suspected negatives are rejected."""
  config = TrainConfig(
    SourceConfig(''),
    architecture='linear',
    batch_size=4,
    loss=LossConfig('ll_r', {'delta': 100}),
  )
  loss = build_loss(config.loss, 3, epoch_steps=2)
  strategy = tf.distribute.get_strategy()
  trainer = Trainer(config, Shape(3, (1, 128)), strategy, loss=loss)
  batch = tf.ones((4, 1, 128)), tf.zeros((4, 3), tf.int8)
  batches, losses = iter(tf.data.Dataset.from_tensors(batch).repeat()), []
  while len(losses) < 6:
    if steps_a_call == 1:
      losses.append(float(trainer.train_step(*next(batches))[0]))
    else:
      losses += trainer.train_steps(batches, steps_a_call).numpy().tolist()
  assert min(losses[:2]) > 0
  assert losses[2:] == [0, 0, 0, 0]
