"""Which clips of some records are evaluated, and which are lost."""

import os
from collections.abc import Collection, Sequence

import numpy as np
import pandas as pd

from audioset_ml.core.errors import InputError, counted
from audioset_ml.labels.clip_list import read_clip_list
from audioset_ml.records.folder import RecordsFolder
from audioset_ml.records.folder_files import SKIPPED_HEADER, read_skipped
from audioset_ml.records.folds import Fold

LOST_FILE = 'lost_clips.csv'
LOST_COLUMNS = ('clip_id', 'reason')


def choose_clips(
  records: RecordsFolder, clip_list: str | os.PathLike = ''
) -> tuple[np.ndarray, pd.DataFrame]:
  """The clips to evaluate, and those that should be evaluated but can't be.

  AudioSet erodes, as videos are deleted: two papers' numbers are of other clips unless
  both are restricted to a list.

  Args:
    records: the records.
    clip_list: see `clip_list.read_clip_list`; '' for all clips of the records.

  Returns:
    The clips as indices into those of the records; and the lost ones, clip_id and
    reason: of the list's, or without a list of all that `prepare` was to prepare.

  Raises:
    InputError: the records have none of the list's clips.
  """
  skipped = _skipped(records)
  if not clip_list:
    return np.arange(len(records.clip_ids)), skipped
  wanted = named_clips(records, clip_list)
  chosen = np.isin(np.array(records.clip_ids, object), np.array(wanted, object))
  return np.flatnonzero(chosen), lost_clips(records, wanted)


def named_clips(
  records: RecordsFolder, clip_list: str | os.PathLike
) -> tuple[str, ...]:
  """The clips that a list names, of which the records have some.

  Raises:
    InputError: they have none.
  """
  wanted = read_clip_list(clip_list)
  if set(wanted).isdisjoint(records.clip_ids):
    raise InputError(
      f'{clip_list}: names {counted(len(wanted), "clip")}, {wanted[0]} for one, but '
      f'none of the {len(records.clip_ids)} of {records.path} ({records.clip_ids[0]} '
      'for one)'
    )
  return wanted


def lost_clips(records: RecordsFolder, wanted: Sequence[str]) -> pd.DataFrame:
  """Those of some clips that the records lack, and why: clip_id, reason."""
  reasons = _skipped(records).set_index('clip_id')['reason']
  lost = pd.Series(wanted, dtype=object)
  lost = lost[~lost.isin(records.clip_ids)]
  why = lost.map(reasons).astype(object).fillna('not in the records')
  table = pd.DataFrame(dict(zip(LOST_COLUMNS, (lost, why), strict=True)))
  return table.reset_index(drop=True)


def split_clips(
  records: RecordsFolder,
  clips: np.ndarray,
  validation_list: str | os.PathLike = '',
  validation_folds: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
  """Divides clips into those to choose a model on and those to report it on.

  Args:
    records: the records.
    clips: the clips to divide, as indices.
    validation_list: a list of those to choose on.
    validation_folds: without a list, how many folds the clips are divided into, the
      first of which is to choose on; clips of one recording share a fold.

  Returns:
    The clips to choose on and the others, as indices.

  Raises:
    InputError: one of the two would be empty.
  """
  if validation_list:
    wanted: Collection[str] = set(read_clip_list(validation_list))
    origin = str(validation_list)
  else:
    fold = Fold(0, validation_folds)
    wanted = {records.clip_ids[c] for c in clips if fold.holds(records.clip_ids[c])}
    origin = f'{validation_folds} folds'
  chosen = np.array([records.clip_ids[clip] in wanted for clip in clips])
  if chosen.all() or not chosen.any():
    number = f'{chosen.sum()} of {counted(len(clips), "clip", "are")}'
    raise InputError(
      f'{origin}: {number} for validation; there must be some for validation and some '
      'for the test'
    )
  return clips[chosen], clips[~chosen]


def _skipped(records: RecordsFolder) -> pd.DataFrame:
  rows = read_skipped(records.path)
  return pd.DataFrame(rows, columns=list(SKIPPED_HEADER), dtype='str')[[*LOST_COLUMNS]]
