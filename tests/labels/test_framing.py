import math
from fractions import Fraction

import hypothesis
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


def exact_rule(start, end, grid):
  """The 50 % rule by shares, of times that the file spells as decimals: exact."""
  frames, start, end = [], Fraction(start), Fraction(end)
  length = Fraction(grid.frame_ms, 1000)
  for frame in range(grid.frames):
    overlap = min(end, (frame + 1) * length) - max(start, frame * length)
    if overlap > 0 and max(overlap / length, overlap / (end - start)) >= Fraction(1, 2):
      frames.append(frame)
  return frames


def framed(start, end, grid):
  """The frames of one event whose times are decimals, read as a file's are."""
  _, frames = frame_events(np.array([float(start)]), np.array([float(end)]), grid)
  return frames.tolist()


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


@pytest.mark.parametrize(
  ('start', 'end', 'frames'),
  [
    # Longer than a frame, fills exactly half of the first; a thousandth less.
    ('0.480', '1.920', [0, 1]),
    ('0.481', '1.920', [1]),
    # ... and of the last.
    ('0.960', '2.400', [1, 2]),
    ('0.960', '2.399', [1]),
    # Short, exactly half of it in each of two frames; a thousandth more in one.
    ('0.860', '1.060', [0, 1]),
    ('0.859', '1.059', [0]),
    ('0.861', '1.061', [1]),
    # 1000 · 1.001 and 1000 · 8.19 are a little less than whole in float64.
    ('0.919', '1.001', [0, 1]),
    ('8.190', '9.090', [8, 9]),
    # As long as a frame, half in each.
    ('6.240', '7.200', [6, 7]),
    # Half of it is behind the last frame; a thousandth more.
    ('9.400', '9.800', [9]),
    ('9.401', '9.801', []),
  ],
)
def test_exactly_half_is_enough(start, end, frames):
  grid = FrameGrid()
  assert framed(start, end, grid) == frames == exact_rule(start, end, grid)


