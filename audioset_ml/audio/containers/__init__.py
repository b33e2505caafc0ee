"""Is this a whole sound file? Decided from its bytes, before and after decoding.

Decoders accept many damaged files without a word, and give shorter sound or silence.
`inspect` therefore checks the container itself, and `verify` holds what a decoder made
of it against what the container promised.
"""

import hashlib

import numpy as np

from audioset_ml.audio.containers import flac, mp3, ogg, wav
from audioset_ml.audio.containers.base import Container, ContainerError, Encoding
from audioset_ml.errors import AudioError

__all__ = ['Container', 'Encoding', 'inspect', 'verify']

# What else turns up in folders of sound, by its first bytes.
_FOREIGN_FORMATS = {
  (0, b'FORM'): 'AIFF',
  (0, b'RF64'): 'RF64',
  (0, b'RIFX'): 'big-endian WAV',
  (0, b'caff'): 'Core Audio',
  (0, b'.snd'): 'AU',
  (0, b'\x1a\x45\xdf\xa3'): 'WebM or Matroska',
  (4, b'ftyp'): 'MP4 or M4A',
  (0, b'<'): 'HTML or XML',
}
_FLOAT32_BITS = 24  # whole numbers of more bits don't survive in float32


def inspect(data: bytes, name: str) -> Container:
  """Finds out what a file holds, from its content alone, and that it is whole.

  Args:
    data: the file's bytes.
    name: the file's name, for messages.

  Raises:
    AudioError: the file is empty, truncated, damaged, without sound, or of a format
      other than WAV (PCM), FLAC, MP3, Ogg Vorbis and Ogg Opus.
  """
  if not data:
    raise AudioError(f'{name}: the file is empty (0 bytes)')
  data = _without_id3(data)
  try:
    container = _inspector(data)(data)
  except ContainerError as error:
    raise AudioError(f'{name}: {error}') from error
  if container.samples == 0:
    raise AudioError(f'{name}: it has a header, but no sound (0 samples)')
  return container


def verify(
  container: Container, samples: np.ndarray, sample_rate: int, name: str
) -> None:
  """Checks that decoding gave all of the sound that the container promised.

  Args:
    container: what `inspect` found.
    samples: float32. Shape [samples, channels].
    sample_rate: of the samples, in Hz.
    name: the file's name, for messages.

  Raises:
    AudioError: samples are missing, wrong, or no finite numbers.
  """
  if len(samples) == 0:
    raise AudioError(f'{name}: damaged: no samples could be decoded')
  promised = container.samples
  if promised is not None and abs(len(samples) - promised) > container.slack:
    raise AudioError(
      f'{name}: damaged: {len(samples)} samples could be decoded of {promised} promised'
    )
  form = samples.shape[1], sample_rate
  wanted = container.channels, container.sample_rate
  if form != wanted:
    raise AudioError(
      f'{name}: damaged: decoded to {form[0]} channels at {form[1]} Hz, but its header '
      f'says {wanted[0]} at {wanted[1]} Hz'
    )
  _check_md5(container, samples, name)
  if not np.isfinite(samples).all():
    first = int(np.flatnonzero(~np.isfinite(samples).all(axis=1))[0])
    raise AudioError(
      f'{name}: sample {first} is not a finite number (NaN or infinity); convert it '
      'again from its source'
    )


def _without_id3(data: bytes) -> bytes:
  """The file behind its ID3v2 tags, which players accept before any format."""
  while data.startswith(b'ID3') and len(data) >= 10:
    size = 0
    for byte in data[6:10]:
      size = size << 7 | byte & 0x7F
    has_footer = data[5] & 0x10
    data = data[10 + size + (10 if has_footer else 0) :]
  return data


def _inspector(data: bytes):
  """The `inspect` of the format's own module."""
  if data.startswith(b'RIFF') and (data[8:12] == b'WAVE' or len(data) < 12):
    return wav.inspect
  if data.startswith(b'fLaC'):
    return flac.inspect
  if data.startswith(b'OggS'):
    return ogg.inspect
  if mp3.find_start(data) is not None:
    return mp3.inspect
  if not data:
    raise ContainerError('truncated: it ends inside its ID3 tag')
  for (position, magic), found in _FOREIGN_FORMATS.items():
    if data.startswith(magic, position):
      raise ContainerError(
        f'{found}, not a format that is read here; if it is sound, convert it with '
        '`ffmpeg -i IN OUT.wav`'
      )
  raise ContainerError(
    'not a sound file, or damaged at its beginning (WAV, FLAC, MP3, Ogg Vorbis and '
    'Opus are read)'
  )


def _check_md5(container: Container, samples: np.ndarray, name: str) -> None:
  bits = container.encoding.bits
  if container.md5 is None or bits > _FLOAT32_BITS:
    return
  if hashlib.md5(flac.pcm_bytes(samples, bits)).digest() != container.md5:
    raise AudioError(
      f'{name}: damaged: the samples decoded differ from those encoded (MD5)'
    )
