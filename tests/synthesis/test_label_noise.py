"""Which labels are dropped, and which are refuted."""

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies

from audioset_ml.synthesis import label_noise
from audioset_ml.synthesis.config import SoundscapeConfig
from audioset_ml.synthesis.sound_classes import SOUND_CLASSES

CONFIG = SoundscapeConfig()
RATES = label_noise.draw_drop_rates(CONFIG, len(SOUND_CLASSES))


@hypothesis.given(
  seed=strategies.integers(0, 10_000),
  present=strategies.sets(strategies.integers(0, 37), min_size=1, max_size=4),
  mean=strategies.floats(0, 100),
)
def test_labels_agree_with_the_truth(seed, present, mean):
  config = SoundscapeConfig(neighbour_negatives=mean, other_negatives=mean)
  labels = label_noise.label_clip(
    np.random.default_rng(seed), config, SOUND_CLASSES, RATES, present
  )
  assert set(labels.present) == present
  assert set(labels.kept) <= present
  assert labels.kept
  assert not set(labels.explicit_negatives) & present
  assert len(set(labels.explicit_negatives)) == len(labels.explicit_negatives)


def test_nothing_is_dropped_without_drop_rates():
  labels = label_noise.label_clip(
    np.random.default_rng(0), CONFIG, SOUND_CLASSES, None, {5, 3, 20}
  )
  assert labels.kept == labels.present == (3, 5, 20)


def test_drop_rates_are_spread_evenly_in_an_order_of_the_seeds():
  np.testing.assert_allclose(np.sort(RATES), np.linspace(0.5, 0.98, 38))
  other = label_noise.draw_drop_rates(SoundscapeConfig(seed=2), 38)
  assert not np.array_equal(RATES, other)


def test_classes_are_dropped_at_their_rates():
  rates = np.full(38, 0.9)
  rates[4] = 0.2
  rng = np.random.default_rng(0)
  present = (1, 4, 7, 9)
  kept = [
    label_noise.label_clip(rng, CONFIG, SOUND_CLASSES, rates, present).kept
    for _ in range(3000)
  ]
  assert np.mean([4 in labels for labels in kept]) == pytest.approx(
    # Nothing is left with probability 0.2 * 0.9^3; then one of the four is kept.
    0.8 + 0.2 * 0.9**3 / 4,
    abs=0.03,
  )
  assert np.mean([7 in labels for labels in kept]) == pytest.approx(
    0.1 + 0.2 * 0.9**3 / 4, abs=0.03
  )


def test_explicit_negatives_are_mostly_neighbours():
  rng = np.random.default_rng(0)
  present = 10
  family = SOUND_CLASSES[present].family
  negatives = [
    label
    for _ in range(3000)
    for label in label_noise.label_clip(
      rng, CONFIG, SOUND_CLASSES, RATES, {present}
    ).explicit_negatives
  ]
  is_neighbour = np.array(
    [SOUND_CLASSES[label].family == family for label in negatives]
  )
  assert is_neighbour.sum() / 3000 == pytest.approx(1.0, abs=0.07)
  assert (~is_neighbour).sum() / 3000 == pytest.approx(0.5, abs=0.05)
