"""The few forms of which FFmpeg makes noise, or nothing, and libsndfile makes sound."""

import io
import os
from typing import BinaryIO

import soundfile

from audioset_ml.core.errors import AudioError, counted

_BIG_ENDIAN_WAV, _LITTLE_ENDIAN_AU = b'RIFX', b'dns.'
# WAV's tags of NMS ADPCM, which FFmpeg takes for AMR, and of G.721.
_TAGS = b'\x38\0', b'\x40\0'
_AU_CODES = (25).to_bytes(4), (26).to_bytes(4)  # of G.723


def translated(source: BinaryIO, name: str) -> BinaryIO | None:
  """A WAV file of floats in memory, of a file of these forms; None of any other.

  Args:
    source: the file, seekable.
    name: for messages.

  Raises:
    AudioError: libsndfile can't read it, or reads nothing.
  """
  start = source.read(1 << 12)
  size = source.seek(0, os.SEEK_END)
  source.seek(0)
  fmt = start.find(b'fmt ') + 8
  is_tagged = start.startswith(b'RIFF') and fmt > 8 and start[fmt : fmt + 2] in _TAGS
  is_tagged |= start.startswith(b'.snd') and start[12:16] in _AU_CODES
  if not is_tagged and not start.startswith((_BIG_ENDIAN_WAV, _LITTLE_ENDIAN_AU)):
    return None
  try:
    samples, rate = soundfile.read(source, dtype='float32', always_2d=True)
  except (soundfile.LibsndfileError, ValueError, MemoryError) as error:
    raise AudioError(
      f'{name}: {counted(size, "byte")} that can not be read: {error}'
    ) from error
  if not len(samples):
    raise AudioError(f'{name}: it has a header, but no sound (0 samples)')
  wav = io.BytesIO()
  soundfile.write(wav, samples, rate, format='WAV', subtype='FLOAT')
  wav.seek(0)
  return wav
