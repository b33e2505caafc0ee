"""AudioSet's own label files, read and written.

| file | form | read as |
|---|---|---|
| weak segments | CSV, `# ` header lines, `YTID, start, end, "mid,mid"` | clip_id, mid |
| strong events | TSV, segment_id, start/end_time_seconds, label | the same |
| explicit labels | TSV, segment_id, label, present | the same |

A clip's id is `<YouTube id>_<start in ms>`, as the strong files have it.
"""

import csv
import io
import os
import pathlib
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from audioset_ml import folders
from audioset_ml.errors import LabelError
from audioset_ml.labels.class_map import ClassMap

STRONG_COLUMNS = ('segment_id', 'start_time_seconds', 'end_time_seconds', 'label')
EXPLICIT_COLUMNS = ('segment_id', 'label', 'present')
PRESENT, NOT_PRESENT = 'PRESENT', 'NOT_PRESENT'

# How many bad rows an error shows; the rest are counted.
_ROWS_SHOWN = 10


def read_weak_csv(
  path: str | os.PathLike, class_map: ClassMap | None = None
) -> pd.DataFrame:
  """Reads a weak segments CSV such as AudioSet's `eval_segments.csv`.

  Args:
    path: the file; lines that start with `#` are headers and may be missing.
    class_map: the classes a label may be of; None allows any.

  Returns:
    One row a label, in the file's order: clip_id, mid.

  Raises:
    LabelError: the file is missing, or rows of it are wrong: no four columns, a time
      that is no number, an end before its start, a clip that stands twice, a mid that
      is not in the class map. Names file, row and value.
  """
  clip_ids, mids, row_numbers, bad = [], [], [], []
  seen = {}
  for number, row in enumerate(csv.reader(_lines(path), skipinitialspace=True), 1):
    if not row or row[0].startswith('#'):
      continue
    try:
      clip_id, labels = _parse_segment(row)
    except ValueError as error:
      bad.append((number, str(error)))
      continue
    if clip_id in seen:
      bad.append((number, f'{clip_id} stands in row {seen[clip_id]} already'))
      continue
    seen[clip_id] = number
    clip_ids.extend([clip_id] * len(labels))
    mids.extend(labels)
    row_numbers.extend([number] * len(labels))
  if class_map is not None:
    bad.extend(_unknown_mids(mids, row_numbers, class_map))
  _raise_if_bad(path, bad)
  if not clip_ids:
    raise LabelError(f'{path}: holds no clips')
  return pd.DataFrame({'clip_id': clip_ids, 'mid': mids}, dtype=object)


def read_strong_tsv(
  path: str | os.PathLike, class_map: ClassMap | None = None
) -> pd.DataFrame:
  """Reads strong labels such as `audioset_eval_strong.tsv`.

  Returns:
    One row an event: segment_id, start_time_seconds, end_time_seconds (s), label.

  Raises:
    LabelError: as `read_weak_csv`; also for times that aren't finite or are reversed.
  """

  def check(row: dict[str, str]) -> None:
    start = _seconds(row['start_time_seconds'])
    if _seconds(row['end_time_seconds']) < start:
      raise ValueError(f'ends at {row["end_time_seconds"]} before it starts at {start}')

  table = _read_tsv(path, STRONG_COLUMNS, class_map, check)
  times = ['start_time_seconds', 'end_time_seconds']
  return table.astype(dict.fromkeys(times, np.float64))


def read_explicit_tsv(
  path: str | os.PathLike, class_map: ClassMap | None = None
) -> pd.DataFrame:
  """Reads labels that a person confirmed or refuted for a whole clip.

  Returns:
    One row a rating: segment_id, label, present (PRESENT or NOT_PRESENT).

  Raises:
    LabelError: as `read_weak_csv`; also for another value in `present`, and for labels
      with times, such as framed ones, which say nothing of the whole clip.
  """

  def check(row: dict[str, str]) -> None:
    if row['present'] not in (PRESENT, NOT_PRESENT):
      raise ValueError(f'{row["present"]!r} is neither {PRESENT} nor {NOT_PRESENT}')

  return _read_tsv(
    path, EXPLICIT_COLUMNS, class_map, check, refused=STRONG_COLUMNS[1:3]
  )


def write_weak_csv(
  path: str | os.PathLike,
  clip_ids: Sequence[str],
  mids: Sequence[Sequence[str]],
  clip_seconds: float = 10.0,
) -> None:
  """Writes a weak segments CSV with AudioSet's three header lines and quoted mids."""
  positives = [mid for labels in mids for mid in labels]
  youtube_ids = {clip_id.rpartition('_')[0] for clip_id in clip_ids}
  lines = [
    '# Segments csv created by audioset_ml',
    f'# num_ytids={len(youtube_ids)}, num_segs={len(clip_ids)}, '
    f'num_unique_labels={len(set(positives))}, num_positive_labels={len(positives)}',
    '# YTID, start_seconds, end_seconds, positive_labels',
  ]
  for clip_id, labels in zip(clip_ids, mids, strict=True):
    youtube_id, _, start_ms = clip_id.rpartition('_')
    start = int(start_ms) / 1000
    lines.append(
      f'{youtube_id}, {start:.3f}, {start + clip_seconds:.3f}, "{",".join(labels)}"'
    )
  pathlib.Path(path).write_text('\n'.join(lines) + '\n', encoding='utf-8')


