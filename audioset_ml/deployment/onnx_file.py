"""What is added to an ONNX file: names of dimensions, classes and front end."""

import onnx

from audioset_ml.deployment.graphs import FrozenGraph
from audioset_ml.models.exported_file import DESCRIPTION_FILE, LABELS_FILE, Description

_OUTPUTS = {  # the first dimension of each
  'scores': 'patches',
  'embeddings': 'patches',
  'logits': 'patches',
  'log_mel': 'frames',
}


def finished(
  model: onnx.ModelProto, graph: FrozenGraph, description: Description
) -> bytes:
  """A converted model with names and metadata, serialized.

  Args:
    model: of the converter, which numbers the dimensions that are not fixed.
    graph: what it was made of.
    description: stored as properties of the model, as `audioset_ml.json` and
      `labels.txt`.

  Raises:
    onnx.checker.ValidationError: the model is none.
  """
  batch = 'batch' if 'batch' in graph.dimensions else None
  for size, name in zip(
    model.graph.input[0].type.tensor_type.shape.dim, graph.dimensions, strict=True
  ):
    if isinstance(name, str):
      size.dim_param = name
  for output in model.graph.output:
    first = output.type.tensor_type.shape.dim[0]
    if not first.HasField('dim_value'):
      first.dim_param = batch or _OUTPUTS[output.name]
  model.producer_name, model.doc_string = 'audioset_ml', description.text
  onnx.helper.set_model_props(
    model,
    {DESCRIPTION_FILE: description.to_json(), LABELS_FILE: description.labels()},
  )
  onnx.checker.check_model(model)
  return model.SerializeToString(deterministic=True)
