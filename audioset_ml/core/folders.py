"""The folders that stages write: finished or not, by whom, and from what."""

import contextlib
import fcntl
import hashlib
import json
import os
import pathlib
import stat
import tempfile
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

from audioset_ml.core import file_states, model_digests, paths
from audioset_ml.core.errors import InputError, remedy
from audioset_ml.core.file_states import file_state
from audioset_ml.core.input_files import read_json
from audioset_ml.core.paths import ESCAPED, GfilePath, Path, as_path

RUN_FILE = 'run.json'
# What a run.json says, whichever stage wrote it.
RUN_FORM = {
  'stage?': str,
  'inputs?': {'*': (str, list, None)},
  'counts?': dict,
  'front_end?': {'*': float},
  'frames?': {'*': (str, float)},
  'left_out?': (dict, None),
  f'{model_digests.MODEL_FILES}?': file_states.FORM,
}
LABEL_SET_FILE = 'label_set.json'
SAVED_MODEL_FILE = model_digests.SAVED_MODEL_FILE


def is_finished(folder: str | os.PathLike) -> bool:
  """Whether a stage ran to its end in this folder."""
  return (as_path(folder) / RUN_FILE).is_file()


def read_run(folder: str | os.PathLike, stage: str | Sequence[str]) -> dict[str, Any]:
  """The provenance (`run.json`) of a finished stage's folder.

  Args:
    folder: the folder.
    stage: the stage that must have written it; or several, one of which must have.

  Raises:
    InputError: there is no such folder, it isn't finished, or another stage wrote it.
  """
  path = as_path(folder)
  stages = (stage,) if isinstance(stage, str) else tuple(stage)
  stage = stages[0]
  if not path.is_dir():
    raise InputError(f'{path}: no such folder; `{stage}` writes it')
  if not is_finished(path):
    raise InputError(
      f'{path}: not a finished `{stage}` folder (no {RUN_FILE} in it); run '
      f'`python -m audioset_ml.{stage}` to its end first'
    )
  remedy = f'run `{stage}` again with --overwrite'
  run_json = read_json(path / RUN_FILE, RUN_FORM, remedy=remedy)
  if run_json.get('stage') not in stages:
    raise InputError(
      f'{path}: written by `{run_json.get("stage")}`, but a `{stage}` folder is needed'
    )
  return run_json


def fingerprint(path: str | Sequence[str] | None) -> str | list[str]:
  """What changes when an input does: a digest of a stage's run, or a file's state.

  To the run's digest comes what is no longer as the run wrote it, of its model's files.

  Args:
    path: a stage's folder, a label set, a SavedModel, a file, or a list of these. Of
      other folders (of sound files, say) nothing is told.
  """
  if isinstance(path, (list, tuple)):
    return [fingerprint(one) for one in path]
  if not path:
    return ''
  folder = as_path(path)
  for name in (RUN_FILE, LABEL_SET_FILE):
    file = folder / name
    if file.is_file():
      content = file.read_bytes()
      state = hashlib.sha256(content).hexdigest()
      # Nothing but for a model that is another than was written.
      return '; '.join([state, *model_digests.changes(path, content)])
  if (folder / SAVED_MODEL_FILE).is_file():
    files = (SAVED_MODEL_FILE, 'variables/variables.index')
    files += ('variables/variables.data-00000-of-00001',)
    return '; '.join(file_state(folder / name) for name in files)
  # A checkpoint is named by what its files' names begin with.
  if (checkpoint := file_state(f'{path}.index')) and not file_state(path):
    data = file_state(f'{path}.data-00000-of-00001')
    return f'{checkpoint}; {data}'
  return file_state(path)


def sync(path: Path) -> None:
  """Makes sure that a file is on the disk, before its name says that it is whole."""
  if not isinstance(path, GfilePath):
    with open(path, 'rb') as file:
      os.fsync(file.fileno())


