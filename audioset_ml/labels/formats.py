"""AudioSet's tab-separated label files, read and written.

| file | columns | speaks of |
|---|---|---|
| strong | segment_id, start_time_seconds, end_time_seconds, label | events, silence |
| explicit | segment_id, label, present | whole clips: PRESENT, NOT_PRESENT, UNSURE |
| framed (Google's "posneg") | the strong columns and present | stretches of a clip |

In a strong file, a row with a segment_id and nothing else says that the clip was
annotated and holds nothing, as in DESED's files, which are read as strong files, too
(`file_forms`). As spreadsheets leave them they are
read as well: separated by commas or semicolons, in quotes, with an index column. Every
table is indexed by the rows' numbers in their file.
`segments` has the weak CSVs.
"""

import dataclasses
import io
import os
from collections.abc import Mapping, Sequence

import pandas as pd
import pyarrow as pa
import pyarrow.csv

from audioset_ml.core import folders
from audioset_ml.core.errors import LabelError, shown
from audioset_ml.core.paths import as_path
from audioset_ml.labels import clip_ids, file_forms
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.labels.clip_ids import right_ids
from audioset_ml.labels.file_forms import FileForm
from audioset_ml.labels.label_rows import (
  NOT_PRESENT,
  PRESENT,
  TIMES,
  UNSURE,
  with_labels,
  with_presence,
  with_times,
)
from audioset_ml.labels.states import LabelState
from audioset_ml.labels.table_rows import split_rows
from audioset_ml.labels.text_columns import (
  SEPARATORS,
  columns_of,
  read_header,
  read_lines,
  with_decimal_points,
  without_comments,
)
from audioset_ml.labels.wrong_rows import WrongRows

STRONG_COLUMNS = ('segment_id', *TIMES, 'label')
EXPLICIT_COLUMNS = ('segment_id', 'label', 'present')
FRAMED_COLUMNS = (*STRONG_COLUMNS, 'present')
# What is said of a whole clip, and what is then known of its label.
STATE_OF = {
  PRESENT: LabelState.EXPLICIT_POSITIVE,
  NOT_PRESENT: LabelState.EXPLICIT_NEGATIVE,
  UNSURE: LabelState.UNSURE,
}

_NO_EVENTS = (
  'its rows say PRESENT or NOT_PRESENT, but events are needed here; give it as '
  'explicit labels (--explicit_tsv)'
)
_NOT_WHOLE = (
  f'its labels have times ({", ".join(TIMES)}), but labels of whole clips are needed '
  'here: what is absent from a second may be present in the clip'
)


@dataclasses.dataclass(frozen=True)
class StrongFile:
  """What a file of strong labels says.

  Attributes:
    events: a row an event: segment_id, start_time_seconds, end_time_seconds (s), label.
    silent: the clips that were annotated and hold nothing.
  """

  events: pd.DataFrame
  silent: pd.Series


