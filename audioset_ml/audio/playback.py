"""Sounds that every browser plays."""

import io
import os

import soundfile

from audioset_ml.audio import decoding
from audioset_ml.errors import AudioError

_RATE = 32_000  # Hz; what MP3 has and what is enough to judge a sound by


def as_mp3(path: str | os.PathLike) -> bytes:
  """A sound file as mono MP3.

  Raises:
    AudioError: the file can't be read.
  """
  waveform = decoding.load_audio(path, _RATE)
  content = io.BytesIO()
  soundfile.write(content, waveform, _RATE, format='MP3')
  return content.getvalue()


def write_mp3(path: str | os.PathLike, output: str | os.PathLike) -> None:
  """Writes a sound of any length as mono MP3, as far as it can be decoded.

  Raises:
    AudioError: nothing of the file can be decoded.
  """
  blocks = decoding.sound_blocks(path, _RATE)
  first = next(blocks)
  with soundfile.SoundFile(output, 'w', _RATE, 1, format='MP3') as file:
    file.write(first)
    try:
      for block in blocks:
        file.write(block)
    except AudioError:
      return  # whoever decodes it for something else says why
