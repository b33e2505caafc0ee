"""The files of an evaluation: written by `evaluate`, read to compare and to report.

`metrics.json`, schema 2:

* schema_version: 2; goes up when a key changes its meaning or goes away.
* weak, strong, detection: each value by name, null where it is not defined; a section
  that was not evaluated is absent.
* intervals: for these sections the 95 % interval [low, high] of each value.
* bootstrap: replicates, seed and level. Without one, these two are absent.
* notes: what was not evaluated, and why.
* clips: how many were evaluated, how many were lost, which list they are of, and the
  identity that evaluations of the same clips share.
* selection: where one of several models was chosen: by what, from what, which.
* comparison: with a baseline; see `comparison.Comparison`.
"""

import dataclasses
import os
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from audioset_ml.core import csv_files, folders
from audioset_ml.core.array_files import Arrays
from audioset_ml.core.errors import InputError, RecordError, brief, counted, shown
from audioset_ml.core.input_files import fault_of_form, read_json, unreadable
from audioset_ml.evaluation import bootstrap
from audioset_ml.evaluation.evaluate_config import Resampling
from audioset_ml.evaluation.result import Evaluation, Replicates

METRICS_FILE = 'metrics.json'
PER_CLASS_FILE = 'per_class.csv'
REPLICATES_FILE = 'replicates.npz'
CURVES_FILE = 'curves.csv'
RELIABILITY_FILE = 'calibration.csv'
COMPARISON_FILE = 'comparison.csv'
GROUPS_FILE = 'groups.csv'
SCHEMA_VERSION = 2  # of metrics.json
STRONG_PREFIX = 'strong_'


_NUMBER = (float, None)
_WEAK_FORM = {
  'classes': int,
  'd_prime': _NUMBER,
  'classes_in_d_prime': int,
  'classes_with_auc_clipped': int,
  '*': (float, str, None, bool, list, dict),
}
_STRONG_FORM = {
  'classes': int,
  'd_prime': _NUMBER,
  'd_prime_explicit': _NUMBER,
  'd_prime_complementary': _NUMBER,
  '*': (float, str, None, bool, list, dict),
}
_METRICS_FORM = {
  'clips': {'evaluated': int, 'identity': str, 'lost?': int},
  'weak?': _WEAK_FORM,
  'strong?': _STRONG_FORM,
  'detection?': dict,
  'intervals?': {'*': {'*': (list, None)}},
  'bootstrap?': {'replicates': int, 'seed': int, 'level': float},
  'notes?': [str],
  'selection?': dict,
  'comparison?': dict,
}


@dataclasses.dataclass(frozen=True)
class EvaluatedModel:
  """All that was found of a model, as it lies on disk.

  Attributes:
    path: its folder.
    metrics: the content of metrics.json.
    per_class: the content of per_class.csv.
    replicates: by section (weak, strong, detection); {} without a bootstrap.
  """

  path: str
  metrics: dict[str, Any]
  per_class: pd.DataFrame
  replicates: dict[str, Replicates]


def assemble(
  path: str | os.PathLike,
  sections: dict[str, Evaluation],
  clip_ids: Sequence[str],
  resampling: Resampling | None = None,
  more: dict[str, Any] | None = None,
) -> EvaluatedModel:
  """Puts together what was found.

  Args:
    path: the folder that it will lie in.
    sections: weak, strong or both, and detection.
    clip_ids: the evaluated clips.
    resampling: what their replicates were drawn with; None without.
    more: further keys of metrics.json.
  """
  content: dict[str, Any] = {'schema_version': SCHEMA_VERSION}
  content |= {name: section.summary for name, section in sections.items()}
  identity = bootstrap.identity(clip_ids)
  content['clips'] = {'evaluated': len(clip_ids), 'identity': identity}
  tables = []
  for name, section in sections.items():
    table = section.table().set_index(['mid', 'display_name'])
    tables.append(table.add_prefix(STRONG_PREFIX if name == 'strong' else ''))
  per_class = pd.concat(tables, axis=1).reset_index()
  replicates = {}
  if resampling is not None:
    content['intervals'] = {n: one.intervals() for n, one in sections.items()}
    drawn = dataclasses.asdict(resampling)
    content['bootstrap'] = {**drawn, 'level': bootstrap.LEVEL}
    replicates = {name: section.replicates for name, section in sections.items()}
  return EvaluatedModel(str(path), content | (more or {}), per_class, replicates)


def write_evaluation(model: EvaluatedModel) -> None:
  """Writes metrics.json, per_class.csv and, with a bootstrap, replicates.npz."""
  folder = pathlib.Path(model.path)
  text = model.per_class.to_csv(index=False, lineterminator='\n')
  folders.write_atomically(folder / PER_CLASS_FILE, text)
  if model.replicates:
    _write_replicates(folder, model.replicates)
  folders.write_json(folder / METRICS_FILE, model.metrics)


