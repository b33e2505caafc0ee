"""A list of clips: which of many are to be used."""

import os
from collections.abc import Sequence

import numpy as np
import pandas as pd

from audioset_ml import folders
from audioset_ml.errors import LabelError
from audioset_ml.labels import segment_rows, segments
from audioset_ml.labels.clip_ids import CELL_ERROR, fault_of_mark, right_ids
from audioset_ml.labels.file_forms import FileForm
from audioset_ml.labels.text_columns import columns_of, read_lines
from audioset_ml.labels.wrong_rows import WrongRows
from audioset_ml.paths import as_path

# A clip's id that begins with `#`, which no comment looks like.
_MARKED_ID = r'^#\S*_\d+$'
_ID_COLUMNS = ('segment_id', 'clip_id')


def read_clip_list(path: str | os.PathLike) -> tuple[str, ...]:
  """Reads clip ids, each once, in their order.

  Args:
    path: a text file, a clip id (`<YouTube id>_<start in ms>`) a line; a segments CSV
      of AudioSet's form; a TSV or CSV whose first column (behind an index column, if
      there is one) is `segment_id`, as of strong labels, or `clip_id`; or one whose
      rows name sound files (`file_forms`). Lines that start
      with `#` above the first clip are comments, unless they look like an id.

  Raises:
    LabelError: the file can't be read, names no clips, or has wrong rows; an empty id
      and a line with `#` among the clips that is no id are such.
  """
  return tuple(dict.fromkeys(read_clip_rows(path)))


def read_clip_rows(path: str | os.PathLike) -> list[str]:
  """The clip of each row of a file that `read_clip_list` reads, equal ones too.

  Raises:
    LabelError: as `read_clip_list`.
  """
  lines = read_lines(path).str.strip()
  clips = _rows(path, lines)
  if clips.empty:
    raise LabelError(f'{path}: names no clips')
  return clips.tolist()


def _rows(path: str | os.PathLike, lines: pd.Series) -> pd.Series:
  """The clips of a file's lines, by their number."""
  wrong_rows = WrongRows()
  body = lines[~_comments(lines)]
  header = body.iloc[0] if len(body) else ''
  form = FileForm.of(header)
  if form and not segment_rows.is_header(header):
    clips = form.rows(path, wrong_rows)['clip_id']
    wrong_rows.settle()
    return clips
  for separator in ('\t', ',', ';'):
    names = columns_of(header, separator)
    place = int(len(names) > 1 and names[0] in ('', 'index'))
    if names[place] in _ID_COLUMNS:
      fields = body.iloc[1:].str.split(separator).str[place].fillna('')
      fields = fields.rename(names[place])
      break
  else:
    if body.str.contains(',|[;\t].*[;\t].*[;\t]').any():
      return segments.read_weak_csv(path).clips['clip_id']
    fields = body
  clips = fields.str.strip().str.strip('"')
  marked = clips.str.startswith('#') & ~clips.str.contains(_MARKED_ID)
  wrong_rows.add(
    path, clips.index[marked], map(fault_of_mark, lines[clips.index[marked]])
  )
  clips = right_ids(path, clips[~marked], wrong_rows)
  wrong_rows.settle()
  return clips


def _comments(lines: pd.Series) -> np.ndarray:
  """Which lines are comments: those with `#` above all others."""
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
