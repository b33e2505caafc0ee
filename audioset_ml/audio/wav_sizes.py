"""WAV files whose header has wrong sizes: where the sound in them ends.

FFmpeg stops at the size that the data chunk claims. Recorders that died, files above
4 GB (whose size wraps) and programs that write to pipes leave one that is below the
sound there is, or a placeholder. Format: Microsoft, "Multiple Channel Audio Data and
WAVE Files", and EBU Tech 3306 for RF64, whose sizes have 64 bits.
"""

import dataclasses
import os
import re
import struct
import types
from collections.abc import Mapping
from typing import BinaryIO

from audioset_ml.audio import wav_widths
from audioset_ml.audio.byte_views import read_at
from audioset_ml.audio.notes import Loss
from audioset_ml.core.errors import agreeing, counted

# A program that writes to a pipe can't go back to fill in the sizes. ffmpeg leaves
# 0xFFFFFFFF, SoX 0x7FFFF000 and more, others 0: then the sound ends with the file.
_STREAMED_SIZE = 0x7FFFF000
# What some recorders count as sound besides: their header (44 bytes, mostly).
_HEADER_BYTES = 128
_TAIL_BYTES = 1 << 16  # of a file whose sizes are wrong, where chunks are looked for
_MAX_CHUNKS = 1000
_NONE_KNOWN: Mapping[int, bool] = types.MappingProxyType({})
# What writers put behind the sound, as far as known.
_TRAILERS = (
  b'LIST', b'id3 ', b'ID3 ', b'bext', b'cue ', b'fact', b'smpl', b'inst', b'plst',
  b'iXML', b'axml', b'_PMX', b'PEAK', b'JUNK', b'junk', b'FLLR', b'acid', b'afsp',
)  # fmt: skip
_RIFFS = b'RIFF', b'RF64', b'BW64'
_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
# The last 14 bytes of a subformat GUID that only repeats a plain format tag.
_PLAIN_GUID = bytes.fromhex('000000001000800000aa00389b71')
_AMBISONIC_GUID = bytes.fromhex('00002107d3118644c8c1ca000000')  # of .amb files


@dataclasses.dataclass(frozen=True)
class WavSound:
  """Where the sound of a WAV file is.

  Attributes:
    fmt: the content of its fmt chunk.
    start: of the sound, in bytes.
    end: of the sound.
    is_odd: whether a reader that believes the header would read something else.
    notes: what was odd, for people.
  """

  fmt: bytes
  start: int
  end: int
  is_odd: bool = False
  notes: tuple[str, ...] = ()

  @property
  def is_ambisonic(self) -> bool:
    return self.fmt[26:40] == _AMBISONIC_GUID

  def header(self, plain: bool = False) -> bytes:
    """A header for the sound alone, with true sizes as far as they fit 32 bits.

    Args:
      plain: whether PCM is called so where it is wrapped into EXTENSIBLE.
    """
    fmt = self._plain_fmt() if plain else self.fmt
    size = self.end - self.start
    chunks = b'WAVEfmt ' + struct.pack('<I', len(fmt)) + fmt + bytes(len(fmt) & 1)
    sizes = (len(chunks) + 8 + size, size)
    riff, data = (struct.pack('<I', min(one, 0xFFFFFFFF)) for one in sizes)
    return b'RIFF' + riff + chunks + b'data' + data

  def _plain_fmt(self) -> bytes:
    tag = self.fmt[:2]
    guid = self.fmt[26:40]
    if tag == struct.pack('<H', _EXTENSIBLE) and guid in (_PLAIN_GUID, _AMBISONIC_GUID):
      tag = self.fmt[24:26]
    return tag + self.fmt[2:16]


def find_sound(file: BinaryIO) -> WavSound | None:
  """Where the sound of a WAV file is; None if it is no WAV, or none with a data chunk.

  The data chunk's size is believed where it ends with the file, or where chunks follow
  behind it: one of a known name, or several of any name up to the file's last byte.
  Else the sound goes on to the end of the file, but for chunks of known names that fill
  the file's end exactly, an ID3v1 tag, and zeros alone.

  Args:
    file: the file, seekable.
  """
  size = file.seek(0, os.SEEK_END)
  head = read_at(file, 0, 12)
  is_wav = head[:4] in _RIFFS and head[8:] == b'WAVE'
  found = _find_data(file, 12) if is_wav else None
  if found is None:
    return None
  fmt, start, claimed, is_odd = found
  sound = _bounded(file, fmt, start, claimed, is_odd, size)
  stored = wav_widths.as_stored(file, fmt, sound.start, sound.end)
  if stored != fmt:
    sound = dataclasses.replace(sound, fmt=stored, is_odd=True)
  if contradiction := _contradiction(fmt):
    if stored != fmt:
      contradiction += f'; read as {int.from_bytes(stored[14:16], "little")} bits'
    sound = dataclasses.replace(sound, notes=(contradiction, *sound.notes))
  return sound


