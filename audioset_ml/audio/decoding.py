"""Sound files to waveforms: all of the sound that can be decoded, and what was odd.

FFmpeg decodes (`audio.ffmpeg`; tensorflow-io takes 4.7 times as long) and soxr
resamples (stop band −143 dB). What decodes is used; how much sound there should be, the
caller knows better than a file's header.
"""

import dataclasses
import itertools
import math
import os
from collections.abc import Callable, Iterator

import numpy as np
import soxr

from audioset_ml.audio import ffmpeg, sound_file, tfio_decoding
from audioset_ml.audio.ffmpeg import Block
from audioset_ml.audio.mixing import Mix, Survey
from audioset_ml.audio.notes import Loss
from audioset_ml.audio.sound_file import SoundFile
from audioset_ml.core.errors import AudioError, InputError, agreeing, counted

DECODERS = ('ffmpeg', 'tensorflow_io')
# In order of preference, where a clip has several files.
AUDIO_SUFFIXES = (
  '.wav', '.flac', '.mp3', '.ogg', '.oga', '.opus',
  '.m4a', '.aac', '.mp4', '.webm', '.mkv', '.mka', '.mov', '.m4b', '.3gp', '.3ga',
  '.amr', '.wma', '.aif', '.aiff', '.aifc', '.au', '.snd', '.caf', '.w64', '.rf64',
  '.bwf', '.amb', '.ac3', '.ape', '.wv', '.tta', '.mp2', '.mpc', '.spx', '.weba',
  '.gsm', '.voc', '.dsf', '.sph', '.avi', '.flv', '.f4v', '.m4v', '.ogv', '.wmv',
  '.3g2', '.ts', '.mts', '.m2ts', '.mpg', '.mpeg', '.vob', '.wave', '.mpga', '.eac3',
  '.ec3', '.dts', '.tak', '.shn', '.oma', '.rm', '.iff', '.8svx', '.qt',
)  # fmt: skip
_KEPT_SAMPLES = 1 << 23  # of all channels: half a minute of 5.1, 90 s of stereo
_LARGEST = 2.0**32  # a float sample, of 32-bit integers without a scale
_SLACK_SECONDS = 0.1  # by how much decoders may differ in where MP3 ends
_NO_NOTE: Callable[[str], None] = lambda note: None  # noqa: E731


@dataclasses.dataclass(frozen=True)
class Sound:
  """A decoded sound.

  Attributes:
    waveform: mono, float32, full scale at ±1. Shape [samples].
    notes: what was odd in the file, for people.
  """

  waveform: np.ndarray
  notes: tuple[str, ...] = ()


def load_audio(
  path: str | os.PathLike, sample_rate: int = 16000, decoder: str = 'ffmpeg'
) -> np.ndarray:
  """A sound file, or the sound of a video, as a mono waveform.

  Args:
    path: the file.
    sample_rate: of the result, in Hz.
    decoder: ffmpeg or tensorflow_io.

  Returns:
    The mean of the channels, resampled; full scale at ±1. Shape [samples], float32.

  Raises:
    AudioError: the file can't be read, or nothing of it can be decoded.
    InputError: there is no such decoder, or it can't be started.
  """
  return read_sound(path, sample_rate, decoder).waveform


def read_sound(
  path: str | os.PathLike,
  sample_rate: int = 16000,
  decoder: str = 'ffmpeg',
  max_seconds: float = math.inf,
) -> Sound:
  """A sound file, or the sound of a video, as a mono waveform.

  Args:
    path: the file.
    sample_rate: of the result, in Hz.
    decoder: one of DECODERS.
    max_seconds: no more is decoded than a little above: a longer result was longer.

  Returns:
    The mean of the channels, resampled; notes where something was odd.

  Raises:
    AudioError: the file can't be read, or nothing of it can be decoded.
    InputError: there is no such decoder, or it can't be started.
  """
  notes: list[str] = []
  blocks = list(sound_blocks(path, sample_rate, decoder, max_seconds, notes.append))
  return Sound(np.concatenate(blocks), tuple(notes))


def sound_blocks(
  path: str | os.PathLike,
  sample_rate: int = 16000,
  decoder: str = 'ffmpeg',
  max_seconds: float = math.inf,
  on_note: Callable[[str], None] = _NO_NOTE,
) -> Iterator[np.ndarray]:
  """The waveform of `read_sound` in blocks of a few seconds, in little memory.

  A long sound of several channels, or of floats, is decoded twice: how it is mixed and
  scaled follows from all of it. tensorflow-io decodes files as a whole.

  Args:
    path: the file.
    sample_rate: of the result, in Hz.
    decoder: one of DECODERS.
    max_seconds: where decoding may stop.
    on_note: told what was odd, at the end.

  Yields:
    float32. Shape [samples].
  """
  _require_known(decoder)
  if sample_rate <= 0:
    raise InputError(f'the sample rate must be positive, not {sample_rate} Hz')
  file = SoundFile.at(path)
  notes: dict[str, None] = {}
  source = (_Decoding if decoder == 'ffmpeg' else _InGraph)(file, max_seconds, notes)
  mix, blocks = source.mixed()
  notes |= dict.fromkeys(mix.notes)
  number = 0
  for block in _resampled(blocks, mix, sample_rate):
    number += len(block)
    yield block
  if not number:
    are = agreeing(source.samples, 'are')
    raise AudioError(
      f'{file.name}: too short: {counted(source.samples, "sample")} at '
      f'{source.sample_rate} Hz {are} none at {sample_rate} Hz'
    )
  for note in notes:
    on_note(note)