def write_strong_tsv(path: str | os.PathLike, table: pd.DataFrame) -> None:
  """Writes strong labels (times in s, to a thousandth) as AudioSet's TSV."""
  table.to_csv(
    path,
    sep='\t',
    columns=list(STRONG_COLUMNS),
    index=False,
    float_format='%.3f',
    lineterminator='\n',
  )


def write_explicit_tsv(path: str | os.PathLike, table: pd.DataFrame) -> None:
  """Writes explicit clip-level labels as the TSV that `read_explicit_tsv` reads."""
  table.to_csv(
    path, sep='\t', columns=list(EXPLICIT_COLUMNS), index=False, lineterminator='\n'
  )


def write_framed_tsv(path: str | os.PathLike, table: pd.DataFrame) -> None:
  """Writes framed labels as Google's posneg TSV, to the byte.

  Args:
    path: the file; it is renamed into place when it is whole.
    table: of `framing.frame_table`.
  """
  text = table.to_csv(sep='\t', index=False, lineterminator='\n')
  folders.write_atomically(pathlib.Path(path), text)


def _lines(path: str | os.PathLike) -> io.StringIO:
  try:
    return io.StringIO(pathlib.Path(path).read_text(encoding='utf-8-sig'))
  except (OSError, UnicodeDecodeError) as error:
    raise LabelError(f'{path}: the label file cannot be read ({error})') from error


def _parse_segment(row: list[str]) -> tuple[str, list[str]]:
  if len(row) != 4:
    raise ValueError(f'{len(row)} columns instead of YTID, start, end, "mid,mid"')
  start, end = _seconds(row[1]), _seconds(row[2])
  if end <= start:
    raise ValueError(f'ends at {end} s, not after its start at {start} s')
  labels = [label.strip() for label in row[3].split(',')]
  if not row[0].strip() or not all(labels):
    raise ValueError('an empty id or label')
  return f'{row[0].strip()}_{round(start * 1000)}', list(dict.fromkeys(labels))


def _seconds(text: str) -> float:
  value = float(text)
  if not np.isfinite(value) or value < 0:
    raise ValueError(f'{text.strip()!r} is no time in seconds')
  return value


def _read_tsv(
  path: str | os.PathLike,
  columns: Sequence[str],
  class_map: ClassMap | None,
  check: Callable[[dict[str, str]], None],
  refused: Sequence[str] = (),
) -> pd.DataFrame:
  """Reads a TSV with a header row; `check` raises ValueError for a wrong row."""
  rows = list(csv.reader(_lines(path), delimiter='\t'))
  if rows and set(refused) & set(rows[0]):
    raise LabelError(
      f'{path}: its labels have times ({", ".join(refused)}), but labels of whole '
      'clips are needed here: what is absent from a second may be present in the clip'
    )
  if not rows or any(column not in rows[0] for column in columns):
    found = ', '.join(rows[0]) if rows else 'nothing'
    raise LabelError(
      f'{path}: its first row must name the columns {", ".join(columns)}, '
      f'separated by tabs; found {found}'
    )
  header, good, numbers, bad = rows[0], [], [], []
  for number, row in enumerate(rows[1:], 2):
    if not row:
      continue
    try:
      if len(row) != len(header):
        raise ValueError(f'{len(row)} columns instead of {len(header)}')
      named = dict(zip(header, row, strict=True))
      check(named)
    except ValueError as error:
      bad.append((number, str(error)))
      continue
    good.append([named[column] for column in columns])
    numbers.append(number)
  table = pd.DataFrame(good, columns=list(columns), dtype=object)
  if class_map is not None:
    bad.extend(_unknown_mids(table['label'], numbers, class_map))
  _raise_if_bad(path, bad)
  return table


def _unknown_mids(
  mids: Sequence[str], row_numbers: Sequence[int], class_map: ClassMap
) -> list[tuple[int, str]]:
  return [
    (number, f'label {mid} is not in the class map')
    for mid, number in zip(mids, row_numbers, strict=True)
    if mid not in class_map.index_of
  ]


def _raise_if_bad(path: str | os.PathLike, bad: list[tuple[int, str]]) -> None:
  if not bad:
    return
  bad = sorted(bad)
  shown = '\n'.join(f'  row {number}: {what}' for number, what in bad[:_ROWS_SHOWN])
  more = len(bad) - _ROWS_SHOWN
  rest = f'\n  … and {more} more' if more > 0 else ''
  raise LabelError(f'{path}: {len(bad)} wrong rows\n{shown}{rest}')
