"""Label files of other data sets, whose rows name sound files, read as they are.

| of | columns | a row |
|---|---|---|
| ESC-50 | filename, category and others | a file and its class |
| FSD50K | fname, labels, mids and, in dev.csv, split | a file and its classes |
| DESED, weak | filename, event_labels | a file and its classes |
| DESED, strong | filename, onset, offset, event_label | an event |
| DESED, durations | filename, duration | how long a file is (s) |

The header says which form it is; columns that mean nothing here are passed over. A
clip is a whole file: its id is the file's name without folder and ending, it starts at
0, and how long it is only the sound tells, unless a column does. Classes may stand by
mid or by name (`ClassMap.find`).
"""

import dataclasses
import os
import re
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import pandas as pd

from audioset_ml.core.errors import LabelError, shown
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.labels.clip_ids import CELL_ERROR, normal, right_ids
from audioset_ml.labels.table_rows import split_rows
from audioset_ml.labels.text_columns import (
  SEPARATORS,
  columns_of,
  read_lines,
  with_decimal_points,
  without_comments,
)
from audioset_ml.labels.wrong_rows import WrongRows

# What such files call the column that names the files.
FILES = ('filename', 'fname', 'file_name', 'file', 'slice_file_name')
# A list in one cell, or one label, in whose name a comma may stand.
LISTS = ('mids', 'labels', 'event_labels')
SINGLE = ('category', 'event_label', 'label', 'class')
_TIMES = ('onset', 'offset')
_DURATION = 'duration'
# What makes another thing of a row than a label that is present.
_LIKELY = re.compile(
  r'(.*[\W_])?(score|prob|probability|probabilitie|confidence|likelihood|posterior'
  r'|soft_label)s?([\W_].*)?',
  re.IGNORECASE,
)
# `.000` at the end of a name is no ending, but part of a time.
_ENDING = re.compile(r'\.(?=[0-9]*[A-Za-z])[A-Za-z0-9]{2,4}$')


@dataclasses.dataclass(frozen=True)
class FileForm:
  """How a label file that names files is written.

  Attributes:
    separator: what stands between its columns.
    columns: their names, in lower case.
    file: the column that names the files.
    labels: the columns with classes, the more reliable first.
    has_events: whether a row is an event.
  """

  separator: str
  columns: tuple[str, ...]
  file: str
  labels: tuple[str, ...]
  has_events: bool

  @classmethod
  def of(cls, header: str) -> 'FileForm | None':
    """The form that a header tells of; None if its rows name no files."""
    # That which there is most of: what is left of others is trimmed.
    for separator in sorted(SEPARATORS, key=header.count, reverse=True):
      columns = tuple(name.lower() for name in columns_of(header, separator))
      file = next((name for name in FILES if name in columns), None)
      # A list of clips has no header; one of these may be a clip.
      if file is None or columns == ('file',):
        continue
      labels = tuple(name for name in (*LISTS, *SINGLE) if name in columns)
      return cls(separator, columns, file, labels, set(_TIMES) <= set(columns))
    return None

  @property
  def has_content(self) -> bool:
    """Whether its rows say more than that there are such files."""
    return bool(self.labels) or _DURATION in self.columns

  def rows(self, path: str | os.PathLike, wrong_rows: WrongRows) -> pd.DataFrame:
    """The file's rows as text, with the clip's id as `clip_id`; wrong ones reported.

    Raises:
      LabelError: the file can't be read, or a column makes something else of its rows.
    """
    require_certain(path, self.columns)
    if 'present' in self.columns:
      raise LabelError(
        f'{path}: its column present says that a label may be absent, but its rows '
        'would be read as labels that are present; labels that people rated go into an '
        'explicit TSV (segment_id, label, present)'
      )
    lines = without_comments(read_lines(path)).iloc[1:]
    table = split_rows(path, lines, self.separator, self.columns, wrong_rows)
    numbers = {_DURATION, *_TIMES} & set(self.columns)
    table = with_decimal_points(table, numbers, self.separator)
    ids = right_ids(path, table[self.file].map(id_of_file), wrong_rows)
    return table.loc[ids.index].assign(clip_id=ids)


def require_certain(path: str | os.PathLike, columns: Iterable[str]) -> None:
  """Raises LabelError if a column says that labels are likely, as a model's are."""
  for column in columns:
    if _LIKELY.fullmatch(column):
      raise LabelError(
        f'{path}: its column {column} says how likely a label is, but its rows would '
        'be read as labels that are present; take out the rows that should not count '
        'and the column'
      )


def id_of_file(name: str) -> str:
  """The id of a clip that is a whole file: its name without folder and ending."""
  if re.match(CELL_ERROR, name):  # #N/A is no folder
    return name
  return _ENDING.sub('', normal(re.split(r'[/\\]', name.strip())[-1]))