def read_evaluation(path: str | os.PathLike) -> EvaluatedModel:
  """Reads a finished `evaluate` folder.

  Raises:
    InputError: there is none, or an older version of this package wrote it.
    RecordError: its files can't be read.
  """
  folders.read_run(path, 'evaluate')
  return load_evaluation(path)


def load_evaluation(path: str | os.PathLike) -> EvaluatedModel:
  """`read_evaluation` of a folder that is not finished yet, but whose files are."""
  folder = pathlib.Path(path)
  what, remedy = 'its evaluation', 'evaluate again with --overwrite'
  wrong = {'what': what, 'remedy': remedy, 'error': RecordError}
  content = read_json(folder / METRICS_FILE, {'schema_version?': object}, **wrong)
  version = content.get('schema_version')
  if version != SCHEMA_VERSION:
    raise InputError(
      f'{path}: {METRICS_FILE} has schema {brief(str(version))}, but {SCHEMA_VERSION} '
      'is needed; evaluate again'
    )
  if fault := fault_of_form(content, _METRICS_FORM):
    raise unreadable(folder / METRICS_FILE, reason=fault, **wrong)
  sections = [content[name] for name in ('weak', 'strong') if name in content]
  try:
    if not sections:
      raise ValueError(f'{METRICS_FILE} has neither weak nor strong')
    if ('intervals' in content) != ('bootstrap' in content):
      raise ValueError(f'{METRICS_FILE} has but one of intervals and bootstrap')
    per_class = csv_files.read_csv(folder / PER_CLASS_FILE)
    if fault := _fault_of_classes(per_class, sections[0]['classes']):
      raise ValueError(f'{PER_CLASS_FILE} {fault}')
  except (OSError, ValueError) as error:
    raise RecordError(f'{path}: {what} cannot be read ({error}); {remedy}') from error
  replicates = {}
  if drawn := content.get('bootstrap'):
    shape = drawn['replicates'], len(per_class)
    replicates = _read_replicates(folder, shape, remedy)
  return EvaluatedModel(str(path), content, per_class, replicates)


def _fault_of_classes(per_class: pd.DataFrame, classes: int) -> str:
  """What is wrong with a table of classes; '' for nothing."""
  if list(per_class.columns[:2]) != ['mid', 'display_name']:
    return 'does not begin with the columns mid and display_name'
  if len(per_class) != classes or per_class['mid'].duplicated().any():
    rows = counted(len(per_class), 'row')
    return f'has {rows}, but the metrics are of {counted(classes, "class")}, each once'
  values = per_class.iloc[:, 2:]
  for name in values.columns:
    if not pd.api.types.is_numeric_dtype(values[name]):
      return f'has a value in the column {shown(name)} that is no number'
  return 'has no values' if values.isna().all(axis=None) else ''


def read_table(
  path: str | os.PathLike,
  file: str,
  columns: Sequence[str] = (),
  texts: Sequence[str] = ('mid', 'display_name'),
) -> pd.DataFrame | None:
  """A further CSV of a folder; None if it has none.

  Args:
    path: the folder.
    file: the CSV's name.
    columns: that it must have.
    texts: those that hold text; all others of `columns` must hold numbers.

  Raises:
    RecordError: it can't be read, or lacks some of these columns, or numbers in them.
  """
  try:
    table = csv_files.read_csv(pathlib.Path(path) / file, texts)
    if lacking := set(columns) - set(table):
      raise ValueError(f'no column {min(lacking)}')
    for column in columns:
      is_number = column not in texts and len(table)
      if is_number and not pd.api.types.is_numeric_dtype(table[column]):
        raise ValueError(f'in the column {column} is what is no number')
    return table
  except FileNotFoundError:
    return None
  except ValueError as error:
    raise RecordError(f'{path}/{file}: cannot be read ({error})') from error


def _write_replicates(folder: pathlib.Path, replicates: dict[str, Replicates]) -> None:
  arrays = {}
  for name, section in replicates.items():
    for kind in ('summary', 'per_class'):
      for value, array in getattr(section, kind).items():
        arrays[f'{name}/{kind}/{value}'] = np.asarray(array, np.float32)
  with folders.whole_file(folder / REPLICATES_FILE) as file:
    np.savez_compressed(file, **arrays)


def _read_replicates(
  folder: pathlib.Path, shape: tuple[int, int], remedy: str
) -> dict[str, Replicates]:
  """The replicates, of which there are so many of so many classes."""
  found: dict[str, Replicates] = {}
  arrays = Arrays(folder / REPLICATES_FILE, remedy, RecordError)
  for key in arrays.headers:
    section, kind, value = (*key.split('/'), '', '')[:3]
    if kind not in ('summary', 'per_class'):
      raise RecordError(f'{folder}/{REPLICATES_FILE}: holds {shown(key)}; {remedy}')
    one = found.setdefault(section, Replicates({}, {}))
    getattr(one, kind)[value] = arrays.read(key, shape[: 1 + (kind == 'per_class')])
  return found
