"""`embed`: records of spectrograms to records of a network's embeddings of them.

Shard by shard, each whole or not at all, in one process or in several. Labels are
copied as they are.
"""

import collections
import dataclasses
import functools
import json
import os
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from audioset_ml.core import csv_files, file_states, folders, paths
from audioset_ml.core.errors import ModelError, RecordError
from audioset_ml.core.input_files import read_json, read_text
from audioset_ml.models.model_files import ModelFiles
from audioset_ml.records import folder_files, record_writer, shard_runs
from audioset_ml.records.folder import RecordsFolder
from audioset_ml.records.frames import FrameFormat
from audioset_ml.records.shard import is_finished, written_files

_PARTS = '.parts'
_SUMMARY_FORM = {'bytes': int, 'sha256?': str, 'frames': [int]}
_CLIPS_A_BATCH = 16


@dataclasses.dataclass(frozen=True)
class EmbedConfig:
  """What to embed with what.

  Attributes:
    model: a train folder, a checkpoint in one, a `.keras` file or YAMNet weights.
    records: the clips.
  """

  model: str
  records: str


@dataclasses.dataclass(frozen=True)
class EmbedTask:
  """A shard to embed: its number, and how many clips it has."""

  index: int
  clips: int

  @property
  def part_file(self) -> str:
    """What a finished shard leaves."""
    return f'{self.index:05d}.json'


@dataclasses.dataclass(frozen=True)
class ShardEmbedder:
  """Embeds shards; can be sent to another process.

  Attributes:
    config: what to embed with what.
    output_dir: the folder that the stage writes.
    parts_dir: where a finished shard leaves its summary.
  """

  config: EmbedConfig
  output_dir: str
  parts_dir: str

  def write(
    self, task: EmbedTask, count: Callable[[int], object] = lambda clips: None
  ) -> collections.Counter[str]:
    """Writes a shard, then its summary, each renamed into place.

    Args:
      task: the shard.
      count: told how many more clips are done.

    Returns:
      How many clips were embedded; nothing if they were before.

    Raises:
      RecordError: the shard is damaged or holds other clips than clips.csv says.
      ModelError: an embedding is no finite number, or too large for float16.
    """
    output_dir = paths.as_path(self.output_dir)
    part = paths.as_path(self.parts_dir) / task.part_file
    shards, frames, embed = _opened(self.config)
    records = shards[task.index]
    shard = output_dir / paths.as_path(records.shards[0]).name
    if is_finished(part, shard, _SUMMARY_FORM):
      return collections.Counter()
    import tensorflow as tf

    from audioset_ml.records import schema
    from audioset_ml.records.dataset import damage_named

    # A name of its own for each attempt; see `records.shard`.
    partial = output_dir / f'.{shard.name}.{uuid.uuid4().hex}{folder_files.PARTIAL}'
    lengths = []
    with record_writer.opened(partial) as write, damage_named(records.path):
      serialized = tf.data.TFRecordDataset(list(records.shards)).as_numpy_iterator()
      for one, embeddings in zip(serialized, embed(records), strict=True):
        example = tf.train.Example.FromString(one)
        clip_id = schema.clip_id_of(example)
        if records.clip_ids[len(lengths) : len(lengths) + 1] != (clip_id,):
          raise RecordError(
            f'{records.path}: holds other clips than its clips.csv; prepare it again'
          )
        if not np.isfinite(embeddings).all():
          raise ModelError(
            f'{self.config.model}: its embeddings of {clip_id} are not all finite '
            f'numbers (NaN, infinity, or above {np.finfo(np.float16).max:.0f}, which '
            'float16 cannot hold): its weights are of no use, or the record is'
          )
        lengths.append(len(embeddings))
        write(schema.with_frames(example, embeddings, records.frames, frames))
        count(1)
    folders.sync(partial)
    summary = {**file_states.describe(partial), 'frames': lengths}
    partial.replace(shard)
    folders.write_atomically(part, json.dumps(summary))
    return collections.Counter(clips=len(lengths))


def frames_of(config: EmbedConfig) -> tuple[RecordsFolder, FrameFormat]:
  """The records, and what their embeddings will be but for their size, unopened.

  Raises:
    InputError: the records or the model can't be used, or don't fit each other.
  """
  records, files = RecordsFolder.open(config.records), ModelFiles.find(config.model)
  records.require_frames(files.frames, str(files.path))
  origin = f'embeddings of {config.model}'
  return records, records.frames.embeddings(1, files.digest(), origin)


