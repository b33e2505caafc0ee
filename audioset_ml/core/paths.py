"""Paths on disk and elsewhere: pathlib here, tf.io.gfile for `gs://`, `s3://` and such.

`as_path` gives an object with pathlib's methods either way, so that no caller needs to
know. TensorFlow is imported only when a path has a scheme.
"""

import codecs
import contextlib
import os
import pathlib
import posixpath
import shutil
import warnings
from collections.abc import Iterator
from typing import IO, Union

from audioset_ml.core.errors import InputError, escaped

Path = Union[pathlib.Path, 'GfilePath']

# Where tensorflow-io can be had, for messages. Its last release loads nowhere else.
TENSORFLOW_IO = (
  'Python 3.11 or 3.12 with TensorFlow 2.17 can have it: '
  "pip install 'audioset_ml[tensorflow-io]'"
)


def as_path(path: 'str | os.PathLike | GfilePath') -> Path:
  """A path with pathlib's methods, on whatever file system it is."""
  if isinstance(path, GfilePath):
    return path
  text = os.fspath(path)
  return GfilePath(text) if is_remote(text) else pathlib.Path(text)


def is_remote(path: 'str | os.PathLike') -> bool:
  """Whether a path has a scheme, as in `gs://bucket/folder`."""
  return '://' in os.fspath(path)


def absolute(path: 'str | os.PathLike') -> str:
  """A path that means the same in another process."""
  return os.fspath(path) if is_remote(path) else os.path.abspath(path)


# For `errors=` where text with names in it is encoded.
ESCAPED = 'audioset_ml.escaped'


def _escape_all(error: UnicodeError) -> tuple[str, int]:
  if not isinstance(error, UnicodeEncodeError):
    raise error
  return ''.join(map(escaped, error.object[error.start : error.end])), error.end


codecs.register_error(ESCAPED, _escape_all)


# What operating systems leave among files, in archives too.
_CLUTTER = {
  *('__MACOSX', '.DS_Store', '.Spotlight-V100', '.Trashes', '.fseventsd'),
  *('@eaDir', '#recycle', '$RECYCLE.BIN', 'System Volume Information', 'lost+found'),
  *('Thumbs.db', 'desktop.ini'),
}


def is_clutter(name: str) -> bool:
  """Whether a file or folder is an operating system's own, by its name."""
  return name in _CLUTTER or name.startswith('._')


def walk(folder: 'str | os.PathLike') -> Iterator[tuple[str, list[str]]]:
  """Each folder below a folder, itself first, with its files' names; both sorted.

  Links to folders are followed, but no folder is walked twice. What is an operating
  system's own (`is_clutter`) is passed over on disk, with all that is in it.
  """
  if is_remote(folder):
    with os_errors():
      for parent, _, names in _gfile(os.fspath(folder)).walk(os.fspath(folder)):
        yield parent, sorted(names)
    return
  seen: set[str] = set()
  for parent, subfolders, names in os.walk(folder, followlinks=True):
    subfolders[:] = sorted(name for name in subfolders if not is_clutter(name))
    if os.path.realpath(parent) in seen:  # a link to a folder above
      subfolders.clear()
      continue
    seen.add(os.path.realpath(parent))
    yield parent, sorted(names)


def read_byte_lines(path: 'str | os.PathLike') -> Iterator[bytes]:
  """A file's lines, one by one: what isn't asked for isn't read.

  Raises:
    OSError: the file can't be read.
  """
  if is_remote(path):
    with os_errors(), as_path(path).open('rb') as file:
      yield from file
  else:
    with open(path, 'rb') as file:
      yield from file


def delete_tree(path: Path) -> None:
  """Removes a folder and what is in it, or a file; nothing where there is none."""
  if isinstance(path, GfilePath):
    if path.exists():
      _gfile(str(path)).rmtree(str(path))
  elif path.is_dir():
    shutil.rmtree(path, ignore_errors=True)
  else:
    path.unlink(missing_ok=True)


