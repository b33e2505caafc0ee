"""The rows of tables with a header, with and without quotes around their fields."""

import os
from collections.abc import Sequence

import numpy as np
import pandas as pd

from audioset_ml.core.errors import counted, shown
from audioset_ml.labels.clip_ids import fault_of_mark
from audioset_ml.labels.text_columns import cells_of, split
from audioset_ml.labels.wrong_rows import WrongRows


def split_rows(
  path: str | os.PathLike,
  lines: pd.Series,
  separator: str,
  columns: Sequence[str],
  wrong_rows: WrongRows,
) -> pd.DataFrame:
  """Takes lines apart as `split` does, and those with quotes as `cells_of` does.

  Args:
    path: the file, for messages.
    lines: the lines.
    separator: what stands between the fields.
    columns: the fields' names; those without one are left out.
    wrong_rows: takes lines that have not as many fields.
  """
  has_quotes = lines.str.contains('"', regex=False).to_numpy(bool)
  table = split(lines[~has_quotes], separator, columns)
  quoted = lines[has_quotes]
  cells = [cells_of(line, separator) or [] for line in quoted]
  whole = np.array([len(row) == len(columns) for row in cells], bool)
  rows = [row for row in cells if len(row) == len(columns)]
  if rows:
    fields = zip(columns, zip(*rows, strict=True), strict=True)
    index = quoted.index[whole]
    more = {name: pd.Series(list(texts), index, dtype='str') for name, texts in fields}
    table = pd.concat([table, pd.DataFrame(more)]).sort_index()
  unread = lines[~lines.index.isin(table.index)]
  what = [_fault(line, separator, columns) for line in unread]
  wrong_rows.add(path, unread.index, what)
  return table[[name for name in dict.fromkeys(columns) if name]]


def _fault(line: str, separator: str, columns: Sequence[str]) -> str:
  """What is wrong with a line that is not of these columns."""
  if line.startswith('#'):
    return fault_of_mark(line)
  cells = cells_of(line, separator)
  if cells is None:
    return f'{shown(line)}: a quote is not closed, or in the midst of a field'
  return (
    f'{counted(len(cells), "column")} instead of {len(columns)} ({", ".join(columns)})'
  )
