"""Labels of records with the ancestors of all positives, as training has them."""

import numpy as np
import pandas as pd

from audioset_ml.labels.ontology import smear_labels
from audioset_ml.labels.states import LabelTable
from audioset_ml.records.folder import RecordsFolder
from audioset_ml.records.strong_labels import StrongLabels, read_strong_labels


def smeared_table(
  records: RecordsFolder, labels: LabelTable, implied: np.ndarray
) -> LabelTable:
  """The labels of records as they are where `train --smear_ontology` reads them.

  What is no implicit negative here is none in the targets, and the other way round.

  Args:
    records: the records.
    labels: the states of their labels.
    implied: of `Ontology.implied_classes`.

  Raises:
    RecordError: a shard is damaged, or holds other clips than clips.csv says.
  """
  events = None
  if records.complete:  # else nothing is unmarked, which events could change
    events = clip_events(records, read_strong_labels(records))
  return smear_labels(labels, implied, events)


def clip_events(
  records: RecordsFolder, strong: StrongLabels
) -> tuple[np.ndarray, np.ndarray]:
  """The clip and the class of each event, as indices. Shapes [events]."""
  row_of = pd.Series(np.arange(len(records.clip_ids)), records.clip_ids)
  return (
    strong.events['segment_id'].map(row_of).to_numpy(np.int64),
    strong.events['label'].map(records.class_map.index_of).to_numpy(int),
  )
