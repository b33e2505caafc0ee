"""Sound files to samples by FFmpeg (PyAV): what can be decoded, and what was odd.

FFmpeg reads what players play; `containers` finds what there is to be decoded.
"""

import contextlib
import dataclasses
from collections.abc import Iterator

import av
import numpy as np

from audioset_ml.audio import sound_file
from audioset_ml.audio.containers import ERRORS, find_container
from audioset_ml.audio.losses import Losses, packets
from audioset_ml.audio.notes import Loss
from audioset_ml.audio.sound_file import SoundFile
from audioset_ml.audio.tfio_decoding import Encoding
from audioset_ml.core.errors import AudioError

_BLOCK_SAMPLES = 1 << 16
_RATES = 1000, 1_000_000  # Hz; others are damage, and would fill the memory


@dataclasses.dataclass(frozen=True)
class Block:
  """Decoded samples: float32, integers scaled to [-1, 1). Shape [samples, channels]."""

  samples: np.ndarray
  sample_rate: int


@contextlib.contextmanager
def opened(file: SoundFile, place: int = 0) -> Iterator['Stream']:
  """The first audio stream of a sound or video file, or of what begins at a place.

  Raises:
    AudioError: it has none, or isn't sound at all.
  """
  with file.open() as source:
    container, content, is_translated = find_container(source, file.name, place)
    with container:
      if not container.streams.audio:
        kind = container.format.name
        raise AudioError(f'{file.name}: has no audio stream ({kind})')
      if container.streams.audio[0].codec_context is None:
        raise AudioError(f'{file.name}: its audio codec is unknown to FFmpeg')
      stream = Stream(container, file.name, content, place)
      stream.is_translated = is_translated
      yield stream


