"""Label files of AudioSet's size: two million weak rows, a million events.

Reading the weak CSV, all columns at once, against the csv module row by row with the
main checks; and framing events by the 50 % rule against the
same rule event by event (on a hundredth of them). One run each, in seconds.

  python benchmarks/bench_labels.py
"""

import csv
import pathlib
import tempfile
import time
from collections.abc import Callable

import numpy as np
import pandas as pd
from machine import print_machine

from audioset_ml.labels import segments
from audioset_ml.labels.framing import FrameGrid, frame_events

ROWS, EVENTS, PART = 2_000_000, 1_000_000, 100


def write_csv(path: pathlib.Path) -> None:
  """Rows like AudioSet's, one to four labels each."""
  random = np.random.default_rng(0)
  numbers = random.integers(1, 5, ROWS)
  mids = [f'/m/{i:06x}' for i in random.integers(0, 2**24, 527)]
  chosen = random.integers(0, 527, (ROWS, 4))
  with open(path, 'w') as file:
    file.write('# YTID, start_seconds, end_seconds, positive_labels\n')
    for row in range(ROWS):
      labels = ','.join(mids[i] for i in chosen[row, : numbers[row]])
      file.write(f'{row:011x}, 30.000, 40.000, "{labels}"\n')


def read_by_row(path: pathlib.Path) -> pd.DataFrame:
  """The same table, row by row, with the main checks."""
  clip_ids, mids, seen = [], [], set()
  with open(path, newline='') as file:
    for row in csv.reader(file, skipinitialspace=True):
      if row[0].startswith('#'):
        continue
      start, end = float(row[1]), float(row[2])
      labels = [mid.strip() for mid in row[3].split(',')]
      clip_id = f'{row[0]}_{round(start * 1000)}'
      if not 0 <= start < end < np.inf or clip_id in seen or not all(labels):
        raise ValueError(row)
      seen.add(clip_id)
      labels = list(dict.fromkeys(labels))
      clip_ids.extend([clip_id] * len(labels))
      mids.extend(labels)
  return pd.DataFrame({'clip_id': clip_ids, 'mid': mids}, dtype=object)


def frame_by_event(start: np.ndarray, end: np.ndarray) -> int:
  """How many labelled frames the rule gives, event by event."""
  grid, frames = FrameGrid(), 0
  for low, high in zip(np.rint(start * 1000), np.rint(end * 1000), strict=True):
    for frame in range(grid.frames):
      begin = frame * grid.frame_ms
      overlap = min(high, begin + grid.frame_ms) - max(low, begin)
      frames += 2 * overlap >= min(grid.frame_ms, high - low) and overlap > 0
  return frames


def measure(run: Callable[[], object]) -> float:
  start = time.perf_counter()
  run()
  return time.perf_counter() - start


def main() -> None:
  print_machine()
  random = np.random.default_rng(0)
  start = random.uniform(0, 9, EVENTS).round(3)
  end = (start + random.uniform(0.05, 4, EVENTS)).round(3)
  with tempfile.TemporaryDirectory() as folder:
    path = pathlib.Path(folder) / 'segments.csv'
    write_csv(path)
    by_column = measure(lambda: segments.read_weak_csv(path))
    by_row = measure(lambda: read_by_row(path))
  framing = measure(lambda: frame_events(start, end, FrameGrid()))
  part = slice(EVENTS // PART)
  by_event = PART * measure(lambda: frame_by_event(start[part], end[part]))
  print(f'{"":44}{"seconds":>9}{"ratio":>8}')
  for name, seconds, other in (
    ('2,000,000 weak rows', by_column, by_column),
    ('the same row by row (csv module)', by_row, by_column),
    ('1,000,000 events framed', framing, framing),
    ('the same event by event (extrapolated)', by_event, framing),
  ):
    print(f'{name:44}{seconds:9.2f}{seconds / other:8.1f}')


if __name__ == '__main__':
  main()
