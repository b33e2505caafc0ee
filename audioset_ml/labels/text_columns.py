"""Text files to columns, all rows at once (Arrow), indexed by their number."""

import csv
import os
import re
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from audioset_ml.core.errors import LabelError, shown
from audioset_ml.core.input_files import as_utf_8
from audioset_ml.core.paths import as_path, read_byte_lines
from audioset_ml.labels.wrong_rows import WrongRows

_UTF_16_MARKS = (b'\xff\xfe', b'\xfe\xff')
_NO_TEXT = 'not UTF-8 or UTF-16; save it as CSV UTF-8'
# What may stand between columns, the likelier in a TSV first.
SEPARATORS = ('\t', ',', ';')
# What programs call the column with the rows' numbers, in lower case.
INDEX_NAMES = ('', 'index', 'unnamed: 0')
NUMBER = r'[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?'
# Of a line: a clip with all of AudioSet's labels has 6,000.
_MOST_BYTES = 1_000_000
# Later than any recording: more would not fit whole milliseconds in 64 bits.
_MOST_SECONDS = 1e9


def read_header(path: str | os.PathLike) -> str:
  """A text file's first line that isn't empty or a comment (`#`); '' if there is none.

  The rest stays unread.

  Raises:
    LabelError: the file can't be read or its first lines aren't text.
  """
  try:
    for line in read_byte_lines(path):
      if line.startswith(_UTF_16_MARKS) or b'\0' in line:
        lines = without_comments(read_lines(path))
        return lines.iloc[0] if len(lines) else ''
      # A line that ends with \r alone, as all in the file do then.
      for text in as_utf_8(line).decode().rstrip('\r\n').split('\r'):
        if text.strip() and not text.startswith('#'):
          return text
  except OSError as error:
    raise LabelError(f'{path}: the label file cannot be read ({error})') from error
  except UnicodeDecodeError as error:
    raise LabelError(f'{path}: the label file cannot be read ({_NO_TEXT})') from error
  return ''


def columns_of(line: str, separator: str) -> list[str]:
  """The columns of a line, a header say, without blanks and quotes around them.

  Quotes may also be around all of it.
  """
  cells = cells_of(line, separator)
  if cells is None or len(cells) == 1:
    return [column.strip().strip('"') for column in line.split(separator)]
  return cells


def cells_of(line: str, separator: str) -> list[str] | None:
  """A line's fields, trimmed, of which those in quotes may hold separators.

  None if a quote isn't closed, or something but blanks stands behind it.
  """
  if '"' not in line:
    return [field.strip() for field in line.split(separator)]
  form = {'delimiter': separator, 'skipinitialspace': True, 'strict': True}
  for text in (line, re.sub(f'" +(?={separator}|$)', '"', line)):
    try:
      return [field.strip() for field in next(csv.reader([text], **form), [])]
    except csv.Error:
      continue
  return None


def with_decimal_points(
  table: pd.DataFrame, columns: Iterable[str], separator: str
) -> pd.DataFrame:
  """Numbers as text, with points where a comma is the decimal sign.

  So it is between semicolons, which spreadsheets write for that reason.
  """
  if separator != ';':
    return table
  points = {column: table[column].str.replace(',', '.') for column in columns}
  return table.assign(**points)


def without_comments(lines: pd.Series) -> pd.Series:
  """Leaves out the lines with `#` above the first other one."""
  marked = lines.str.startswith('#').to_numpy(bool)
  return lines.iloc[len(lines) if marked.all() else int(np.argmin(marked)) :]


