import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from audioset_ml.labels import formats
from audioset_ml.labels.framing import FrameGrid, frame_events


def test_frames_equal_googles_own_file(shared_data):
  """Every PRESENT row of Google's framed file, and no other."""
  folder = shared_data('audioset_strong')
  framed = pd.read_csv(
    folder / 'audioset_eval_strong_framed_posneg_subset.tsv', sep='\t'
  )
  strong = formats.read_strong_tsv(folder / 'audioset_eval_strong_subset.tsv')
  grid = FrameGrid()
  event, frame = frame_events(
    strong['start_time_seconds'].to_numpy(), strong['end_time_seconds'].to_numpy(), grid
  )
  start, end = grid.bounds(frame)
  clips, labels = strong['segment_id'].to_numpy(), strong['label'].to_numpy()
  found = set(
    zip(clips[event], start.round(2), end.round(2), labels[event], strict=True)
  )
  expected = set(framed.drop(columns='present').itertuples(index=False, name=None))
  assert len(expected) == 581
  present = set(framed['segment_id'])
  assert {row for row in found if row[0] in present} == expected


def plain_rule(start, end, grid):
  """The 50 % rule, read aloud, in whole milliseconds."""
  frames = []
  for frame in range(grid.frames):
    low, high = frame * grid.frame_ms, (frame + 1) * grid.frame_ms
    overlap = min(end, high) - max(start, low)
    if overlap > 0 and (2 * overlap >= grid.frame_ms or 2 * overlap >= end - start):
      frames.append(frame)
  return frames


@given(
  st.lists(
    st.tuples(st.integers(0, 10_000), st.integers(1, 6000)), min_size=1, max_size=9
  )
)
def test_frames_follow_the_rule(events):
  grid = FrameGrid()
  start = np.array([begin for begin, _ in events])
  end = np.array([begin + length for begin, length in events])
  event, frame = frame_events(start / 1000, end / 1000, grid)
  expected = [
    (number, index)
    for number in range(len(events))
    for index in plain_rule(start[number], end[number], grid)
  ]
  assert list(zip(event, frame, strict=True)) == expected
