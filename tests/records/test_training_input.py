"""Sources, their mixture, and which of their clips are read."""

import collections
import dataclasses

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from audioset_ml.core.errors import InputError, RecordError
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.labels.clip_labels import ClipLabels, ClipLabelTable, StrongEvent
from audioset_ml.labels.states import LabelState
from audioset_ml.records import schema
from audioset_ml.records.augment_config import AugmentConfig
from audioset_ml.records.folder import RecordsFolder
from audioset_ml.records.folds import Fold
from audioset_ml.records.frames import FrameFormat
from audioset_ml.records.training_input import InputConfig, training_dataset
from audioset_ml.records.training_source import Source

LOG_MEL = FrameFormat.log_mel()
CLIPS = 200


@pytest.fixture(scope='module')
def records(tmp_path_factory):
  """Clip i has class 0, every twentieth class 1 alone; each an event of class 2.

  The value of its features is the clip's number.
  """
  folder = tmp_path_factory.mktemp('many')
  shards = [str(folder / f'{i}.tfrecord') for i in range(2)]
  ids = [f'clip{number}_0' for number in range(CLIPS)]
  for place, shard in enumerate(shards):
    with tf.io.TFRecordWriter(shard) as writer:
      for number in range(place, CLIPS, 2):
        weak = {int(number % 20 == 7): LabelState.EXPLICIT_POSITIVE}
        labels = ClipLabels(ids[number], weak, (StrongEvent(2, 0.0, 1.0),))
        log_mel = np.full((96, 64), number)
        writer.write(schema.serialize(labels, log_mel, LOG_MEL))
  rare = len(range(7, CLIPS, 20))
  return RecordsFolder(
    folder,
    tuple(shards),
    tuple(ids),
    ClassMap(tuple('abcd'), tuple('abcd')),
    LOG_MEL,
    {'clips_with_events': CLIPS},
    {
      'a': {'explicit_positives': CLIPS - rare, 'clips_with_events': 0},
      'b': {'explicit_positives': rare, 'clips_with_events': 0},
      'c': {'explicit_positives': 0, 'clips_with_events': CLIPS},
    },
  )


def read(batches, source, mix=None, mix_fraction=0.0, **options):
  config = InputConfig(**{'batch_size': 20, 'shuffle_buffer': 50, **options})
  data = training_dataset(source, config, mix, mix_fraction).take(batches)
  patches, targets = zip(*data.as_numpy_iterator(), strict=True)
  numbers = np.concatenate(patches)[:, 0, 0].astype(int)
  return numbers.tolist(), np.concatenate(targets)


@pytest.mark.parametrize('fraction', [0.0, 0.3, 0.8, 1.0])
def test_two_sources_are_mixed_in_their_shares(records, fraction):
  weak, strong = Source(records), Source(records, 'strong')
  _, targets = read(100, weak, strong, fraction)
  share = (targets[:, 2] == 1).mean()
  if fraction in (0, 1):
    assert share == fraction
  else:
    assert share == pytest.approx(fraction, abs=0.04)  # 2,000 draws: three sigma


@pytest.mark.long
@pytest.mark.parametrize('patches_per_clip', [1, 3])
def test_a_mixture_goes_on_from_a_checkpoint(records, tmp_path, patches_per_clip):
  config = InputConfig(
    batch_size=8,
    patches_per_clip=patches_per_clip,
    shuffle_buffer=30,
    balance_power=1.0,
    augment=AugmentConfig(gain_db=6, mixup_alpha=0.5, time_masks=1),
  )
  sources = Source(records), Source(records, 'strong', clip_fraction=0.5)
  data = training_dataset(sources[0], config, sources[1], 0.5)
  iterator = iter(data)
  for _ in range(37):
    next(iterator)
  path = tf.train.Checkpoint(iterator=iterator).save(tmp_path / 'position')
  expected = [next(iterator) for _ in range(20)]
  again = iter(training_dataset(sources[0], config, sources[1], 0.5))
  tf.train.Checkpoint(iterator=again).restore(path).assert_consumed()
  for batch in expected:
    for one, other in zip(batch, next(again), strict=True):
      np.testing.assert_array_equal(one, other)


