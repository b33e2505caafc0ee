"""WAV: chunk sizes held against the bytes there are.

libsndfile takes the samples that are there for the whole sound, whatever the header
says. Format: Microsoft, "Multiple Channel Audio Data and WAVE Files".
"""

import dataclasses
import struct

from audioset_ml.audio.containers.base import (
  Container,
  ContainerError,
  Encoding,
  check_shape,
)

_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_ENCODINGS = {
  (_PCM, 8): Encoding('wav', 8),
  (_PCM, 16): Encoding('wav', 16),
  (_PCM, 24): Encoding('wav', 24),
  (_PCM, 32): Encoding('wav', 32),
  (_FLOAT, 32): Encoding('wav', 32, is_float=True),
  (_FLOAT, 64): Encoding('wav', 64, is_float=True),
}
# The last 14 bytes of a subformat GUID that only repeats a plain format tag.
_PLAIN_GUID = bytes.fromhex('000000001000800000aa00389b71')
# A program that writes to a pipe can't go back to fill in the sizes. ffmpeg leaves
# 0xFFFFFFFF, SoX 0x7FFFF000 and more, others 0: then the sound ends with the file.
_STREAMED_SIZE = 0x7FFFF000


@dataclasses.dataclass(frozen=True)
class _Layout:
  """The fmt chunk."""

  encoding: Encoding
  sample_rate: int
  channels: int
  block_bytes: int  # one sample of every channel


def inspect(data: bytes) -> Container:
  """Checks a WAV file: PCM of 8, 16, 24 or 32 bits, or float of 32 or 64.

  A streamed file, whose header has placeholders for sizes, is accepted and taken to end
  with its last byte. That one was cut off shows only where the cut splits a sample.

  Raises:
    ContainerError: the file is truncated, damaged, empty of sound, or coded otherwise.
  """
  riff_size = _size_at(data, 4)
  if riff_size < _STREAMED_SIZE and riff_size + 8 > len(data) + (riff_size & 1):
    raise ContainerError(
      f'truncated: its header promises {riff_size + 8} bytes, but it has {len(data)}'
    )
  layout, start, size = _find_sound(data)
  streamed = size >= _STREAMED_SIZE or (
    size == 0 and (riff_size in (0, start - 8) or riff_size >= _STREAMED_SIZE)
  )
  if streamed:
    size = len(data) - start
  if size > len(data) - start:
    raise ContainerError(
      f'truncated: {size} bytes of sound promised, {len(data) - start} there'
    )
  if size % layout.block_bytes:
    raise ContainerError(
      f'truncated: its {size} bytes of sound are no whole number of samples '
      f'({layout.block_bytes} bytes each)'
    )
  return Container(
    encoding=layout.encoding,
    data=_plain_file(layout, data[start : start + size]),
    sample_rate=layout.sample_rate,
    channels=layout.channels,
    samples=size // layout.block_bytes,
  )


def _size_at(data: bytes, position: int) -> int:
  if len(data) < position + 4:
    raise ContainerError('truncated: it ends inside its header')
  return struct.unpack_from('<I', data, position)[0]


def _find_sound(data: bytes) -> tuple[_Layout, int, int]:
  """The layout, and where the data chunk's content starts and how long it claims."""
  position, layout = 12, None
  while position < len(data):
    name, size = data[position : position + 4], _size_at(data, position + 4)
    position += 8
    if name == b'data':
      if layout is None:
        raise ContainerError('its header is damaged: sound before the fmt chunk')
      return layout, position, size
    if name == b'fmt ':
      layout = _read_layout(data[position : position + size])
    position += size + (size & 1)  # chunks are padded to even sizes
  raise ContainerError('truncated or damaged: it has no data chunk')


def _read_layout(chunk: bytes) -> _Layout:
  if len(chunk) < 16:
    raise ContainerError('its header is damaged: the fmt chunk is too short')
  tag, channels, rate, _, block_bytes, bits = struct.unpack_from('<HHIIHH', chunk)
  if tag == _EXTENSIBLE and len(chunk) >= 40 and chunk[26:40] == _PLAIN_GUID:
    (tag,) = struct.unpack_from('<H', chunk, 24)
  encoding = _ENCODINGS.get((tag, bits))
  if encoding is None:
    raise ContainerError(
      f'a WAV coding other than PCM (format tag {tag:#x}, {bits} bits); convert it '
      'with `ffmpeg -i IN.wav -c:a pcm_s16le OUT.wav`'
    )
  check_shape(rate, channels)
  if block_bytes != channels * bits // 8:
    raise ContainerError(
      f'its header is damaged: {block_bytes} bytes for {channels} samples of {bits} '
      'bits'
    )
  return _Layout(encoding, rate, channels, block_bytes)


def _plain_file(layout: _Layout, sound: bytes) -> bytes:
  """The same sound behind the shortest header, with true sizes.

  tensorflow-io fails at any chunk beside fmt and data, and at sizes left open.
  """
  encoding, channels = layout.encoding, layout.channels
  fmt = struct.pack(
    '<HHIIHH',
    _FLOAT if encoding.is_float else _PCM,
    channels,
    layout.sample_rate,
    layout.sample_rate * layout.block_bytes & 0xFFFFFFFF,
    layout.block_bytes,
    encoding.bits,
  )
  chunks = b'fmt ' + struct.pack('<I', len(fmt)) + fmt
  chunks += b'data' + struct.pack('<I', len(sound)) + sound
  return b'RIFF' + struct.pack('<I', 4 + len(chunks)) + b'WAVE' + chunks
