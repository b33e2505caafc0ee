"""Opening whatever holds a model as a function of waveforms."""

import json
import os
import pathlib
from typing import Protocol

import numpy as np
import tensorflow as tf

from audioset_ml.audio.front_end import FrontEnd
from audioset_ml.core.errors import InputError, ModelError, counted, first_line
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.labels.yamnet_classes import yamnet_class_map
from audioset_ml.models.exported_file import is_exported_file
from audioset_ml.models.exported_model import ExportedModel
from audioset_ml.models.model_files import find_saved_model
from audioset_ml.models.trained import TrainedModel
from audioset_ml.models.waveform_model import WaveformModel, checked_waveform
from audioset_ml.records.frames import FrameFormat

_FINGERPRINT_FILE = 'fingerprint.pb'  # of TensorFlow's own; older SavedModels have none


class OpenedWaveformModel(Protocol):
  """A function of waveforms: `LoadedWaveformModel` or `ExportedModel`.

  Attributes:
    mids: each class's machine id.
    class_names: each class's display name.
    front_end: what makes its patches.
  """

  mids: tuple[str, ...]
  class_names: tuple[str, ...]

  @property
  def front_end(self) -> FrontEnd: ...

  def __call__(self, waveform): ...

  def at_hop(self, waveform, hop_frames: int): ...

  def require_hop(self, hop_frames: int) -> None: ...


