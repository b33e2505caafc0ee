"""Multiply-adds, and the command that prints them."""

import subprocess
import sys
import time

import keras
import pytest

from audioset_ml.core.errors import ModelError
from audioset_ml.models.config import ModelConfig
from audioset_ml.models.mult_adds import count_mult_adds, layer_costs
from audioset_ml.models.registry import build_model


def run_command(*arguments):
  return subprocess.run(
    [sys.executable, '-m', 'audioset_ml.models', *arguments],
    capture_output=True,
    text=True,
    check=False,
  )


def test_counts_by_hand():
  model = keras.Sequential(
    [
      keras.Input((8, 6, 3)),
      keras.layers.Conv2D(4, 3, strides=2, padding='same', name='conv'),
      keras.layers.BatchNormalization(name='bn'),
      keras.layers.DepthwiseConv2D(3, padding='same', name='depthwise'),
      keras.layers.GlobalAveragePooling2D(),
      keras.layers.Dense(10, name='dense'),
    ]
  )
  costs = {cost.name: cost for cost in layer_costs(model)}
  assert {name: cost.mult_adds for name, cost in costs.items()} == {
    'conv': (4 * 3) * (3 * 3 * 3 * 4),
    'bn': 0,
    'depthwise': (4 * 3) * (3 * 3 * 4),
    'dense': 4 * 10,
  }
  assert costs['conv'].parameters == 3 * 3 * 3 * 4 + 4
  assert costs['conv'].output_shape == (4, 3, 4)
  assert count_mult_adds(model) == sum(cost.mult_adds for cost in costs.values())


def test_layers_that_cannot_be_counted_are_named():
  model = keras.Sequential([keras.Input((5, 3)), keras.layers.LSTM(4, name='memory')])
  with pytest.raises(ModelError, match=r"'memory' \(LSTM\)"):
    count_mult_adds(model)


@pytest.mark.parametrize(
  ('architecture', 'num_classes', 'parameters', 'mult_adds'),
  [
    ('mobilenet_v1', 527, 3.7e6, 69.2e6),  # ML20 Table I
    ('resnet50', 3087, 30e6, 1860e6),  # ML20 Table I
    ('resnet50', 527, 24.7e6, 1851e6),
  ],
)
def test_agrees_with_the_paper(architecture, num_classes, parameters, mult_adds):
  model = build_model(ModelConfig(architecture, num_classes))
  trainable = sum(keras.ops.size(weight) for weight in model.trainable_weights)
  assert float(trainable) == pytest.approx(parameters, rel=0.01)
  assert count_mult_adds(model) == pytest.approx(mult_adds, rel=0.003)


@pytest.mark.long
def test_command_prints_counts_beside_the_papers():
  result = run_command('--architecture=mobilenet_v1', '--num_classes=527')
  assert result.returncode == 0, result.stderr
  assert 'layer14_pointwise_conv ' in result.stdout
  assert '3,757,519 (3,735,631 of them trainable)' in result.stdout
  assert '69.2M for one patch' in result.stdout
  assert 'ML20 Table I (width 1): 3.7M parameters, 69.2M Mult-Adds' in result.stdout


def test_command_names_wrong_values_without_traceback():
  result = run_command('--width_multiplier=0')
  assert result.returncode == 1
  assert result.stderr.startswith('error: width_multiplier is 0.0')
  assert 'Traceback' not in result.stderr


def test_help_is_quick():
  start = time.perf_counter()
  result = run_command('--help')
  assert '--architecture' in result.stdout
  assert time.perf_counter() - start < 2
