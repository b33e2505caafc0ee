"""Hashes that are the same on every machine and in every year."""

import functools
import hashlib
from collections.abc import Hashable, Iterator, Sequence

from audioset_ml import folders
from audioset_ml.paths import Path
from audioset_ml.progress import progress_bar

_BLOCK_BYTES = 2**20


def stable_hash(text: str) -> int:
  """A 64-bit hash of a clip id, say."""
  return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest())


def file_digest(path: Path) -> str:
  """The SHA-256 of a file, in hexadecimal digits; it is read in blocks.

  Raises:
    OSError: the file can't be read.
  """
  digest = hashlib.sha256()
  with path.open('rb') as file:
    while block := file.read(_BLOCK_BYTES):
      digest.update(block)
  return digest.hexdigest()


def file_digests(files: Sequence[Path]) -> Iterator[tuple[Path, str]]:
  """Files and the SHA-256 of each, read once in a process, with a progress bar.

  Raises:
    OSError: a file can't be read.
  """
  states = [folders.file_state(file) for file in files]
  sizes = [folders.file_size(file) for file in files]
  with progress_bar(
    total=sum(sizes), desc='checksums', unit='B', unit_scale=True, delay=2
  ) as bar:
    for file, state, size in zip(files, states, sizes, strict=True):
      yield file, digest_in_state(file, state)
      bar.update(size)


@functools.cache
def digest_in_state(file: Path, state: Hashable) -> str:
  """The digest of a file in a state, such as its size and time of change; read once in
  a process as long as that stays as it is."""
  del state
  return file_digest(file)
