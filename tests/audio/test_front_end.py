"""The front end's parameters: YAMNet's numbers, and a faithful round trip."""

import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audioset_ml.audio.front_end import FrontEnd
from audioset_ml.core.errors import InputError


def test_derived_values_are_those_of_yamnet():
  front_end = FrontEnd()
  assert front_end.window_samples == 400
  assert front_end.hop_samples == 160
  assert front_end.fft_length == 512
  assert front_end.patch_frames == 96
  assert front_end.patch_hop_frames == 48
  assert front_end.patch_hop_samples == 7680
  assert front_end.min_samples == 15600


def test_derived_values_follow_the_parameters():
  front_end = FrontEnd(sample_rate=8000, mel_max_hz=3800.0, patch_hop_seconds=0.96)
  assert front_end.window_samples == 200
  assert front_end.fft_length == 256
  assert front_end.patch_hop_frames == 96
  assert FrontEnd(window_seconds=0.032).fft_length == 512  # a power of two already


@given(
  st.builds(
    FrontEnd,
    sample_rate=st.sampled_from([16000, 22050, 44100]),
    mel_bands=st.integers(1, 256),
    mel_min_hz=st.floats(1, 1000),
    log_offset=st.floats(1e-10, 1),
  )
)
def test_json_round_trip(front_end):
  assert FrontEnd.from_dict(json.loads(json.dumps(front_end.to_dict()))) == front_end


@pytest.mark.parametrize(
  'parameters',
  [
    {'sample_rate': 500_000, 'mel_max_hz': 250_000.0, 'window_seconds': 0.002},
    {'sample_rate': 96_000, 'window_seconds': 0.5, 'mel_bands': 1024},
    {'patch_window_seconds': 60.0, 'patch_hop_seconds': 60.0},
  ],
)
def test_what_recorders_and_networks_have_is_possible(parameters):
  assert FrontEnd(**parameters).fft_length <= 1 << 16


def test_from_dict_names_unknown_and_missing_parameters():
  parameters = FrontEnd().to_dict()
  with pytest.raises(InputError, match='unknown parameters: pitch'):
    FrontEnd.from_dict({**parameters, 'pitch': 440})
  del parameters['mel_bands']
  with pytest.raises(InputError, match='missing parameters: mel_bands'):
    FrontEnd.from_dict(parameters)


@pytest.mark.parametrize(
  ('parameter', 'value'),
  [
    ('sample_rate', 0),
    ('sample_rate', 16000.5),
    ('sample_rate', '16000'),
    ('mel_bands', -1),
    ('mel_bands', True),
    ('mel_min_hz', 7500.0),
    ('mel_max_hz', 8001.0),  # above half of the sample rate
    ('mel_max_hz', float('inf')),
    ('log_offset', float('nan')),
    ('log_offset', None),
    ('hop_seconds', 1e-6),  # shorter than a sample
    ('patch_hop_seconds', 0.001),  # shorter than a frame
    ('sample_rate', 2_000_000_000),
    ('window_seconds', 40_000.0),
    ('window_seconds', 1e308),
    ('window_seconds', 0.8),  # of 80 hops
    ('mel_bands', 200_000_000),
    ('mel_bands', 10**400),
    ('patch_window_seconds', 1e7),
    ('patch_hop_seconds', 1e7),
  ],
)
def test_impossible_values_are_refused_by_name(parameter, value):
  with pytest.raises(InputError, match=parameter):
    FrontEnd(**{parameter: value})


def test_needs_no_tensorflow():
  check = (
    'import sys, audioset_ml.audio.front_end, audioset_ml.audio.decoding\n'
    "sys.exit('tensorflow' in sys.modules or 'tensorflow_io' in sys.modules)"
  )
  assert subprocess.run([sys.executable, '-c', check], check=False).returncode == 0
