"""Labels that a run flags itself: when, which, and what becomes of them."""

import dataclasses
import errno
import json
import os
import signal
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from audioset_ml.core.errors import InputError
from audioset_ml.labels.label_set import LabelSet
from audioset_ml.labels.states import LabelState
from audioset_ml.records.augment_config import AugmentConfig
from audioset_ml.records.augmentation import both_mixed, mix_targets
from audioset_ml.records.dataset import read_label_table
from audioset_ml.records.folder import RecordsFolder
from audioset_ml.records.folds import Fold
from audioset_ml.records.packed_bits import pack, unpack
from audioset_ml.records.training_input import InputConfig, training_dataset
from audioset_ml.records.training_source import Source
from audioset_ml.training.clip_flags import ClipFlags
from audioset_ml.training.config import SourceConfig, TrainConfig
from audioset_ml.training.flagging import Flagger, flagged_parts, write_label_sets
from audioset_ml.training.flagging_config import FlaggingConfig
from audioset_ml.training.loop import train
from audioset_ml.training.loss_config import LossConfig
from audioset_ml.training.loss_table import build_loss
from audioset_ml.training.optimizer_config import OptimizerConfig
from audioset_ml.training.trainer import Shape, Trainer
from tests.stages import kill_stage_when, run_stage_ok
from tests.training.test_train import train_flags, weights

CLIPS = 5
BITS = st.integers(1, 20).flatmap(
  lambda classes: hnp.arrays(bool, st.tuples(st.integers(1, 6), st.just(classes)))
)


@given(BITS)
def test_bits_are_packed_as_numpy_packs_them(bits):
  packed = pack(tf.constant(bits)).numpy()
  assert packed.tolist() == np.packbits(bits, axis=1).tolist()
  assert unpack(tf.constant(packed), bits.shape[1]).numpy().tolist() == bits.tolist()


@settings(max_examples=40)
@given(
  st.integers(1, 10).flatmap(
    lambda classes: st.lists(
      st.lists(
        st.tuples(st.integers(-1, CLIPS - 1), hnp.arrays(bool, classes)),
        min_size=1,
        max_size=6,
      ),
      min_size=1,
      max_size=3,
    )
  )
)
def test_flags_add_up_though_a_batch_has_a_clip_twice(batches):
  classes = len(batches[0][0][1])
  flags, expected = ClipFlags(CLIPS, classes, 'positive'), np.zeros((CLIPS, classes))
  for batch in batches:
    clips, flagged = (np.array(column) for column in zip(*batch, strict=True))
    flags.add(tf.constant(clips[:, np.newaxis]), tf.constant(flagged))
    for clip, row in batch:
      if clip >= 0:
        expected[clip] += row
  found = np.unpackbits(flags.packed, axis=1, count=classes)
  assert found.tolist() == (expected > 0).astype(int).tolist()
  # What is of no clip has no flag.
  nobody = tf.fill([1, 1], tf.constant(-1, tf.int64))
  target = tf.zeros([1, classes], tf.int8)
  assert not flags.applied(target, nobody).numpy().any()


@settings(max_examples=60)
@given(
  hnp.arrays(np.int8, (CLIPS, 6), elements=st.sampled_from([1, 0, 0, 0, -1, -2])),
  hnp.arrays(bool, (CLIPS, 6)),
  st.sampled_from(['ignored', 'positive']),
  st.booleans(),
)
def test_flags_after_mixing_are_those_of_a_label_set_before_it(
  target, bits, flagged_as, told
):
  """Whether explicit negatives are told from implicit ones or not."""
  bits &= target == 0
  flags = ClipFlags(CLIPS, 6, flagged_as)
  flags.replace(0, np.packbits(bits, axis=1))
  clips = tf.range(CLIPS, dtype=tf.int64)[:, tf.newaxis]
  state = {'ignored': -1, 'positive': 1}[flagged_as]
  before = np.where(bits, state, target).astype(np.int8)
  if not told:
    target, before = (np.where(t == -2, 0, t).astype(np.int8) for t in (target, before))
  assert flags.applied(tf.constant(target), clips).numpy().tolist() == before.tolist()
  mixed = mix_targets(target, np.roll(target, 1, axis=0))
  found = flags.applied(mixed, both_mixed(clips)).numpy()
  assert (
    found.tolist() == mix_targets(before, np.roll(before, 1, axis=0)).numpy().tolist()
  )


