"""The clips that segments CSVs name, and what all label files say of whole clips."""

import os
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from audioset_ml.labels import formats, label_rows, segments
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.labels.wrong_rows import WrongRow, WrongRows


def clips_of(
  paths: Sequence[str],
  weak: Sequence[segments.Segments],
  counts: dict[str, int],
  wrong_rows: WrongRows,
) -> pd.DataFrame:
  """The clips of all files, each once: clip_id, seconds; sorted.

  A clip may stand in several files, with labels of its own in each, but not with other
  times; one that names the sound file alone leaves its length open.

  Args:
    paths: the segments CSVs.
    weak: what they say.
    counts: is told how many clips there are, and how many stand in several files.
    wrong_rows: is told of clips with other times.
  """
  clips = pd.concat(
    [one.clips.assign(file=path) for path, one in zip(paths, weak, strict=True)]
  )
  # Those of known length first.
  order = clips['end'].isna().to_numpy().argsort(kind='stable')
  clips = clips.iloc[order]
  again = clips['clip_id'].duplicated()
  first = clips[~again].set_index('clip_id')['end']
  other_times = again & (clips['end'] != clips['clip_id'].map(first))
  other_times &= clips['end'].notna()
  for row, clip in clips[other_times].iterrows():
    wrong_rows.add(
      clip['file'],
      [row],
      [f'{clip["clip_id"]} ends at {clip["end"]} s, but in another file at another'],
    )
  wrong_rows.settle()
  counts['clips_labelled'] = int((~again).sum())
  counts['clips_in_several_files'] = int(again.sum())
  clips = clips[~again].sort_values('clip_id', ignore_index=True)
  return pd.DataFrame(
    {'clip_id': clips['clip_id'], 'seconds': clips['end'] - clips['start']}
  )


def whole_clip_labels(
  paths: Sequence[str | os.PathLike],
  tables: Sequence[pd.DataFrame],
  class_map: ClassMap,
  places: pd.Series,
  counts: dict[str, int],
  wrong_rows: WrongRows,
) -> pd.DataFrame:
  """The labels of whole clips from all files; a contradiction is a wrong row.

  What a person was unsure of gives way to what another row says; `counts` has how many
  were unsure, as `unsure_labels_decided`.

  Args:
    paths: the files.
    tables: their rows: segment_id, label, present.
    class_map: the classes.
    places: where each clip stands in the table of clips.
    counts: what was read.
    wrong_rows: is told of contradictions.

  Returns:
    A row a label: clip, class_index, state.
  """
  table = pd.concat(
    [table.assign(file=number, row=table.index) for number, table in enumerate(tables)]
  )
  table = labels_of_clips(table, places, counts)
  table['class_index'] = table['label'].map(class_map.index_of).astype(np.int32)
  pair = ['clip', 'class_index']
  unsure = table[table['present'] == label_rows.UNSURE]
  counts['unsure_labels_decided'] = len(unsure.drop_duplicates(pair))
  table = formats.decided(table, pair)
  again = table.duplicated(pair)
  for number, rows in table[again].groupby('file'):
    wrong_rows.add(
      paths[number],
      rows['row'],
      [
        f'says that {row.label} is {row.present} in {row.segment_id}, but another row '
        'or file says the opposite; remove one of them'
        for row in rows.itertuples()
      ],
    )
  wrong_rows.settle()
  table = table[~again]
  table = table[pair].assign(state=table['present'].map(formats.STATE_OF))
  return table.astype({'state': np.int8}).sort_values(pair, ignore_index=True)


def labels_of_clips(
  table: pd.DataFrame, places: pd.Series, counts: dict[str, int]
) -> pd.DataFrame:
  """The labels of clips that there are, with the clip's row; the rest is counted."""
  clip = table['segment_id'].map(places)
  known = clip.notna()
  counts['labels_of_other_clips'] += int((~known).sum())
  return table[known].assign(clip=clip[known].astype(np.int32))


def count_left_without_labels(
  weak: Mapping[str, segments.Segments],
  wrong: Sequence[WrongRow],
  places: pd.Series,
  labelled: np.ndarray,
) -> int:
  """How many clips have no label, but had some in rows that were left out.

  Args:
    weak: what the segments CSVs say, by path.
    wrong: the rows that were left out.
    places: where each clip stands in the table of clips.
    labelled: those places that have a label.
  """
  found = set()
  for path, one in weak.items():
    rows = {fault.row for fault in wrong if fault.path == str(path)}
    if rows:
      found.update(one.clips.loc[one.clips.index.isin(rows), 'clip_id'].map(places))
  return len(found.difference(labelled.tolist()))
