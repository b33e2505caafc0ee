"""Holding flagged labels against the truth, where it is known."""

import os
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from audioset_ml.core import folders
from audioset_ml.core.errors import InputError, LabelError
from audioset_ml.core.progress import progress_bar
from audioset_ml.labels.label_set import LabelSet, find_label_sets
from audioset_ml.labels.states import LabelState, LabelTable
from audioset_ml.missing_labels.truth import Truth, read_truth
from audioset_ml.records.folder import RecordsFolder

CLASSES_FILE = 'audit_classes.csv'  # each class's rates, of every label set
_COUNTS = ('implicit', 'missing', 'flagged', 'judged', 'truly_missing', 'by_chance')


def count_inputs(
  label_sets: Sequence[str], records_path: str, *truth: str | Sequence[str]
) -> dict[str, Any]:
  """What `--dry_run` says: opens what the stage would open, and counts.

  Args:
    label_sets: folders of label sets, or single ones.
    records_path: the records that they are of.
    *truth: as `read_truth` takes it after the records.

  Raises:
    InputError: an input can't be read, or label sets are of other clips.
  """
  records = RecordsFolder.open(records_path)
  read_truth(records.clip_ids, records.class_map, *truth)
  found = 0
  for path in label_sets:
    sets = find_label_sets(path)
    for folder in sets or [path]:  # of none, reading says what is wrong
      if LabelSet.read(folder).clip_ids != records.clip_ids:
        raise InputError(f'{folder}: is of other clips than {records_path}')
      found += 1
  return {'clips': len(records.clip_ids), 'label sets': found}


def audit_label_set(
  label_set: LabelSet, labels: LabelTable, truth: Truth
) -> pd.DataFrame:
  """How good a label set's flags are, class by class.

  Args:
    label_set: the flags.
    labels: the states of the same clips' labels, when they were flagged.
    truth: what is truly there.

  Returns:
    A row a class: mid, display_name; of its implicit negatives whose truth is known:
    implicit (how many), missing (of them truly present), flagged (all that is flagged),
    judged (of it known), truly_missing (of it truly present), by_chance (how many of as
    many at random would be), precision and recall; agreement: the share of its explicit
    positives, where the truth is known, that are truly present (NaN of none).

  Raises:
    LabelError: the label set is of other clips or classes.
  """
  if label_set.clip_ids != labels.clip_ids or label_set.clip_ids != truth.clip_ids:
    raise LabelError(f'{label_set.path}: is of other clips than the records')
  if label_set.class_map.mids != truth.class_map.mids:
    raise LabelError(f'{label_set.path}: is of other classes than the records')
  rows = []
  for index, mid in enumerate(label_set.class_map.mids):
    known, present = truth.of_class(index)
    decided, states = labels.known_in_class(index)
    positive = decided[states == LabelState.EXPLICIT_POSITIVE]
    positive = positive[known[positive]]
    agreement = present[positive].mean() if len(positive) else np.nan
    known[decided] = False
    flagged = label_set.flagged_in_class(index)
    missing = known & present
    judged = int((flagged & known).sum())
    rows.append(
      {
        'mid': mid,
        'display_name': label_set.class_map.names[index],
        'implicit': int(known.sum()),
        'missing': int(missing.sum()),
        'flagged': int(flagged.sum()),
        'judged': judged,
        'truly_missing': int((flagged & missing).sum()),
        'by_chance': judged * missing.sum() / max(known.sum(), 1),
        'agreement': agreement,
      }
    )
  return _with_rates(pd.DataFrame(rows))


def summarize(classes: pd.DataFrame) -> dict[str, float]:
  """The sums of `audit_label_set`'s counts over the classes, and their rates."""
  totals = classes[list(_COUNTS)].sum().to_frame().T
  return _with_rates(totals).iloc[0].to_dict()


def _with_rates(table: pd.DataFrame) -> pd.DataFrame:
  """With precision, recall and a random choice's precision; NaN where undefined."""
  judged, missing = (table[name].replace(0, np.nan) for name in ('judged', 'missing'))
  return table.assign(
    precision=table['truly_missing'] / judged,
    recall=table['truly_missing'] / missing,
    random_precision=table['by_chance'] / judged,
    random_recall=table['by_chance'] / missing,
  )


def audit(
  paths: Sequence[str | os.PathLike],
  labels: LabelTable,
  truth: Truth,
  output_dir: str | os.PathLike,
  min_agreement: float = 0.0,
) -> pd.DataFrame:
  """Audits label sets; writes audit.csv and audit_classes.csv.

  Args:
    paths: folders of label sets, or of several.
    labels: the states of the clips' labels, when they were flagged.
    truth: what is truly there.
    output_dir: the folder to write.
    min_agreement: classes whose `agreement` is lower, or unknown, count in no mean:
      there the labels and the truth don't mean the same. 0 for all.

  Returns:
    audit.csv: a row a label set with folder, label_set, value, classes (how many the
    rates are of) and the sums and rates of `summarize`.

  Raises:
    LabelError: a folder holds no label set, or one of other clips; or of no implicit
      negative the truth is known, or of none of a class that agrees.
  """
  found = [(path, one) for path in paths for one in find_label_sets(path)]
  for path in paths:
    if not any(path == one for one, _ in found):
      raise LabelError(f'{path}: no label set in it')
  rows, parts = [], []
  for path, folder in progress_bar(found, desc='audit', unit='label set'):
    label_set = LabelSet.read(folder)
    classes = audit_label_set(label_set, labels, truth)
    if not classes['implicit'].any():
      raise LabelError(
        f'{folder}: the truth says nothing of any implicit negative of the records: is '
        'it that of their own labels?'
      )
    name = {'folder': str(path), 'label_set': folder.name}
    value = label_set.description.get('value', '')
    counted = classes
    if min_agreement:
      counted = classes[classes['agreement'] >= min_agreement]
      if not counted['implicit'].any():
        raise LabelError(
          f'{folder}: of no class {min_agreement:.0%} of the positives that the '
          'records have are true, so that nothing is left to audit (--min_agreement)'
        )
    number = int((counted['implicit'] > 0).sum())
    rows.append({**name, 'value': value, 'classes': number, **summarize(counted)})
    parts.append(classes.assign(**name))
  table = pd.DataFrame(rows)
  # By rule, then by value as a number.
  rule = table['label_set'].str.rpartition('_')[0]
  order = pd.DataFrame(
    {
      'folder': table['folder'],
      'rule': rule,
      'value': pd.to_numeric(table['value'], errors='coerce'),
    }
  ).sort_values(['folder', 'rule', 'value'], kind='stable')
  table = table.loc[order.index].reset_index(drop=True)
  output_dir = pathlib.Path(output_dir)
  for name, content in (('audit.csv', table), (CLASSES_FILE, pd.concat(parts))):
    text = content.to_csv(index=False, lineterminator='\n')
    folders.write_atomically(output_dir / name, text)
  return table