@given(
  st.integers(1, 60),
  st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.9]),
  st.sampled_from([0.01, 0.05, 0.2, 1.0]),
)
def test_when_labels_are_flagged(steps, first, every):
  config = FlaggingConfig(Decimal(1), first, every)
  begin, between = round(first * steps), max(1, round(every * steps))
  expected = set(range(begin, steps, between))
  for end in range(1, steps + 1):
    before = [step for step in expected if step < end]
    assert config.last_before(end, steps) == max(before, default=None)
  assert {s for s in range(steps + 1) if config.is_due(s, steps)} == expected
  if not expected:
    with pytest.raises(
      InputError, match=f'flag_from is .* of {steps} steps? is the end'
    ):
      TrainConfig(SourceConfig(''), steps=steps, flagging=config)
    return
  run = TrainConfig(SourceConfig(''), steps=steps, flagging=config)
  done, ends = 0, {0}
  while done < steps:
    done += run.steps_until_due(done)
    ends.add(done)
  assert expected <= ends  # no call of the graph goes beyond


@pytest.mark.parametrize(
  ('given', 'message'),
  [
    ({'percent': Decimal(0)}, r'flag_while_training is 0, not in \(0, 100\)'),
    ({'first': 1.0}, r'flag_from is 1.0, but must be in \[0, 1\)'),
    ({'every': 0.0}, r'flag_every is 0.0, but must be in \(0, 1\]'),
    ({'flagged_as': 'soft'}, "flag_as is 'soft': choose from ignored, positive"),
  ],
)
def test_wrong_values_are_refused(given, message):
  with pytest.raises(InputError, match=message):
    FlaggingConfig(**{'percent': Decimal(1), **given})


@pytest.mark.parametrize(
  ('changes', 'reason'),
  [
    ({'source': SourceConfig('', 'strong')}, 'needs a source with weak labels'),
    ({'source': SourceConfig('', label_set='set')}, 'takes the place of label_set'),
    ({'source': SourceConfig('', strong_clips_only=True)}, 'is not for strong_clips'),
    ({'strategy': 'mirrored'}, 'is for strategy=one_device'),
    ({'data_service': 'host:1'}, 'is for records that are read here'),
    ({'loss': LossConfig('ll_cp')}, 'does not go with negative_loss ll_cp'),
  ],
)
def test_what_it_does_not_go_with_is_refused(changes, reason):
  options = {'source': SourceConfig(''), 'flagging': FlaggingConfig(Decimal(1))}
  with pytest.raises(InputError, match=f'flag_while_training {reason}'):
    TrainConfig(**{**options, **changes})


def test_correcting_for_good_needs_to_know_the_clips():
  loss = LossConfig('ll_cp', epoch_steps=3)
  for changes, reason in (
    (
      {'augment': AugmentConfig(mixup_alpha=0.2)},
      'cannot tell of which clip a large loss is',
    ),
    ({'source': SourceConfig('', 'strong')}, 'needs a source with weak labels'),
    ({'data_service': 'host:1'}, 'is for records that are read here'),
  ):
    with pytest.raises(InputError, match=f'negative_loss ll_cp {reason}'):
      TrainConfig(**{'source': SourceConfig(''), 'loss': loss, **changes})


def tiny(records, flagged_as='ignored', **changes):
  """A trainer for records, and its flags."""
  config = TrainConfig(
    SourceConfig(str(records.path)),
    architecture='mobilenet_v1_tiny',
    width_multiplier=0.25,
    batch_size=4,
    **changes,
  )
  shape = Shape(records.num_classes, records.frames.patch_shape)
  flags = ClipFlags(len(records.clip_ids), records.num_classes, flagged_as)
  loss = build_loss(config.loss, records.num_classes, max(config.loss.epoch_steps, 1))
  strategy = tf.distribute.get_strategy()
  return Trainer(config, shape, strategy, loss=loss, flags=flags), flags


