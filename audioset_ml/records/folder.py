"""A folder of records, opened: its shards, clips, classes and frames."""

import dataclasses
import functools
import itertools
import os
from collections.abc import Collection, Iterator
from typing import Any

import numpy as np

from audioset_ml.core import file_states, folders
from audioset_ml.core.errors import InputError, RecordError, counted, shown
from audioset_ml.core.file_states import WrittenFiles
from audioset_ml.core.input_files import fault_of_form, read_rows
from audioset_ml.core.paths import Path, as_path, is_remote
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.records.frames import FrameFormat

CLASS_MAP_FILE = 'class_map.csv'
CLIPS_FILE = 'clips.csv'
SKIPPED_FILE = 'skipped.csv'
NOTES_FILE = 'notes.csv'
WRITTEN_BY = ('prepare', 'embed')
SHARD_FILES = 'shard_files'  # in run.json: their sizes and checksums
PARTIAL = '.partial'  # how names of unfinished shards end
# What run.json says of labels and lengths, whatever the frames are.
OF_LABELS = (
  'shards',
  'hours',
  'skipped_reasons',
  'class_counts',
  'other_strong_labels',
)
_EVERY_CLASS = 'explicit_positives', 'explicit_negatives', 'clips_with_events'
_RUN_FORM = {
  'shards': int,
  'counts': {'*': int},
  'class_counts': {'*': dict.fromkeys(_EVERY_CLASS, int) | {'*': int}},
  f'{SHARD_FILES}?': file_states.FORM,
}
_REMEDY = 'make the records again with --overwrite'
SHARD_REMEDY = 'prepare the records again'
_MOST_SECONDS = 1_000_000  # of a clip: eleven days
CLIPS_HEADER = ('clip_id', 'shard', 'frames', 'seconds')
SKIPPED_HEADER = ('clip_id', 'reason', 'detail')


@dataclasses.dataclass(frozen=True)
class ClipRow:
  """A clip's row in clips.csv: its shard's number, its frames and its length (s)."""

  shard: int
  frames: int
  seconds: float


