"""From a trained model to LiteRT, ONNX and Keras files, each held against the model."""

import dataclasses
import pathlib
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from audioset_ml.core.errors import ModelError
from audioset_ml.core.model_digests import CLASS_MAP_FILE, MODEL_FILE
from audioset_ml.deployment import checking, forms
from audioset_ml.deployment.checking import Difference
from audioset_ml.deployment.conversion import Conversion, convert
from audioset_ml.deployment.forms import Form
from audioset_ml.deployment.graphs import FrozenGraph, patches_graph, waveform_graph
from audioset_ml.models.exported_file import Description
from audioset_ml.models.exported_model import ExportedModel
from audioset_ml.models.layers import with_plain_layers
from audioset_ml.models.trained import TrainedModel
from audioset_ml.records.dataset import clip_patches
from audioset_ml.records.folder import RecordsFolder

# TensorFlow's guide asks for a hundred or some hundreds of examples.
_CALIBRATION_CLIPS, _CALIBRATION_PATCHES = 200, 500
_CHECKED_PATCHES = 64  # of these


@dataclasses.dataclass(frozen=True)
class Written:
  """A file that was written.

  Attributes:
    file: its path in the folder.
    bytes: how large it is.
    difference: from the Keras model; None for the Keras model itself.
    is_kept: whether the file is there: one whose scores hardly follow the Keras model's
      is not.
  """

  file: str
  bytes: int
  difference: Difference | None = None
  is_kept: bool = True

  def to_json(self) -> dict[str, Any]:
    """What run.json says of it."""
    if self.difference is None:
      return {'bytes': self.bytes}
    values = dataclasses.asdict(self.difference)
    return {'bytes': self.bytes, 'kept': self.is_kept, **values}

  def describe(self) -> str:
    """What there is to say of it, for people."""
    found = self.difference
    if found is None:
      return f'{self.bytes / 1e6:.2f} MB'
    if not self.is_kept:
      correlation = 'none' if found.correlation is None else f'{found.correlation:.2f}'
      return (
        f'not kept: this network does not bear such numbers; its scores differ '
        f"from the Keras model's by up to {found.highest:.2f} (correlation "
        f'{correlation}, but {forms.LEAST_CORRELATION:g} is needed)'
      )
    return (
      f'{self.bytes / 1e6:.2f} MB, differs from the Keras model by at most '
      f'{found.highest:.1e} ({found.mean:.1e} on average)'
    )


def export_files(
  trained: TrainedModel,
  formats: Sequence[str],
  folder: pathlib.Path,
  calibration_records: str = '',
) -> list[Written]:
  """Writes a model's files of some formats; see `forms.FORMS`.

  Args:
    trained: the model, with its classes.
    formats: of LITERT, ONNX and KERAS.
    folder: where the files are written.
    calibration_records: by whose patches numbers of 8 bits get their scales, and on
      which files of the network alone are checked; '' for none.

  Returns:
    The files; without calibration records those that need none.

  Raises:
    InputError: the records are of other frames; a file can't be made; or it differs
      from the model by more than its form allows.
  """
  written = []
  if forms.KERAS in formats:
    written.append(_write_keras(trained, folder))
  chosen = chosen_forms(formats, trained, bool(calibration_records))
  if not chosen:
    return written
  calibration = None
  if calibration_records:
    calibration = calibration_patches(calibration_records, trained)
  graphs = _graphs(trained, {form.takes for form in chosen})
  conversions = [
    Conversion(
      path=folder / form.file,
      format=form.format,
      numbers=form.numbers,
      graph=graphs[form.takes],
      description=_description(trained, form),
      calibration=calibration if form.is_calibrated else None,
    )
    for form in chosen
  ]
  convert(conversions)
  if calibration is None:
    given = checking.generated_patches(trained.model, trained.frames.front_end)
  else:
    given = calibration[:: -(-len(calibration) // _CHECKED_PATCHES)]
  return written + [_checked(form, folder, trained.model, given) for form in chosen]


def _checked(
  form: Form, folder: pathlib.Path, model: keras.Model, given: np.ndarray
) -> Written:
  """A file that was compared with the model, and deleted if it is of no use."""
  path = folder / form.file
  size = path.stat().st_size
  difference = checking.compare(form, ExportedModel.open(path), model, given)
  is_kept = not difference.is_too_high(form)
  if not is_kept:
    path.unlink()
  return Written(form.file, size, difference, is_kept)


def chosen_forms(
  formats: Sequence[str], trained: TrainedModel, has_calibration: bool
) -> list[Form]:
  """The forms of some formats that a model can have."""
  return [
    form
    for form in forms.FORMS
    if form.format in formats
    and (trained.frames.front_end or not form.needs_sound)
    and (has_calibration or not form.is_calibrated)
  ]


def calibration_patches(path: str, trained: TrainedModel) -> np.ndarray:
  """Patches of clips from all over some records.

  Returns:
    At most 500, of at most 200 clips. Shape [patches, frames, values], float32.

  Raises:
    RecordError: the records are of other frames, or hold no clips.
  """
  records = RecordsFolder.open(path)
  records.require_frames(trained.frames, str(trained.path))
  trained.require_patches(records.frames, path)
  clips = len(records.clip_ids)
  if not clips:
    raise ModelError(f'{path}: holds no clips by which to choose scales')
  chosen = np.zeros(clips, bool)
  chosen[np.linspace(0, clips - 1, min(clips, _CALIBRATION_CLIPS)).astype(int)] = True
  batches = clip_patches(records, 16, chosen)
  patches = np.concatenate([batch.numpy() for batch, _ in batches])
  random = np.random.default_rng(0).permutation(len(patches))
  return patches[np.sort(random[:_CALIBRATION_PATCHES])]


def _graphs(trained: TrainedModel, takes: set[str]) -> dict[str, FrozenGraph]:
  """The graphs of files, by what these take."""
  model, end = trained.model, trained.frames.front_end
  makers = {
    'waveform': lambda: waveform_graph(model, end),
    'one patch': lambda: waveform_graph(model, end, end.min_samples),
    'patches': lambda: patches_graph(model),
  }
  return {name: make() for name, make in makers.items() if name in takes}


def _description(trained: TrainedModel, form: Form) -> Description:
  return Description(form.takes, trained.frames, trained.files.require_class_map())


def _write_keras(trained: TrainedModel, folder: pathlib.Path) -> Written:
  """The model of Keras's own layers, and its classes beside it."""
  path = folder / MODEL_FILE
  folder.mkdir(parents=True, exist_ok=True)
  with_plain_layers(trained.model).save(path)
  trained.files.require_class_map().write(folder / CLASS_MAP_FILE)
  return Written(MODEL_FILE, path.stat().st_size)