def test_each_clip_gives_several_patches_an_epoch(records):
  few = Source(records, clip_fraction=0.1)
  clips = len(few.chosen())
  numbers, targets = read(
    3, few, batch_size=clips, shuffle_buffer=1, patches_per_clip=3
  )
  assert collections.Counter(numbers) == dict.fromkeys(set(numbers), 3)
  rare = np.array([number % 20 == 7 for number in numbers])
  np.testing.assert_array_equal(targets[:, 1] == 1, rare)


@pytest.mark.long
def test_fractions_of_clips_are_nested_and_about_as_large(records):
  chosen = {}
  for fraction in (0.1, 0.2, 0.5, 0.9):
    numbers, _ = read(40, Source(records, clip_fraction=fraction), shuffle_buffer=1)
    chosen[fraction] = set(numbers)
    assert len(chosen[fraction]) == pytest.approx(CLIPS * fraction, abs=25)
  assert chosen[0.1] < chosen[0.2] < chosen[0.5] < chosen[0.9]


def test_of_a_share_that_was_prepared_training_takes_a_share(records):
  ids = [f'c{number}_0' for number in range(4000)]
  columns = ('clip', 'start', 'end', 'class_index', 'state', 'present')
  nothing = pd.DataFrame(columns=columns, dtype=int)
  clips = pd.DataFrame({'clip_id': ids, 'seconds': 10.0})
  sample = ClipLabelTable(clips, nothing, nothing).sample(0.25).clips['clip_id']
  few = dataclasses.replace(records, clip_ids=tuple(sample))
  chosen = Source(few, clip_fraction=0.25).chosen()
  assert len(chosen) == pytest.approx(0.25 * len(sample), abs=50)


def test_a_fraction_of_no_clips_is_an_error(records):
  one = dataclasses.replace(records, clip_ids=records.clip_ids[:1])
  with pytest.raises(RecordError, match='is none'):
    read(1, Source(one, clip_fraction=1e-9))
  with pytest.raises(InputError, match=r'is 0, not in \(0, 1\]'):
    Source(records, clip_fraction=0)


def test_no_clip_that_is_left_is_an_error_and_no_endless_wait(records):
  """The chosen clips are others than those with strong labels."""
  ids = ('other_0', *records.clip_ids[1:])
  chosen = Source(dataclasses.replace(records, clip_ids=ids[:1]), clip_fraction=0.99)
  with pytest.raises(RecordError, match='no clip is left to train on'):
    read(1, chosen)


def test_a_fold_is_left_out(records):
  fold = Fold(1, 4)
  numbers, _ = read(40, Source(records, left_out=fold), shuffle_buffer=1)
  expected = {i for i in range(CLIPS) if not fold.holds(records.clip_ids[i])}
  assert set(numbers) == expected
  assert 0.6 * CLIPS < len(expected) < 0.9 * CLIPS


@pytest.mark.long
def test_balancing_reads_classes_equally_often(records):
  _, targets = read(200, Source(records), balance_power=0.0)
  assert (targets[:, 1] == 1).mean() == pytest.approx(0.05, abs=0.02)
  numbers, targets = read(200, Source(records), balance_power=1.0)
  assert (targets[:, 1] == 1).mean() == pytest.approx(0.5, abs=0.07)
  times = collections.Counter(numbers)
  rare = [times[number] for number in range(7, CLIPS, 20)]
  assert min(rare) > 0.5 * np.mean(rare)  # all of them alike