class LoadedWaveformModel:
  """A waveform model and the names of its classes; of `load_waveform_model`.

  Attributes:
    mids: each class's machine id.
    class_names: each class's display name.
    front_end: what makes its patches; YAMNet's of a SavedModel that doesn't say.
  """

  def __init__(self, function, class_map: ClassMap, origin: str | os.PathLike):
    scores = _scores_of(function, origin)
    if scores.shape[-1] != len(class_map):
      class_map = yamnet_class_map(class_map)
    if scores.shape[-1] != len(class_map):
      raise ModelError(
        f'{origin}: has {counted(scores.shape[-1], "output")}, but its class map has '
        f'{counted(len(class_map), "class")}'
      )
    self._function, self._origin = function, origin
    self.mids = class_map.mids
    self.class_names = class_map.names
    self.front_end = _front_end_in(function, origin)

  def __call__(self, waveform):
    """Scores a waveform; arguments and results are those of `WaveformModel`.

    Raises:
      ModelError: the waveform is not one-dimensional, or its samples are integers.
    """
    return self._function(checked_waveform(waveform))

  def at_hop(self, waveform, hop_frames: int):
    """Scores the patches that a waveform fills, one every `hop_frames` frames.

    Raises:
      ModelError: see `__call__` and `require_hop`.
    """
    waveform = checked_waveform(waveform)
    usual = self.front_end.patch_hop_frames
    if hop_frames == usual:
      # Whole patches, to which nothing is added.
      patches = self.front_end.patches_within(waveform.shape[0], usual)
      return self._function(waveform[: self.front_end.num_samples(patches)])
    if hasattr(self._function, 'at_hop'):
      return self._function.at_hop(waveform, tf.constant(hop_frames, tf.int32))
    self.require_hop(hop_frames)
    return self._shifted(waveform, hop_frames)

  def require_hop(self, hop_frames: int) -> None:
    """Raises ModelError unless patches can be so many frames apart."""
    usual, seconds = self.front_end.patch_hop_frames, self.front_end.hop_seconds
    if hop_frames == usual or hasattr(self._function, 'at_hop'):
      return
    if usual % hop_frames:
      raise ModelError(
        f'{self._origin}: a SavedModel with a patch every {usual * seconds:g} s, which '
        f'can be shifted to parts of that ({usual * seconds / 2:g}, '
        f'{usual * seconds / 3:g}, {usual * seconds / 4:g} s) but not to '
        f'{hop_frames * seconds:g} s; name the model that it was exported from, or '
        'export it again'
      )

  def _shifted(self, waveform: tf.Tensor, hop_frames: int) -> tuple[np.ndarray, ...]:
    """Of a SavedModel that only knows its own hop: the waveform again and again, each
    time from a little later on."""
    end, usual = self.front_end, self.front_end.patch_hop_frames
    count = end.patches_within(waveform.shape[0], hop_frames)
    found: list[np.ndarray] = []
    log_mel = None
    shifts = min(usual // hop_frames, count)
    for shift in range(shifts):
      outputs = self.at_hop(waveform[shift * hop_frames * end.hop_samples :], usual)
      if log_mel is None:
        found = [np.zeros((count, part.shape[-1]), np.float32) for part in outputs[:2]]
        log_mel = outputs[2].numpy()
      for whole, part in zip(found, outputs[:2], strict=True):
        whole[shift :: usual // hop_frames] = part
    return (*found, log_mel)


def _scores_of(function, origin: str | os.PathLike) -> tf.Tensor:
  """The scores of a short silence; a ModelError of a function that has none."""
  try:
    scores = function(tf.zeros([1]))[0]
  except Exception as error:  # of whatever signature; TensorFlow's text fills pages
    raise ModelError(
      f'{origin}: cannot be called with a waveform (float32, [samples]); name a '
      'SavedModel that `export` has written, or one like YAMNet of TensorFlow Hub '
      f'({type(error).__name__})'
    ) from error
  if getattr(scores, 'shape', None) is None or len(scores.shape) != 2:
    raise ModelError(
      f'{origin}: gives no scores of patches ([patches, classes]) for a waveform'
    )
  return scores


def _front_end_in(function, origin: str | os.PathLike) -> FrontEnd:
  """The front end that a SavedModel says, or YAMNet's."""
  if not hasattr(function, 'front_end'):
    return FrontEnd()
  try:
    return FrontEnd.from_dict(json.loads(function.front_end().numpy()))
  except (ValueError, TypeError, InputError) as error:
    raise ModelError(f'{origin}: its front end cannot be read ({error})') from error


def load_waveform_model(
  path: str | os.PathLike, class_map_path: str | os.PathLike | None = None
) -> OpenedWaveformModel:
  """Opens whatever holds a model as a function of waveforms.

  Args:
    path: a model, named as for the stages' `--model`.
    class_map_path: its classes. None takes the class map that a SavedModel, LiteRT or
      ONNX file holds, or the one that lies beside a `.keras` file or weights.

  Raises:
    ModelError: there is no usable model, no class map, or one of another size.
    LabelError: the class map can't be read.
  """
  path = pathlib.Path(path)
  if is_exported_file(path):
    exported = ExportedModel.open(path, class_map_path)
    _require_waveforms(exported.description.frames, path)
    return exported
  if saved_model := find_saved_model(path):
    function = _load_saved_model(saved_model)
    return LoadedWaveformModel(
      function, _saved_class_map(function, path, class_map_path), path
    )
  trained = TrainedModel.open(path, class_map_path)
  function = WaveformModel(
    trained.model, _require_waveforms(trained.frames, trained.path)
  )
  return LoadedWaveformModel(function, trained.files.require_class_map(), path)


def _require_waveforms(frames: FrameFormat, path: pathlib.Path) -> FrontEnd:
  """The front end of a model's frames; ModelError if they are embeddings."""
  if frames.network:
    raise ModelError(
      f'{path}: takes {frames.origin}, not waveforms; export it with '
      'their network (export --embedder), and use what that writes'
    )
  return frames.require_front_end(
    'a model of waveforms needs a network for log-mel spectrograms', str(path)
  )


def _load_saved_model(path: pathlib.Path):
  try:
    if (path / _FINGERPRINT_FILE).exists():
      # Or TensorFlow prints what is wrong with it, with a traceback, and goes on.
      tf.saved_model.experimental.read_fingerprint(str(path))
    function = tf.saved_model.load(str(path))
  except Exception as error:  # TensorFlow raises many types for damaged files
    raise ModelError(
      f'{path}: the SavedModel cannot be loaded ({first_line(error)}); if it is '
      'damaged, export or download it again'
    ) from error
  if hasattr(function, 'frame_values'):
    raise ModelError(
      f'{path}: takes embeddings of {counted(int(function.frame_values), "value")}, '
      'not waveforms'
    )
  if not callable(function):
    raise ModelError(
      f'{path}: a SavedModel that cannot be called with a waveform; it was not '
      'written by `export`'
    )
  return function


def _saved_class_map(function, path: pathlib.Path, class_map_path) -> ClassMap:
  if class_map_path is not None:
    return ClassMap.read(class_map_path)
  if not hasattr(function, 'class_map_path'):
    raise ModelError(f'{path}: holds no class map; name one with class_map_path')
  return ClassMap.read(function.class_map_path().numpy().decode())
