"""Clips' ids as they are compared: one spelling, wherever an id comes in.

macOS takes letters apart (é is an e and an accent, Unicode's NFD); lists and file names
that were made elsewhere have them whole (NFC). Ids are kept in NFC.
"""

import os
import re
import unicodedata
from collections.abc import Collection

import pandas as pd
import pyarrow.compute as pc

from audioset_ml.core.errors import CONTROL, has_control, shown
from audioset_ml.labels.text_columns import arrow
from audioset_ml.labels.wrong_rows import WrongRows

# What spreadsheets make of a cell they take for a formula, such as an id that begins
# with a hyphen: #NAME?, #WERT! and the like, in many languages.
CELL_ERROR = r'^"?(?:#[^\sa-z",;_]{1,14}[?!]|#N/A|#NV|Err:[0-9]{3})(?:$|[",;\t _])'
# Besides, an id must not be empty, commented out or what a narrow cell shows, and not
# have about it what protects it from spreadsheets (="-x", '-x) or can't be seen.
_ADDED = '^="|^\'[-+=@]|[\u200b\ufeff]'
_NO_ID = f'{CELL_ERROR}|{CONTROL}|^$|^#(?:$| |#+$)|{_ADDED}'

# Columns that nobody calls a clip or a file by.
_HEADERS = 'segment_id', 'clip_id', 'filename', 'fname'


def normal(clip_id: str) -> str:
  """An id in the spelling in which ids are compared."""
  return unicodedata.normalize('NFC', clip_id)


def recording_of(clip_id: str) -> str:
  """What a clip was cut from: its id without `_<start in ms>`; all of it without."""
  before, _, start = clip_id.rpartition('_')
  return before if before and start.isascii() and start.isdigit() else clip_id


def of_clips(ids: pd.Series, clip_ids: Collection[str]) -> pd.Series:
  """Ids, by row, with the one clip in the place of its recording's name.

  As with sound files, `myclip` is the clip `myclip_0` where there is no other of it.
  What is a clip itself stays so, and so does what is none of either.

  Args:
    ids: clips, or recordings. Not changed.
    clip_ids: the clips that there are.
  """
  others = set(ids.unique()).difference(clip_ids)
  if not others:
    return ids
  clips_of: dict[str, list[str]] = {}
  for clip_id in clip_ids:
    if (recording := recording_of(clip_id)) in others:
      clips_of.setdefault(recording, []).append(clip_id)
  only = {name: clips[0] for name, clips in clips_of.items() if len(clips) == 1}
  return ids.map(only).fillna(ids) if only else ids


def normal_column(clip_ids: pd.Series) -> pd.Series:
  """`normal` of a column; millions of ids in a fraction of a second."""
  ascii_ = pc.string_is_ascii(arrow(clip_ids)).to_numpy(zero_copy_only=False)
  if ascii_.all():
    return clip_ids
  # Not Arrow's utf8_normalize, whose NFC leaves letters taken apart.
  return clip_ids.where(ascii_, clip_ids[~ascii_].map(normal))


def right_ids(
  path: str | os.PathLike, clip_ids: pd.Series, wrong_rows: WrongRows
) -> pd.Series:
  """A file's ids, by row, as they are compared; what can be none is reported.

  Where ids are written in lines, one with a line's end in it would be two.
  """
  column = clip_ids.name or 'id'
  again = (clip_ids == column) & (column in _HEADERS)
  bad = clip_ids[clip_ids.str.contains(_NO_ID) | again]
  what = [_fault(one, column) for one in bad]
  wrong_rows.add(path, bad.index, what)
  return normal_column(clip_ids[~clip_ids.index.isin(bad.index)])


def _fault(clip_id: str, column: str) -> str:
  if not clip_id:
    return f'an empty {column}'
  if clip_id == column in _HEADERS:
    return f'the header ({column}) once more; remove it'
  if re.search(_ADDED, clip_id):
    return f'{shown(clip_id)} is no id: a spreadsheet or a web page added to it'
  if hidden := has_control(clip_id):
    return f'the id {shown(clip_id)} holds {hidden}'
  return fault_of_mark(clip_id)


def fault_of_mark(line: str) -> str:
  """What is wrong with a row that begins with `#` and is no clip's."""
  if re.match(CELL_ERROR, line):
    return (
      f'{shown(line)}: a spreadsheet has put an error in the place of an id, which '
      "began with '-' or the like; take the file from before, or import that column as "
      'text'
    )
  return (
    f"{shown(line)} begins with '#', but comments stand above the first row only; "
    'remove it'
  )
