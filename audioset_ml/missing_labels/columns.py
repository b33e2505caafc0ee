"""Scores class by class, though the file holds them clip by clip."""

from collections.abc import Iterator

import numpy as np

_CHUNK_BYTES = 1 << 25


def column_blocks(values: np.ndarray, memory: int) -> Iterator[tuple[int, np.ndarray]]:
  """Blocks of whole classes, read in as few passes over the file as memory allows.

  A memory map is read as a file: its pages would count as memory, and a class at a time
  would touch all of them for each class.

  Args:
    values: scores. Shape [clips, classes]; in memory or a memory map.
    memory: bytes that a block may have; but always eight classes or more.

  Yields:
    (first class, scores), shape [classes of the block, clips], float32; the classes of
    all blocks but the last are a multiple of eight. The array is used again.
  """
  clips, classes = values.shape
  width = min(classes, max(8, memory // max(4 * clips, 1) // 8 * 8))
  block = np.empty((width, clips), np.float32)
  for first in range(0, classes, width):
    here = block[: min(width, classes - first)]
    for row, chunk in _row_chunks(values):
      here[:, row : row + len(chunk)] = chunk[:, first : first + len(here)].T
    yield first, here


def _row_chunks(values: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
  """(first row, rows), of some 32 MB each."""
  clips, classes = values.shape
  rows = max(1, _CHUNK_BYTES // max(1, classes * values.itemsize))
  if not (isinstance(values, np.memmap) and values.flags.c_contiguous):
    for row in range(0, clips, rows):
      yield row, values[row : row + rows]
    return
  buffer = np.empty((rows, classes), values.dtype)
  with open(values.filename, 'rb', buffering=0) as file:
    file.seek(values.offset)
    for row in range(0, clips, rows):
      chunk = buffer[: min(rows, clips - row)]
      _read_into(file, memoryview(chunk).cast('B'))
      yield row, chunk


def _read_into(file, view: memoryview) -> None:
  """Fills a buffer; one call may read less than it asks for."""
  while len(view):
    number = file.readinto(view)
    if not number:
      raise OSError(f'{file.name}: ends too early')
    view = view[number:]
