"""A list of clips: which of many are to be used."""

import os
import re
from collections.abc import Sequence

import numpy as np
import pandas as pd

from audioset_ml.core import folders
from audioset_ml.core.errors import LabelError, shown
from audioset_ml.core.paths import as_path
from audioset_ml.labels import segment_rows, segments
from audioset_ml.labels.clip_ids import CELL_ERROR, fault_of_mark, right_ids
from audioset_ml.labels.file_forms import FileForm
from audioset_ml.labels.text_columns import (
  INDEX_NAMES,
  SEPARATORS,
  cells_of,
  columns_of,
  read_lines,
)
from audioset_ml.labels.wrong_rows import WrongRows

# A clip's id that begins with `#`, which no comment looks like.
_MARKED_ID = r'^#\S*_\d+$'
_ID_COLUMNS = ('segment_id', 'clip_id')


def read_clip_list(path: str | os.PathLike) -> tuple[str, ...]:
  """Reads clip ids, each once, in their order.

  Args:
    path: a text file, a clip id (`<YouTube id>_<start in ms>`) a line; a segments CSV
      of AudioSet's form; a TSV or CSV with a column `segment_id` (strong labels) or
      `clip_id`; one of two columns of which the first counts the rows, as pandas
      writes a Series; or one whose rows name sound files (`file_forms`). Lines that
      start with `#` above the first clip are comments, unless they look like an id.

  Raises:
    LabelError: the file can't be read, names no clips, is of another form, or has wrong
      rows; an empty id and a line with `#` among the clips that is no id are such.
  """
  return tuple(dict.fromkeys(read_clip_rows(path)))


def read_clip_rows(path: str | os.PathLike) -> list[str]:
  """The clip of each row of a file that `read_clip_list` reads, equal ones too.

  Raises:
    LabelError: as `read_clip_list`.
  """
  clips = _rows(path, read_lines(path))
  if clips.empty:
    raise LabelError(f'{path}: names no clips')
  return clips.tolist()


def _rows(path: str | os.PathLike, lines: pd.Series) -> pd.Series:
  """The clips of a file's lines, by their number."""
  wrong_rows = WrongRows()
  body = lines[~_comments(lines)]
  if body.empty:
    return body
  header = body.iloc[0]
  form = FileForm.of(header)
  if form and not segment_rows.is_header(header):
    clips = form.rows(path, wrong_rows)['clip_id']
    wrong_rows.settle()
    return clips
  clips = _column(body)
  if clips is None:
    for separator in SEPARATORS:  # of empty cells
      if body.str.endswith(separator).all():
        body = body.str.rstrip(separator)
    if body.str.contains(',|[;\t].*[;\t].*[;\t]').any():
      return _of_segments(path, body)
    clips = body.str.strip().str.strip('"')
    _require_no_header(path, clips)
  marked = clips.str.startswith('#') & ~clips.str.contains(_MARKED_ID)
  wrong_rows.add(
    path, clips.index[marked], map(fault_of_mark, lines[clips.index[marked]])
  )
  clips = right_ids(path, clips[~marked], wrong_rows)
  wrong_rows.settle()
  return clips


def _column(body: pd.Series) -> pd.Series | None:
  """The column of a table that holds the clips, by its name or behind one that counts.

  None if the lines are no table, or another.
  """
  for separator in SEPARATORS:
    names = columns_of(body.iloc[0], separator)
    place = next((i for i, name in enumerate(names) if name in _ID_COLUMNS), None)
    if place is not None:
      cells = (cells_of(line, separator) or [] for line in body.iloc[1:])
      ids = [row[place] if len(row) > place else '' for row in cells]
      return pd.Series(ids, body.index[1:], dtype='str', name=names[place])
    if len(names) == 2 and (rows := _counted(body, separator, names[0])):
      index = body.index[len(body) - len(rows) :]
      return pd.Series([row[1] for row in rows], index, dtype='str')
  return None


def _counted(body: pd.Series, separator: str, name: str) -> list[list[str]]:
  """The rows of two columns of which the first counts them; [] if it doesn't.

  Args:
    body: the lines.
    separator: what stands between the columns.
    name: what the first column is called, if it is; else the first count.
  """
  has_header = int(name.lower() in INDEX_NAMES)
  rows = [cells_of(line, separator) or [] for line in body.iloc[has_header:]]
  if not all(len(row) == 2 and re.fullmatch('[0-9]{1,9}', row[0]) for row in rows):
    return []
  counts = [int(row[0]) for row in rows]
  # Of rows that somebody chose the counts have gaps; a header then says what they are.
  runs = counts in (list(range(len(rows))), list(range(1, len(rows) + 1)))
  return rows if runs or (has_header and len(set(counts)) == len(counts)) else []


def _of_segments(path: str | os.PathLike, body: pd.Series) -> pd.Series:
  """The clips of a segments CSV.

  Raises:
    LabelError: it is none.
  """
  first = body.iloc[0]
  has_times = any(map(segment_rows.has_times, body.iloc[:2]))
  if not has_times and not segment_rows.is_header(first):
    raise LabelError(
      f'{path}: row {body.index[0]}, {shown(first)}, is no list of clips: give an id '
      f'a line, a table with a column {" or ".join(_ID_COLUMNS)}, or a segments CSV '
      f'({segment_rows.FORM})'
    )
  return segments.read_weak_csv(path).clips['clip_id']


def _require_no_header(path: str | os.PathLike, clips: pd.Series) -> None:
  """Raises LabelError if the first line is what pandas calls a column without name."""
  if clips.iloc[0] == '0' and not clips.iloc[1:].str.fullmatch('[0-9]*').all():
    raise LabelError(
      f"{path}, row {clips.index[0]}: '0' is the header that pandas gives a column "
      'without a name; remove it, or, if there is such a clip, put it further down'
    )


def _comments(lines: pd.Series) -> np.ndarray:
  """Which lines are comments: those with `#` above all others."""
  lines = lines.str.strip()
  others = ~lines.str.startswith('#') | lines.str.contains(f'{_MARKED_ID}|{CELL_ERROR}')
  others = others.to_numpy(bool, copy=True)
  for place in np.flatnonzero(~others):
    others[place] = segment_rows.has_times(lines.iloc[place])
  return ~np.logical_or.accumulate(others)


def write_clip_list(
  path: str | os.PathLike, clip_ids: Sequence[str], comment: str
) -> None:
  """Writes a list that `clip_list.read_clip_list` reads.

  Args:
    path: the file.
    clip_ids: the clips; written sorted.
    comment: what they are, one line.
  """
  lines = [f'# {comment}', *sorted(clip_ids)]
  folders.write_atomically(as_path(path), '\n'.join(lines) + '\n')
