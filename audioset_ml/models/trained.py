"""Opening a trained model, from whichever file or folder it is in."""

import dataclasses
import os
import pathlib

import keras
import tensorflow as tf

from audioset_ml import folders
from audioset_ml.audio.front_end import FrontEnd
from audioset_ml.errors import ModelError
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.models import layers  # noqa: F401  registers the layers for loading
from audioset_ml.models.config import ModelConfig
from audioset_ml.models.registry import build_model
from audioset_ml.models.yamnet_weights import load_yamnet_weights
from audioset_ml.records.folder import CLASS_MAP_FILE, RecordsFolder

MODEL_FILE = 'model.keras'
YAMNET_CLASSES = 521
YAMNET_CLASS_MAP_FILE = 'yamnet_class_map.csv'


def is_saved_model(path: pathlib.Path) -> bool:
  """Whether a folder holds a SavedModel."""
  return (path / folders.SAVED_MODEL_FILE).is_file()


@dataclasses.dataclass(frozen=True)
class TrainedModel:
  """A model and what its inputs and outputs mean.

  Attributes:
    path: the file it was read from.
    model: from log-mel patches [batch, 96, 64] to logits [batch, classes].
    front_end: what its patches are made with.
    class_map: its classes, or None where nothing says them.
  """

  path: pathlib.Path
  model: keras.Model
  front_end: FrontEnd
  class_map: ClassMap | None

  @classmethod
  def open(
    cls, path: str | os.PathLike, class_map_path: str | None = None
  ) -> 'TrainedModel':
    """Opens a train folder, a checkpoint in one (`<folder>/checkpoints/ckpt-1000`), a
    `.keras` file or YAMNet weights (`.h5`).

    Args:
      path: where the model is.
      class_map_path: its classes; None takes the class map that lies beside the model.

    Raises:
      ModelError: there is no usable model, or the class map is not the model's.
      InputError: the train folder is not finished.
    """
    path = pathlib.Path(path)
    if path.suffix == '.index' and path.is_file():
      path = path.with_suffix('')
    checkpoint = path if path.with_name(f'{path.name}.index').is_file() else None
    if checkpoint is not None:
      path = _train_folder_of(checkpoint)
    front_end = FrontEnd()
    if is_saved_model(path):
      raise ModelError(
        f'{path}: a SavedModel, which takes waveforms; here the trained model itself '
        'is needed: a train folder, a .keras file or yamnet.h5'
      )
    if path.is_dir():
      front_end = FrontEnd.from_dict(folders.read_run(path, 'train')['front_end'])
      path = path / MODEL_FILE
    beside = CLASS_MAP_FILE
    if path.suffix in ('.h5', '.hdf5'):
      model = build_model(ModelConfig('mobilenet_v1', YAMNET_CLASSES))
      load_yamnet_weights(model, path)
      beside = YAMNET_CLASS_MAP_FILE
    else:
      model = _load_keras(path)
    if checkpoint is not None:
      _restore(model, checkpoint)
    if class_map_path is None and (path.parent / beside).is_file():
      class_map_path = str(path.parent / beside)
    class_map = ClassMap.read(class_map_path) if class_map_path else None
    outputs = model.output_shape[-1]
    if class_map is not None and len(class_map) != outputs:
      raise ModelError(
        f'{path}: has {outputs} outputs, but the class map {class_map_path} has '
        f'{len(class_map)} classes'
      )
    return cls(path, model, front_end, class_map)

  def require_class_map(self) -> ClassMap:
    """The class map, or a ModelError that asks for one."""
    if self.class_map is None:
      raise ModelError(
        f'{self.path}: nothing says what its {self.model.output_shape[-1]} outputs '
        'stand for; give its class map with --class_map'
      )
    return self.class_map

  def require_fits(self, records: RecordsFolder) -> None:
    """Raises InputError unless the records have the model's front end and classes."""
    records.require_front_end(self.front_end, str(self.path))
    records.require_class_map(self.require_class_map(), str(self.path))


def _train_folder_of(checkpoint: pathlib.Path) -> pathlib.Path:
  """The finished train folder that a checkpoint lies in."""
  for folder in checkpoint.parents[1:3]:
    if (folder / MODEL_FILE).is_file():
      return folder
  raise ModelError(
    f'{checkpoint}: a checkpoint, but it lies in no finished train folder'
  )


def _restore(model: keras.Model, checkpoint: pathlib.Path) -> None:
  """Gives a model the weights of a checkpoint, their moving average if there is one."""
  try:
    status = tf.train.Checkpoint(model=model).restore(str(checkpoint))
    status.assert_existing_objects_matched().expect_partial()
    reader = tf.train.load_checkpoint(str(checkpoint))
  except Exception as error:  # TensorFlow raises many types for a damaged file
    raise ModelError(
      f'{checkpoint}: cannot be read as a checkpoint of this model '
      f'({type(error).__name__})'
    ) from error
  for index, weight in enumerate(model.weights):
    name = f'average/averages/{index}/.ATTRIBUTES/VARIABLE_VALUE'
    if reader.has_tensor(name):
      weight.assign(reader.get_tensor(name))


def _load_keras(path: pathlib.Path) -> keras.Model:
  if not path.is_file():
    raise ModelError(f'{path}: no such model file')
  try:
    model = keras.saving.load_model(path, compile=False)
  except Exception as error:  # Keras raises many types for a file it can't read
    raise ModelError(
      f'{path}: not a Keras model of this package ({type(error).__name__}: '
      f'{str(error).splitlines()[0] if str(error) else "no more is known"})'
    ) from error
  if len(model.output_shape) != 2:
    raise ModelError(
      f'{path}: its output has shape {model.output_shape}, not [batch, classes]'
    )
  return model
