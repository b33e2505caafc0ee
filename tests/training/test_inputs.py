"""Which part of the input each of several workers gets."""

import shutil
import types

import numpy as np
import pytest
import tensorflow as tf

from audioset_ml.core.errors import InputError, RecordError
from audioset_ml.core.hashing import stable_hash
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.labels.states import LabelState
from audioset_ml.records.dataset import read_label_table
from audioset_ml.records.folder import RecordsFolder
from audioset_ml.records.folds import Fold
from audioset_ml.records.scores import ClipScores, write_scores
from audioset_ml.records.training_source import LABEL_MODES
from audioset_ml.training.config import SourceConfig, TrainConfig
from audioset_ml.training.inputs import open_input
from audioset_ml.training.loss_config import LossConfig
from audioset_ml.training.sources import (
  epoch_steps,
  lost_of_lists,
  open_inputs,
)


def worker(index, workers, replicas=1):
  """What `open_input` asks a strategy of a job with several workers."""
  return types.SimpleNamespace(
    num_replicas_in_sync=workers * replicas,
    extended=types.SimpleNamespace(worker_devices=['device'] * replicas),
    cluster_resolver=types.SimpleNamespace(task_id=index),
  )


def batches(records, strategy, number=8, batch_size=4):
  config = TrainConfig(
    SourceConfig(str(records)), batch_size=batch_size, shuffle_buffer=1
  )
  data = open_input(config, open_inputs(config).sources, strategy).take(number)
  return [patches.numpy() for patches, _ in data]


def test_workers_get_shards_of_their_own_though_these_are_uneven(small_records):
  """12 clips in 3 shards for two workers."""
  parts = [batches(small_records, worker(index, 2)) for index in range(2)]
  for part in parts:
    assert {len(batch) for batch in part} == {2}  # half of the global batch
  ours, theirs = (np.concatenate(part) for part in parts)
  # The tones of the clips repeat, their noise does not: no patch is the same.
  assert not {patch.tobytes() for patch in ours} & {patch.tobytes() for patch in theirs}


def test_a_process_gets_the_examples_of_all_its_replicas(small_records):
  (batch, *_) = batches(small_records, worker(1, 2, replicas=2), batch_size=8)
  assert len(batch) == 4


def test_what_cannot_be_divided_is_named(small_records):
  with pytest.raises(
    InputError, match='batch_size is 4, which 3 replicas cannot share'
  ):
    batches(small_records, worker(0, 3))
  with pytest.raises(InputError, match='has 3 shards, too few for 4 workers'):
    batches(small_records, worker(3, 4))


def sources_of(records, mix=None, **changes):
  main = {'records': str(records), **changes.pop('main', {})}
  if mix is not None:
    mix = SourceConfig(**{'records': str(records), **mix})
  return open_inputs(TrainConfig(SourceConfig(**main), mix, **changes)).sources


def write_list(path, *clips):
  path.write_text(''.join(f'{clip}\n' for clip in clips))
  return str(path)


def test_each_source_has_a_list_of_its_own(small_records, tmp_path, capsys):
  clips = RecordsFolder.open(small_records).clip_ids
  few = write_list(tmp_path / 'few.txt', clips[3], clips[8], 'gone_0')
  weak, strong = sources_of(
    small_records, mix={'label_mode': 'strong', 'clip_list': few}
  )
  assert weak.chosen() is None
  assert strong.chosen() == (clips[3], clips[8])
  assert f'few.txt: {small_records} has 2 of its 3 clips' in capsys.readouterr().out


def test_a_list_of_other_clips_is_an_error(small_records, tmp_path):
  other = write_list(tmp_path / 'other.txt', 'gone_0', 'lost_0')
  with pytest.raises(
    InputError, match=r'other.txt: names 2 clips, gone_0 for one, but'
  ):
    sources_of(small_records, main={'clip_list': other})


def test_a_share_is_of_the_same_clips_in_every_label_mode(small_records, tmp_path):
  """SL21's Weak-, Diffuse- and Strong-67k, made smaller."""
  clips = RecordsFolder.open(small_records).clip_ids
  listed = write_list(tmp_path / 'listed.txt', *clips[2:])
  chosen = set()
  for mode in ({'strong_clips_only': True}, *({'label_mode': m} for m in LABEL_MODES)):
    main = {**mode, 'clip_fraction': 0.5, 'clip_list': listed}
    (source,) = sources_of(small_records, main=main)
    chosen.add(source.chosen())
  assert len(chosen) == 1
  expected = [clip for clip in clips[2:] if stable_hash(clip) < 2**63]
  assert list(chosen.pop()) == expected
  assert 0 < len(expected) < 10


def test_validation_clips_are_not_trained_on(small_records, tmp_path, capsys):
  clips = RecordsFolder.open(small_records).clip_ids
  held_out = write_list(tmp_path / 'held_out.txt', *clips[:3], 'gone_0')
  listed = write_list(tmp_path / 'listed.txt', *clips[1:6])
  config = {'validation_records': str(small_records), 'validation_list': held_out}
  weak, strong = sources_of(
    small_records, mix={'label_mode': 'strong', 'clip_list': listed}, **config
  )
  assert weak.chosen() == clips[3:]
  assert strong.chosen() == clips[3:6]
  assert '3 of its clips are for validation, not trained on' in capsys.readouterr().out
  nothing = write_list(tmp_path / 'nothing.txt', *clips[:2])
  with pytest.raises(RecordError, match='12 clips, 2 of them listed, a fraction of'):
    sources_of(small_records, main={'clip_list': nothing}, **config)


