"""AudioSet's published embeddings: Google's TFRecord files, and what their records say.

Each record is a SequenceExample: `video_id`, `start_time_seconds`, `end_time_seconds`
and `labels` (indices of the class map) in its context, and the feature list
`audio_embedding`, a frame of 128 bytes for each 0.96 s.
"""

import dataclasses
import functools
import math
import struct
from collections.abc import Iterator, Sequence

import numpy as np
from google.protobuf.message import DecodeError

from audioset_ml.core import paths
from audioset_ml.core.errors import InputError, RecordError, counted
from audioset_ml.records.frames import FrameFormat
from audioset_ml.records.sequence_example import (
  SequenceExample,
  context_of,
  lists_of,
)

FRAMES = FrameFormat.audioset_embeddings()
_LIST = 'audio_embedding'
_ENDING = '.tfrecord'
# Bytes around a record: its length with a checksum, and that of the content.
_LENGTH, _HEADER, _FOOTER = 8, 12, 4
# How many bad records of a file are named; the rest are counted.
_RECORDS_NAMED = 10


@dataclasses.dataclass(frozen=True)
class PublishedClip:
  """What a record says of its clip.

  Attributes:
    key: `<video id>_<start in ms>`; the start can be another than the segments CSV's.
    labels: its positives, as indices of the class map.
  """

  key: str
  labels: tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class FileIndex:
  """What a file holds.

  Attributes:
    clips: what its records say.
    bad_records: records that are whole but of no use: number from 1, what is wrong.
    damage: why what follows could not be read; '' if all could.
    other_lists: which features the records have, if none has embeddings; else ''.
  """

  clips: tuple[PublishedClip, ...]
  bad_records: tuple[tuple[int, str], ...] = ()
  damage: str = ''
  other_lists: str = ''

  def bad_text(self) -> str:
    """The bad records in words, the first ten by their numbers."""
    shown = self.bad_records[:_RECORDS_NAMED]
    named = ', '.join(f'record {number} ({what})' for number, what in shown)
    more = len(self.bad_records) - len(shown)
    rest = f' and {more} more' if more else ''
    count = len(self.bad_records)
    return f'{count} bad record{"s" * (count > 1)}: {named}{rest}'


def find_files(features_dirs: Sequence[str]) -> list[str]:
  """All TFRecord files below some folders, sorted.

  Raises:
    InputError: a folder is none, or has no such file.
  """
  found: set[str] = set()
  for folder in features_dirs:
    if not paths.as_path(folder).is_dir():
      raise InputError(f'{folder}: no such folder of embeddings')
    here = [
      paths.absolute(f'{parent}/{name}')
      for parent, names in paths.walk(folder)
      for name in names
      if name.endswith(_ENDING)
    ]
    if not here:
      raise InputError(
        f"{folder}: has no {_ENDING} files; AudioSet's features.tar.gz unpacks to "
        'audioset_v1_embeddings/bal_train, …/eval and …/unbal_train'
      )
    found.update(here)
  return sorted(found)


def read_clips(files: Sequence[str]) -> Iterator[tuple[str, np.ndarray | str]]:
  """The embeddings in some files, in their order, without those of bad records.

  Yields:
    (key, frames [frames, 128] uint8, or what is wrong with them).

  Raises:
    RecordError: a file is damaged; what stands before has been given.
  """
  import tensorflow as tf

  dataset = tf.data.TFRecordDataset(list(files))
  try:
    for serialized in dataset.as_numpy_iterator():
      try:
        example = _decoded(serialized)
        clip = _clip(example)
      except RecordError:
        continue  # `read_file` has named it
      yield clip.key, _frames(example)
  except tf.errors.DataLossError as error:
    raise RecordError(f'damaged ({error.message})') from None


