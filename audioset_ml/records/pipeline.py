"""`prepare`: sound files and labels to a folder of records, as a Beam pipeline.

A shard is the unit of work. Which clips it holds follows from a stable hash of their
ids alone, and it is written whole or not at all; so any runner with any number of
workers writes the same bytes, and a restart writes only the shards that are missing.
"""

import csv
import dataclasses
import hashlib
import io
import os
import pathlib
import shutil
import threading
from collections.abc import Sequence
from typing import Any

from audioset_ml import folders
from audioset_ml.audio import decoding
from audioset_ml.audio.front_end import FrontEnd
from audioset_ml.errors import InputError, RecordError
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.labels.clip_labels import ClipLabels, read_clip_labels
from audioset_ml.progress import progress_bar
from audioset_ml.records import folder, shard

SKIPPED_FILE = 'skipped.csv'


@dataclasses.dataclass(frozen=True)
class PrepareConfig:
  """What to make records of.

  Attributes:
    segments_csvs: weak labels; they say which clips there are.
    class_map: the class map's CSV.
    audio_dir: folder with the clips' sound files, at any depth.
    explicit_tsvs: confirmed and refuted labels.
    strong_tsvs: events with their times.
    front_end: the front end.
    decoder: one of `decoding.DECODERS`.
    clips_per_shard: about how many clips a shard holds.
    beam_args: Beam's own options, such as `--runner=…`.
  """

  segments_csvs: tuple[str, ...]
  class_map: str
  audio_dir: str
  explicit_tsvs: tuple[str, ...] = ()
  strong_tsvs: tuple[str, ...] = ()
  front_end: FrontEnd = dataclasses.field(default_factory=FrontEnd)
  decoder: str = 'soundfile'
  clips_per_shard: int = 500
  beam_args: tuple[str, ...] = ()

  def __post_init__(self):
    if self.decoder not in decoding.DECODERS:
      choices = ', '.join(decoding.DECODERS)
      raise InputError(f'decoder {self.decoder!r} is unknown; choose from {choices}')
    if self.clips_per_shard < 1:
      raise InputError(f'clips_per_shard is {self.clips_per_shard}, but at least 1')


def prepare(
  config: PrepareConfig, output_dir: str | os.PathLike
) -> tuple[dict[str, int], dict[str, Any]]:
  """Writes records of all clips that the segment CSVs name and that have sound.

  Args:
    config: what to read.
    output_dir: the folder to write; what an earlier, killed call finished is kept.

  Returns:
    Counts, and the details that `RecordsFolder.open` reads from run.json.

  Raises:
    LabelError: a label file is wrong.
    RecordError: no clip could be used.
  """
  output_dir = pathlib.Path(output_dir)
  class_map = ClassMap.read(config.class_map)
  clips, counts = read_clip_labels(
    class_map, config.segments_csvs, config.explicit_tsvs, config.strong_tsvs
  )
  tasks = _shard_tasks(clips, find_audio(config.audio_dir), config)
  parts_dir = output_dir / '.parts'
  parts_dir.mkdir(exist_ok=True)
  class_map.write(output_dir / folder.CLASS_MAP_FILE)
  writer = shard.ShardWriter(
    str(output_dir), str(parts_dir), config.front_end, config.decoder
  )
  _run_pipeline(tasks, writer, config.beam_args)
  summaries = shard.read_summaries(str(parts_dir), tasks)
  counts.update(_write_tables(summaries, output_dir))
  if not counts['clips']:
    reason = summaries[0]['skipped'][0][1] if summaries[0]['skipped'] else ''
    raise RecordError(
      f'{output_dir}: none of {counts["clips_labelled"]} clips could be used '
      f'(the first: {reason}); is {config.audio_dir} the folder with their sound?'
    )
  shutil.rmtree(parts_dir)
  return counts, {'shards': len(tasks), 'front_end': config.front_end.to_dict()}


def find_audio(audio_dir: str | os.PathLike) -> dict[str, str]:
  """Sound files below a folder by their name without its ending.

  Of files that differ in the ending only, the first in the order of
  `decoding.AUDIO_SUFFIXES` counts.

  Raises:
    InputError: there is no such folder.
  """
  if not os.path.isdir(audio_dir):
    raise InputError(f'{audio_dir}: no such folder of sound files')
  found: dict[str, tuple[int, str]] = {}
  seen: set[str] = set()
  for parent, subfolders, names in os.walk(audio_dir, followlinks=True):
    subfolders.sort()
    if os.path.realpath(parent) in seen:  # a link to a folder above
      subfolders.clear()
      continue
    seen.add(os.path.realpath(parent))
    for name in sorted(names):
      stem, suffix = os.path.splitext(name)
      if suffix.lower() in decoding.AUDIO_SUFFIXES:
        rank = decoding.AUDIO_SUFFIXES.index(suffix.lower())
        candidate = (rank, os.path.join(parent, name))
        found[stem] = min(found.get(stem, candidate), candidate)
  return {stem: path for stem, (_, path) in found.items()}


