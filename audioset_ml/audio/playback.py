"""Sounds that every browser plays."""

import io
import os

import soundfile

from audioset_ml.audio import decoding

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