@st.composite
def at_the_boundary(draw):
  """An event (ms) that fills half of a frame, or half of which a frame holds, or that
  is a thousandth away from it; and the frame's length. Half of an odd one is no whole
  number of thousandths."""
  frame_ms = draw(st.sampled_from([960, 480, 500, 1000, 33]))
  border = draw(st.integers(1, 10)) * frame_ms
  inside = draw(st.integers(1, frame_ms))
  inside = draw(st.sampled_from([frame_ms // 2, frame_ms - frame_ms // 2, inside]))
  outside = draw(st.one_of(st.just(inside), st.integers(1, 3 * frame_ms)))
  shift, turned = draw(st.integers(-1, 1)), draw(st.booleans())
  before, behind = (inside, outside) if turned else (outside, inside)
  return max(border - before + shift, 0), border + behind + shift, frame_ms


@hypothesis.settings(max_examples=300)
@given(at_the_boundary())
def test_frames_at_the_boundary_are_exact(event):
  """Against rational arithmetic on the decimals in the file: 0.48 of 0.96 is half."""
  start_ms, end_ms, frame_ms = event
  times = [f'{time // 1000}.{time % 1000:03d}' for time in (start_ms, end_ms)]
  grid = FrameGrid(frame_ms, 12)
  assert framed(*times, grid) == exact_rule(*times, grid)


def test_negatives_are_complementary_or_refuted():
  strong = pd.DataFrame(
    [('b_0', 0.0, 1.0, '/m/x'), ('a_0', 9.7, 9.9, '/m/x'), ('b_0', 0.1, 0.2, '/m/y')],
    columns=formats.STRONG_COLUMNS,
  )
  explicit = pd.DataFrame(
    [
      ('c_0', '/m/x', 'NOT_PRESENT'),
      ('b_0', '/m/x', 'NOT_PRESENT'),
      ('a_0', '/m/x', 'NOT_PRESENT'),  # its event is too short for a frame
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


def events_of(rows):
  return pd.DataFrame(rows, columns=formats.STRONG_COLUMNS)


def test_refuted_stretches_are_negatives_where_nothing_sounds():
  strong = events_of([('a_0', 0.0, 0.96, '/m/x')])
  stretches = events_of(
    [
      ('a_0', 0.0, 1.92, '/m/x'),  # the event wins; the other frame is known anyway
      ('b_0', 0.5, 2.88, '/m/x'),  # nearly half of the first frame
      ('b_0', 1.0, 1.5, '/m/x'),
      ('a_0', 9.0, 9.6, '/m/y'),
    ]
  )
  table = frame_table(strong, refuted_stretches=stretches)
  refuted = table[table['present'] == 'NOT_PRESENT']
  frames = {
    pair: (found['start_time_seconds'] / 0.96).round().astype(int).tolist()
    for pair, found in refuted.groupby(['segment_id', 'label'])
  }
  assert frames == {
    ('a_0', '/m/x'): list(range(1, 10)),
    ('b_0', '/m/x'): [1, 2],
    ('a_0', '/m/y'): [9],
  }
  present = table[table['present'] == 'PRESENT']
  assert present['segment_id'].tolist() == ['a_0']
  assert not table.duplicated().any()


def stretch_lists():
  """Rows of events or stretches: few clips and labels, so that many share them."""
  row = st.tuples(
    st.sampled_from(['a_0', 'b_0']),
    st.integers(0, 4500),
    st.integers(0, 2500),
    st.sampled_from(['/m/x', '/m/y']),
  )
  return st.lists(row, max_size=4)


def plain_table(events, ratings, stretches, grid, clip_ms):
  """The rows of `frame_table`, by its description, in whole milliseconds."""

  def framed(rows, pair):
    found = set()
    for clip, start, length, label in rows:
      if (clip, label) == pair:
        found |= set(plain_rule(start, start + length, grid))
    return found

  every, rows = set(range(grid.frames)), []
  for pair in {(clip, label) for clip in ('a_0', 'b_0') for label in ('/m/x', '/m/y')}:
    positive = framed(events, pair)
    # A stretch that is shorter than half of a frame says nothing of the rest of it.
    negative = {
      frame
      for clip, start, length, label in stretches
      if (clip, label) == pair
      for frame in range(grid.frames)
      if 2 * min(start + length, (frame + 1) * grid.frame_ms)
      - 2 * max(start, frame * grid.frame_ms)
      >= grid.frame_ms
    }
    with_events = any((clip, label) == pair for clip, _, _, label in events)
    if positive or ((*pair, 'NOT_PRESENT') in ratings and not with_events):
      negative |= every
    ends = clip_ms.get(pair[0], math.inf)
    for frame in positive | negative:
      if frame in positive or (frame + 1) * grid.frame_ms <= ends:
        said = 'PRESENT' if frame in positive else 'NOT_PRESENT'
        times = frame * grid.frame_ms / 1000, (frame + 1) * grid.frame_ms / 1000
        rows.append((pair[0], *times, pair[1], said))
  return sorted(rows, key=lambda row: (row[0], row[1], row[3]))


@given(
  stretch_lists(),
  stretch_lists(),
  st.sets(
    st.tuples(
      st.sampled_from(['a_0', 'b_0']),
      st.sampled_from(['/m/x', '/m/y']),
      st.sampled_from(['PRESENT', 'NOT_PRESENT']),
    ),
    max_size=3,
  ),
  st.dictionaries(st.sampled_from(['a_0', 'b_0']), st.integers(0, 5000)),
)
def test_tables_of_frames_follow_their_description(events, stretches, ratings, clip_ms):
  grid = FrameGrid(frames=5)
  tables = [
    events_of([(c, start / 1000, (start + n) / 1000, m) for c, start, n, m in rows])
    for rows in (events, stretches)
  ]
  explicit = pd.DataFrame(sorted(ratings), columns=formats.EXPLICIT_COLUMNS)
  seconds = pd.Series(clip_ms, dtype=float) / 1000 if clip_ms else None
  # A clip may be as much as a thousandth shorter.
  lengths = {clip: length + 1 for clip, length in clip_ms.items()}
  found = frame_table(tables[0], explicit, grid, seconds, tables[1])
  expected = plain_table(events, ratings, stretches, grid, lengths)
  assert list(found.itertuples(index=False, name=None)) == expected


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
