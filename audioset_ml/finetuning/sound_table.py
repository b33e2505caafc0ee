"""A table of recordings: `file,label` and, if wanted, `present`, `group` and `fold`.

A row a label: a file with several has several rows. The tables of two data sets are
read as they are: ESC-50's `meta/esc50.csv` (`filename`, `category`, `src_file`, `fold`)
and FSD50K's `dev.csv` and `eval.csv` (`fname`, `labels`, `mids`, `split`), whose names
lack the ending and whose labels are several in a cell.
"""

import dataclasses
import functools
import os
import pathlib
import re
from collections.abc import Sequence

from audioset_ml.audio.decoding import AUDIO_SUFFIXES
from audioset_ml.core.errors import InputError, has_control
from audioset_ml.core.input_files import read_cells, read_text
from audioset_ml.finetuning.recordings import (
  ENDINGS,
  Found,
  Recording,
  is_sound_name,
  some,
)
from audioset_ml.labels.clip_ids import CELL_ERROR, normal
from audioset_ml.labels.file_forms import FILES, LISTS, SINGLE

# What a column is called here, by its names in tables; '' is of no use here.
_COLUMNS = {
  **dict.fromkeys(FILES, 'file'),
  **dict.fromkeys(SINGLE, 'label'),
  **dict.fromkeys(LISTS, 'labels'),
  'mids': 'mids',
  'present': 'present',
  **dict.fromkeys(('group', 'src_file'), 'group'),
  **dict.fromkeys(('fold', 'split'), 'fold'),
  **dict.fromkeys(('target', 'esc10', 'take'), ''),
}
_STATES = {
  **dict.fromkeys(('present', '1', 'yes', 'true'), 'labels'),
  **dict.fromkeys(('absent', 'not_present', '0', 'no', 'false'), 'absent'),
  'unsure': 'unsure',
}
# Where the files may lie, from the table's folder.
_PLACES = ('.', 'audio', '..', '../audio')


@dataclasses.dataclass(frozen=True)
class _Row:
  """A row: what it says, by our names of columns."""

  number: int
  cells: dict[str, str]

  def pairs(self) -> list[tuple[str, str]]:
    """Its labels with their mids, '' where it has none."""
    if 'label' in self.cells:
      return [(self.cells['label'], '')]
    labels = [label.strip() for label in self.cells['labels'].split(',')]
    mids = self.cells.get('mids', '').split(',') if self.cells.get('mids') else []
    if '' in labels or (mids and len(mids) != len(labels)):
      raise InputError('its labels are not one by one, between commas, as its mids')
    return list(zip(labels, mids or [''] * len(labels), strict=True))

  def state(self) -> str:
    """Which of a recording's lists its labels belong to."""
    cell = self.cells.get('present', 'present')
    if cell.lower() not in _STATES:
      raise InputError(f'present is {cell!r}, but must be present, absent or unsure')
    return _STATES[cell.lower()]


def read_table(table: pathlib.Path, audio_dir: str = '') -> Found:
  """The recordings that a table lists.

  Args:
    table: the CSV file.
    audio_dir: the folder that its files are named in; '' looks in that of the table and
      the one above it, and in an `audio` of each.

  Raises:
    InputError: the table can't be read, has other columns, or rows of it are wrong or
      name files that are missing; they are named.
  """
  rows = _read_rows(table)
  folder = _folder_of(table, audio_dir, rows[0].cells['file'])
  wrong: list[str] = []
  found: dict[str, Recording] = {}
  mids: dict[str, str] = {}
  for row in rows:
    try:
      _add(row, folder, found, mids)
    except InputError as error:
      wrong.append(f'row {row.number}: {error}')
  if wrong:
    raise InputError(f'{table}: {some(wrong, "; ")}')
  return Found(tuple(found.values()), mids)


def _add(
  row: _Row, folder: pathlib.Path, found: dict[str, Recording], mids: dict[str, str]
) -> None:
  """Adds what a row says of its file.

  Raises:
    InputError: it is wrong, or contradicts rows above.
  """
  path = _file_of(folder, row.cells['file'])
  inside = path.is_relative_to(folder)
  name = path.relative_to(folder).as_posix() if inside else str(path)
  group, fold = row.cells.get('group', ''), row.cells.get('fold', '')
  old = found.get(name) or Recording(path, name, (), group=group, fold=fold)
  if (old.group, old.fold) != (group, fold):
    raise InputError(f'{name} has another group or fold in a row above')
  state = row.state()
  for label, mid in row.pairs():
    said = [known for known in _STATES.values() if label in getattr(old, known)]
    if said and said[0] == state:
      raise InputError(f'{name} has the label {label!r} already')
    if said:
      raise InputError(f'{name}: what a row above says of {label!r} is something else')
    if mid and mids.setdefault(label, mid) != mid:
      raise InputError(f'the mid of {label!r} is {mid}, but {mids[label]} above')
    old = dataclasses.replace(old, **{state: (*getattr(old, state), label)})
  found[name] = old


