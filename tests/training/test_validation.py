"""Validation on lists of clips and on frames, held against the evaluation itself."""

import dataclasses
import json

import pandas as pd
import pytest

from audioset_ml.core.errors import InputError
from audioset_ml.evaluation.evaluate_config import EvaluateConfig
from audioset_ml.evaluation.records_evaluation import evaluate_records
from audioset_ml.labels import formats
from audioset_ml.models.trained import TrainedModel
from audioset_ml.records.folder import RecordsFolder
from audioset_ml.training.config import (
  BEST_METRICS,
  STRONG_METRICS,
  WEAK_METRICS,
  SourceConfig,
  TrainConfig,
)
from audioset_ml.training.validation import BestModel, Validator
from audioset_ml.training.validation_share import ValidationClips
from tests.conftest import prepare_flags
from tests.integration.test_score import write_model
from tests.stages import run_stage, run_stage_ok
from tests.training.test_train import scalars, train_flags


def clips_without_events(clips):
  return [max(clips)]


@pytest.fixture(scope='module')
def records(small_data, tmp_path_factory):
  """The small data; events in half of each clip but one: complementary negatives."""
  folder = tmp_path_factory.mktemp('validation')
  events = formats.read_strong_tsv(small_data / 'strong.tsv')
  events['end_time_seconds'] = 1.0
  events = events[
    ~events['segment_id'].isin(clips_without_events(events['segment_id']))
  ]
  formats.write_strong_tsv(folder / 'strong.tsv', events)
  flags = prepare_flags(small_data)
  flags = [flag for flag in flags if 'strong' not in flag]
  run_stage_ok(
    'prepare',
    *flags,
    f'--strong_tsv={folder / "strong.tsv"}',
    f'--output_dir={folder / "records"}',
  )
  return folder / 'records'


@pytest.fixture(scope='module')
def model(tmp_path_factory):
  """A train folder of a network of random weights."""
  return write_model(tmp_path_factory.mktemp('model') / 'train', 3)


def open_validator(config, logs_dir=None):
  found = ValidationClips.open(config)
  return Validator(found.records, found.everything, logs_dir, config)


def validate(records, model, tmp_path, **config):
  config = TrainConfig(
    SourceConfig(str(records)), validation_records=str(records), **config
  )
  validator = open_validator(config, tmp_path / 'logs')
  return validator.validate(TrainedModel.open(model).model, 7)


def write_list(path, clips):
  path.write_text(''.join(f'{clip}\n' for clip in clips))
  return str(path)


@pytest.mark.long
@pytest.mark.parametrize('listed', [False, True])
@pytest.mark.parametrize('strong', [False, True])
def test_values_are_those_of_evaluate(records, model, tmp_path, listed, strong):
  clips = RecordsFolder.open(records).clip_ids
  clip_list = write_list(tmp_path / 'list.txt', clips[1:9]) if listed else ''
  found = validate(
    records, model, tmp_path, validation_list=clip_list, validate_strong=strong
  )
  config = EvaluateConfig(
    str(records), (str(model),), clip_list=clip_list, replicates=0
  )
  (tmp_path / 'evaluation').mkdir()
  metrics, _ = evaluate_records(config, tmp_path / 'evaluation')
  expected = {name: metrics['weak'][name] for name in WEAK_METRICS}
  if strong:
    expected |= {f'strong_{n}': metrics['strong'][n] for n in ('d_prime', 'lwlrap')}
  assert found == pytest.approx(expected, abs=1e-6)
  assert len(found) == (10 if strong else 8)
  logged = {name: value for (name, _), value in scalars(tmp_path / 'logs').items()}
  assert {name: logged[name] for name in found} == pytest.approx(found, abs=1e-6)


