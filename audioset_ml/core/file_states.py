"""What files are, by size, time of change and SHA-256, and whether they still are it.

A run.json has sizes and checksums of what its stage wrote, by name; those of older
versions have none, and their files are taken as they are. Needs no TensorFlow.
"""

import dataclasses
import functools
import os
import stat
from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Any

from audioset_ml.core import hashing
from audioset_ml.core.errors import InputError
from audioset_ml.core.paths import GfilePath, Path, is_remote
from audioset_ml.core.progress import progress_bar

# What is said of files in run.json, by name; of very large ones there is no checksum.
FORM = {'*': {'bytes': int, 'sha256': str}}
FORM_OF_LARGE = {'*': {'bytes': int, 'sha256?': str}}
# What a file may be by now, beside another one.
GONE, NO_FILE = 'gone', 'no file'

_State = Mapping[str, Any]


def file_state(path: str | os.PathLike) -> str:
  """A file's size and time of change; '' for what is no file."""
  if is_remote(path):
    return GfilePath(os.fspath(path)).state()
  try:
    status = os.stat(path)
  except OSError:
    return ''
  if not stat.S_ISREG(status.st_mode):
    return ''
  return f'{status.st_size} bytes, changed at {status.st_mtime_ns}'


def file_size(path: Path) -> int:
  """A file's size in bytes."""
  return path.size() if isinstance(path, GfilePath) else path.stat().st_size


def describe(path: Path, most_hashed: int | None = None) -> dict[str, Any]:
  """What run.json says of a file.

  Args:
    path: the file.
    most_hashed: of a larger one (bytes) the size alone; None for no such limit.
  """
  size = file_size(path)
  if most_hashed is not None and size > most_hashed:
    return {'bytes': size}
  return {'bytes': size, 'sha256': hashing.file_digest(path)}


@dataclasses.dataclass(frozen=True)
class WrittenFiles:
  """Files of a folder as they were written.

  Attributes:
    folder: the folder.
    states: what run.json says of them, by their names in the folder: see FORM.
  """

  folder: Path
  states: Mapping[str, _State]

  def changes(self, sizes_only: bool = False) -> Iterator[tuple[str, str]]:
    """Which files are others now, and what they are: GONE, NO_FILE, a size or a digest.

    Digests are taken once in a process, with a progress bar.

    Args:
      sizes_only: whether not to read them.

    Raises:
      OSError: a file can't be read.
    """
    hashed = {}
    for name, written in self.states.items():
      path = self.folder / name
      if (size := _size(path)) != written['bytes']:
        yield name, f'{size:,} bytes' if isinstance(size, int) else size
      elif 'sha256' in written and not sizes_only:
        hashed[name] = path
    if not hashed:
      return
    sizes = {name: self.states[name]['bytes'] for name in hashed}
    with progress_bar(
      total=sum(sizes.values()), desc='checksums', unit='B', unit_scale=True, delay=2
    ) as bar:
      for name, path in hashed.items():
        if (digest := _digest(path, _key(path))) != self.states[name]['sha256']:
          yield name, digest
        bar.update(sizes[name])

  def require(
    self, remedy: str, error: type[InputError], sizes_only: bool = False
  ) -> None:
    """Raises an error for the first file that is another one.

    Args:
      remedy: what to do about it, for the message.
      error: its kind.
      sizes_only: whether not to read them.
    """
    for name, found in self.changes(sizes_only):
      if found in (GONE, NO_FILE):
        what = 'is no longer there'
      elif found.endswith(' bytes'):
        what = f'has {found}, but {self.states[name]["bytes"]:,} were written'
      else:
        what = 'is not as it was written (its SHA-256 is another than run.json says)'
      raise error(f'{self.folder / name}: {what}; {remedy}')

  def of(self, names: Sequence[str]) -> 'WrittenFiles':
    """Those of some names of which something is known."""
    known = {name: self.states[name] for name in names if name in self.states}
    return WrittenFiles(self.folder, known)


def _size(path: Path) -> int | str:
  """A file's size in bytes, or what else there is."""
  try:
    if isinstance(path, GfilePath):
      return path.size()
    status = os.stat(path)
  except (OSError, ValueError):  # ValueError: of names with a null character
    return GONE
  return status.st_size if stat.S_ISREG(status.st_mode) else NO_FILE


def _key(path: Path) -> Hashable:
  """What changes when a file does, also to one of the same size and time."""
  if isinstance(path, GfilePath):
    return path.state()
  status = os.stat(path)
  return status.st_size, status.st_mtime_ns, status.st_ctime_ns


@functools.cache
def _digest(path: Path, key: Hashable) -> str:
  """The digest of a file in a state; read once in a process while that stays."""
  del key
  return hashing.file_digest(path)