def read_strong_file(
  path: str | os.PathLike,
  class_map: ClassMap | None = None,
  wrong_rows: WrongRows | None = None,
  clip_seconds: float | pd.Series | None = None,
  names: ClassMap | None = None,
) -> pd.DataFrame:
  """Reads strong labels such as `audioset_eval_strong.tsv`.

  Args:
    path: the file.
    class_map: the classes a label may be of; None allows any.
    wrong_rows: whether wrong rows are left out; None means they are errors.
    clip_seconds: how long clips are, all of them or (a Series) by id; a later time is
      wrong. None allows any. Where the ids are known, the name of a recording stands
      for its only clip.
    names: the classes that labels which are names stand for; None leaves them as they
      are, unless there is a class_map.

  Raises:
    LabelError: the file is missing or lacks columns, or rows of it are wrong: too few
      or many columns, times that aren't finite, are reversed or outside the clip, a
      label that is not in the class map, silence in a clip with an event. Names file,
      row and value.
  """
  wrong_rows = wrong_rows or WrongRows()
  form = FileForm.of(read_header(path))
  if form and form.has_events and form.labels:
    table = file_forms.events_of(path, form, names or class_map, wrong_rows)
    table = table.set_axis(STRONG_COLUMNS, axis=1)
  else:
    table = _read_tsv(path, STRONG_COLUMNS, wrong_rows, {'present': _NO_EVENTS})
  if isinstance(clip_seconds, pd.Series):
    ids = clip_ids.of_clips(table['segment_id'], clip_seconds.index)
    table = table.assign(segment_id=ids)
  empty = (table[[*TIMES, 'label']] == '').all(axis=1)
  silent = table.loc[empty, 'segment_id']
  first = table.loc[~empty, 'segment_id'].drop_duplicates()
  row_of = pd.Series(first.index, first)
  both = silent[silent.isin(first)]
  what = [f'says that {c} holds nothing, but row {row_of[c]} does not' for c in both]
  wrong_rows.add(path, both.index, what)
  events = with_labels(path, table[~empty], class_map, wrong_rows, names)
  events = with_times(path, events, wrong_rows, clip_seconds)
  wrong_rows.settle()
  return StrongFile(events, silent[~silent.isin(first)].drop_duplicates())


def read_strong_tsv(
  path: str | os.PathLike,
  class_map: ClassMap | None = None,
  wrong_rows: WrongRows | None = None,
  clip_seconds: float | pd.Series | None = None,
) -> pd.DataFrame:
  """The events of `read_strong_file` alone."""
  return read_strong_file(path, class_map, wrong_rows, clip_seconds).events


def read_explicit_tsv(
  path: str | os.PathLike,
  class_map: ClassMap | None = None,
  wrong_rows: WrongRows | None = None,
) -> pd.DataFrame:
  """Reads labels that a person confirmed or refuted for a whole clip, or was unsure of.

  Returns:
    One row a rating: segment_id, label, present (PRESENT, NOT_PRESENT or UNSURE, which
    may stand beside another: see `decided`).

  Raises:
    LabelError: as `read_strong_tsv`; also for another value in `present`, for labels
      with times, and for a row that contradicts an earlier one.
  """
  wrong_rows = wrong_rows or WrongRows()
  refused = dict.fromkeys(TIMES, _NOT_WHOLE)
  table = _read_tsv(path, EXPLICIT_COLUMNS, wrong_rows, refused)
  table = with_labels(path, table, class_map, wrong_rows)
  table = with_presence(path, table, wrong_rows, tuple(STATE_OF))
  wrong_rows.settle()
  return table


def decided(
  ratings: pd.DataFrame, pair: Sequence[str] = ('segment_id', 'label')
) -> pd.DataFrame:
  """Ratings, each once, where who was unsure gives way to who could tell.

  Args:
    ratings: of `read_explicit_tsv`, of several files perhaps.
    pair: the columns that say what is rated.
  """
  ratings = ratings.drop_duplicates([*pair, 'present'])
  unsure = ratings['present'] == UNSURE
  return ratings[~(unsure & ratings.duplicated(list(pair), keep=False))]


def read_framed_tsv(
  path: str | os.PathLike,
  class_map: ClassMap | None = None,
  wrong_rows: WrongRows | None = None,
  clip_seconds: float | pd.Series | None = None,
  names: ClassMap | None = None,
) -> pd.DataFrame:
  """Reads labels of stretches such as `audioset_eval_strong_framed_posneg.tsv`.

  Args: as those of `read_strong_file`.

  Returns:
    One row a stretch: segment_id, start_time_seconds, end_time_seconds (s), label,
    present (PRESENT or NOT_PRESENT).

  Raises:
    LabelError: as `read_strong_tsv` and `read_explicit_tsv`.
  """
  wrong_rows = wrong_rows or WrongRows()
  table = _read_tsv(path, FRAMED_COLUMNS, wrong_rows)
  table = with_labels(path, table, class_map, wrong_rows, names)
  table = with_times(path, table, wrong_rows, clip_seconds)
  table = with_presence(path, table, wrong_rows, (PRESENT, NOT_PRESENT))
  wrong_rows.settle()
  return table


