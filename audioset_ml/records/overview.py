"""What records hold, in numbers."""

import csv
import dataclasses
import io
from collections.abc import Iterable

import tensorflow as tf

from audioset_ml import folders
from audioset_ml.labels.clip_labels import ClipLabels, count_classes, count_states
from audioset_ml.labels.states import LabelState
from audioset_ml.records.folder import CLIPS_FILE, RecordsFolder
from audioset_ml.records.inspection import read_first_labels

# Clips whose labels are read: enough to find some with strong labels.
SCANNED_CLIPS = 1000

# As run.json counts the labels of a class.
CLASS_COUNTS = ('explicit_positives', 'explicit_negatives', 'clips_with_events')


@dataclasses.dataclass(frozen=True)
class RecordsOverview:
  """What records hold.

  Attributes:
    records: the records.
    hours: their sound, padding included (h).
    shard_bytes: the size of all shards.
    scanned: the labels of the first SCANNED_CLIPS clips.
    counts: what `prepare` counted; where `scanned` are all clips, also the kinds of
      labels that it didn't count.
    class_counts: for each mid with labels, `explicit_positives`, `explicit_negatives`
      and `clips_with_events`; those of `scanned` where run.json has none.
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

  @property
  def seen_only(self) -> dict[str, int]:
    """How many labels `scanned` have of the kinds that `counts` lacks."""
    found = count_kinds(self.scanned)
    return {kind: n for kind, n in found.items() if n and kind not in self.counts}

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
  """Sums up records from run.json, where that has it, and from their first clips.

  Args:
    records: the records.
    scanned_clips: how many clips' labels to read.

  Raises:
    RecordError: a shard is damaged.
  """
  run_json = folders.read_run(records.path, 'prepare')
  scanned = read_first_labels(records, scanned_clips)
  counts = run_json.get('counts', {})
  if len(scanned) == len(records.clip_ids):
    counts = count_kinds(scanned) | counts
  counted = {
    records.class_map.mids[index]: dict(zip(CLASS_COUNTS, numbers, strict=True))
    for index, numbers in count_classes(scanned).items()
  }
  return RecordsOverview(
    records=records,
    hours=run_json['hours'] if 'hours' in run_json else _read_hours(records),
    shard_bytes=sum(tf.io.gfile.stat(shard).length for shard in records.shards),
    scanned=scanned,
    counts=counts,
    class_counts=run_json.get('class_counts', counted),
    skipped_reasons=run_json.get('skipped_reasons', {}),
  )


def count_kinds(clips: Iterable[ClipLabels]) -> dict[str, int]:
  """How many labels of each kind the clips have, derived and refuted ones too."""
  clips = list(clips)
  states = [state for clip in clips for state in clip.weak.values()]
  return {
    **count_states(clips),
    'refuted_stretches': sum(not event.present for c in clips for event in c.strong),
    'implicit_positives': states.count(LabelState.IMPLICIT_POSITIVE),
  }


def num_strong_classes(clip: ClipLabels) -> int:
  """How many classes a clip's strong labels are of."""
  return len({event.class_index for event in clip.strong})


def _read_hours(records: RecordsFolder) -> float:
  rows = csv.DictReader(io.StringIO((records.path / CLIPS_FILE).read_text()))
  frames = sum(int(row['frames']) for row in rows)
  return frames * records.front_end.hop_seconds / 3600
