"""The steps of a run: folders inside its own, as the stages write them.

A step that has finished with the same settings and inputs is not done again; one that
was killed goes on; one of others, or whose files are damaged, is done anew.
"""

import hashlib
import pathlib
import time
from collections.abc import Callable, Mapping
from typing import Any

from audioset_ml.core import file_states, folders, paths, run_state
from audioset_ml.core.errors import InputError
from audioset_ml.core.file_states import WrittenFiles
from audioset_ml.core.input_files import fault_of_form
from audioset_ml.core.model_digests import MODEL_FILES
from audioset_ml.records.folder_files import SHARD_FILES
from audioset_ml.records.scores import SCORE_FILES

# What of a run.json has checksums of files.
_HELD = MODEL_FILES, SHARD_FILES, SCORE_FILES

Work = Callable[[pathlib.Path], tuple[dict[str, Any], dict[str, Any]]]


def step(
  path: pathlib.Path,
  stage: str,
  settings: Mapping[str, Any],
  inputs: Mapping[str, Any],
  work: Work,
) -> dict[str, Any]:
  """Does a step, unless it is done.

  Args:
    path: its folder.
    stage: the stage whose folders are like it.
    settings: what it depends on beside its inputs.
    inputs: the paths that it reads, by name; '' for none.
    work: does it: from the folder to counts and details for run.json.

  Returns:
    Its counts.
  """
  flags = run_state.Flags(
    tuple(f'--{name}={value}' for name, value in settings.items())
  )
  inputs = {name: str(value) for name, value in inputs.items()}
  path.mkdir(parents=True, exist_ok=True)
  try:
    is_due = run_state.enter(path, stage, flags, inputs, overwrite=False)
    if not is_due:
      _require_whole(path, stage)
  except InputError:  # of other settings or inputs, or damaged
    (path / folders.RUN_FILE).unlink(missing_ok=True)  # before all that it speaks of
    paths.delete_tree(path)
    path.mkdir()
    is_due = run_state.enter(path, stage, flags, inputs, overwrite=False)
  if is_due:
    start = time.time()
    counts, details = work(path)
    details = {'counts': counts, **details, 'files': _sizes(path)}
    run_state.finish(path, stage, inputs, None, start, details)
  return folders.read_run(path, stage)['counts']


def _sizes(path: pathlib.Path) -> dict[str, int]:
  """The sizes of a folder's own files by their names (bytes); links are none."""
  files = [
    pathlib.Path(parent) / name
    for parent, names in paths.walk(path)
    for name in names
    if not name.startswith('.')
  ]
  return {
    file.relative_to(path).as_posix(): file.stat().st_size
    for file in files
    if not file.is_symlink()
  }


def _require_whole(path: pathlib.Path, stage: str) -> None:
  """Raises InputError unless a finished step's files are there, and as long as then.

  Records, scores and models must be what was written, by their checksums. A step that
  an older version finished says less.
  """
  run_json = folders.read_run(path, stage)
  form = {'counts': dict, 'files?': {'*': int}}
  form |= {f'{name}?': file_states.FORM_OF_LARGE for name in _HELD}
  if fault := fault_of_form(run_json, form):
    raise InputError(f'{path}: {fault}')
  there = _sizes(path)
  for name, size in run_json.get('files', {}).items():
    if there.get(name) != size:
      raise InputError(f'{path}: {name} is damaged')
  for held in _HELD:
    WrittenFiles(path, run_json.get(held, {})).require('do it anew', InputError)


def digest(*values: Any) -> str:
  """What tells values from others, by how they are printed."""
  return hashlib.blake2b(repr(values).encode(), digest_size=8).hexdigest()


def write_if_other(path: pathlib.Path, text: str) -> None:
  """Writes a file unless it holds the same: steps go by its time of change."""
  if not path.is_file() or path.read_bytes() != text.encode():
    folders.write_atomically(path, text)
