"""What `export` writes, as a table: size, speed and difference from the Keras model.

Of a student of the quick start's size (with random weights, whose scores differ) and,
where their file is given, of YAMNet's published weights. One patch is a call of its
own; of a batch of 64 it's patches/s. Files of waveforms get the sound of as many.
ONNX needs `make deploy`, and so does LiteRT's own runtime, without which TensorFlow's
interpreter of such files is measured. Forms take turns, and of each the fastest call
counts: whatever else a machine does only makes calls slower.

  python benchmarks/bench_exports.py [--yamnet=yamnet.h5] [--calibration_records=...]
"""

import pathlib
import tempfile
import time
from collections.abc import Callable

import numpy as np
import tensorflow as tf
from absl import flags
from machine import print_machine

from audioset_ml.audio.front_end import FrontEnd
from audioset_ml.deployment import checking, exporting, forms
from audioset_ml.entry import stage
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.models.config import ModelConfig
from audioset_ml.models.exported_model import ExportedModel
from audioset_ml.models.model_files import ModelFiles
from audioset_ml.models.registry import build_model
from audioset_ml.models.trained import TrainedModel
from audioset_ml.records.frames import FrameFormat

FLAGS = flags.FLAGS
flags.DEFINE_string('yamnet', '', "YAMNet's weights, with their class map beside them.")
flags.DEFINE_string(
  'calibration_records', '', 'Records for the files of int8 and int16x8.'
)

BATCH = 64
SECONDS = 1.0  # of each form, in each turn
TURNS = 3
CLASSES = 20  # as the quick start's


def student() -> TrainedModel:
  """A network of the quick start's students' size."""
  names = tuple(f'Class {index}' for index in range(CLASSES))
  class_map = ClassMap(tuple(f'/x/{index}' for index in range(CLASSES)), names)
  files = ModelFiles(pathlib.Path('student'), FrameFormat.log_mel(), class_map)
  config = ModelConfig('mobilenet_v1_tiny', CLASSES, width_multiplier=0.25)
  model = build_model(config)
  random = np.random.default_rng(0)
  model.set_weights(
    [w + random.normal(0, 0.3, w.shape) * (w.ndim > 1) for w in model.get_weights()]
  )
  return TrainedModel(files, model)


def measure(trained: TrainedModel) -> None:
  """Prints the table of a model."""
  formats = [forms.LITERT]
  if forms.is_installed('tf2onnx') and forms.is_installed('onnxruntime'):
    formats.append(forms.ONNX)
  else:
    print('no ONNX: `make deploy` installs what it needs')
  with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    files = exporting.export_files(trained, formats, folder, FLAGS.calibration_records)
    runs = {'Keras, in a graph': _keras(trained)}
    for one in files:
      if one.is_kept:
        runs[one.file] = _exported(ExportedModel.open(folder / one.file))
      else:
        print(one.describe(folder))
    speeds = _speeds(runs)
  found = {one.file: one for one in files}
  print(f'{"file":38}{"MB":>7}{"1 patch (ms)":>14}{"64 patches/s":>14}  difference')
  for name, (single, batch) in speeds.items():
    one = found.get(name)
    size = f'{one.bytes / 1e6:.2f}' if one else '–'
    difference = f'{one.difference.highest:.1e}' if one else '–'
    print(f'{name:38}{size:>7}{single:14.2f}{batch:14.0f}  {difference}', flush=True)


def _keras(trained: TrainedModel) -> Callable[[int], object]:
  model = trained.model
  shape = (None, *model.input_shape[1:])

  @tf.function(input_signature=[tf.TensorSpec(shape, tf.float32)])
  def scores(patches: tf.Tensor) -> tf.Tensor:
    return tf.sigmoid(model(patches, training=False))

  patches = tf.random.normal((BATCH, *model.input_shape[1:]))
  return lambda number: scores(patches[:number]).numpy()


def _exported(model: ExportedModel) -> Callable[[int], object]:
  """Scores so many patches."""
  if not model.description.takes_waveforms:
    shape = (BATCH, *model.description.frames.patch_shape)
    patches = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    return lambda number: model.of_patches(patches[:number])
  end: FrontEnd = model.front_end
  sound = checking.generated_sound(end, end.num_samples(BATCH))
  return lambda number: model(sound[: end.num_samples(number)])


def _speeds(
  runs: dict[str, Callable[[int], object]],
) -> dict[str, tuple[float, float]]:
  """By name: ms of one patch, and patches/s of a batch."""
  found: dict[str, tuple[list[float], list[float]]] = {n: ([], []) for n in runs}
  for _ in range(TURNS):
    for name, run in runs.items():
      for number, values in zip((1, BATCH), found[name], strict=True):
        values.append(_seconds(lambda run=run, number=number: run(number)))
  return {
    name: (1000 * min(single), BATCH / min(batch))
    for name, (single, batch) in found.items()
  }


def _seconds(call: Callable[[], object]) -> float:
  """The time of the fastest call, after one that plans for its size."""
  call()
  times, start = [], time.perf_counter()
  while not times or time.perf_counter() - start < SECONDS:
    begun = time.perf_counter()
    call()
    times.append(time.perf_counter() - begun)
  return min(times)


def main(_) -> None:
  print_machine('ai-edge-litert', 'onnxruntime', 'tf2onnx')
  print('\nA student of the quick start')
  measure(student())
  if not FLAGS.yamnet:
    print("\nYAMNet: skipped, since --yamnet doesn't say where its weights are")
    return
  print('\nYAMNet')
  measure(TrainedModel.open(FLAGS.yamnet))


if __name__ == '__main__':
  stage.run(main)
