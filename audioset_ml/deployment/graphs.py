"""The graphs that are deployed: frozen, that is with weights as constants.

Keras 3's variables are none that the converter of TensorFlow 2.17 understands; it dies
of them. Of a frozen graph it sees no variables.
"""

import dataclasses
from collections.abc import Callable

import keras
import tensorflow as tf
from tensorflow.python.framework import convert_to_constants

from audioset_ml.audio import features
from audioset_ml.audio.front_end import FrontEnd
from audioset_ml.core import quiet
from audioset_ml.deployment import matrix_front_end
from audioset_ml.models.registry import embedding_model

WAVEFORM_INPUT, PATCHES_INPUT = 'waveform', 'patches'
WAVEFORM_OUTPUTS = ('scores', 'embeddings', 'log_mel')
# Of 8 bits a score has steps of 1/256, in which most classes are 0; a logit has steps
# where logits are.
PATCHES_OUTPUTS = ('scores', 'embeddings', 'logits')


@dataclasses.dataclass(frozen=True)
class FrozenGraph:
  """A function without variables.

  Attributes:
    definition: the graph, serialized.
    input_name: of its one input, without TensorFlow's `:0`.
    dimensions: names of the input's dimensions, and their sizes where these are fixed.
    outputs: names of its outputs, in their order, which are operations' names.
  """

  definition: bytes
  input_name: str
  dimensions: tuple[str | int, ...]
  outputs: tuple[str, ...]


def waveform_graph(
  model: keras.Model, front_end: FrontEnd, samples: int | None = None
) -> FrozenGraph:
  """From a waveform to scores, embeddings and the log-mel spectrogram.

  The outputs are those of `WaveformModel`; silence is added up to whole patches.

  Args:
    model: from log-mel patches to logits.
    front_end: what makes its patches.
    samples: of the waveform; None for any number.
  """
  network = embedding_model(model)

  def outputs(waveform: tf.Tensor) -> tuple[tf.Tensor, ...]:
    padded = features.pad_waveform(waveform, front_end)
    log_mel = matrix_front_end.log_mel_spectrogram(padded, front_end)
    patches = matrix_front_end.frame_patches(log_mel, front_end)
    logits, embeddings = network(patches, training=False)
    return tf.sigmoid(logits), embeddings, log_mel

  return _frozen(outputs, WAVEFORM_INPUT, ('samples',), (samples,), WAVEFORM_OUTPUTS)


def patches_graph(model: keras.Model) -> FrozenGraph:
  """The network alone: from a batch of patches to scores, embeddings and logits."""
  network = embedding_model(model)

  def outputs(patches: tf.Tensor) -> tuple[tf.Tensor, ...]:
    logits, embeddings = network(patches, training=False)
    return tf.sigmoid(logits), embeddings, logits

  shape = (None, *model.input_shape[1:])
  names = ('batch', 'frames', 'values')
  return _frozen(outputs, PATCHES_INPUT, names, shape, PATCHES_OUTPUTS)


def _frozen(
  function: Callable[[tf.Tensor], tuple[tf.Tensor, ...]],
  input_name: str,
  dimensions: tuple[str, ...],
  shape: tuple[int | None, ...],
  outputs: tuple[str, ...],
) -> FrozenGraph:
  @tf.function
  def named(values: tf.Tensor) -> list[tf.Tensor]:
    return [tf.identity(one) for one in function(values)]

  concrete = named.get_concrete_function(tf.TensorSpec(shape, tf.float32))
  with quiet.filtered_stderr():
    frozen = convert_to_constants.convert_variables_to_constants_v2(concrete)
  definition = tf.Graph()
  with definition.as_default():
    values = tf.compat.v1.placeholder(tf.float32, shape, input_name)
    found = tf.graph_util.import_graph_def(
      frozen.graph.as_graph_def(),
      input_map={frozen.inputs[0].name: values},
      return_elements=[tensor.name for tensor in frozen.outputs],
      name='network',  # so that none of its operations has a name that is used here
    )
    for tensor, name in zip(found, outputs, strict=True):
      tf.identity(tensor, name=name)
  sizes = zip(dimensions, shape, strict=True)
  return FrozenGraph(
    definition.as_graph_def().SerializeToString(),
    input_name,
    tuple(name if size is None else size for name, size in sizes),
    outputs,
  )
