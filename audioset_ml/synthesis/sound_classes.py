"""The parametric sound classes: one table, a row a class.

The classes carry the mids and names of the AudioSet classes they caricature. Within
a family all come from the same generator, and their parameter ranges overlap, so that
neighbours are easily confused, as AudioSet's are; what tells them apart is where all
the parameters lie together.
"""

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np

from audioset_ml.synthesis import generators

Range = tuple[float, float]


@dataclasses.dataclass(frozen=True)
class SoundClass:
  """A class of sounds.

  Attributes:
    mid: AudioSet's machine id.
    name: AudioSet's display name.
    family: classes of one family are each other's confusable neighbours.
    ranges: from what range each of the generator's parameters is drawn; empty for a
      class of recordings.
  """

  mid: str
  name: str
  family: str
  ranges: Mapping[str, Range] = dataclasses.field(default_factory=dict)


GENERATORS: Mapping[str, Callable[..., np.ndarray]] = {
  'siren': generators.siren,
  'bell': generators.bell,
  'impact': generators.impact,
  'engine': generators.engine,
  'texture': generators.texture,
  'call': generators.call,
}

# The parameters that the columns below are ranges of; generators.py explains them.
_COLUMNS = {
  'siren': ('low_hz', 'span', 'cycle_hz', 'steps', 'duty', 'rolloff'),
  'bell': (
    'pitch_hz', 'pitch_spread', 'stretch', 'decay_seconds', 'strike_hz', 'jitter',
  ),
  'impact': (
    'rate_hz', 'jitter', 'resonance_hz', 'decay_seconds', 'noisiness', 'alternation',
  ),
  'engine': (
    'firing_hz', 'wander', 'unevenness', 'resonance_hz', 'rolloff', 'noisiness',
  ),
  'texture': (
    'centre_hz', 'octaves', 'grain_hz', 'graininess', 'swell_hz', 'swell_depth',
  ),
  'call': (
    'pitch_hz', 'glide', 'call_seconds', 'call_hz', 'trill_hz', 'rolloff', 'breath',
  ),
}  # fmt: skip

