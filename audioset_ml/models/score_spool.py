"""Arrays that grow row by row, on disk: for what would not fit into memory."""

import os
import pathlib
import shutil
import tempfile
import zipfile

import numpy as np

from audioset_ml.core import folders
from audioset_ml.core.errors import printable

_BYTES_AT_ONCE = 1 << 24


class Spool:
  """A float32 array that is written block by block and read by parts.

  Attributes:
    shape: [rows, columns] so far.
  """

  def __init__(self, path: pathlib.Path):
    self._path = path
    self._file = path.open('wb')  # until `close`
    self.shape = (0, 0)

  def add(self, rows: np.ndarray) -> None:
    """Appends rows. Shape [rows, columns]."""
    # The disk of temporary files may be full where that of the outputs is not.
    with folders.errors_naming(self._path):
      np.ascontiguousarray(rows, np.float32).tofile(self._file)
    self.shape = (self.shape[0] + len(rows), rows.shape[1])

  def columns(self, chosen: list[int]) -> np.ndarray:
    """Some columns of all rows. Shape [rows, chosen]."""
    self._file.flush()
    rows, columns = self.shape
    found = np.empty((rows, len(chosen)), np.float32)
    step = max(1, _BYTES_AT_ONCE // (4 * max(columns, 1)))
    # Plain reads: a memory map's pages would count as memory.
    with open(self._path, 'rb') as file:
      for row in range(0, rows, step):
        part = np.fromfile(file, np.float32, min(step, rows - row) * columns)
        found[row : row + step] = part.reshape(-1, columns)[:, chosen]
    return found

  def copy_to(self, archive: zipfile.ZipFile, name: str) -> None:
    """Writes it as an array of an `.npz` file."""
    with folders.errors_naming(self._path):
      self._file.flush()
    header = {'descr': '<f4', 'fortran_order': False, 'shape': self.shape}
    with archive.open(f'{name}.npy', 'w', force_zip64=True) as file:
      np.lib.format.write_array_header_1_0(file, header)
      with open(self._path, 'rb') as source:
        shutil.copyfileobj(source, file, _BYTES_AT_ONCE)

  def close(self) -> None:
    """Deletes it."""
    self._file.close()
    self._path.unlink(missing_ok=True)


class Spools:
  """Spools by name, in a folder of their own that goes with them."""

  def __init__(self):
    self._folder = tempfile.TemporaryDirectory(prefix='audioset_ml_tag_')
    self._spools: dict[str, Spool] = {}

  def __getitem__(self, name: str) -> Spool:
    if name not in self._spools:
      path = pathlib.Path(self._folder.name, f'{len(self._spools)}.float32')
      self._spools[name] = Spool(path)
    return self._spools[name]

  def clear(self) -> None:
    """Deletes the spools; the next ones begin empty."""
    for spool in self._spools.values():
      spool.close()
    self._spools = {}

  def close(self) -> None:
    """Deletes the folder."""
    self.clear()
    self._folder.cleanup()


def npz_keys(paths: list[str]) -> list[str]:
  """The file names under which arrays are stored; whole paths where names repeat.

  What is no text in them is escaped, as `errors.printable` does.
  """
  names = [printable(os.path.basename(path)) for path in paths]
  return [
    name if names.count(name) == 1 else printable(path)
    for name, path in zip(names, paths, strict=True)
  ]