@pytest.mark.parametrize('left_out', [None, Fold(0, 3)])
def test_what_is_flagged_is_each_classs_highest_scored_share(
  small_records, tmp_path, left_out
):
  """Of the implicit negatives of the clips that are trained on; by Keras and numpy."""
  records = RecordsFolder.open(small_records)
  trainer, flags = tiny(records)
  random = np.random.default_rng(0)
  for weight in trainer.model.trainable_variables:  # an untrained one says 0.5 of all
    weight.assign(random.normal(0, 0.3, weight.shape))
  sources = [Source(records, left_out=left_out)]
  config = FlaggingConfig(Decimal(60))
  flagger = Flagger(
    config, flagged_parts(sources, (0,)), trainer.model, flags, tmp_path
  )
  assert not flagger.renew(0, lambda: True)
  assert not flags.packed.any()  # nothing by halves
  assert flagger.renew(0)
  assert not list(tmp_path.iterdir())
  states = read_label_table(records).dense()
  trained = np.array([not (left_out and left_out.holds(i)) for i in records.clip_ids])
  scores = plain_scores(trainer.model, records)
  expected = np.zeros(states.shape, int)
  for index in range(records.num_classes):
    implicit = np.flatnonzero((states[:, index] == 0) & trained)
    number = len(implicit) * 60 // 100
    order = implicit[np.argsort(-scores[implicit, index])]
    expected[order[:number], index] = 1
  found = np.unpackbits(flags.packed, axis=1, count=records.num_classes)
  assert expected.any()
  assert found.tolist() == expected.tolist()


def plain_scores(model, records):
  """The mean score of each clip's patches, clip by clip."""
  found = []
  for shard in records.shards:
    for serialized in tf.data.TFRecordDataset(shard):
      features = tf.train.Example.FromString(serialized.numpy()).features.feature
      frames = np.frombuffer(features['log_mel'].bytes_list.value[0], '<f2')
      frames = frames.reshape(-1, 64)[: features['num_frames'].int64_list.value[0]]
      starts = range(0, len(frames) - 95, 48)
      patches = np.stack([frames[start : start + 96] for start in starts])
      logits = model(patches.astype(np.float32), training=False).numpy()
      found.append((1 / (1 + np.exp(-logits))).mean(axis=0))
  return np.array(found)


@pytest.mark.long
@pytest.mark.parametrize(
  'mixup_alpha', [pytest.param(0.0, marks=pytest.mark.slow), 0.4]
)
def test_training_with_flags_is_training_with_a_label_set(small_records, mixup_alpha):
  """The same losses, bit for bit, of the same labels."""
  records = RecordsFolder.open(small_records)
  implicit = read_label_table(records).dense() == LabelState.IMPLICIT_NEGATIVE
  packed = np.packbits(implicit, axis=1)  # all that can be
  augment = AugmentConfig(mixup_alpha=mixup_alpha)
  losses = []
  for is_known in (True, False):
    trainer, flags = tiny(records, augment=augment)
    label_set = LabelSet('x', records.clip_ids, records.class_map, packed)
    source = Source(records, label_set=label_set if is_known else None)
    if not is_known:
      flags.replace(0, packed)
    reading = InputConfig(4, shuffle_buffer=8, tells_clips=True)
    reading = dataclasses.replace(
      reading, augment=dataclasses.replace(reading.augment, mixup_alpha=mixup_alpha)
    )
    batches = iter(training_dataset(source, reading))
    steps = []
    for _ in range(3):
      patches, target, clips = next(batches)
      steps.append(float(trainer.train_step(patches, target, clips=clips)[0]))
    steps += trainer.train_steps(batches, 2).numpy().tolist()
    losses.append(steps)
  assert losses[0] == losses[1]


