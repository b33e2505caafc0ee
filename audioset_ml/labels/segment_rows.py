"""The rows of a weak segments CSV, taken apart: headers, separators, quotes, an index.

What is unambiguous is read: the separator is the one with which the header names the
columns or the first row has its times; an index column, as pandas writes it, must have
an empty name (or `index`) in the header. A line with `#` is a header above the first
row, unless it has a clip's times: then it is a row, since an id may begin with `#`
(not with `# `, which comments a row out, nor with a spreadsheet's `#NAME?`: both are
wrong rows wherever they stand).
"""

import csv
import dataclasses
import os
import re

import numpy as np
import pandas as pd

from audioset_ml.core.errors import counted, shown
from audioset_ml.labels.clip_ids import CELL_ERROR, fault_of_mark
from audioset_ml.labels.text_columns import (
  INDEX_NAMES,
  NUMBER,
  columns_of,
  read_lines,
  split,
  with_decimal_points,
)
from audioset_ml.labels.wrong_rows import WrongRows

FORM = 'YTID, start, end, "mid,mid"'

_COLUMNS = ('id', 'start', 'end', 'labels')
_SEPARATORS = (',', ';', '\t')
# One label may stand without quotes; several only where no comma separates the columns.
_LABELS = {
  separator: f'^(?:"[^"]*"|[^"{separator}]*)$'.replace('\t', r'\t')
  for separator in _SEPARATORS
}


@dataclasses.dataclass(frozen=True)
class Layout:
  """How a file's rows are written.

  Attributes:
    separator: what stands between columns.
    has_index: whether a column with the rows' numbers comes first.
  """

  separator: str = ','
  has_index: bool = False

  @property
  def columns(self) -> tuple[str, ...]:
    return ('index', *_COLUMNS) if self.has_index else _COLUMNS

  def fault(self, line: str) -> str:
    """What is wrong with a line that has not this layout."""
    columns = re.sub('"[^"]*"', '', line).count(self.separator) + 1
    if columns != len(self.columns):
      return f'{counted(columns, "column")} instead of {FORM}'
    return f'{shown(line)} is not of the form {FORM}'


def find_rows(
  path: str | os.PathLike, wrong_rows: WrongRows
) -> tuple[Layout, pd.Series]:
  """A file's rows without headers and blank rows, and how they are written.

  Args:
    path: the file.
    wrong_rows: takes lines with `#` that are neither headers nor a clip's.
  """
  lines = read_lines(path)
  lines = lines[~lines.str.contains(r'^[\s,;"]*$').to_numpy(bool)]
  marked = lines[lines.str.startswith(('#', '"#')).to_numpy(bool)]
  is_row = np.array([has_times(line) for line in marked], bool)
  errors = np.array([re.match(CELL_ERROR, line) is not None for line in marked], bool)
  is_wrong = errors | marked.str.startswith(('# ', '"# ')).to_numpy(bool)
  others = lines[~lines.index.isin(marked.index[~is_row])]
  first = others.index[0] if len(others) else np.inf
  header = (marked.index < first) & ~is_row & ~errors
  faulty = marked[~header & (~is_row | is_wrong)]
  wrong_rows.add(path, faulty.index, [fault_of_mark(line) for line in faulty])
  lines = lines[~lines.index.isin(marked.index[header].union(faulty.index))]
  if lines.empty:
    return Layout(), lines
  layout = _named_layout(lines.iloc[0])
  if layout is not None:
    return layout, lines.iloc[1:]
  return _layout_of_row(lines.iloc[0]) or Layout(), lines


def split_rows(layout: Layout, lines: pd.Series) -> pd.DataFrame:
  """The columns id, start, end and labels of the rows that have this layout."""
  fields = split(lines, layout.separator, layout.columns, rest=True)
  labels = fields['labels'].str.contains(_LABELS[layout.separator]).to_numpy(bool)
  cut = {row: _put_together(lines[row], layout) for row in fields.index[~labels]}
  cut = {row: text for row, text in cut.items() if text is not None}
  if cut:
    fields.loc[list(cut), 'labels'] = list(cut.values())
    labels = labels | fields.index.isin(cut)
  fields = fields.loc[labels, list(_COLUMNS)]
  # A separator within quotes, as in "1,030.000", has cut a field in two: a wrong row.
  for column in _COLUMNS[:-1]:
    fields = fields[(fields[column].str.count('"') % 2 == 0).to_numpy(bool)]
  for column in _COLUMNS:
    fields[column] = fields[column].str.strip('"')
  return with_decimal_points(fields, ('start', 'end'), layout.separator)


def _put_together(line: str, layout: Layout) -> str | None:
  """The labels of a row that a spreadsheet has cut into cells; None if it isn't one.

  The blank before the quotes in AudioSet's own files makes cells of the labels, the
  quotes among them. Empty cells fill rows up to the longest.
  """
  try:
    cells = next(csv.reader([line], delimiter=layout.separator, strict=True), [])
  except csv.Error:
    return None
  cells = [cell.strip() for cell in cells[len(layout.columns) - 1 :]]
  while len(cells) > 1 and not cells[-1]:
    cells.pop()
  if len(cells) == 1 and '"' not in cells[0]:
    return cells[0]
  text = ','.join(cells)
  return text[1:-1] if re.fullmatch('"[^"]*"', text) else None


def _fields(line: str, separator: str) -> list[str]:
  return [column.strip() for column in columns_of(line, separator)]


def _named_layout(line: str) -> Layout | None:
  """The layout that a header without `#` tells of; None if the line is no header."""
  for separator in _SEPARATORS:
    names = [name.lower() for name in _fields(line, separator)]
    has_index = len(names) > 4 and names[0] in INDEX_NAMES
    names = names[has_index:]
    if names[0] == 'ytid' and names[1:2] and names[1].startswith('start'):
      return Layout(separator, has_index)
    if len(names) > 2 and names[1].startswith('start') and names[2].startswith('end'):
      return Layout(separator, has_index)
  return None


def _layout_of_row(line: str) -> Layout | None:
  """The layout in which a row has its times; None if in none."""
  for separator in _SEPARATORS:
    times = _fields(line, separator)[1:3]
    if separator == ';':
      times = [time.replace(',', '.') for time in times]
    if len(times) == 2 and all(re.fullmatch(NUMBER, time) for time in times):
      return Layout(separator)
  return None


def is_header(line: str) -> bool:
  """Whether a line without `#` names a segments CSV's columns."""
  return _named_layout(line) is not None


def has_times(line: str) -> bool:
  """Whether a line has a start and an end where a segments CSV has them."""
  return _layout_of_row(line) is not None