_ROWS = {
  'siren': (
    ('/m/04qvtq', 'Police car (siren)',
     (500, 900), (1.5, 2.4), (0.8, 4), (0, 0.4), (1, 1), (1, 2)),
    ('/m/012n7d', 'Ambulance (siren)',
     (450, 850), (1.25, 1.8), (0.4, 1.5), (0.4, 1), (1, 1), (1, 2)),
    ('/m/012ndj', 'Fire engine, fire truck (siren)',
     (350, 750), (1.3, 2.2), (0.3, 1.2), (0, 0.6), (1, 1), (0.8, 1.6)),
    ('/m/0dgbq', 'Civil defense siren',
     (250, 600), (1.3, 2.2), (0.12, 0.5), (0, 0.3), (1, 1), (0.8, 1.6)),
    ('/m/02mfyn', 'Car alarm',
     (700, 1500), (1.3, 2.4), (2, 6), (0, 1), (0.6, 1), (0.8, 1.8)),
    ('/m/01y3hg', 'Smoke detector, smoke alarm',
     (1900, 3600), (1, 1.05), (1, 3.5), (0, 1), (0.3, 0.6), (1, 2.5)),
    ('/m/02rhddq', 'Reversing beeps',
     (900, 2000), (1, 1.05), (0.8, 1.8), (0, 1), (0.4, 0.6), (1, 2.5)),
    ('/m/046dlr', 'Alarm clock',
     (1300, 2800), (1, 1.2), (1.5, 5), (0, 1), (0.3, 0.6), (0.8, 2)),
  ),
  'bell': (
    ('/m/03w41f', 'Church bell',
     (200, 600), (0.005, 0.1), (1.1, 1.5), (0.5, 2), (0.5, 1.5), (0, 0.2)),
    ('/m/0239kh', 'Cowbell',
     (400, 1000), (0.05, 0.3), (1.2, 1.7), (0.08, 0.4), (1, 4), (0.1, 0.5)),
    ('/m/0gy1t2s', 'Bicycle bell',
     (1400, 3000), (0.005, 0.1), (1, 1.4), (0.2, 0.7), (3, 7), (0, 0.2)),
    ('/m/07pp8cl', 'Telephone bell ringing',
     (900, 2000), (0.05, 0.2), (1, 1.3), (0.2, 0.8), (10, 22), (0, 0.1)),
    ('/m/027m70_', 'Jingle bell',
     (2200, 4500), (0.15, 0.4), (1, 1.3), (0.05, 0.18), (5, 12), (0.3, 0.8)),
    ('/m/026fgl', 'Wind chime',
     (700, 2000), (0.3, 0.6), (1.3, 1.7), (0.5, 1.8), (1.5, 4), (0.3, 0.9)),
  ),
  'impact': (
    ('/m/07r4wb8', 'Knock',
     (3, 7), (0, 0.3), (200, 600), (0.01, 0.04), (0.1, 0.5), (0.9, 1.1)),
    ('/m/07pbtc8', 'Walk, footsteps',
     (1.3, 2.5), (0, 0.15), (150, 600), (0.03, 0.1), (0.6, 1), (0.8, 1.3)),
    ('/m/07rv9rh', 'Clip-clop',
     (2.5, 6), (0.05, 0.4), (500, 1300), (0.01, 0.03), (0.1, 0.6), (1.2, 1.6)),
    ('/m/07qjznl', 'Tick-tock',
     (1, 3), (0, 0.03), (1000, 3500), (0.004, 0.015), (0.2, 0.8), (0.6, 0.9)),
    ('/m/0316dw', 'Typing',
     (4, 12), (0.3, 0.8), (1000, 3500), (0.004, 0.015), (0.5, 1), (0.8, 1.3)),
    ('/m/03l9g', 'Hammer',
     (1, 3), (0, 0.25), (800, 2800), (0.04, 0.15), (0, 0.3), (0.95, 1.05)),
  ),
  'engine': (
    ('/m/07pb8fc', 'Idling',
     (15, 35), (0.005, 0.03), (0.4, 0.9), (130, 450), (0.3, 1), (0, 0.25)),
    ('/m/04_sv', 'Motorcycle',
     (30, 100), (0.08, 0.35), (0.4, 1), (150, 500), (0.1, 0.7), (0.05, 0.3)),
    ('/m/01yg9g', 'Lawn mower',
     (40, 100), (0.005, 0.05), (0, 0.4), (350, 1200), (0.2, 0.8), (0.5, 1)),
    ('/m/01j4z9', 'Chainsaw',
     (80, 220), (0.05, 0.3), (0, 0.4), (700, 2500), (0, 0.6), (0.3, 0.9)),
    ('/m/09ct_', 'Helicopter',
     (10, 25), (0.002, 0.02), (0, 0.2), (100, 600), (0, 0.6), (0.5, 1)),
    ('/m/02rlv9', 'Motorboat, speedboat',
     (60, 160), (0.01, 0.1), (0.1, 0.4), (120, 500), (0.6, 1.4), (0.3, 0.9)),
  ),
  'texture': (
    ('/m/06mb1', 'Rain',
     (2000, 5000), (0.8, 2), (200, 1500), (0.2, 0.8), (0.2, 1), (0, 0.15)),
    ('/m/0j2kx', 'Waterfall',
     (1200, 3500), (1, 2.2), (500, 3000), (0, 0.4), (0.2, 1), (0, 0.1)),
    ('/m/03m9d0z', 'Wind',
     (150, 700), (0.5, 1.5), (500, 3000), (0, 0.1), (0.3, 1.5), (0.2, 0.7)),
    ('/m/034srq', 'Waves, surf',
     (400, 1500), (0.8, 2), (500, 3000), (0, 0.3), (0.2, 0.8), (0.4, 0.9)),
    ('/m/0dxrf', 'Frying (food)',
     (2500, 6000), (0.5, 1.3), (80, 500), (0.4, 0.9), (0.5, 3), (0.05, 0.3)),
    ('/m/07pzfmf', 'Crackle',
     (1200, 4500), (0.7, 1.8), (8, 80), (0.6, 1), (0.5, 3), (0.05, 0.4)),
  ),
  'call': (
    ('/m/07pggtn', 'Chirp, tweet',
     (2000, 4500), (0.5, 2), (0.06, 0.25), (2, 6), (5, 40), (1.5, 3), (0, 0.2)),
    ('/m/09xqv', 'Cricket',
     (2800, 5500), (0.9, 1.1), (0.15, 0.5), (1.2, 4), (25, 70), (2, 3), (0, 0.2)),
    ('/m/07r5c2p', 'Caw',
     (500, 1300), (0.6, 1), (0.2, 0.5), (1, 2.5), (15, 60), (0.2, 1), (0.3, 1)),
    ('/m/07qdb04', 'Quack',
     (350, 900), (0.7, 1.1), (0.1, 0.3), (1.8, 5), (15, 60), (0, 0.7), (0.1, 0.5)),
    ('/m/07r_80w', 'Hoot',
     (250, 600), (0.85, 1.1), (0.25, 0.8), (0.5, 1.6), (2, 10), (2, 3), (0, 0.3)),
    ('/m/07r_25d', 'Coo',
     (350, 800), (0.7, 1.3), (0.2, 0.6), (0.9, 2.5), (8, 30), (1.5, 3), (0.1, 0.5)),
  ),
}  # fmt: skip


def _build_table() -> tuple[SoundClass, ...]:
  return tuple(
    SoundClass(mid, name, family, dict(zip(_COLUMNS[family], ranges, strict=True)))
    for family, rows in _ROWS.items()
    for mid, name, *ranges in rows
  )


SOUND_CLASSES = _build_table()


def draw_parameters(
  rng: np.random.Generator, ranges: Mapping[str, Range]
) -> dict[str, float]:
  """Draws a value for each parameter.

  Physical quantities (`_hz`, `_seconds`) are drawn evenly on a logarithmic scale,
  which is how they are heard; pure numbers evenly.
  """
  values = {}
  for name, (low, high) in ranges.items():
    if name.endswith(('_hz', '_seconds')):
      values[name] = float(np.exp(rng.uniform(np.log(low), np.log(high))))
    else:
      values[name] = float(rng.uniform(low, high))
  return values


@dataclasses.dataclass(frozen=True)
class ParametricSounds:
  """Synthesises events of the classes of the table."""

  classes: tuple[SoundClass, ...] = SOUND_CLASSES

  def choose(
    self, rng: np.random.Generator, split: str, class_index: int
  ) -> tuple[str, float]:
    """The generator's name, and how long the sound can be (s): without limit."""
    del rng, split
    return self.classes[class_index].family, np.inf

  def render(
    self,
    rng: np.random.Generator,
    class_index: int,
    source: str,
    seconds: float,
    sample_rate: int,
  ) -> np.ndarray:
    """A new sound of a class, float32 [round(seconds * sample_rate)]."""
    parameters = draw_parameters(rng, self.classes[class_index].ranges)
    return GENERATORS[source](rng, seconds, sample_rate, **parameters)
