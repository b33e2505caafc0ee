"""`prepare`: sound files and labels to a folder of records, shard by shard.

A shard is written whole or not at all, from its plan alone; so any runner with any
number of workers writes the same bytes, and a restart writes only what is missing.
"""

import collections
import csv
import dataclasses
import io
import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from audioset_ml import folders, paths
from audioset_ml.audio import decoding
from audioset_ml.audio.front_end import FrontEnd
from audioset_ml.errors import InputError, UnfinishedError
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.labels.clip_labels import CLASS_COUNTS
from audioset_ml.labels.clip_list import read_clip_list
from audioset_ml.labels.join import JoinedLabels, read_labels
from audioset_ml.labels.label_files import LabelFiles
from audioset_ml.labels.wrong_rows import write_wrong_rows
from audioset_ml.records import (
  folder,
  plan,
  published_embeddings,
  shard,
  shard_runs,
)
from audioset_ml.records.frames import FrameFormat
from audioset_ml.records.sources import AudioSource, EmbeddingsSource, RecordsSource

LOST_FILE = 'lost_clips.csv'
_PARTS = '.parts'
DIFFERING_FILE = 'differing_labels.csv'
Source = AudioSource | EmbeddingsSource | RecordsSource


@dataclasses.dataclass(frozen=True)
class PrepareConfig:
  """What to make records of.

  Attributes:
    labels: the label files.
    audio_dir: folder with the clips' sound files, at any depth.
    records: instead of audio_dir: records to take the features from.
    features_dirs: instead of both: folders of AudioSet's published embeddings.
    labels_in_features: whether the labels in these are held against the label files.
    front_end: the front end; that of `records`, where they are given.
    decoder: one of `decoding.DECODERS`.
    clips_per_shard: about how many clips a shard holds.
    min_seconds: a shorter sound is skipped.
    max_extra_seconds: a sound longer than its clip by more is skipped.
    max_skipped_fraction: the largest share of clips that may be skipped.
    clip_fraction: the share of the clips to use, by a hash of their ids.
    clip_list: a list of the clips to use, of which it is a share; '' for all.
  """

  labels: LabelFiles
  audio_dir: str = ''
  records: str = ''
  features_dirs: tuple[str, ...] = ()
  labels_in_features: bool = True
  front_end: FrontEnd = dataclasses.field(default_factory=FrontEnd)
  decoder: str = 'soundfile'
  clips_per_shard: int = 500
  min_seconds: float = 0.96
  max_extra_seconds: float = 0.5
  max_skipped_fraction: float = 0.5
  clip_fraction: float = 1.0
  clip_list: str = ''

  def __post_init__(self):
    given = (self.audio_dir, self.records, self.features_dirs)
    if sum(map(bool, given)) != 1:
      raise InputError(
        'records are made either of sound files (audio_dir), of published embeddings '
        '(features_dir) or of other records (records, labels_only): give one of them'
      )
    if self.decoder not in decoding.DECODERS:
      choices = ', '.join(decoding.DECODERS)
      raise InputError(f'decoder {self.decoder!r} is unknown; choose from {choices}')
    if self.clips_per_shard < 1:
      raise InputError(f'clips_per_shard is {self.clips_per_shard}, but at least 1')
    if not 0 < self.clip_fraction <= 1:
      raise InputError(f'clip_fraction is {self.clip_fraction}, but must be in (0, 1]')


def read_chosen_labels(config: PrepareConfig) -> tuple[JoinedLabels, tuple[str, ...]]:
  """The labels of the clips that a configuration chooses; see `read_labels`.

  Returns:
    The labels; and the clips of the list that no segments CSV has.

  Raises:
    InputError: they have none of the list's clips.
  """
  joined = read_labels(config.labels)
  labels, lost = joined.labels, ()
  if config.clip_list:
    wanted = read_clip_list(config.clip_list)
    known = labels.clips['clip_id']
    labels = labels.of_rows(np.flatnonzero(known.isin(wanted)))
    there = set(labels.clips['clip_id'])
    lost = tuple(clip_id for clip_id in wanted if clip_id not in there)
    if not there:
      raise InputError(
        f'{config.clip_list}: names {len(wanted)} clips, {wanted[0]} for one, but none '
        f'of the {len(known)} of the segments CSVs ({known.iloc[0]} for one)'
      )
  if config.clip_fraction < 1:
    labels = labels.sample(config.clip_fraction)
  if len(labels) == len(joined.labels):
    return joined, lost
  counts = {**joined.counts, 'clips_labelled': len(labels)}
  return dataclasses.replace(joined, labels=labels, counts=counts), lost