def test_what_is_corrected_for_good_is_positive_when_its_clip_comes_again(
  small_records,
):
  records = RecordsFolder.open(small_records)
  loss = LossConfig('ll_cp', {'delta': 100}, epoch_steps=2)
  trainer, flags = tiny(records, 'positive', loss=loss)
  patches = tf.random.stateless_normal([4, 96, 64], [0, 1])
  target = tf.constant([[1, 0, -2], [0, 0, 0], [-1, 0, 0], [0, -2, 1]], tf.int8)
  clips = tf.constant([[3], [5], [7], [-1]], tf.int64)
  for _ in range(2):  # the first epoch
    trainer.train_step(patches, target, clips=clips)
    assert not flags.packed.any()
  logits = trainer.model(patches, training=True).numpy()
  loss, _ = trainer.train_step(patches, target, clips=clips)
  # In the very step that finds them; what is of no clip stays as it is.
  now = np.array([[1, 1, 0], [1, 1, 1], [-1, 1, 1], [0, 0, 1]])
  terms = np.logaddexp(0, np.where(now == 1, -logits, logits)) * (now >= 0)
  assert float(loss) == pytest.approx(terms.sum() / 4, rel=1e-4)
  found = np.unpackbits(flags.packed, axis=1, count=3)
  assert found[[3, 5, 7]].tolist() == [[0, 1, 0], [1, 1, 1], [0, 1, 1]]
  assert found.sum() == 6
  changed = flags.applied(target, clips).numpy().tolist()
  assert changed == [[1, 1, -2], [1, 1, 1], [-1, 1, 1], [0, -2, 1]]


