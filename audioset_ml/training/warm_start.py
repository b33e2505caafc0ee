"""Starting a model from another one's weights."""

import os

import keras
import tensorflow as tf

from audioset_ml.core.errors import ModelError, first_line
from audioset_ml.models.trained import TrainedModel, open_checkpoint
from audioset_ml.records.folder import RecordsFolder
from audioset_ml.training.checkpoints import whole_checkpoints
from audioset_ml.training.sources import require_train_folder

CLASSIFIER = 'logits'


def init_from(model: keras.Model, path: str, records: RecordsFolder) -> bool:
  """Copies a trained model's weights into a new model of the same architecture.

  The classifier is copied too where both have the same classes in the same order; else,
  and where nothing says what the old ones are, it stays as it is.

  Args:
    model: the model to change.
    path: a train folder, a `.keras` file or YAMNet's `.h5` weights.
    records: the records that the new model is for.

  Returns:
    Whether the classifier was copied.

  Raises:
    ModelError: the architecture or width is another.
    RecordError: the old model is for other frames.
  """
  old = TrainedModel.open(path)
  records.require_frames(old.frames, str(old.path))
  with_classifier = _same_classes(old, records)
  sources = {layer.name: layer for layer in old.model.layers if layer.weights}
  for layer in model.layers:
    if not layer.weights or (layer.name == CLASSIFIER and not with_classifier):
      continue
    shapes = [tuple(weight.shape) for weight in layer.weights]
    found = sources.get(layer.name)
    theirs = (
      [tuple(weight.shape) for weight in found.weights] if found else 'no weights'
    )
    if shapes != theirs:
      raise ModelError(
        f'{old.path}: its layer {layer.name!r} has {theirs}, but this model needs '
        f'{shapes}: choose the architecture and width that it was trained with (the '
        'flags.txt of its folder says them)'
      )
    layer.set_weights(found.get_weights())
  note = 'included' if with_classifier else 'left out, for its classes are others'
  print(f'starting from {old.path}, its classifier {note}')
  return with_classifier


def steps_of(path: str) -> int:
  """How many steps the optimiser of a train folder's last checkpoint has taken.

  Those of the runs before it, whose optimiser it took over, count; those that float16's
  loss scaling skipped don't.

  Raises:
    ModelError: it is no finished train folder, or has no checkpoint of an optimiser.
  """
  require_train_folder(path)
  latest = _latest(path)
  try:
    reader = open_checkpoint(latest)
  except (ValueError, tf.errors.OpError) as error:
    raise ModelError(f'{latest}: cannot be read ({first_line(error)})') from error
  names = reader.get_variable_to_shape_map()
  inner = 'optimizer/inner_optimizer/_iterations/.ATTRIBUTES/VARIABLE_VALUE'
  outer = inner.replace('inner_optimizer/', '')
  for name in (inner, outer):
    if name in names:
      return int(reader.get_tensor(name))
  raise ModelError(f'{path}: its checkpoint holds no optimiser')


def init_optimizer_from(optimizer: keras.optimizers.Optimizer, path: str) -> None:
  """Takes over the optimiser's state of a train folder's last checkpoint.

  Raises:
    ModelError: there is no checkpoint, or it is of another optimiser or model.
  """
  latest = _latest(path)
  try:
    open_checkpoint(latest)
    status = tf.train.Checkpoint(optimizer=optimizer).restore(latest)
    status.assert_existing_objects_matched()
  except (AssertionError, ValueError, tf.errors.OpError) as error:
    raise ModelError(
      f'{latest}: its optimiser is of another kind or model ({first_line(error)})'
    ) from error


def _latest(path: str) -> str:
  found = whole_checkpoints(os.path.join(path, 'checkpoints'))
  if not found:
    raise ModelError(f'{path}: has no checkpoint to take the optimiser from')
  return found[-1]


def _same_classes(old: TrainedModel, records: RecordsFolder) -> bool:
  return old.class_map is not None and old.class_map.mids == records.class_map.mids