def _read_rows(path: pathlib.Path) -> list[_Row]:
  """The rows of a CSV, no cell of a column that is used empty."""
  header = read_text(path).lstrip().partition('\n')[0]
  # Spreadsheets of many countries separate by semicolons.
  separator = next((one for one in ',;\t' if one in header), ',')
  lines = list(read_cells(path, delimiter=separator, skipinitialspace=True))
  columns = _columns_of(path, lines[0][1] if lines else [])
  if len(lines) < 2:
    raise InputError(f'{path}: lists no files')
  rows, wrong = [], []
  for number, cells in lines[1:]:
    named = dict(zip(columns, cells, strict=False))
    named.pop('', None)
    if hidden := next(filter(None, map(has_control, named.values())), ''):
      wrong.append(f'row {number}: holds {hidden}')
    if broken := [c for c in named.values() if re.match(CELL_ERROR, c)]:
      wrong.append(f'row {number}: {broken[0]} is an error of a spreadsheet')
    if len(cells) != len(columns) or not all(named.values()):
      wrong.append(f'row {number}: needs {len(columns)} cells, none empty')
    rows.append(_Row(number, named))
  if wrong:
    raise InputError(f'{path}: {some(wrong, "; ")}')
  return rows


def _columns_of(path: pathlib.Path, header: Sequence[str]) -> list[str]:
  """Our names of a table's columns."""
  header = [name.strip().lower() for name in header]
  unknown = [name for name in header if name not in _COLUMNS]
  columns = [_COLUMNS.get(name, '') for name in header]
  used = [name for name in columns if name]
  if 'file' not in used or len({'label', 'labels'} & set(used)) != 1:
    raise InputError(
      f'{path}: its first row must name the columns file and label and, if wanted, '
      f'present, group and fold (or be of the form of ESC-50 or FSD50K), but is '
      f'{",".join(header)!r}'
    )
  if unknown:
    raise InputError(
      f'{path}: has unknown columns ({some(unknown)}), which would be lost in silence; '
      f'remove them, or name them as one of {", ".join(filter(None, _COLUMNS))}'
    )
  if twice := {name for name in used if used.count(name) > 1}:
    raise InputError(f'{path}: has several columns of the kind {min(twice)!r}')
  return columns


def _folder_of(table: pathlib.Path, audio_dir: str, first: str) -> pathlib.Path:
  """The folder that the files are named in."""
  if audio_dir:
    return pathlib.Path(audio_dir)
  places = [table.parent / place for place in _PLACES]
  for place in places:
    if _found(place, first):
      return place
  looked = ', '.join(str(place) for place in places)
  raise InputError(
    f'{table}: its first file, {first}, is in none of {looked}; say with --audio_dir '
    'in which folder its files are'
  )


def _file_of(folder: pathlib.Path, name: str) -> pathlib.Path:
  """The file that a cell names, with or without its ending."""
  found = _found(folder, name)
  if found is None:
    raise InputError(f'no file {folder / os.path.normpath(name)}')
  if not is_sound_name(found):
    raise InputError(f'the ending of {name} is none of {ENDINGS}')
  return found


def _found(folder: pathlib.Path, name: str) -> pathlib.Path | None:
  """The file of this name or, if there is none, with an ending of a sound behind it.

  However a list that was made elsewhere spells it (NFC).
  """
  exact = folder / os.path.normpath(name)
  for suffix in ('', *AUDIO_SUFFIXES):
    path = exact.with_name(exact.name + suffix)
    if not path.is_file():
      path = path.with_name(_spellings(path.parent).get(normal(path.name), path.name))
    if path.is_file():
      return path
  return None


@functools.cache
def _spellings(folder: pathlib.Path) -> dict[str, str]:
  """The names in a folder by how others may spell them."""
  try:
    return {normal(name): name for name in sorted(os.listdir(folder))}
  except OSError:
    return {}
