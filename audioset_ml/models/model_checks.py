"""Whether a model of any kind can be used, before TensorFlow opens it.

That it is one, that it says its classes, and that its inputs and classes are those of
the records that it is to score.
"""

import os

from audioset_ml.core.errors import ModelError
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.labels.class_mapping import ClassMapping
from audioset_ml.models.exported_file import is_exported_file, read_description
from audioset_ml.models.model_files import ModelFiles, find_saved_model
from audioset_ml.records.folder import RecordsFolder


def require_model(path: str | os.PathLike) -> None:
  """Raises InputError unless a path is a model of any kind, a SavedModel among them."""
  if is_exported_file(path):
    read_description(path)
  elif not find_saved_model(path):
    ModelFiles.find(path)


def require_classes(path: str | os.PathLike, class_map_path: str | None) -> None:
  """Raises InputError unless a model says its classes, or can hold them."""
  if is_exported_file(path):
    read_description(path, class_map_path or None)
  elif not find_saved_model(path):
    ModelFiles.find(path, class_map_path).require_class_map()
  elif class_map_path:
    ClassMap.read(class_map_path)


def require_fits(
  path: str | os.PathLike,
  records: RecordsFolder,
  class_map_path: str | None = None,
  class_mapping_path: str | None = None,
  audio_dir: str | None = None,
) -> None:
  """Raises InputError if a model of any kind can be seen not to score some records.

  Args: as those of `scorers.open_scorer`.
  """
  if is_exported_file(path):
    description = read_description(path, class_map_path)
    records.require_frames(description.frames, str(path), any_hop=True)
    class_mapping(class_mapping_path, records, description.class_map, str(path))
    if description.takes_waveforms:
      _require_sounds(f'{path}: takes waveforms', audio_dir)
    return
  if find_saved_model(path):
    _require_sounds(f'{path}: a SavedModel takes waveforms', audio_dir)
    return
  files = ModelFiles.find(path, class_map_path)
  records.require_frames(files.frames, str(files.path), any_hop=True)
  class_mapping(class_mapping_path, records, files.require_class_map(), str(files.path))


def _require_sounds(what: str, audio_dir: str | None) -> None:
  """Raises ModelError unless sound files are given."""
  if not audio_dir:
    raise ModelError(
      f'{what}, which records do not hold; give the folder of their sound files with '
      '--audio_dir'
    )


def class_mapping(
  path: str | None, records: RecordsFolder, classes: ClassMap, owner: str
) -> ClassMapping:
  """From a model's classes to those of records: a file's, or these must be the same."""
  if path:
    return ClassMapping.read(path, records.class_map, classes)
  records.require_class_map(classes, owner)
  return ClassMapping.identity(len(classes))