class GfilePath(os.PathLike):
  """A path that tf.io.gfile reads and writes, with the methods of pathlib.Path."""

  def __init__(self, path: str):
    # ram:// and others keep no empty folders, but all know a name without its slash.
    scheme, _, rest = path.partition('://')
    self._path = f'{scheme}://{rest.rstrip("/")}'

  def __fspath__(self) -> str:
    return self._path

  __str__ = __fspath__

  def __repr__(self) -> str:
    return f'GfilePath({self._path!r})'

  def __eq__(self, other: object) -> bool:
    return isinstance(other, GfilePath) and self._path == other._path

  def __hash__(self) -> int:
    return hash(self._path)

  def __truediv__(self, name: str | os.PathLike) -> 'GfilePath':
    return GfilePath(posixpath.join(self._path, os.fspath(name)))

  @property
  def name(self) -> str:
    return posixpath.basename(self._path)

  @property
  def parent(self) -> 'GfilePath':
    return GfilePath(posixpath.dirname(self._path))

  def with_name(self, name: str) -> 'GfilePath':
    return self.parent / name

  def exists(self) -> bool:
    with os_errors():
      return _gfile(self._path).exists(self._path)

  def is_dir(self) -> bool:
    with os_errors():
      return _gfile(self._path).isdir(self._path)

  def is_file(self) -> bool:
    return self.exists() and not self.is_dir()

  def mkdir(self, parents: bool = False, exist_ok: bool = False) -> None:
    del parents, exist_ok  # object stores have no folders to be in the way
    with os_errors():
      _gfile(self._path).makedirs(self._path)

  def iterdir(self) -> Iterator['GfilePath']:
    with os_errors():
      names = _gfile(self._path).listdir(self._path)
    return (self / name.rstrip('/') for name in names)

  def open(self, mode: str = 'r') -> IO:
    return _gfile(self._path).GFile(self._path, mode)

  def read_bytes(self) -> bytes:
    with os_errors(), self.open('rb') as file:
      return file.read()

  def read_text(self, encoding: str = 'utf-8') -> str:
    return self.read_bytes().decode(encoding)

  def write_bytes(self, data: bytes) -> None:
    with os_errors(), self.open('wb') as file:
      file.write(data)

  def replace(self, target: 'str | os.PathLike') -> None:
    with os_errors():
      _gfile(self._path).rename(self._path, os.fspath(target), overwrite=True)

  rename = replace

  def unlink(self, missing_ok: bool = False) -> None:
    if not (missing_ok and not self.exists()):
      with os_errors():
        _gfile(self._path).remove(self._path)

  def size(self) -> int:
    """Its size in bytes."""
    with os_errors():
      return _gfile(self._path).stat(self._path).length

  def state(self) -> str:
    """Its size and time of change; '' if there is no such file."""
    try:
      with os_errors():
        status = _gfile(self._path).stat(self._path)
    except FileNotFoundError:
      return ''
    if status.is_directory:
      return ''
    return f'{status.length} bytes, changed at {status.mtime_nsec}'


def _gfile(path: str):
  """tf.io.gfile, with the plug-in for a path's file system where one is needed.

  Raises:
    InputError: there is none.
  """
  import tensorflow as tf

  scheme = path.partition('://')[0]
  if scheme not in tf.io.gfile.get_registered_schemes():
    lacking = _lacks_tensorflow_io()
    if scheme not in tf.io.gfile.get_registered_schemes():
      why = lacking or ', nor does tensorflow-io'
      raise InputError(f'{path}: TensorFlow knows no file system {scheme}://{why}')
  return tf.io.gfile


def _lacks_tensorflow_io() -> str:
  """Loads tensorflow-io, which knows s3, az, hdfs, http and others; or why it can't."""
  known = ', and tensorflow-io, which knows more,'
  with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter('always')
    try:
      import tensorflow_io  # noqa: F401
    except ModuleNotFoundError:
      return f'{known} is not installed: {TENSORFLOW_IO}'
    except Exception as error:  # TensorFlow's own types, of another version of it
      return f'{known} does not load ({type(error).__name__}): {TENSORFLOW_IO}'
  if any('unable to load' in str(one.message) for one in said):
    return f'{known} does not load here: {TENSORFLOW_IO}'
  return ''


@contextlib.contextmanager
def os_errors() -> Iterator[None]:
  """TensorFlow's errors as Python's, which callers of pathlib expect."""
  import tensorflow as tf

  try:
    yield
  except tf.errors.NotFoundError as error:
    raise FileNotFoundError(error.message) from error
  except tf.errors.PermissionDeniedError as error:
    raise PermissionError(error.message) from error
  except tf.errors.OpError as error:
    raise OSError(error.message) from error
