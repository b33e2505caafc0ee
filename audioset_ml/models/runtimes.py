"""LiteRT and ONNX Runtime, in one form: an array in, arrays by name out.

Both are optional packages, imported when a file of theirs is opened. Without
ai-edge-litert, TensorFlow's own interpreter of LiteRT files serves where it has one.
"""

import os
import pathlib
import warnings
from typing import Any, Protocol

import numpy as np

from audioset_ml.core import quiet
from audioset_ml.core.errors import ModelError, first_line
from audioset_ml.models.exported_file import LITERT_SUFFIX

_MOST_AT_ONCE = 64  # patches: more take memory, and no less time each
_REMEDY = "install it with `make deploy` or `pip install 'audioset_ml[deploy]'`"


class RuntimeModel(Protocol):
  """An opened file.

  Attributes:
    input_shape: of its one input; None for any size.
    outputs: the names of what it gives, with their shapes.
  """

  input_shape: tuple[int | None, ...]
  outputs: dict[str, tuple[int | None, ...]]

  def run(self, values: np.ndarray) -> dict[str, np.ndarray]:
    """Its outputs, as floats, by name.

    Args:
      values: float32, of `input_shape`.
    """


def open_runtime(path: str | os.PathLike) -> RuntimeModel:
  """Opens a LiteRT or ONNX file, by its ending.

  Raises:
    ModelError: it can't be opened, has more than one input, or its runtime is not
      installed.
  """
  path = pathlib.Path(path)
  return LiteRtModel(path) if path.suffix == LITERT_SUFFIX else OnnxModel(path)


def in_batches(model: RuntimeModel, values: np.ndarray) -> dict[str, np.ndarray]:
  """What a model that takes any number of patches says of many.

  Always as many at once, the last ones filled up: a runtime plans anew for each number.

  Args:
    model: the model.
    values: at least one patch. Shape [patches, ...], float32.
  """
  size = min(len(values), _MOST_AT_ONCE)
  missing = -len(values) % size
  padded = np.pad(values, ((0, missing), *((0, 0),) * (values.ndim - 1)))
  found = [model.run(part) for part in np.split(padded, len(padded) // size)]
  return {
    name: np.concatenate([one[name] for one in found])[: len(values)]
    for name in found[0]
  }


class LiteRtModel:
  """A `.tflite` file; see `RuntimeModel`."""

  def __init__(self, path: pathlib.Path):
    try:
      interpreter = _interpreter_class()
      with quiet.filtered_stderr():
        self._interpreter = interpreter(
          model_path=str(path), num_threads=len(os.sched_getaffinity(0))
        )
        self._interpreter.allocate_tensors()
      inputs = self._interpreter.get_input_details()
      self._outputs = self._interpreter.get_output_details()
    except ModelError:
      raise
    except Exception as error:  # ValueError, RuntimeError and more, of its versions
      raise _unusable(path, error) from error
    _require_one_input(path, len(inputs))
    self._path, self._input = path, inputs[0]
    self.outputs = {
      output['name']: _sizes(output['shape_signature']) for output in self._outputs
    }
    self.input_shape = _sizes(self._input['shape_signature'])
    self._shape: tuple[int, ...] = ()

  def run(self, values: np.ndarray) -> dict[str, np.ndarray]:
    """See `RuntimeModel.run`; integers are scaled."""
    try:
      if values.shape != self._shape:
        self._interpreter.resize_tensor_input(self._input['index'], values.shape)
        self._interpreter.allocate_tensors()
        self._shape = values.shape
      self._interpreter.set_tensor(self._input['index'], _as_input(values, self._input))
      self._interpreter.invoke()
      return {
        output['name']: _as_floats(
          self._interpreter.get_tensor(output['index']), output
        )
        for output in self._outputs
      }
    except (ValueError, RuntimeError) as error:
      raise _unusable(self._path, error) from error


class OnnxModel:
  """An `.onnx` file; see `RuntimeModel`.

  Attributes:
    properties: its metadata.
  """

  def __init__(self, path: pathlib.Path):
    try:
      import onnxruntime
    except ImportError as error:
      raise ModelError(
        f'{path}: an ONNX file needs the package onnxruntime ({error}): {_REMEDY}'
      ) from error
    try:
      options = onnxruntime.SessionOptions()
      options.log_severity_level = 4  # what is wrong is raised, too
      options.intra_op_num_threads = len(os.sched_getaffinity(0))
      self._session = onnxruntime.InferenceSession(
        str(path), options, providers=['CPUExecutionProvider']
      )
    except Exception as error:  # a dozen types of its own
      raise _unusable(path, error) from error
    inputs = self._session.get_inputs()
    _require_one_input(path, len(inputs))
    self._path, self._name = path, inputs[0].name
    self.input_shape = _sizes(inputs[0].shape)
    self.outputs = {
      output.name: _sizes(output.shape) for output in self._session.get_outputs()
    }
    self.properties = self._session.get_modelmeta().custom_metadata_map

  def run(self, values: np.ndarray) -> dict[str, np.ndarray]:
    """See `RuntimeModel.run`."""
    try:
      found = self._session.run(None, {self._name: np.asarray(values, np.float32)})
    except Exception as error:
      raise _unusable(self._path, error) from error
    return dict(zip(self.outputs, found, strict=True))


def _interpreter_class() -> Any:
  """Of ai-edge-litert, or of TensorFlow."""
  try:
    from ai_edge_litert.interpreter import Interpreter
  except ImportError as reason:
    import tensorflow as tf

    if not hasattr(tf.lite, 'Interpreter'):
      raise ModelError(
        f'LiteRT files need the package ai-edge-litert ({reason}): {_REMEDY}'
      ) from reason

    def interpreter(**arguments: Any) -> Any:
      with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # that it is to move to ai-edge-litert
        return tf.lite.Interpreter(**arguments)

    return interpreter
  return Interpreter


def _as_input(values: np.ndarray, details: dict[str, Any]) -> np.ndarray:
  """Values in a tensor's own numbers."""
  kind = np.dtype(details['dtype'])
  if kind.kind == 'f':
    return np.asarray(values, kind)
  scale, zero = details['quantization']
  limits = np.iinfo(kind)
  numbers = np.round(values / np.float32(scale)) + zero
  return np.clip(numbers, limits.min, limits.max).astype(kind)


def _as_floats(values: np.ndarray, details: dict[str, Any]) -> np.ndarray:
  if values.dtype.kind == 'f':
    return values.astype(np.float32)
  scale, zero = details['quantization']
  return (values.astype(np.float32) - zero) * np.float32(scale)


def _sizes(shape: Any) -> tuple[int | None, ...]:
  """A shape; of what is not fixed LiteRT says -1, and ONNX Runtime a name or None."""
  return tuple(
    None if isinstance(size, str) or size is None or size < 0 else int(size)
    for size in shape
  )


def _require_one_input(path: pathlib.Path, number: int) -> None:
  if number != 1:
    raise ModelError(
      f'{path}: has {number} inputs, but a model that `export` has written has one'
    )


def _unusable(path: pathlib.Path, error: Exception) -> ModelError:
  return ModelError(
    f'{path}: cannot be run ({first_line(error)}); if it is damaged, export it again'
  )
