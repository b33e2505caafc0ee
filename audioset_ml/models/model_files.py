"""Where a model is, and what can be known of it before TensorFlow opens it.

One way of naming a model, in all stages that take one:

| named | is |
|---|---|
| a folder of `train` | its model.keras |
| `<that folder>/checkpoints/ckpt-1000` | the network with that checkpoint's weights |
| a `.keras` file | itself, its classes in class_map.csv beside it |
| YAMNet's weights (`.h5`) | YAMNet; its classes see `labels.yamnet_classes` |
| a folder of `export`, or saved_model in it | the SavedModel, a function of waveforms |
| another SavedModel (YAMNet of TensorFlow Hub) | the same |
| a `.tflite` or `.onnx` file of `export` | itself, which holds its classes |
"""

import dataclasses
import os
import pathlib
import zipfile

from audioset_ml.core import folders, hashing, model_digests
from audioset_ml.core.errors import ModelError, counted
from audioset_ml.core.input_files import read_json
from audioset_ml.core.model_digests import (
  EXPORTED_FILES,
  MODEL_FILE,
  SAVED_MODEL_FOLDER,
)
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.labels.yamnet_classes import (
  AUDIOSET_CLASS_MAP_FILE,
  YAMNET_CLASS_MAP_FILE,
  yamnet_class_map,
)
from audioset_ml.models.exported_file import is_exported_file
from audioset_ml.records.folder_files import CLASS_MAP_FILE, frames_of
from audioset_ml.records.frames import FrameFormat

# Of the README of tensorflow/models/research/audioset/yamnet.
YAMNET_WEIGHTS_URL = 'https://storage.googleapis.com/audioset/yamnet.h5'
YAMNET_WEIGHTS_SHA256 = (
  '13c3308955bbfaef262f175ac9c40e47b134573a93984f009220dd7cc12a1744'
)
YAMNET_CLASS_MAP_URL = (
  'https://raw.githubusercontent.com/tensorflow/models/master/research/audioset/yamnet/'
  'yamnet_class_map.csv'
)
_WEIGHTS_SUFFIXES = ('.h5', '.hdf5')
_CHECKPOINT_DATA = '.data-00000-of-00001'


def is_saved_model(path: str | os.PathLike) -> bool:
  """Whether a folder is a SavedModel."""
  return (pathlib.Path(path) / folders.SAVED_MODEL_FILE).is_file()


def find_saved_model(path: str | os.PathLike) -> pathlib.Path | None:
  """The SavedModel that a path names: itself, or that in a folder of `export`.

  Raises:
    ModelError: it is not as `export` wrote it.
    InputError: its folder's run.json can't be read.
  """
  path = pathlib.Path(path)
  places = (path, path / SAVED_MODEL_FOLDER)
  found = next((place for place in places if is_saved_model(place)), None)
  if found and found.name == SAVED_MODEL_FOLDER and folders.is_finished(found.parent):
    remedy = 'run `export` again with --overwrite'
    run_json = read_json(
      found.parent / folders.RUN_FILE, folders.RUN_FORM, remedy=remedy
    )
    model_digests.require_as_written(found.parent, run_json, 'export')
  return found


