"""The spectrogram of the clip figure: what is drawn lies at its frequency and time."""

import numpy as np
import pytest
import tensorflow as tf

from audioset_ml.audio import features
from audioset_ml.audio.front_end import FrontEnd
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.labels.clip_labels import ClipLabels
from audioset_ml.labels.states import LabelState
from audioset_ml.records.frames import FrameFormat
from audioset_ml.records.inspection import ClipContent
from audioset_ml.reporting import clip_figure

CLASS_MAP = ClassMap(('/m/0',), ('Tone',))


def draw(log_mel, front_end=None):
  labels = ClipLabels('clip_0', {0: LabelState.EXPLICIT_POSITIVE})
  content = ClipContent(labels, log_mel, 10.0)
  return clip_figure.draw_clip(content, CLASS_MAP, FrameFormat.log_mel(front_end))


def noise():
  return np.random.default_rng(0).normal(-3, 1, (1008, 64))


def test_mel_bands_are_drawn_at_their_true_frequencies():
  front_end = FrontEnd()
  hz = np.linspace(0, front_end.sample_rate / 2, 2**15 + 1)
  weights = tf.signal.linear_to_mel_weight_matrix(
    front_end.mel_bands,
    len(hz),
    front_end.sample_rate,
    front_end.mel_min_hz,
    front_end.mel_max_hz,
  ).numpy()
  peaks = hz[weights.argmax(axis=0)]
  edges = clip_figure.mel_edges_hz(front_end)
  assert edges[[0, -1]] == pytest.approx([125.0, 7500.0])
  middles = clip_figure.mel_to_hz(
    (clip_figure.hz_to_mel(edges[1:]) + clip_figure.hz_to_mel(edges[:-1])) / 2
  )
  np.testing.assert_allclose(middles[1:-1], peaks[1:-1], atol=hz[1])
  # Wherever a band is drawn, no other one responds more.
  inside = (hz > edges[0]) & (hz < edges[-1])
  strongest = weights[inside].argmax(axis=1)
  drawn = np.searchsorted(edges, hz[inside]) - 1
  assert np.mean(strongest == drawn) > 0.999


@pytest.mark.parametrize('tone_hz', [300.0, 1000.0, 5000.0])
def test_a_tone_is_drawn_at_its_frequency_and_time(tone_hz):
  times = np.arange(160_000) / 16_000
  waveform = 0.5 * np.sin(2 * np.pi * tone_hz * times) * ((times >= 4) & (times < 6))
  padded = features.pad_waveform(tf.constant(waveform, tf.float32), FrontEnd())
  log_mel = features.log_mel_spectrogram(padded, FrontEnd()).numpy()
  axes = draw(log_mel).axes[0]
  mesh = axes.collections[0]
  corners, values = mesh.get_coordinates(), mesh.get_array()
  band, frame = np.unravel_index(values.argmax(), values.shape)
  assert corners[band, frame, 1] < tone_hz < corners[band + 1, frame, 1]
  loud = np.flatnonzero(values[band] > values.max() - 1)
  assert corners[0, loud[0], 0] == pytest.approx(4, abs=0.02)
  assert corners[0, loud[-1] + 1, 0] == pytest.approx(6, abs=0.02)


@pytest.mark.parametrize(
  ('front_end', 'ticks'),
  [
    (FrontEnd(), ['125', '500', '1k', '2k', '4k', '7.5k']),
    (
      FrontEnd(sample_rate=44_100, mel_min_hz=50.0, mel_max_hz=16_000.0),
      ['50', '500', '1k', '2k', '4k', '8k', '16k'],
    ),
  ],
)
def test_ticks_are_round_frequencies_and_the_limits(front_end, ticks):
  axes = draw(noise(), front_end).axes[0]
  assert [label.get_text() for label in axes.get_yticklabels()] == ticks
  assert axes.get_ylim() == (front_end.mel_min_hz, front_end.mel_max_hz)


def test_silence_can_be_drawn():
  draw(np.full((1008, 64), -6.9)).draw_without_rendering()
