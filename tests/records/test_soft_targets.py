"""Targets that teachers' scores soften, against numpy."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from audioset_ml.core.errors import InputError, RecordError
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.labels.clip_labels import ClipLabels, StrongEvent
from audioset_ml.labels.label_set import LabelSet
from audioset_ml.labels.states import LabelState
from audioset_ml.records import schema
from audioset_ml.records.augment_config import AugmentConfig
from audioset_ml.records.augmentation import mix_targets
from audioset_ml.records.folder import RecordsFolder
from audioset_ml.records.frames import FrameFormat
from audioset_ml.records.scores import ClipPatchScores, ClipScores, write_scores
from audioset_ml.records.soft_scores import SoftConfig, SoftScores
from audioset_ml.records.top_scores import TopClipScores, TopPatchScores, TopValues
from audioset_ml.records.training_input import InputConfig, training_dataset
from audioset_ml.records.training_source import Source
from audioset_ml.training.config import SourceConfig, TrainConfig
from audioset_ml.training.loss_config import LossConfig

LOG_MEL = FrameFormat.log_mel()
CLIPS, CLASSES, PATCHES = 30, 5, 4
STATES = [
  LabelState.EXPLICIT_POSITIVE,
  LabelState.EXPLICIT_NEGATIVE,
  LabelState.UNSURE,
  LabelState.IMPLICIT_NEGATIVE,
  LabelState.IMPLICIT_NEGATIVE,
]
RANDOM = np.random.default_rng(0)
CLIP_SCORES = [RANDOM.random((CLIPS, CLASSES)).astype(np.float32) for _ in range(2)]
PATCH_SCORES = RANDOM.random((CLIPS * PATCHES, CLASSES)).astype(np.float16)
FLAGGED = RANDOM.random((CLIPS, CLASSES)) < 0.5


@pytest.fixture(scope='module')
def records(tmp_path_factory):
  """Clips of which each frame's value is its number, with labels of all states."""
  folder = tmp_path_factory.mktemp('soft')
  shard, ids = str(folder / 'shard'), tuple(f'clip{i}_0' for i in range(CLIPS))
  frames = np.repeat(np.arange(96 + 48 * (PATCHES - 1))[:, np.newaxis], 64, axis=1)
  with tf.io.TFRecordWriter(shard) as writer:
    for clip_id in ids:
      weak = {c: s for c, s in enumerate(RANDOM.permutation(STATES)) if s}
      labels = ClipLabels(
        clip_id,
        {c: LabelState(s) for c, s in weak.items()},
        (StrongEvent(1, 0.0, 0.9),),
      )
      writer.write(schema.serialize(labels, frames, LOG_MEL))
  class_map = ClassMap(tuple('abcde'), tuple('abcde'))
  return RecordsFolder(
    folder, (shard,), ids, class_map, LOG_MEL, {'clips_with_events': CLIPS}
  )


def scores_of(records, values):
  return ClipScores('', records.clip_ids, records.class_map, values)


def batches(source, mix=None, tells_explicit=False, **augment):
  config = InputConfig(
    batch_size=10,
    shuffle_buffer=16,
    augment=AugmentConfig(**augment),
    tells_explicit=tells_explicit,
    tells_clips=True,
  )
  data = training_dataset(source, config, mix, 0.5 if mix else 0.0)
  return list(data.take(4).as_numpy_iterator())


@pytest.mark.long
@pytest.mark.parametrize(
  ('label_mode', 'on'),
  [  # label sets are of weak labels
    ('weak', 'all'),
    ('weak', 'implicit'),
    ('weak', 'flagged'),
    ('strong', 'all'),
    ('strong', 'implicit'),
  ],
)
@pytest.mark.parametrize('weight', [1.0, 0.3])
def test_targets_are_labels_and_scores_in_shares(records, label_mode, on, weight):
  config = SoftConfig(('a', 'b'), weight, on)
  soft = SoftScores(config, [scores_of(records, values) for values in CLIP_SCORES])
  source, label_set = Source(records, label_mode, soft=None), None
  if on == 'flagged':
    packed = np.packbits(FLAGGED, axis=1)
    label_set = LabelSet('x', records.clip_ids, records.class_map, packed, 'soft')
  softened = dataclasses.replace(source, soft=soft, label_set=label_set)
  hard = batches(source, tells_explicit=True)
  mean = (CLIP_SCORES[0] + CLIP_SCORES[1]) / 2
  changed = 0
  for (patches, target, clips), other in zip(batches(softened), hard, strict=True):
    assert patches.tobytes() == other[0].tobytes()
    state = other[1]
    if label_mode == 'weak':
      assert clips.tobytes() == other[2].tobytes()
    rows = clips[:, 0]
    if label_mode == 'strong':  # no clip is told, but all have the same labels' times
      rows = None
    where = {'all': state != -1, 'implicit': state == 0}.get(on)
    if on == 'flagged':
      where = FLAGGED[rows] & (state == 0)
    plain = np.where(state == -2, 0, state).astype(np.float32)
    assert target.dtype == np.float32
    assert (target[~where] == plain[~where]).all()
    changed += where.sum()
    if rows is not None:
      expected = (1 - weight) * plain + weight * mean[rows]
      np.testing.assert_allclose(target[where], expected[where], rtol=1e-6)
  assert changed


