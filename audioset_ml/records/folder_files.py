"""The files of a folder of records: their names, and what run.json and the tables say.

Needs no TensorFlow. `folder.RecordsFolder` is such a folder, opened.
"""

import os
from collections.abc import Collection, Iterator
from typing import Any

from audioset_ml.core import file_states, folders
from audioset_ml.core.errors import InputError, RecordError, shown
from audioset_ml.core.file_states import WrittenFiles
from audioset_ml.core.input_files import fault_of_form, read_rows
from audioset_ml.core.paths import Path, as_path
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
REMEDY = 'make the records again with --overwrite'
SHARD_REMEDY = 'prepare the records again'
_MOST_SECONDS = 1_000_000  # of a clip: eleven days
CLIPS_HEADER = ('clip_id', 'shard', 'frames', 'seconds')
SKIPPED_HEADER = ('clip_id', 'reason', 'detail')


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
    raise RecordError(f'{path}/{folders.RUN_FILE}: cannot be read ({fault}); {REMEDY}')
  shards = tuple(shard_name(i, run_json['shards']) for i in range(run_json['shards']))
  missing = [name for name in shards if not (path / name).is_file()]
  if missing:
    raise RecordError(f'{path}: {missing[0]} is missing; run prepare again')
  written = WrittenFiles(path, run_json.get(SHARD_FILES, {}))
  if others := set(written.states) - set(shards):
    raise RecordError(
      f'{path}/{folders.RUN_FILE}: speaks of {shown(min(others))}, which is none of '
      f'its shards; {REMEDY}'
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
  return [tuple(cells) for _, cells in read_rows(file, SKIPPED_HEADER, remedy=REMEDY)]


def frames_of(run_json: dict[str, Any], path: str | os.PathLike) -> FrameFormat:
  """What the frames are of which a folder's run.json speaks.

  Raises:
    InputError: it doesn't say, or nothing that can be.
  """
  try:
    return FrameFormat.from_run(run_json)
  except (InputError, TypeError) as error:
    raise InputError(f'{path}/{folders.RUN_FILE}: {error}') from error


def read_clip_rows(
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
  for number, cells in read_rows(file, CLIPS_HEADER, remedy=REMEDY, error=RecordError):
    clip_id, shard, frames, seconds = cells
    try:
      row = clip_id, shard, int(frames), float(seconds)
      if not clip_id or row[2] < 0 or not 0 <= row[3] <= _MOST_SECONDS:
        raise ValueError('an empty id, or a length that none can have')
      if known is not None and shard not in known:
        raise ValueError(f'there is no shard {shown(shard)}')
    except ValueError as error:
      raise RecordError(f'{file}, row {number}: {error}; {REMEDY}') from error
    yield row


def shard_name(index: int, shards: int) -> str:
  """The file name of a shard."""
  return f'records-{index:05d}-of-{shards:05d}.tfrecord'
