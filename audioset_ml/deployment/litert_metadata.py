"""The metadata of a LiteRT file, by their published schema.

Tables and numbers of fields are those of `metadata_schema.fbs`, version 1.3.0
(github.com/tensorflow/tflite-support, tensorflow_lite_support/metadata). The package
that writes them, tflite-support, ended with Python 3.11 and TensorFlow 2.13.
"""

from collections.abc import Sequence
from typing import Any

import flatbuffers
from flatbuffers import number_types

from audioset_ml.models.exported_file import DESCRIPTION_FILE, LABELS_FILE, Description

_IDENTIFIER = b'M001'
_PARSER_VERSION = '1.3.0'  # the first that knows AudioProperties
_DESCRIPTIONS, _AXIS_LABELS = 1, 2  # of AssociatedFileType
_FEATURE, _AUDIO = 1, 4  # of ContentProperties
_INPUTS = {
  'waveform': 'The sound: mono, in [-1, 1].',
  'patches': 'Patches, of log-mel spectrograms say, one after the other.',
}
_OUTPUTS = {
  'scores': "Of each patch each class's score, in [0, 1].",
  'embeddings': 'Of each patch what the classifier sees.',
  'log_mel': 'The log-mel spectrogram of the sound.',
  'logits': "Of each patch each class's logit, whose sigmoid is the score.",
}


def packed(input_name: str, outputs: Sequence[str], description: Description) -> bytes:
  """The flatbuffer of a model's metadata.

  Args:
    input_name: of its one input.
    outputs: names of its outputs, in their order; 'scores' get the labels.
    description: what it takes and gives.
  """
  builder = _Builder()
  content = builder.table(0)
  kind = _FEATURE
  if description.takes_waveforms:
    kind = _AUDIO
    rate = description.frames.require_front_end('waveforms', 'a file').sample_rate
    content = builder.table(2, {0: builder.uint(rate), 1: builder.uint(1)})
  given = builder.tensor(input_name, _INPUTS[input_name], kind, content)
  labels = builder.file(LABELS_FILE, "The classes' names.", _AXIS_LABELS)
  gotten = [
    builder.tensor(
      name,
      _OUTPUTS[name],
      _FEATURE,
      builder.table(0),
      [labels] if name == 'scores' else [],
    )
    for name in outputs
  ]
  graph = {2: builder.vector([given]), 3: builder.vector(gotten)}
  what = builder.file(
    DESCRIPTION_FILE, 'Classes and front end, as JSON.', _DESCRIPTIONS
  )
  root = {
    0: builder.text('audioset_ml'),
    1: builder.text(description.text),
    3: builder.vector([builder.table(8, graph)]),
    6: builder.vector([what]),
    7: builder.text(_PARSER_VERSION),
  }
  return builder.finished(builder.table(8, root))


class _Field:
  """A value of a table that is not stored elsewhere."""

  def __init__(self, flags: Any, value: int):
    self.flags, self.value = flags, value


class _Builder:
  """Writes the schema's tables; what it returns are places in the buffer."""

  def __init__(self):
    self._builder = flatbuffers.Builder(1024)

  def text(self, value: str) -> int:
    return self._builder.CreateString(value)

  def uint(self, value: int) -> _Field:
    return _Field(number_types.Uint32Flags, value)

  def table(self, size: int, fields: dict[int, int | _Field] | None = None) -> int:
    """A table of so many fields, some of which are given by their numbers."""
    fields = fields or {}
    self._builder.StartObject(size)
    for number, value in fields.items():
      if isinstance(value, _Field):
        self._builder.PrependSlot(value.flags, number, value.value, 0)
      else:
        self._builder.PrependUOffsetTRelativeSlot(number, value, 0)
    return self._builder.EndObject()

  def vector(self, places: Sequence[int]) -> int:
    self._builder.StartVector(4, len(places), 4)
    for place in reversed(places):
      self._builder.PrependUOffsetTRelative(place)
    return self._builder.EndVector()

  def tensor(
    self, name: str, text: str, kind: int, content: int, files: Sequence[int] = ()
  ) -> int:
    """TensorMetadata, with a Content of one of ContentProperties."""
    of_kind = {0: _Field(number_types.Uint8Flags, kind), 1: content}
    fields = {0: self.text(name), 1: self.text(text), 3: self.table(3, of_kind)}
    if files:
      fields[6] = self.vector(files)
    return self.table(7, fields)

  def file(self, name: str, text: str, kind: int) -> int:
    """AssociatedFile."""
    is_kind = _Field(number_types.Int8Flags, kind)
    return self.table(5, {0: self.text(name), 1: self.text(text), 2: is_kind})

  def finished(self, root: int) -> bytes:
    self._builder.Finish(root, _IDENTIFIER)
    return bytes(self._builder.Output())
