"""What is truly there, where it is known: complete labels, or some that people gave."""

import dataclasses
import functools
import os
from collections.abc import Sequence

import numpy as np
import pandas as pd

from audioset_ml.core.errors import InputError, LabelError
from audioset_ml.labels import formats, label_rows, segments
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.labels.ontology import Ontology, ancestor_labels, smear_labels
from audioset_ml.labels.states import PRESENT_STATES, LabelState
from audioset_ml.records.folder import RecordsFolder


@dataclasses.dataclass(frozen=True)
class Truth:
  """Which classes are truly in which clips.

  Attributes:
    clip_ids: the clips.
    class_map: the classes.
    judged: a row a known label: clip (its row in clip_ids), class_index, present.
    complete: whether everything is known; what is not listed is then absent.
    unsure: how many labels were left out, since who was asked was unsure.
  """

  clip_ids: tuple[str, ...]
  class_map: ClassMap
  judged: pd.DataFrame
  complete: bool
  unsure: int = 0

  def of_class(self, class_index: int) -> tuple[np.ndarray, np.ndarray]:
    """What is known of a class.

    Returns:
      (whether it is known of each clip, whether it is present). Shape [clips], bool.
    """
    begin, end = self._bounds[class_index : class_index + 2]
    rows = self._sorted['clip'].to_numpy()[begin:end]
    present = np.zeros(len(self.clip_ids), bool)
    present[rows] = self._sorted['present'].to_numpy()[begin:end]
    known = np.full(len(self.clip_ids), self.complete)
    known[rows] = True
    return known, present

  @functools.cached_property
  def _sorted(self) -> pd.DataFrame:
    return self.judged.sort_values('class_index', kind='stable')

  @functools.cached_property
  def _bounds(self) -> np.ndarray:
    classes = self._sorted['class_index'].to_numpy()
    return np.searchsorted(classes, np.arange(len(self.class_map) + 1))


def read_truth(
  clip_ids: Sequence[str],
  class_map: ClassMap,
  truth_csv: str | os.PathLike = '',
  truth_tsvs: Sequence[str | os.PathLike] = (),
  truth_records: str = '',
  smear_ontology: str | os.PathLike = '',
) -> Truth:
  """Reads the truth of some clips.

  Args:
    clip_ids: the clips.
    class_map: the classes.
    truth_csv: their complete labels, in the form of a segments CSV.
    truth_tsvs: or those that people confirmed or refuted (`formats.read_explicit_tsv`).
    truth_records: or records of them, whose labels are explicit or derived: what
      `prepare --complete_strong --weak_labels=events` knows of AudioSet's clips.
    smear_ontology: AudioSet's ontology.json: what is present implies its ancestors
      there, unless a person refuted one by name (SL21 3.1); '' for nothing.

  Raises:
    InputError: none or several are given.
    LabelError: a file is wrong, or lacks clips or is of none of them.
  """
  if sum(map(bool, (truth_csv, truth_tsvs, truth_records))) != 1:
    raise InputError(
      'the truth is either a segments CSV of complete labels, or TSVs of confirmed and '
      'refuted ones, or records (truth_csv, truth_tsv, truth_records): give one of them'
    )
  ontology = Ontology.read(smear_ontology) if smear_ontology else None
  row_of = pd.Series(np.arange(len(clip_ids)), index=list(clip_ids))
  if truth_records:
    judged = _judged_in_records(truth_records, row_of, class_map, ontology)
    return _truth(clip_ids, class_map, judged, False, truth_records)
  if truth_csv:
    read = segments.read_weak_csv(truth_csv, class_map)
    lacking = set(clip_ids).difference(read.clips['clip_id'])
    if lacking:
      raise LabelError(
        f'{truth_csv}: lacks {len(lacking)} of the clips, {min(lacking)} for one'
      )
    table = read.labels.assign(present=True, unsure=False)
  else:
    parts = [formats.read_explicit_tsv(path, class_map) for path in truth_tsvs]
    table = formats.decided(pd.concat(parts, ignore_index=True))
    pair = ['segment_id', 'label']
    for clip_id, mid in table.loc[table.duplicated(pair), pair].to_numpy()[:1]:
      raise LabelError(
        f'{truth_tsvs[0]}: of {mid} in {clip_id} another file says the opposite; '
        'remove one of them'
      )
    table = table.rename(columns={'segment_id': 'clip_id', 'label': 'mid'})
    table['unsure'] = table['present'] == label_rows.UNSURE
    table['present'] = table['present'] == label_rows.PRESENT
  table = table[table['clip_id'].isin(row_of.index)]
  if not truth_csv and table.empty:
    raise LabelError(f'{truth_tsvs[0]}: none of its labels is of one of the clips')
  judged = pd.DataFrame(
    {
      'clip': row_of.reindex(table['clip_id']).to_numpy(np.int64),
      'class_index': table['mid'].map(class_map.index_of).to_numpy(np.int64),
      'present': table['present'].to_numpy(bool),
      'unsure': table['unsure'].to_numpy(bool),
    }
  )
  if ontology is not None:
    judged = _with_ancestors(judged, ontology.implied_classes(class_map))
  return _truth(
    clip_ids, class_map, judged, bool(truth_csv), truth_csv or truth_tsvs[0]
  )


