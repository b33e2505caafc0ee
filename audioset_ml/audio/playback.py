"""Sounds that every browser plays."""

import io
import itertools
import os
from collections.abc import Iterator
from typing import BinaryIO

import av
import numpy as np

from audioset_ml.audio import decoding
from audioset_ml.core.errors import AudioError

_RATE = 32_000  # Hz; what MP3 has and what is enough to judge a sound by
_BITS_A_SECOND = 64_000
# LAME's speed, 0 to 9: 7 takes two thirds of the time of its default.
_LEVEL = '7'


def as_mp3(path: str | os.PathLike) -> bytes:
  """A sound file as mono MP3.

  Raises:
    AudioError: the file can't be read.
  """
  content = io.BytesIO()
  _encode(iter([decoding.load_audio(path, _RATE)]), content)
  return content.getvalue()


def write_mp3(path: str | os.PathLike, file: BinaryIO) -> None:
  """Writes a sound of any length as mono MP3, as far as it can be decoded.

  Args:
    path: the sound.
    file: where the MP3 goes; not the sound itself, which is read meanwhile.

  Raises:
    AudioError: nothing of the file can be decoded.
  """
  blocks = decoding.sound_blocks(path, _RATE)
  first = next(blocks)
  _encode(itertools.chain([first], _as_far_as_it_goes(blocks)), file)


def _as_far_as_it_goes(blocks: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
  try:
    yield from blocks
  except AudioError:
    return  # whoever decodes the file for something else says why


def _encode(blocks: Iterator[np.ndarray], file: BinaryIO) -> None:
  """Writes blocks of a waveform as one MP3."""
  with av.open(file, 'w', format='mp3') as container:
    stream = container.add_stream(
      'libmp3lame', rate=_RATE, layout='mono', options={'compression_level': _LEVEL}
    )
    stream.bit_rate = _BITS_A_SECOND
    for block in blocks:
      if not len(block):
        continue
      frame = av.AudioFrame.from_ndarray(
        np.ascontiguousarray(block[np.newaxis]), format='fltp', layout='mono'
      )
      frame.sample_rate = _RATE
      container.mux(stream.encode(frame))
    container.mux(stream.encode(None))