def require_writable(path: str | os.PathLike) -> None:
  """Raises InputError, or OSError, if a file can't be written there.

  Behind links, for what they lead to is written. A device, pipe or socket isn't: what
  is written gets a name of its own first, and would take its place.
  """
  path = as_path(path)
  if path.is_dir():
    raise InputError(f'{path}: is a folder, but a file is to be written')
  if paths.is_remote(path):
    return
  target = _behind_links(path)
  if not target.parent.is_dir():
    parent = target.parent if path.is_symlink() else path.parent  # as it was given
    raise InputError(f'{path}: there is no folder {parent} to write it to')
  try:
    # Without a name where the system can do it, so that a kill leaves nothing.
    with (
      tempfile.TemporaryFile(dir=target.parent),
      contextlib.suppress(FileNotFoundError),
    ):
      os.lstat(target.with_name(partial_name(target.name)))  # is the name too long?
  except OSError as error:
    raise InputError(
      f'{path}: cannot be written ({error.strerror}); {remedy(error)}'
    ) from error


def _behind_links(path: pathlib.Path) -> pathlib.Path:
  """Where a file is written: what links lead to.

  Raises:
    InputError: there is something that is no regular file.
  """
  try:
    target = path.resolve()
    mode = target.stat().st_mode
  except FileNotFoundError:
    mode = None
  # Links in a circle: resolve raises RuntimeError, from Python 3.13 on stat OSError.
  except (OSError, RuntimeError) as error:
    raise InputError(f'{path}: cannot be written ({error})') from error
  if mode is not None and not stat.S_ISREG(mode):
    raise InputError(
      f'{path}: is no regular file (a device, pipe or socket), which a file would '
      'replace; name another path'
    )
  return target


def partial_name(name: str) -> str:
  """The name under which a file is written; a kill may leave it."""
  return f'.{name}.partial'


def write_atomically(path: Path, content: str | bytes) -> None:
  """Writes a file under another name and renames it, so that no half file is seen.

  Text is UTF-8; file names in it that are none are escaped.

  Raises:
    InputError: there is something that is no regular file.
  """
  data = content.encode(errors=ESCAPED) if isinstance(content, str) else content
  if isinstance(path, GfilePath):
    partial = path.with_name(partial_name(path.name))
    partial.write_bytes(data)
    partial.replace(path)
    return
  with whole_file(path) as file:
    file.write(data)


@contextlib.contextmanager
def whole_file(path: str | os.PathLike) -> Iterator[BinaryIO]:
  """A file on disk to write, which is there when all of it is, and not before.

  Behind links, what they lead to is written.

  Raises:
    InputError: there is something that is no regular file.
  """
  target = _behind_links(as_path(path))
  partial = target.with_name(partial_name(target.name))
  told = f'{path}: another process is writing it; waiting'
  # Closing it may fail once more, of what a full disk has not taken.
  with errors_naming(path), locked_file(partial, told) as file:
    try:
      file.truncate()
      yield file
      file.flush()
      os.fsync(file.fileno())
      os.replace(partial, target)
    except BaseException:
      partial.unlink(missing_ok=True)
      raise


@contextlib.contextmanager
def errors_naming(path: str | os.PathLike) -> Iterator[None]:
  """While a file is written: what names none, as of a full disk, names this one."""
  try:
    yield
  except OSError as error:
    if error.filename is not None:
      raise
    # NumPy says only how many values were not written.
    said = error.strerror or f'{error}; is the disk full?'
    raise OSError(error.errno, said, os.fspath(path)) from error


def locked_file(path: pathlib.Path, told: str) -> BinaryIO:
  """Opens a file to read and write, made if need be, and keeps other processes off it.

  The lock goes with the file object, or with its process, however that ends.

  Args:
    path: the file.
    told: what is printed if another process has it, whose end is waited for.

  Raises:
    FileNotFoundError: there is no folder to make it in.
  """
  while True:
    file = open(os.open(path, os.O_RDWR | os.O_CREAT, 0o666), 'r+b')  # noqa: SIM115
    try:
      fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
      print(told, flush=True)
      fcntl.flock(file, fcntl.LOCK_EX)
    if _is_file(file.fileno(), path):
      return file
    file.close()  # it was renamed or removed meanwhile


def _is_file(descriptor: int, path: pathlib.Path) -> bool:
  """Whether a path still is the file that is open."""
  try:
    return os.path.samestat(os.fstat(descriptor), os.stat(path))
  except FileNotFoundError:
    return False


def write_json(path: Path, content: dict[str, Any]) -> None:
  """Writes JSON, which knows no NaN or infinity, atomically."""
  write_atomically(path, json.dumps(content, indent=2, allow_nan=False) + '\n')