@pytest.mark.parametrize('used', [(0,), (1,), (0, 1)])
@pytest.mark.parametrize('modes', [('weak', 'weak'), ('strong', 'weak')])
def test_each_source_that_is_read_has_its_own_label_set(
  small_records, tmp_path, used, modes
):
  """Named by its place; what no example comes from has none."""
  records = RecordsFolder.open(small_records)
  clips = len(records.clip_ids)
  flags = ClipFlags(2 * clips, records.num_classes, 'positive')
  packed = np.zeros((2 * clips, -(-records.num_classes // 8)), np.uint8)
  packed[1], packed[clips + 2] = 128, 128
  flags.replace(0, packed)
  parts = flagged_parts([Source(records, mode) for mode in modes], used)
  about = {'value': '1', 'flagged_as': 'positive'}
  number = write_label_sets(parts, flags, tmp_path, about)
  expected = {
    ('label_set', 'mix_label_set')[p]: [1, 2][p] for p in used if modes[p] == 'weak'
  }
  assert {folder.name for folder in tmp_path.iterdir()} == set(expected)
  assert number == len(expected)
  for name, row in expected.items():
    label_set = LabelSet.read(tmp_path / name)
    assert label_set.flagged_as == 'positive'
    assert np.argwhere(label_set.flagged()).tolist() == [[row, 0]]


def test_a_full_disk_is_told_before_a_page_is_written(
  small_records, tmp_path, monkeypatch
):
  def full(*unused):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

  monkeypatch.setattr(os, 'posix_fallocate', full)
  records = RecordsFolder.open(small_records)
  trainer, flags = tiny(records)
  parts = flagged_parts([Source(records)], (0,))
  config = FlaggingConfig(Decimal(60))
  flagger = Flagger(config, parts, trainer.model, flags, tmp_path)
  with pytest.raises(OSError, match=r'No space left.*flagging_scores'):
    flagger.renew(0)
  assert not list(tmp_path.iterdir())


FLAGGING = (
  '--steps=20',
  '--flag_while_training=60',
  '--flag_every=0.25',
  '--checkpoint_every=4',
)


@pytest.fixture(scope='module')
def flagging(small_records, tmp_path_factory):
  out = tmp_path_factory.mktemp('train') / 'flagging'
  printed = run_stage_ok('train', *train_flags(small_records, out, *FLAGGING))
  return out, printed


def test_a_run_flags_where_it_is_time_and_writes_what_it_flagged(
  flagging, small_records
):
  out, printed = flagging
  told = [line for line in printed.splitlines() if 'labels flagged' in line]
  assert [line.partition(':')[0] for line in told] == ['step 5', 'step 10', 'step 15']
  assert not list(out.glob('.flagging*'))
  records = RecordsFolder.open(small_records)
  states = read_label_table(records).dense()
  label_set = LabelSet.read(out / 'label_set')
  flagged = label_set.flagged()
  assert label_set.clip_ids == records.clip_ids
  assert label_set.description['value'] == '60'
  assert (states[flagged] == LabelState.IMPLICIT_NEGATIVE).all()
  summary = pd.read_csv(out / 'label_set' / 'summary.csv')
  assert summary['flagged'].tolist() == flagged.sum(axis=0).tolist()
  assert summary['implicit'].tolist() == (states == 0).sum(axis=0).tolist()
  assert summary['explicit'].tolist() == np.isin(states, (1, 2)).sum(axis=0).tolist()
  counts = json.loads((out / 'run.json').read_text())['counts']
  assert counts['flagged_labels'] == flagged.sum() > 0


@pytest.mark.slow
def test_a_killed_run_goes_on_with_the_labels_that_it_had_flagged(
  flagging, small_records, tmp_path
):
  """From a checkpoint of step 8, which was written three steps after flagging; and with
  several steps a call, which ends where labels are flagged."""
  out = tmp_path / 'killed'
  flags = train_flags(small_records, out, *FLAGGING, '--steps_per_call=3')
  index = out / 'checkpoints' / 'ckpt-8.index'
  kill_stage_when(index.exists, 'train', *flags)
  assert not (out / 'model.keras').exists()
  assert 'going on from step' in run_stage_ok('train', *flags)
  for one, other in zip(weights(flagging[0]), weights(out), strict=True):
    assert np.array_equal(one, other)
  ours, theirs = (LabelSet.read(f / 'label_set').packed for f in (out, flagging[0]))
  assert np.array_equal(ours, theirs)


@pytest.mark.long
def test_a_run_interrupted_while_it_flags_goes_on_exactly(
  small_records, tmp_path, monkeypatch
):
  """Between two checkpoints, of which it writes another; and before the first step."""
  config = TrainConfig(
    SourceConfig(str(small_records)),
    architecture='mobilenet_v1_tiny',
    width_multiplier=0.25,
    batch_size=4,
    shuffle_buffer=8,
    steps=6,
    optimizer=OptimizerConfig(learning_rate=1e-2),
    flagging=FlaggingConfig(Decimal(60), 0.0, 0.5),
  )
  train(config, tmp_path / 'whole')
  out, asked = tmp_path / 'interrupted', []
  renew = Flagger.renew

  def interrupted(flagger, step, stop):
    asked.append(step)
    if asked.count(step) == 1:
      os.kill(os.getpid(), signal.SIGTERM)
    return renew(flagger, step, stop)

  monkeypatch.setattr(Flagger, 'renew', interrupted)
  for _ in range(2):
    with pytest.raises(KeyboardInterrupt):
      train(config, out)
  counts, _ = train(config, out)
  assert asked == [0, 0, 3, 3]
  assert (out / 'checkpoints' / 'ckpt-3.index').exists()
  for one, other in zip(weights(tmp_path / 'whole'), weights(out), strict=True):
    assert np.array_equal(one, other)
  ours, theirs = (LabelSet.read(f / 'label_set') for f in (out, tmp_path / 'whole'))
  assert counts['flagged_labels'] == ours.flagged().sum() > 0
  assert np.array_equal(ours.packed, theirs.packed)


@pytest.mark.long
def test_what_was_corrected_for_good_is_written_as_a_label_set(small_records, tmp_path):
  flags = ('--negative_loss=ll_cp', '--loss_options=delta=20', '--steps=10')
  printed = run_stage_ok('train', *train_flags(small_records, tmp_path / 'run', *flags))
  assert 'negative_loss ll_cp: from step 2 on 20 % of a batch' in printed
  label_set = LabelSet.read(tmp_path / 'run' / 'label_set')
  assert (label_set.flagged_as, label_set.description['value']) == ('positive', '20')
  states = read_label_table(RecordsFolder.open(small_records)).dense()
  assert (states[label_set.flagged()] == LabelState.IMPLICIT_NEGATIVE).all()
  counts = json.loads((tmp_path / 'run' / 'run.json').read_text())['counts']
  assert counts['flagged_labels'] == label_set.flagged().sum() > 0