def count_inputs(config: EmbedConfig) -> dict[str, Any]:
  """What `--dry_run` says: looks at what the stage would open, and counts."""
  records, frames = frames_of(config)
  patches = sum(
    records.frames.num_patches(row.frames) for row in records.read_clips().values()
  )
  return {'clips': len(records.clip_ids), frames.origin: patches}


# Each process opens the network once.
@functools.lru_cache(maxsize=1)
def _opened(
  config: EmbedConfig,
) -> tuple[
  list[RecordsFolder], FrameFormat, Callable[[RecordsFolder], Iterator[np.ndarray]]
]:
  import tensorflow as tf

  from audioset_ml.models.patch_parts import parts_of
  from audioset_ml.models.registry import embedding_model
  from audioset_ml.models.trained import TrainedModel
  from audioset_ml.records.dataset import clip_patches

  records, frames = frames_of(config)
  trained = TrainedModel.open(config.model)
  trained.require_patches(records.frames, str(records.path))
  network = embedding_model(trained.model)
  frames = dataclasses.replace(frames, values=network.output_shape[1][-1])

  @tf.function(reduce_retracing=True)
  def graph(patches: tf.Tensor) -> tf.Tensor:
    return tf.cast(network(patches, training=False)[1], tf.float16)

  def embed(records: RecordsFolder) -> Iterator[np.ndarray]:
    for patches, clip in clip_patches(records, _CLIPS_A_BATCH):
      parts = [graph(patches[part]).numpy() for part in parts_of(patches)]
      embeddings, lengths = np.concatenate(parts), np.bincount(clip)
      yield from np.split(embeddings, np.cumsum(lengths)[:-1])

  return records.split(), frames, embed


def embed(
  config: EmbedConfig,
  output_dir: str | os.PathLike,
  runs: shard_runs.RunConfig | None = None,
) -> tuple[dict[str, int], dict[str, Any]]:
  """Writes records of embeddings; what an earlier, killed call finished is kept.

  Args:
    config: what to embed with what.
    output_dir: the folder.
    runs: where the shards are embedded; None means in this process.

  Returns:
    Counts, and the details that `RecordsFolder.open` reads from run.json.

  Raises:
    InputError: the records or the model can't be used, or don't fit each other.
  """
  output_dir = paths.as_path(paths.absolute(output_dir))
  if paths.absolute(config.records) == str(output_dir):
    raise RecordError(f'{output_dir}: records cannot be written over themselves')
  records = RecordsFolder.open(config.records)
  old = folders.read_run(config.records, folder_files.WRITTEN_BY)
  texts = {
    name: read_text(records.path / name)
    for name in (folder_files.NOTES_FILE, folder_files.SKIPPED_FILE)
    if (records.path / name).exists()
  }
  _opened.cache_clear()  # a model may have been trained anew
  frames = _opened(config)[1]
  parts_dir = output_dir / _PARTS
  parts_dir.mkdir(exist_ok=True)
  shards = records.split()
  tasks = [EmbedTask(index, len(one.clip_ids)) for index, one in enumerate(shards)]
  worker = ShardEmbedder(config, str(output_dir), str(parts_dir))
  shard_runs.run(tasks, worker, runs or shard_runs.RunConfig(), 'embed')
  files = [parts_dir / task.part_file for task in tasks]
  remedy = 'delete it, and run `embed` again'
  parts = [read_json(file, _SUMMARY_FORM, remedy=remedy) for file in files]
  rows, lengths = records.read_clips(), [n for part in parts for n in part['frames']]
  names = [paths.as_path(shard).name for shard in records.shards]
  clips = [
    (clip_id, names[rows[clip_id].shard], length, rows[clip_id].seconds)
    for clip_id, length in zip(records.clip_ids, lengths, strict=True)
  ]
  csv_files.write_csv(
    output_dir / folder_files.CLIPS_FILE, folder_files.CLIPS_HEADER, clips
  )
  records.class_map.write(output_dir / folder_files.CLASS_MAP_FILE)
  for name, text in texts.items():
    folders.write_atomically(output_dir / name, text)
  paths.delete_tree(parts_dir)
  for entry in list(output_dir.iterdir()):
    if entry.name.endswith(folder_files.PARTIAL):  # of attempts that were killed
      paths.delete_tree(entry)
  kept = {name: old[name] for name in folder_files.OF_LABELS if name in old}
  network = {'model': config.model, 'digest': frames.network}
  files = {folder_files.SHARD_FILES: written_files(names, parts)}
  details = {**kept, **files, **frames.to_run(), 'network': network}
  return dict(old['counts']), details
