"""Parts of files, as files: without tags around them, or from where a sound begins.

FFmpeg reads ID3 tags before MP3 and few others, takes those behind the sound for sound,
and finds a beginning behind other bytes only in MP3. Formats: id3.org; the beginnings
of each container.
"""

import os
import re
from collections.abc import Iterator
from typing import BinaryIO

from audioset_ml.audio.coded_frames import frame_size

# How containers begin; RIFF and others have their size behind four bytes.
_BEGINNINGS = re.compile(
  rb'(?:RIFF|RF64|BW64).{4}(?:WAVE|AVI )|FORM.{4}AIF[FC]|fLaC\x00|OggS\x00\x02'
  rb'|caff\x00\x01|\.snd\x00\x00|Creative Voice File|\x1aE\xdf\xa3|.{4}ftyp|wvpk'
  rb'|MAC \x96\x0f|TTA1|#!AMR|riff\x2e\x91|\x30\x26\xb2\x75|FLV\x01|\.RMF'
  rb'|nut/multimedia|MPCK|MP\+\x07|tBaK',
  re.DOTALL,
)
ARCHIVES = b'PK\x03\x04', b'\x1f\x8b', b'Rar!', b'7z\xbc\xaf', b'BZh', b'\xfd7zXZ'
_SYNC = b'\x0b\x77'  # of AC-3, whose reader knows no tags
# Of MP3, MP2 and ADTS, whose readers do.
_FRAME = re.compile(rb'\xff[\xe2-\xe7\xf0-\xff][\x10-\xef]|\x0b\x77', re.DOTALL)
_FRAMES = 3  # that follow each other
_SOUGHT_BYTES = 1 << 22
_MOST_BEGINNINGS = 8


class View:
  """A part of a file behind other bytes, as a file for FFmpeg. It has no name."""

  def __init__(self, file: BinaryIO, head: bytes, start: int, end: int):
    self._file, self._head, self._start = file, head, start
    self._size, self._position = len(head) + end - start, 0

  @property
  def size(self) -> int:
    """How many bytes there are."""
    return self._size

  def read(self, size: int = -1) -> bytes:
    left = self._size - self._position
    size = left if size < 0 else min(size, left)
    if size <= 0:
      return b''
    if self._position < len(self._head):
      data = self._head[self._position : self._position + size]
    else:
      self._file.seek(self._start + self._position - len(self._head))
      data = self._file.read(size)
    self._position += len(data)
    return data

  def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
    base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}
    self._position = max(0, base[whence] + offset)
    return self._position

  def tell(self) -> int:
    return self._position


def read_at(file: 'BinaryIO | View', place: int, size: int) -> bytes:
  """So many bytes from a place on, or what there is of them."""
  file.seek(place)
  return file.read(size)


def without_tags(file: BinaryIO) -> 'BinaryIO | View':
  """A file without ID3 tags before a sound whose reader knows none, and behind it."""
  size = file.seek(0, os.SEEK_END)
  file.seek(max(0, size - 128))
  end = size - 128 if file.read(3) == b'TAG' and size > 128 else size
  start = 0
  while len(head := read_at(file, start, 10)) == 10 and head.startswith(b'ID3'):
    tag = 0
    for byte in head[6:]:
      tag = tag << 7 | byte & 0x7F
    start += 10 + tag
  head = read_at(file, start, 24)
  if not _BEGINNINGS.match(head) and not head.startswith(_SYNC):
    start = 0
  file.seek(0)
  return View(file, b'', start, end) if (start, end) != (0, size) else file


def beginnings(file: 'BinaryIO | View') -> Iterator[int]:
  """Where a sound may begin behind other bytes, the first of such places."""
  data = read_at(file, 0, _SOUGHT_BYTES)
  if data.startswith(ARCHIVES) or data[257:262] == b'ustar':
    return  # whose sounds may be several
  places = (match.start() for match in _BEGINNINGS.finditer(data, 1))
  frames = (
    match.start()
    for match in _FRAME.finditer(data, 1)
    if _is_first_frame(data, match.start())
  )
  found = {
    next(frames, None),
    *(place for place, _ in zip(places, range(_MOST_BEGINNINGS), strict=False)),
  }
  yield from sorted(place for place in found if place)


def _is_first_frame(data: bytes, place: int) -> bool:
  """Whether frames follow each other from here, to the end if there are few."""
  for _ in range(_FRAMES):
    size = frame_size(data[place : place + 6])
    if not size:
      return False
    place += size
    if place >= len(data):
      return place == len(data) < _SOUGHT_BYTES
  return True
