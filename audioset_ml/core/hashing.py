"""Hashes that are the same on every machine and in every year."""

import hashlib

from audioset_ml.core.paths import Path

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
