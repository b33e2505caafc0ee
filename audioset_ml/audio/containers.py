"""What FFmpeg is given to open, and what it says of it: the containers of sound files.

FFmpeg goes by the content, not by names. It is given bytes and no paths, and only
formats that hold sound or video: playlists, which make it open other files and
addresses, aren't among them.
"""

import dataclasses
import os
from typing import BinaryIO

import av

from audioset_ml.audio import byte_views, claimed_sizes, libsndfile, sound_file
from audioset_ml.audio.byte_views import View
from audioset_ml.audio.notes import Loss
from audioset_ml.core.errors import AudioError

av.logging.set_level(None)  # what it finds in a file, notes and errors say

_FORMATS = (
  'wav,w64,flac,mp3,ogg,mov,matroska,webm,aac,ac3,eac3,aiff,au,caf,asf,amr,amrnb,amrwb,'
  'avi,flv,ape,tta,wv,mpc,mpc8,tak,shn,voc,dsf,iff,loas,mpeg,mpegts,rm,3gp,gsm,sox,dts,'
  'nut,ircam,oma,ast,xwma,nistsphere,avr,pvf,svx,dss,qcp,truehd,swf,mlp'
)
# Before version 19, tags that are no UTF-8 are an error.
_TAGS = {'metadata_errors': 'replace'} if int(av.__version__.split('.')[0]) < 19 else {}
ERRORS = (av.FFmpegError, OSError, ValueError, MemoryError, IndexError)


def find_container(source: BinaryIO, name: str, place: int) -> tuple:
  """FFmpeg's container of an open file, its content, and whether that is another's.

  Where the file begins with other bytes, of the first sound that can be read in it.

  Raises:
    AudioError: it isn't sound.
  """
  try:
    return _at(source, name, place)
  except AudioError:
    size = source.seek(0, os.SEEK_END)
    for start in () if place else byte_views.beginnings(source):
      try:
        container, content, _ = _at(View(source, b'', start, size), name, 0)
      except AudioError:
        continue
      note = Loss(f'its first {start} bytes are no sound that can be read')
      content = dataclasses.replace(content, notes=(note, *content.notes))
      return container, content, True
    raise


def _at(source: 'BinaryIO | View', name: str, place: int) -> tuple:
  plain = None if place else libsndfile.translated(source, name)
  content = sound_file.Content.of(plain or source, place)
  if plain and (notes := claimed_sizes.lacking(source)):
    content = dataclasses.replace(content, notes=notes)
  if content.notes and _was_text(content.view):
    raise AudioError(f'{name}: copied as if it were text, with other line ends')
  return _container(content.view, name), content, plain is not None


def _container(view: View, name: str):
  """FFmpeg's container; formats that it doesn't find are tried as MP3.

  Raises:
    AudioError: it isn't sound.
  """
  formats: list[str | None] = [None]
  options = {'format_whitelist': _FORMATS}
  view.seek(0)
  start = view.read(64)
  if start.startswith(b'RIFF'):  # else each WAV is searched for DTS first, for 15 ms
    options['max_probe_packets'] = '1'
  if _is_mp3(start):  # of one frame, say, which is too little to be recognized by
    formats.append('mp3')
  for form in formats:
    view.seek(0)
    try:
      return av.open(view, format=form, options=options, **_TAGS)
    except ERRORS as error:
      failure = error
  if isinstance(failure, OSError) and not isinstance(failure, av.FFmpegError):
    raise AudioError(f"{name}: can't be read: {failure}") from failure
  if len(formats) > 1:
    raise AudioError(f'{name}: it has a header, but no sound (0 samples)') from failure
  raise AudioError(f'{name}: {_what_it_is(start)}') from failure


def _was_text(view: View) -> bool:
  """Whether a carriage return was put before every line feed, which makes it noise."""
  view.seek(1 << 12)  # behind the header
  data = view.read(1 << 16)
  return 20 < data.count(b'\n') == data.count(b'\r\n')


def _is_mp3(start: bytes) -> bool:
  return len(start) > 3 and start[0] == 0xFF and start[1] & 0xE6 == 0xE2


def _what_it_is(start: bytes) -> str:
  if start[4:8] in (b'ftyp', b'mdat', b'wide'):
    return (
      'its end, which tells where the sound is (moov), is lacking: never closed, or cut'
    )
  if start.startswith(byte_views.ARCHIVES):
    return 'an archive or packed, not a sound file; unpack it'
  text = start.lstrip(b'\xef\xbb\xbf \t\r\n')
  if text.startswith(b'<'):
    return 'HTML or XML, not a sound file'
  if text and all(byte in b'\t\r\n' or 32 <= byte < 127 for byte in text):
    return 'text, not a sound file'
  return 'not a sound file, or damaged at its beginning, as one that was never closed'
