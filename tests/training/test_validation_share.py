"""A share of the validation clips while training, all of them at the end."""

import dataclasses
import itertools
import json
import pathlib
import types

import numpy as np
import pytest

from audioset_ml.core.auto_choices import AutoChoices
from audioset_ml.core.errors import InputError
from audioset_ml.models.registry import ModelConfig, build_model
from audioset_ml.models.trained import TrainedModel
from audioset_ml.records.folder import RecordsFolder
from audioset_ml.records.frames import FrameFormat
from audioset_ml.training.config import SourceConfig, TrainConfig
from audioset_ml.training.validation import Validator, validate_all
from audioset_ml.training.validation_share import (
  ValidationClips,
  cost_remark,
  parse_share,
)
from tests.stages import run_stage, run_stage_ok
from tests.training.test_train import scalars, train_flags


def folder_of(clips: int, frames: int = 1008) -> types.SimpleNamespace:
  """As much of a records folder as the choice of clips asks for."""
  ids = tuple(f'clip{number}_0' for number in range(clips))
  rows = {clip: types.SimpleNamespace(frames=frames) for clip in ids}
  return types.SimpleNamespace(
    path=pathlib.Path('nowhere'),
    clip_ids=ids,
    frames=FrameFormat.log_mel(),
    read_clips=lambda: rows,
  )


def clips_while_training(folder, config: TrainConfig, *more) -> np.ndarray:
  """Of all clips of a folder, in a run that begins."""
  found = ValidationClips(folder, np.arange(len(folder.clip_ids)))
  return found.while_training(config, AutoChoices(), *more)


def config_of(share: float | None, **changes) -> TrainConfig:
  return TrainConfig(
    SourceConfig('records'),
    validation_records='records',
    validation_share=share,
    **changes,
  )


def test_a_smaller_share_is_part_of_every_larger_one():
  folder, shares = folder_of(4000), (0.01, 0.1, 0.5, 1.0)
  found = [clips_while_training(folder, config_of(share)) for share in shares]
  for share, clips in zip(shares, found, strict=True):
    assert len(clips) == pytest.approx(4000 * share, rel=0.25)
  for smaller, larger in itertools.pairwise(found):
    assert set(smaller) < set(larger)
  # Further clips move none.
  more = clips_while_training(folder_of(5000), config_of(0.1))
  assert np.array_equal(more[more < 4000], found[1])


def test_automatic_share_is_what_a_twentieth_of_the_steps_affords():
  # 1,000 steps of 64 patches, of which 5 % score three times as many: 480 clips of 20.
  affordable = 480
  assert len(clips_while_training(folder_of(20_000), config_of(None))) == affordable
  assert len(clips_while_training(folder_of(300), config_of(None))) == 300
  for change, factor in (
    ({'validate_every': 4000}, 4),
    ({'batch_size': 16}, 1 / 4),
    ({'freeze_body': True, 'init_from': 'teacher'}, 1 / 3),
  ):
    found = clips_while_training(folder_of(20_000), config_of(None, **change))
    assert len(found) == factor * affordable, change
  long = clips_while_training(folder_of(20_000, frames=4320), config_of(None))
  assert len(long) == affordable * 20 // 89
  shared = clips_while_training(folder_of(20_000), config_of(None), 4)
  assert len(shared) == affordable // 4


def test_automatic_share_has_clips_enough_to_say_something():
  often = config_of(None, validate_every=2)
  assert len(clips_while_training(folder_of(20_000), often)) == 100
  assert len(clips_while_training(folder_of(30), often)) == 30


def test_automatic_share_is_the_first_clips_of_larger_ones():
  folder = folder_of(4000)
  few = clips_while_training(folder, config_of(None))
  for share in (0.2, 0.5):
    assert set(few) < set(clips_while_training(folder, config_of(share)))
  assert np.array_equal(few, np.unique(few))


@pytest.mark.parametrize('damaged', [b'', b'0', b'301', b'many', b'\xff', b'9' * 5000])
def test_a_run_that_goes_on_keeps_its_clips(tmp_path, damaged):
  validation = ValidationClips(folder_of(300), np.arange(300))
  config = config_of(None, validate_every=100)
  for name in ('begun', 'killed'):  # nothing is kept before there is a checkpoint
    choices = AutoChoices(tmp_path / name)
    found = validation.while_training(config, choices, 1)
    assert not (tmp_path / name).exists()
  assert len(found) == 100
  choices.keep()
  # On a machine with other devices it would have taken more, or fewer.
  other = dataclasses.replace(config, validate_every=500)
  assert len(validation.while_training(other, AutoChoices(), 1)) == 240
  again = validation.while_training(other, AutoChoices(tmp_path / 'killed'), 1)
  assert np.array_equal(again, found)
  (tmp_path / 'killed' / 'validation_clips').write_bytes(damaged)
  choices = AutoChoices(tmp_path / 'killed')
  assert len(validation.while_training(other, choices, 1)) == 240


