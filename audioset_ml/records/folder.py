"""A folder of records, opened: its shards, clips, classes and frames."""

import dataclasses
import functools
import itertools
import os
from typing import Any

import numpy as np

from audioset_ml.core import file_states, folders
from audioset_ml.core.errors import RecordError, counted
from audioset_ml.core.file_states import WrittenFiles
from audioset_ml.core.paths import Path, as_path, is_remote
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.records.folder_files import (
  CLASS_MAP_FILE,
  CLIPS_FILE,
  REMEDY,
  SHARD_FILES,
  SHARD_REMEDY,
  frames_of,
  read_clip_rows,
  require_records,
)
from audioset_ml.records.frames import FrameFormat


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
    for clip_id, shard, clip_frames, _ in read_clip_rows(path, shards):
      clip_ids.append(clip_id)
      left[shard] -= clip_frames * frames.frame_bytes
    if short := [name for name, size in left.items() if size < 0]:
      raise RecordError(
        f'{path}/{CLIPS_FILE}: says that {short[0]} holds more frames than its bytes '
        f'could be; {REMEDY}'
      )
    if len(clip_ids) != run_json['counts'].get('clips', len(clip_ids)):
      raise RecordError(
        f'{path}/{CLIPS_FILE}: has {counted(len(clip_ids), "clip")}, but '
        f'{folders.RUN_FILE} counts {run_json["counts"]["clips"]}; {REMEDY}'
      )
    if len(set(clip_ids)) < len(clip_ids):
      raise RecordError(f'{path}/{CLIPS_FILE}: names a clip twice; {REMEDY}')
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
      for clip_id, shard, frames, seconds in read_clip_rows(self.path)
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
