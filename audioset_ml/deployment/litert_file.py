"""What is added to a converted LiteRT file: names, and what the task libraries read.

A LiteRT file is a flatbuffer (`tensorflow/lite/schema/schema.fbs`). Its metadata are
another one within it (`litert_metadata`), which names files of a zip archive behind it.
"""

import io
import zipfile
from collections.abc import Sequence

import flatbuffers
import numpy as np
from tensorflow.lite.python import schema_py_generated as schema

from audioset_ml.deployment import litert_metadata
from audioset_ml.models.exported_file import DESCRIPTION_FILE, LABELS_FILE, Description

_IDENTIFIER = b'TFL3'
_METADATA_NAME = 'TFLITE_METADATA'
_ALIGNMENT = 16  # of weights: `force_align` in the schema
_SIGNATURE = 'serving_default'


def finished(
  content: bytes, input_name: str, outputs: Sequence[str], description: Description
) -> bytes:
  """A converted file with names of its tensors, a signature, metadata and labels.

  Args:
    content: of the converter.
    input_name: of its one input.
    outputs: names of its outputs, in their order.
    description: what is stored with it.
  """
  model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
  graph = model.subgraphs[0]
  for index, name in zip(graph.outputs, outputs, strict=True):
    graph.tensors[index].name = name.encode()
  graph.tensors[graph.inputs[0]].name = input_name.encode()
  model.signatureDefs = [_signature(graph, input_name, outputs)]
  _add_metadata(model, litert_metadata.packed(input_name, outputs, description))
  builder = flatbuffers.Builder(len(content))
  builder.Finish(model.Pack(builder), _IDENTIFIER)
  return _with_files(
    bytes(builder.Output()),
    {LABELS_FILE: description.labels(), DESCRIPTION_FILE: description.to_json()},
  )


def _signature(graph, input_name: str, outputs: Sequence[str]):
  """By which programs call the model with names."""
  signature = schema.SignatureDefT()
  signature.signatureKey, signature.subgraphIndex = _SIGNATURE, 0
  signature.inputs = [_tensor_map(input_name, graph.inputs[0])]
  signature.outputs = [
    _tensor_map(name, index) for name, index in zip(outputs, graph.outputs, strict=True)
  ]
  return signature


def _tensor_map(name: str, index: int):
  found = schema.TensorMapT()
  found.name, found.tensorIndex = name, int(index)
  return found


def _add_metadata(model, content: bytes) -> None:
  """Puts the metadata into a buffer of the model."""
  model.buffers = [_Buffer(one.data) for one in model.buffers]
  model.buffers.append(_Buffer(np.frombuffer(content, np.uint8)))
  entry = schema.MetadataT()
  entry.name, entry.buffer = _METADATA_NAME, len(model.buffers) - 1
  model.metadata = [*(model.metadata or []), entry]


class _Buffer:
  """The schema's Buffer, aligned as it asks for, which the generated code doesn't."""

  def __init__(self, data: np.ndarray | None):
    self._data = data

  def Pack(self, builder: flatbuffers.Builder) -> int:  # as the generated code calls it
    """Writes it; its place."""
    if self._data is not None:
      size = len(self._data)
      builder.StartVector(1, size, _ALIGNMENT)
      builder.head = builder.Head() - size
      builder.Bytes[builder.Head() : builder.Head() + size] = self._data.tobytes()
      vector = builder.EndVector()
    schema.BufferStart(builder)
    if self._data is not None:
      schema.BufferAddData(builder, vector)
    return schema.BufferEnd(builder)


def _with_files(content: bytes, files: dict[str, str]) -> bytes:
  """A file with a zip archive at its end, the same at any time; MediaPipe wants it
  uncompressed."""
  stream = io.BytesIO(content)
  with zipfile.ZipFile(stream, 'a') as archive:
    for name, text in files.items():
      archive.writestr(zipfile.ZipInfo(name), text)
  return stream.getvalue()
