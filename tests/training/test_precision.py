"""Convolutions in bfloat16 by layer, and a precision that is the machine's choice."""

import dataclasses
import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from audioset_ml.core.auto_choices import AutoChoices
from audioset_ml.core.errors import InputError
from audioset_ml.training import precision
from audioset_ml.training.config import SourceConfig, TrainConfig
from audioset_ml.training.optimizer_config import OptimizerConfig
from audioset_ml.training.trainer import Shape, Trainer
from tests.stages import run_stage_ok
from tests.training.test_train import train_flags

SHAPE = Shape(3, (96, 64))


def config_of(precision_name: str, **changes) -> TrainConfig:
  return TrainConfig(
    SourceConfig(''),
    architecture=changes.pop('architecture', 'mobilenet_v1_tiny'),
    width_multiplier=0.25,
    optimizer=OptimizerConfig(learning_rate=1e-3, precision=precision_name),
    **changes,
  )


def trained(config: TrainConfig, steps: int = 8) -> tuple[Trainer, list[float]]:
  """A run of some steps on random patches whose means tell the class."""
  random = np.random.default_rng(0)
  classes = np.arange(24) % 3
  patches = random.normal(size=(24, 96, 64)).astype(np.float32)
  patches += classes[:, None, None].astype(np.float32)
  target = np.eye(3, dtype=np.int8)[classes]
  trainer = Trainer(config, SHAPE, tf.distribute.get_strategy())
  return trainer, [float(trainer.train_step(patches, target)[0]) for _ in range(steps)]


def test_all_convolutions_but_depthwise_ones_are_in_bfloat16():
  trainer, losses = trained(config_of('bfloat16_convolutions'))
  for layer in trainer.model.layers:
    lower = isinstance(layer, keras.layers.Conv2D)
    if isinstance(layer, keras.layers.DepthwiseConv2D | keras.layers.Dense):
      assert layer.compute_dtype == 'float32', layer.name
    elif lower:
      assert layer.compute_dtype == 'bfloat16', layer.name
  assert {weight.dtype for weight in trainer.model.weights} == {'float32'}
  # The same run as in float32, but for rounding.
  plain, expected = trained(config_of('float32'))
  assert losses[0] == pytest.approx(expected[0], rel=1e-2)
  assert losses == pytest.approx(expected, rel=0.1)
  assert losses != expected
  names = [weight.path for weight in plain.model.weights]
  assert names == [weight.path for weight in trainer.model.weights]


def test_a_run_that_goes_on_keeps_its_precision(tmp_path, monkeypatch):
  config = config_of('auto')
  for able, expected in ((True, 'bfloat16_convolutions'), (False, 'float32')):
    monkeypatch.setattr(precision, 'computes_bfloat16', lambda able=able: able)
    choices = AutoChoices(tmp_path / expected)
    found = precision.settled(config, choices)
    assert found.optimizer.precision == expected
    assert found == dataclasses.replace(config, optimizer=found.optimizer)
    assert not (tmp_path / expected).exists()  # before there is a checkpoint
    choices.keep()
  for kept in ('bfloat16_convolutions', 'float32'):
    found = precision.settled(config, AutoChoices(tmp_path / kept))
    assert found.optimizer.precision == kept
  # What is no precision, 'auto' itself included, is nothing to keep to.
  for damaged in ('', 'auto', 'floa'):
    (tmp_path / 'bfloat16_convolutions' / 'precision').write_text(damaged)
    choices = AutoChoices(tmp_path / 'bfloat16_convolutions')
    assert precision.settled(config, choices).optimizer.precision == 'float32'
  # What is named stays what it is.
  choices = AutoChoices(tmp_path / 'float32')
  assert precision.settled(config_of('float32'), choices) == config_of('float32')
  monkeypatch.setattr(precision, 'computes_bfloat16', lambda: True)
  head, choices = config_of('auto', architecture='linear'), AutoChoices()
  assert precision.settled(head, choices).optimizer.precision == 'float32'


@pytest.mark.long
def test_what_was_chosen_is_in_run_json(small_records, tmp_path):
  out = tmp_path / 'run'
  flags = train_flags(small_records, out, '--steps=3', '--precision=auto')
  run_stage_ok('train', *flags)
  chosen = json.loads((out / 'run.json').read_text())['precision']
  assert chosen == (out / 'checkpoints' / 'precision').read_text()
  assert chosen in ('bfloat16_convolutions', 'float32')
  model = keras.saving.load_model(out / 'model.keras', compile=False)
  assert {layer.dtype_policy.name for layer in model.layers} == {'float32'}
  # It goes on from its checkpoint, and takes another flag's value for another run.
  run_json = (out / 'run.json').read_text()
  (out / 'run.json').unlink()
  run_stage_ok('train', *flags)
  assert json.loads((out / 'run.json').read_text())['precision'] == chosen
  assert (
    json.loads(run_json)['counts']
    == json.loads((out / 'run.json').read_text())['counts']
  )


def test_what_a_precision_does_not_go_with_is_told():
  with pytest.raises(InputError, match='changes nothing of mlp'):
    config_of('bfloat16_convolutions', architecture='mlp')
  with pytest.raises(InputError, match='workers may have several'):
    config_of('auto', strategy='multi_worker')
