"""The `train` entry point: label modes, mixtures, the best model, starting points."""

import contextlib
import json
import re

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.stages import kill_stage_when, run_stage, run_stage_ok
from tests.training.test_train import scalars, train_flags, weights


@pytest.fixture
def run(small_records, tmp_path):
  """Trains a tiny model for some steps; its folder and what was printed."""

  def train(name, *changes, steps=6):
    out = tmp_path / name
    flags = train_flags(small_records, out, f'--steps={steps}', *changes)
    return out, run_stage_ok('train', *flags)

  return train


@pytest.mark.long
def test_everything_at_once_trains(run, small_records):
  """A mixture of weak and strong labels with all that `train` can do."""
  out, printed = run(
    'all',
    f'--mix_records={small_records}',
    '--mix_label_mode=strong',
    '--mix_fraction=0.8',
    '--strong_fraction=0.9',
    '--ignore_unannotated',
    '--balance_power=0.5',
    *('--gain_db=6', '--shift_seconds=0.2', '--mixup_alpha=0.3'),
    *('--frequency_masks=1', '--time_masks=2'),
    *('--optimizer=adamw', '--schedule=exponential', '--warmup_fraction=0.2'),
    *('--clip_norm=1', '--accumulate=2', '--ema_decay=0.9'),
    '--precision=mixed_bfloat16',
    f'--validation_records={small_records}',
    *('--validate_every=6', '--best_metric=lwlrap', '--curve_class=High'),
    '--profile_steps=2',
    steps=13,
  )
  assert 'step 6: validation' in printed
  model = keras.saving.load_model(out / 'model.keras', compile=False)
  assert {weight.dtype for weight in model.weights} == {'float32'}
  run_json = json.loads((out / 'run.json').read_text())
  best = max(scalars(out / 'logs')['lwlrap', step] for step in (6, 12, 13))
  assert run_json['counts']['validation']['lwlrap'] == pytest.approx(best, abs=1e-6)
  tags = tags_of(out / 'logs')
  assert {'scores/explicit_positives', 'scores/explicit_negatives'} <= tags
  assert 'precision_recall/High/pr_curves' in tags or any(
    tag.startswith('precision_recall/High') for tag in tags
  )
  assert sum(tag.startswith('clips/') for tag in tags) == 4
  assert 'flags' in tags
  shown = hparams_of(out / 'logs')
  assert shown['label_set'] == ''  # not given
  assert (shown['freeze_body'], shown['batch_size']) == ('False', '8')
  assert list((out / 'logs').rglob('*.xplane.pb'))


def hparams_of(folder):
  """The flags in TensorBoard's HParams."""
  from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

  for path in folder.rglob('events*'):
    for event in tf.compat.v1.train.summary_iterator(str(path)):
      for value in event.summary.value:
        if value.tag.startswith('_hparams_/session_start_info'):
          content = HParamsPluginData.FromString(value.metadata.plugin_data.content)
          found = content.session_start_info.hparams
          return {name: one.string_value for name, one in found.items()}
  raise AssertionError('no HParams')


def tags_of(folder):
  return {
    value.tag
    for path in folder.rglob('events*')
    for event in tf.compat.v1.train.summary_iterator(str(path))
    for value in event.summary.value
  }


@pytest.fixture(scope='module')
def first(small_records, tmp_path_factory):
  """Five steps on weak labels."""
  out = tmp_path_factory.mktemp('first') / 'model'
  run_stage_ok('train', *train_flags(small_records, out, '--steps=5'))
  return out


@pytest.mark.long
@pytest.mark.parametrize(
  ('flag', 'same'),
  [('--seed=0', True), ('--label_mode=strong', False)],
)
def test_the_same_flags_give_the_same_weights_and_others_do_not(run, first, flag, same):
  again, _ = run('again', flag, steps=5)
  pairs = zip(weights(first), weights(again), strict=True)
  assert all(np.array_equal(a, b) for a, b in pairs) == same


@pytest.mark.long
@pytest.mark.parametrize('steps_per_call', [pytest.param(1, marks=pytest.mark.slow), 7])
def test_training_stops_when_nothing_gets_better(run, small_records, steps_per_call):
  out, printed = run(
    'patient',
    f'--validation_records={small_records}',
    *('--validate_every=10', '--best_metric=map', '--patience=2', '--show_clips=0'),
    f'--steps_per_call={steps_per_call}',
    steps=500,
  )
  best = re.search(r'step (\d+): no better map since step (\d+); stopping', printed)
  stopped, since = map(int, best.groups())
  assert stopped == since + 20
  assert json.loads((out / 'run.json').read_text())['counts']['steps'] == stopped


@pytest.mark.slow
def test_the_optimisers_state_can_be_taken_over(run, first):
  fresh, _ = run('fresh', f'--init_from={first}', steps=1)
  going_on, _ = run('going_on', f'--init_from={first}', '--init_optimizer', steps=1)
  model = keras.saving.load_model(first / 'model.keras', compile=False)
  kernel = next(i for i, w in enumerate(model.weights) if w.path == 'logits/kernel')
  start = weights(first)[kernel]
  moved = [np.abs(weights(out)[kernel] - start) for out in (fresh, going_on)]
  # Adam's first step moves every weight by the learning rate; a later one by less.
  assert np.median(moved[0]) == pytest.approx(0.01, rel=0.01)
  assert 0 < np.median(moved[1]) < 0.008


@pytest.mark.slow
def test_an_optimiser_taken_over_twice_begins_its_schedule_anew(run, first):
  flags = ('--init_optimizer', '--schedule=cosine', '--log_every=1')
  second, _ = run('second', f'--init_from={first}', *flags, steps=3)
  third, _ = run('third', f'--init_from={second}', *flags, steps=3)
  rates = [
    [
      value
      for (tag, _), value in sorted(scalars(out / 'logs').items())
      if tag == 'learning_rate'
    ]
    for out in (second, third)
  ]
  assert rates[0] == rates[1]
  assert rates[0][0] > 2 * rates[0][-1] > 0


