"""Published embeddings in `prepare`: the plans of their shards, and what didn't fit."""

from collections.abc import Iterable, Sequence

import numpy as np

from audioset_ml.core import csv_files, paths
from audioset_ml.core.errors import counted
from audioset_ml.labels.join import JoinedLabels
from audioset_ml.records import plan, published_embeddings
from audioset_ml.records.prepare_config import PrepareConfig
from audioset_ml.records.published_embeddings import Matches

DIFFERING_FILE = 'differing_labels.csv'
OTHER_STARTS_FILE = 'other_starts.csv'
DAMAGED_FILE = 'damaged_files.csv'
# How many damaged files the reason of a clip names.
_FILES_NAMED = 3


def write_plans(
  config: PrepareConfig, joined: JoinedLabels, parts_dir: paths.Path, settings: str
) -> tuple[list[plan.ShardTask], Matches]:
  """Plans shards of whole files of embeddings, neighbours together.

  Args:
    config: what to read.
    joined: the labels.
    parts_dir: where the plans go.
    settings: all else that the shards' bytes depend on.
  """
  labels = joined.labels
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
  tasks = plan.write_plans(parts_dir, labels, members, sources, states, settings)
  return tasks, found


def report(
  matches: Matches,
  joined: JoinedLabels,
  summaries: Sequence[dict],
  output_dir: paths.Path,
) -> dict[str, int]:
  """Lists what didn't fit in files of their own; returns the counts.

  Args:
    matches: which file has the embeddings of which clip.
    joined: the labels.
    summaries: of the shards; clips that may be missing for a damage are told so.
    output_dir: the records' folder.
  """
  clip_ids = joined.labels.clips['clip_id'].tolist()
  mids = joined.class_map.mids
  differing = [
    (clip_ids[row], mids[index], 'features' if inside else 'labels')
    for row, index, inside in matches.differing
  ]
  header = ('clip_id', 'mid', 'only_in')
  csv_files.write_csv_if_any(output_dir / DIFFERING_FILE, header, differing)
  starts = [
    (clip_ids[row], published_embeddings.start_seconds(key))
    for row, key in sorted(matches.keys.items())
  ]
  header = ('clip_id', 'start_in_features')
  csv_files.write_csv_if_any(output_dir / OTHER_STARTS_FILE, header, starts)
  # A wrong checksum shows when the records are written, not before.
  later = dict(row for one in summaries for row in one.get('damaged_files', ()))
  damaged = later | matches.damaged
  problems = sorted([*damaged.items(), *matches.bad_records.items()])
  header = ('file', 'problem')
  csv_files.write_csv_if_any(output_dir / DAMAGED_FILE, header, problems)
  if problems:
    _explain_missing(summaries, sorted({file for file, _ in problems}))
  return matches.counts() | {'damaged_files': len(damaged)}


def _explain_missing(summaries: Iterable[dict], files: Sequence[str]) -> None:
  """Adds to the reason of missing clips that a damaged file may have had them."""
  names = [paths.as_path(file).name for file in files[:_FILES_NAMED]]
  named = ', '.join([*names, '…'][: len(files)])
  hint = f'{counted(len(files), "file", "are")} damaged ({named}): see {DAMAGED_FILE}'
  for summary in summaries:
    summary['skipped'] = [
      (clip_id, reason, f'{detail}; {hint}' if reason == 'missing' else detail)
      for clip_id, reason, detail in summary['skipped']
    ]