@dataclasses.dataclass(frozen=True)
class RecordsFolder:
  """What `prepare` wrote.

  Attributes:
    path: the folder.
    shards: its TFRecord files, in order.
    clip_ids: its clips, in the order in which the shards hold them.
    class_map: its classes.
    frames: what its frames are.
    counts: what `prepare` counted.
    counts_by_class: the same for each class that has labels, by mid.
    files: sizes and checksums of the shards, by name; records of older versions have
      none.
  """

  path: Path
  shards: tuple[str, ...]
  clip_ids: tuple[str, ...]
  class_map: ClassMap
  frames: FrameFormat
  counts: dict[str, int] = dataclasses.field(default_factory=dict)
  counts_by_class: dict[str, dict[str, int]] = dataclasses.field(default_factory=dict)
  files: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)

  @classmethod
  def open(cls, path: str | os.PathLike) -> 'RecordsFolder':
    """Opens a finished folder of `prepare` or `embed`.

    Raises:
      InputError: it isn't one.
      RecordError: files of it are missing, or have another size than was written.
    """
    run_json, shards = require_records(path)
    path = as_path(path)
    clip_ids, frames = [], frames_of(run_json, path)
    left = {name: file_states.file_size(path / name) for name in shards}
    for clip_id, shard, clip_frames, _ in _read_clips(path, shards):
      clip_ids.append(clip_id)
      left[shard] -= clip_frames * frames.frame_bytes
    if short := [name for name, size in left.items() if size < 0]:
      raise RecordError(
        f'{path}/{CLIPS_FILE}: says that {short[0]} holds more frames than its bytes '
        f'could be; {_REMEDY}'
      )
    if len(clip_ids) != run_json['counts'].get('clips', len(clip_ids)):
      raise RecordError(
        f'{path}/{CLIPS_FILE}: has {counted(len(clip_ids), "clip")}, but '
        f'{folders.RUN_FILE} counts {run_json["counts"]["clips"]}; {_REMEDY}'
      )
    if len(set(clip_ids)) < len(clip_ids):
      raise RecordError(f'{path}/{CLIPS_FILE}: names a clip twice; {_REMEDY}')
    return cls(
      path=path,
      shards=tuple(str(path / name) for name in shards),
      clip_ids=tuple(clip_ids),
      class_map=ClassMap.read(path / CLASS_MAP_FILE),
      frames=frames,
      counts=run_json['counts'],
      counts_by_class=run_json['class_counts'],
      files=run_json.get(SHARD_FILES, {}),
    )

  @functools.cached_property
  def num_classes(self) -> int:
    return len(self.class_map)

  @property
  def strong_clips(self) -> int:
    """How many clips have events or were annotated completely."""
    silent = self.counts.get('complete_clips_without_events', 0)
    return self.counts.get('clips_with_events', 0) + silent

  @property
  def complete(self) -> bool:
    """Whether any clip was annotated completely."""
    return bool(self.counts.get('complete_clips'))

  def class_counts(self, kind: str) -> np.ndarray:
    """How many clips have a kind of label of each class. Shape [classes].

    Args:
      kind: explicit_positives, explicit_negatives or clips_with_events.
    """
    nothing = {kind: 0}
    mids = self.class_map.mids
    return np.array([self.counts_by_class.get(mid, nothing)[kind] for mid in mids])

  def read_clips(self) -> dict[str, 'ClipRow']:
    """Where each clip of these shards is, and how long."""
    numbers = {as_path(name).name: i for i, name in enumerate(self.shards)}
    return {
      clip_id: ClipRow(numbers[shard], frames, seconds)
      for clip_id, shard, frames, seconds in _read_clips(self.path)
      if shard in numbers
    }

  def split(self) -> list['RecordsFolder']:
    """The records of each shard alone; their clips, one after the other, are all."""
    members: list[list[str]] = [[] for _ in self.shards]
    for clip_id, row in self.read_clips().items():
      members[row.shard].append(clip_id)
    return [
      dataclasses.replace(self, shards=(shard,), clip_ids=tuple(clip_ids))
      for shard, clip_ids in zip(self.shards, members, strict=True)
    ]

  def verify(self, remote: bool = False) -> int:
    """Reads the shards and holds them against their checksums, once in a process.

    Args:
      remote: whether to read those on other file systems than the disk, too.

    Returns:
      How many shards were held against one; those of older versions have none.

    Raises:
      RecordError: a shard is not what was written.
    """
    written = self.written(remote)
    written.require(SHARD_REMEDY, RecordError)
    return len(written.states)

  def written(self, remote: bool = False) -> WrittenFiles:
    """What is known of the shards, and held against them by `verify`."""
    if is_remote(self.path) and not remote:
      return WrittenFiles(self.path, {})
    names = [as_path(shard).name for shard in self.shards]
    return WrittenFiles(self.path, self.files).of(names)

  def holding_first(self, clips: int) -> 'RecordsFolder':
    """The records of those shards alone that hold the first so many clips."""
    rows = itertools.islice(self.read_clips().values(), clips)
    shards = [self.shards[number] for number in sorted({row.shard for row in rows})]
    return dataclasses.replace(
      self, shards=tuple(shards), clip_ids=self.clip_ids[:clips]
    )

  def at_hop(self, seconds: float) -> 'RecordsFolder':
    """The same records, their patches that many seconds apart; see `FrameFormat`."""
    return dataclasses.replace(self, frames=self.frames.at_hop(seconds))

  def require_like(self, other: 'RecordsFolder') -> None:
    """Checks that other records can be used with the model of these.

    Raises:
      RecordError: they have other frames or other classes.
    """
    self.require_frames(other.frames, str(other.path))
    self.require_class_map(other.class_map, str(other.path))

  def require_frames(
    self, frames: FrameFormat, owner: str, any_hop: bool = False
  ) -> None:
    """Raises RecordError unless the frames of these records are such.

    Args:
      frames: what they must be.
      owner: what needs them, for the message.
      any_hop: whether evaluation patches may be another time apart, as for a model.
    """
    if bool(self.frames.front_end) != bool(frames.front_end):
      raise RecordError(
        f'{self.path}: its frames are {self.frames.origin}, but {owner} is for '
        f'{frames.origin}'
      )
    if found := self.frames.difference(frames, any_hop):
      name, ours, theirs = found
      what, remedy = 'frames have', 'make the records in the same way'
      if self.frames.front_end:
        what, remedy = 'front end has', 'prepare the records again with that front end'
      raise RecordError(
        f'{self.path}: its {what} {name} = {ours}, but {owner} has {theirs}; {remedy}'
      )

  def require_class_map(self, class_map: ClassMap, owner: str) -> None:
    """Raises RecordError unless these records have these classes, in this order."""
    ours, theirs = self.class_map.mids, class_map.mids
    if len(ours) != len(theirs):
      raise RecordError(
        f'{self.path}: has {counted(len(ours), "class")}, but {owner} has {len(theirs)}'
      )
    for index, (mid, other) in enumerate(zip(ours, theirs, strict=True)):
      if mid != other:
        raise RecordError(
          f'{self.path}: class {index} is {mid}, but in {owner} it is {other}'
        )


