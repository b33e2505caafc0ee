"""What is drawn of a sound over time, in bounded memory."""

import dataclasses

import numpy as np

from audioset_ml.audio.front_end import FrontEnd
from audioset_ml.models.events import Event

# WebP pictures are at most 16,383 pixels wide.
MAX_COLUMNS = 16_000


@dataclasses.dataclass(frozen=True)
class Timeline:
  """What is drawn of a sound.

  Attributes:
    name: of the sound.
    seconds: how long it is.
    log_mel: its spectrogram, the mean over some frames a column. Shape [columns,
      mel_bands].
    column_seconds: how long a column is.
    front_end: what made it.
    classes: the names of the classes that are shown.
    scores: of these, a row a cell. Shape [cells, classes].
    cell_seconds: how long a cell is.
    events: of these; `class_index` is the place in `classes`.
    threshold: how events were found, for people.
  """

  name: str
  seconds: float
  log_mel: np.ndarray
  column_seconds: float
  front_end: FrontEnd
  classes: tuple[str, ...]
  scores: np.ndarray
  cell_seconds: float
  events: tuple[Event, ...]
  threshold: str


class Spectrogram:
  """A spectrogram of bounded width: the longer the sound, the more frames a column."""

  def __init__(self, max_columns: int = MAX_COLUMNS):
    self._max, self.frames_a_column = max_columns, 1
    self._columns: np.ndarray | None = None
    self._rest: np.ndarray | None = None

  def add(self, log_mel: np.ndarray) -> None:
    """Appends frames. Shape [frames, mel_bands]."""
    if self._columns is None:
      self._columns = self._rest = log_mel[:0]
    frames = np.concatenate([self._rest, log_mel])
    self._take(frames)
    while len(self._columns) > self._max:
      # Two columns become one; a last one without a partner, frames again.
      even = len(self._columns) // 2 * 2
      odd = np.repeat(self._columns[even:], self.frames_a_column, axis=0)
      halves = self._columns[:even].reshape(even // 2, 2, -1)
      self._columns = halves.mean(axis=1)
      self.frames_a_column *= 2
      self._take(np.concatenate([odd, self._rest]))

  def _take(self, frames: np.ndarray) -> None:
    step = self.frames_a_column
    number = len(frames) // step
    whole = frames[: number * step].reshape(number, step, frames.shape[1])
    self._columns = np.concatenate([self._columns, whole.mean(axis=1)])
    self._rest = frames[number * step :]

  def picture(self) -> np.ndarray:
    """All columns. Shape [columns, mel_bands]."""
    if not len(self._rest):
      return self._columns
    return np.concatenate([self._columns, self._rest.mean(axis=0, keepdims=True)])
