"""Scores in parts, one of each shard, and how they become one file."""

import pathlib
from collections.abc import Sequence

import numpy as np

from audioset_ml.core import folders
from audioset_ml.core.array_files import load_array
from audioset_ml.records import scores
from audioset_ml.records.top_scores import TOP_CLIP_FILES, TOP_PATCH_FILES, TopValues

_REMEDY = 'delete it, and run `score` again'


def beside(part: pathlib.Path, kind: str) -> pathlib.Path:
  """Where what else there is of a shard lies, beside its clips' scores."""
  return part.with_name(part.name.replace('.clips.', f'.{kind}.'))


def save(path: pathlib.Path, array: np.ndarray) -> None:
  """Writes an array, whole or not at all."""
  with folders.whole_file(path) as file:
    np.save(file, array)


def save_scores(
  part: pathlib.Path, values: np.ndarray, top_classes: int, kind: str = 'float32'
) -> None:
  """Writes scores, or the highest ones and beside them their classes.

  Args:
    part: the file.
    values: the scores. Shape [rows, classes].
    top_classes: how many of the highest classes; 0 for all.
    kind: as which type of numbers.
  """
  if top_classes:
    top = TopValues.of(values, top_classes)
    save(_classes_of(part), top.classes)
    values = top.values
  save(part, values.astype(kind, copy=False))


def join_all(
  parts: Sequence[pathlib.Path],
  output_dir: pathlib.Path,
  top_classes: int,
  patch_scores: bool,
) -> None:
  """Makes one file of the parts of each kind.

  Args:
    parts: the clips' scores, a file a shard.
    output_dir: where the joined files are written.
    top_classes: as the parts were saved.
    patch_scores: whether there are scores of patches, too.

  Raises:
    InputError: a part is damaged.
  """

  def join(parts: Sequence[pathlib.Path], name: str, top: tuple[str, str]) -> None:
    if top_classes:
      name, classes = top
      _join([_classes_of(part) for part in parts], output_dir / classes, 'u')
    _join(parts, output_dir / name)

  join(parts, scores.SCORES_FILE, TOP_CLIP_FILES)
  if patch_scores:
    patches = [beside(part, 'patches') for part in parts]
    join(patches, scores.PATCH_SCORES_FILE, TOP_PATCH_FILES)
    lengths = [
      load_array(beside(part, 'lengths'), (None,), 'iu', remedy=_REMEDY)
      for part in parts
    ]
    offsets = np.concatenate([[0], np.cumsum(np.concatenate(lengths))])
    save(output_dir / scores.PATCH_OFFSETS_FILE, offsets.astype(np.int64))


def _classes_of(part: pathlib.Path) -> pathlib.Path:
  """Where the classes of a part's highest scores lie."""
  return part.with_name(f'{part.stem}.classes.npy')


def _join(parts: Sequence[pathlib.Path], path: pathlib.Path, kinds: str = 'f') -> None:
  """Writes arrays one after the other as one, a part at a time."""
  # One at a time: AudioSet has more shards than a process may have open files.
  first = load_array(parts[0], (None, None), kinds, remedy=_REMEDY)
  form = {'shape': (None, first.shape[1]), 'kinds': kinds, 'remedy': _REMEDY}
  rows = sum(len(load_array(part, **form)) for part in parts)
  header = np.lib.format.header_data_from_array_1_0(first)
  header['shape'] = (rows, *first.shape[1:])
  with folders.whole_file(path) as file:
    np.lib.format.write_array_header_1_0(file, header)
    for part in parts:
      file.write(load_array(part, **form, memory_map=False).data)
