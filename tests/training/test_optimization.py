import itertools

import pytest

from audioset_ml.errors import InputError
from audioset_ml.training.config import OptimizerConfig, TrainConfig
from audioset_ml.training.optimization import build_optimizer


def rates(config, steps):
  schedule = build_optimizer(config, steps)._learning_rate
  return [float(schedule(step)) for step in range(steps)]


def test_constant_is_the_papers_rate_at_every_step():
  assert rates(OptimizerConfig(), 5) == pytest.approx([1e-5] * 5)


def test_warmup_rises_and_cosine_falls_to_its_fraction():
  config = OptimizerConfig(0.1, warmup_fraction=0.1, schedule='cosine')
  found = rates(config, 100)
  assert found[:10] == pytest.approx([0.01 * (step + 1) for step in range(10)])
  assert all(a >= b for a, b in itertools.pairwise(found[10:]))
  assert found[55] == pytest.approx(0.055)  # halfway between peak and end
  assert found[99] == pytest.approx(0.01, abs=1e-4)


@pytest.mark.parametrize(
  ('values', 'message'),
  [
    ({'learning_rate': 0.0}, 'learning_rate is 0.0'),
    ({'learning_rate': float('nan')}, 'learning_rate is nan'),
    ({'schedule': 'linear'}, "schedule is 'linear'"),
    ({'warmup_fraction': 1.5}, 'warmup_fraction is 1.5'),
  ],
)
def test_wrong_values_are_refused(values, message):
  with pytest.raises(InputError, match=message):
    OptimizerConfig(**values)


def test_a_run_needs_at_least_one_step():
  with pytest.raises(InputError, match='steps is 0'):
    TrainConfig(records='x', steps=0)
