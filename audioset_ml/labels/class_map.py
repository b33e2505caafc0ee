"""The class map: which class index stands for which AudioSet label."""

import dataclasses
import difflib
import functools
import os
from collections.abc import Iterator

from audioset_ml.core import csv_files
from audioset_ml.core.errors import LabelError, counted, has_control, shown
from audioset_ml.core.input_files import read_rows, read_text
from audioset_ml.core.paths import as_path

HEADER = ('index', 'mid', 'display_name')
_VOCABULARY = ('index', 'name', 'mid')  # of FSD50K, without a header


@dataclasses.dataclass(frozen=True)
class ClassMap:
  """The classes of a model or a set of records, in the order of their indices.

  Attributes:
    mids: each class's machine id, such as `/m/09x0r`.
    names: each class's display name, such as `Speech`.
  """

  mids: tuple[str, ...]
  names: tuple[str, ...]

  def __post_init__(self):
    if len(self.mids) != len(self.names):
      raise LabelError(
        f'class map: {counted(len(self.mids), "mid")}, but '
        f'{counted(len(self.names), "display name")}'
      )
    if not self.mids:
      raise LabelError('class map: no classes')
    if len(set(self.mids)) < len(self.mids):
      twice = next(mid for mid in self.mids if self.mids.count(mid) > 1)
      raise LabelError(f'class map: {twice} stands more than once')

  def __len__(self) -> int:
    return len(self.mids)

  @functools.cached_property
  def index_of(self) -> dict[str, int]:
    """The class index of each mid."""
    return {mid: index for index, mid in enumerate(self.mids)}

  def find(self, label: str) -> int:
    """The index of a class by its mid or its name.

    Case, and whether blanks are underscores and commas an "and" (as in FSD50K), is all
    the same in a name that is otherwise one class's alone.

    Raises:
      LabelError: there is none; similar names are named.
    """
    if label in self.index_of:
      return self.index_of[label]
    lowered = label.strip().lower()
    names = [name.lower() for name in self.names]
    if lowered in names:
      return names.index(lowered)
    alike = [i for i, name in enumerate(names) if _spelled(name) == _spelled(lowered)]
    if len(alike) == 1:
      return alike[0]
    near = [name for name in self.names if lowered and lowered in name.lower()]
    if not near:
      # A typing error, or another spelling of the spaces.
      spelled = {_spelled(name): name for name in reversed(self.names)}
      found = difflib.get_close_matches(_spelled(lowered), spelled)
      near = [spelled[name] for name in found]
    hint = f'; do you mean {" or ".join(near[:3])}?' if near else ''
    raise LabelError(f'{label!r} is neither the mid nor the name of a class{hint}')

  @classmethod
  def read(cls, path: str | os.PathLike) -> 'ClassMap':
    """Reads `class_labels_indices.csv`, `yamnet_class_map.csv` or one of the same form.

    Args:
      path: CSV with the header `index,mid,display_name` and indices 0, 1, 2, …; or
        FSD50K's vocabulary.csv, which has no header and the mid behind the name.

    Raises:
      LabelError: the file is missing or not of that form; file and row are named.
    """
    rows = list(_rows(path))
    for index, (number, row) in enumerate(rows):
      if row[0] != str(index) or not row[1]:
        raise LabelError(
          f'{path}, row {number}: expected index {index}, a mid and a display '
          f'name, but found {shown(",".join(row))}'
        )
      if hidden := has_control(row[1]) or has_control(row[2]):
        raise LabelError(f'{path}, row {number}: holds {hidden}; remove it')
    try:
      return cls(
        mids=tuple(row[1] for _, row in rows), names=tuple(row[2] for _, row in rows)
      )
    except LabelError as error:
      raise LabelError(f'{path}: {error}') from error

  def write(self, path: str | os.PathLike) -> None:
    """Writes the map as AudioSet's `class_labels_indices.csv`."""
    rows = zip(range(len(self)), self.mids, self.names, strict=True)
    csv_files.write_csv(as_path(path), HEADER, rows)


def _rows(path: str | os.PathLike) -> Iterator[tuple[int, list[str]]]:
  """The rows of a class map: number from 1; index, mid and name."""
  options = {'what': 'the class map', 'error': LabelError}
  lines = read_text(path, **options).split('\n')
  if not _is_vocabulary(next(filter(str.strip, lines), '')):
    yield from read_rows(path, HEADER, **options)
    return
  for number, row in read_rows(path, _VOCABULARY, **options, has_header=False):
    index, name, mid = row
    yield number, [index, mid, name]


def _is_vocabulary(line: str) -> bool:
  """Whether a file's first row is that of FSD50K's vocabulary.csv."""
  cells = [cell.strip() for cell in line.split(',')]
  return len(cells) > 2 and cells[0] == '0' and cells[-1].startswith('/')


def _spelled(name: str) -> str:
  """A name as it is compared: `Boat_and_Water_vehicle` is `Boat, Water vehicle`."""
  words = name.lower().replace('_', ' ').replace(',', ' and ').split()
  return ' '.join(words)


def read_display_names(path: str | os.PathLike) -> dict[str, str]:
  """The display name of each strong label: AudioSet's `mid_to_display_name.tsv`.

  Raises:
    LabelError: the file can't be read, or a row isn't a mid, a tab and a name.
  """
  # Imported here: who opens records needs no pandas.
  from audioset_ml.labels.text_columns import read_lines

  lines = read_lines(path)
  names = {}
  for number, line in lines.items():
    mid, _, name = line.partition('\t')
    if not mid or not name:
      raise LabelError(f'{path}, row {number}: {shown(line)} is no mid, tab and name')
    if mid in names:
      raise LabelError(f'{path}, row {number}: {mid} stands there more than once')
    names[mid] = name
  return names
