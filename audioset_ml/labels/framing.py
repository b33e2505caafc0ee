"""Strong labels on a grid of frames: the 50 % rule (SL21 section 3.2).

A frame has a label if a single event covers at least half of the frame, or if the
frame holds at least half of that event's duration; the union of several events does
not count. Exact on Google's own framed file.
"""

import dataclasses

import numpy as np

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