class Stream:
  """An audio stream, to be decoded once.

  Attributes:
    layout: FFmpeg's name of the channel layout.
    is_float: whether the stored samples are floating-point numbers.
    is_translated: whether it isn't the file itself that is decoded, but what libsndfile
      reads of it, or what is behind other bytes.
    notes: what was odd; complete when `blocks` has ended.
    rest: then, where the next one begins; None for nowhere. FFmpeg doesn't read on in
      an Ogg file where streams of different forms follow each other.
  """

  def __init__(self, container, name: str, content: sound_file.Content, place: int):
    self._container, self._name = container, name
    self._view, self._place = content.view, place
    self.rest: int | None = None
    self.notes = content.notes
    if (number := len(container.streams.audio)) > 1:
      self.notes += (f'the first of its {number} audio streams was taken',)
    self._stream = container.streams.audio[0]
    context = self._stream.codec_context
    if context.name == 'flac':  # else damaged frames are decoded to noise
      context.options = {'err_detect': 'crccheck+explode'}
    self.layout = 'ambisonic' if content.is_ambisonic else context.layout.name
    is_wavpack = context.name == 'wavpack'  # lossless, of integers or floats
    is_float = is_wavpack and context.format and context.format.name.startswith('flt')
    self.is_translated = False
    self.is_float = bool(is_float) or context.name.startswith('pcm_f')
    self._losses = Losses(container, content)

  @property
  def encoding(self) -> Encoding:
    """How the samples are stored, in the words of tensorflow-io's decoders."""
    context, form = self._stream.codec_context, self._container.format.name
    codec = context.name
    if self.is_translated:
      return Encoding('other')
    if form == 'wav' and codec.startswith(('pcm_s', 'pcm_u', 'pcm_f')):
      digits = ''.join(filter(str.isdigit, codec))
      return Encoding('wav', int(digits), self.is_float)
    if form == 'flac' and codec == 'flac' and context.extradata:
      packed = int.from_bytes(context.extradata[12:14], 'big')  # STREAMINFO
      return Encoding('flac', (packed >> 4 & 31) + 1)
    if form == 'mp3' and codec.startswith('mp3'):
      return Encoding('mp3')
    if form == 'ogg' and codec == 'vorbis':
      return Encoding('vorbis')
    return Encoding(codec)

  def blocks(self) -> Iterator[Block]:
    """The samples, block by block; damaged packets are left out and counted.

    Where time stamps tell that something is missing there is silence in its place, so
    that what follows stays where it was.

    Raises:
      AudioError: nothing could be decoded, or less than could not.
    """
    waiting, form = av.AudioFifo(), None
    for frame in self._frames():
      gap = self._losses.add_frame(frame)
      new = frame.sample_rate, frame.format.name, frame.layout.nb_channels
      if gap or new != form or waiting.samples >= _BLOCK_SAMPLES:
        if waiting.samples:
          yield self._block(waiting, form[0])
        if form != new:
          if form and new[0] != form[0]:
            self._note(f'its sample rate changes from {form[0]} to {new[0]} Hz')
          waiting, form = av.AudioFifo(), new
        yield from _silence(gap, frame)
      frame.pts = None  # else the queue refuses gaps
      waiting.write(frame)
    if form is None:
      what = 'it has a header, but no sound (0 samples)'
      if damaged := self._losses.damaged:
        what = f'nothing of it can be decoded, {packets(damaged)}'
      raise AudioError(f'{self._name}: {what}')
    yield self._block(waiting, form[0])
    if self._losses.is_mostly_damage:
      damaged = packets(self._losses.damaged)
      told = f'{damaged}, more than can be decoded: what can may be noise'
      raise AudioError(f'{self._name}: {told}')
    for note in self._losses.notes(goes_on=self.rest is not None):
      self._note(note)

  def _block(self, waiting: av.AudioFifo, sample_rate: int) -> Block:
    if not _RATES[0] <= sample_rate <= _RATES[1]:
      raise AudioError(f'{self._name}: damaged: a sample rate of {sample_rate} Hz')
    try:
      return Block(_floats(waiting.read()), sample_rate)
    except ERRORS as error:  # more channels than PyAV knows
      raise AudioError(f'{self._name}: damaged: {error}') from error

  def _frames(self) -> Iterator[av.AudioFrame]:
    packets = self._container.demux(self._stream)
    while True:
      try:
        packet = next(packets, None)
        if packet is None:
          return
      except ERRORS:
        if self._container.format.name == 'ogg':
          link = sound_file.next_link(self._view, self._losses.last)
          self.rest = None if link is None else self._place + link
        if self.rest is None:
          self._note(Loss('it is damaged; what follows is not read'))
        return
      self._losses.add_packet(packet)
      try:
        frames = packet.decode()
      except av.error.EOFError:
        continue
      except ERRORS:
        self._losses.add_damage(bytes(packet))
        continue
      for frame in frames:
        if frame.samples and frame.sample_rate:
          yield frame

  def _note(self, text: str) -> None:
    if text not in self.notes:
      self.notes += (text,)


def _silence(seconds: float, frame: av.AudioFrame) -> Iterator[Block]:
  """Silence of a frame's form."""
  left, channels = round(seconds * frame.sample_rate), frame.layout.nb_channels
  while left > 0:
    number = min(left, _BLOCK_SAMPLES)
    yield Block(np.zeros((number, channels), np.float32), frame.sample_rate)
    left -= number


def _floats(frame: av.AudioFrame) -> np.ndarray:
  """The samples of a frame. float32, shape [samples, channels]."""
  samples = frame.to_ndarray()
  if frame.format.is_planar:
    samples = samples.T
  else:
    samples = samples.reshape(-1, frame.layout.nb_channels)
  if samples.dtype.kind == 'f':
    with np.errstate(
      over='ignore', invalid='ignore'
    ):  # of float64; the caller looks for infinity
      return samples.astype(np.float32, copy=False)
  if samples.dtype == np.uint8:  # unsigned, silence at 128
    return (samples.astype(np.float32) - 128) / 128
  scale = np.float32(1 / -float(np.iinfo(samples.dtype).min))
  return samples.astype(np.float32) * scale