def require_records(path: str | os.PathLike) -> tuple[dict[str, Any], tuple[str, ...]]:
  """What run.json says of a finished `prepare` folder, and its shards' names.

  Raises:
    InputError: it isn't one.
    RecordError: shards are missing, or have another size than was written.
  """
  run_json, path = folders.read_run(path, WRITTEN_BY), as_path(path)
  fault = fault_of_form(run_json, _RUN_FORM)
  if not fault and not 0 < run_json['shards'] < 100_000:
    fault = f"'shards' is {run_json['shards']}"
  if fault:
    raise RecordError(f'{path}/{folders.RUN_FILE}: cannot be read ({fault}); {_REMEDY}')
  shards = tuple(shard_name(i, run_json['shards']) for i in range(run_json['shards']))
  missing = [name for name in shards if not (path / name).is_file()]
  if missing:
    raise RecordError(f'{path}: {missing[0]} is missing; run prepare again')
  written = WrittenFiles(path, run_json.get(SHARD_FILES, {}))
  if others := set(written.states) - set(shards):
    raise RecordError(
      f'{path}/{folders.RUN_FILE}: speaks of {shown(min(others))}, which is none of '
      f'its shards; {_REMEDY}'
    )
  written.require(SHARD_REMEDY, RecordError, sizes_only=True)
  return run_json, shards


def read_skipped(path: Path) -> list[tuple[str, str, str]]:
  """Why clips are not in some records: clip, kind of reason, and the reason itself.

  Args:
    path: the records' folder; where it lacks the table, nothing is known.

  Raises:
    InputError: the table can't be read.
  """
  if not (file := path / SKIPPED_FILE).exists():
    return []
  return [tuple(cells) for _, cells in read_rows(file, SKIPPED_HEADER, remedy=_REMEDY)]


def frames_of(run_json: dict[str, Any], path: str | os.PathLike) -> FrameFormat:
  """What the frames are of which a folder's run.json speaks.

  Raises:
    InputError: it doesn't say, or nothing that can be.
  """
  try:
    return FrameFormat.from_run(run_json)
  except (InputError, TypeError) as error:
    raise InputError(f'{path}/{folders.RUN_FILE}: {error}') from error


def _read_clips(
  path: Path, shards: Collection[str] | None = None
) -> Iterator[tuple[str, str, int, float]]:
  """The rows of clips.csv, one after the other: all at once would take a gigabyte.

  Args:
    path: the folder.
    shards: the names of its shards, if they are to be checked.

  Raises:
    RecordError: it can't be read, or a row is wrong.
  """
  known, file = None if shards is None else set(shards), path / CLIPS_FILE
  for number, cells in read_rows(file, CLIPS_HEADER, remedy=_REMEDY, error=RecordError):
    clip_id, shard, frames, seconds = cells
    try:
      row = clip_id, shard, int(frames), float(seconds)
      if not clip_id or row[2] < 0 or not 0 <= row[3] <= _MOST_SECONDS:
        raise ValueError('an empty id, or a length that none can have')
      if known is not None and shard not in known:
        raise ValueError(f'there is no shard {shown(shard)}')
    except ValueError as error:
      raise RecordError(f'{file}, row {number}: {error}; {_REMEDY}') from error
    yield row


def shard_name(index: int, shards: int) -> str:
  """The file name of a shard."""
  return f'records-{index:05d}-of-{shards:05d}.tfrecord'
