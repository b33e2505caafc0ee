"""The rows of label files: what their labels, times and presence must be.

Each function keeps the rows that are right, and tells a `WrongRows` of the others.
"""

import os
from collections.abc import Sequence

import numpy as np
import pandas as pd

from audioset_ml.core.errors import shown
from audioset_ml.labels import label_names
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.labels.text_columns import times_of
from audioset_ml.labels.wrong_rows import WrongRows

TIMES = ('start_time_seconds', 'end_time_seconds')
PRESENT, NOT_PRESENT, UNSURE = 'PRESENT', 'NOT_PRESENT', 'UNSURE'

# Times in the files are rounded to thousandths of a second.
TOLERANCE = 1e-3


def with_labels(
  path: str | os.PathLike,
  table: pd.DataFrame,
  class_map: ClassMap | None,
  wrong_rows: WrongRows,
  names: ClassMap | None = None,
) -> pd.DataFrame:
  """The rows with a label; with a class map, one of its own, by mid or by name.

  Args:
    path: the file, for messages.
    table: its rows, with a column `label`.
    class_map: the classes a label may be of; None allows any.
    wrong_rows: is told of the others.
    names: the classes that labels which are names stand for; None for class_map's.
  """
  empty = table.index[table['label'] == '']
  wrong_rows.add(path, empty, ['an empty label'] * len(empty))
  table = table[table['label'] != '']
  if names := names or class_map:
    table = table.assign(label=label_names.by_mid(table['label'], names))
  if class_map is None:
    return table
  return wrong_rows.keep_known(
    path,
    table,
    'label',
    class_map.mids,
    say=lambda label: label_names.fault(label, class_map),
  )


def with_times(
  path: str | os.PathLike,
  table: pd.DataFrame,
  wrong_rows: WrongRows,
  clip_seconds: float | pd.Series | None,
) -> pd.DataFrame:
  """The table with its times (s) as numbers; rows with wrong ones are reported.

  Args:
    path: the file, for messages.
    table: its rows, with the columns TIMES and `segment_id`.
    wrong_rows: is told of rows with wrong ones.
    clip_seconds: how long clips are, all of them or (a Series) by id; None: any length.
  """
  times = times_of(path, table, TIMES, wrong_rows)
  table = table.assign(**times)[times.notna().all(axis=1)]
  start, end = (table[name] for name in TIMES)
  longest = _longest(table['segment_id'], clip_seconds)
  late = end > longest + TOLERANCE
  wrong_rows.add(
    path,
    table.index[late],
    [
      f'ends at {time} s, but {clip} is only {length:g} s long'
      for clip, time, length in zip(
        table['segment_id'][late], end[late], longest[late], strict=True
      )
    ],
  )
  wrong = table[(end < start) & ~late]
  wrong_rows.add(
    path,
    wrong.index,
    [f'ends at {b} before it starts at {a}' for a, b in wrong[list(TIMES)].to_numpy()],
  )
  return table[(end >= start) & ~late]


def _longest(clips: pd.Series, clip_seconds: float | pd.Series | None) -> pd.Series:
  """The length of each row's clip (s); infinite where it isn't known."""
  if isinstance(clip_seconds, pd.Series):
    return clips.map(clip_seconds).astype(float).fillna(np.inf)
  return pd.Series(np.inf if clip_seconds is None else clip_seconds, clips.index)


def with_presence(
  path: str | os.PathLike,
  table: pd.DataFrame,
  wrong_rows: WrongRows,
  words: Sequence[str],
) -> pd.DataFrame:
  """Leaves out rows whose `present` is none of the words or contradicts an earlier
  row; to be unsure contradicts nothing.

  Args:
    path: the file, for messages.
    table: its rows.
    wrong_rows: is told of those that are left out.
    words: of PRESENT, NOT_PRESENT and UNSURE.
  """
  right = table['present'].isin(words)
  bad = table.loc[~right, 'present']
  what = [
    f'{shown(text)} is said of whole clips, not of stretches'
    if text == UNSURE
    else f'{shown(text)} is none of {", ".join(words)}'
    for text in bad
  ]
  wrong_rows.add(path, bad.index, what)
  table = table[right].drop_duplicates()
  told = table[table['present'] != UNSURE]
  again = told.duplicated([name for name in table.columns if name != 'present'])
  again = again.reindex(table.index, fill_value=False)
  wrong_rows.add(
    path,
    table.index[again],
    [
      f'{row.segment_id} {row.label} is {row.present}, but an earlier row says '
      'something else'
      for row in table[again].itertuples()
    ],
  )
  return table[~again]
