"""A hash that is the same on every machine and in every year."""

import hashlib


def stable_hash(text: str) -> int:
  """A 64-bit hash of a clip id, say."""
  return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest())
