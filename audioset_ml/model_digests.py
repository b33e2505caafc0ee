"""What holds the model of a finished folder to what was written: its files' SHA-256.

run.json names them as `model_files`, relative to the folder; that of an older version
doesn't, and its folder is taken as it is. Needs no TensorFlow.
"""

import json
import os
import pathlib
import stat
from collections.abc import Mapping
from typing import Any

from audioset_ml import hashing
from audioset_ml.errors import ModelError, shown

MODEL_FILE = 'model.keras'
CLASS_MAP_FILE = 'class_map.csv'  # which says what the model's outputs stand for
SAVED_MODEL_FOLDER = 'saved_model'  # what `export` calls it
SAVED_MODEL_FILE = 'saved_model.pb'
MODEL_FILES = 'model_files'  # in run.json
FORM = {'*': {'bytes': int, 'sha256': str}}


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
  states = {
    file.relative_to(folder).as_posix(): {
      'bytes': file.stat().st_size,
      'sha256': hashing.file_digest(file),
    }
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
    files = json.loads(run_json)[MODEL_FILES]
    return [
      f'{name}: {found}'
      for name, file in files.items()
      if (found := _digest_unlike(pathlib.Path(folder, name), file))
    ]
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
  for name, file in run_json.get(MODEL_FILES, {}).items():
    path = pathlib.Path(folder, name)
    if _digest_unlike(path, file):
      what = (
        'is not as it was written' if os.path.isfile(path) else 'is no longer there'
      )
      raise ModelError(
        f'{path}: {what} (run.json says {file["bytes"]:,} bytes, SHA-256 '
        f'{shown(file["sha256"])}); run `{stage}` again with --overwrite, or, if it is '
        'changed on purpose, copy the model out of the folder and name the copy'
      )


def _digest_unlike(path: pathlib.Path, file: Mapping[str, Any]) -> str:
  """A file's digest, or what else it is, unless it is the one; then ''."""
  try:
    status = os.stat(path)
  except (OSError, ValueError):  # ValueError: of names with a null character
    return 'gone'
  if not stat.S_ISREG(status.st_mode):
    return 'no file'
  if status.st_size != file['bytes']:
    return f'{status.st_size} bytes'
  digest = hashing.digest_in_state(path, (status.st_mtime_ns, status.st_ctime_ns))
  return '' if digest == file['sha256'] else digest