@pytest.mark.long
@pytest.mark.parametrize('part', ['body', 'batch_norm'])
def test_what_is_frozen_stays(run, first, part):
  frozen, _ = run('frozen', f'--init_from={first}', f'--freeze_{part}', steps=2)
  model = keras.saving.load_model(frozen / 'model.keras', compile=False)
  changed = {
    weight.path.split('/')[0]
    for weight, old in zip(model.weights, weights(first), strict=True)
    if not np.array_equal(weight.numpy(), old)
  }
  if part == 'body':
    assert changed == {'logits'}
  else:
    assert {'logits', 'layer1_conv'} < changed
    assert not any(name.endswith('_bn') for name in changed)


@pytest.mark.parametrize(
  ('flags', 'message'),
  [
    (
      ['--mix_fraction=0.8'],
      '--mix_fraction does nothing here: it needs --mix_records',
    ),
    (['--weight_decay=0.1'], '--weight_decay does nothing here'),
    (['--final_fraction=0.5'], 'it needs --schedule=cosine or exponential'),
    (['--validate_every=5'], 'it needs --validation_records'),
    (['--validation_list=x'], 'it needs --validation_records'),
    (['--validate_strong'], 'it needs --validation_records'),
    (['--strong_fraction=0.5'], 'it needs a source with diffuse or strong labels, or'),
    (
      ['--mix_clip_list=x'],
      '--mix_clip_list does nothing here: it needs --mix_records',
    ),
    (['--ignore_unannotated'], 'it needs a source with diffuse or strong labels'),
    (['--label_mode=strong', '--label_set=x'], 'it needs a source with weak labels'),
    (['--strategy=multi_worker'], 'needs TF_CONFIG'),
    (['--gain_db=inf'], 'gain_db is inf'),
    (
      ['--strategy=mirrored', '--accumulate=2'],
      'accumulate is for strategy=one_device',
    ),
    (['--leave_out_fold=1'], '--leave_out_fold does nothing here: it needs --folds'),
    (['--folds=3', '--leave_out_fold=3'], 'no fold 3 among 3'),
  ],
)
def test_wrong_flags_are_one_clear_line(small_records, tmp_path, flags, message):
  done = run_stage('train', *train_flags(small_records, tmp_path / 'out', *flags))
  assert done.returncode == 1
  assert message in done.stderr + done.stdout
  assert 'Traceback' not in done.stderr


def events_by_step(folder):
  """How often each tag was logged at each step."""
  found = {}
  for path in folder.rglob('events*'):
    with contextlib.suppress(tf.errors.DataLossError):  # while it is being written
      for event in tf.compat.v1.train.summary_iterator(str(path)):
        for value in event.summary.value:
          key = value.tag, event.step
          found[key] = found.get(key, 0) + 1
  return found


def killed_at_random(small_records, tmp_path, kills, seed):
  """A run that is killed so many times, and an undisturbed one; their folders."""
  flags = [
    '--steps=120',
    '--checkpoint_every=4',
    '--log_every=3',
    '--validate_every=10',
    f'--validation_records={small_records}',
    *('--best_metric=map', '--ema_decay=0.9', '--mixup_alpha=0.3'),
    *(f'--mix_records={small_records}', '--mix_fraction=0.5'),
  ]
  undisturbed, killed = tmp_path / 'undisturbed', tmp_path / 'killed'
  run_stage_ok('train', *train_flags(small_records, undisturbed, *flags))
  random = np.random.default_rng(seed)

  def newest():
    found = (killed / 'checkpoints').glob('ckpt-*.index')
    return max((int(path.stem[5:]) for path in found), default=0)

  # At a random moment after the next checkpoint, so that each run gets further.
  for _ in range(kills):
    before = newest()
    kill_stage_when(
      lambda before=before: newest() > before and random.random() < 0.02,
      'train',
      *train_flags(small_records, killed, *flags),
    )
    assert not (killed / 'run.json').exists(), 'it ended before it was killed'
  printed = run_stage_ok('train', *train_flags(small_records, killed, *flags))
  assert 'going on from step' in printed
  return undisturbed, killed


def assert_same_run(undisturbed, killed):
  for one, other in zip(weights(undisturbed), weights(killed), strict=True):
    assert np.array_equal(one, other)
  logged = events_by_step(killed / 'logs')
  assert set(logged) == set(events_by_step(undisturbed / 'logs'))
  assert set(logged.values()) == {1}
  values, expected = scalars(killed / 'logs'), scalars(undisturbed / 'logs')
  for key, value in expected.items():
    if key[0] != 'patches_per_second':
      assert values[key] == value, key


@pytest.mark.slow
def test_what_was_logged_before_the_first_checkpoint_is_not_logged_twice(
  small_records, tmp_path
):
  out = tmp_path / 'early'
  flags = train_flags(
    small_records, out, '--steps=60', '--log_every=1', '--checkpoint_every=60'
  )
  logs = out / 'logs' / 'train'
  kill_stage_when(
    lambda: logs.exists() and len(events_by_step(logs)) > 3, 'train', *flags
  )
  run_stage_ok('train', *flags)
  assert set(events_by_step(out / 'logs').values()) == {1}
  assert set(range(1, 61)) <= {step for _, step in events_by_step(out / 'logs')}


@pytest.mark.slow
def test_a_run_killed_ten_times_ends_as_an_undisturbed_one(small_records, tmp_path):
  assert_same_run(*killed_at_random(small_records, tmp_path, 12, seed=1))
