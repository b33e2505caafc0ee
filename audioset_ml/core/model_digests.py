"""What holds the model of a finished folder to what was written: its files' SHA-256.

run.json names them as `model_files`, relative to the folder; that of an older version
doesn't, and its folder is taken as it is. Needs no TensorFlow.
"""

import json
import os
import pathlib
from collections.abc import Mapping
from typing import Any

from audioset_ml.core import file_states
from audioset_ml.core.errors import ModelError, shown
from audioset_ml.core.file_states import WrittenFiles

MODEL_FILE = 'model.keras'
CLASS_MAP_FILE = 'class_map.csv'  # which says what the model's outputs stand for
SAVED_MODEL_FOLDER = 'saved_model'  # what `export` calls it
EXPORTED_FILES = ('*/*.tflite', '*/*.onnx')  # those of other formats
SAVED_MODEL_FILE = 'saved_model.pb'
MODEL_FILES = 'model_files'  # in run.json


def describe(folder: str | os.PathLike) -> dict[str, Any]:
  """What run.json says of the model that a stage has written in its folder.

  Returns:
    Sizes and checksums by name, as `model_files`; nothing where there is no model.
  """
  folder = pathlib.Path(folder)
  files = []
  if (folder / MODEL_FILE).is_file():
    files += [folder / MODEL_FILE, folder / CLASS_MAP_FILE]
  if (folder / SAVED_MODEL_FOLDER / SAVED_MODEL_FILE).is_file():
    files += sorted((folder / SAVED_MODEL_FOLDER).rglob('*'))
  files += sorted(found for form in EXPORTED_FILES for found in folder.glob(form))
  states = {
    file.relative_to(folder).as_posix(): file_states.describe(file)
    for file in files
    if file.is_file()
  }
  return {MODEL_FILES: states} if states else {}


def changes(folder: str | os.PathLike, run_json: bytes) -> list[str]:
  """Which files of a folder's model are not as its run.json says: their digests.

  By content: a folder that was copied, or whose files were touched, is the same.

  Args:
    folder: the folder.
    run_json: what its run.json holds; of one that is damaged nothing is told.
  """
  try:
    written = WrittenFiles(pathlib.Path(folder), json.loads(run_json)[MODEL_FILES])
    return [f'{name}: {found}' for name, found in written.changes()]
  except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
    return []


def require_as_written(
  folder: str | os.PathLike, run_json: Mapping[str, Any], stage: str
) -> None:
  """Holds the files of a folder's model against its run.json.

  Args:
    folder: the folder.
    run_json: what its run.json says, of `folders.RUN_FORM`.
    stage: what has written it.

  Raises:
    ModelError: one is gone, or not what was written.
  """
  written = WrittenFiles(pathlib.Path(folder), run_json.get(MODEL_FILES, {}))
  for name, found in written.changes():
    file, gone = written.states[name], (file_states.GONE, file_states.NO_FILE)
    what = 'is no longer there' if found in gone else 'is not as it was written'
    raise ModelError(
      f'{written.folder / name}: {what} (run.json says {file["bytes"]:,} bytes, '
      f'SHA-256 {shown(file["sha256"])}); run `{stage}` again with --overwrite, or, if '
      'it is changed on purpose, copy the model out of the folder and name the copy'
    )