def require_decoder(decoder: str) -> None:
  """Raises InputError if there is no such decoder, or what it needs isn't installed."""
  _require_known(decoder)
  if decoder == 'tensorflow_io':
    tfio_decoding.require_installed()


def _require_known(decoder: str) -> None:
  if decoder not in DECODERS:
    raise InputError(f'unknown decoder {decoder!r}: choose from {", ".join(DECODERS)}')


def require_file(path: str | os.PathLike) -> None:
  """Raises AudioError if there is no file on disk that could be a sound."""
  with sound_file.errors_of(path):
    os.stat(path)


class _Decoding:
  """The blocks of a file, checked, and how they are to be mixed.

  Attributes:
    samples: how many samples were decoded of each channel.
    sample_rate: of the last of them, in Hz.
  """

  def __init__(self, file: SoundFile, max_seconds: float, notes: dict[str, None]):
    self._file, self._max_seconds, self._notes = file, max_seconds, notes
    self.samples = self.sample_rate = 0
    self.layout, self.is_float = '', False

  def mixed(self) -> tuple[Mix, Iterator[Block]]:
    """The mix, and the blocks to mix."""
    blocks = self._decoded()
    first = next(blocks)
    if first.samples.shape[1] == 1 and not self.is_float:
      return Mix(), itertools.chain([first], blocks)
    survey, kept, size = Survey(), [], 0
    for block in itertools.chain([first], blocks):
      survey.add(block.samples)
      size += block.samples.size
      kept = [*kept, block] if size <= _KEPT_SAMPLES else []
    mix = survey.decide(self.layout, self.is_float)
    if not mix.scale:
      raise AudioError(f'{self._file.name}: no sound: {mix.notes[-1]}')
    return mix, iter(kept) if size <= _KEPT_SAMPLES else self._decoded()

  def _decoded(self) -> Iterator[Block]:
    """Decodes from the beginning; no further than what is wanted."""
    self.samples = bad = 0
    seconds = 0.0
    for block in self._of_all_streams():
      bad += _silence_no_numbers(block)
      self.samples += len(block.samples)
      self.sample_rate = block.sample_rate
      seconds += len(block.samples) / block.sample_rate
      yield block
      if seconds > self._max_seconds + _SLACK_SECONDS:
        return
    are = 'is no number' if bad == 1 else 'are no numbers'
    if 2 * bad > self.samples:
      raise AudioError(
        f'{self._file.name}: {bad} of {counted(self.samples, "sample")} {are}, or huge'
      )
    if bad:
      now = 'it is' if bad == 1 else 'they are'
      note = Loss(f'{counted(bad, "sample")} {are}, or huge; {now} 0 now')
      self._notes[note] = None

  def _of_all_streams(self) -> Iterator[Block]:
    """The blocks of the streams that follow each other, one mostly."""
    place: int | None = 0
    while place is not None:
      try:
        with ffmpeg.opened(self._file, place) as stream:
          if not place:
            self.layout, self.is_float = stream.layout, stream.is_float
          yield from stream.blocks()
          self._notes |= dict.fromkeys(stream.notes)
          place = stream.rest
      except AudioError:
        if not place:
          raise
        self._notes[Loss(f'what follows byte {place} can not be read')] = None
        return
      if place:
        self._notes['streams of different forms follow each other'] = None


class _InGraph(_Decoding):
  """The same by tensorflow-io, which passes over much damage in silence.

  So FFmpeg counts the samples as well.
  """

  def _decoded(self) -> Iterator[Block]:
    with ffmpeg.opened(self._file) as stream:
      encoding = stream.encoding
    tfio_decoding.require_supported(encoding, self._file.name)
    blocks = list(super()._decoded())
    number, rate = sum(len(block.samples) for block in blocks), self.sample_rate
    if number > self._max_seconds * rate:
      yield from blocks  # too long: nobody wants its samples
      return
    samples = tfio_decoding.decode(encoding, self._file.plain_bytes(), self._file.name)
    if abs(len(samples) - number) > _SLACK_SECONDS * rate:
      raise AudioError(
        f'{self._file.name}: tensorflow-io decodes {len(samples)} of '
        f'{counted(number, "sample")}; '
        'use --decoder=ffmpeg'
      )
    block = Block(samples, rate)
    _silence_no_numbers(block)
    yield block


def _silence_no_numbers(block: Block) -> int:
  """Sets NaN, infinity and what no scale has to 0; of how many samples, any channel."""
  samples = block.samples
  # NaN is within no bounds.
  if samples.size and -_LARGEST <= samples.min() <= samples.max() <= _LARGEST:
    return 0
  is_bad = ~(np.abs(samples) <= _LARGEST)
  samples[is_bad] = 0
  return int(is_bad.any(axis=1).sum())


def _resampled(blocks: Iterator[Block], mix: Mix, to_rate: int) -> Iterator[np.ndarray]:
  """One channel at one rate, whatever the blocks have."""
  resampler, rate = None, 0
  for block in blocks:
    mono = mix.apply(block.samples)
    if block.sample_rate != rate:
      if resampler:
        yield resampler.resample_chunk(np.zeros(0, np.float32), last=True)
      rate, resampler = block.sample_rate, None
      if rate != to_rate:
        resampler = soxr.ResampleStream(rate, to_rate, 1, 'float32', 'HQ')
    yield resampler.resample_chunk(mono) if resampler else mono
  if resampler:
    yield resampler.resample_chunk(np.zeros(0, np.float32), last=True)
