"""How much memory model files ask for: bounds, held before anything is unpacked.

A `.keras` file is an archive with an HDF5 file in it. Both can be packed, so that three
megabytes unpack to gigabytes. Weights hardly get smaller when they are packed.
"""

import io
import os
import pathlib
import zipfile
from collections.abc import Mapping

import h5py

from audioset_ml.core.errors import ModelError

# How many times a file's size, and in any case how many bytes, may come out of it.
_TIMES, _FREE_BYTES = 20, 1 << 26


def datasets_of(file: h5py.File) -> dict[str, h5py.Dataset]:
  """All datasets of an HDF5 file by their full names, none of them read."""
  found = {}

  def visit(name: str, item: object) -> None:
    if isinstance(item, h5py.Dataset):
      found[name] = item

  file.visititems(visit)
  return found


def require_bounded(datasets: Mapping[str, h5py.Dataset], size: int) -> None:
  """Raises ValueError if the datasets of a file of some bytes are far larger."""
  _require(sum(one.size * one.dtype.itemsize for one in datasets.values()), size)


def require_bounded_model(path: str | os.PathLike) -> int:
  """How many numbers a `.keras` file holds as weights.

  Raises:
    ModelError: it is damaged or unpacks to far more.
  """
  path = pathlib.Path(path)
  size, numbers = path.stat().st_size, 0
  try:
    with zipfile.ZipFile(path) as archive:
      members = archive.infolist()
      _require(sum(one.file_size for one in members), size)
      for member in members:
        if member.filename.endswith(('.h5', '.hdf5')):
          content = io.BytesIO(archive.read(member))
          with h5py.File(content, 'r') as file:
            datasets = datasets_of(file)
            require_bounded(datasets, size)
            numbers += sum(one.size for one in datasets.values())
  except Exception as error:  # of zipfile and h5py
    raise ModelError(
      f'{path}: not a Keras model of this package ({type(error).__name__}: {error})'
    ) from error
  return numbers


def _require(unpacked: int, size: int) -> None:
  if unpacked > max(_FREE_BYTES, _TIMES * size):
    raise ValueError(f'{size} bytes that would unpack to {unpacked}')
