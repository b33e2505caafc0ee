"""WAV files whose header has several sizes of a sample, or a rare one."""

import contextlib
import struct

import numpy as np
import pytest

from audioset_ml.core.errors import AudioError
from tests.audio.sound_files import RATE, read, tone

GUID = bytes.fromhex('0100000000001000800000aa00389b71')
SOUND = tone(2.0)


def stored(sound, bits, width):
  """Samples in the upper bits of so many bytes. Shape [samples, channels]."""
  values = np.round(sound.astype(float) * (2 ** (bits - 1) - 1)).astype('<i8')
  values <<= 8 * width - bits
  return np.ascontiguousarray(values).view('u1').reshape(-1, 8)[:, :width].tobytes()


def wav(data, channels, bits, frame, byte_rate=None, valid=None, tag=1):
  fmt = struct.pack('<HHI', tag if valid is None else 0xFFFE, channels, RATE)
  fmt += struct.pack('<IHH', byte_rate or RATE * frame, frame, bits)
  if valid is not None:
    fmt += struct.pack('<HHI', 22, valid, (1 << channels) - 1) + GUID
  size = len(fmt) + len(data) + 20
  return (
    b'RIFF' + struct.pack('<I', size) + b'WAVEfmt ' + struct.pack('<I', len(fmt)) + fmt
  ) + (b'data' + struct.pack('<I', len(data)) + data)


def assert_reads(data, sound, is_odd):
  found = read(data)
  np.testing.assert_allclose(found.waveform, sound.mean(axis=1), atol=1e-4)
  assert any('contradicts itself' in note for note in found.notes) == is_odd
  assert not is_odd or 'bits at' in found.notes[0]


@pytest.mark.parametrize('channels', [1, 2])
@pytest.mark.parametrize('width', [1, 2, 3, 4])
@pytest.mark.parametrize('bits', [0, 8, 16, 24, 32])
@pytest.mark.parametrize('frame', [0, 1, 2, 3, 4])
def test_what_samples_say_is_believed(channels, width, bits, frame):
  """One of bits, bytes a frame and bytes a second is right, and two are anything."""
  if width == 1 or not (bits or frame):
    return  # 8 bits are unsigned
  sound = SOUND[:, :channels]
  data = stored(sound, 8 * width, width)
  is_odd = not (bits == 8 * width and frame == width)
  file = wav(data, channels, bits, frame * channels, RATE * width * channels)
  assert_reads(file, sound, is_odd)


@pytest.mark.parametrize(
  ('used', 'bits', 'width', 'valid'),
  [(24, 32, 4, 24), (20, 32, 4, 20), (16, 24, 3, 16), (20, 24, 3, 20), (12, 16, 2, 12)],
)
def test_fewer_valid_bits_than_stored_ones_are_no_contradiction(
  used, bits, width, valid
):
  file = wav(stored(SOUND, used, width), 2, bits, 2 * width, valid=valid)
  sound = read(file)
  np.testing.assert_allclose(sound.waveform, SOUND.mean(axis=1), atol=1e-3)
  assert sound.notes == ()


@pytest.mark.parametrize('scale', [1, 32768])
def test_floats_that_are_called_24_bits(scale):
  """As Cool Edit wrote them."""
  data = (SOUND * scale).astype('<f4').tobytes()
  assert_reads(wav(data, 2, 24, 8), SOUND, True)


def test_noise_is_read_by_its_bits():
  noise = np.random.default_rng(0).uniform(-1, 1, (2 * RATE, 2))
  assert_reads(wav(stored(noise, 16, 2), 2, 16, 8), noise, True)


@pytest.mark.parametrize('width', [2, 3])
def test_headers_without_bits(width):
  data = wav(stored(SOUND, 8 * width, width), 2, 0, 2 * width)
  short = data[:16] + struct.pack('<I', 14) + data[20:34] + data[36:]
  np.testing.assert_allclose(read(short).waveform, SOUND.mean(axis=1), atol=1e-4)


@pytest.mark.parametrize('channels', [0, 0x8001, 0xFFFF])
@pytest.mark.parametrize('frame', [0, 6, 0xFFFF])
def test_impossible_numbers_of_channels(channels, frame):
  data = wav(stored(SOUND, 24, 3), 2, 24, 6)
  data = bytearray(data[:22] + struct.pack('<H', channels) + data[24:])
  data[32:34] = struct.pack('<H', frame)
  short = data[:16] + struct.pack('<I', 14) + data[20:34] + data[36:]
  for one in (data, short):
    with contextlib.suppress(AudioError):
      read(bytes(one))


def test_a_single_frame():
  file = wav(stored(SOUND[100:101], 24, 3), 2, 24, 8)
  np.testing.assert_allclose(read(file).waveform, SOUND[100:101].mean(1), atol=1e-6)