@pytest.mark.parametrize(
  ('mode', 'mixup_alpha'), [('weak', 0.0), ('weak', 0.3), ('strong', 0.0)]
)
def test_examples_weigh_as_often_as_balanced_reading_reads_their_clips(
  records, mode, mixup_alpha
):
  """190 clips have class 0, 10 class 1; what these imply, classes 2 and 3 (which no
  clip has), is positive and counts for nothing."""
  implied = np.zeros((4, 4), bool)
  implied[:2, 2:] = True
  source = Source(records, mode, implied=implied)
  weight_of = {False: (100 / 190) ** 0.5, True: (100 / 10) ** 0.5}
  if mode == 'strong':  # each clip has an event of class 2, and none of another
    weight_of = dict.fromkeys(weight_of, 1.0)
  config = InputConfig(
    50,
    shuffle_buffer=1,
    balance_loss=0.5,
    augment=AugmentConfig(mixup_alpha=mixup_alpha),
  )
  seen = collections.Counter()
  unmixed = dataclasses.replace(config, augment=AugmentConfig())
  both = (training_dataset(source, one).take(4) for one in (config, unmixed))
  for (_, target, weights), (patches, *_) in zip(*both, strict=True):
    numbers = patches.numpy()[:, 0, 0].astype(int)
    expected = np.array([weight_of[number % 20 == 7] for number in numbers])
    if mixup_alpha:
      expected = np.maximum(expected, np.roll(expected, 1))
    np.testing.assert_allclose(weights, expected, rtol=1e-6)
    if mode == 'weak':
      assert (target.numpy()[:, 2:] == 1).all()
    seen.update(numbers.tolist())
  assert len(seen) == CLIPS
  if mode == 'weak' and not mixup_alpha:
    numbers, _ = read(80, source, balance_power=0.5)
    rare = np.mean([number % 20 == 7 for number in numbers])
    of_rare, of_others = 10 * weight_of[True], 190 * weight_of[False]
    assert rare == pytest.approx(of_rare / (of_rare + of_others), abs=0.03)


def test_unannotated_classes_are_ignored_on_demand(records):
  _, targets = read(2, Source(records, 'diffuse'))
  assert set(map(tuple, targets)) == {(0, 0, 1, 0)}
  _, targets = read(2, Source(records, 'diffuse', ignore_unannotated=True))
  assert set(map(tuple, targets)) == {(-1, -1, 1, -1)}
  with pytest.raises(InputError, match='is for diffuse and strong labels'):
    Source(records, ignore_unannotated=True)


def test_sources_must_fit_each_other(records):
  other = dataclasses.replace(records, class_map=ClassMap(('x',), ('x',)))
  with pytest.raises(RecordError, match=r'has 4 classes, but .* has 1'):
    read(1, Source(records), Source(other), 0.5)


@pytest.mark.long
@pytest.mark.parametrize(
  'options',
  [
    {},
    pytest.param({'balance_power': 1.0}, marks=pytest.mark.slow),
    pytest.param({'augment': AugmentConfig(shift_seconds=0.1)}, marks=pytest.mark.slow),
    {'augment': AugmentConfig(mixup_alpha=0.3)},
  ],
)
def test_batches_tell_of_which_clips_they_are(records, options):
  """By the numbers of the sources' clips; labels with times are no labels of clips."""
  weak, strong = Source(records), Source(records, 'strong')
  config = InputConfig(20, 50, tells_clips=True, **options)
  place = {int(name[4:-2]): row for row, name in enumerate(records.clip_ids)}
  mixed = bool(config.augment.mixup_alpha)
  for mix, first in ((None, 0), (strong, 0), (weak, CLIPS)):
    seen = set()
    data = training_dataset(weak, config, mix, 0.5 if mix else 0.0).take(5)
    for patches, target, clips in data.as_numpy_iterator():
      assert clips.shape == (20, 2 if mixed else 1)
      if mixed:
        assert clips[:, 1].tolist() == np.roll(clips[:, 0], 1).tolist()
        continue
      for value, row, (clip,) in zip(patches[:, 0, 0], target, clips, strict=True):
        is_strong = mix is strong and row[2] == 1
        expected = -1 if is_strong else place[round(float(value))]
        assert clip in ({expected} if mix is not weak else {expected, expected + first})
        seen.add(int(clip) // CLIPS)
    if not mixed:
      assert seen == {0} | ({-1} if mix is strong else set()) | (
        {1} if first else set()
      )
