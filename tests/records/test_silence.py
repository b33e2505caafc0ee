"""Silent patches: their level, and what they are labelled."""

import numpy as np
import pytest
import tensorflow as tf

from audioset_ml.audio import features
from audioset_ml.audio.front_end import FrontEnd
from audioset_ml.core.errors import InputError
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.labels.clip_labels import ClipLabels
from audioset_ml.labels.states import LabelState
from audioset_ml.records import schema
from audioset_ml.records.folder import RecordsFolder
from audioset_ml.records.frames import FrameFormat
from audioset_ml.records.silence import SilenceConfig, SilenceRule
from audioset_ml.records.training_input import InputConfig, training_dataset
from audioset_ml.records.training_source import Source

LOG_MEL = FrameFormat.log_mel()
RULE = SilenceRule(-70.0, 1, FrontEnd())
QUIET = np.log(0.001)


def level_of(waveform):
  """Of a sound as it is stored, in float16."""
  frames = features.log_mel_spectrogram(tf.constant(waveform, tf.float32), FrontEnd())
  stored = frames.numpy().astype(np.float16).astype(np.float32)[:96]
  return float(RULE.levels(stored[np.newaxis])[0])


@pytest.mark.parametrize('frequency', [200.0, 1000.0, 1234.5, 4000.0, 7000.0])
def test_a_sine_of_full_scale_has_about_no_decibels(frequency):
  times = np.arange(16_000) / 16_000
  sine = np.sin(2 * np.pi * frequency * times)
  loud = level_of(sine)
  assert loud == pytest.approx(0, abs=4)
  for decibels in (-20, -60, -90):
    quiet = level_of(10 ** (decibels / 20) * sine)
    assert quiet == pytest.approx(loud + decibels, abs=1.5)


def test_digital_silence_is_below_any_noise():
  assert level_of(np.zeros(16_000)) < -120
  noise = np.random.default_rng(0).integers(-1, 2, 16_000) / 2**15  # of the last bit
  assert -100 < level_of(noise) < -70


def test_the_level_is_what_numpy_says():
  patches = np.random.default_rng(0).normal(-3, 2, (4, 96, 64)).astype(np.float32)
  magnitudes = np.maximum(np.exp(patches.astype(np.float64)) - 0.001, 0)
  power = (magnitudes**2).sum(axis=2).mean(axis=1) / 200**2
  np.testing.assert_allclose(RULE.levels(patches), 10 * np.log10(power), atol=1e-3)


@pytest.fixture
def records(tmp_path):
  """Clips of 200 frames, every second silent, of which some say so or deny it."""
  shard, ids = str(tmp_path / 'shard'), tuple(f'clip{i}_0' for i in range(16))
  states = [
    {},
    {1: LabelState.EXPLICIT_NEGATIVE},
    {1: LabelState.UNSURE},
    {1: LabelState.EXPLICIT_POSITIVE},
  ]
  with tf.io.TFRecordWriter(shard) as writer:
    for number, clip_id in enumerate(ids):
      frames = np.full((200, 64), QUIET if number % 2 else 0.0)
      weak = {0: LabelState.EXPLICIT_POSITIVE, **states[number // 2 % 4]}
      writer.write(schema.serialize(ClipLabels(clip_id, weak), frames, LOG_MEL))
  class_map = ClassMap(('/m/a', '/m/028v0c'), ('Dog', 'Silence'))
  counts = {'clips_with_events': 0}
  return RecordsFolder(tmp_path, (shard,), ids, class_map, LOG_MEL, counts)


@pytest.mark.parametrize('tells_explicit', [False, True])
def test_silent_patches_are_labelled_unless_people_said_otherwise(
  records, tells_explicit
):
  rule = SilenceConfig(-70.0).of(records)
  assert rule == RULE
  config = InputConfig(
    16, shuffle_buffer=1, tells_explicit=tells_explicit, tells_clips=True
  )
  absent = -2 if tells_explicit else 0
  for silence in (None, rule):
    data = training_dataset(Source(records, silence=silence), config)
    for patches, target, clips in data.take(3).as_numpy_iterator():
      assert (target[:, 0] == 1).all()  # the clip's own label stays
      for patch, label, (clip,) in zip(patches, target[:, 1], clips, strict=True):
        silent = patch.max() < -6
        assert silent == clip % 2
        implicit = 1 if silent and silence else 0
        assert label == [implicit, absent, -1, 1][clip // 2 % 4]


def test_what_it_needs_is_told(records):
  with pytest.raises(InputError, match='silence_below_db is inf, but must be a number'):
    SilenceConfig(float('inf'))
  with pytest.raises(InputError, match="'Quiet' is neither the mid nor the name"):
    SilenceConfig(-70, 'Quiet').of(records)