def test_a_patch_has_the_scores_of_the_nearest_scored_one(records):
  offsets = np.arange(CLIPS + 1) * PATCHES
  parts = [ClipPatchScores(PATCH_SCORES, offsets)]
  soft = SoftScores(SoftConfig(('a',), patches=True), parts)
  seen = set()
  found = batches(Source(records, soft=soft))
  hard = batches(Source(records))
  for (patches, target, clips), (_, plain, _) in zip(found, hard, strict=True):
    for patch, row, (clip,), label in zip(patches, target, clips, plain, strict=True):
      start = int(patch[0, 0])
      nearest = min(
        range(PATCHES), key=lambda i, start=start: (abs(48 * i - start), -i)
      )
      expected = PATCH_SCORES[clip * PATCHES + nearest].astype(np.float32)
      assert row.tolist() == np.where(label == -1, -1, expected).tolist()
      seen.add(nearest)
  assert seen == set(range(PATCHES))


@pytest.mark.parametrize('absent', ['zero', 'label'])
@pytest.mark.parametrize('weight', [1.0, 0.3])
def test_of_the_highest_classes_alone_the_others_are_zero_or_the_label(
  records, absent, weight
):
  """Of one teacher; of the other all classes are known."""
  top = TopValues.of(CLIP_SCORES[0], 2)
  ids, class_map = records.clip_ids, records.class_map
  parts = [TopClipScores('', ids, class_map, top), scores_of(records, CLIP_SCORES[1])]
  config = SoftConfig(('a', 'b'), weight, absent=absent)
  found = batches(Source(records, soft=SoftScores(config, parts)))
  hard, left = batches(Source(records)), 0
  for (_, target, clips), (_, labels, _) in zip(found, hard, strict=True):
    for row, (clip,), states in zip(target, clips, labels, strict=True):
      kept = np.argsort(-CLIP_SCORES[0][clip])[:2]
      first = states.astype(np.float32) if absent == 'label' else np.zeros(CLASSES)
      first[kept] = CLIP_SCORES[0][clip, kept]
      mean = (first + CLIP_SCORES[1][clip]) / 2
      expected = np.where(states < 0, -1, (1 - weight) * states + weight * mean)
      np.testing.assert_allclose(row, expected, rtol=1e-6)
      left += (states[first == states] == 1).sum()
  assert (left > 0) == (absent == 'label')


def test_patches_may_have_their_highest_classes_alone(records):
  values = PATCH_SCORES.astype(np.float32)
  offsets = np.arange(CLIPS + 1) * PATCHES
  config = SoftConfig(('a',), patches=True)
  rows, patches = np.array([3, 7]), np.array([1, 9])
  soft = SoftScores(config, [TopPatchScores(TopValues.of(values, 3), offsets)])
  places = [3 * PATCHES + 1, 7 * PATCHES + PATCHES - 1]
  for found, place in zip(soft.of(rows, patches), places, strict=True):
    kept = np.argsort(-values[place])[:3]
    assert sorted(np.flatnonzero(found)) == sorted(kept)
    assert found[kept].tolist() == values[place, kept].tolist()


def test_the_hard_labels_of_a_second_source_stay_hard(records):
  soft = SoftScores(SoftConfig(('a',)), [scores_of(records, CLIP_SCORES[0])])
  strong = Source(records, 'strong')
  kinds = set()
  for _, target, clips in batches(Source(records, soft=soft), strong):
    for row, (clip,) in zip(target, clips, strict=True):
      hard = set(row.tolist()) <= {-1.0, 0.0, 1.0}
      assert hard == (clip < 0)
      kinds.add(hard)
  assert kinds == {True, False}


