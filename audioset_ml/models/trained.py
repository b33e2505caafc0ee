"""Opening a trained model, from whichever file or folder it is in."""

import dataclasses
import math
import os
import pathlib
from typing import Any

import keras
import tensorflow as tf

from audioset_ml.core.errors import ModelError, counted, first_line
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.models import network_sizes, packed_sizes
from audioset_ml.models.config import ModelConfig
from audioset_ml.models.embedder import find_embedder
from audioset_ml.models.layers import with_fused_layers
from audioset_ml.models.model_files import ModelFiles
from audioset_ml.models.registry import build_model, head_on_network
from audioset_ml.models.yamnet_weights import load_yamnet_weights
from audioset_ml.records.frames import FrameFormat

YAMNET_CLASSES = 521


@dataclasses.dataclass(frozen=True)
class TrainedModel:
  """A model and what its inputs and outputs mean.

  Attributes:
    files: where it is, and what is said there of its inputs and outputs.
    model: from patches [batch, 96, 64] to logits [batch, classes].
  """

  files: ModelFiles
  model: keras.Model

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
    files = ModelFiles.find(path, class_map_path)
    if files.is_weights:
      model = build_model(ModelConfig('mobilenet_v1', YAMNET_CLASSES))
      load_yamnet_weights(model, files.path)
    else:
      model = _load_keras(files.path)
    if files.checkpoint is not None:
      _restore(model, files.checkpoint)
    outputs = model.output_shape[-1]
    if files.class_map is not None and len(files.class_map) != outputs:
      raise ModelError(
        f'{files.path}: has {counted(outputs, "output")}, but the class map '
        f'{files.class_map_path} has '
        f'{counted(len(files.class_map), "class")}'
      )
    return cls(files, model)

  def require_patches(self, frames: FrameFormat, owner: str) -> None:
    """Raises ModelError unless it takes the patches of some frames.

    Args:
      frames: the frames.
      owner: whose they are, for the message.
    """
    shape = getattr(self.model, 'input_shape', None)
    # None stands for any size.
    if not tf.TensorShape((None, *frames.patch_shape)).is_compatible_with(shape):
      raise ModelError(
        f'{self.path}: takes inputs of shape {shape}, but the patches of {owner} have '
        f'{frames.patch_shape}; give it records such as it was trained on'
      )

  @property
  def path(self) -> pathlib.Path:
    """The file it was read from."""
    return self.files.path

  @property
  def frames(self) -> FrameFormat:
    """What its patches are made of."""
    return self.files.frames

  @property
  def class_map(self) -> ClassMap | None:
    """Its classes, or None where nothing says them."""
    return self.files.class_map


def load_model(
  path: str | os.PathLike, class_map_path: str | None = None
) -> TrainedModel:
  """Opens a model of patches (log-mel spectrograms or embeddings) that Keras can run.

  Args:
    path: a train folder, a checkpoint in one, a `.keras` file or YAMNet's weights. For
      SavedModels, LiteRT and ONNX files there is `load_waveform_model`.
    class_map_path: its classes; None takes the class map that lies beside the model.

  Raises:
    ModelError: there is no usable model, or the class map is not the model's.
    InputError: the train folder is not finished.
  """
  return TrainedModel.open(path, class_map_path)


def open_with_embedder(
  path: str | os.PathLike,
  class_map_path: str | os.PathLike | None,
  embedder: str | os.PathLike | None,
) -> TrainedModel:
  """A head on the network whose embeddings it takes, as one model of its patches.

  Args:
    path: the head's train folder, or a checkpoint in one.
    class_map_path: see `TrainedModel.open`.
    embedder: the network; none opens the model alone.

  Raises:
    ModelError: see `TrainedModel.open` and `find_embedder`.
  """
  if embedder:
    find_embedder(path, embedder)  # before two models are opened
  head = TrainedModel.open(path, class_map_path)
  if not embedder:
    return head
  network = TrainedModel.open(embedder)
  return TrainedModel(
    files=dataclasses.replace(head.files, frames=network.frames),
    model=head_on_network(head.model, network.model),
  )


def _restore(model: keras.Model, checkpoint: pathlib.Path) -> None:
  """Gives a model the weights of a checkpoint, their moving average if there is one."""
  try:
    reader = open_checkpoint(checkpoint)
    status = tf.train.Checkpoint(model=model).restore(str(checkpoint))
    status.assert_existing_objects_matched().expect_partial()
  except Exception as error:  # TensorFlow raises many types for a damaged file
    raise ModelError(
      f'{checkpoint}: cannot be read as a checkpoint of this model '
      f'({type(error).__name__})'
    ) from error
  for index, weight in enumerate(model.weights):
    name = f'average/averages/{index}/.ATTRIBUTES/VARIABLE_VALUE'
    if reader.has_tensor(name):
      weight.assign(reader.get_tensor(name))


def open_checkpoint(path: str | os.PathLike) -> Any:
  """A reader of a checkpoint's values, as of `tf.train.load_checkpoint`.

  Raises:
    ValueError, tf.errors.OpError: it is damaged, or its index promises more than its
      data are, and would have it allocated.
  """
  path = pathlib.Path(path)
  reader = tf.train.load_checkpoint(str(path))
  shapes, dtypes = (
    reader.get_variable_to_shape_map(),
    reader.get_variable_to_dtype_map(),
  )
  promised = sum(math.prod(shapes[name]) * dtypes[name].size for name in shapes)
  stored = sum(one.stat().st_size for one in path.parent.glob(f'{path.name}.data-*'))
  if promised > stored:
    raise ValueError(f'{stored:,} bytes that would be {promised:,}')
  return reader


def _load_keras(path: pathlib.Path) -> keras.Model:
  stored = packed_sizes.require_bounded_model(path)
  try:
    network_sizes.require_bounded(path, stored)
    model = keras.saving.load_model(path, compile=False, safe_mode=True)
  except Exception as error:  # Keras raises many types for a file it can't read
    raise ModelError(
      f'{path}: not a Keras model of this package ({first_line(error)})'
    ) from error
  outputs = getattr(model, 'output_shape', None)
  if not isinstance(outputs, tuple) or len(outputs) != 2:
    raise ModelError(f'{path}: its output has shape {outputs}, not [batch, classes]')
  return with_fused_layers(model)
