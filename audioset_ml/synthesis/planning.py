"""What happens in each clip and what is said about it, before anything sounds.

A clip follows from (seed, split, index) alone, however many clips there are. Planning
is cheap and needs no sound, so that labels never depend on what was rendered when.
"""

import dataclasses

import numpy as np

from audioset_ml.synthesis import label_noise, mixing
from audioset_ml.synthesis.config import SPLITS, SoundscapeConfig
from audioset_ml.synthesis.label_noise import ClipLabels
from audioset_ml.synthesis.mixing import Event

# YouTube's alphabet.
_ID_CHARACTERS = np.array(
  list('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-')
)
_ID_LENGTH = 11


@dataclasses.dataclass(frozen=True)
class Clip:
  """All that is known of a clip before it sounds.

  Attributes:
    clip_id: `<11 characters>_<start in ms>`, as AudioSet's.
    split: train or eval.
    index: its number within the split.
    events: its events.
    labels: what is said about it.
  """

  clip_id: str
  split: str
  index: int
  events: tuple[Event, ...]
  labels: ClipLabels


def plan_clips(
  config: SoundscapeConfig, sounds: mixing.Sounds, drop_rates: np.ndarray
) -> list[Clip]:
  """Draws the events and labels of all clips, training clips first.

  Args:
    config: what to make.
    sounds: where events come from.
    drop_rates: each class's probability that its label is dropped, [num_classes].
  """
  sizes = {'train': config.train_clips, 'eval': config.eval_clips}
  return [
    _plan_clip(config, sounds, drop_rates, split, index)
    for split in SPLITS
    for index in range(sizes[split])
  ]


def _plan_clip(
  config: SoundscapeConfig,
  sounds: mixing.Sounds,
  drop_rates: np.ndarray,
  split: str,
  index: int,
) -> Clip:
  events_rng, labels_rng, _ = random_states(config.seed, split, index)
  characters = events_rng.choice(_ID_CHARACTERS, _ID_LENGTH)
  events = mixing.plan_events(events_rng, config, sounds, split)
  is_noisy = split == 'train' or config.drop_in_eval
  labels = label_noise.label_clip(
    labels_rng,
    config,
    sounds.classes,
    drop_rates if is_noisy else None,
    {event.class_index for event in events},
  )
  return Clip(f'{"".join(characters)}_0', split, index, events, labels)


def random_states(
  seed: int, split: str, index: int
) -> tuple[np.random.Generator, np.random.Generator, np.random.Generator]:
  """A clip's random states: for its events, its labels and its sound.

  They are independent, so that other label noise leaves the sound as it is.
  """
  sequence = np.random.SeedSequence([seed, SPLITS.index(split), index])
  events, labels, sound = map(np.random.default_rng, sequence.spawn(3))
  return events, labels, sound
