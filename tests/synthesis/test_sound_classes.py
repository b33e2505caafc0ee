"""The table of parametric classes."""

import collections
import csv

import numpy as np
import pytest

from audioset_ml.synthesis.sound_classes import (
  GENERATORS,
  SOUND_CLASSES,
  ParametricSounds,
  draw_parameters,
)

SAMPLE_RATE = 16_000


def test_mids_and_names_are_audiosets(shared_data):
  with open(shared_data('audioset/class_labels_indices.csv'), newline='') as file:
    name_of = {row['mid']: row['display_name'] for row in csv.DictReader(file)}
  for sound_class in SOUND_CLASSES:
    assert name_of[sound_class.mid] == sound_class.name


def test_six_families_of_several_neighbours():
  assert len(SOUND_CLASSES) == 38
  assert len({sound_class.mid for sound_class in SOUND_CLASSES}) == 38
  sizes = collections.Counter(sound_class.family for sound_class in SOUND_CLASSES)
  assert set(sizes) == set(GENERATORS)
  assert min(sizes.values()) >= 6


@pytest.mark.parametrize('sound_class', SOUND_CLASSES, ids=lambda item: item.name)
def test_every_class_sounds_at_any_length(sound_class):
  index = SOUND_CLASSES.index(sound_class)
  for seed, seconds in enumerate((0.05, 0.5, 0.5, 0.5, 3.0)):
    waveform = ParametricSounds().render(
      np.random.default_rng(seed), index, sound_class.family, seconds, SAMPLE_RATE
    )
    assert waveform.shape == (round(seconds * SAMPLE_RATE),)
    assert waveform.dtype == np.float32
    assert np.isfinite(waveform).all()
    # Something is heard, and at once: an event's start is where its sound starts.
    first = waveform[: SAMPLE_RATE // 20]
    assert np.abs(first).max() > 0.02 * np.abs(waveform).max() > 0


def test_two_events_of_a_class_differ():
  sounds = ParametricSounds()
  for index, sound_class in enumerate(SOUND_CLASSES):
    one, other = (
      sounds.render(
        np.random.default_rng(seed), index, sound_class.family, 0.5, SAMPLE_RATE
      )
      for seed in (1, 2)
    )
    assert np.abs(np.corrcoef(one, other)[0, 1]) < 0.9


def test_parameters_keep_to_their_ranges_and_hz_are_drawn_on_a_log_scale():
  ranges = {'pitch_hz': (100.0, 10_000.0), 'depth': (0.0, 1.0)}
  rng = np.random.default_rng(0)
  drawn = [draw_parameters(rng, ranges) for _ in range(2000)]
  pitches = np.array([values['pitch_hz'] for values in drawn])
  depths = np.array([values['depth'] for values in drawn])
  assert pitches.min() >= 100
  assert pitches.max() <= 10_000
  assert np.mean(pitches < 1000) == pytest.approx(0.5, abs=0.05)
  assert depths.mean() == pytest.approx(0.5, abs=0.05)
