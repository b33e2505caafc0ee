import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from audioset_ml.core.errors import InputError
from audioset_ml.records.augment_config import AugmentConfig
from audioset_ml.records.silence import SilenceConfig
from audioset_ml.records.soft_scores import SoftConfig
from audioset_ml.training.config import SourceConfig, TrainConfig
from audioset_ml.training.optimization import MovingAverage, build_optimizer
from audioset_ml.training.optimizer_config import OptimizerConfig
from audioset_ml.training.trainer import Shape, Trainer, float32_copy


def rates(config, steps, steps_before=0):
  optimizer = build_optimizer(config, steps, [keras.Variable([1.0])], steps_before)
  schedule = optimizer._learning_rate
  return [float(schedule(step + steps_before)) for step in range(steps)]


def test_constant_is_the_papers_rate_at_every_step():
  assert rates(OptimizerConfig(), 5) == pytest.approx([1e-5] * 5)


@pytest.mark.parametrize('steps_before', [0, 70])
def test_warmup_rises_and_cosine_falls_to_its_fraction(steps_before):
  config = OptimizerConfig(learning_rate=0.1, warmup_fraction=0.1, schedule='cosine')
  found = rates(config, 100, steps_before)
  assert found[:10] == pytest.approx([0.01 * (step + 1) for step in range(10)])
  assert all(a >= b for a, b in itertools.pairwise(found[10:]))
  assert found[55] == pytest.approx(0.055)  # halfway between peak and end
  assert found[99] == pytest.approx(0.01, abs=1e-4)


def test_an_exponential_falls_by_the_same_factor_each_step():
  config = OptimizerConfig(
    learning_rate=0.1, schedule='exponential', final_fraction=0.01
  )
  found = np.array(rates(config, 100))
  np.testing.assert_allclose(found[1:] / found[:-1], 0.01**0.01, rtol=1e-5)
  assert found[0] == pytest.approx(0.1)


@pytest.mark.parametrize(
  ('values', 'message'),
  [
    ({'learning_rate': 0.0}, 'learning_rate is 0.0'),
    ({'learning_rate': float('nan')}, 'learning_rate is nan'),
    ({'schedule': 'linear'}, "schedule is 'linear'"),
    ({'warmup_fraction': 1.5}, r'warmup_fraction is 1\.5, but must be in \[0, 1\]'),
    ({'optimizer': 'lion'}, "optimizer is 'lion', but must be one of adam, adamw"),
    ({'accumulate': 0}, 'accumulate is 0, but must be at least 1'),
    (
      {'schedule': 'exponential', 'final_fraction': 0.0},
      'which no exponential reaches',
    ),
  ],
)
def test_wrong_optimisers_are_refused(values, message):
  with pytest.raises(InputError, match=message):
    OptimizerConfig(**values)


@pytest.mark.parametrize(
  ('values', 'message'),
  [
    ({'steps': 0}, 'steps is 0'),
    ({'ema_decay': 1.0}, r'ema_decay is 1\.0'),
    ({'best_metric': 'map'}, 'need validation_records'),
    ({'best_metric': 'loss', 'validation_records': 'x'}, "best_metric is 'loss'"),
    ({'patience': 3, 'validation_records': 'x'}, 'patience needs best_metric'),
    ({'init_optimizer': True}, 'init_optimizer needs init_from'),
    ({'mix_fraction': 1.5}, 'mix_fraction is 1.5'),
  ],
)
def test_wrong_runs_are_refused(values, message):
  with pytest.raises(InputError, match=message):
    TrainConfig(SourceConfig('records'), **values)


def trainer(**options):
  config = TrainConfig(
    SourceConfig('unused'),
    architecture='mobilenet_v1_tiny',
    width_multiplier=0.25,
    steps=100,
    **{name: value for name, value in options.items() if name == 'ema_decay'},
    optimizer=OptimizerConfig(
      **{
        'optimizer': 'sgd',
        'learning_rate': 0.01,
        **{name: value for name, value in options.items() if name != 'ema_decay'},
      }
    ),
  )
  strategy = tf.distribute.get_strategy()
  return Trainer(config, Shape(3, (96, 64)), strategy)


def batch(seed, examples=4):
  random = np.random.default_rng(seed)
  patches = random.normal(-3, 2, (examples, 96, 64)).astype(np.float32)
  return patches, random.integers(-1, 2, (examples, 3)).astype(np.int8)