def read_lines(path: str | os.PathLike) -> pd.Series:
  """A text file's lines that aren't empty, by their number from 1.

  Raises:
    LabelError: the file can't be read, is neither UTF-8 nor UTF-16, or has an endless
      line.
  """
  try:
    data = as_utf_8(as_path(path).read_bytes())
  except OSError as error:
    raise LabelError(f'{path}: the label file cannot be read ({error})') from error
  except UnicodeError as error:
    raise LabelError(f'{path}: the label file cannot be read ({_NO_TEXT})') from error
  if b'\0' in data:
    raise LabelError(f'{path}: the label file cannot be read ({_NO_TEXT})')
  if b'\n' not in data:  # as old spreadsheets on a Macintosh end lines
    data = data.replace(b'\r', b'\n')
  ends = np.flatnonzero(np.frombuffer(data, np.uint8) == ord('\n')) + 1
  offsets = np.concatenate([[0], ends])
  if offsets[-1] < len(data):
    offsets = np.append(offsets, len(data))
  lengths = np.diff(offsets)
  if (lengths > _MOST_BYTES).any():
    row = int(np.argmax(lengths > _MOST_BYTES))
    raise LabelError(
      f'{path}, row {row + 1}: a line of {lengths[row]:,} bytes, more than any row of '
      f'labels has ({_MOST_BYTES:,}); is a line end missing, or is it another file?'
    )
  lines = pa.LargeStringArray.from_buffers(
    len(offsets) - 1, pa.py_buffer(offsets.astype(np.int64)), pa.py_buffer(data)
  )
  try:
    lines.validate(full=True)
  except pa.ArrowInvalid as error:
    raise LabelError(f'{path}: the label file cannot be read ({_NO_TEXT})') from error
  # Not tabs, which may have an empty last column behind them.
  lines = pc.utf8_rtrim(lines, '\r\n')
  numbers = np.arange(1, len(lines) + 1)
  filled = pc.not_equal(pc.utf8_trim_whitespace(lines), '')
  filled = filled.to_numpy(zero_copy_only=False)
  return strings(lines.filter(pa.array(filled)), numbers[filled])


def strings(values: pa.Array, index: np.ndarray | None = None) -> pd.Series:
  """An Arrow array of strings as a Series."""
  return pd.Series(pd.array(values, dtype='str'), index=index)


def arrow(values: pd.Series) -> pa.Array:
  """A Series of strings as an Arrow array."""
  return pa.array(values, pa.large_string(), from_pandas=True)


def split(
  lines: pd.Series, separator: str, columns: Sequence[str], rest: bool = False
) -> pd.DataFrame:
  """Takes lines apart at a separator; the fields are trimmed.

  Args:
    lines: the lines.
    separator: what stands between the fields.
    columns: the fields' names.
    rest: whether the last field may hold separators.

  Returns:
    A row a line that has as many fields as there are columns, indexed as the lines.
  """
  most = len(columns) - 1 if rest else None
  fields = pc.split_pattern(arrow(lines), separator, max_splits=most)
  whole = pc.equal(pc.list_value_length(fields), len(columns))
  index = lines.index[whole.to_numpy(zero_copy_only=False)]
  fields = fields.filter(whole)
  return pd.DataFrame(
    {
      name: strings(pc.utf8_trim_whitespace(pc.list_element(fields, place)), index)
      for place, name in enumerate(columns)
    }
  )


def times_of(
  path: str | os.PathLike,
  table: pd.DataFrame,
  columns: Sequence[str],
  wrong_rows: WrongRows,
) -> pd.DataFrame:
  """Columns of times (s) as numbers; NaN, and reported, where they are no times.

  Raises:
    LabelError: none of several rows has its times, so that the columns are others.
  """
  times = pd.DataFrame({name: _seconds(table[name]) for name in columns})
  bad = times.index[times.isna().any(axis=1)]
  if 1 < len(table) == len(bad) and not wrong_rows.skip:
    first = ' and '.join(map(shown, table.loc[bad[0], list(columns)]))
    raise LabelError(
      f'{path}: none of its {len(table)} rows has times in seconds as '
      f'{" and ".join(columns)}; the first, row {bad[0]}, has {first}'
    )
  for row in bad:
    name = times.columns[times.loc[row].isna()][0]
    wrong_rows.add(path, [row], [f'{shown(table[name][row])} is no time in seconds'])
  return times


def _seconds(texts: pd.Series) -> pd.Series:
  """Times (s) from text; NaN for what isn't finite, is negative or is no number."""
  values = arrow(texts)
  numbers = pc.if_else(pc.match_substring_regex(values, f'^{NUMBER}$'), values, None)
  times = pc.cast(numbers, pa.float64()).to_numpy(zero_copy_only=False)
  with np.errstate(invalid='ignore'):
    right = (times >= 0) & (times <= _MOST_SECONDS)
  return pd.Series(np.where(right, times, np.nan), index=texts.index)
