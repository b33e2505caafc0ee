"""FLAC: the last frame found whole; the number of samples and their MD5.

Format: RFC 9639.
"""

import dataclasses
import struct

import numpy as np

from audioset_ml.audio.containers.base import (
  Container,
  ContainerError,
  Encoding,
  check_shape,
)

_STREAMINFO_START = 8  # behind the marker and the first block's header
_STREAMINFO_BYTES = 34
_SAMPLE_COUNT_MASK = (1 << 36) - 1
_LONGEST_FRAME_BYTES = 1 << 19
# Block sizes by the frame header's code; codes 6 and 7 are followed by the size.
_BLOCK_SAMPLES = {
  1: 192,
  **{code: 576 << (code - 2) for code in range(2, 6)},
  **{code: 256 << (code - 8) for code in range(8, 16)},
}


def _crc_table(polynomial: int, bits: int) -> list[int]:
  table = []
  for byte in range(256):
    crc = byte << (bits - 8)
    for _ in range(8):
      crc = (crc << 1) ^ (polynomial if crc >> (bits - 1) else 0)
      crc &= (1 << bits) - 1
    table.append(crc)
  return table


_CRC8_TABLE, _CRC16_TABLE = _crc_table(0x07, 8), _crc_table(0x8005, 16)


def inspect(data: bytes) -> Container:
  """Checks a FLAC file's header and its last frame.

  Streamed FLAC (ffmpeg into a pipe) states no length; it is filled in from the last
  frame, since libsndfile can't read such a file. Whether the other frames are whole
  shows in decoding, against `Container.samples` and `Container.md5`.

  Raises:
    ContainerError: the file is truncated or its header damaged.
  """
  if data[-128:].startswith(b'TAG'):  # ID3v1, of 128 bytes
    data = data[:-128]
  if len(data) < _STREAMINFO_START + _STREAMINFO_BYTES:
    raise ContainerError('truncated: it ends inside its header')
  if data[4] & 0x7F or int.from_bytes(data[5:8], 'big') != _STREAMINFO_BYTES:
    raise ContainerError('its header is damaged: no STREAMINFO')
  # [20 bits sample rate][3 channels - 1][5 bits a sample - 1][36 samples]
  (packed,) = struct.unpack_from('>Q', data, _STREAMINFO_START + 10)
  md5 = data[_STREAMINFO_START + 18 : _STREAMINFO_START + 34]
  container = Container(
    encoding=Encoding('flac', bits=(packed >> 36 & 0x1F) + 1),
    data=data,
    sample_rate=packed >> 44,
    channels=(packed >> 41 & 7) + 1,
    samples=packed & _SAMPLE_COUNT_MASK,
    md5=md5 if any(md5) else None,
  )
  check_shape(container.sample_rate, container.channels)
  frames_start = _find_frames(data)
  if frames_start == len(data) and container.samples == 0:
    return container  # a header and no sound
  samples = _last_frame_end(data, frames_start)
  if container.samples == 0:
    return _fill_in_length(container, packed, samples)
  if samples != container.samples:
    raise ContainerError(
      f'truncated: its header promises {container.samples} samples, but its last frame '
      f'ends at sample {samples}'
    )
  return container


def pcm_bytes(samples: np.ndarray, bits: int) -> bytes:
  """The samples as FLAC's MD5 is computed over them.

  Args:
    samples: float32 in [-1, 1), exact multiples of a step. Shape [samples, channels].
    bits: bits a sample, at most 24 (float32 holds no more).

  Returns:
    Little-endian signed whole numbers of as many bytes as the bits need.
  """
  whole = np.rint(samples * np.float32(1 << (bits - 1))).astype('<i4')
  if bits <= 8:
    return whole.astype('i1').tobytes()
  if bits <= 16:
    return whole.astype('<i2').tobytes()
  return whole.view(np.uint8).reshape(-1, 4)[:, :3].tobytes()


def _find_frames(data: bytes) -> int:
  """The position behind the last metadata block."""
  position, is_last = 4, False
  while not is_last:
    if position + 4 > len(data):
      raise ContainerError('truncated: it ends inside its metadata')
    is_last = bool(data[position] & 0x80)
    position += 4 + int.from_bytes(data[position + 1 : position + 4], 'big')
  if position > len(data):
    raise ContainerError('truncated: it ends inside its metadata')
  return position


def _fill_in_length(container: Container, packed: int, samples: int) -> Container:
  data, start = container.data, _STREAMINFO_START + 10
  filled = data[:start] + struct.pack('>Q', packed | samples) + data[start + 8 :]
  return dataclasses.replace(container, data=filled, samples=samples)


def _last_frame_end(data: bytes, frames_start: int) -> int:
  """The number of the sample behind the last frame, which must be whole."""
  (fixed_block,) = struct.unpack_from('>H', data, _STREAMINFO_START)
  limit = max(frames_start, len(data) - _LONGEST_FRAME_BYTES)
  start = data.rfind(b'\xff', limit)
  while start >= limit:
    end_sample = _read_frame_header(data[start : start + 16], fixed_block)
    # The two bytes behind a frame make the checksum of all of it come out as zero.
    if end_sample is not None and _crc(_CRC16_TABLE, 16, data[start:]) == 0:
      return end_sample
    start = data.rfind(b'\xff', limit, start)
  raise ContainerError('truncated or damaged: its last FLAC frame is not whole')


def _read_frame_header(header: bytes, fixed_block: int) -> int | None:
  """The number of the sample behind a frame; None if this is no frame header."""
  if len(header) < 7 or header[0] != 0xFF or header[1] & 0xFE != 0xF8:
    return None
  number_bytes = max(8 - (header[4] ^ 0xFF).bit_length(), 1)  # as in UTF-8
  position = 4 + number_bytes
  number = header[4] & (0x7F >> (number_bytes if number_bytes > 1 else 0))
  for byte in header[5:position]:
    number = number << 6 | byte & 0x3F
  code = header[2] >> 4
  block_bytes = {6: 1, 7: 2}.get(code, 0)
  block_end = position + block_bytes
  block = _BLOCK_SAMPLES.get(code)
  if block_bytes:
    block = int.from_bytes(header[position:block_end], 'big') + 1
  rate_bytes = {12: 1, 13: 2, 14: 2}.get(header[2] & 0x0F, 0)
  end = block_end + rate_bytes + 1
  if block is None or end > len(header) or _crc(_CRC8_TABLE, 8, header[:end]):
    return None
  is_variable = header[1] & 1
  return (number if is_variable else number * fixed_block) + block


def _crc(table: list[int], bits: int, data: bytes) -> int:
  crc, mask, shift = 0, (1 << bits) - 1, bits - 8
  for byte in data:
    crc = (crc << 8 & mask) ^ table[crc >> shift ^ byte]
  return crc