def prepare(
  config: PrepareConfig,
  output_dir: str | os.PathLike,
  runs: shard_runs.RunConfig | None = None,
) -> tuple[dict[str, int], dict[str, Any]]:
  """Writes records of all clips that the segment CSVs name and that have sound.

  Args:
    config: what to read.
    output_dir: the folder to write; what an earlier, killed call finished is kept.
    runs: where the shards are written; None means in this process.

  Returns:
    Counts, and the details that `RecordsFolder.open` reads from run.json.

  Raises:
    LabelError: a label file is wrong.
    UnfinishedError: no clip could be used, or more were skipped than may be.
  """
  output_dir = paths.as_path(output_dir)
  joined, lost = read_chosen_labels(config)
  frames, tasks, source, known = _plan(config, joined, output_dir)
  parts_dir = output_dir / _PARTS
  joined.class_map.write(output_dir / folder.CLASS_MAP_FILE)
  writer = shard.ShardWriter(
    paths.absolute(output_dir), paths.absolute(parts_dir), source
  )
  shard_runs.run(tasks, writer, runs or shard_runs.RunConfig(), 'prepare')
  summaries = shard.read_summaries(str(parts_dir), tasks)
  counts = dict(joined.counts) | known
  counts.update(_write_tables(summaries, output_dir))
  write_wrong_rows(output_dir, joined.wrong_rows)
  if config.clip_list:
    counts['clips_lost_of_list'] = len(lost)
    rows = [(clip_id, 'in no segments CSV') for clip_id in lost]
    folders.write_csv(output_dir / LOST_FILE, ('clip_id', 'reason'), rows)
  _check_skipped(config, counts, summaries, output_dir)
  paths.delete_tree(parts_dir)
  for entry in list(output_dir.iterdir()):
    if entry.name.endswith(folder.PARTIAL):  # of attempts that were killed
      paths.delete_tree(entry)
  seconds = sum(row[3] for summary in summaries for row in summary['clips'])
  details = {
    'shards': len(tasks),
    'hours': round(seconds / 3600, 4),
    'skipped_reasons': _reasons(summaries),
    'class_counts': _class_counts(summaries, joined.class_map),
    'other_strong_labels': joined.others.to_dict('index'),
    **frames.to_run(),
  }
  if joined.outside:
    details['events_outside_annotated_classes'] = joined.outside
  return counts, details


