"""NumPy files that a user, a kill or a disk may have damaged.

What an array's header promises is held against what is wanted and against the file's
size before anything is allocated. What is wrong is told as in `input_files`.
"""

import math
import os
import pathlib
import zipfile
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from audioset_ml.core.errors import InputError, counted
from audioset_ml.core.input_files import unreadable

Shape = Sequence[int | None]

# Names of clips, padded to the longest, which pack to nearly nothing: one may have
# 4,000 characters, as a path, and those of two million clips hardly take a gigabyte.
_MOST_OF_A_TEXT = 4 * 4096
_MOST_OF_TEXTS = 1 << 31


def load_array(
  path: str | os.PathLike,
  shape: Shape | None = None,
  kinds: str = 'f',
  memory_map: bool = True,
  remedy: str = '',
  error: type[InputError] = InputError,
) -> np.ndarray:
  """An array of a `.npy` file.

  Args:
    path: the file.
    shape: that it must have, with None for any size; None for any shape.
    kinds: NumPy's letters of the kinds of values that it may have.
    memory_map: whether it stays on disk.
    remedy: what to do about a wrong one, for the message.
    error: the kind of error.

  Raises:
    InputError: it can't be read, or holds something else.
  """
  path = pathlib.Path(path)
  try:
    with open(path, 'rb') as file:
      found, kind = _header(file)
      _require(path.name, found, kind, shape, kinds)
      promised, there = math.prod(found) * kind.itemsize, path.stat().st_size
      if there - file.tell() < promised:
        raise ValueError(
          f'it promises {counted(promised, "byte")}, but the file has {there:,}'
        )
    return np.load(path, mmap_mode='r' if memory_map else None, allow_pickle=False)
  except Exception as reason:  # many types, tokenize's and ast's among them
    raise unreadable(path, '', reason, remedy, error) from reason


class Arrays:
  """The arrays of an `.npz` file, each of which is read when it is asked for."""

  def __init__(
    self,
    path: str | os.PathLike,
    remedy: str = '',
    error: type[InputError] = InputError,
    most_bytes: int = 1 << 36,
  ):
    """Args: as `load_array`, and the most that an array may take.

    Raises:
      InputError: it is no such file.
    """
    self._path, self._remedy, self._error = pathlib.Path(path), remedy, error
    self._most = most_bytes
    self.headers = self._guarded(self._read_headers)

  def read(self, name: str, shape: Shape | None = None, kinds: str = 'f') -> np.ndarray:
    """One array.

    Raises:
      InputError: there is none, it can't be read, or is of another shape or kind.
    """

    def load() -> np.ndarray:
      found, kind = self.headers[name]
      _require(name, found, kind, shape, kinds)
      most = self._most
      if kind.kind in 'US':
        most = min(most, _MOST_OF_TEXTS)
        if kind.itemsize > _MOST_OF_A_TEXT:
          raise ValueError(
            f'{name} holds texts of {kind.itemsize} bytes each, more than '
            f'{_MOST_OF_A_TEXT}'
          )
      if (size := math.prod(found) * kind.itemsize) > most:
        raise ValueError(f'{name} would take {size} bytes, more than {most}')
      with zipfile.ZipFile(self._path) as archive, archive.open(f'{name}.npy') as file:
        return np.lib.format.read_array(file, allow_pickle=False)

    return self._guarded(load)

  def _read_headers(self) -> dict[str, tuple[tuple[int, ...], np.dtype]]:
    headers = {}
    with zipfile.ZipFile(self._path) as archive:
      for member in archive.infolist():
        if member.filename.endswith('.npy'):
          with archive.open(member) as file:
            shape, kind = _header(file)
          # A zip promises a size, too; what it inflates to is not more.
          if math.prod(shape) * kind.itemsize > member.file_size:
            raise ValueError(f'{member.filename} is shorter than it promises')
          headers[member.filename.removesuffix('.npy')] = shape, kind
    return headers

  def _guarded(self, read: Callable[[], Any]) -> Any:
    try:
      return read()
    except Exception as reason:  # of numpy, zipfile, tokenize, ast
      raise unreadable(self._path, '', reason, self._remedy, self._error) from reason


def _header(file) -> tuple[tuple[int, ...], np.dtype]:
  """The shape and the kind of values that an array's header promises."""
  version = np.lib.format.read_magic(file)
  if version == (1, 0):
    shape, _, kind = np.lib.format.read_array_header_1_0(file)
  else:
    shape, _, kind = np.lib.format.read_array_header_2_0(file)
  if kind.hasobject or any(size < 0 for size in shape):
    raise ValueError(f'it holds {kind} {shape}')
  return shape, kind


def _require(
  name: str, found: tuple[int, ...], kind: np.dtype, shape: Shape | None, kinds: str
) -> None:
  fits = shape is None or (
    len(found) == len(shape)
    and all(want in (None, size) for want, size in zip(shape, found, strict=True))
  )
  if not fits or kind.kind not in kinds:
    wanted = '' if shape is None else f' {_shape_text(shape)}'
    letters = {'f': 'floats', 'i': 'integers', 'u': 'unsigned integers'}
    of = ' or '.join(letters[one] for one in kinds if one in letters) or 'texts'
    raise ValueError(f'{name} holds {kind} {_shape_text(found)}, not {of}{wanted}')


def _shape_text(shape: Shape) -> str:
  sizes = ', '.join('any' if size is None else str(size) for size in shape)
  return f'[{sizes}]'