@pytest.mark.parametrize('text', ['', '0', '-1', '1.5', 'nan', 'all', '5%'])
def test_what_is_no_share_is_told(text):
  with pytest.raises(InputError, match='validation_share is'):
    parse_share(text)


def test_a_share_without_clips_is_told():
  with pytest.raises(InputError, match='of 3 clips is none'):
    clips_while_training(folder_of(3), config_of(1e-6))


def test_what_a_validation_costs_is_told_where_it_is_much():
  assert '400 s, 176 % of the' in cost_remark(227, 400, 1.0).replace('%', ' %')
  assert '--validation_share=auto' in cost_remark(227, 400, 1.0)
  assert '--validate_every' in cost_remark(227, 400, None)
  assert cost_remark(10, 50, 1.0) == ''  # of a short run, or a small set
  assert cost_remark(10_000, 400, None) == ''


def test_a_copy_of_the_clips_gives_what_they_give(small_records, tmp_path):
  records = RecordsFolder.open(small_records)
  config = TrainConfig(
    SourceConfig(str(small_records)), validation_records=str(small_records)
  )
  network = ModelConfig('mobilenet_v1_tiny', records.num_classes, width_multiplier=0.1)
  model, clips = build_model(network), np.array([1, 4, 5, 9])
  copy = tmp_path / 'copy.tfrecord'
  validators = [Validator(records, clips, None, config, to) for to in (None, copy)]
  expected, found = (one.validate(model, 1) for one in validators)
  assert found == expected
  assert copy.exists()
  assert validators[1].validate(model, 2) == expected
  for one in validators:
    one.close()
  assert not copy.exists()


@pytest.mark.long
def test_all_clips_are_evaluated_at_the_end(small_records, tmp_path):
  records = RecordsFolder.open(small_records)
  out = tmp_path / 'run'
  flags = train_flags(small_records, out, f'--validation_records={small_records}')
  flags += ['--steps=12', '--validate_every=4', '--best_metric=lwlrap']
  printed = run_stage_ok('train', *flags, '--validation_share=0.5')
  config = config_of(0.5)
  config = dataclasses.replace(config, validation_records=str(small_records))
  part = len(clips_while_training(records, config))
  assert 0 < part < len(records.clip_ids)
  assert f'{part} of {len(records.clip_ids)} validation clips are evaluated' in printed
  counts = json.loads((out / 'run.json').read_text())['counts']
  validation = ValidationClips.open(config)
  values = validate_all(TrainedModel.open(out).model, validation, config)
  clips = len(validation)
  assert counts['validation_clips'] == clips == len(records.clip_ids)
  assert counts['validation'] == pytest.approx(values, abs=1e-6)
  assert f'all {clips} validation clips: d_prime {values["d_prime"]:.4f}' in printed
  assert not list(out.glob('.validation*'))
  # The best was chosen on the share, whose values are those that were logged.
  logged = scalars(out / 'logs')
  best = max(logged['lwlrap', step] for step in (4, 8, 12))
  while_training = counts['validation_while_training']
  assert while_training['clips'] == part
  assert while_training['lwlrap'] == pytest.approx(best, abs=1e-6)
  # With all of them, as ever, there is nothing to add.
  run_stage_ok('train', *flags, '--overwrite', '--validation_share=1')
  counts = json.loads((out / 'run.json').read_text())['counts']
  assert 'validation_while_training' not in counts


def test_a_wrong_share_is_told_before_training(small_records, tmp_path):
  flags = train_flags(small_records, tmp_path / 'run')
  for share, said in (
    ('2', "validation_share is '2'"),
    ('1e-9', 'is none; give a larger one'),
  ):
    done = run_stage(
      'train',
      *flags,
      f'--validation_records={small_records}',
      f'--validation_share={share}',
      '--dry_run',
    )
    assert done.returncode == 1
    assert said in done.stderr
    assert 'Traceback' not in done.stderr
  done = run_stage('train', *flags, '--validation_share=.5', '--dry_run')
  assert '--validation_share does nothing here' in done.stderr
