"""How many bytes a file lacks by the sizes in its headers, where FFmpeg tells nobody.

FFmpeg reads a file that was cut off to its end and says nothing. Formats: RFC 8794
(Matroska), Apple's "Core Audio Format Specification" and AIFF, Sun's AU, Sony's Wave64,
Microsoft's AVI RIFF, Creative's VOC, ISO/IEC 13818-1 (MPEG-TS), and
FFmpeg's readers of SoX, AST and RealMedia. WAV's sizes: `wav_sizes`.
"""

import os
from typing import BinaryIO

from audioset_ml.audio.byte_views import read_at
from audioset_ml.audio.notes import Loss
from audioset_ml.core.errors import counted

_EBML, _SEGMENT = bytes.fromhex('1a45dfa3'), bytes.fromhex('18538067')
_W64 = b'riff' + bytes.fromhex('2e91cf11a5d628db04c10000')
_VOC = b'Creative Voice File\x1a'
# Of what writes into a pipe, which can't fill in a size: so large, of 32 and 64 bits.
_OPEN_32, _OPEN_64 = 0x7FFFF000, 1 << 62
_OPEN = -1
# Some writers count their header twice.
_HEADER_BYTES = 128
_MAX_CHUNKS = 1000
_MAX_PICTURES = 1 << 20  # and sounds, a chunk each


def lacking(file: BinaryIO) -> tuple[str, ...]:
  """A note on what a file lacks; none where its headers don't say.

  Args:
    file: the file, seekable, of a form that is known by its first bytes.
  """
  size = file.seek(0, os.SEEK_END)
  start = read_at(file, 0, 1 << 12)
  if packet := _transport_packet(start):
    rest = _rest_of_transport(file, size, packet)
    return (Loss(f'its last packet lacks {counted(rest, "byte")}'),) if rest else ()
  end, slack = _end(file, start), _HEADER_BYTES
  if start.startswith(_EBML):
    end, slack = _end_of_matroska(start), 0
  elif end == _OPEN and start.startswith(b'RIFF'):
    end, slack = _end_of_avi(file), 0
  if end == _OPEN:
    return ('its header leaves open how much sound it has',)
  if end - size <= slack:
    return ()
  return (Loss(f'its header says that {counted(end - size, "more byte", "follow")}'),)


def _end(file: BinaryIO, start: bytes) -> int:
  """Where the file should end; 0 if that isn't known, _OPEN if it was left open."""
  if start.startswith(b'RIFX'):
    return _closed(start[4:8], 'big', 8)
  if start.startswith(b'dns.'):
    return _closed(start[8:12], 'little', int.from_bytes(start[4:8], 'little'))
  if start.startswith(b'.snd'):
    return _closed(start[8:12], 'big', int.from_bytes(start[4:8]))
  if start.startswith(b'FORM') and start[8:12] in (b'AIFF', b'AIFC'):
    return _closed(start[4:8], 'big', 8)
  if start.startswith(b'RIFF') and start[8:12] == b'AVI ':
    return _closed(start[4:8], 'little', 8)
  if start.startswith(_W64):
    return _closed(start[16:24], 'little', 0)
  if start.startswith(b'STRM'):
    return _closed(start[4:8], 'big', 64)
  if start.startswith((b'.SoX', b'XoS.')):
    return _end_of_sox(start)
  if start.startswith(b'.RMF'):
    return _end_of_chunks(file, 0, b'DATA', header=8, more=0)
  if start.startswith(b'caff'):
    return _end_of_chunks(file, 8, b'data', header=12, more=12)
  return _end_of_voc(file, start) if start.startswith(_VOC) else 0


def _closed(size: bytes, order: str, more: int) -> int:
  """A size and what it doesn't count; _OPEN if it was left open."""
  number = int.from_bytes(size, order)
  limit = _OPEN_32 if len(size) == 4 else _OPEN_64
  return number + more if 0 < number < limit else _OPEN


def _end_of_chunks(
  file: BinaryIO, place: int, sound: bytes, header: int, more: int
) -> int:
  """Where the chunk with the sound ends, or one that was left open (_OPEN); else 0.

  Args:
    file: the file.
    place: of the first chunk.
    sound: the chunk's name.
    header: how many bytes a chunk's name and size are.
    more: how many bytes of a chunk its size doesn't count.
  """
  for _ in range(_MAX_CHUNKS):
    head = read_at(file, place, header)
    if len(head) < header:
      return 0
    end = _closed(head[4:], 'big', place + more)
    if head[:4] == sound or end == _OPEN:
      return end
    place = end
  return 0


def _end_of_avi(file: BinaryIO) -> int:
  """Where the last chunk ends, of a file that was never closed; _OPEN without index."""
  place = 12
  for _ in range(_MAX_PICTURES):
    head = read_at(file, place, 12)
    if len(head) < 8:
      return _OPEN
    size = int.from_bytes(head[4:8], 'little')
    if head[:4] == b'idx1':
      return place + 8 + size
    if head[:4] == b'LIST' and head[8:] in (b'movi', b'rec '):
      place += 12
      continue
    if not read_at(file, place + 8 + size - 1, 1):
      return place + 8 + size
    place += 8 + size + (size & 1)
  return _OPEN


def _end_of_sox(start: bytes) -> int:
  """Where the samples end, of 32 bits each; _OPEN if their number is."""
  order = 'little' if start.startswith(b'.SoX') else 'big'
  header = int.from_bytes(start[4:8], order)
  samples = _closed(start[8:16], order, 0)
  return _OPEN if samples == _OPEN else 4 + header + 4 * samples


def _transport_packet(start: bytes) -> int:
  """The size of the packets of a transport stream; 0 if it is none."""
  for size, first in ((188, 0), (192, 4)):
    if set(start[first::size][:10]) == {0x47} and len(start) > 4 * size:
      return size
  return 0


def _rest_of_transport(file: BinaryIO, size: int, packet: int) -> int:
  """How many bytes the last packet of a transport stream lacks."""
  rest = size % packet
  next_byte = read_at(file, size - rest + packet - 188, 1)
  return packet - rest if rest and next_byte in (b'', b'\x47') else 0


def _end_of_voc(file: BinaryIO, start: bytes) -> int:
  """Where the last block ends."""
  place = int.from_bytes(start[20:22], 'little')
  for _ in range(_MAX_CHUNKS):
    head = read_at(file, place, 4)
    if len(head) < 4 or not 0 < head[0] < 10:  # 0 is the end
      break
    size = int.from_bytes(head[1:], 'little')
    if size in (0, 0xFFFFFF):
      return _OPEN
    place += 4 + size
  return place


def _end_of_matroska(start: bytes) -> int:
  """Where its large element ends; 0 if that is unknown, as of a live recording."""
  place = start.find(_SEGMENT)
  if place < 0:
    return 0
  place += len(_SEGMENT)
  first = start[place : place + 1]
  length = 9 - first[0].bit_length() if first else 9
  if length > 8:
    return 0
  size = int.from_bytes(start[place : place + length]) - (1 << 7 * length)
  return 0 if size == (1 << 7 * length) - 1 else place + length + size
