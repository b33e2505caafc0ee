"""AudioSet's published embeddings: Google's TFRecord files, and what their records say.

Each record is a SequenceExample: `video_id`, `start_time_seconds`, `end_time_seconds`
and `labels` (indices of the class map) in its context, and the feature list
`audio_embedding`, a frame of 128 bytes for each 0.96 s.
"""

import dataclasses
import struct
from collections.abc import Iterator, Sequence

import numpy as np
from google.protobuf.message import DecodeError

from audioset_ml import paths
from audioset_ml.errors import InputError, RecordError
from audioset_ml.records.frames import FrameFormat
from audioset_ml.records.sequence_example import (
  SequenceExample,
  context_of,
  lists_of,
)

FRAMES = FrameFormat.audioset_embeddings()
_LIST = 'audio_embedding'
_ENDING = '.tfrecord'
_HEADER, _FOOTER = 12, 4  # bytes around a record: its length and two checksums


@dataclasses.dataclass(frozen=True)
class PublishedClip:
  """What a record says of its clip.

  Attributes:
    key: `<video id>_<start in ms>`; the start can be another than the segments CSV's.
    labels: its positives, as indices of the class map.
  """

  key: str
  labels: tuple[int, ...]


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
  """The embeddings in some files, in their order.

  Yields:
    (key, frames [frames, 128] uint8, or what is wrong with them).

  Raises:
    RecordError: a file is damaged; what stands before has been given.
  """
  import tensorflow as tf

  dataset = tf.data.TFRecordDataset(list(files))
  try:
    for serialized in dataset.as_numpy_iterator():
      example = SequenceExample.FromString(serialized)
      yield _clip(example).key, _frames(example)
  except tf.errors.DataLossError as error:
    raise RecordError(f'damaged ({error.message})') from None


def read_file(path: str) -> tuple[list[PublishedClip], str]:
  """What a file's records say, and what is wrong with it, '' if nothing is."""
  clips: list[PublishedClip] = []
  try:
    content = paths.as_path(path).read_bytes()
  except OSError as error:
    return clips, f'cannot be read ({error})'
  try:
    for serialized in _split(content):
      example = SequenceExample.FromString(serialized)
      if not clips:
        _require_embeddings(example, path)
      clips.append(_clip(example))
  except (DecodeError, RecordError) as error:
    return clips, f'damaged after {len(clips)} clips ({error})'
  return clips, ''


def _split(content: bytes) -> Iterator[bytes]:
  """The records of a TFRecord file; TensorFlow checks the sums when it reads them."""
  place = 0
  while place < len(content):
    begin = place + _HEADER
    length = struct.unpack_from('<Q', content, place)[0] if begin <= len(content) else 0
    place = begin + length + _FOOTER
    if place > len(content):
      raise RecordError('the file ends within a record')
    yield content[begin : begin + length]


def _clip(example) -> PublishedClip:
  context = context_of(example)
  try:
    (name,) = context['video_id'].bytes_list.value
    (start,) = context['start_time_seconds'].float_list.value
  except (KeyError, ValueError):
    raise RecordError('a record without video_id and start_time_seconds') from None
  labels = tuple(context['labels'].int64_list.value) if 'labels' in context else ()
  key = f'{name.decode(errors="replace")}_{round(start * 1000)}'
  return PublishedClip(key, labels)


def _require_embeddings(example, path: str) -> None:
  """Raises InputError if a file holds features of another kind altogether."""
  lists = lists_of(example)
  if _LIST not in lists:
    names = ', '.join(sorted(lists)) or 'none'
    raise InputError(
      f"{path}: its records have no feature list '{_LIST}' (but {names}): these are "
      "not AudioSet's published embeddings"
    )


def _frames(example) -> np.ndarray | str:
  """A record's frames, or what is wrong with them."""
  features = lists_of(example).get(_LIST, ())
  values = [feature.bytes_list.value for feature in features]
  if not values:
    return 'no frames'
  for number, value in enumerate(values):
    if len(value) != 1 or len(value[0]) != FRAMES.values:
      width = len(value[0]) if len(value) == 1 else 'no single string of'
      return f'frame {number} has {width} bytes, not {FRAMES.values}'
  joined = b''.join(value[0] for value in values)
  return np.frombuffer(joined, np.uint8).reshape(len(values), FRAMES.values)
