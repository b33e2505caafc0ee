"""Several steps in one call of the graph: the same run, bit for bit."""

import dataclasses
import re

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
import tensorflow as tf

from audioset_ml.training.config import SourceConfig, TrainConfig
from audioset_ml.training.optimizer_config import OptimizerConfig
from audioset_ml.training.trainer import Shape, Trainer
from tests.stages import kill_stage_when, run_stage, run_stage_ok
from tests.training.test_train import train_flags
from tests.training.test_train_more import assert_same_run

BATCH, CLASSES = 16, 7


def trained(config, patch, calls):
  """The weights and losses of a run on random batches.

  Args:
    config: the run.
    patch: the patches' shape.
    calls: how many steps each call has; 0 for one step by `train_step`.
  """
  random = np.random.default_rng(0)
  patches = random.normal(size=(5 * BATCH, *patch)).astype(np.float32)
  targets = random.integers(-1, 2, (5 * BATCH, CLASSES)).astype(np.int8)
  data = tf.data.Dataset.from_tensor_slices((patches, targets))
  # The graph must not need to be told the batch's shape.
  batches, losses = iter(data.batch(BATCH).repeat()), []
  trainer = Trainer(config, Shape(CLASSES, patch), tf.distribute.get_strategy())
  for number in calls:
    if number:
      losses += trainer.train_steps(batches, number).numpy().tolist()
    else:
      losses.append(float(trainer.train_step(*next(batches))[0]))
  assert trainer.steps_done == len(losses)
  variables = [*trainer.model.weights, *trainer.optimizer.variables, *trainer.seeds]
  variables += trainer.average.averages if trainer.average else []
  return [np.array(variable) for variable in variables], losses


@pytest.mark.long
@pytest.mark.few
@pytest.mark.parametrize('architecture', ['mlp', 'mobilenet_v1_tiny'])
def test_weights_optimiser_dropout_and_losses_are_the_same(architecture):
  embeddings = architecture == 'mlp'
  config = TrainConfig(
    SourceConfig(''),
    architecture=architecture,
    width_multiplier=0.25,
    dropout=0.3 if embeddings else 0.0,
    ema_decay=0.9,
    batch_size=BATCH,
    optimizer=OptimizerConfig(
      learning_rate=1e-2, schedule='cosine', clip_norm=1.0, accumulate=2
    ),
  )
  patch = (1, 128) if embeddings else (96, 64)
  expected, expected_losses = trained(config, patch, [0] * 11)
  found, losses = trained(config, patch, [4, 1, 6])
  assert losses == expected_losses
  for one, other in zip(found, expected, strict=True):
    assert np.array_equal(one, other)


def test_graphs_are_not_made_anew_for_other_numbers_of_steps():
  config = TrainConfig(SourceConfig(''), architecture='linear', batch_size=BATCH)
  trainer = Trainer(config, Shape(CLASSES, (1, 128)), tf.distribute.get_strategy())
  target = tf.zeros([BATCH, CLASSES], tf.int8)
  traced = []

  def batch(number):
    return tf.fill([BATCH, 1, 128], tf.cast(number, tf.float32)), target

  batches = iter(tf.data.Dataset.counter().map(batch))
  # The loss is called only while a graph is made.
  loss = trainer._loss.call
  trainer._loss.call = lambda *given: traced.append(given) or loss(*given)
  for number in (3, 1, 2):
    assert len(trainer.train_steps(batches, number)) == number
  assert len(traced) == 1


_COUNTS = st.integers(1, 12)


@hypothesis.given(_COUNTS, _COUNTS, _COUNTS, st.integers(1, 40), st.booleans(), _COUNTS)
def test_no_call_goes_beyond_what_is_due(
  log_every, validate_every, checkpoint_every, steps, validated, most
):
  config = TrainConfig(
    SourceConfig(''),
    log_every=log_every,
    validate_every=validate_every,
    checkpoint_every=checkpoint_every,
    steps=steps,
    validation_records='somewhere' if validated else '',
  )
  every = [log_every, checkpoint_every] + [validate_every] * validated
  expected = {
    step
    for step in range(1, steps + 1)
    if step == steps or any(step % one == 0 for one in every)
  }
  done, ends = 0, set()
  while done < steps:
    number = min(most, config.steps_until_due(done))
    assert number >= 1
    assert not expected & set(range(done + 1, done + number))
    done += number
    ends.add(done)
  assert done == steps
  assert expected <= ends


@pytest.mark.slow
def test_a_killed_run_that_goes_on_with_other_calls_is_the_same_run(
  small_records, tmp_path
):
  flags = [
    *('--steps=60', '--checkpoint_every=8', '--log_every=3', '--validate_every=20'),
    *(f'--validation_records={small_records}', '--best_metric=map'),
    *(f'--mix_records={small_records}', '--mix_fraction=0.5', '--mixup_alpha=0.3'),
  ]
  undisturbed, killed = tmp_path / 'undisturbed', tmp_path / 'killed'
  run_stage_ok('train', *train_flags(small_records, undisturbed, *flags))
  index = killed / 'checkpoints' / 'checkpoint'
  flags = train_flags(small_records, killed, *flags)
  kill_stage_when(
    lambda: index.exists() and 'ckpt-16' in index.read_text(),
    *('train', *flags, '--steps_per_call=5'),
  )
  assert not (killed / 'run.json').exists(), 'it ended before it was killed'
  printed = run_stage_ok('train', *flags, '--steps_per_call=2')
  assert 'going on from step' in printed
  assert_same_run(undisturbed, killed)
  # What is finished is, whatever the calls.
  assert 'finished already' in run_stage_ok('train', *flags)


@pytest.mark.long
def test_a_loss_that_is_no_number_is_named_with_its_step(small_records, tmp_path):
  said = []
  for number in (1, 16):
    out = tmp_path / 'out'
    flags = train_flags(small_records, out, '--steps=40', '--learning_rate=3e38')
    flags += ['--checkpoint_every=10']
    done = run_stage('train', *flags, f'--steps_per_call={number}')
    assert done.returncode == 1
    said.append(done.stderr.partition('error: ')[2])
  assert re.match(r'the loss is \S+ at step \d+; ', said[0])
  assert said[0] == said[1]
  # It is told where losses are looked at, and nothing is saved from its step on.
  lost = int(re.search(r'at step (\d+)', said[0])[1])
  kept = (out / 'checkpoints').glob('ckpt-*.index')
  assert all(int(path.stem[5:]) < lost for path in kept)


@pytest.mark.parametrize(
  ('change', 'named'),
  [
    ({'strategy': 'mirrored'}, 'strategy=mirrored'),
    ({'strategy': 'multi_worker'}, 'strategy=multi_worker'),
    ({'data_service': 'host:1'}, 'data_service'),
  ],
)
def test_what_cannot_make_several_steps_in_a_call_says_so(change, named):
  plain = TrainConfig(SourceConfig(''))
  dataclasses.replace(plain, steps_per_call=8)
  dataclasses.replace(plain, **change)
  with pytest.raises(ValueError, match=f'steps_per_call is 8, but with {named}'):
    dataclasses.replace(plain, steps_per_call=8, **change)


@pytest.mark.parametrize('wrong', ['0', '-3', 'many'])
def test_a_wrong_number_is_one_clear_line(tmp_path, wrong):
  flags = ('--records=x', f'--output_dir={tmp_path}/out')
  done = run_stage('train', *flags, f'--steps_per_call={wrong}')
  assert done.returncode == 1
  assert 'steps_per_call' in done.stderr
  assert 'Traceback' not in done.stderr