def _contradiction(fmt: bytes) -> str:
  """What a fmt chunk says that can't all be true; '' for nothing."""
  tag, channels, rate, byte_rate, block, bits = struct.unpack('<HHIIHH', fmt[:16])
  stated = (
    f'{counted(channels, "channel")} of {counted(bits, "bit")} at {rate} Hz, '
    f'{counted(block, "byte")} a frame, {byte_rate} a second'
  )
  # Of coded sound FFmpeg itself writes wrong byte rates.
  is_coded = tag not in (_PCM, _FLOAT, _EXTENSIBLE)
  if is_coded or (block == channels * -(-bits // 8) and byte_rate == rate * block):
    return ''
  return f'its header contradicts itself: {stated}'


def _bounded(
  file: BinaryIO, fmt: bytes, start: int, claimed: int, is_odd: bool, size: int
) -> WavSound:
  """The sound that begins at a place, whatever size it claims to have."""
  if claimed == 0 and start == size:
    return WavSound(fmt, start, start)
  end = start + claimed
  is_placeholder = claimed == 0 or (claimed >= _STREAMED_SIZE and end > size)
  if not is_placeholder and end <= size:
    if _ends_there(file, end, size):
      more = _further_sound(file, end + (end & 1), size)
      notes: tuple[str, ...] = ()
      if more:
        unused = f'{counted(more, "byte")} behind its sound {agreeing(more, "are")}'
        notes = (Loss(f'{unused} not used'),)
      return WavSound(fmt, start, end, is_odd, notes)
    all_of_it = _before_trailers(file, start, size)
    if all_of_it <= end + 1:
      return WavSound(fmt, start, end, is_odd)
    note = _claimed_and_there(claimed, all_of_it - start)
    return WavSound(fmt, start, all_of_it, True, (note,))
  end = _before_trailers(file, start, size)
  notes = ()
  if not is_placeholder and claimed - (end - start) > _HEADER_BYTES:
    notes = (Loss(_claimed_and_there(claimed, end - start)),)
  elif is_placeholder:
    notes = ('its header leaves open how much sound it has',)
  return WavSound(fmt, start, end, is_odd or end < size or is_placeholder, notes)


def _claimed_and_there(claimed: int, there: int) -> str:
  """That a header speaks of other bytes of sound than there are."""
  return f'its header says {counted(claimed, "byte")} of sound, {there:,} are there'


def _find_data(file: BinaryIO, position: int) -> tuple[bytes, int, int, bool] | None:
  """The fmt chunk, the sound's start and claimed size, and if a pad byte is lacking."""
  fmt, is_odd, long_size = b'', False, 0xFFFFFFFF
  for _ in range(_MAX_CHUNKS):
    head = read_at(file, position, 8)
    if len(head) < 8:
      return None
    name, claimed = head[:4], struct.unpack('<I', head[4:])[0]
    position += 8
    if name == b'ds64':
      long_size = int.from_bytes(read_at(file, position + 8, 8), 'little')
    is_empty = claimed == 0 and read_at(file, position, 4) == b'data'
    is_odd |= name == b'data' and is_empty
    if name == b'data' and not is_empty:
      if claimed == 0xFFFFFFFF:
        claimed = min(long_size, 1 << 62)
      if len(fmt) == 14:  # without the bits, as Windows 3.1 allowed
        _, channels, _, _, block = struct.unpack('<HHIIH', fmt)
        bits = min(8 * block // (channels or 1), 0xFFFF)
        fmt, is_odd = fmt + struct.pack('<H', bits), True
      return (fmt, position, claimed, is_odd) if len(fmt) >= 16 else None
    if name == b'fmt ':
      fmt = read_at(file, position, min(claimed, 1024))
    position += claimed
    # Chunks are padded to even sizes; a byte that begins a chunk's name is no padding.
    if claimed & 1:
      if read_at(file, position, 4) in (b'data', b'fmt '):
        is_odd = True
      else:
        position += 1
  return None


def _ends_there(file: BinaryIO, end: int, size: int) -> bool:
  """Whether what follows the claimed end of the sound is no sound."""
  for position in {end, end + (end & 1)}:
    if position >= size:
      return True
    name = read_at(file, position, 4)
    if name in _TRAILERS or name[:3] in (b'TAG', b'ID3'):
      return True
    if _chunks_fill(file, position, size):
      return True
  return False


def _further_sound(file: BinaryIO, position: int, size: int) -> int:
  """How many bytes there are from another data chunk, or WAV file, on; 0 if none is."""
  for _ in range(_MAX_CHUNKS):
    head = read_at(file, position, 8)
    if len(head) < 8 or head[:4] in (*_RIFFS, b'data'):
      return size - position if len(head) == 8 else 0
    claimed = struct.unpack('<I', head[4:])[0]
    position += 8 + claimed + (claimed & 1)
  return 0


def _chunks_fill(
  file: BinaryIO, position: int, size: int, known: Mapping[int, bool] = _NONE_KNOWN
) -> bool:
  """Whether chunks with names in ASCII fill the file from here exactly.

  Args:
    file: the file.
    position: where the first should begin.
    size: of the file.
    known: positions of which the answer is known.
  """
  for _ in range(_MAX_CHUNKS):
    head = read_at(file, position, 8)
    if len(head) < 8 or not all(32 <= byte < 127 for byte in head[:4]):
      return False
    claimed = struct.unpack('<I', head[4:])[0]
    position += 8 + claimed
    if position in (size, size - (claimed & 1)):
      return True
    if position in known:
      return known[position]
    position += claimed & 1
    if position > size:
      return False
  return False


def _before_trailers(file: BinaryIO, start: int, size: int) -> int:
  """Where chunks, tags or nothing but zeros begin that end with the file."""
  first = max(start, size - _TAIL_BYTES)
  tail = read_at(file, first, size - first)
  if tail[-128:-125] == b'TAG':
    size, tail = size - 128, tail[:-128]
  places = [match.start() for match in re.finditer(b'|'.join(_TRAILERS), tail)]
  filling: dict[int, bool] = {}
  # From the end, so that of chunks that follow each other each is looked at once.
  for place in reversed(places):
    filling[first + place] = _chunks_fill(file, first + place, size, filling)
  return next((first + place for place in places if filling[first + place]), size)
