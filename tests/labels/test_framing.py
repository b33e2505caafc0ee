import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audioset_ml.labels import formats
from audioset_ml.labels.framing import FrameGrid, frame_events, frame_table
from tests.stages import run_stage, run_stage_ok


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


def test_negatives_are_complementary_or_refuted():
  strong = pd.DataFrame(
    [('b_0', 0.0, 1.0, '/m/x'), ('a_0', 9.7, 9.9, '/m/x'), ('b_0', 0.1, 0.2, '/m/y')],
    columns=formats.STRONG_COLUMNS,
  )
  explicit = pd.DataFrame(
    [
      ('c_0', '/m/x', 'NOT_PRESENT'),
      ('b_0', '/m/x', 'NOT_PRESENT'),
      ('c_0', '/m/y', 'PRESENT'),
    ],
    columns=formats.EXPLICIT_COLUMNS,
  )
  table = frame_table(strong, explicit)
  counts = table.groupby(['segment_id', 'label', 'present']).size().to_dict()
  assert counts == {
    ('b_0', '/m/x', 'PRESENT'): 1,  # 40 ms in the second frame are too few
    ('b_0', '/m/x', 'NOT_PRESENT'): 9,  # its events count, not the refutation
    ('b_0', '/m/y', 'PRESENT'): 1,
    ('b_0', '/m/y', 'NOT_PRESENT'): 9,
    ('c_0', '/m/x', 'NOT_PRESENT'): 10,
  }


def test_the_stage_writes_googles_file(shared_data, tmp_path):
  folder = shared_data('audioset_strong')
  google = folder / 'audioset_eval_strong_framed_posneg_subset.tsv'
  out = tmp_path / 'framed.tsv'
  printed = run_stage_ok(
    'frame_labels',
    f'--strong_tsv={folder / "audioset_eval_strong_subset.tsv"}',
    f'--output_tsv={out}',
  )
  assert '581 PRESENT' in printed
  lines = out.read_text().splitlines(keepends=True)
  kept = [line for line in lines if not line.endswith('\tNOT_PRESENT\n')]
  assert ''.join(kept) == google.read_text()


@pytest.mark.parametrize(
  ('flags', 'message'),
  [
    (['--strong_tsv=absent.tsv', '--output_tsv=out.tsv'], 'absent.tsv'),
    (['--strong_tsv=strong.tsv', '--output_tsv=no/folder/out.tsv'], 'no/folder'),
  ],
)
def test_wrong_input_is_one_clear_line(tmp_path, flags, message):
  (tmp_path / 'strong.tsv').write_text('\t'.join(formats.STRONG_COLUMNS) + '\n')
  done = run_stage('frame_labels', *flags, folder=tmp_path)
  assert done.returncode == 1
  assert done.stderr.startswith('error: ')
  assert message in done.stderr
  assert 'Traceback' not in done.stderr
