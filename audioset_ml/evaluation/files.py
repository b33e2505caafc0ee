"""The files of an evaluation: written by `evaluate`, read to compare and to report.

`metrics.json`, schema 2:

* schema_version: 2; goes up when a key changes its meaning or goes away.
* weak, strong, detection: each value by name, null where it is not defined; a section
  that was not evaluated is absent.
* intervals: for weak and strong the 95 % interval [low, high] of each value.
* bootstrap: replicates, seed and level. Without one, these two are absent.
* notes: what was not evaluated, and why.
* clips: how many were evaluated, how many were lost, which list they are of, and the
  identity that evaluations of the same clips share.
* selection: where one of several models was chosen: by what, from what, which.
* comparison: with a baseline; see `comparison.Comparison`.
"""

import dataclasses
import json
import os
import pathlib
import zipfile
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from audioset_ml import folders
from audioset_ml.errors import InputError, RecordError
from audioset_ml.evaluation import bootstrap
from audioset_ml.evaluation.detection import Detection
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


# What reading damaged files raises; the last three are of .npz files.
_DAMAGE = (
  OSError,
  ValueError,
  KeyError,
  EOFError,
  zipfile.BadZipFile,
  zlib.error,
  NotImplementedError,
)


@dataclasses.dataclass(frozen=True)
class Resampling:
  """A bootstrap: how many replicates, and from which seed."""

  replicates: int
  seed: int


@dataclasses.dataclass(frozen=True)
class EvaluatedModel:
  """All that was found of a model, as it lies on disk.

  Attributes:
    path: its folder.
    metrics: the content of metrics.json.
    per_class: the content of per_class.csv.
    replicates: by section (weak, strong); {} without a bootstrap.
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
  detection: Detection | None = None,
  more: dict[str, Any] | None = None,
) -> EvaluatedModel:
  """Puts together what was found.

  Args:
    path: the folder that it will lie in.
    sections: weak, strong or both.
    clip_ids: the evaluated clips.
    resampling: what their replicates were drawn with; None without.
    detection: what `evaluate_detection` found.
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
  if detection is not None:
    content['detection'] = detection.summary
    per_class = per_class.join(detection.per_class)
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
  try:
    content = json.loads((folder / METRICS_FILE).read_text())
    if not isinstance(content, dict):
      raise ValueError(f'{METRICS_FILE} holds no object')
    version = content.get('schema_version')
    if version != SCHEMA_VERSION:
      raise InputError(
        f'{path}: {METRICS_FILE} has schema {version}, but {SCHEMA_VERSION} is needed; '
        'evaluate again'
      )
    per_class = folders.read_csv(folder / PER_CLASS_FILE)
    clips = {name: content['clips'][name] for name in ('evaluated', 'identity')}
    section = content.get('weak') or content['strong']
    if len(per_class) != section['classes'] or per_class.iloc[:, 2:].isna().all(
      axis=None
    ):
      raise ValueError(f'{PER_CLASS_FILE} has {len(per_class)} rows of {clips}')
    replicates = _read_replicates(folder) if content.get('bootstrap') else {}
  except InputError:
    raise
  except _DAMAGE as error:
    raise RecordError(
      f'{path}: its evaluation cannot be read ({error}); evaluate again'
    ) from error
  return EvaluatedModel(str(path), content, per_class, replicates)


def read_table(
  path: str | os.PathLike, file: str, columns: Sequence[str] = ()
) -> pd.DataFrame | None:
  """A further CSV of an evaluation's folder; None if it has none.

  Raises:
    RecordError: it can't be read, or lacks some of these columns.
  """
  try:
    table = folders.read_csv(pathlib.Path(path) / file)
    if lacking := set(columns) - set(table):
      raise ValueError(f'no column {min(lacking)}')
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
  partial = folder / f'.{os.getpid()}.{REPLICATES_FILE}'
  np.savez_compressed(partial, **arrays)
  partial.replace(folder / REPLICATES_FILE)


def _read_replicates(folder: pathlib.Path) -> dict[str, Replicates]:
  found: dict[str, Replicates] = {}
  with np.load(folder / REPLICATES_FILE, allow_pickle=False) as arrays:
    for key in arrays.files:
      section, kind, value = key.split('/')
      one = found.setdefault(section, Replicates({}, {}))
      getattr(one, kind)[value] = arrays[key]
  return found