@pytest.mark.long
def test_the_best_on_frames_is_kept(records, tmp_path):
  clips = RecordsFolder.open(records).clip_ids
  held_out = write_list(tmp_path / 'held_out.txt', [*clips[:6], 'gone_0'])
  out = tmp_path / 'run'
  printed = run_stage_ok(
    'train',
    *train_flags(records, out, '--steps=12', '--validate_every=4'),
    '--label_mode=strong',
    f'--validation_records={records}',
    f'--validation_list={held_out}',
    '--best_metric=strong_d_prime',
  )
  assert 'strong_d_prime ' in printed
  assert f'{records} lacks 1 of its clips' in printed
  assert '6 of its clips are for validation, not trained on' in printed
  logged = scalars(out / 'logs')
  best = max(logged['strong_d_prime', step] for step in (4, 8, 12))
  counts = json.loads((out / 'run.json').read_text())['counts']
  assert counts['validation']['strong_d_prime'] == pytest.approx(best, abs=1e-6)
  assert counts['clips_lost_of_lists'] == 1
  assert pd.read_csv(out / 'lost_clips.csv')['clip_id'].tolist() == ['gone_0']
  again = validate(
    records, out, tmp_path, validation_list=held_out, validate_strong=True
  )
  assert again['strong_d_prime'] == pytest.approx(best, abs=1e-5)


def test_pictures_are_of_validation_clips_only(records, model, tmp_path):
  from tests.training.test_train_more import tags_of

  clips = RecordsFolder.open(records).clip_ids
  chosen = write_list(tmp_path / 'list.txt', clips[4:6])
  validate(records, model, tmp_path, validation_list=chosen)
  pictures = {tag for tag in tags_of(tmp_path / 'logs') if tag.startswith('clips/')}
  assert pictures == {f'clips/{clip}' for clip in clips[4:6]}


@pytest.fixture(scope='module')
def unrated(small_data, records):
  """The same clips without explicit negatives."""
  out = records.parent / 'unrated'
  run_stage_ok(
    'prepare',
    *('--labels_only', f'--records={records}', f'--output_dir={out}'),
    '--drop_labels=explicit',
    f'--segments_csv={small_data / "segments.csv"}',
    f'--strong_tsv={records.parent / "strong.tsv"}',
    f'--class_map={small_data / "class_map.csv"}',
  )
  return out


@pytest.mark.parametrize(
  ('metric', 'message'),
  [
    ('d_prime', 'd_prime is not defined on the 12 validation clips: .*; lwlrap'),
    ('strong_d_prime', 'strong_d_prime is not defined on .*, strong_lwlrap are'),
  ],
)
def test_a_metric_that_the_labels_do_not_allow_is_told_of_before_training(
  unrated, tmp_path, metric, message
):
  config = TrainConfig(
    SourceConfig(str(unrated)), validation_records=str(unrated), best_metric=metric
  )
  with pytest.raises(InputError, match=message):
    open_validator(config)
  if metric == 'strong_d_prime':
    flags = train_flags(unrated, tmp_path / 'run', f'--validation_records={unrated}')
    done = run_stage('train', *flags, f'--best_metric={metric}', '--dry_run')
    assert done.returncode == 1
    assert f'error: {unrated}: strong_d_prime is not defined' in done.stderr
    assert 'Traceback' not in done.stderr


def test_frames_need_events_on_validation_clips(records, tmp_path):
  clips = RecordsFolder.open(records).clip_ids
  config = TrainConfig(
    SourceConfig(str(records)),
    validation_records=str(records),
    validation_list=write_list(tmp_path / 'list.txt', clips_without_events(clips)),
    validate_strong=True,
  )
  message = 'none of 1 validation clip has a frame with an event'
  with pytest.raises(InputError, match=message):
    open_validator(config)


def test_a_list_of_other_clips_is_an_error(records, tmp_path):
  config = TrainConfig(
    SourceConfig(str(records)),
    validation_records=str(records),
    validation_list=write_list(tmp_path / 'list.txt', ['gone_0']),
  )
  with pytest.raises(InputError, match='names 1 clip, gone_0 for one, but none of'):
    open_validator(config)


def test_what_was_best_is_kept_by_name():
  best = BestModel(BEST_METRICS, 'strong_lwlrap', 0)
  saved = []
  for step, value in enumerate([0.3, 0.5, 0.4]):
    values = {'lwlrap': 1 - value, 'strong_lwlrap': value}
    best.update(values, step, lambda step=step: saved.append(step))
  assert saved == [0, 1]
  assert best.values == {'lwlrap': 0.5, 'strong_lwlrap': 0.5}
  # A checkpoint of a run without strong labels is as it was before there were any.
  config = TrainConfig(SourceConfig('records'), validation_records='records')
  assert config.metrics == WEAK_METRICS
  assert len(WEAK_METRICS) == 8
  strong = dataclasses.replace(config, best_metric='strong_lwlrap')
  assert strong.metrics == (*WEAK_METRICS, *STRONG_METRICS)
