"""Writing one shard: a bounded list of clips to one TFRecord file, or not at all."""

import collections
import dataclasses
import json
import uuid
from collections.abc import Callable, Sequence
from typing import Any

from audioset_ml.core import file_states, folders
from audioset_ml.core.errors import InputError
from audioset_ml.core.input_files import read_json
from audioset_ml.core.paths import Path, as_path
from audioset_ml.labels.clip_labels import count_classes, count_states
from audioset_ml.records import folder_files, record_writer
from audioset_ml.records.plan import ShardTask, read_plan
from audioset_ml.records.sources import (
  AudioSource,
  DamagedFile,
  EmbeddingsSource,
  Note,
  RecordsSource,
  Skipped,
)

_SUMMARY_FORM = {
  'bytes': int,
  'sha256?': str,
  'clips': [list],
  'skipped': [list],
  'damaged_files?': [list],
  'notes?': [list],
  'labels': {'*': int},
  'classes': {'*': [int]},
}


@dataclasses.dataclass(frozen=True)
class ShardWriter:
  """Writes shards into a folder; can be sent to another process.

  Attributes:
    output_dir: the records' folder.
    parts_dir: where the plans are and a finished shard leaves its summary.
    source: where the records come from.
  """

  output_dir: str
  parts_dir: str
  source: AudioSource | EmbeddingsSource | RecordsSource

  def write(
    self, task: ShardTask, count: Callable[[int], object] = lambda clips: None
  ) -> collections.Counter[str]:
    """Writes a shard's TFRecord file, then its summary, each renamed into place.

    Args:
      task: the shard.
      count: told how many more clips are done.

    Returns:
      How many clips were written ('clips') and skipped, by reason; nothing if the
      shard was finished already.
    """
    parts_dir, output_dir = as_path(self.parts_dir), as_path(self.output_dir)
    name = folder_files.shard_name(task.index, task.shards)
    if is_finished(parts_dir / task.part_file, output_dir / name):
      return collections.Counter()
    # A name of its own for each attempt: a worker that outlived its parent may be
    # writing the same shard.
    partial = output_dir / f'.{name}.{uuid.uuid4().hex}{folder_files.PARTIAL}'
    clips, skipped, damaged, notes, written = [], [], [], [], []
    plan = list(read_plan(parts_dir, task))
    with record_writer.opened(partial) as write:
      for result in self.source.records(task.index, plan):
        if isinstance(result, DamagedFile):
          damaged.append(dataclasses.astuple(result))
          continue
        if isinstance(result, Note):
          notes.append(dataclasses.astuple(result))
          continue
        count(1)
        if isinstance(result, Skipped):
          skipped.append(dataclasses.astuple(result))
          continue
        labels, serialized, frames, seconds = result
        write(serialized)
        written.append(labels)
        clips.append((labels.clip_id, name, frames, seconds))
    folders.sync(partial)
    file = file_states.describe(partial)
    partial.replace(output_dir / name)
    summary = {
      **file,
      'clips': clips,
      'skipped': skipped,
      'damaged_files': damaged,
      'notes': notes,
      'labels': count_states(written),
      'classes': count_classes(written),
    }
    folders.write_atomically(parts_dir / task.part_file, json.dumps(summary))
    reasons = collections.Counter(reason for _, reason, _ in skipped)
    return collections.Counter(clips=len(clips)) + reasons


def written_files(
  names: Sequence[str], summaries: Sequence[dict]
) -> dict[str, dict[str, Any]]:
  """What run.json says of the shards' files, by name; nothing where a summary lacks it.

  Args:
    names: the shards.
    summaries: what they left; those that an older version wrote have no checksum.
  """
  return {
    name: {key: summary[key] for key in ('bytes', 'sha256')}
    for name, summary in zip(names, summaries, strict=True)
    if 'sha256' in summary
  }


def is_finished(summary: Path, shard: Path, form: Any = None) -> bool:
  """Whether the shard is there as its summary says.

  Args:
    summary: the summary.
    shard: the shard.
    form: what the summary must say; None for that of `prepare`.
  """
  if not (summary.exists() and shard.exists()):
    return False
  try:
    written = read_json(summary, form or _SUMMARY_FORM)['bytes']
  except InputError:  # damaged: the shard is made again
    return False
  return written == file_states.file_size(shard)


def read_summaries(parts_dir: str, tasks: Sequence[ShardTask]) -> list[dict]:
  """The summaries of finished shards, in the order of the tasks."""
  parts = as_path(parts_dir)
  remedy = 'delete it, and run `prepare` again'
  files = [parts / task.part_file for task in tasks]
  return [read_json(one, _SUMMARY_FORM, remedy=remedy) for one in files]