def stable_hash(clip_id: str) -> int:
  """A 64-bit hash of a clip id, the same on every machine and in every year."""
  return int.from_bytes(hashlib.blake2b(clip_id.encode(), digest_size=8).digest())


def _shard_tasks(
  clips: Sequence[ClipLabels], audio: dict[str, str], config: PrepareConfig
) -> list[shard.ShardTask]:
  """Assigns clips to shards, and orders them inside, by their hash."""
  shards = -(-len(clips) // config.clips_per_shard)
  members: list[list[ClipLabels]] = [[] for _ in range(shards)]
  for clip in clips:
    members[stable_hash(clip.clip_id) % shards].append(clip)
  tasks = []
  for index, chosen in enumerate(members):
    chosen.sort(key=lambda clip: (stable_hash(clip.clip_id), clip.clip_id))
    content = tuple(shard.ClipTask(clip, audio.get(clip.clip_id)) for clip in chosen)
    digest = _digest(shards, content, config)
    tasks.append(shard.ShardTask(index, shards, content, digest))
  return tasks


def _digest(shards: int, clips: Sequence[shard.ClipTask], config: PrepareConfig) -> str:
  """Changes with all that a shard's bytes depend on, its sound files' state too."""
  files = [folders.fingerprint(clip.audio_path) for clip in clips]
  content = repr((shards, clips, files, config.front_end, config.decoder))
  return hashlib.blake2b(content.encode(), digest_size=8).hexdigest()


def _run_pipeline(
  tasks: Sequence[shard.ShardTask], writer: shard.ShardWriter, beam_args: Sequence[str]
) -> None:
  """Runs the shards through Beam, in this process unless `beam_args` say otherwise."""
  import apache_beam as beam
  from apache_beam.options.pipeline_options import PipelineOptions

  # Beam's DirectRunner may start a runner written in Go, which it downloads; the
  # portable Python runner is the same in this process.
  args = list(beam_args)
  if not any(arg.startswith('--runner') for arg in args):
    args.append('--runner=FnApiRunner')
  with _progress(tasks, writer.parts_dir):
    pipeline = beam.Pipeline(options=PipelineOptions(args))
    _ = (
      pipeline
      | beam.Create(tasks)
      | beam.Reshuffle()
      | 'WriteShard' >> beam.Map(writer.write)
    )
    try:
      pipeline.run().wait_until_finish()
    except RuntimeError as error:  # as which Beam wraps whatever went wrong
      reason = str(error).strip().splitlines()[-1] if str(error).strip() else error
      raise RecordError(
        f'{writer.output_dir}: writing records failed: {reason}'
      ) from error


class _progress:
  """A bar of clips whose shards are finished, whoever writes them."""

  def __init__(self, tasks: Sequence[shard.ShardTask], parts_dir: str):
    self._sizes = {
      shard.summary_file(parts_dir, task): len(task.clips) for task in tasks
    }
    self._stop = threading.Event()
    self._thread = threading.Thread(target=self._watch, daemon=True)

  def __enter__(self):
    self._thread.start()

  def __exit__(self, *unused):
    self._stop.set()
    self._thread.join()

  def _watch(self) -> None:
    total = sum(self._sizes.values())
    with progress_bar(total=total, unit='clip', desc='prepare', smoothing=0) as bar:
      bar.initial = bar.n = self._finished()
      while not self._stop.wait(0.5):
        bar.update(self._finished() - bar.n)
      bar.update(self._finished() - bar.n)

  def _finished(self) -> int:
    return sum(size for path, size in self._sizes.items() if path.exists())


def _write_tables(
  summaries: Sequence[dict], output_dir: pathlib.Path
) -> dict[str, int]:
  """Writes clips.csv and skipped.csv; returns the counts of what was written."""
  clips = [row for summary in summaries for row in summary['clips']]
  skipped = [row for summary in summaries for row in summary['skipped']]
  _write_csv(output_dir / folder.CLIPS_FILE, folder.CLIPS_HEADER, clips)
  _write_csv(output_dir / SKIPPED_FILE, ('clip_id', 'reason'), skipped)
  counts = {'clips': len(clips), 'clips_skipped': len(skipped)}
  for name in summaries[0]['labels'] if summaries else ():
    counts[name] = sum(summary['labels'][name] for summary in summaries)
  return counts


def _write_csv(path: pathlib.Path, header: Sequence[str], rows: Sequence) -> None:
  text = io.StringIO()
  writer = csv.writer(text, lineterminator='\n')
  writer.writerow(header)
  writer.writerows(rows)
  folders.write_atomically(path, text.getvalue())
