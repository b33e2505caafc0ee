"""YAMNet's published weights into our MobileNetV1.

`yamnet.h5` (storage.googleapis.com/audioset/yamnet.h5) is a Keras 2 weights file: a
dataset such as `layer1/conv/layer1/conv/kernel:0` for each weight.
"""

import os
import re

import h5py
import keras
import numpy as np

from audioset_ml.core.errors import ModelError, agreeing, counted
from audioset_ml.models import packed_sizes
from audioset_ml.models.model_files import require_weights_file

_CLASSIFIER = 'logits'

Arrays = dict[str, np.ndarray]


def load_yamnet_weights(
  model: keras.Model, path: str | os.PathLike, include_classifier: bool = True
) -> None:
  """Replaces a MobileNetV1's weights by those of a file in `yamnet.h5`'s layout.

  Nothing is replaced unless everything fits.

  Args:
    model: 'mobilenet_v1' at width multiplier 1, of 521 classes if the classifier is
      wanted too.
    path: the weights file.
    include_classifier: whether to load the classifier; without it, the layer 'logits'
      keeps its weights, whatever its number of classes.

  Raises:
    ModelError: the file is missing, no HDF5 file, of another network or of other
      shapes, or holds values that aren't finite.
  """
  arrays = _read_arrays(path)
  assignments = []
  for layer in model.layers:
    if layer.name == _CLASSIFIER:
      if include_classifier:
        names = _classifier_names(arrays, layer, path)
        assignments += zip(layer.weights, names, strict=True)
    else:
      assignments += [
        (weight, _dataset_name(layer, weight)) for weight in layer.weights
      ]
  _check_names([name for _, name in assignments], arrays, path)
  for weight, name in assignments:
    _check_values(weight, name, arrays[name], path)
  for weight, name in assignments:
    weight.assign(arrays[name])


def yamnet_num_classes(path: str | os.PathLike) -> int:
  """The number of classes of a weights file in `yamnet.h5`'s layout.

  Raises:
    ModelError: the file is missing, no HDF5 file, or of another network.
  """
  arrays = _read_arrays(path)
  return arrays[_classifier_kernel(arrays, path)].shape[1]


def _read_arrays(path: str | os.PathLike) -> Arrays:
  """All datasets of an HDF5 file by their full names."""
  require_weights_file(path)
  try:
    with h5py.File(path, 'r') as file:
      datasets = packed_sizes.datasets_of(file)
      packed_sizes.require_bounded(datasets, os.path.getsize(path))
      return {name: dataset[()] for name, dataset in datasets.items()}
  except Exception as error:  # h5py raises many types for damaged files
    raise ModelError(
      f'{path}: cannot be read as HDF5 ({error}); if its download broke off, repeat it'
    ) from error


def _dataset_name(layer: keras.Layer, weight: keras.Variable) -> str:
  """The name of one of our weights in the file.

  `layer2_depthwise_conv_bn` is `layer2/depthwise_conv/bn` there, and stands twice.
  """
  path = re.sub(r'^(layer\d+)_(.+?)(?:_(bn))?$', r'\1/\2/\3', layer.name).rstrip('/')
  variable = weight.name
  if isinstance(layer, keras.layers.DepthwiseConv2D):
    variable = 'depthwise_kernel'  # Keras 3 names it `kernel`, Keras 2 didn't
  return f'{path}/{path}/{variable}:0'


def _classifier_kernel(arrays: Arrays, path: str | os.PathLike) -> str:
  """The classifier's kernel: the one matrix, for its name varies between files."""
  matrices = [name for name, array in arrays.items() if array.ndim == 2]
  if len(matrices) != 1:
    raise ModelError(
      f"{path}: not YAMNet's weights: they hold one matrix, the classifier, but here "
      f'are {len(matrices)}{_listed(matrices)}'
    )
  return matrices[0]


def _classifier_names(arrays: Arrays, layer: keras.Layer, path) -> list[str]:
  kernel = _classifier_kernel(arrays, path)
  bias = kernel.replace('kernel', 'bias')
  return [kernel, bias][: len(layer.weights)]


def _check_names(names: list[str], arrays: Arrays, path: str | os.PathLike) -> None:
  missing = [name for name in names if name not in arrays]
  if missing:
    raise ModelError(
      f'{path}: not the weights of this network: {len(missing)} of '
      f'{counted(len(names), "weight")} {agreeing(len(missing), "are")} not in the '
      f'file{_listed(missing)}; it holds{_listed(list(arrays))}'
    )


def _check_values(weight: keras.Variable, name: str, array: np.ndarray, path) -> None:
  if tuple(weight.shape) != array.shape:
    if array.ndim <= 2 and weight.path.startswith(f'{_CLASSIFIER}/'):
      remedy = (
        f'build the model with num_classes={array.shape[-1]}, or load the weights '
        'without the classifier (include_classifier=False)'
      )
    else:
      remedy = "YAMNet is 'mobilenet_v1' at width multiplier 1"
    raise ModelError(
      f'{path}: {name} has shape {array.shape}, but the model needs '
      f'{tuple(weight.shape)}; {remedy}'
    )
  if not np.isfinite(array).all():
    raise ModelError(
      f'{path}: {name} holds NaN or infinite values; the file is damaged, fetch it anew'
    )


def _listed(names: list[str]) -> str:
  """The first few names, for a message."""
  if not names:
    return ''
  more = f' and {len(names) - 3} more' if len(names) > 3 else ''
  return ': ' + ', '.join(names[:3]) + more
