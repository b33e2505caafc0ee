"""The description of records' frames."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audioset_ml.audio.front_end import FrontEnd
from audioset_ml.core.errors import InputError, RecordError
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.labels.clip_labels import ClipLabels
from audioset_ml.records import schema
from audioset_ml.records.augment_config import AugmentConfig
from audioset_ml.records.folder import RecordsFolder
from audioset_ml.records.frames import FrameFormat

LOG_MEL = FrameFormat.log_mel()
VGGISH = FrameFormat.audioset_embeddings()
NETWORK = LOG_MEL.embeddings(1024, 'abc', 'embeddings of yamnet')


def test_log_mel_is_one_kind():
  assert LOG_MEL.patch_shape == (96, 64)
  assert (LOG_MEL.patch_window_seconds, LOG_MEL.patch_hop_seconds) == (0.96, 0.48)
  assert LOG_MEL.to_run() == {'front_end': FrontEnd().to_dict()}  # as ever


def test_published_embeddings_are_patches_by_themselves():
  assert VGGISH.patch_shape == (1, 128)
  assert (VGGISH.patch_window_seconds, VGGISH.patch_hop_seconds) == (0.96, 0.96)
  assert [VGGISH.num_patches(frames) for frames in (0, 1, 10)] == [0, 1, 10]
  assert VGGISH.frame_bytes == 128


def test_embeddings_of_a_network_follow_its_overlapping_patches():
  assert NETWORK.patch_shape == (1, 1024)
  assert (NETWORK.patch_window_seconds, NETWORK.patch_hop_seconds) == (0.96, 0.48)
  assert NETWORK.frame_bytes == 2048


@given(st.integers(1, 96), st.integers(96, 1000))
def test_patches_may_be_other_times_apart(hop, frames):
  found = LOG_MEL.at_hop(hop / 100)
  assert found.num_patches(frames) == len(range(0, frames - 95, hop))
  assert found.num_patches(frames) == found.front_end.num_patches(frames)
  assert found.patch_hop_seconds == pytest.approx(hop / 100)
  assert found.patch_window_seconds == 0.96
  assert FrameFormat.from_run(found.to_run()) == found
  assert found.difference(LOG_MEL, any_hop=True) is None
  assert (found.difference(LOG_MEL) is None) == (hop == 48)


@pytest.mark.parametrize(
  ('frames', 'seconds', 'message'),
  [
    (LOG_MEL, 0.485, '--hop_seconds=0.485: is no multiple of 0.01 s'),
    (LOG_MEL, 0.97, r'longer than a patch \(0.96 s\)'),
    (LOG_MEL, 0.001, 'is no multiple'),
    (LOG_MEL, float('nan'), 'is no multiple'),
    (VGGISH, 0.48, 'is no multiple of 0.96 s, the hop of the frames'),
    (NETWORK, 0.24, 'is no multiple of 0.48 s'),
  ],
)
def test_hops_that_frames_do_not_have_are_refused(frames, seconds, message):
  with pytest.raises(InputError, match=message):
    frames.at_hop(seconds)
  assert frames.at_hop(frames.patch_hop_seconds) == frames


@given(st.integers(1, 2000))
def test_a_network_makes_as_many_frames_as_there_are_patches(frames):
  front_end = FrontEnd()
  assert LOG_MEL.num_patches(frames) == front_end.num_patches(frames)
  patches = LOG_MEL.num_patches(frames)
  assert NETWORK.num_patches(patches) == patches


def test_bytes_stand_for_what_vggish_quantised():
  """Its postprocessor wrote (clip(x, -2, 2) + 2) * 255 / 4 as bytes, rounded down."""
  values = np.linspace(-2.5, 2.5, 1001)
  quantised = ((np.clip(values, -2, 2) + 2) * (255 / 4)).astype(np.uint8)
  found = VGGISH.decoded(quantised.astype(np.float32))
  assert (found.min(), found.max()) == (-2, 2)
  difference = np.clip(values, -2, 2) - found
  assert difference.min() > -1e-6
  assert difference.max() < 4 / 255


@pytest.mark.parametrize('frames', [VGGISH, NETWORK, LOG_MEL])
def test_they_are_told_by_run_json_and_in_records(frames):
  assert FrameFormat.from_run(json.loads(json.dumps(frames.to_run()))) == frames
  stored = np.arange(3 * frames.values).reshape(3, -1) % 251
  serialized = schema.serialize(ClipLabels('abc_0'), stored, frames)
  record = schema.parse(serialized, frames)
  read = schema.decode_frames(record['frames'], 1, 2, frames)
  np.testing.assert_array_equal(read, stored[1:])
  assert schema.as_floats(read, frames).dtype == 'float32'
  np.testing.assert_allclose(
    schema.as_floats(read, frames), frames.decoded(stored[1:].astype('f4')), atol=1e-6
  )


@pytest.mark.parametrize(
  ('change', 'message'),
  [
    ({'values': 0}, "values is '0', but must be a whole number from 1 to 65,536"),
    ({'values': 1 << 40}, "values is '1099511627776', but must be a whole number"),
    ({'values': 128.0}, 'values is'),
    ({'values': True}, 'values is'),
    ({'patch_frames': 1 << 16}, 'a patch has 8,388,608 values, but at most 4,194,304'),
    ({'patch_frames': 1 << 23}, 'patch_frames is'),
    ({'patch_hop_frames': 0}, 'patch_hop_frames is'),
    ({'patch_hop_frames': 1 << 60}, 'patch_hop_frames is'),
    ({'window_seconds': 1e7}, 'window_seconds is .* up to 1,000,000'),
    ({'hop_seconds': float('nan')}, 'hop_seconds is'),
    ({'hop_seconds': '1'}, 'hop_seconds is'),
    ({'scale': 0}, 'scale is .* above 0'),
    ({'scale': 1e300}, 'scale is'),
    ({'offset': -1e300}, 'offset is'),
    ({'padding': -1}, 'padding is .* from 0 and up to 255'),
    ({'dtype': 'float16', 'padding': 1e5}, 'padding is .* from -65,504 and up to'),
    ({'network': 7}, 'network is .* no text'),
    ({'origin': ['a']}, 'origin is .* no text'),
    ({'dtype': 'float64'}, "dtype is 'float64'"),
    ({'hop_seconds': 0}, 'hop_seconds is .* above 0'),
    ({'more': 1}, 'unknown parameters: more'),
  ],
)
def test_impossible_descriptions(change, message):
  run_json = {'frames': {**VGGISH.to_run()['frames'], **change}}
  with pytest.raises(InputError, match=message):
    FrameFormat.from_run(run_json)


def test_records_of_other_frames_do_not_fit():
  class_map = ClassMap(('/m/a',), ('a',))
  records = RecordsFolder('here', (), (), class_map, VGGISH)
  with pytest.raises(RecordError, match='VGGish embeddings, but x is for log-mel'):
    records.require_frames(LOG_MEL, 'x')
  with pytest.raises(RecordError, match='frames have values = 128, but x has 1024'):
    records.require_frames(NETWORK, 'x')
  records.require_frames(VGGISH, 'x')


@pytest.mark.parametrize(
  ('flag', 'effect'),
  [
    ('gain_db', 'changes loudness'),
    ('shift_seconds', 'shifts spectrograms'),
    ('frequency_masks', 'silences mel bands'),
    ('time_masks', 'silences stretches'),
    ('mixup_alpha', 'adds magnitudes'),
  ],
)
def test_what_only_spectrograms_can_undergo_is_refused_by_name(flag, effect):
  LOG_MEL.require_possible(AugmentConfig(**{flag: 1}), 'x')
  VGGISH.require_possible(AugmentConfig(**{flag: 0, 'time_mask_frames': 16}), 'x')
  message = f"--{flag} {effect}.*, but the frames of x are AudioSet's VGGish embeddings"
  with pytest.raises(InputError, match=message):
    VGGISH.require_possible(AugmentConfig(**{flag: 1}), 'x')