def clips_of(
  path: str | os.PathLike, form: FileForm, table: pd.DataFrame, wrong_rows: WrongRows
) -> pd.DataFrame:
  """The clips of the rows of `FileForm.rows`: clip_id, start, end (s, NaN if unknown).

  A file may have several rows where each has one label, but not two files one id.
  """
  first = table.drop_duplicates('clip_id')
  row_of = dict(zip(first['clip_id'], first.index, strict=True))
  file_of = dict(zip(first['clip_id'], first[form.file], strict=True))
  again = table[table['clip_id'].duplicated()]
  may_repeat = form.labels and not set(form.labels) & set(LISTS)
  for row, clip_id, file in zip(
    again.index, again['clip_id'], again[form.file], strict=True
  ):
    if file != file_of[clip_id]:
      what = f'{file} would be the same clip as {file_of[clip_id]} in row'
      wrong_rows.add(path, [row], [f'{what} {row_of[clip_id]}: {clip_id}'])
    elif not may_repeat:
      wrong_rows.add(path, [row], [f'{file} stands in row {row_of[clip_id]} already'])
  ends = pd.Series(np.nan, first.index)
  if _DURATION in form.columns:
    ends = pd.to_numeric(first[_DURATION], errors='coerce')
    bad = first[~(ends > 0) | ~np.isfinite(ends)]
    what = [f'{shown(text)} is no duration in seconds' for text in bad[_DURATION]]
    wrong_rows.add(path, bad.index, what)
    first, ends = first.drop(bad.index), ends.drop(bad.index)
  return pd.DataFrame({'clip_id': first['clip_id'], 'start': 0.0, 'end': ends})


def labels_of(
  path: str | os.PathLike,
  form: FileForm,
  table: pd.DataFrame,
  class_map: ClassMap | None,
  wrong_rows: WrongRows,
) -> pd.DataFrame:
  """The labels of rows: clip_id, mid; each once. Unknown ones are reported.

  Args:
    path: the file, for messages.
    form: its form.
    table: its rows.
    class_map: the classes; None for labels as they stand.
    wrong_rows: takes labels that are no classes.
  """
  mid_of = _finder(class_map)
  rows, clips, mids = [], [], []
  for row, clip_id, *cells in table[['clip_id', *form.labels]].itertuples():
    for names in _labels(form, cells):
      try:
        mids.append(mid_of(names))
      except LabelError as error:
        wrong_rows.add(path, [row], [str(error)])
      else:
        rows.append(row)
        clips.append(clip_id)
  labels = pd.DataFrame({'clip_id': clips, 'mid': mids}, rows, dtype='str')
  return labels.drop_duplicates()


def events_of(
  path: str | os.PathLike,
  form: FileForm,
  class_map: ClassMap | None,
  wrong_rows: WrongRows,
) -> pd.DataFrame:
  """The rows of a file of events as text: clip_id, onset, offset and the label's mid.

  A row of a clip that holds nothing has '' for all but the first.

  Raises:
    LabelError: the file can't be read.
  """
  table = form.rows(path, wrong_rows)
  column, mid_of, wrong = form.labels[-1], _finder(class_map), {}

  def found(label: str) -> str:
    try:
      return mid_of((label,)) if label else ''
    except LabelError as error:
      wrong[label] = str(error)
      return label

  mids = {label: found(label) for label in table[column].unique()}
  unknown = table[column].isin(wrong)
  what = [wrong[label] for label in table.loc[unknown, column]]
  wrong_rows.add(path, table.index[unknown], what)
  table = table.assign(mid=table[column].map(mids).astype('str'))[~unknown]
  return table[['clip_id', *_TIMES, 'mid']]


def _labels(form: FileForm, cells: list[str]) -> Iterator[tuple[str, ...]]:
  """The labels of a row, each by all of its names, the more reliable first."""
  lists = [
    [part.strip() for part in cell.split(',')] if column in LISTS else [cell]
    for column, cell in zip(form.labels, cells, strict=True)
    if cell
  ]
  if lists:
    # Lists of different lengths don't say which name is whose.
    names = [one for one in lists if len(one) == len(lists[0])]
    yield from zip(*names, strict=True)


def _finder(class_map: ClassMap | None) -> Callable[[tuple[str, ...]], str]:
  """A function from a label's names to its mid; raises LabelError if no name is one."""
  known: dict[tuple[str, ...], str | LabelError] = {}

  def find(names: tuple[str, ...]) -> str | LabelError:
    if class_map is None:
      return names[0]
    first = None
    for name in names:
      try:
        return class_map.mids[class_map.find(name)]
      except LabelError as error:
        # What names say of similar ones helps more than what mids do.
        first = error if first is None or '; do you mean' in str(error) else first
    return first

  def found(names: tuple[str, ...]) -> str:
    if names not in known:
      known[names] = find(names)
    if isinstance(known[names], LabelError):
      raise known[names]
    return known[names]

  return found
