"""What `prepare` has to do: which shards, and where what is in them comes from."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from audioset_ml.audio import archives
from audioset_ml.audio.decoding import require_decoder
from audioset_ml.core import folders, paths
from audioset_ml.core.errors import InputError, counted, printable
from audioset_ml.labels.clip_labels import ClipLabelTable
from audioset_ml.labels.join import JoinedLabels
from audioset_ml.records import (
  audio_files,
  embedding_files,
  embedding_plan,
  folder_files,
  plan,
  published_embeddings,
)
from audioset_ml.records.audio_files import FoundAudio
from audioset_ml.records.folder import RecordsFolder
from audioset_ml.records.frames import FrameFormat
from audioset_ml.records.prepare_config import PrepareConfig, read_chosen_labels
from audioset_ml.records.published_embeddings import Matches
from audioset_ml.records.sources import AudioSource, EmbeddingsSource, RecordsSource

PARTS = '.parts'


@dataclasses.dataclass(frozen=True)
class ShardPlans:
  """What is to be written, of what.

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


def count_inputs(config: PrepareConfig) -> dict[str, Any]:
  """What `prepare --dry_run` says: finds what there is for each clip, and counts.

  Raises:
    InputError: a file is wrong, or no clip, or too few, would have anything.
  """
  joined, lost = read_chosen_labels(config)
  clip_ids = joined.labels.clips['clip_id'].tolist()
  more: dict[str, int] = {}
  hint = ''
  if config.features_dirs:
    classes = len(joined.class_map) if config.labels_in_features else None
    matches = published_embeddings.match(config.features_dirs, joined.labels, classes)
    found = {c for c, file in zip(clip_ids, matches.file, strict=True) if file >= 0}
    where, more = ', '.join(config.features_dirs), matches.counts()
  elif config.records:
    found = set(RecordsFolder.open(config.records).clip_ids)
    where = config.records
  else:
    sound = find_sound(config, joined)
    print(*sound.remarks, sep='\n')
    found, where, hint = set(sound.sounds), config.audio_dir, sound.hint
  used = sum(clip_id in found for clip_id in clip_ids)
  _require_enough(config, clip_ids, used, f'{where}: ', hint)
  if config.audio_dir:
    require_decoder(config.decoder)
  return {
    'clips': len(clip_ids),
    'clips found': used,
    'clips lacking': len(clip_ids) - used,
    **({'clips of the list in no segments CSV': len(lost)} if config.clip_list else {}),
    'classes': len(joined.class_map),
    # Most of the two dozen are of files that few have.
    **{name.replace('_', ' '): n for name, n in (joined.counts | more).items() if n},
  }


def _require_enough(
  config: PrepareConfig, clip_ids: list[str], used: int, where: str, hint: str
) -> None:
  """Raises InputError if no clip could be used, or fewer than must be."""
  if not clip_ids:
    raise InputError('the label files, --clip_list and --clip_fraction leave no clip')
  if not used:
    raise InputError(
      f'{where}has none of {counted(len(clip_ids), "clip")}, {clip_ids[0]} say.{hint}'
    )
  lacking = len(clip_ids) - used
  if not config.records and lacking > config.max_skipped_fraction * len(clip_ids):
    raise InputError(
      f'{where}lacks {lacking} of {counted(len(clip_ids), "clip")}, more than the '
      f'share of {config.max_skipped_fraction:g} that --max_skipped_fraction allows'
    )


def plan_shards(
  config: PrepareConfig,
  joined: JoinedLabels,
  output_dir: paths.Path,
  say: Callable[[str], object],
) -> ShardPlans:
  """Plans the shards, in files of PARTS.

  Args:
    config: what to read.
    joined: the labels.
    output_dir: the folder to write.
    say: is told which sound files there are.
  """
  labels, parts_dir = joined.labels, output_dir / PARTS
  if config.records:
    if paths.absolute(config.records) == paths.absolute(output_dir):
      raise InputError(f'{output_dir}: records cannot be written over themselves')
    old = RecordsFolder.open(config.records)
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
    return ShardPlans(old.frames, tasks, source)
  if config.features_dirs:
    source = EmbeddingsSource()
    parts_dir.mkdir(exist_ok=True)
    tasks, matches = embedding_plan.write_plans(config, joined, parts_dir, repr(source))
    return ShardPlans(embedding_files.FRAMES, tasks, source, matches)
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
  return ShardPlans(FrameFormat.log_mel(config.front_end), tasks, source, sound=sound)


def _old_reasons(records: paths.Path) -> dict[str, str]:
  """Why records lack clips, as `reason: detail`."""
  skipped = folder_files.read_skipped(records)
  return {clip_id: f'{reason}: {detail}' for clip_id, reason, detail in skipped}


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