def has_times(path: str | os.PathLike) -> bool:
  """Whether a TSV's labels are of stretches rather than of whole clips."""
  return bool(set(TIMES) & set(_header(read_header(path))[1]))


def write_strong_tsv(path: str | os.PathLike, table: pd.DataFrame) -> None:
  """Writes strong labels (times in s, to a thousandth) as AudioSet's TSV."""
  _write_tsv(path, table[list(STRONG_COLUMNS)], float_format='%.3f')


def write_explicit_tsv(path: str | os.PathLike, table: pd.DataFrame) -> None:
  """Writes explicit clip-level labels as the TSV that `read_explicit_tsv` reads."""
  _write_tsv(path, table[list(EXPLICIT_COLUMNS)])


def write_framed_tsv(path: str | os.PathLike, table: pd.DataFrame) -> None:
  """Writes framed labels, such as `framing.frame_table`'s, as Google's to the byte."""
  table = table[list(FRAMED_COLUMNS)]
  # Millions of rows have few times: each is spelled once, as Python spells it.
  spelled = {name: table[name].map(_spell(table[name])) for name in TIMES}
  columns = pa.Table.from_pandas(table.assign(**spelled), preserve_index=False)
  text = io.BytesIO()
  text.write(('\t'.join(FRAMED_COLUMNS) + '\n').encode())
  options = pa.csv.WriteOptions(
    include_header=False, delimiter='\t', quoting_style='none'
  )
  pa.csv.write_csv(columns, text, options)
  folders.write_atomically(as_path(path), text.getvalue())


def _spell(times: pd.Series) -> dict[float, str]:
  return {time: repr(float(time)) for time in times.unique()}


def _write_tsv(path: str | os.PathLike, table: pd.DataFrame, **form: str) -> None:
  text = table.to_csv(sep='\t', index=False, lineterminator='\n', **form)
  folders.write_atomically(as_path(path), text)


def _read_tsv(
  path: str | os.PathLike,
  columns: Sequence[str],
  wrong_rows: WrongRows,
  refused: Mapping[str, str] | None = None,
) -> pd.DataFrame:
  """Reads columns of a TSV with a header row, as text.

  `refused` says of columns that the file must not have what is wrong with them.
  """
  lines = without_comments(read_lines(path))
  separator, header = _header(lines.iloc[0]) if len(lines) else ('\t', [])
  if 'present' not in columns:
    file_forms.require_certain(path, header)
  for column in header:
    if column in (refused or {}):
      raise LabelError(f'{path}: {refused[column]}')
  if any(column not in header for column in columns):
    found = shown(', '.join(header)) if header else 'nothing'
    raise LabelError(
      f'{path}: its first row must name the columns {", ".join(columns)}, '
      f'separated by tabs; found {found}'
    )
  if twice := [column for column in columns if header.count(column) > 1]:
    raise LabelError(f'{path}: its first row names the column {twice[0]} twice')
  table = split_rows(path, lines.iloc[1:], separator, header, wrong_rows)
  table = with_decimal_points(
    table[list(columns)], set(TIMES) & set(columns), separator
  )
  ids = right_ids(path, table['segment_id'], wrong_rows)
  return table.loc[ids.index].assign(segment_id=ids)


def _header(line: str) -> tuple[str, list[str]]:
  """A header's separator, which should be a tab, and the columns that it names."""
  for separator in SEPARATORS:
    names = columns_of(line, separator)
    if 'segment_id' in names:
      return separator, names
  separator = max(SEPARATORS, key=line.count)
  return separator, columns_of(line, separator)
