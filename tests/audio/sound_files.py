"""Sound files made for the tests, in every format, and ways to damage them."""

import importlib.util
import io
import pathlib
import struct
import tempfile

import numpy as np
import pytest
import soundfile

from audioset_ml.audio import decoding

needs_tensorflow_io = pytest.mark.skipif(
  importlib.util.find_spec('tensorflow_io') is None,
  reason='tensorflow-io is not installed (it needs TensorFlow 2.17, Python below 3.13)',
)
both_decoders = pytest.mark.parametrize(
  'decoder', ['ffmpeg', pytest.param('tensorflow_io', marks=needs_tensorflow_io)]
)

# Name: libsndfile's format and subtype, and how exact the samples come back.
FORMATS = {
  'wav_u8': ('WAV', 'PCM_U8', 1 / 127),
  'wav_16': ('WAV', 'PCM_16', 1 / 32767),
  'wav_24': ('WAV', 'PCM_24', 1e-6),
  'wav_32': ('WAV', 'PCM_32', 1e-6),
  'wav_float': ('WAV', 'FLOAT', 0),
  'wav_double': ('WAV', 'DOUBLE', 0),
  'wav_extensible': ('WAVEX', 'PCM_16', 1 / 32767),
  'wav_extensible_24': ('WAVEX', 'PCM_24', 1e-6),
  'wav_extensible_float': ('WAVEX', 'FLOAT', 0),
  'flac_8': ('FLAC', 'PCM_S8', 1 / 127),
  'flac_16': ('FLAC', 'PCM_16', 1 / 32767),
  'flac_24': ('FLAC', 'PCM_24', 1e-6),
  'mp3': ('MP3', 'MPEG_LAYER_III', 0.1),
  'vorbis': ('OGG', 'VORBIS', 0.1),
  'opus': ('OGG', 'OPUS', 0.2),
}
NOT_IN_TENSORFLOW_IO = ('wav_double', 'opus')
RATE = 24000  # one that every format has


def tone(seconds=0.5, channels=2, rate=RATE):
  """A chord with its own level in each channel. Shape [samples, channels]."""
  time = np.arange(round(seconds * rate)) / rate
  chord = 0.4 * np.sin(2 * np.pi * 440 * time) + 0.2 * np.sin(2 * np.pi * 1250 * time)
  levels = np.linspace(1, 0.5, channels)
  return (chord[:, np.newaxis] * levels).astype(np.float32)


def read(data, decoder='ffmpeg', rate=RATE):
  """The sound of a file with these bytes, named clip."""
  with tempfile.TemporaryDirectory() as folder:
    path = pathlib.Path(folder, 'clip')
    path.write_bytes(data)
    return decoding.read_sound(path, rate, decoder)


def encode(samples, kind, rate=RATE):
  """The bytes of a sound file of one of FORMATS."""
  file_format, subtype, _ = FORMATS[kind]
  file = io.BytesIO()
  soundfile.write(file, samples, rate, format=file_format, subtype=subtype)
  return file.getvalue()


def set_wav_sizes(data, riff_size, data_size):
  """A WAV file with other sizes in its RIFF and data headers; None leaves one."""
  data = bytearray(data)
  if riff_size is not None:
    data[4:8] = struct.pack('<I', riff_size)
  if data_size is not None:
    position = data.index(b'data') + 4
    data[position : position + 4] = struct.pack('<I', data_size)
  return bytes(data)


def insert_wav_chunk(data, position, chunk):
  """A WAV file with another chunk in it, and the RIFF size to match."""
  longer = data[:position] + chunk + data[position:]
  return set_wav_sizes(longer, len(longer) - 8, None)


def without_flac_length(data, keep_md5=False):
  """FLAC as ffmpeg writes it into a pipe: no number of samples, no MD5."""
  packed = int.from_bytes(data[18:26], 'big') >> 36 << 36
  md5 = data[26:42] if keep_md5 else bytes(16)
  return data[:18] + packed.to_bytes(8, 'big') + md5 + data[42:]


def ogg_page_starts(data):
  """Where the pages of an Ogg file start."""
  starts, position = [], 0
  while position < len(data):
    starts.append(position)
    segments = data[position + 26]
    position += 27 + segments + sum(data[position + 27 : position + 27 + segments])
  return starts


def ogg_page(data, start):
  """The bytes of a page."""
  segments = data[start + 26]
  size = 27 + segments + sum(data[start + 27 : start + 27 + segments])
  return data[start : start + size]


def ogg_checksum(page):
  """The checksum of a page in which it is 0 yet (RFC 3533), bit by bit."""
  remainder = 0
  for byte in page:
    remainder ^= byte << 24
    for _ in range(8):
      high = remainder & 0x80000000
      remainder = (remainder << 1 ^ (0x04C11DB7 if high else 0)) & 0xFFFFFFFF
  return remainder


def mp3_without_header_frame(data):
  """An MP3 file without its Xing frame, as plain encoders and cutters write it.

  The bit rate varies, as libsndfile writes it.
  """
  return data[data.index(data[:2], 4) :]


def with_vbri_header(data):
  """An MP3 file with Fraunhofer's header frame in place of LAME's."""
  size = data.index(data[:2], 4)
  count = data[data.index(b'Xing') + 8 :][:4]
  frame = data[:4] + bytes(32) + b'VBRI' + bytes(10) + count
  return frame.ljust(size, b'\0') + data[size:]


def sound_start(data):
  """Where the coded sound starts in a FLAC or Ogg file, behind all headers."""
  if data.startswith(b'OggS'):
    return ogg_page_starts(data)[2]
  position, is_last = 4, False
  while not is_last:
    is_last = data[position] & 0x80
    position += 4 + int.from_bytes(data[position + 1 : position + 4], 'big')
  return position


def header_only(kind):
  """A file with all the headers of its format, and no sound."""
  if kind == 'mp3':
    data = encode(tone(), kind)
    count = data.index(b'Xing') + 8
    return data[:count] + bytes(4) + data[count + 4 : data.index(data[:2], 4)]
  if kind.startswith('flac'):
    data = without_flac_length(encode(tone(), kind))
    return data[: sound_start(data)]
  return encode(np.zeros((0, 1), 'f4'), kind)


def flac_that_hangs_tensorflow_io():
  """FLAC whose header promises 2**32 samples more: tensorflow-io waits for them."""
  data = bytearray(encode(tone(), 'flac_16'))
  data[21] |= 1
  return bytes(data)
