"""`prepare`: sound files and labels to a folder of records, shard by shard.

A shard is written whole or not at all, from its plan alone; so any runner with any
number of workers writes the same bytes, and a restart writes only what is missing.
"""

import collections
import dataclasses
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from audioset_ml.audio import archives
from audioset_ml.core import folders, paths
from audioset_ml.core.errors import (
  InputError,
  NothingUsableError,
  UnfinishedError,
  counted,
  printable,
)
from audioset_ml.core.input_files import read_rows
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.labels.clip_labels import CLASS_COUNTS, ClipLabelTable
from audioset_ml.labels.join import JoinedLabels
from audioset_ml.labels.wrong_rows import write_wrong_rows
from audioset_ml.records import (
  audio_files,
  embedding_files,
  embedding_plan,
  folder,
  plan,
  shard,
  shard_runs,
)
from audioset_ml.records.audio_files import FoundAudio
from audioset_ml.records.frames import FrameFormat
from audioset_ml.records.prepare_config import PrepareConfig, read_chosen_labels
from audioset_ml.records.published_embeddings import Matches
from audioset_ml.records.sources import AudioSource, EmbeddingsSource, RecordsSource

LOST_FILE = 'lost_clips.csv'
_PARTS = '.parts'
_NOTES_HEADER = 'clip_id', 'note'


@dataclasses.dataclass(frozen=True)
class _Plan:
  """What is to be done.

  Attributes:
    frames: what the records' frames are.
    tasks: the shards.
    source: where their records come from.
    matches: which file has which clip's embeddings, where they are made of such.
    sound: which sound files there are, where they are made of those.
  """

  frames: FrameFormat
  tasks: list[plan.ShardTask]
  source: AudioSource | EmbeddingsSource | RecordsSource
  matches: Matches | None = None
  sound: FoundAudio | None = None


def prepare(
  config: PrepareConfig,
  output_dir: str | os.PathLike,
  runs: shard_runs.RunConfig | None = None,
  say: Callable[[str], object] | None = None,
) -> tuple[dict[str, int], dict[str, Any]]:
  """Writes records of all clips that the segment CSVs name and that have sound.

  Args:
    config: what to read.
    output_dir: the folder to write; what an earlier, killed call finished is kept.
    runs: where the shards are written; None means in this process.
    say: is told which sound files there are, before they are read; None prints it.

  Returns:
    Counts, and the details that `RecordsFolder.open` reads from run.json.

  Raises:
    LabelError: a label file is wrong.
    NothingUsableError: no clip could be used.
    UnfinishedError: more were skipped than may be.
  """
  output_dir = paths.as_path(output_dir)
  joined, lost = read_chosen_labels(config)
  planned = _plan(config, joined, output_dir, say or _print)
  tasks = planned.tasks
  parts_dir = output_dir / _PARTS
  joined.class_map.write(output_dir / folder.CLASS_MAP_FILE)
  writer = shard.ShardWriter(
    paths.absolute(output_dir), paths.absolute(parts_dir), planned.source
  )
  shard_runs.run(tasks, writer, runs or shard_runs.RunConfig(), 'prepare')
  summaries = shard.read_summaries(str(parts_dir), tasks)
  counts = dict(joined.counts)
  if planned.matches is not None:
    counts |= embedding_plan.report(planned.matches, joined, summaries, output_dir)
  counts.update(_write_tables(summaries, output_dir, _old_notes(config)))
  write_wrong_rows(output_dir, joined.wrong_rows)
  if config.clip_list:
    counts['clips_lost_of_list'] = len(lost)
    rows = [(clip_id, 'in no segments CSV') for clip_id in lost]
    folders.write_csv(output_dir / LOST_FILE, ('clip_id', 'reason'), rows)
  hint = planned.sound.hint if planned.sound else ''
  _check_skipped(config, counts, summaries, output_dir, hint)
  paths.delete_tree(parts_dir)
  for entry in list(output_dir.iterdir()):
    if entry.name.endswith(folder.PARTIAL):  # of attempts that were killed
      paths.delete_tree(entry)
  seconds = sum(row[3] for summary in summaries for row in summary['clips'])
  details = {
    'shards': len(tasks),
    folder.SHARD_FILES: shard.written_files(
      [folder.shard_name(task.index, task.shards) for task in tasks], summaries
    ),
    'hours': round(seconds / 3600, 4),
    'skipped_reasons': _reasons(summaries),
    'class_counts': _class_counts(summaries, joined.class_map),
    'other_strong_labels': joined.others.to_dict('index'),
    **planned.frames.to_run(),
  }
  if planned.sound:
    details['audio_names'] = planned.sound.template
    details['sound_files'] = planned.sound.remarks
  if joined.outside:
    details['events_outside_annotated_classes'] = joined.outside
  return counts, details


