"""The child process of `conversion`: the only place where converters are called.

python -m audioset_ml.deployment.converter PARENT <CONVERSIONS
"""

import os
import pickle
import signal
import sys
from collections.abc import Iterator

from audioset_ml.core import folders, worker_processes
from audioset_ml.deployment import forms
from audioset_ml.deployment.conversion import BEGUN, Conversion


def main(parent: str) -> None:
  """Makes the files of the pickled list of `Conversion` in standard input.

  Args:
    parent: the process whose end ends this one, and which has sent the list.
  """
  worker_processes.end_with_parent(signal.SIGKILL, int(parent))
  os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '2')
  conversions = pickle.load(sys.stdin.buffer)
  for one in conversions:
    print(f'{BEGUN}{one.path}', flush=True)
    content = {forms.LITERT: _litert, forms.ONNX: _onnx}[one.format](one)
    one.path.parent.mkdir(parents=True, exist_ok=True)
    with folders.whole_file(one.path) as file:
      file.write(content)


def _litert(conversion: Conversion) -> bytes:
  import tensorflow as tf

  from audioset_ml.deployment import litert_file

  int16x8 = 'EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8'

  function = _function(conversion)
  converter = tf.lite.TFLiteConverter.from_concrete_functions([function])
  if conversion.numbers != 'float32':
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
  if conversion.numbers == 'float16':
    converter.target_spec.supported_types = [tf.float16]
  if conversion.calibration is not None:
    examples = conversion.calibration

    def calibration() -> Iterator[list]:
      return ([example[None]] for example in examples)

    converter.representative_dataset = calibration
    operations, kind = {
      'int8': (tf.lite.OpsSet.TFLITE_BUILTINS_INT8, tf.int8),
      'int16x8': (tf.lite.OpsSet[int16x8], tf.int16),
    }[conversion.numbers]
    converter.target_spec.supported_ops = [operations]
    converter.inference_input_type = converter.inference_output_type = kind
  graph = conversion.graph
  return litert_file.finished(
    converter.convert(), graph.input_name, graph.outputs, conversion.description
  )


def _function(conversion: Conversion):
  """A graph as the converter takes it."""
  import tensorflow as tf

  graph = conversion.graph
  definition = tf.compat.v1.GraphDef.FromString(graph.definition)
  whole = tf.compat.v1.wrap_function(
    lambda: tf.graph_util.import_graph_def(definition, name=''), []
  )
  tensor = whole.graph.get_tensor_by_name
  return whole.prune(
    tensor(f'{graph.input_name}:0'), [tensor(f'{name}:0') for name in graph.outputs]
  )


def _onnx(conversion: Conversion) -> bytes:
  import tensorflow as tf
  import tf2onnx

  from audioset_ml.deployment import onnx_file

  graph = conversion.graph
  names = [graph.input_name, *graph.outputs]
  model, _ = tf2onnx.convert.from_graph_def(
    tf.compat.v1.GraphDef.FromString(graph.definition),
    name=conversion.path.stem,
    input_names=[f'{graph.input_name}:0'],
    output_names=[f'{name}:0' for name in graph.outputs],
    opset=forms.ONNX_OPSET,
    tensors_to_rename={f'{name}:0': name for name in names},
  )
  return onnx_file.finished(model, graph, conversion.description)


if __name__ == '__main__':
  main(*sys.argv[1:])
