"""The bytes of a sound file, as FFmpeg is to read them, and what they show before."""

import contextlib
import dataclasses
import io
import os
import re
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from audioset_ml.audio import archives, claimed_sizes, wav_sizes
from audioset_ml.audio.byte_views import View, without_tags
from audioset_ml.audio.notes import Loss
from audioset_ml.core.errors import AudioError, printable
from audioset_ml.core.paths import as_path, is_remote

_CHUNK = 1 << 20
_END_BYTES = 1 << 16  # the largest Ogg page
# In an MP3 file's first frame; the low bit before the number says that it is there.
_MP3_FRAMES = re.compile(
  rb'(?:Xing|Info)\0\0\0[\x01\x03\x05\x07\x09\x0b\x0d\x0f](.{4})|VBRI.{10}(.{4})',
  re.DOTALL,
)
_NUT, _NUT_INDEX = b'nut/multimedia container\0', bytes.fromhex('4e58dd672f23e64e')
_START_BYTES = 1 << 12  # which hold an MP3 file's first frame, tags apart


@dataclasses.dataclass(frozen=True)
class SoundFile:
  """A sound file that is there; each `open` reads it from its beginning.

  Attributes:
    name: for messages.
    path: where it is.
    content: the bytes, of a file that isn't on disk; else None.
  """

  name: str
  path: str
  content: bytes | None = None

  @classmethod
  def at(cls, path: str | os.PathLike) -> 'SoundFile':
    """The file of a path, on disk or elsewhere.

    Raises:
      AudioError: there is none, it can't be read or is empty.
    """
    name, path = printable(path), os.fspath(path)
    with errors_of(path):
      if is_remote(path) or archives.archive_of(path):
        content = archives.read_bytes(path)
        size = len(content)
      else:
        with open(path, 'rb') as file:
          # Of a pipe, which can be read but once.
          content = None if file.seekable() else file.read()
          size = os.fstat(file.fileno()).st_size if content is None else len(content)
    if not size:
      raise AudioError(f'{name}: the file is empty (0 bytes)')
    return cls(name, path, content)

  @contextlib.contextmanager
  def open(self) -> Iterator[BinaryIO]:
    """The bytes, as a file, without the tags around them."""
    if self.content is not None:
      yield without_tags(io.BytesIO(self.content))
      return
    with contextlib.ExitStack() as stack:
      with errors_of(self.path):
        file = without_tags(stack.enter_context(open(self.path, 'rb')))
      yield file

  def plain_bytes(self) -> bytes:
    """The bytes; of a WAV file, the sound alone behind the shortest header."""
    with self.open() as file:
      sound = wav_sizes.find_sound(file)
      file.seek(sound.start if sound else 0)
      if sound is None:
        return file.read()
      return sound.header(plain=True) + file.read(sound.end - sound.start)


@contextlib.contextmanager
def errors_of(path: str | os.PathLike) -> Iterator[None]:
  """Makes what is wrong with a path an AudioError."""
  if as_path(path).is_dir():
    raise AudioError(f'{printable(path)}: is a folder, not a sound file')
  try:
    yield
  except FileNotFoundError as error:
    raise AudioError(f'{printable(path)}: no such file') from error
  except (OSError, ValueError) as error:  # ValueError: a NUL in the name
    raise AudioError(f"{printable(path)}: can't be read: {error}") from error


@dataclasses.dataclass(frozen=True)
class Content:
  """What FFmpeg is to read of a file.

  Attributes:
    view: the bytes: of a WAV file with wrong sizes, those of the sound, behind a right
      header.
    notes: what is odd in the file.
    frames: how many frames an MP3 file says to have; 0 if it doesn't say.
    is_ambisonic: whether it says, in WAV's way, that its channels are ambisonic.
    last_page: where the last page of an Ogg file is in which a packet begins; None if
      it isn't whole or holds none, or of other files.
  """

  view: View
  notes: tuple[str, ...]
  frames: int
  is_ambisonic: bool
  last_page: int | None

  @classmethod
  def of(cls, file: BinaryIO, place: int = 0) -> 'Content':
    """The content of an open file, from a place on."""
    sound = None if place else wav_sizes.find_sound(file)
    notes = sound.notes if sound else ()
    if sound and sound.is_odd:
      view = View(file, sound.header(), sound.start, sound.end)
    else:
      view = View(file, b'', place, file.seek(0, os.SEEK_END))
    start, last_page = view.read(_START_BYTES), None
    if start.startswith(b'OggS'):
      place, page = _last_ogg_page(view)
      if not _is_whole(page):
        notes += (Loss('its last Ogg page is not whole; it is cut off or damaged'),)
      elif not page[5] & 4:
        notes += ('the end of the Ogg stream is not marked; it may be cut off',)
      elif any(page[27 : 27 + page[26]]) and not _is_rest(page):
        last_page = place
    if start.startswith(_NUT) and not _has_index(view):
      notes += (Loss('the end of the NUT stream is not marked; it may be cut off'),)
    notes += claimed_sizes.lacking(view)
    count = _MP3_FRAMES.search(start)
    frames = int.from_bytes(count[1] or count[2]) if count else 0
    is_ambisonic = bool(sound and sound.is_ambisonic)
    return cls(view, notes, frames, is_ambisonic, last_page)


def next_link(view: View, place: int) -> int | None:
  """Where, behind a place in an Ogg file, another stream begins; None if none does."""
  before = b''
  view.seek(place + 1)
  while chunk := before[-5:] + view.read(_CHUNK):
    found = chunk.find(b'OggS\0\2')
    if found >= 0:
      return view.tell() - len(chunk) + found
    if view.tell() == view.size:
      return None
    before = chunk
  return None


def _has_index(view: View) -> bool:
  """Whether a NUT file ends with its index, which says before its checksum how long
  it is."""
  view.seek(view.size - 12)
  view.seek(view.size - int.from_bytes(view.read(8)))
  return view.read(8) == _NUT_INDEX


def _last_ogg_page(view: View) -> tuple[int, bytes]:
  """Where the last page of an Ogg file is, and its bytes; none if there is none."""
  first = max(0, view.size - _END_BYTES)
  view.seek(first)
  end = view.read()
  last = end.rfind(b'OggS')
  return first + last, end[last:] if last >= 0 else b''


def _is_rest(page: bytes) -> bool:
  """Whether all that a page holds is the rest of a packet of the page before."""
  return bool(page[5] & 1) and all(size == 255 for size in page[27 : 26 + page[26]])


def _is_whole(page: bytes) -> bool:
  """Whether a page is; FFmpeg passes over one whose checksum is wrong."""
  if len(page) < 27:
    return False
  size = 27 + page[26] + sum(page[27 : 27 + page[26]])
  if len(page) < size:
    return False
  unsigned = page[:22] + bytes(4) + page[26:size]
  return _ogg_checksum(unsigned) == int.from_bytes(page[22:26], 'little')


_MIRRORED = bytes(int(f'{byte:08b}'[::-1], 2) for byte in range(256))


def _ogg_checksum(page: bytes) -> int:
  """The checksum of RFC 3533: zlib's, but each byte's highest bit comes first."""
  ones = 0xFFFFFFFF
  checksum = zlib.crc32(page.translate(_MIRRORED), ones) ^ ones
  return int(f'{checksum:032b}'[::-1], 2)
