"""The strong labels of records as tables, in the columns of AudioSet's files."""

import dataclasses

import pandas as pd

from audioset_ml.labels import formats, label_rows
from audioset_ml.labels.states import LabelState
from audioset_ml.records.folder import RecordsFolder
from audioset_ml.records.inspection import read_first_labels


@dataclasses.dataclass(frozen=True)
class StrongLabels:
  """What is known of the times of sounds.

  Attributes:
    events: as `formats.read_strong_tsv` gives them.
    ratings: clips for which a class was refuted, as `formats.read_explicit_tsv` does.
    refuted_stretches: stretches for which it was; the columns of `events`.
  """

  events: pd.DataFrame
  ratings: pd.DataFrame
  refuted_stretches: pd.DataFrame


def read_strong_labels(records: RecordsFolder) -> StrongLabels:
  """Reads the strong labels of all clips, without their features.

  Raises:
    RecordError: a shard is damaged, or holds other clips than clips.csv says.
  """
  mids = records.class_map.mids
  stretches: dict[bool, list[tuple]] = {True: [], False: []}
  ratings = []
  for clip in read_first_labels(records, len(records.clip_ids)):
    for event in clip.strong:
      row = (clip.clip_id, event.start, event.end, mids[event.class_index])
      stretches[event.present].append(row)
    for index, state in clip.weak.items():
      if state == LabelState.EXPLICIT_NEGATIVE:
        ratings.append((clip.clip_id, mids[index], label_rows.NOT_PRESENT))
  return StrongLabels(
    _table(stretches[True], formats.STRONG_COLUMNS),
    _table(ratings, formats.EXPLICIT_COLUMNS),
    _table(stretches[False], formats.STRONG_COLUMNS),
  )


def _table(rows: list[tuple], columns: tuple[str, ...]) -> pd.DataFrame:
  table = pd.DataFrame(rows, columns=list(columns))
  for name in label_rows.TIMES:
    if name in columns:
      table[name] = table[name].astype(float)
  return table
