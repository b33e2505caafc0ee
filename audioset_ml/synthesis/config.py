"""The settings of a set of soundscapes, checked."""

import dataclasses
import math

from audioset_ml.core.errors import InputError

SAMPLE_RATE = 16_000  # the front end's, see DESIGN: files need no resampling
SPLITS = ('train', 'eval')

Range = tuple[float, float]


@dataclasses.dataclass(frozen=True)
class SoundscapeConfig:
  """What soundscapes to make; the same settings always make the same bytes.

  Attributes:
    train_clips: number of training clips.
    eval_clips: number of evaluation clips.
    seed: where all randomness comes from; 0 or more.
    clip_seconds: length of a clip.
    event_seconds: range of an event's length, drawn evenly.
    snr_db: range of an event's power over the background's during it, drawn evenly.
    background_dbfs: range of the background's RMS level.
    background_exponent: range of a in the background's power spectrum 1/f^a.
    event_probabilities: probability of 1, 2, … events in a clip; they sum to 1.
    drop_rate_min: the lowest probability of a class that a true label is dropped.
    drop_rate_max: the highest; the classes are spread evenly between the two.
    neighbour_negatives: mean explicit negatives a clip among the confusable
      neighbours of the classes that are present.
    other_negatives: mean explicit negatives a clip among the remaining classes.
    drop_in_eval: drop labels of the evaluation clips too. Off as a default, for the
      raters of SL21 were asked to mark every sound of an evaluation clip.
    source_dir: folder of recordings to use as events; empty for synthesised ones.
    eval_sources: glob of the recordings' file names that evaluation clips use; empty
      for a fifth of the recordings, chosen by a hash of their names.
    source_classes: CSV (folder, mid, display_name) of the recordings' classes.

  Raises:
    InputError: a value is out of its range; the setting and what it may be are named.
  """

  train_clips: int = 3000
  eval_clips: int = 800
  seed: int = 1
  clip_seconds: float = 10.0
  event_seconds: Range = (0.5, 5.0)
  snr_db: Range = (0.0, 20.0)
  background_dbfs: Range = (-60.0, -30.0)
  background_exponent: Range = (0.0, 2.0)
  event_probabilities: tuple[float, ...] = (0.30, 0.35, 0.25, 0.10)
  drop_rate_min: float = 0.5
  drop_rate_max: float = 0.98
  neighbour_negatives: float = 1.0
  other_negatives: float = 0.5
  drop_in_eval: bool = False
  source_dir: str = ''
  eval_sources: str = ''
  source_classes: str = ''

  def __post_init__(self):
    _check(self.train_clips >= 1, 'train_clips', self.train_clips, '1 or more')
    _check(self.eval_clips >= 1, 'eval_clips', self.eval_clips, '1 or more')
    _check(self.seed >= 0, 'seed', self.seed, '0 or more')
    _check_range('event_seconds', self.event_seconds, 0.05, 3600)
    shortest = self.event_seconds[0]
    _check(
      shortest <= self.clip_seconds <= 3600,
      'clip_seconds',
      self.clip_seconds,
      f'{shortest} (the shortest event) to 3600',
    )
    _check_range('snr_db', self.snr_db, -60, 60)
    _check_range('background_dbfs', self.background_dbfs, -90, 0)
    _check_range('background_exponent', self.background_exponent, 0, 4)
    _check_probabilities(self.event_probabilities)
    rates = (self.drop_rate_min, self.drop_rate_max)
    _check_range('drop_rate_min, drop_rate_max', rates, 0, 1)
    for name in ('neighbour_negatives', 'other_negatives'):
      mean = getattr(self, name)
      _check(0 <= mean <= 1000, name, mean, '0 to 1000')
    for name in ('eval_sources', 'source_classes'):
      if getattr(self, name) and not self.source_dir:
        raise InputError(f'{name} is given, but no source_dir with recordings')


def _check(is_good: bool, name: str, value: object, allowed: str) -> None:
  if not is_good:
    raise InputError(f'{name} is {value}, but it must be {allowed}')


def _check_range(name: str, values: Range, lowest: float, highest: float) -> None:
  is_good = len(values) == 2 and lowest <= values[0] <= values[1] <= highest
  allowed = f'two numbers in ascending order from {lowest} to {highest}'
  _check(is_good, name, values, allowed)


def _check_probabilities(values: tuple[float, ...]) -> None:
  is_good = bool(values) and all(value >= 0 for value in values)
  is_good = is_good and math.isclose(sum(values), 1, abs_tol=1e-6)
  allowed = 'the probabilities of 1, 2, … events, which sum to 1'
  _check(is_good, 'event_probabilities', values, allowed)
