"""What stages read: whether it is there, asked before anything heavy is imported.

A flag's name says of what kind its value is, in all stages. What is in files is looked
at later, by those who read them; here only what is quickly seen. Paths with a scheme
are passed over, for only TensorFlow can see them.
"""

import os
from collections.abc import Callable, Mapping, Sequence

from audioset_ml.audio import archives
from audioset_ml.core import folders, paths
from audioset_ml.core.errors import InputError

Value = str | Sequence[str] | None


def require(inputs: Mapping[str, Value], stage: str = '') -> None:
  """Raises InputError for the first input that is not there, or is of another kind.

  Args:
    inputs: paths, or lists of paths, by the names of their flags; '' for none.
    stage: whose flags they are.
  """
  for name, value in inputs.items():
    look = _OF_STAGES.get((stage, name)) or _KINDS.get(name, _require_file)
    for path in [value] if isinstance(value, str) else value or ():
      if path and not paths.is_remote(path):
        look(path, name)


def require_apart(inputs: Mapping[str, Value], output_dir: str) -> None:
  """Raises InputError for an input that is the output folder, or lies in it.

  With --overwrite it would be set aside before it is read.

  Args:
    inputs: as `require` takes them.
    output_dir: the folder.
  """
  if paths.is_remote(output_dir):
    return
  output = os.path.realpath(output_dir)
  for name, value in inputs.items():
    for path in [value] if isinstance(value, str) else value or ():
      if not path or paths.is_remote(path):
        continue
      found = os.path.realpath(path)
      if os.path.commonpath([found, output]) == output:
        where = 'is' if found == output else 'lies in'
        raise InputError(
          f'{path}: --{name} {where} --output_dir, which this stage writes; name '
          'another --output_dir'
        )


def _require_file(path: str, name: str) -> None:
  if os.path.isdir(path):
    raise InputError(f'{path}: is a folder, but --{name} needs a file')
  if not os.path.exists(path):
    raise InputError(f'{path}: no such file (--{name})')


def _require_folder(path: str, name: str) -> None:
  if not os.path.exists(path):
    raise InputError(f'{path}: no such folder (--{name})')
  if not os.path.isdir(path):
    raise InputError(f'{path}: is a file, but --{name} needs a folder')


def _require_sounds(path: str, name: str) -> None:
  if not os.path.isfile(path):
    _require_folder(path, name)
  elif not archives.is_archive(path):
    raise InputError(
      f'{path}: is a file, but --{name} needs a folder, or a tar or parquet file '
      f'({" ".join(archives.SUFFIXES)}), not compressed'
    )


def _require_path(path: str, name: str) -> None:
  if not os.path.exists(path):
    raise InputError(f'{path}: no such file or folder (--{name})')


def _require_records(path: str, name: str) -> None:
  from audioset_ml.records.folder_files import require_records

  require_records(path)


def _require_scores(path: str, name: str) -> None:
  from audioset_ml.records.scores import WRITTEN_BY

  folders.read_run(path, WRITTEN_BY)


def _require_label_set(path: str, name: str) -> None:
  from audioset_ml.labels.label_set import require_label_set

  require_label_set(path)


def _require_label_sets(path: str, name: str) -> None:
  from audioset_ml.labels.label_set import find_label_sets, require_label_set

  if not find_label_sets(path):
    require_label_set(path)


def _require_model(path: str, name: str) -> None:
  from audioset_ml.models.model_checks import require_model

  require_model(path)


def _require_trained_model(path: str, name: str) -> None:
  from audioset_ml.models.model_files import ModelFiles

  ModelFiles.find(path)


def _written_by(stage: str) -> Callable[[str, str], None]:
  def look(path: str, name: str) -> None:
    folders.read_run(path, stage)

  return look


# What is not named here is a file.
_KINDS: dict[str, Callable[[str, str], None]] = {
  **dict.fromkeys(
    (
      *('records', 'mix_records', 'validation_records', 'prior_records'),
      'truth_records',
      'calibration_records',
    ),
    _require_records,
  ),
  **dict.fromkeys(
    ('scores', 'hardest_by', 'prior_scores', 'soft_scores'), _require_scores
  ),
  'label_set': _require_label_set,
  'label_sets': _require_label_sets,
  'model': _require_model,
  'init_from': _require_trained_model,
  'embedder': _require_trained_model,
  'evaluation': _written_by('evaluate'),
  'baseline': _written_by('evaluate'),
  'description': _require_folder,
  'results': _require_path,
  'page_runtime': _require_path,
  'audio_dir': _require_sounds,
  'features_dir': _require_folder,
  'source_dir': _require_folder,
  'sounds': _require_path,
}
# Flags that mean something else in a stage.
_OF_STAGES: dict[tuple[str, str], Callable[[str, str], None]] = {
  ('import_scores', 'scores'): _require_file,
  ('export', 'model'): _require_trained_model,
  ('embed', 'model'): _require_trained_model,
  ('finetune', 'model'): _require_trained_model,
}
