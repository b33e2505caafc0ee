"""What the summaries of written shards come to: tables, counts, what was skipped."""

import collections
from collections.abc import Sequence

from audioset_ml.core import csv_files, paths
from audioset_ml.core.errors import NothingUsableError, UnfinishedError, counted
from audioset_ml.core.input_files import read_rows
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.labels.clip_labels import CLASS_COUNTS
from audioset_ml.records import embedding_plan, folder_files
from audioset_ml.records.prepare_config import PrepareConfig

_NOTES_HEADER = 'clip_id', 'note'


def write_tables(
  config: PrepareConfig, summaries: Sequence[dict], output_dir: paths.Path
) -> dict[str, int]:
  """Writes clips.csv, skipped.csv and, if any, notes.csv; counts what was written.

  Args:
    config: of what records were made.
    summaries: of the shards.
    output_dir: the folder.
  """
  clips = [row for summary in summaries for row in summary['clips']]
  skipped = [row for summary in summaries for row in summary['skipped']]
  csv_files.write_csv(
    output_dir / folder_files.CLIPS_FILE, folder_files.CLIPS_HEADER, clips
  )
  csv_files.write_csv(
    output_dir / folder_files.SKIPPED_FILE, folder_files.SKIPPED_HEADER, skipped
  )
  counts = {'clips': len(clips), 'clips_skipped': len(skipped)}
  used = {row[0] for row in clips}
  notes = [row for summary in summaries for row in summary.get('notes', ())]
  notes += [row for row in _old_notes(config) if row[0] in used]
  csv_files.write_csv_if_any(output_dir / folder_files.NOTES_FILE, _NOTES_HEADER, notes)
  if notes:
    counts['clips_noted'] = len({clip_id for clip_id, _ in notes})
  # Of a run that an older version began, some shards may lack what is counted since.
  names = dict.fromkeys(name for summary in summaries for name in summary['labels'])
  for name in names:
    counts[name] = sum(summary['labels'].get(name, 0) for summary in summaries)
  return counts


def _old_notes(config: PrepareConfig) -> list[list[str]]:
  """What was odd in the sound of old records, which get new labels."""
  if not config.records:
    return []
  file = paths.as_path(config.records) / folder_files.NOTES_FILE
  if not file.exists():
    return []
  rows = read_rows(file, _NOTES_HEADER, remedy='make the old records again')
  return [cells for _, cells in rows]


def class_counts(
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


def reasons_of(summaries: Sequence[dict]) -> dict[str, int]:
  """How many clips were skipped for each kind of reason."""
  kinds = collections.Counter(
    row[1] for summary in summaries for row in summary['skipped']
  )
  return dict(sorted(kinds.items()))


def require_enough_used(
  config: PrepareConfig,
  counts: dict[str, int],
  summaries: Sequence[dict],
  output_dir: paths.Path,
  hint: str,
) -> None:
  """Raises UnfinishedError if too few clips could be used; NothingUsableError if none
  could, but for damage that what was written names.

  Args:
    config: of what records were made.
    counts: what `write_tables` has counted, and `clips_labelled`.
    summaries: of the shards.
    output_dir: the folder.
    hint: what may help where no clip was found.
  """
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
    kinds = ', '.join(f'{n} {reason}' for reason, n in reasons_of(summaries).items())
    raise UnfinishedError(
      f'{output_dir}: {skipped} of {counted(counts["clips"] + skipped, "clip")} could '
      f'not be used ({kinds}), more than the share of {config.max_skipped_fraction:g} '
      f'that --max_skipped_fraction allows; {folder_files.SKIPPED_FILE} in it says '
      'why. What was written is kept: allow more (1 for any), and it goes on from there'
    )


def _commonest(summaries: Sequence[dict]) -> str:
  """For what reason most clips were skipped, with one of them."""
  kinds = reasons_of(summaries)
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