def _print(text: str) -> None:
  print(text, flush=True)


def _plan(
  config: PrepareConfig,
  joined: JoinedLabels,
  output_dir: paths.Path,
  say: Callable[[str], object],
) -> _Plan:
  """Plans the shards."""
  labels, parts_dir = joined.labels, output_dir / _PARTS
  if config.records:
    if paths.absolute(config.records) == paths.absolute(output_dir):
      raise InputError(f'{output_dir}: records cannot be written over themselves')
    old = folder.RecordsFolder.open(config.records)
    shards = tuple(map(paths.absolute, old.shards))
    place = paths.as_path(paths.absolute(config.records))
    written = dataclasses.replace(old.written(), folder=place)
    source = RecordsSource(config.records, shards, written)
    clips = old.read_clips()
    places = {clip_id: row.shard for clip_id, row in clips.items()}
    members = plan.assign(labels, len(old.shards), places)
    known = _old_reasons(old.path)
    known |= {clip_id: str(row.seconds) for clip_id, row in clips.items()}
    settings = f'{source} {folders.fingerprint(config.records)}'
    parts_dir.mkdir(exist_ok=True)
    tasks = plan.write_plans(parts_dir, labels, members, known, {}, settings)
    return _Plan(old.frames, tasks, source)
  if config.features_dirs:
    source = EmbeddingsSource()
    parts_dir.mkdir(exist_ok=True)
    tasks, matches = embedding_plan.write_plans(config, joined, parts_dir, repr(source))
    return _Plan(embedding_files.FRAMES, tasks, source, matches)
  source = AudioSource(
    config.front_end,
    config.decoder,
    config.min_seconds,
    config.max_extra_seconds,
    config.min_share,
  )
  sound = find_sound(config, joined)
  say('\n'.join(sound.remarks))
  members = _members(labels, -(-len(labels) // config.clips_per_shard), sound.sounds)
  states = plan.file_states(sound.sounds)
  sounds = {clip_id: sound.sounds[clip_id] for clip_id in states}
  for clip_id, path in sound.sounds.items():  # pipes, links that lead nowhere
    states.setdefault(clip_id, f'{printable(path)} is no regular file')
  states |= sound.reasons
  parts_dir.mkdir(exist_ok=True)
  tasks = plan.write_plans(parts_dir, labels, members, sounds, states, repr(source))
  return _Plan(FrameFormat.log_mel(config.front_end), tasks, source, sound=sound)


def _members(
  labels: ClipLabelTable, shards: int, sounds: Mapping[str, str]
) -> list[list[int]]:
  """The clips of each shard, as rows.

  Rows of parquet files are read a group at a time, so neighbours are put together.
  """
  clip_ids = labels.clips['clip_id'].tolist()
  places = {c: archives.place_in_table(path) for c, path in sounds.items()}
  in_order = sorted((place, c) for c, place in places.items() if place)
  number = max(len(in_order), 1)
  placed = {clip_id: n * shards // number for n, (_, clip_id) in enumerate(in_order)}
  members = plan.assign(labels, shards, placed)
  if placed:
    for rows in members:
      rows.sort(key=lambda row: places.get(clip_ids[row]) or ('', 0, 0))
  return members


def find_sound(config: PrepareConfig, joined: JoinedLabels) -> FoundAudio:
  """The sound files of the clips; see `audio_files.find_audio`."""
  clips = joined.labels.clips
  return audio_files.find_audio(
    config.audio_dir, clips['clip_id'].tolist(), clips['seconds'], config.audio_names
  )


def _old_notes(config: PrepareConfig) -> list[list[str]]:
  """What was odd in the sound of old records, which get new labels."""
  if not config.records:
    return []
  file = paths.as_path(config.records) / folder.NOTES_FILE
  if not file.exists():
    return []
  rows = read_rows(file, _NOTES_HEADER, remedy='make the old records again')
  return [cells for _, cells in rows]


def _old_reasons(records: paths.Path) -> dict[str, str]:
  """Why records lack clips, as `reason: detail`."""
  skipped = folder.read_skipped(records)
  return {clip_id: f'{reason}: {detail}' for clip_id, reason, detail in skipped}


def _check_skipped(
  config: PrepareConfig,
  counts: dict[str, int],
  summaries: Sequence[dict],
  output_dir: paths.Path,
  hint: str,
) -> None:
  """Raises UnfinishedError if too few clips could be used; NothingUsableError if none
  could, but for damage that what was written names."""
  skipped, clips = counts['clips_skipped'], counts['clips_labelled']
  if not counts['clips']:
    message = (
      f'{output_dir}: none of {counted(clips, "clip")} could be '
      f'used{_commonest(summaries)}. Is '
      f'this the folder with their {_what(config)}: {_where(config)} ?{hint}'
    )
    if (output_dir / embedding_plan.DAMAGED_FILE).exists():
      raise UnfinishedError(message)
    raise NothingUsableError(message)
  # Old records have lacked the same clips before.
  if not config.records and skipped > config.max_skipped_fraction * (
    counts['clips'] + skipped
  ):
    kinds = ', '.join(f'{n} {reason}' for reason, n in _reasons(summaries).items())
    raise UnfinishedError(
      f'{output_dir}: {skipped} of {counted(counts["clips"] + skipped, "clip")} could '
      f'not be used ({kinds}), more than the share of {config.max_skipped_fraction:g} '
      f'that --max_skipped_fraction allows; {folder.SKIPPED_FILE} in it says why. What '
      'was written is kept: allow more (1 for any), and it goes on from there'
    )


def _commonest(summaries: Sequence[dict]) -> str:
  """For what reason most clips were skipped, with one of them."""
  kinds = _reasons(summaries)
  if not kinds:
    return ''
  kind = max(kinds, key=kinds.get)
  clip_id, _, detail = next(
    row for summary in summaries for row in summary['skipped'] if row[1] == kind
  )
  return f' ({kinds[kind]} {kind}; {clip_id} for one: {detail})'


def _where(config: PrepareConfig) -> str:
  return config.audio_dir or config.records or ', '.join(config.features_dirs)


def _what(config: PrepareConfig) -> str:
  return 'embeddings' if config.features_dirs else 'sound'


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


def _write_tables(
  summaries: Sequence[dict], output_dir: paths.Path, old_notes: Sequence[list[str]]
) -> dict[str, int]:
  """Writes clips.csv, skipped.csv and, if any, notes.csv; counts what was written."""
  clips = [row for summary in summaries for row in summary['clips']]
  skipped = [row for summary in summaries for row in summary['skipped']]
  folders.write_csv(output_dir / folder.CLIPS_FILE, folder.CLIPS_HEADER, clips)
  folders.write_csv(output_dir / folder.SKIPPED_FILE, folder.SKIPPED_HEADER, skipped)
  counts = {'clips': len(clips), 'clips_skipped': len(skipped)}
  used = {row[0] for row in clips}
  notes = [row for summary in summaries for row in summary.get('notes', ())]
  notes += [row for row in old_notes if row[0] in used]
  folders.write_csv_if_any(output_dir / folder.NOTES_FILE, _NOTES_HEADER, notes)
  if notes:
    counts['clips_noted'] = len({clip_id for clip_id, _ in notes})
  # Of a run that an older version began, some shards may lack what is counted since.
  names = dict.fromkeys(name for summary in summaries for name in summary['labels'])
  for name in names:
    counts[name] = sum(summary['labels'].get(name, 0) for summary in summaries)
  return counts
