"""Text, JSON and CSV files that a user, a kill or a disk may have damaged.

Whatever is wrong with a file becomes an `InputError` (or one of its kinds) that names
it and says what to do. `array_files` reads NumPy's.
"""

import codecs
import csv
import io
import json
import math
import os
import re
from collections.abc import Iterator, Sequence
from typing import Any

from audioset_ml.core.errors import InputError, brief, counted, shown
from audioset_ml.core.paths import as_path

_SEPARATOR_LINE = re.compile(rb'\A"?sep=[,;\t]"?(?=\r?\n)')
_TOLD_BY = 64  # bytes from which UTF-16 is told
_DIGITS = len(str(-(1 << 63)))  # of the longest integer that JSON may hold


def read_text(
  path: str | os.PathLike,
  what: str = '',
  remedy: str = '',
  error: type[InputError] = InputError,
) -> str:
  """A text file in UTF-8 or UTF-16 (`as_utf_8`); line ends as they are.

  Args:
    path: the file.
    what: it is, for the message.
    remedy: what to do about it, for the message.
    error: the kind of error.

  Raises:
    InputError: it can't be read.
  """
  try:
    return as_utf_8(as_path(path).read_bytes()).decode()
  except (OSError, UnicodeDecodeError) as reason:
    raise unreadable(path, what, reason, remedy, error) from reason


def as_utf_8(data: bytes) -> bytes:
  """Text in UTF-8 or UTF-16 as UTF-8, without byte order marks where lines begin.

  Files that were joined have some within them. UTF-16 without one is told by the zeros
  that it has for ASCII. A first line that tells spreadsheets the separator is emptied.

  Raises:
    UnicodeDecodeError: it looks like UTF-16, but is not.
  """
  even, odd = data[:_TOLD_BY:2], data[1:_TOLD_BY:2]
  if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
    data = data.decode('utf-16').encode()
  elif odd and not odd.strip(b'\0') and b'\0' not in even:
    data = data.decode('utf-16-le').encode()
  elif odd and not even.strip(b'\0') and b'\0' not in odd:
    data = data.decode('utf-16-be').encode()
  mark = codecs.BOM_UTF8
  data = data.removeprefix(mark).replace(b'\n' + mark, b'\n')
  return _SEPARATOR_LINE.sub(b'', data)


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
    content = parse_json(text)
  except (ValueError, RecursionError) as reason:
    raise unreadable(path, what, f'not JSON: {reason}', remedy, error) from reason
  if form is not None and (fault := fault_of_form(content, form)):
    raise unreadable(path, what, fault, remedy, error)
  return content


def parse_json(text: str | bytes) -> Any:
  """The content of JSON, without numbers that it can't have or that nobody can use.

  Raises:
    ValueError: it is no JSON; or holds NaN, infinity, a number too large for a float or
      an integer of more than 64 bits.
    RecursionError: it is nested too deeply.
  """
  return json.loads(
    text, parse_constant=_no_number, parse_int=_integer, parse_float=_finite
  )


def _no_number(text: str) -> None:
  raise ValueError(f'{text} is no number of JSON')


def _integer(text: str) -> int:
  # No longer text is made a number: that takes time, and Python refuses it at last.
  if len(text) > _DIGITS or not -(1 << 63) <= int(text) < 1 << 64:
    raise ValueError(f'{brief(text)} is an integer of more than 64 bits')
  return int(text)


def _finite(text: str) -> float:
  if not math.isfinite(number := float(text)):
    raise ValueError(f'{brief(text)} is too large for a number')
  return number


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
  rows = read_cells(path, what, remedy, error)
  if has_header:
    _, columns = next(rows, (1, []))
    if columns != list(header):
      raise _wrong_header(path, header, what, ','.join(columns), error)
  for number, cells in rows:
    if len(cells) != len(header):
      raise error(
        f'{path}, row {number}: {counted(len(cells), "column")} instead of '
        f'{",".join(header)}: {shown(",".join(cells))}'
      )
    yield number, cells


def read_cells(
  path: str | os.PathLike,
  what: str = '',
  remedy: str = '',
  error: type[InputError] = InputError,
  **form: Any,
) -> Iterator[tuple[int, list[str]]]:
  """All rows of a CSV file, its header too, one by one: number from 1, and cells.

  Blank rows are left out. Cells are without the blanks around them.

  Args:
    path: the file.
    what: it is, for the message.
    remedy: what to do about it, for the message.
    error: the kind of error.
    **form: how it is written, as `csv.reader` takes it.

  Raises:
    InputError: it can't be read, or a cell holds a line end, as behind a quote that is
      not closed.
  """
  text = read_text(path, what, remedy, error)
  reader, first = csv.reader(io.StringIO(text, newline=''), strict=True, **form), 1
  try:
    for row in reader:
      number, first = first, reader.line_num + 1
      cells = [cell.strip() for cell in row]
      if not any(cells):
        continue
      if number < reader.line_num:
        raise error(
          f'{path}, row {number}: a cell that goes on in row {number + 1}; is a quote '
          'not closed?'
        )
      yield number, cells
  except csv.Error as reason:
    place = f'row {first}: {reason}'  # where it begins
    raise unreadable(path, what, place, remedy, error) from reason


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


def unreadable(
  path: str | os.PathLike,
  what: str,
  reason: object,
  remedy: str,
  error: type[InputError],
) -> InputError:
  """The error that says of a file that it can't be read, why, and what to do."""
  text = str(reason) or type(reason).__name__
  advice = f'; {remedy}' if remedy else ''
  subject = f'{what} ' if what else ''
  return error(f'{path}: {subject}cannot be read ({text}){advice}')
