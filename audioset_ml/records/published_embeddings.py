"""AudioSet's published embeddings: Google's TFRecord files, read and matched to clips.

Each record is a SequenceExample: `video_id`, `start_time_seconds`, `end_time_seconds`
and `labels` (indices of the class map) in its context, and the feature list
`audio_embedding`, a frame of 128 bytes for each 0.96 s.
"""

import array
import concurrent.futures
import dataclasses
import struct
from collections.abc import Iterator, Sequence

import numpy as np
from google.protobuf.message import DecodeError

from audioset_ml import folders, paths
from audioset_ml.errors import InputError, RecordError
from audioset_ml.labels.clip_labels import ClipLabelTable
from audioset_ml.labels.states import PRESENT_STATES
from audioset_ml.progress import progress_bar
from audioset_ml.records.frames import FrameFormat
from audioset_ml.records.sequence_example import (
  SequenceExample,
  context_of,
  lists_of,
)

FRAMES = FrameFormat.audioset_embeddings()
_LIST = 'audio_embedding'
_ENDING = '.tfrecord'
# Object stores answer slowly, but many questions at once.
_FILES_AT_ONCE = 16
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


@dataclasses.dataclass(frozen=True)
class Matches:
  """Which file has the embeddings of which clip.

  Attributes:
    files: the files, sorted.
    states: what changes when a file does.
    file: the file of each clip of the label table, -1 without. Shape [clips], int32.
    keys: the record's key of the clips whose start is another there, by clip.
    damaged: what is wrong with damaged files, by file.
    others: how many records are of no clip in the label table.
    differing: labels that only the records or only the label files have: clip, index of
      the class, whether the records have it.
  """

  files: tuple[str, ...]
  states: tuple[str, ...]
  file: np.ndarray
  keys: dict[int, str]
  damaged: dict[str, str]
  others: int
  differing: list[tuple[int, int, bool]]

  def counts(self) -> dict[str, int]:
    """What `prepare` counts of them."""
    in_records = sum(inside for _, _, inside in self.differing)
    return {
      'clips_with_other_start': len(self.keys),
      'embeddings_of_other_clips': self.others,
      'damaged_files': len(self.damaged),
      'labels_only_in_features': in_records,
      'labels_only_in_label_files': len(self.differing) - in_records,
    }

  def shards(self, clips_per_shard: int) -> list[list[int]]:
    """The files of each shard, neighbours together, so that each is read once.

    Args:
      clips_per_shard: with how many clips a shard is full.
    """
    clips = np.bincount(self.file[self.file >= 0], minlength=len(self.files))
    shards: list[list[int]] = []
    full = True
    for file in np.flatnonzero(clips).tolist():
      if full:
        shards.append([])
      shards[-1].append(file)
      full = clips[shards[-1]].sum() >= clips_per_shard
    return shards or [[]]


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


def match(
  features_dirs: Sequence[str],
  labels: ClipLabelTable,
  num_classes: int | None,
) -> Matches:
  """Finds the file of each clip; reads every file once, several at a time.

  A record is a clip's if video and start are its own, or else if the label files have
  one clip of this video that no record fits better.

  Args:
    features_dirs: folders with the files, at any depth.
    labels: the clips.
    num_classes: of the class map, which the records' labels are held against; None does
      not look at them: they are of another class map.

  Raises:
    InputError: there are no such files, they hold other features, two have the same
      clip, or a label is not in the class map.
  """
  files = find_files(features_dirs)
  clip_ids = labels.clips['clip_id'].tolist()
  rows = {clip_id: row for row, clip_id in enumerate(clip_ids)}
  found = np.full(len(clip_ids), -1, np.int32)
  unmatched: list[tuple[PublishedClip, int]] = []
  pairs = array.array('q')
  damaged: dict[str, str] = {}

  def take(row: int, file: int, clip: PublishedClip) -> None:
    if found[row] >= 0:
      raise InputError(
        f'{files[found[row]]} and {files[file]} both hold the clip {clip_ids[row]}; '
        'remove one of them, or name one folder only'
      )
    found[row] = file
    if num_classes is not None and clip.labels:
      pairs.extend(row * num_classes + label for label in clip.labels)

  with concurrent.futures.ThreadPoolExecutor(_FILES_AT_ONCE) as pool:
    contents = pool.map(_read_clips, files)
    bar = progress_bar(contents, total=len(files), unit='file', desc='index')
    for file, (clips, problem) in enumerate(bar):
      if problem:
        damaged[files[file]] = problem
      for clip in clips:
        _require_known(clip, files[file], num_classes)
        row = rows.get(clip.key)
        if row is None:
          unmatched.append((clip, file))
        else:
          take(row, file, clip)
  keys = {}
  for row, (clip, file) in _of_other_start(unmatched, clip_ids, found):
    take(row, file, clip)
    keys[row] = clip.key
  differing = []
  if num_classes is not None:
    differing = _differing(labels, found, pairs, num_classes)
  return Matches(
    tuple(files),
    tuple(map(folders.file_state, files)),
    found,
    keys,
    damaged,
    len(unmatched) - len(keys),
    differing,
  )


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


def _read_clips(path: str) -> tuple[list[PublishedClip], str]:
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


def _require_known(clip: PublishedClip, path: str, num_classes: int | None) -> None:
  if num_classes is None:
    return
  for label in clip.labels:
    if not 0 <= label < num_classes:
      raise InputError(
        f'{path}: {clip.key} has the label {label}, but the class map has '
        f'{num_classes} classes: it is not that of these features '
        '(--labels_in_features=ignore uses the label files alone)'
      )


def _of_other_start(
  unmatched: Sequence[tuple[PublishedClip, int]],
  clip_ids: Sequence[str],
  found: np.ndarray,
) -> Iterator[tuple[int, tuple[PublishedClip, int]]]:
  """The clips without a record whose video alone is in a record, with that record."""
  by_video = {clip.key.rpartition('_')[0]: (clip, file) for clip, file in unmatched}
  for row in np.flatnonzero(found < 0).tolist():
    one = by_video.pop(clip_ids[row].rpartition('_')[0], None)
    if one is not None:
      yield row, one


def _differing(
  labels: ClipLabelTable,
  found: np.ndarray,
  pairs: Sequence[int],
  num_classes: int,
) -> list[tuple[int, int, bool]]:
  """The labels that records and label files don't share, of clips that have records."""
  weak = labels.weak
  present = weak['state'].isin(PRESENT_STATES).to_numpy()
  weak = weak[present & (found[weak['clip'].to_numpy()] >= 0)]
  ours = weak['clip'].to_numpy().astype(np.int64) * num_classes
  ours += weak['class_index'].to_numpy()
  theirs = np.unique(np.array(pairs, np.int64))
  sides = ((np.setdiff1d(theirs, ours), True), (np.setdiff1d(ours, theirs), False))
  return sorted(
    (*divmod(int(pair), num_classes), inside) for side, inside in sides for pair in side
  )
