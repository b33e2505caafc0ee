"""The class map: which class index stands for which AudioSet label."""

import dataclasses
import difflib
import functools
import os

from audioset_ml import folders
from audioset_ml.errors import LabelError, has_control, shown
from audioset_ml.input_files import read_rows
from audioset_ml.paths import as_path

HEADER = ('index', 'mid', 'display_name')


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
        f'class map: {len(self.mids)} mids, but {len(self.names)} display names'
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
    """The index of a class by its mid or, whatever its case, its name.

    Raises:
      LabelError: there is none; similar names are named.
    """
    if label in self.index_of:
      return self.index_of[label]
    lowered = label.strip().lower()
    names = [name.lower() for name in self.names]
    if lowered in names:
      return names.index(lowered)
    near = [name for name in self.names if lowered and lowered in name.lower()]
    if not near:
      # A typing error, or another spelling of the spaces.
      spelled = {name.lower().replace('_', ' '): name for name in reversed(self.names)}
      found = difflib.get_close_matches(lowered.replace('_', ' '), spelled)
      near = [spelled[name] for name in found]
    hint = f'; do you mean {" or ".join(near[:3])}?' if near else ''
    raise LabelError(f'{label!r} is neither the mid nor the name of a class{hint}')

  @classmethod
  def read(cls, path: str | os.PathLike) -> 'ClassMap':
    """Reads `class_labels_indices.csv`, `yamnet_class_map.csv` or one of the same form.

    Args:
      path: CSV with the header `index,mid,display_name` and indices 0, 1, 2, …

    Raises:
      LabelError: the file is missing or not of that form; file and row are named.
    """
    rows = list(read_rows(path, HEADER, 'the class map', error=LabelError))
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
    folders.write_csv(as_path(path), HEADER, rows)


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