def read_file(path: str) -> FileIndex:
  """What a file's records say, and what is wrong with it.

  A record that can't be used is passed over. What follows a broken length is lost, for
  nothing tells where the next record begins; `read_clips` tests the contents' sums.
  """
  clips: list[PublishedClip] = []
  bad: list[tuple[int, str]] = []
  lists: set[str] = set()
  decoded = 0
  try:
    content = paths.as_path(path).read_bytes()
  except OSError as error:
    return FileIndex((), damage=f'cannot be read ({error})')
  try:
    for number, serialized in enumerate(_split(content), 1):
      try:
        example = _decoded(serialized)
        decoded += 1
        lists.update(entry.key for entry in example.feature_lists.feature_list)
        clips.append(_clip(example))
      except RecordError as error:
        bad.append((number, str(error)))
  except RecordError as error:
    damage = f'damaged after {counted(len(clips) + len(bad), "record")} ({error})'
    return FileIndex(tuple(clips), tuple(bad), damage)
  if decoded and _LIST not in lists:
    names = ', '.join(sorted(lists)) or 'none'
    what = f"its records have no feature list '{_LIST}' (but {names})"
    return FileIndex((), tuple(bad), what, names)
  return FileIndex(tuple(clips), tuple(bad))


def _split(content: bytes) -> Iterator[bytes]:
  """The records of a TFRecord file.

  Raises:
    RecordError: a length is wrong, by its checksum or by the file's end.
  """
  place = 0
  while place < len(content):
    begin = place + _HEADER
    if begin > len(content):
      raise RecordError('the file ends within a record')
    length, checksum = struct.unpack_from('<QI', content, place)
    if _masked_crc32c(content[place : place + _LENGTH]) != checksum:
      raise RecordError("a record's length has the wrong checksum")
    place = begin + length + _FOOTER
    if place > len(content):
      raise RecordError('the file ends within a record')
    yield content[begin : begin + length]


@functools.lru_cache(4096)  # most records are as long as many others
def _masked_crc32c(content: bytes) -> int:
  """The checksum of a few bytes, as TFRecord files hold it (RFC 3720, rotated)."""
  crc = 0xFFFFFFFF
  for byte in content:
    crc ^= byte
    for _ in range(8):
      crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
  crc ^= 0xFFFFFFFF
  return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def _decoded(serialized: bytes):
  """Raises RecordError if bytes are no SequenceExample."""
  try:
    return SequenceExample.FromString(serialized)
  except (DecodeError, UnicodeDecodeError):
    raise RecordError('cannot be decoded as a SequenceExample') from None


def _clip(example) -> PublishedClip:
  """What a record says; raises RecordError if it doesn't say of which clip it is."""
  context = context_of(example)
  try:
    (name,) = context['video_id'].bytes_list.value
    (start,) = context['start_time_seconds'].float_list.value
  except (KeyError, ValueError):
    raise RecordError('without video_id and start_time_seconds') from None
  video = name.decode(errors='replace')
  if not (math.isfinite(start) and start >= 0):
    raise RecordError(f'start_time_seconds of {video} is {start:g}')
  labels = tuple(context['labels'].int64_list.value) if 'labels' in context else ()
  return PublishedClip(f'{video}_{round(start * 1000)}', labels)


def _frames(example) -> np.ndarray | str:
  """A record's frames, or what is wrong with them."""
  features = lists_of(example).get(_LIST, ())
  values = [feature.bytes_list.value for feature in features]
  if not values:
    return 'no frames'
  if not values[0] and features[0].float_list.value:
    return f'frames are floats, not the strings of {FRAMES.values} bytes of AudioSet'
  for number, value in enumerate(values):
    if len(value) != 1 or len(value[0]) != FRAMES.values:
      width = 'no single string of bytes'
      if len(value) == 1:
        width = counted(len(value[0]), 'byte')
      return f'frame {number} has {width}, not {FRAMES.values}'
  joined = b''.join(value[0] for value in values)
  return np.frombuffer(joined, np.uint8).reshape(len(values), FRAMES.values)
