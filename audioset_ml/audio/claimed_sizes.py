"""How many bytes a file lacks by the sizes in its headers, where FFmpeg tells nobody.

FFmpeg reads a file that was cut off to its end and says nothing. Formats: RFC 8794
(Matroska), Apple's "Core Audio Format Specification" and AIFF, Sun's AU, Sony's Wave64,
Microsoft's AVI RIFF, Creative's VOC. WAV's sizes: `wav_sizes`.
"""

import os
from typing import BinaryIO

_EBML, _SEGMENT = bytes.fromhex('1a45dfa3'), bytes.fromhex('18538067')
_W64 = b'riff' + bytes.fromhex('2e91cf11a5d628db04c10000')
_VOC = b'Creative Voice File\x1a'
# Of what writes into a pipe, which can't fill in a size: so large, of 32 and 64 bits.
_OPEN_32, _OPEN_64 = 0x7FFFF000, 1 << 62
# Some writers count their header twice.
_HEADER_BYTES = 128
_MAX_CHUNKS = 1000


def lacking_bytes(file: BinaryIO) -> int:
  """How many bytes more a file should have; 0 where its header doesn't say.

  Args:
    file: the file, seekable, of a form that is known by its first bytes.
  """
  size = file.seek(0, os.SEEK_END)
  file.seek(0)
  start = file.read(1 << 12)
  if start.startswith(_EBML):
    return max(0, _end_of_matroska(start) - size)
  lacking = _end(file, start) - size
  return lacking if lacking > _HEADER_BYTES else 0


def _end(file: BinaryIO, start: bytes) -> int:
  """Where the file should end; 0 if that isn't known."""
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
  if start.startswith(b'caff'):
    return _end_of_caf(file)
  return _end_of_voc(file, start) if start.startswith(_VOC) else 0


def _closed(size: bytes, order: str, more: int) -> int:
  """A size and what it doesn't count; 0 if it was left open."""
  number = int.from_bytes(size, order)
  limit = _OPEN_32 if len(size) == 4 else _OPEN_64
  return number + more if 0 < number < limit else 0


def _end_of_caf(file: BinaryIO) -> int:
  """Where the last chunk ends, or the sound, if it is the last that there is."""
  place = 8
  for _ in range(_MAX_CHUNKS):
    file.seek(place)
    head = file.read(12)
    if len(head) < 12 or not (end := _closed(head[4:], 'big', place + 12)):
      return 0
    if head[:4] == b'data':
      return end
    place = end
  return 0


def _end_of_voc(file: BinaryIO, start: bytes) -> int:
  """Where the last block ends."""
  place = int.from_bytes(start[20:22], 'little')
  for _ in range(_MAX_CHUNKS):
    file.seek(place)
    head = file.read(4)
    if len(head) < 4 or not 0 < head[0] < 10:  # 0 is the end
      break
    place += 4 + int.from_bytes(head[1:], 'little')
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
