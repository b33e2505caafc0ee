"""What the folder of a training says of its model: its step, and what it has not seen.

But for a checkpoint's step, which is in its name, it stands in run.json. Needs no
TensorFlow.
"""

import os
import pathlib
import re
from collections.abc import Sequence

from audioset_ml.core import folders
from audioset_ml.core.errors import ModelError
from audioset_ml.core.input_files import fault_of_form
from audioset_ml.core.model_digests import MODEL_FILE
from audioset_ml.records.folds import Fold, require_complete

MODEL_STEP = 'model_step'  # in run.json of `train`: that of model.keras's weights


def left_out_folds(paths: Sequence[str | os.PathLike]) -> list[Fold] | None:
  """The fold that each of several models has not seen; None if all have seen all.

  Raises:
    InputError: some have seen all, or the folds are not those of one division.
  """
  owner = ', '.join(map(str, paths))
  folds = [left_out_fold(path) for path in paths]
  if all(fold is None for fold in folds):
    return None
  if any(fold is None for fold in folds):
    seen = paths[folds.index(None)]
    raise ModelError(f'{owner}: some have left out a fold, but {seen} has seen all')
  require_complete(folds, owner)
  return folds


def left_out_fold(path: str | os.PathLike) -> Fold | None:
  """The fold that a model of a train folder has not seen; None if it has seen all."""
  if not _is_train_folder(path):
    return None
  left_out = folders.read_run(path, 'train').get('left_out')
  if not left_out:
    return None
  if fault := fault_of_form(left_out, {'index': int, 'folds': int}, "'left_out'"):
    raise ModelError(f'{path}/{folders.RUN_FILE}: {fault}; train it again')
  return Fold(left_out['index'], left_out['folds'])


def step_of(path: str | os.PathLike) -> int | None:
  """After how many steps a model of a train folder, or a checkpoint in one, was as it
  is; None where nothing says it."""
  path = pathlib.Path(path)
  if found := re.fullmatch(r'ckpt-(\d+)(\.index)?', path.name):
    return int(found[1])
  if not _is_train_folder(path):
    return None
  run_json = folders.read_run(path, 'train')
  step = run_json.get(MODEL_STEP, run_json.get('counts', {}).get('steps'))
  return step if isinstance(step, int) else None


def _is_train_folder(path: str | os.PathLike) -> bool:
  """Whether it is a finished folder with a model of ours, as that of `export` isn't."""
  return (pathlib.Path(path) / MODEL_FILE).is_file() and folders.is_finished(path)