def test_the_loss_of_an_example_counts_as_often_as_its_weight():
  """The mean of weighted losses, by numpy; and a gradient in the same shares."""
  plain, weighted = trainer(), trainer()
  patches, target = batch(0, 12)
  of_each = plain._losses(target, plain.model(patches, training=True)).numpy()
  weights = np.tile(np.array([0.5, 2.0, 16.0, 1.0], np.float32), 3)
  found, _ = weighted.train_step(patches, target, weights=weights)
  assert float(found) == pytest.approx(np.mean(of_each * weights), rel=1e-5)
  one, two = trainer(), trainer(learning_rate=0.02)
  start = classifier(one)
  one.train_step(patches, target, weights=np.full(12, 2, 'f4'))
  two.train_step(patches, target)
  np.testing.assert_allclose(
    classifier(one) - start, classifier(two) - start, rtol=1e-3, atol=1e-6
  )


@pytest.mark.parametrize(
  ('values', 'message'),
  [
    ({'balance_loss': -1.0}, r'balance_loss is -1\.0'),
    ({'balance_loss': 1.0, 'balance_power': 1.0}, 'balance_loss does not go with bal'),
    ({'balance_loss': 1.0, 'mix': SourceConfig('b')}, 'a second source: classes are'),
    (
      {'silence': SilenceConfig(-70), 'soft': SoftConfig(('a',))},
      'silence_below_db does not go with soft_scores, which say what a patch is',
    ),
    (
      {'silence': SilenceConfig(-70), 'augment': AugmentConfig(mixup_alpha=0.1)},
      'silence_below_db does not go with mixup_alpha',
    ),
  ],
)
def test_what_weights_and_labels_of_silence_do_not_go_with_is_refused(values, message):
  with pytest.raises(InputError, match=message):
    TrainConfig(SourceConfig('records'), **values)


def classifier(run):
  return run.model.get_layer('logits').get_weights()[0]


def test_accumulated_gradients_are_the_mean_of_the_batches():
  """Of two batches, without batch normalisation in between: the classifier alone."""
  one, two = trainer(), trainer(accumulate=2)
  start = classifier(one)
  moves = []
  for seed in (0, 1):
    fresh = trainer()
    fresh.train_step(*batch(seed))
    moves.append(classifier(fresh) - start)
    two.train_step(*batch(seed))
    if seed == 0:
      np.testing.assert_array_equal(classifier(two), start)
  # The moving statistics of batch 0 don't enter training.
  np.testing.assert_allclose(classifier(two) - start, np.mean(moves, 0), atol=2e-7)


def test_gradients_are_clipped_by_their_common_norm():
  free, clipped = trainer(), trainer(clip_norm=0.1)
  before = [weight.numpy() for weight in free.model.trainable_weights]
  norms = []
  for run in (free, clipped):
    run.train_step(*batch(0))
    moved = zip(run.model.trainable_weights, before, strict=True)
    norms.append(np.sqrt(sum(np.square(w.numpy() - old).sum() for w, old in moved)))
  assert norms[0] > 0.002
  assert norms[1] == pytest.approx(0.01 * 0.1, rel=1e-3)


def test_weight_decay_spares_vectors():
  run = trainer(optimizer='adamw', learning_rate=1e-9, weight_decay=1e6)
  before = {weight.path: weight.numpy() for weight in run.model.trainable_weights}
  run.train_step(*batch(0))
  for weight in run.model.trainable_weights:
    factor = 1.0 if len(weight.shape) < 2 else 1 - 1e-3
    np.testing.assert_allclose(weight.numpy(), factor * before[weight.path], atol=1e-6)


def test_the_moving_average_is_the_textbooks():
  run = trainer(ema_decay=0.9)
  expected = classifier(run)
  for step in range(12):
    run.train_step(*batch(step))
    decay = min(0.9, (1 + step) / (10 + step))
    expected = decay * expected + (1 - decay) * classifier(run)
  last = classifier(run)
  with run.averaged():
    np.testing.assert_allclose(classifier(run), expected, rtol=1e-5, atol=1e-7)
    assert np.abs(expected - last).max() > 1e-4
  np.testing.assert_array_equal(classifier(run), last)


def test_an_average_can_begin_anew():
  run = trainer(ema_decay=0.9)
  average = MovingAverage(run.model, 0.9)
  run.train_step(*batch(0))
  average.reset()
  before = classifier(run)
  with average.applied():
    np.testing.assert_array_equal(classifier(run), before)


@pytest.mark.parametrize(
  'precision', ['mixed_bfloat16', 'mixed_float16', 'bfloat16_convolutions']
)
def test_mixed_precision_learns_and_saves_float32(precision):
  try:
    run = trainer(precision=precision, optimizer='adam')
    losses = [float(run.train_step(*batch(0))[0]) for _ in range(20)]
    assert losses[-1] < 0.7 * losses[0]
    copy = float32_copy(run.model)
    assert {layer.dtype_policy.name for layer in copy.layers} == {'float32'}
    patches = batch(0)[0]
    np.testing.assert_allclose(copy(patches), run.model(patches), atol=0.1, rtol=0.05)
  finally:
    keras.mixed_precision.set_global_policy('float32')
