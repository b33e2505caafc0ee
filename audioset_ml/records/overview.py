"""What records hold, in numbers."""

import dataclasses

from audioset_ml.core import file_states, folders
from audioset_ml.core.errors import RecordError
from audioset_ml.core.input_files import fault_of_form
from audioset_ml.core.paths import as_path
from audioset_ml.labels.clip_labels import ClipLabels
from audioset_ml.records.folder import RecordsFolder
from audioset_ml.records.folder_files import WRITTEN_BY
from audioset_ml.records.inspection import read_first_labels

# Clips whose labels are read: enough to find some with strong labels.
SCANNED_CLIPS = 1000


@dataclasses.dataclass(frozen=True)
class RecordsOverview:
  """What records hold.

  Attributes:
    records: the records.
    hours: their sound (h).
    shard_bytes: the size of all shards.
    scanned: the labels of the first SCANNED_CLIPS clips.
    counts: what `prepare` counted.
    class_counts: for each mid with labels, `explicit_positives`, `explicit_negatives`
      and `clips_with_events`.
    skipped_reasons: how many clips were skipped for each kind of reason.
  """

  records: RecordsFolder
  hours: float
  shard_bytes: int
  scanned: tuple[ClipLabels, ...]
  counts: dict[str, int]
  class_counts: dict[str, dict[str, int]]
  skipped_reasons: dict[str, int]

  @property
  def all_scanned(self) -> bool:
    """Whether `scanned` are all clips."""
    return len(self.scanned) == len(self.records.clip_ids)

  def frequent_classes(self, number: int) -> list[tuple[str, dict[str, int]]]:
    """The mids with the most explicit positives, then events, and their counts."""

    def frequency(item: tuple[str, dict[str, int]]) -> tuple[int, int]:
      return item[1].get('explicit_positives', 0), item[1].get('clips_with_events', 0)

    present = [item for item in self.class_counts.items() if any(frequency(item))]
    return sorted(present, key=frequency, reverse=True)[:number]

  def strong_clips(self, number: int) -> list[ClipLabels]:
    """Those scanned clips whose strong labels are of the most classes."""
    strong = [clip for clip in self.scanned if clip.strong]
    return sorted(strong, key=num_strong_classes, reverse=True)[:number]


def read_overview(
  records: RecordsFolder, scanned_clips: int = SCANNED_CLIPS
) -> RecordsOverview:
  """Sums up records from run.json and from their first clips.

  Args:
    records: the records.
    scanned_clips: how many clips' labels to read.

  Raises:
    RecordError: a shard is damaged.
  """
  run_json = folders.read_run(records.path, WRITTEN_BY)
  form = {'hours': float, 'skipped_reasons': {'*': int}}
  if fault := fault_of_form(run_json, form):
    raise RecordError(f'{records.path}/{folders.RUN_FILE}: {fault}')
  scanned = read_first_labels(records, scanned_clips)
  return RecordsOverview(
    records=records,
    hours=run_json['hours'],
    shard_bytes=sum(file_states.file_size(as_path(shard)) for shard in records.shards),
    scanned=scanned,
    counts=records.counts,
    class_counts=records.counts_by_class,
    skipped_reasons=run_json['skipped_reasons'],
  )


def num_strong_classes(clip: ClipLabels) -> int:
  """How many classes a clip's strong labels are of."""
  return len({event.class_index for event in clip.strong})
