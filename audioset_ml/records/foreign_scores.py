"""Scores that another program has made: an array, and a list of the clips."""

import dataclasses
import os
import pathlib
import zipfile
from collections.abc import Callable, Sequence

import numpy as np

from audioset_ml.core.array_files import Arrays, load_array
from audioset_ml.core.errors import (
  RecordError,
  agreeing,
  brief,
  counted,
  has_control,
  shown,
)
from audioset_ml.core.score_values import unranked
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.labels.class_mapping import ClassMapping
from audioset_ml.labels.clip_ids import normal
from audioset_ml.labels.clip_list import read_clip_rows
from audioset_ml.records.folder import RecordsFolder
from audioset_ml.records.scores import ClipScores

_NAMES = ('clip_ids', 'ids', 'names', 'video_id', 'audio_name')
_FORM = 'give scores as .npy or .npz, floats of the shape [clips, classes]'


def count_inputs(
  path: str | os.PathLike, records_path: str | os.PathLike, *more: str
) -> dict[str, int]:
  """What `import_scores --dry_run` says: reads the scores, and counts.

  Args:
    path: the scores.
    records_path: the records that they are of.
    *more: as `read_foreign_scores` takes it after the records.
  """
  scores, unused = read_foreign_scores(path, RecordsFolder.open(records_path), *more)
  return {'clips': len(scores.clip_ids), 'rows of other clips': unused}


def read_foreign_scores(
  path: str | os.PathLike,
  records: RecordsFolder,
  clip_ids_path: str | os.PathLike = '',
  class_map_path: str | os.PathLike = '',
  class_mapping_path: str | os.PathLike = '',
  key: str = '',
) -> tuple[ClipScores, int]:
  """Reads scores and brings them into the order of some records.

  Args:
    path: an `.npy` file [clips, classes], or an `.npz` file that holds such an array.
    records: the clips and classes that are wanted.
    clip_ids_path: text file, a clip id a line, or another that
      `clip_list.read_clip_rows` reads, a row a clip; '' takes an array of names in the
      `.npz` file, called clip_ids, ids, names, video_id or audio_name.
    class_map_path: the scores' classes; '' for those of the records.
    class_mapping_path: from them to the records' classes; '' for the same.
    key: the array's name in the `.npz` file; '' if it is the only matrix.

  Returns:
    The scores, and how many rows were of other clips.

  Raises:
    InputError: a file can't be read or is wrong, or scores of a clip are missing.
  """
  file = _open(pathlib.Path(path), key)
  names = read_clip_rows(clip_ids_path) if clip_ids_path else file.names()
  if names is None:
    raise RecordError(f'{path}: nothing says which clips its rows are; give --clip_ids')
  rows, columns = file.shape
  if len(names) != rows:
    there = f'{agreeing(len(names), "are")} {counted(len(names), "id")}'
    raise RecordError(f'{path}: has {counted(rows, "row")}, but there {there}')
  names = [normal(name) for name in names]
  row_of = {name: row for row, name in enumerate(names)}
  if len(row_of) < len(names):
    twice = next(name for row, name in enumerate(names) if row_of[name] != row)
    raise RecordError(f'{clip_ids_path or path}: the clip {twice} stands there twice')
  wanted = [normal(clip_id) for clip_id in records.clip_ids]
  lacking = [clip_id for clip_id in wanted if clip_id not in row_of]
  if lacking:
    raise RecordError(
      f'{path}: lacks {len(lacking)} of {counted(len(records.clip_ids), "clip")} of '
      f'{records.path}, {lacking[0]} for one (a clip is <id>_<start in ms>)'
    )
  class_map = ClassMap.read(class_map_path) if class_map_path else records.class_map
  if columns != len(class_map):
    raise RecordError(
      f'{path}: has {counted(columns, "column")}, but there '
      f'{agreeing(len(class_map), "are")} {counted(len(class_map), "class")} in '
      f'{class_map_path or records.path}; give its class map with --class_map'
    )
  order = [row_of[clip_id] for clip_id in wanted]
  values = file.scores()[order].astype(np.float32, copy=False)
  if found := unranked(values):
    (row, column), what = found
    raise RecordError(
      f'{path}: the score of {records.clip_ids[row]}, {class_map.names[column]}, is '
      f'{what}'
    )
  if class_mapping_path:
    mapping = ClassMapping.read(class_mapping_path, records.class_map, class_map)
    values = mapping.apply(values)
  else:
    records.require_class_map(class_map, str(class_map_path or path))
  unused = len(names) - len(records.clip_ids)
  scores = ClipScores(str(path), records.clip_ids, records.class_map, values)
  return scores, unused


@dataclasses.dataclass(frozen=True)
class _Scores:
  """A file of scores, of which only the sizes are read yet.

  Attributes:
    shape: clips and classes.
    scores: reads the scores. Shape [clips, classes].
    names: reads the clips' names, None if the file has none.
  """

  shape: tuple[int, int]
  scores: Callable[[], np.ndarray]
  names: Callable[[], Sequence[str] | None]


def _open(path: pathlib.Path, key: str) -> _Scores:
  """A file of scores: only what is wanted of it will be read."""
  if not zipfile.is_zipfile(path):
    values = load_array(path, (None, None), remedy=_FORM, error=RecordError)
    return _Scores(values.shape, lambda: values, lambda: None)
  arrays = Arrays(path, _FORM, RecordError)
  matrices = [
    name
    for name, (shape, _) in arrays.headers.items()
    if len(shape) == 2 and (not key or name == key)
  ]
  if len(matrices) != 1:
    raise RecordError(
      f'{path}: holds the arrays {", ".join(map(brief, arrays.headers))}; name that of '
      'the scores with --key'
    )
  (matrix,) = matrices
  named = next((name for name in _NAMES if name in arrays.headers), None)
  shape = arrays.headers[matrix][0]

  def names() -> Sequence[str] | None:
    if named is None:
      return None
    found = _texts(arrays.read(named, shape[:1], 'US'))
    for name in found:
      if hidden := has_control(name):
        raise RecordError(f'{path}: the id {shown(name)} holds {hidden}')
    return found

  return _Scores(shape, lambda: arrays.read(matrix, shape), names)


def _texts(names: np.ndarray) -> list[str]:
  return [
    n.decode(errors='replace') if isinstance(n, bytes) else str(n)
    for n in names.tolist()
  ]