def _plan(
  config: PrepareConfig, joined: JoinedLabels, output_dir: paths.Path
) -> tuple[FrameFormat, list[plan.ShardTask], Source, dict[str, int]]:
  """Plans the shards; their frames, tasks, source, and what was counted."""
  labels, parts_dir = joined.labels, output_dir / _PARTS
  if config.records:
    if paths.absolute(config.records) == paths.absolute(output_dir):
      raise InputError(f'{output_dir}: records cannot be written over themselves')
    old = folder.RecordsFolder.open(config.records)
    source = RecordsSource(config.records, tuple(map(paths.absolute, old.shards)))
    clips = old.read_clips()
    places = {clip_id: row.shard for clip_id, row in clips.items()}
    members = plan.assign(labels, len(old.shards), places)
    known = _old_reasons(old.path)
    known |= {clip_id: str(row.seconds) for clip_id, row in clips.items()}
    settings = f'{source} {folders.fingerprint(config.records)}'
    parts_dir.mkdir(exist_ok=True)
    tasks = plan.write_plans(parts_dir, labels, members, known, {}, settings)
    return old.frames, tasks, source, {}
  if config.features_dirs:
    return _plan_embeddings(config, joined, output_dir)
  source = AudioSource(
    config.front_end, config.decoder, config.min_seconds, config.max_extra_seconds
  )
  sounds = plan.find_audio(config.audio_dir, labels.clips['clip_id'].tolist())
  members = plan.assign(labels, -(-len(labels) // config.clips_per_shard))
  states = plan.file_states(sounds)
  sounds = {clip_id: sounds[clip_id] for clip_id in states}
  parts_dir.mkdir(exist_ok=True)
  tasks = plan.write_plans(parts_dir, labels, members, sounds, states, repr(source))
  return FrameFormat.log_mel(config.front_end), tasks, source, {}


def _plan_embeddings(
  config: PrepareConfig, joined: JoinedLabels, output_dir: paths.Path
) -> tuple[FrameFormat, list[plan.ShardTask], Source, dict[str, int]]:
  """Plans shards of whole files of embeddings, neighbours together."""
  labels, parts_dir = joined.labels, output_dir / _PARTS
  classes = len(joined.class_map) if config.labels_in_features else None
  found = published_embeddings.match(config.features_dirs, labels, classes)
  shards = found.shards(config.clips_per_shard)
  clip_ids = labels.clips['clip_id'].tolist()
  placed = np.zeros(len(found.files), np.int32)
  for number, files in enumerate(shards):
    placed[files] = number
  rows = np.flatnonzero(found.file >= 0)
  # In the order of the files, for they are read in it.
  places = {clip_ids[row]: int(placed[found.file[row]]) for row in rows}
  members = plan.assign(labels, len(shards), places)
  sources, states = {}, {}
  for row in rows.tolist():
    file = found.file[row]
    key = found.keys.get(row, clip_ids[row])
    sources[clip_ids[row]] = f'{key} {found.files[file]}'
    states[clip_ids[row]] = found.states[file]
  parts_dir.mkdir(exist_ok=True)
  source = EmbeddingsSource()
  tasks = plan.write_plans(parts_dir, labels, members, sources, states, repr(source))
  header = ('clip_id', 'mid', 'only_in')
  differing = [
    (clip_ids[row], joined.class_map.mids[index], 'features' if inside else 'labels')
    for row, index, inside in found.differing
  ]
  if differing:
    folders.write_csv(output_dir / DIFFERING_FILE, header, differing)
  for file, problem in found.damaged.items():
    print(f'{file}: {problem}')
  return published_embeddings.FRAMES, tasks, source, found.counts()


def _old_reasons(records: paths.Path) -> dict[str, str]:
  """Why records lack clips, as `reason: detail`."""
  file = records / folder.SKIPPED_FILE
  if not file.exists():
    return {}
  rows = csv.DictReader(io.StringIO(file.read_text()))
  return {row['clip_id']: f'{row["reason"]}: {row["detail"]}' for row in rows}


def _check_skipped(
  config: PrepareConfig,
  counts: dict[str, int],
  summaries: Sequence[dict],
  output_dir: paths.Path,
) -> None:
  """Raises UnfinishedError if too few clips could be used."""
  skipped, clips = counts['clips_skipped'], counts['clips_labelled']
  if not counts['clips']:
    first = next((row for summary in summaries for row in summary['skipped']), None)
    reason = f'{first[1]}: {first[2]}' if first else ''
    where = _where(config)
    raise UnfinishedError(
      f'{output_dir}: none of {clips} clips could be used (the first: {reason}); is '
      f'{where} the folder with their {_what(config)}?{_names_hint(config)}'
    )
  # Old records have lacked the same clips before.
  if not config.records and skipped > config.max_skipped_fraction * (
    counts['clips'] + skipped
  ):
    kinds = ', '.join(f'{n} {reason}' for reason, n in _reasons(summaries).items())
    raise UnfinishedError(
      f'{output_dir}: {skipped} of {counts["clips"] + skipped} clips could not be used '
      f'({kinds}), more than the share of {config.max_skipped_fraction:g} that '
      f'--max_skipped_fraction allows; {folder.SKIPPED_FILE} in it says why. What was '
      'written is kept: allow more (1 for any), and it goes on from there'
    )


def _where(config: PrepareConfig) -> str:
  return config.audio_dir or config.records or ', '.join(config.features_dirs)


def _what(config: PrepareConfig) -> str:
  return 'embeddings' if config.features_dirs else 'sound'


def _names_hint(config: PrepareConfig) -> str:
  """What sound files there are, where none has the name of a clip."""
  if not config.audio_dir:
    return ''
  for _, names in paths.walk(config.audio_dir):
    sounds = [n for n in names if n.lower().endswith(decoding.AUDIO_SUFFIXES)]
    if sounds:
      return (
        f' It has {sounds[0]}, for one, but the file of a clip is named '
        '<id>_<start in ms>, such as myclip_0.wav'
      )
  endings = ' '.join(decoding.AUDIO_SUFFIXES)
  return f' It has no file with one of the endings {endings}'


def _reasons(summaries: Sequence[dict]) -> dict[str, int]:
  """How many clips were skipped for each kind of reason."""
  kinds = collections.Counter(
    row[1] for summary in summaries for row in summary['skipped']
  )
  return dict(sorted(kinds.items()))


def _class_counts(
  summaries: Sequence[dict], class_map: ClassMap
) -> dict[str, dict[str, int]]:
  """The labels of each class that has any, by mid."""
  totals: dict[int, list[int]] = {}
  for summary in summaries:
    for class_index, counts in summary['classes'].items():
      total = totals.setdefault(int(class_index), [0] * len(CLASS_COUNTS))
      total[:] = [a + b for a, b in zip(total, counts, strict=True)]
  return {
    class_map.mids[index]: dict(zip(CLASS_COUNTS, totals[index], strict=True))
    for index in sorted(totals)
  }


def _write_tables(summaries: Sequence[dict], output_dir: paths.Path) -> dict[str, int]:
  """Writes clips.csv and skipped.csv; returns the counts of what was written."""
  clips = [row for summary in summaries for row in summary['clips']]
  skipped = [row for summary in summaries for row in summary['skipped']]
  folders.write_csv(output_dir / folder.CLIPS_FILE, folder.CLIPS_HEADER, clips)
  header = ('clip_id', 'reason', 'detail')
  folders.write_csv(output_dir / folder.SKIPPED_FILE, header, skipped)
  counts = {'clips': len(clips), 'clips_skipped': len(skipped)}
  # Of a run that an older version began, some shards may lack what is counted since.
  names = dict.fromkeys(name for summary in summaries for name in summary['labels'])
  for name in names:
    counts[name] = sum(summary['labels'].get(name, 0) for summary in summaries)
  return counts