@dataclasses.dataclass(frozen=True)
class ModelFiles:
  """Where a trained model is and what its inputs and outputs mean.

  Attributes:
    path: its file.
    frames: what its patches are made of.
    class_map: its classes, or None where nothing says them.
    checkpoint: what its weights are taken from; None for those of the file.
    class_map_path: where its classes stand, for messages.
  """

  path: pathlib.Path
  frames: FrameFormat
  class_map: ClassMap | None
  checkpoint: pathlib.Path | None = None
  class_map_path: str = ''

  @classmethod
  def find(
    cls, path: str | os.PathLike, class_map_path: str | None = None
  ) -> 'ModelFiles':
    """Finds a train folder's model, or that of a checkpoint in one, a `.keras` file or
    YAMNet weights; see `TrainedModel.open`.

    Raises:
      ModelError: there is no such model, its file is none, or not as `train` wrote it.
      LabelError: the class map can't be read.
      InputError: the train folder is not finished.
    """
    path = pathlib.Path(path)
    if path.suffix == '.index' and path.is_file():
      path = path.with_suffix('')
    checkpoint = path if path.with_name(f'{path.name}.index').is_file() else None
    if checkpoint is not None:
      path = _train_folder_of(checkpoint)
    frames = FrameFormat.log_mel()
    if is_exported_file(path):
      raise ModelError(
        f'{path}: a file for other runtimes, which only gives scores; here the trained '
        'model itself is needed: a train folder, a .keras file or yamnet.h5'
      )
    if saved_model := find_saved_model(path):
      raise ModelError(
        f'{path}: a SavedModel, which takes waveforms; here the trained model itself '
        f'is needed: {_what_was_exported(saved_model)}'
      )
    if path.is_dir():
      require_named_itself(path)
      run_json = folders.read_run(path, 'train')
      frames = frames_of(run_json, path)
      model_digests.require_as_written(path, run_json, 'train')
      path = path / MODEL_FILE
    files = cls(path, frames, None, checkpoint)
    files._require_file()
    names = (CLASS_MAP_FILE,)
    if files.is_weights:
      names = (YAMNET_CLASS_MAP_FILE, AUDIOSET_CLASS_MAP_FILE)
    beside = [path.parent / name for name in names if (path.parent / name).is_file()]
    if class_map_path is None and beside:
      class_map_path = str(beside[0])
    if class_map_path is None:
      return files
    classes = ClassMap.read(class_map_path)
    if files.is_weights:
      classes = yamnet_class_map(classes)
    return dataclasses.replace(files, class_map=classes, class_map_path=class_map_path)

  @property
  def is_weights(self) -> bool:
    """Whether the file holds YAMNet's weights, and no network."""
    return self.path.suffix in _WEIGHTS_SUFFIXES

  def digest(self) -> str:
    """Tells a network from any other, wherever its file lies."""
    path = self.path
    if self.checkpoint is not None:
      path = self.checkpoint.with_name(f'{self.checkpoint.name}{_CHECKPOINT_DATA}')
    return hashing.file_digest(path)

  def require_class_map(self) -> ClassMap:
    """The class map, or a ModelError that asks for one."""
    if self.class_map is not None:
      return self.class_map
    message = f'{self.path}: nothing says what its outputs stand for; '
    if self.is_weights:
      raise ModelError(
        f'{message}put {YAMNET_CLASS_MAP_FILE} ({YAMNET_CLASS_MAP_URL}) or '
        f"AudioSet's {AUDIOSET_CLASS_MAP_FILE} beside it, or give either with "
        '--class_map'
      )
    raise ModelError(f'{message}give its class map with --class_map')

  def _require_file(self) -> None:
    if self.is_weights:
      require_weights_file(self.path)
    elif not self.path.is_file():
      raise ModelError(
        f'{self.path}: no such model file, nor a folder of train or export'
      )
    elif not zipfile.is_zipfile(self.path):
      raise ModelError(
        f'{self.path}: not a Keras model of this package (a .keras file is an archive, '
        'which this is not)'
      )


def require_named_itself(path: pathlib.Path) -> None:
  """Raises ModelError for a folder that is no model, but in which one lies.

  As a folder of `finetune` does.
  """
  if found := sorted(one for form in EXPORTED_FILES for one in path.glob(form)):
    raise ModelError(
      f'{path}: holds no SavedModel, but {counted(len(found), "file")} of other '
      f'formats: name one, {found[0]} say'
    )
  if folders.is_finished(path) and (path / MODEL_FILE).is_file():
    return
  for inside in sorted(path.glob('*/')):
    if find_saved_model(inside) or (inside / MODEL_FILE).is_file():
      raise ModelError(f'{path}: is no model, but {inside} in it is one: give that')


def require_weights_file(path: str | os.PathLike) -> None:
  """Raises ModelError unless a file can be YAMNet's weights."""
  if not pathlib.Path(path).is_file():
    raise ModelError(
      f"{path}: no such file; YAMNet's weights are published at {YAMNET_WEIGHTS_URL} "
      f'(15 MB, Apache 2.0, sha256 {YAMNET_WEIGHTS_SHA256}), and their class map is at '
      f'{YAMNET_CLASS_MAP_URL}'
    )
  import h5py

  if not h5py.is_hdf5(path):
    raise ModelError(
      f'{path}: cannot be read as HDF5 (file signature not found); if its download '
      'broke off, repeat it'
    )


def _what_was_exported(saved_model: pathlib.Path) -> str:
  """The model that a SavedModel was made of, where its folder says it."""
  if folders.is_finished(saved_model.parent):
    inputs = folders.read_run(saved_model.parent, 'export').get('inputs', {})
    if inputs.get('model'):
      return f'{inputs["model"]}, which it was exported from'
  return 'a train folder, a .keras file or yamnet.h5'


def _train_folder_of(checkpoint: pathlib.Path) -> pathlib.Path:
  """The finished train folder that a checkpoint lies in."""
  for folder in checkpoint.parents[1:3]:
    if (folder / MODEL_FILE).is_file():
      return folder
  raise ModelError(
    f'{checkpoint}: a checkpoint, but it lies in no finished train folder'
  )