def _truth(
  clip_ids: Sequence[str],
  class_map: ClassMap,
  judged: pd.DataFrame,
  complete: bool,
  path: str | os.PathLike,
) -> Truth:
  """The truth of what is judged, of which a column says where people were unsure.

  Raises:
    LabelError: they were unsure of everything.
  """
  known = judged[~judged['unsure']].drop(columns='unsure')
  unsure = len(judged) - len(known)
  if known.empty and unsure:
    raise LabelError(f'{path}: of these clips it says no more than {label_rows.UNSURE}')
  return Truth(tuple(clip_ids), class_map, known, complete, unsure)


def _with_ancestors(judged: pd.DataFrame, implied: np.ndarray) -> pd.DataFrame:
  """With the ancestors of what is present; what was said by name stands, be it that
  a person was unsure."""
  present = judged[judged['present']]
  clips, classes = ancestor_labels(
    present['clip'].to_numpy(), present['class_index'].to_numpy(), implied
  )
  added = pd.DataFrame({'clip': clips, 'class_index': classes, 'present': True})
  added['unsure'] = False
  found = pd.concat([judged, added], ignore_index=True)
  return found.drop_duplicates(['clip', 'class_index'], ignore_index=True)


def _judged_in_records(
  path: str, row_of: pd.Series, class_map: ClassMap, ontology: Ontology | None
) -> pd.DataFrame:
  """What records know of some clips, theirs by id; both may have others."""
  from audioset_ml.records.dataset import read_label_table

  records = RecordsFolder.open(path)
  indices = [class_map.index_of.get(mid) for mid in records.class_map.mids]
  if not any(index is not None for index in indices):
    raise LabelError(f'{path}: its class map shares no class with that of the records')
  places = row_of.reindex(records.clip_ids).to_numpy()
  labels, tables = read_label_table(records), []
  if ontology is not None:
    labels = smear_labels(labels, ontology.implied_classes(records.class_map))
  for index, ours in enumerate(indices):
    if ours is not None:
      rows, states = labels.known_in_class(index)
      present = np.isin(states, PRESENT_STATES)
      table = {'clip': places[rows], 'class_index': ours, 'present': present}
      table['unsure'] = states == LabelState.UNSURE
      tables.append(pd.DataFrame(table).dropna())
  judged = pd.concat(tables).astype({'clip': np.int64, 'class_index': np.int64})
  if judged.empty:
    raise LabelError(f'{path}: nothing is known in it of one of the clips')
  return judged
