"""The scores of a sound file, block by block: a day of sound in little memory."""

import dataclasses
import os
from collections.abc import Iterator

import numpy as np

from audioset_ml.audio import decoding
from audioset_ml.audio.notes import Loss
from audioset_ml.core.errors import AudioError
from audioset_ml.models.waveform_loading import OpenedWaveformModel
from audioset_ml.models.waveform_model import PATCHES_AT_ONCE


@dataclasses.dataclass(frozen=True)
class ScoredBlock:
  """What a model says of some patches that follow each other.

  Attributes:
    first: the number of the first patch.
    scores: shape [patches, classes].
    embeddings: shape [patches, embedding].
    log_mel: the frames from the first patch on that no later block has. Shape [frames,
      mel_bands].
    seconds: how much sound there was up to here (s).
    is_last: whether the sound ends here; `seconds` then is all of it.
    path: the sound's file.
    hop_seconds: from one patch to the next.
    window_seconds: how long a patch is.
  """

  first: int
  scores: np.ndarray
  embeddings: np.ndarray
  log_mel: np.ndarray
  seconds: float
  is_last: bool
  path: str = ''
  hop_seconds: float = 0.48
  window_seconds: float = 0.96

  def times(self, row: int) -> tuple[float, float]:
    """When a patch of the block begins and ends (s), not beyond the sound's end."""
    start = (self.first + row) * self.hop_seconds
    end = start + self.window_seconds
    return start, min(end, self.seconds) if self.is_last else end


class SoundScores:
  """What a model says of a file; once `blocks` has ended, what was odd in it.

  Attributes:
    path: the file.
    hop_seconds: from one patch to the next.
    window_seconds: how long a patch is.
    seconds: how long the sound is.
    notes: what was odd.
    error: what ended the sound before its end; None for nothing.
  """

  def __init__(
    self,
    model: OpenedWaveformModel,
    path: str | os.PathLike,
    hop_frames: int | None = None,
    decoder: str = 'ffmpeg',
  ):
    """Args: the model; the sound file; frames from one patch to the next (None for the
    model's own), see `OpenedWaveformModel.require_hop`; what decodes the file."""
    self._model, self._decoder, self.path = model, decoder, os.fspath(path)
    end = model.front_end
    self._hop = hop_frames or end.patch_hop_frames
    self.hop_seconds = self._hop * end.hop_seconds
    self.window_seconds = end.patch_window_seconds
    self.seconds = 0.0
    self.notes: list[str] = []
    self.error: AudioError | None = None

  @property
  def is_damaged(self) -> bool:
    """Whether sound is lost, or may be."""
    return self.error is not None or any(isinstance(note, Loss) for note in self.notes)

  def blocks(self) -> Iterator[ScoredBlock]:
    """Scores the sound from its beginning as far as it can be decoded.

    The patches are those of the whole waveform at once, and each block is computed as
    there: silence is added up to whole patches at the end alone.

    Raises:
      AudioError: nothing of the file can be decoded.
    """
    end = self._model.front_end
    hop = self._hop * end.hop_samples
    size = end.min_samples + (PATCHES_AT_ONCE - 1) * hop
    waiting, samples, first = np.zeros(0, np.float32), 0, 0
    for part in self._waveform():
      waiting = np.concatenate([waiting, part])
      samples += len(part)
      while len(waiting) > size:  # the last block is never empty
        left = len(waiting) - PATCHES_AT_ONCE * hop
        seconds = (samples - left) / end.sample_rate
        yield self._scored(waiting[:size], first, seconds, is_last=False)
        first += PATCHES_AT_ONCE
        waiting = waiting[PATCHES_AT_ONCE * hop :]
    self.seconds = samples / end.sample_rate
    padding = end.padded_samples(len(waiting), self._hop) - len(waiting)
    yield self._scored(np.pad(waiting, (0, padding)), first, self.seconds, True)

  def _waveform(self) -> Iterator[np.ndarray]:
    """The waveform; what ends it too early is kept."""
    rate = self._model.front_end.sample_rate
    blocks = decoding.sound_blocks(
      self.path, rate, self._decoder, on_note=self.notes.append
    )
    begun = False
    while True:
      try:
        part = next(blocks, None)
      except AudioError as error:
        if not begun:
          raise
        self.error = error
        return
      if part is None:
        return
      begun = begun or len(part) > 0
      yield part

  def _scored(
    self, waveform: np.ndarray, first: int, seconds: float, is_last: bool
  ) -> ScoredBlock:
    outputs = self._model.at_hop(waveform, self._hop)
    scores, embeddings, log_mel = map(np.asarray, outputs)
    if not is_last:
      log_mel = log_mel[: len(scores) * self._hop]
    place = (self.path, self.hop_seconds, self.window_seconds)
    return ScoredBlock(first, scores, embeddings, log_mel, seconds, is_last, *place)
