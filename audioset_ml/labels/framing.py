"""Strong labels on a grid of frames: the 50 % rule (SL21 section 3.2).

A frame has a label if a single event covers at least half of the frame, or if the
frame holds at least half of that event's duration; the union of several events does
not count. Exact on Google's own framed file.
"""

import dataclasses

import numpy as np
import pandas as pd

from audioset_ml.labels.formats import NOT_PRESENT, PRESENT, STRONG_COLUMNS

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
  start: np.ndarray, end: np.ndarray, grid: FrameGrid
) -> tuple[np.ndarray, np.ndarray]:
  """Which frames each event labels by the 50 % rule.

  Args:
    start: begin of each event (s, from the start of its clip). Shape [events].
    end: its end (s). Shape [events].
    grid: the frames.

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
  fills_frame = 2 * overlap >= grid.frame_ms
  holds_event = (2 * overlap >= end_ms[event] - start_ms[event]) & (overlap > 0)
  chosen = fills_frame | holds_event
  return event[chosen], frame[chosen]


def frame_table(
  strong: pd.DataFrame,
  explicit: pd.DataFrame | None = None,
  grid: FrameGrid | None = None,
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

  Returns:
    Columns segment_id, start_time_seconds, end_time_seconds, label, present; sorted by
    clip, time and label.
  """
  grid = grid or FrameGrid()
  event, frame = frame_events(
    strong['start_time_seconds'].to_numpy(), strong['end_time_seconds'].to_numpy(), grid
  )
  pairs = strong[['segment_id', 'label']]
  positive = pairs.iloc[event].assign(frame=frame).drop_duplicates()
  with_frames = positive[['segment_id', 'label']].drop_duplicates()
  refuted = _refuted(explicit, pairs)
  every = pd.concat([with_frames, refuted]).merge(
    pd.DataFrame({'frame': np.arange(grid.frames)}), how='cross'
  )
  table = every.merge(positive.assign(present=PRESENT), how='left')
  table['present'] = table['present'].fillna(NOT_PRESENT)
  start, end = grid.bounds(table['frame'].to_numpy())
  table = table.assign(start_time_seconds=start, end_time_seconds=end)
  order = ['segment_id', 'start_time_seconds', 'label']
  return table.sort_values(order, ignore_index=True)[[*STRONG_COLUMNS, 'present']]


def _refuted(explicit: pd.DataFrame | None, pairs: pd.DataFrame) -> pd.DataFrame:
  """The (clip, label) pairs that a person refuted and that have no events."""
  if explicit is None:
    return pairs.iloc[:0]
  negative = explicit.loc[explicit['present'] == NOT_PRESENT, ['segment_id', 'label']]
  marked = negative.merge(pairs.drop_duplicates(), how='left', indicator=True)
  return marked.loc[marked['_merge'] == 'left_only', ['segment_id', 'label']]
