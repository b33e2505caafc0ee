"""Losses stay on the device until somebody looks at them."""

import pathlib

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.framework import ops

from audioset_ml.training import monitor
from audioset_ml.training.config import SourceConfig, TrainConfig
from audioset_ml.training.loop import train
from audioset_ml.training.step_losses import StepLosses


@pytest.mark.parametrize('portions', [[12], [1] * 12, [5, 0, 4, 3]])
def test_sum_and_order_are_the_same_whenever_losses_are_read(portions):
  values = np.random.default_rng(0).uniform(0, 100, 12).astype(np.float32)
  losses, found, taken = StepLosses(), [], 0
  for number in portions:
    for value in values[taken : taken + number]:
      losses.add(tf.constant(value))
    taken += number
    found += losses.read()
  assert found == values.tolist()
  assert losses.read() == []
  assert losses.state.numpy().tolist() == [sum(values.tolist()), 12]
  assert losses.take_mean() == sum(values.tolist()) / 12
  assert losses.state.numpy().tolist() == [0, 0]


def test_calls_of_one_step_and_of_several_may_follow_each_other():
  losses = StepLosses()
  losses.add(tf.constant([1.0, 2.0]))
  losses.add(tf.constant(3.0))
  losses.add(tf.constant([4.0]))
  assert losses.read() == [1, 2, 3, 4]


def fetches(
  monkeypatch: pytest.MonkeyPatch, records: pathlib.Path, out: pathlib.Path, **config
) -> int:
  """How often a run fetches a value from the device."""
  numbers, fetch = [0], ops._EagerTensorBase._numpy

  def counted(tensor):
    numbers[0] += 1
    return fetch(tensor)

  run = TrainConfig(
    SourceConfig(str(records)),
    architecture='mobilenet_v1_tiny',
    width_multiplier=0.25,
    batch_size=4,
    shuffle_buffer=16,
    **config,
  )
  out.mkdir()
  with monkeypatch.context() as patched:
    patched.setattr(ops._EagerTensorBase, '_numpy', counted)
    train(run, out)
  return numbers[0]


@pytest.mark.long
@pytest.mark.parametrize('steps_per_call', [1, 3])
def test_steps_between_two_points_fetch_nothing(
  small_records, tmp_path, monkeypatch, steps_per_call
):
  monkeypatch.setattr(monitor, '_SECONDS_SHOWN', 1e9)
  few, many = (
    fetches(
      monkeypatch,
      small_records,
      tmp_path / f'{steps}',
      steps=steps,
      steps_per_call=steps_per_call,
    )
    for steps in (3, 21)
  )
  assert 0 < few == many
  # Where there are more points, more is fetched: what is counted is what is meant.
  points = fetches(
    monkeypatch, small_records, tmp_path / 'points', steps=21, log_every=1
  )
  assert points >= many + 20
