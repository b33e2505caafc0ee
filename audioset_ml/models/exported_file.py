"""LiteRT and ONNX files of `export`, and what they say of themselves.

Each holds `audioset_ml.json` (a LiteRT file in the zip archive at its end, an ONNX file
among its properties): what it takes, its classes, and the frames or front end. Needs no
TensorFlow.
"""

import dataclasses
import json
import os
import pathlib
import zipfile
from typing import Any

import audioset_ml
from audioset_ml.core import folders, model_digests
from audioset_ml.core.errors import InputError, ModelError, first_line
from audioset_ml.core.input_files import fault_of_form, parse_json
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.records.frames import FrameFormat

LITERT_SUFFIX, ONNX_SUFFIX = '.tflite', '.onnx'
DESCRIPTION_FILE, LABELS_FILE = 'audioset_ml.json', 'labels.txt'
TAKES = ('waveform', 'one patch', 'patches')
_FORM = {
  'takes': str,
  'classes': [[str]],
  'front_end?': {'*': float},
  'frames?': {'*': (str, float)},
}
_MOST_BYTES = 1 << 24  # of the description


@dataclasses.dataclass(frozen=True)
class Description:
  """What a file takes and gives.

  Attributes:
    takes: one of `TAKES`; see `deployment.forms.Form`.
    frames: what its patches are made of.
    class_map: its classes.
  """

  takes: str
  frames: FrameFormat
  class_map: ClassMap

  @property
  def takes_waveforms(self) -> bool:
    """Whether the front end is in the file."""
    return self.takes != 'patches'

  @property
  def text(self) -> str:
    """In a sentence, for people."""
    wanted = f'patches {list(self.frames.patch_shape)} of {self.frames.origin}'
    if end := self.frames.front_end:
      sound = f'float32 in [-1, 1], mono, {end.sample_rate} Hz'
      wanted = {
        'waveform': f'a waveform of any length ({sound})',
        'one patch': f'a waveform of {end.min_samples} samples ({sound})',
      }.get(self.takes, wanted)
    return f'Takes {wanted}; scores {len(self.class_map)} classes.'

  def labels(self) -> str:
    """The classes' names, one a line, as the task libraries read them."""
    return ''.join(f'{name}\n' for name in self.class_map.names)

  def to_json(self) -> str:
    """What `parsed` reads."""
    rows = zip(self.class_map.mids, self.class_map.names, strict=True)
    content = {
      'takes': self.takes,
      'version': audioset_ml.__version__,
      'classes': [list(row) for row in rows],
      **self.frames.to_run(),
    }
    return json.dumps(content, ensure_ascii=False)

  @classmethod
  def parsed(cls, text: str | bytes, origin: str) -> 'Description':
    """What a file says of itself.

    Args:
      text: JSON of `to_json`.
      origin: the file, for messages.

    Raises:
      ModelError: it is of another form.
    """
    try:
      content = parse_json(text)
      _require_form(content)
      frames = FrameFormat.from_run(content)
      mids, names = zip(*content['classes'], strict=True)
      description = cls(content['takes'], frames, ClassMap(mids, names))
    except (ValueError, TypeError, RecursionError) as error:  # InputError is one
      raise ModelError(
        f'{origin}: what it says of itself ({DESCRIPTION_FILE}) cannot be used '
        f'({first_line(error)}); export it again'
      ) from error
    return description


def _require_form(content: Any) -> None:
  if fault := fault_of_form(content, _FORM):
    raise InputError(fault)
  if content['takes'] not in TAKES:
    raise InputError(f"'takes' is none of {', '.join(TAKES)}")
  if not content['classes'] or any(len(row) != 2 for row in content['classes']):
    raise InputError("'classes' are no pairs of mid and name")
  if content['takes'] != 'patches' and 'front_end' not in content:
    raise InputError('a model of waveforms without a front end')


def is_exported_file(path: str | os.PathLike) -> bool:
  """Whether a path names a LiteRT or ONNX file, by its ending."""
  return pathlib.Path(path).suffix in (LITERT_SUFFIX, ONNX_SUFFIX)


def read_description(
  path: str | os.PathLike, class_map_path: str | os.PathLike | None = None
) -> Description:
  """What a LiteRT or ONNX file says of itself.

  Args:
    path: the file.
    class_map_path: classes in the place of those that it holds; None for these.

  Raises:
    ModelError: there is no such file, it is none of `export`, damaged, or not as it was
      written; the class map is of another size; or what reads ONNX files is not
      installed.
    LabelError: the class map can't be read.
  """
  path = pathlib.Path(path)
  if not path.is_file():
    raise ModelError(f'{path}: no such file')
  _require_as_written(path)
  read = _of_litert if path.suffix == LITERT_SUFFIX else _of_onnx
  description = Description.parsed(read(path), str(path))
  if class_map_path is None:
    return description
  class_map = ClassMap.read(class_map_path)
  if len(class_map) != len(description.class_map):
    raise ModelError(
      f'{path}: has {len(description.class_map)} outputs, but the class map '
      f'{class_map_path} has {len(class_map)} classes'
    )
  return dataclasses.replace(description, class_map=class_map)


def _require_as_written(path: pathlib.Path) -> None:
  """Raises ModelError if a file in a folder of `export` was changed since."""
  folder = path.absolute().parent.parent
  if not folders.is_finished(folder):
    return
  run_json = folders.read_run(folder, 'export')
  name = path.absolute().relative_to(folder).as_posix()
  if name in (files := run_json.get(model_digests.MODEL_FILES, {})):
    only = {model_digests.MODEL_FILES: {name: files[name]}}
    model_digests.require_as_written(folder, only, 'export')


def _of_litert(path: pathlib.Path) -> bytes:
  try:
    with zipfile.ZipFile(path) as archive:
      entry = archive.getinfo(DESCRIPTION_FILE)
      if entry.file_size > _MOST_BYTES:
        raise ModelError(f'{path}: its {DESCRIPTION_FILE} is too large to be read')
      return archive.read(entry)
  except (zipfile.BadZipFile, KeyError, OSError, RuntimeError, EOFError) as error:
    raise ModelError(
      f'{path}: is no LiteRT file that `export` has written: nothing in it says its '
      f'classes and front end ({first_line(error)})'
    ) from error


def _of_onnx(path: pathlib.Path) -> str:
  from audioset_ml.models.runtimes import OnnxModel

  text = OnnxModel(path).properties.get(DESCRIPTION_FILE)
  if text is None:
    raise ModelError(
      f'{path}: is no ONNX file that `export` has written: nothing in it says its '
      'classes and front end'
    )
  return text