def test_validation_clips_of_other_records_leave_all_to_train_on(
  small_records, tmp_path
):
  others = tmp_path / 'others'
  shutil.copytree(small_records, others)
  clips = others / 'clips.csv'
  clips.write_text(clips.read_text().replace('clip0', 'other0'))
  held_out = write_list(tmp_path / 'held_out.txt', 'other0000000_0')
  config = {'validation_records': str(others), 'validation_list': held_out}
  (source,) = sources_of(small_records, **config)
  assert source.chosen() is None


def test_what_lists_lose_is_told(small_records, tmp_path):
  clips = RecordsFolder.open(small_records).clip_ids
  lists = [
    write_list(tmp_path / f'{name}.txt', clips[0], f'{name}_0')
    for name in ('first', 'second', 'third')
  ]
  config = TrainConfig(
    SourceConfig(str(small_records), clip_list=lists[0]),
    SourceConfig(str(small_records), label_mode='strong', clip_list=lists[1]),
    validation_records=str(small_records),
    validation_list=lists[2],
  )
  lost = lost_of_lists(config)
  assert lost['clip_id'].tolist() == ['first_0', 'second_0', 'third_0']
  assert set(lost['reason']) == {'not in the records'}
  assert lost['clip_list'].tolist() == lists
  assert lost_of_lists(TrainConfig(SourceConfig(str(small_records)))) is None


@pytest.mark.parametrize(
  ('loss', 'told'),
  [
    (LossConfig(), False),
    (LossConfig('hill'), True),
    (LossConfig('hill', suspect_all=True), False),
  ],
)
def test_explicit_negatives_are_told_to_losses_that_need_it(small_records, loss, told):
  main = SourceConfig(str(small_records))
  config = TrainConfig(main, batch_size=12, shuffle_buffer=1, loss=loss)
  sources = open_inputs(config).sources
  data = open_input(config, sources, tf.distribute.get_strategy())
  (_, target), *_ = data.take(1)
  states = read_label_table(sources[0].records).dense()
  explicit = int((states == LabelState.EXPLICIT_NEGATIVE).sum())
  assert explicit == 12
  assert (target.numpy() == -2).sum() == (explicit if told else 0)
  assert (target.numpy() == 1).sum() == (states == LabelState.EXPLICIT_POSITIVE).sum()


def test_an_epoch_is_as_many_examples_as_clips_or_must_be_told(small_records):
  def steps(loss, **changes):
    main = SourceConfig(str(small_records), **changes.pop('main', {}))
    config = TrainConfig(main, batch_size=5, loss=loss, **changes)
    return epoch_steps(config, open_inputs(config).sources)

  assert steps(LossConfig('splc')) == 3  # of 12 clips
  assert steps(LossConfig('splc', epoch_steps=7)) == 7
  clips = RecordsFolder.open(small_records).clip_ids
  fold = Fold(0, 3)
  kept = sum(not fold.holds(clip_id) for clip_id in clips)
  assert steps(LossConfig('splc'), left_out=fold) == -(-kept // 5)
  for changes in (
    {'main': {'label_mode': 'strong'}},
    {'mix': SourceConfig(str(small_records), 'strong')},
  ):
    assert steps(LossConfig('hill'), **changes) == 1  # which knows no epochs
    assert steps(LossConfig('ll_r'), steps=95, **changes) == 10  # a tenth of the run
    assert steps(LossConfig('splc', epoch_steps=9), **changes) == 9
    with pytest.raises(InputError, match=r'splc goes by epochs.*give --epoch_steps'):
      steps(LossConfig('splc'), **changes)


def test_class_priors_are_mean_scores(small_records, tmp_path):
  records = RecordsFolder.open(small_records)

  def priors(values, class_map=records.class_map):
    write_scores(tmp_path, ClipScores('', ('other_0', 'b_0'), class_map, values))
    (tmp_path / 'run.json').write_text('{"stage": "score"}')
    loss = LossConfig('csl', priors=str(tmp_path))
    config = TrainConfig(SourceConfig(str(small_records)), loss=loss)
    return open_inputs(config).priors

  values = np.array([[0.1, 0.5, 1.0], [0.3, 0.5, 0.0]], np.float32)
  assert priors(values) == pytest.approx([0.2, 0.5, 0.5])
  for wrong in (-3, 1.5, np.nan):
    values[0, 1] = wrong
    with pytest.raises(
      InputError,
      match=r'a score is no probability.*--prior_scores.*import_scores',
    ) as error:
      priors(values)
    assert str(tmp_path) in str(error.value)
  values[:, 1] = -1.2, 1.9  # logits, with a mean of .35
  with pytest.raises(InputError, match='no probability'):
    priors(values)
  others = ClassMap(tuple('abc'), tuple('abc'))
  with pytest.raises(RecordError, match='class 0 is /m/low, but in the scores'):
    priors(values, others)
