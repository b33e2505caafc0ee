"""Naming the sounds in audio files."""

import dataclasses
import os
from collections.abc import Callable, Collection, Iterator, Sequence

import numpy as np
import pandas as pd

from audioset_ml.core.errors import AudioError, printable
from audioset_ml.models.sound_scores import ScoredBlock, SoundScores
from audioset_ml.models.waveform_loading import OpenedWaveformModel, load_waveform_model

_SILENCE = 'Silence'


@dataclasses.dataclass
class FileTags:
  """What a model says of a file as a whole.

  Attributes:
    path: the file.
    class_names: the model's classes.
    seconds: how long it is.
    patches: how many were scored.
    hop_seconds: from one patch to the next.
    window_seconds: how long a patch is.
    highest: each class's highest score. Shape [classes].
    highest_at: when the (first) patch with it begins (s). Shape [classes].
    notes: what was odd in the file.
    is_damaged: whether sound is lost, or may be.
  """

  path: str
  class_names: Sequence[str] = ()
  seconds: float = 0.0
  patches: int = 0
  hop_seconds: float = 0.0
  window_seconds: float = 0.0
  highest: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(0))
  highest_at: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(0))
  notes: tuple[str, ...] = ()
  is_damaged: bool = False
  _sums: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(0))
  _squares: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(0))

  def add(self, block: ScoredBlock) -> None:
    """Takes in the next block."""
    scores = block.scores.astype(np.float64)
    if not self.patches:
      classes = scores.shape[1]
      self.highest, self.highest_at = np.full(classes, -np.inf), np.zeros(classes)
      self._sums, self._squares = np.zeros(classes), np.zeros(classes)
    best = scores.argmax(axis=0)
    values = scores.max(axis=0)
    later = values > self.highest
    times = (block.first + best) * self.hop_seconds
    self.highest_at = np.where(later, times, self.highest_at)
    self.highest = np.where(later, values, self.highest)
    self._sums = self._sums + scores.sum(axis=0)
    self._squares = self._squares + np.square(scores).sum(axis=0)
    self.patches += len(scores)
    self.seconds = block.seconds

  def clip_scores(self, pooling: str) -> np.ndarray:
    """Each class's score of the whole file: see `pooling`. Shape [classes]."""
    if pooling == 'max':
      return self.highest
    if pooling == 'mean':
      return self._sums / self.patches
    return self._squares / np.maximum(self._sums, np.finfo(np.float32).tiny)

  def top(
    self,
    number: int,
    pooling: str = 'max',
    least: float = 0.0,
    by_mean: Collection[int] = (),
  ) -> list[int]:
    """The classes with the highest scores, none below `least`, the highest first.

    Args:
      number: how many at most.
      pooling: which score of the whole file.
      least: the least score.
      by_mean: classes whose score is the mean, whatever `pooling`.
    """
    scores = self.clip_scores(pooling).copy()
    scores[list(by_mean)] = self.clip_scores('mean')[list(by_mean)]
    order = np.argsort(-scores, kind='stable')[:number]
    return [int(index) for index in order if scores[index] >= least]

  def table(self) -> pd.DataFrame:
    """All classes in the order in which `tag` prints them: class, highest score, when
    its patch begins (`at`, s), mean."""
    order = self.top(len(self.class_names), by_mean=silences(self.class_names))
    columns = {
      'class': np.array(self.class_names, object),
      'highest': self.highest,
      'at': self.highest_at,
      'mean': self.clip_scores('mean'),
    }
    return pd.DataFrame({name: values[order] for name, values in columns.items()})


def tag(model: str | os.PathLike, *sounds: str | os.PathLike) -> list[FileTags]:
  """What a model says of sound files, as the stage `tag` prints it.

  Args:
    model: a model, named as for the stages' `--model`.
    sounds: the files.

  Returns:
    What it says of each file, in their order.

  Raises:
    ModelError: there is no usable model, or nothing says what its classes are.
    AudioError: nothing of a file can be decoded. Of a damaged one there are tags, which
      say so in `notes` and `is_damaged`.
  """
  found = []
  for result in tag_files(load_waveform_model(model), sounds):
    if isinstance(result, AudioError):
      raise result
    found.append(result)
  return found


def tag_files(
  model: OpenedWaveformModel,
  paths: Sequence[str | os.PathLike],
  decoder: str = 'ffmpeg',
  hop_frames: int | None = None,
  on_block: Callable[[ScoredBlock], object] = lambda block: None,
) -> Iterator[FileTags | AudioError]:
  """What the model says of each file, or why the file can't be used.

  Args:
    model: the model.
    paths: the files.
    decoder: what decodes them.
    hop_frames: from one patch to the next; None for the model's own.
    on_block: told what the model says of each part of a file, before its tags.
  """
  for path in paths:
    sound = SoundScores(model, path, hop_frames, decoder)
    tags = FileTags(
      sound.path,
      class_names=model.class_names,
      hop_seconds=sound.hop_seconds,
      window_seconds=sound.window_seconds,
    )
    try:
      for block in sound.blocks():
        tags.add(block)
        on_block(block)
    except AudioError as error:
      yield error
      continue
    if sound.error is not None:
      what = str(sound.error).removeprefix(f'{printable(sound.path)}: ')
      sound.notes.append(
        f'tagged up to {clock(sound.seconds)}, where it breaks: {what}'
      )
    tags.notes, tags.is_damaged = tuple(sound.notes), sound.is_damaged
    yield tags


def silences(names: Sequence[str]) -> list[int]:
  """The classes that go by their mean, of those with these names: see `describe`."""
  return [index for index, name in enumerate(names) if name == _SILENCE]


def describe(
  tags: FileTags,
  names: Sequence[str],
  number: int = 5,
  pooling: str = 'max',
  least: float = 0.0,
) -> str:
  """A line for the file, and a line a class with its scores and the time of its
  highest.

  Nearly every sound has a quiet second somewhere, so that the highest patch of Silence
  says nothing of it: that class goes by its mean.
  """
  scores, means = tags.clip_scores(pooling), tags.clip_scores('mean')
  silence = silences(names)
  lines = [f'{printable(tags.path)}: {clock(tags.seconds)}']
  width = len(clock(tags.seconds))
  for index in tags.top(number, pooling, least, silence):
    when = f'at {clock(tags.highest_at[index]):>{width}}'
    if index in silence:
      # As wide as the others' times and means.
      said = 'on average'.ljust(len(when) + len(', mean 0.000'))
      lines.append(f'  {means[index]:.3f} {said}  {names[index]}')
      continue
    if pooling == 'max':
      more = f'{when}, mean {means[index]:.3f}'
    else:
      more = f'highest {tags.highest[index]:.3f} {when}'
    lines.append(f'  {scores[index]:.3f} {more}  {names[index]}')
  if len(lines) == 1:
    lines.append(f'  no class scores {least:g} or more')
  return '\n'.join(lines)


def clock(seconds: float) -> str:
  """A time as people write it: 1:02.40, or 1:00:02.40 from an hour on."""
  hundredths = round(100 * seconds)
  minutes, rest = divmod(hundredths, 6000)
  hours, minutes = divmod(minutes, 60)
  text = f'{rest // 100:02d}.{rest % 100:02d}'
  return f'{hours}:{minutes:02d}:{text}' if hours else f'{minutes}:{text}'
