"""Models and scores to choose from, named one by one or many at once."""

import glob
import os
import pathlib
import re
from collections.abc import Sequence

from audioset_ml.core.errors import InputError

_CHECKPOINT = re.compile(r'(ckpt-\d+)\.index')
_DATA = re.compile(r'\.data-\d+-of-\d+$')


def expand(names: Sequence[str]) -> tuple[str, ...]:
  """What each name stands for, in order, numbers within names ascending.

  Args:
    names: paths. One with `*`, `?` or `[` stands for all that it matches; a folder of
      checkpoints (`<train folder>/checkpoints`) for those in it.

  Raises:
    InputError: a name matches nothing.
  """
  return tuple(
    path
    for name in names
    for match in _matches(name)
    for path in _checkpoints(match) or (match,)
  )


def _matches(name: str) -> list[str]:
  if not glob.has_magic(name) or os.path.exists(name):
    return [name]
  # Of a checkpoint's files the index stands for it.
  found = [path for path in glob.glob(name) if not _DATA.search(path)]
  found = sorted({path.removesuffix('.index') for path in found}, key=_natural)
  if not found:
    raise InputError(f'{name}: matches nothing')
  return found


def _checkpoints(path: str) -> list[str]:
  """The checkpoints in a folder, the oldest first; [] for anything else."""
  folder = pathlib.Path(path)
  if not folder.is_dir():
    return []
  found = (_CHECKPOINT.fullmatch(entry.name) for entry in folder.iterdir())
  return sorted((str(folder / one[1]) for one in found if one), key=_natural)


def _natural(path: str) -> list[tuple[int, str]]:
  """A key by which ckpt-900 comes before ckpt-1000."""
  parts = re.split(r'(\d+)', path)
  return [(int(part), '') if part.isdigit() else (0, part) for part in parts]
