"""The content of single records, for people to look at."""

import bisect
import dataclasses
import difflib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from audioset_ml.core.errors import InputError, RecordError
from audioset_ml.labels.clip_labels import ClipLabels, StrongEvent
from audioset_ml.records.folder import RecordsFolder
from audioset_ml.records.folder_files import CLIPS_FILE
from audioset_ml.records.frames import FrameFormat

# A near match is looked for among so many ids on either side in alphabetical order:
# difflib would take minutes for the ids of AudioSet's two million clips.
_NEIGHBOURS = 2000


@dataclasses.dataclass(frozen=True)
class ClipContent:
  """A clip as its record holds it.

  Attributes:
    labels: its labels.
    frames: its log-mel spectrogram or embeddings, padding of the sound at the end
      included. Shape [frames, values], float32.
    seconds: its length (s).
  """

  labels: ClipLabels
  frames: np.ndarray
  seconds: float


def read_clip(records: RecordsFolder, clip_id: str) -> ClipContent:
  """Reads a clip from the one shard that holds it.

  Raises:
    InputError: the records have no such clip; names a similar one.
    RecordError: the shard is damaged, or lacks the clip.
  """
  clips = records.read_clips()
  if clip_id not in clips:
    raise InputError(
      f'{records.path}: no clip {clip_id!r}{_suggestion(clip_id, clips)} '
      f'({CLIPS_FILE} in it lists all; without --clip_id some are named)'
    )
  return next(read_clips(records, [clip_id]))


def read_clips(
  records: RecordsFolder, clip_ids: Sequence[str]
) -> Iterator[ClipContent]:
  """Reads some clips, in the order of the records; each shard is read once.

  Args:
    records: the records.
    clip_ids: clips that they have.

  Raises:
    RecordError: a shard is damaged, not as it was written, or lacks a clip.
  """
  # Imported here: who asks for a clip that there isn't is told so at once.
  from audioset_ml.records.dataset import damage_named

  rows = records.read_clips()
  by_shard: dict[int, set[str]] = {}
  for clip_id in clip_ids:
    by_shard.setdefault(rows[clip_id].shard, set()).add(clip_id)
  read = tuple(records.shards[shard] for shard in sorted(by_shard))
  dataclasses.replace(records, shards=read).verify()
  for shard, wanted in sorted(by_shard.items()):
    with damage_named(records.shards[shard]):
      for record in _find_records(records.shards[shard], wanted, records.frames):
        labels, frames = _clip_labels(record), _frames(record, records.frames)
        latest = max((event.end for event in labels.strong), default=0.0)
        seconds = max(rows[labels.clip_id].seconds, latest)
        yield ClipContent(labels, frames, seconds)


def read_first_labels(records: RecordsFolder, clips: int) -> tuple[ClipLabels, ...]:
  """The labels of the first so many clips, without their features.

  Raises:
    RecordError: a shard is damaged, not as it was written, or holds other clips than
      clips.csv says.
  """
  from audioset_ml.records.dataset import label_records

  first = records.holding_first(clips)
  first.verify()
  labels = tuple(map(_clip_labels, label_records(first, clips, strong=True)))
  if tuple(clip.clip_id for clip in labels) != records.clip_ids[:clips]:
    raise RecordError(
      f'{records.path}: its shards hold other clips than its {CLIPS_FILE}; run prepare '
      'again into a new folder'
    )
  return labels


def _find_records(
  shard: str, wanted: set[str], frames: FrameFormat
) -> Iterator[dict[str, Any]]:
  """The parsed records of some clips; only their features are copied."""
  import tensorflow as tf

  from audioset_ml.records import schema

  names = tf.constant(sorted(wanted))

  def is_one(serialized):
    return tf.reduce_any(schema.parse(serialized, weak=False)['clip_id'] == names)

  found = tf.data.TFRecordDataset(shard).filter(is_one).take(len(wanted))
  found = found.map(lambda serialized: schema.parse(serialized, frames, strong=True))
  lacking = set(wanted)
  for record in found.as_numpy_iterator():
    lacking.discard(record['clip_id'].decode())
    yield record
  if lacking:
    raise RecordError(
      f'{shard}: clip {min(lacking)} is not in it, though {CLIPS_FILE} says so; '
      'prepare the records again'
    )


def _frames(record: dict[str, Any], frames: FrameFormat) -> np.ndarray:
  import tensorflow as tf

  from audioset_ml.records import schema

  first = tf.constant(0, tf.int64)
  stored = schema.decode_frames(record['frames'], first, record['num_frames'], frames)
  return schema.as_floats(stored, frames).numpy()


def _clip_labels(record: dict[str, Any]) -> ClipLabels:
  """The labels of a parsed record, strong ones in the order of their begin."""
  from audioset_ml.records import schema

  events = [*_events(record, 'strong'), *_events(record, 'strong_negative')]
  return ClipLabels(
    clip_id=record['clip_id'].decode(),
    weak=dict(zip(*schema.weak_labels(record), strict=True)),
    strong=tuple(sorted(events, key=lambda event: (event.start, event.class_index))),
    unmarked=record['unmarked'],
  )


def _events(record: dict[str, Any], kind: str) -> Iterable[StrongEvent]:
  columns = [record[f'{kind}/{name}'] for name in ('class', 'start', 'end')]
  for index, start, end in zip(*columns, strict=True):
    # Float32 in the record; thousandths of a second in the label files.
    times = round(float(start), 3), round(float(end), 3)
    yield StrongEvent(int(index), *times, present=kind == 'strong')


def _suggestion(clip_id: str, known: Iterable[str]) -> str:
  """`; did you mean …?`, or nothing where no id is similar."""
  ordered = sorted(known)
  place = bisect.bisect(ordered, clip_id)
  nearby = ordered[max(place - _NEIGHBOURS, 0) : place + _NEIGHBOURS]
  # A YouTube id alone, without the start of the clip, is the likeliest slip.
  longer = [name for name in nearby if name.startswith(f'{clip_id}_')]
  matches = longer or difflib.get_close_matches(clip_id, nearby, n=1)
  return f'; did you mean {matches[0]}?' if matches else ''
