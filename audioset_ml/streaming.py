"""Scores of sound as it comes: blocks of samples in, scores of finished patches out.

  stream = audioset_ml.Stream(audioset_ml.load_waveform_model('exported'))
  for samples in blocks:             # float32 in [-1, 1], 16 kHz, of any lengths
    found = stream.add(samples)
    for row, scores in enumerate(found.scores):
      print(found.seconds(row), scores)
  found = stream.finish()            # what is left, with silence behind it

The scores are those of the whole waveform at once, whatever the blocks.
"""

import dataclasses

import numpy as np

from audioset_ml.core.errors import ModelError
from audioset_ml.models.waveform_loading import OpenedWaveformModel
from audioset_ml.models.waveform_model import PATCHES_AT_ONCE, checked_waveform


@dataclasses.dataclass(frozen=True)
class StreamScores:
  """What a model says of the patches that a block has finished.

  Attributes:
    first: the number of the first patch.
    scores: of these patches, often none. Shape [patches, classes], float32.
    hop_seconds: from one patch to the next (s).
  """

  first: int
  scores: np.ndarray
  hop_seconds: float

  def seconds(self, row: int) -> float:
    """When a patch begins, from the beginning of the stream (s)."""
    return (self.first + row) * self.hop_seconds


class Stream:
  """Scores a sound as it comes, block by block, before its end is known.

  Attributes:
    patches: how many were scored so far.
  """

  def __init__(self, model: OpenedWaveformModel, hop_frames: int | None = None):
    """Begins a stream.

    Args:
      model: of `load_waveform_model`.
      hop_frames: spectrogram frames from one patch to the next; None for the model's.

    Raises:
      ModelError: the model can't have patches so far apart.
    """
    self._model, end = model, model.front_end
    self._hop = hop_frames or end.patch_hop_frames
    if self._hop > end.patch_frames:
      raise ModelError(
        f'a hop of {self._hop} frames is longer than a patch ({end.patch_frames}), so '
        'that sound between patches would be missed'
      )
    model.require_hop(self._hop)
    self.patches = 0
    self._waiting, self._is_finished = np.zeros(0, np.float32), False

  def add(self, samples) -> StreamScores:
    """Takes in the next samples, as many as there are.

    Args:
      samples: floats in [-1, 1], mono, at the front end's rate. Shape [samples].

    Returns:
      The scores of the patches that these samples have completed, often of none.

    Raises:
      ModelError: they are not one-dimensional, or integers; or the stream is finished.
    """
    self._require_open()
    block = checked_waveform(samples).numpy()
    self._waiting = np.concatenate([self._waiting, block])
    return self._scored()

  def finish(self) -> StreamScores:
    """Ends the stream; silence is added until its last patch is whole.

    Returns:
      The scores of the patches that were left. A stream has at least one patch.

    Raises:
      ModelError: the stream is finished already.
    """
    self._require_open()
    self._is_finished = True
    end = self._model.front_end
    left, hop = len(self._waiting), self._hop * end.hop_samples
    # What the last patch holds of a sound needs no other.
    rest = left - (end.min_samples - hop if self.patches else 0)
    if rest > 0 or not self.patches:
      missing = end.padded_samples(left, self._hop) - left
      self._waiting = np.pad(self._waiting, (0, missing))
    return self._scored()

  def _scored(self) -> StreamScores:
    """Scores what is whole, and forgets what no later patch needs."""
    end, first, found = self._model.front_end, self.patches, []
    hop = self._hop * end.hop_samples
    while count := end.patches_within(len(self._waiting), self._hop):
      count = min(count, PATCHES_AT_ONCE)
      whole = self._waiting[: end.min_samples + (count - 1) * hop]
      found.append(np.asarray(self._model.at_hop(whole, self._hop)[0]))
      self._waiting = self._waiting[count * hop :]
      self.patches += count
    scores = np.zeros((0, len(self._model.mids)), np.float32)
    if found:
      scores = np.concatenate(found)
    return StreamScores(first, scores, self._hop * end.hop_seconds)

  def _require_open(self) -> None:
    if self._is_finished:
      raise ModelError('the stream is finished: begin another')
