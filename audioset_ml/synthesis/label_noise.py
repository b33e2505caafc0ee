"""AudioSet's label noise: missing positives, and few, plausible explicit negatives.

AudioSet's raters were asked only about labels that automatic methods had nominated
(ML20 II). So most positives that nobody nominated are missing, at a rate that differs
by class; and a nominated label that was refuted, an explicit negative, is mostly of a
class that is easily confused with one that is there.
"""

import dataclasses
from collections.abc import Collection, Sequence

import numpy as np

from audioset_ml.synthesis.config import SoundscapeConfig
from audioset_ml.synthesis.sound_classes import SoundClass


@dataclasses.dataclass(frozen=True)
class ClipLabels:
  """What the raters said of a clip; classes are given by index, ascending.

  Attributes:
    present: the classes that are truly present.
    kept: those whose label was not dropped: the explicit positives.
    explicit_negatives: classes that are not present, and were said not to be.
  """

  present: tuple[int, ...]
  kept: tuple[int, ...]
  explicit_negatives: tuple[int, ...]


def draw_drop_rates(config: SoundscapeConfig, num_classes: int) -> np.ndarray:
  """Each class's drop rate: evenly spread, in random order. Float64 [num_classes]."""
  rates = np.linspace(config.drop_rate_min, config.drop_rate_max, num_classes)
  # The clips' states are made from (seed, split, index) with splits 0 and 1.
  return np.random.default_rng([config.seed, 2, 0]).permutation(rates)


def label_clip(
  rng: np.random.Generator,
  config: SoundscapeConfig,
  classes: Sequence[SoundClass],
  drop_rates: np.ndarray | None,
  present: Collection[int],
) -> ClipLabels:
  """Draws a clip's explicit labels.

  Args:
    rng: the clip's random state.
    config: how many explicit negatives there are.
    classes: all classes.
    drop_rates: each class's probability of being dropped, [num_classes]; None to drop
      nothing. One label is kept always, as AudioSet has no clip without a label.
    present: the classes that are truly present, at least one.
  """
  present = sorted(set(present))
  kept = present
  if drop_rates is not None:
    is_kept = rng.random(len(present)) >= drop_rates[present]
    is_kept[rng.integers(len(present))] |= not is_kept.any()
    kept = [label for label, keep in zip(present, is_kept, strict=True) if keep]
  families = {classes[label].family for label in present}
  absent = [label for label in range(len(classes)) if label not in present]
  neighbours = [label for label in absent if classes[label].family in families]
  others = [label for label in absent if classes[label].family not in families]
  negatives = _choose(rng, neighbours, config.neighbour_negatives)
  negatives += _choose(rng, others, config.other_negatives)
  return ClipLabels(tuple(present), tuple(kept), tuple(sorted(negatives)))


def _choose(rng: np.random.Generator, labels: Sequence[int], mean: float) -> list[int]:
  """A Poisson number of the labels, at most all of them."""
  count = min(int(rng.poisson(mean)), len(labels))
  return rng.permutation(np.asarray(labels, np.int64))[:count].tolist()
