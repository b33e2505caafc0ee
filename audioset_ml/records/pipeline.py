"""`prepare`: sound files and labels to a folder of records, shard by shard.

A shard is written whole or not at all, from its plan alone; so any runner with any
number of workers writes the same bytes, and a restart writes only what is missing.
"""

import os
from collections.abc import Callable
from typing import Any

from audioset_ml.core import csv_files, paths
from audioset_ml.labels.wrong_rows import write_wrong_rows
from audioset_ml.records import (
  embedding_plan,
  folder_files,
  shard,
  shard_runs,
  shard_summaries,
)
from audioset_ml.records.prepare_config import PrepareConfig, read_chosen_labels
from audioset_ml.records.prepare_plan import PARTS, plan_shards

LOST_FILE = 'lost_clips.csv'


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
  planned = plan_shards(config, joined, output_dir, say or _print)
  tasks = planned.tasks
  parts_dir = output_dir / PARTS
  joined.class_map.write(output_dir / folder_files.CLASS_MAP_FILE)
  writer = shard.ShardWriter(
    paths.absolute(output_dir), paths.absolute(parts_dir), planned.source
  )
  shard_runs.run(tasks, writer, runs or shard_runs.RunConfig(), 'prepare')
  summaries = shard.read_summaries(str(parts_dir), tasks)
  counts = dict(joined.counts)
  if planned.matches is not None:
    counts |= embedding_plan.report(planned.matches, joined, summaries, output_dir)
  counts.update(shard_summaries.write_tables(config, summaries, output_dir))
  write_wrong_rows(output_dir, joined.wrong_rows)
  if config.clip_list:
    counts['clips_lost_of_list'] = len(lost)
    rows = [(clip_id, 'in no segments CSV') for clip_id in lost]
    csv_files.write_csv(output_dir / LOST_FILE, ('clip_id', 'reason'), rows)
  hint = planned.sound.hint if planned.sound else ''
  shard_summaries.require_enough_used(config, counts, summaries, output_dir, hint)
  paths.delete_tree(parts_dir)
  for entry in list(output_dir.iterdir()):
    if entry.name.endswith(folder_files.PARTIAL):  # of attempts that were killed
      paths.delete_tree(entry)
  seconds = sum(row[3] for summary in summaries for row in summary['clips'])
  details = {
    'shards': len(tasks),
    folder_files.SHARD_FILES: shard.written_files(
      [folder_files.shard_name(task.index, task.shards) for task in tasks], summaries
    ),
    'hours': round(seconds / 3600, 4),
    'skipped_reasons': shard_summaries.reasons_of(summaries),
    'class_counts': shard_summaries.class_counts(summaries, joined.class_map),
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
