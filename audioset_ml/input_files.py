"""Text, JSON, CSV and NumPy files that a user, a kill or a disk may have damaged.

Whatever is wrong with a file becomes an `InputError` (or one of its kinds) that names
it and says what to do. What an array's header promises is held against what is wanted
and against the file's size before anything is allocated.
"""

import csv
import io
import json
import math
import os
import pathlib
import zipfile
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from audioset_ml.errors import InputError, shown
from audioset_ml.paths import as_path

Shape = Sequence[int | None]


def read_text(
  path: str | os.PathLike,
  what: str = '',
  remedy: str = '',
  error: type[InputError] = InputError,
) -> str:
  """A text file in UTF-8, with or without a byte order mark; line ends as they are.

  Args:
    path: the file.
    what: it is, for the message.
    remedy: what to do about it, for the message.
    error: the kind of error.

  Raises:
    InputError: it can't be read.
  """
  try:
    return as_path(path).read_bytes().decode('utf-8-sig')
  except (OSError, UnicodeDecodeError) as reason:
    raise _unreadable(path, what, reason, remedy, error) from reason


def read_lines(
  path: str | os.PathLike,
  what: str = '',
  remedy: str = '',
  error: type[InputError] = InputError,
) -> tuple[str, ...]:
  """The lines that `\\n` ends, and nothing else: ids may hold any other character."""
  text = read_text(path, what, remedy, error)
  return tuple(text.removesuffix('\n').split('\n')) if text else ()


def read_json(
  path: str | os.PathLike,
  form: Any = None,
  what: str = '',
  remedy: str = '',
  error: type[InputError] = InputError,
) -> Any:
  """A JSON file.

  Args:
    path: the file.
    form: what it must be (see `fault_of_form`); None for anything.
    what: it is, for the message.
    remedy: what to do about it, for the message.
    error: the kind of error.

  Raises:
    InputError: it can't be read, or is not of this form.
  """
  text = read_text(path, what, remedy, error)
  try:
    content = json.loads(text)
  except (ValueError, RecursionError) as reason:
    raise _unreadable(path, what, f'not JSON: {reason}', remedy, error) from reason
  if form is not None and (fault := fault_of_form(content, form)):
    raise _unreadable(path, what, fault, remedy, error)
  return content


def fault_of_form(content: Any, form: Any, name: str = 'its content') -> str:
  """What is wrong with a value that came from JSON; '' for nothing.

  Args:
    content: the value.
    form: a type, or a tuple of types and None, that it must be of (an int is a float
      too, and a bool neither); a list of one form, that all members must have; or a
      dictionary from keys to the forms of their values, where `key?` may be absent and
      `*` stands for every key.
    name: of the value, for the message.
  """
  if isinstance(form, dict):
    if not isinstance(content, dict):
      return f'{name} is no object'
    for key, inner in form.items():
      if key == '*':
        found = [fault_of_form(v, inner, shown(k)) for k, v in content.items()]
      elif key.endswith('?') and key[:-1] not in content:
        continue
      elif (key := key.removesuffix('?')) not in content:
        return f'{name} lacks {key!r}'
      else:
        found = [fault_of_form(content[key], inner, repr(key))]
      if fault := next(filter(None, found), ''):
        return fault
    return ''
  if isinstance(form, list):
    if not isinstance(content, list):
      return f'{name} is no list'
    found = (fault_of_form(one, form[0], f'a member of {name}') for one in content)
    return next(filter(None, found), '')
  types = [type(None) if one is None else one for one in _as_tuple(form)]
  types += [int] * (float in types)
  if object in types:
    return ''
  if isinstance(content, bool) and bool not in types:
    return f'{name} is {content}'
  return '' if isinstance(content, tuple(types)) else f'{name} is {shown(content)}'


def _as_tuple(form: Any) -> tuple:
  return form if isinstance(form, tuple) else (form,)


def read_rows(
  path: str | os.PathLike,
  header: Sequence[str],
  what: str = '',
  remedy: str = '',
  error: type[InputError] = InputError,
  has_header: bool = True,
) -> Iterator[tuple[int, list[str]]]:
  """The rows of a CSV file below its header, one by one: number from 1, and cells.

  Blank rows are left out. Cells are without the blanks around them.

  Args:
    path: the file.
    header: the names of its columns.
    what: it is, for the message.
    remedy: what to do about it, for the message.
    error: the kind of error.
    has_header: whether those stand there; else the first row is one as all others.

  Raises:
    InputError: it can't be read, has another header, or a row has another number of
      cells or one with a line end, as behind a quote that is not closed.
  """
  text = read_text(path, what, remedy, error)
  reader = csv.reader(io.StringIO(text, newline=''), strict=True)
  columns, first = None if has_header else header, 1
  try:
    for row in reader:
      number, first = first, reader.line_num + 1
      cells = [cell.strip() for cell in row]
      if not any(cells):
        continue
      if columns is None:
        columns = cells
        if columns != list(header):
          raise _wrong_header(path, header, what, ','.join(cells), error)
      elif number < reader.line_num:
        raise error(
          f'{path}, row {number}: a cell that goes on in row {number + 1}; is a quote '
          'not closed?'
        )
      elif len(cells) != len(header):
        raise error(
          f'{path}, row {number}: {len(cells)} columns instead of {",".join(header)}: '
          f'{shown(",".join(cells))}'
        )
      else:
        yield number, cells
  except csv.Error as reason:
    place = f'row {reader.line_num}: {reason}'
    raise _unreadable(path, what, place, remedy, error) from reason
  if columns is None:
    raise _wrong_header(path, header, what, '', error)


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
        raise ValueError(f'it promises {promised} bytes, but the file has {there}')
    return np.load(path, mmap_mode='r' if memory_map else None, allow_pickle=False)
  except Exception as reason:  # many types, tokenize's and ast's among them
    raise _unreadable(path, '', reason, remedy, error) from reason


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
      if (size := math.prod(found) * kind.itemsize) > self._most:
        raise ValueError(f'{name} would take {size} bytes, more than {self._most}')
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
      raise _unreadable(self._path, '', reason, self._remedy, self._error) from reason


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


def _wrong_header(
  path: str | os.PathLike,
  header: Sequence[str],
  what: str,
  found: str,
  error: type[InputError],
) -> InputError:
  return error(
    f'{path}: {what or "it"} starts with the row {",".join(header)}, but this starts '
    f'with {shown(found)}'
  )


def _unreadable(
  path: str | os.PathLike,
  what: str,
  reason: object,
  remedy: str,
  error: type[InputError],
) -> InputError:
  text = str(reason) or type(reason).__name__
  advice = f'; {remedy}' if remedy else ''
  subject = f'{what} ' if what else ''
  return error(f'{path}: {subject}cannot be read ({text}){advice}')