_SOFT = st.one_of(
  st.sampled_from([-1.0, 0.0, 1.0]), st.floats(0, 1, width=32, allow_subnormal=False)
)


@given(st.lists(st.tuples(_SOFT, _SOFT), min_size=1))
def test_a_mixture_has_the_higher_target_unless_one_may_be_present(pairs):
  one, other = np.array(pairs, np.float32).T
  found = mix_targets(tf.constant(one), tf.constant(other)).numpy()
  expected = [
    1 if 1 in pair else -1 if -1 in pair else max(pair)
    for pair in zip(one.tolist(), other.tolist(), strict=True)
  ]
  assert found.tolist() == expected


def test_an_input_with_scores_goes_on_from_a_checkpoint(records, tmp_path):
  soft = SoftScores(SoftConfig(('a',)), [scores_of(records, CLIP_SCORES[0])])
  source, config = Source(records, soft=soft), InputConfig(7, 16)
  iterator = iter(training_dataset(source, config))
  for _ in range(3):
    next(iterator)
  path = tf.train.Checkpoint(iterator=iterator).save(str(tmp_path / 'position'))
  expected = [next(iterator)[1].numpy().tobytes() for _ in range(3)]
  again = iter(training_dataset(source, config))
  tf.train.Checkpoint(iterator=again).restore(path)
  assert [next(again)[1].numpy().tobytes() for _ in range(3)] == expected


def test_scores_are_held_against_the_records(records, tmp_path):
  def opened(values, ids=records.clip_ids, class_map=records.class_map, **options):
    write_scores(tmp_path, ClipScores('', ids, class_map, values))
    (tmp_path / 'run.json').write_text('{"stage": "score"}')
    return SoftScores.open(SoftConfig((str(tmp_path),), **options), records)

  values = CLIP_SCORES[0]
  rows = np.array([3, 1])
  assert opened(values).of(rows, rows).tolist() == values[rows].tolist()
  with pytest.raises(RecordError, match='of which 29 are among the 30'):
    opened(values[1:], records.clip_ids[1:])
  with pytest.raises(RecordError, match='class 0 is a, but in the scores'):
    opened(values, class_map=ClassMap(tuple('vwxyz'), tuple('vwxyz')))
  with pytest.raises(RecordError, match='has no scores of patches'):
    opened(values, patches=True)
  for wrong in (1.5, -0.1, np.nan):
    changed = values.copy()
    changed[5, 2] = wrong
    with pytest.raises(InputError, match=r'no probability.*--soft_scores.*import_scor'):
      opened(changed)


def test_a_softened_label_set_and_scores_need_each_other(records):
  soft = SoftScores(SoftConfig(('a',), on='flagged'), [])
  sets = {
    flagged_as: LabelSet(
      'x', records.clip_ids, records.class_map, np.packbits(FLAGGED, axis=1), flagged_as
    )
    for flagged_as in ('ignored', 'soft')
  }
  for options in (
    {'soft': soft},
    {'soft': soft, 'label_set': sets['ignored']},
    {'label_set': sets['soft']},
    {'soft': SoftScores(SoftConfig(('a',)), []), 'label_set': sets['soft']},
  ):
    with pytest.raises(InputError, match='soft_on=flagged and a label set of'):
      Source(records, **options)


@pytest.mark.parametrize(
  ('given', 'message'),
  [
    ({'weight': 0.0}, r'soft_weight is 0.0, but must be in \(0, 1\]'),
    ({'on': 'some'}, "soft_on is 'some': choose from all, implicit, flagged"),
    ({'scores': ('a', 'a')}, 'soft_scores names a folder twice'),
    ({'absent': 'mean'}, "soft_absent is 'mean': choose from zero, label"),
  ],
)
def test_wrong_values_are_refused(given, message):
  with pytest.raises(InputError, match=message):
    SoftConfig(**{'scores': ('a',), **given})


def test_losses_that_suspect_labels_take_no_soft_ones():
  told = r'go with negative_loss splc: take negative_loss=bce, or .*soft_scores \(a\)'
  with pytest.raises(InputError, match=told):
    TrainConfig(
      SourceConfig(''), loss=LossConfig('splc', epoch_steps=1), soft=SoftConfig(('a',))
    )
