"""Strong labels on a grid of frames: the 50 % rule (SL21 section 3.2).

A frame has a label if a single event covers at least half of the frame, or if the
frame holds at least half of that event's duration; the union of several events does
not count. Of a subset of Google's own framed file the positives come out the same.
"""

import dataclasses

import numpy as np
import pandas as pd

from audioset_ml.labels.formats import StrongFile
from audioset_ml.labels.label_rows import NOT_PRESENT, PRESENT, TIMES, TOLERANCE

# Times in the label files are thousandths of a second: in whole milliseconds every
# comparison is exact.
_MS = 1000


@dataclasses.dataclass(frozen=True)
class FrameGrid:
  """The frames of a clip, one after the other.

  Attributes:
    frame_ms: length of a frame (ms).
    frames: number of frames; ten a clip in Google's file, at 0, 0.96, … 8.64 s.
  """

  frame_ms: int = 960
  frames: int = 10

  def bounds(self, index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Start and end of frames (s)."""
    return index * self.frame_ms / _MS, (index + 1) * self.frame_ms / _MS


def frame_events(
  start: np.ndarray, end: np.ndarray, grid: FrameGrid, short_ones: bool = True
) -> tuple[np.ndarray, np.ndarray]:
  """Which frames each event labels by the 50 % rule.

  Args:
    start: begin of each event (s, from the start of its clip). Shape [events].
    end: its end (s). Shape [events].
    grid: the frames.
    short_ones: whether an event that covers less than half of a frame labels it too, if
      the frame holds at least half of the event.

  Returns:
    Pairs (event index, frame index), each of shape [pairs], sorted by event and frame.
  """
  start_ms = np.rint(np.asarray(start) * _MS).astype(np.int64)
  end_ms = np.rint(np.asarray(end) * _MS).astype(np.int64)
  first = np.clip(start_ms // grid.frame_ms, 0, grid.frames)
  last = np.clip(-(-end_ms // grid.frame_ms), first, grid.frames)  # exclusive
  counts = last - first
  event = np.repeat(np.arange(len(counts)), counts)
  offsets = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
  frame = first[event] + offsets
  overlap = np.minimum(end_ms[event], (frame + 1) * grid.frame_ms) - np.maximum(
    start_ms[event], frame * grid.frame_ms
  )
  chosen = 2 * overlap >= grid.frame_ms
  if short_ones:
    chosen |= (2 * overlap >= end_ms[event] - start_ms[event]) & (overlap > 0)
  return event[chosen], frame[chosen]


def count_framed(strong: pd.DataFrame, grid: FrameGrid | None = None) -> int:
  """How many events label a frame at all; short ones behind the last frame don't."""
  times = (strong[name].to_numpy() for name in TIMES)
  return len(np.unique(frame_events(*times, grid or FrameGrid())[0]))


def frame_table(
  strong: pd.DataFrame,
  explicit: pd.DataFrame | None = None,
  grid: FrameGrid | None = None,
  clip_seconds: pd.Series | None = None,
  refuted_stretches: pd.DataFrame | None = None,
) -> pd.DataFrame:
  """Framed labels as SL21 3.2 evaluates on, in Google's order and columns.

  PRESENT by the 50 % rule. NOT_PRESENT are the complementary negatives, the other
  frames of a clip that has positive frames of the class, and all frames of a clip for
  which a person refuted the class. Where a clip has events of a class that an explicit
  label refutes, the events count: they were marked by listening to the whole clip.

  Args:
    strong: events, as `formats.read_strong_tsv` gives them.
    explicit: labels of whole clips, as `formats.read_explicit_tsv` gives them; their
      PRESENT rows say nothing of frames and are passed over.
    grid: the frames; None means Google's.
    clip_seconds: how long clips are (s), by id: negative frames that end later are left
      out. None leaves none out, as in Google's file.
    refuted_stretches: parts of clips that people refuted, with the columns of `strong`:
      frames of which one covers at least half are NOT_PRESENT, too.

  Returns:
    Columns segment_id, start_time_seconds, end_time_seconds, label, present; sorted by
    clip, time and label.
  """
  grid = grid or FrameGrid()
  nothing = strong.iloc[:0]
  ratings = nothing
  if explicit is not None:
    ratings = explicit[explicit['present'] == NOT_PRESENT]
  stretches = nothing if refuted_stretches is None else refuted_stretches
  parts = [strong, ratings, stretches]
  clips, clip_ids = pd.factorize(_joined(parts, 'segment_id'), sort=True)
  labels, mids = pd.factorize(_joined(parts, 'label'), sort=True)
  pairs = clips.astype(np.int64) * len(mids) + labels
  of_events, of_ratings, of_stretches = np.split(
    pairs, np.cumsum([len(strong), len(ratings)])
  )
  positive = _framed_rows(strong, of_events, grid)
  with_frames = np.unique(positive // grid.frames)
  refuted = np.setdiff1d(of_ratings, of_events)
  every = np.union1d(with_frames, refuted)
  rows = (every[:, np.newaxis] * grid.frames + np.arange(grid.frames)).ravel()
  rows = np.union1d(rows, _framed_rows(stretches, of_stretches, grid, False))
  if clip_seconds is not None:
    lengths = pd.Series(clip_ids).map(clip_seconds).fillna(np.inf).to_numpy()
    ends = grid.bounds(rows % grid.frames)[1]
    within = ends <= lengths[rows // grid.frames // len(mids)] + TOLERANCE
    rows = rows[within | np.isin(rows, positive)]
  clip, label = np.divmod(rows // grid.frames, len(mids))
  # By clip, time and label.
  order = np.lexsort([label, rows % grid.frames, clip])
  rows, clip, label = rows[order], clip[order], label[order]
  start, end = grid.bounds(rows % grid.frames)
  return pd.DataFrame(
    {
      'segment_id': clip_ids.take(clip),
      'start_time_seconds': start,
      'end_time_seconds': end,
      'label': mids.take(label),
      'present': np.where(np.isin(rows, positive), PRESENT, NOT_PRESENT),
    }
  )


def with_silence(explicit: pd.DataFrame | None, file: StrongFile) -> pd.DataFrame:
  """Labels of whole clips, with those of clips that hold nothing of a file's labels.

  Args:
    explicit: as `formats.read_explicit_tsv` gives them; what they say stands. None for
      none.
    file: of `formats.read_strong_file`.
  """
  labels = file.events['label'].drop_duplicates().to_frame()
  absent = file.silent.to_frame('segment_id').merge(labels, how='cross')
  absent = absent.assign(present=NOT_PRESENT)
  if explicit is None:
    return absent
  table = pd.concat([explicit, absent], ignore_index=True)
  return table.drop_duplicates(['segment_id', 'label'], ignore_index=True)


def _framed_rows(
  stretches: pd.DataFrame, pairs: np.ndarray, grid: FrameGrid, short_ones: bool = True
) -> np.ndarray:
  """pair · frames + frame of each frame that a stretch covers; sorted, each once."""
  times = (stretches[name].to_numpy() for name in TIMES)
  stretch, frame = frame_events(*times, grid, short_ones)
  return np.unique(pairs[stretch] * grid.frames + frame)


def _joined(parts: list[pd.DataFrame], column: str) -> pd.Series:
  """A column of several tables, one after the other."""
  return pd.concat([part[column] for part in parts], ignore_index=True)
