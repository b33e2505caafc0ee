"""What `export` writes, as a table: size, speed and difference from the Keras model.

Of a student of the quick start's size (with random weights, whose scores differ) and,
where its file is given, of YAMNet; with --sounds, too, of a head on it, fine-tuned to
them by `finetune`. Each is exported by `export` to every form that is installed. One
patch is a call of its own; of a batch of 64 it's patches/s. Forms that take waveforms
get the sound of as many. The difference is the highest of the 64 patches' scores.
ONNX needs `make deploy`, and so does LiteRT's own runtime, without which TensorFlow's
interpreter of such files is measured; the page needs npm, and Chromium to be run. Forms
take turns, and of each the fastest call counts: whatever else a machine does only makes
calls slower.

  python benchmarks/bench_exports.py [--yamnet=yamnet.h5 [--sounds=esc10]]
"""

import contextlib
import json
import pathlib
import tempfile
import time
from collections.abc import Callable, Mapping

import numpy as np
import page_runs
import tensorflow as tf
from absl import app, flags
from machine import print_machine
from stages import run_stage

from audioset_ml.audio import features
from audioset_ml.core.errors import InputError
from audioset_ml.deployment import checking, forms, web_runtime
from audioset_ml.entry import stage
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.models.config import ModelConfig
from audioset_ml.models.exported_model import ExportedModel
from audioset_ml.models.registry import build_model
from audioset_ml.models.trained import TrainedModel, open_with_embedder
from audioset_ml.models.waveform_loading import load_waveform_model
from audioset_ml.reporting import hearing_page

FLAGS = flags.FLAGS
flags.DEFINE_string('yamnet', '', "YAMNet's weights, or another network of `finetune`.")
flags.DEFINE_string('sounds', '', 'Recordings to fine-tune it to, as for `finetune`.')
flags.DEFINE_string(
  'finetuned', '', 'Where `finetune` writes, or has by --sounds and --yamnet.'
)
flags.DEFINE_string(
  'calibration_records',
  '',
  'Records for int8 and int16x8, by default those of --sounds.',
)
flags.DEFINE_float('seconds', 1.0, 'Of each form, in each turn.', lower_bound=0)
flags.DEFINE_integer('turns', 3, 'How often each form is measured.', lower_bound=1)

BATCH = 64
CLASSES = 20  # as the quick start's
# The fastest call's seconds, of as many patches and calls for so many seconds; scores.
Measure = Callable[[int, float], tuple[float, np.ndarray]]


def write_student(folder: pathlib.Path) -> pathlib.Path:
  """A network of the quick start's students' size; its file."""
  names = tuple(f'Class {index}' for index in range(CLASSES))
  ClassMap(tuple(f'/x/{index}' for index in range(CLASSES)), names).write(
    folder / 'class_map.csv'
  )
  model = build_model(ModelConfig('mobilenet_v1_tiny', CLASSES, width_multiplier=0.25))
  random = np.random.default_rng(0)
  model.set_weights(
    [w + random.normal(0, 0.3, w.shape) * (w.ndim > 1) for w in model.get_weights()]
  )
  model.save(folder / 'model.keras')
  return folder / 'model.keras'


def export(model: str, embedder: str, records: str, folder: pathlib.Path) -> None:
  """Exports a model to every form for which there is what it needs."""
  given, lacking = [forms.SAVED_MODEL, forms.LITERT, forms.KERAS], []
  more = [f'--embedder={embedder}'] if embedder else []
  if records:
    more.append(f'--calibration_records={records}')
  else:
    lacking.append('no int8 and int16x8: no records to calibrate by')
  try:
    forms.require_packages([forms.ONNX])
    given.append(forms.ONNX)
    web_runtime.require()
    more.append('--page')
  except InputError as error:
    lacking.append(f'not every form: {error}')
  run_stage('export', folder, f'--model={model}', f'--formats={",".join(given)}', *more)
  print(*lacking, sep='\n', end='\n' if lacking else '')


def measure(model: str, embedder: str = '', records: str = '') -> None:
  """Exports a model, and prints its table."""
  trained = open_with_embedder(model, None, embedder)
  with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
    folder = pathlib.Path(name, 'exported')
    export(model, embedder, records, folder)
    said = json.loads((folder / 'run.json').read_text())['files']
    dropped = [file for file, one in said.items() if not one.get('kept', True)]
    files = [file for file in said if file not in dropped]
    runs = {
      'Keras, in a graph': _of_patches(_graph(trained), trained),
      forms.SAVED_MODEL: _of_sound(
        load_waveform_model(folder / forms.SAVED_MODEL), trained
      ),
      **{file: _file(folder / file, trained) for file in files},
    }
    page = folder / hearing_page.PAGE
    if page.is_file() and not (lacks := page_runs.why_none()):
      opened = stack.enter_context(page_runs.opened(page, _sound(trained)))
      runs[hearing_page.PAGE] = _of_page(opened, trained)
    elif page.is_file():
      print(f'{hearing_page.PAGE} ({_megabytes(page):.2f} MB) is not run: {lacks}')
    for file in dropped:
      print(f'{file}: not kept, for this network does not bear such numbers')
    speeds = _speeds(runs)
    _, wanted = runs['Keras, in a graph'](BATCH, 0)
    print(f'{"form":38}{"MB":>7}{"1 patch (ms)":>14}{"64 patches/s":>14}  difference')
    for form, (single, batch) in speeds.items():
      size, difference = '–', '–'
      if (folder / form).exists():
        size = f'{_megabytes(folder / form):.2f}'
        _, scores = runs[form](BATCH, 0)
        difference = f'{np.abs(scores.reshape(wanted.shape) - wanted).max():.1e}'
      print(f'{form:38}{size:>7}{single:14.2f}{batch:14.0f}  {difference}', flush=True)


def _megabytes(path: pathlib.Path) -> float:
  """Of a file, or of all in a folder."""
  files = (
    [path] if path.is_file() else [one for one in path.rglob('*') if one.is_file()]
  )
  return sum(one.stat().st_size for one in files) / 1e6


def _sound(trained: TrainedModel) -> np.ndarray:
  """That of a batch. Shape [samples], float32."""
  end = trained.frames.front_end
  return checking.generated_sound(end, end.num_samples(BATCH))


def _file(path: pathlib.Path, trained: TrainedModel) -> Measure:
  """Of a LiteRT, ONNX or Keras file."""
  if path.suffix == '.keras':
    return _of_patches(_graph(TrainedModel.open(path)), trained)
  model = ExportedModel.open(path)
  if model.description.takes_waveforms:
    return _of_sound(model, trained)
  return _of_patches(lambda patches: model.of_patches(patches)[0], trained)


def _graph(trained: TrainedModel) -> Callable[[np.ndarray], np.ndarray]:
  """The scores of patches, by TensorFlow."""
  shape = (None, *trained.model.input_shape[1:])

  @tf.function(input_signature=[tf.TensorSpec(shape, tf.float32)])
  def scores(patches: tf.Tensor) -> tf.Tensor:
    return tf.sigmoid(trained.model(patches, training=False))

  return lambda patches: scores(patches).numpy()


def _of_patches(
  score: Callable[[np.ndarray], np.ndarray], trained: TrainedModel
) -> Measure:
  end = trained.frames.front_end
  patches = features.log_mel_patches(tf.constant(_sound(trained)), end).numpy()
  return lambda number, seconds: _timed(lambda: score(patches[:number]), seconds)


def _of_sound(model: Callable, trained: TrainedModel) -> Measure:
  end, sound = trained.frames.front_end, _sound(trained)
  return lambda number, seconds: _timed(
    lambda: np.asarray(model(sound[: end.num_samples(number)])[0]), seconds
  )


def _of_page(page: page_runs.PageRun, trained: TrainedModel) -> Measure:
  end = trained.frames.front_end
  return lambda number, seconds: page.measure(end.num_samples(number), seconds)


def _timed(call: Callable[[], np.ndarray], seconds: float) -> tuple[float, np.ndarray]:
  """The time of the fastest call, after one that plans for its size; what it gives."""
  given = call()
  times, start = [], time.perf_counter()
  while not times or time.perf_counter() - start < seconds:
    begun = time.perf_counter()
    call()
    times.append(time.perf_counter() - begun)
  return min(times), given


def _speeds(runs: Mapping[str, Measure]) -> dict[str, tuple[float, float]]:
  """By form: ms of one patch, and patches/s of a batch."""
  found: dict[str, tuple[list[float], list[float]]] = {n: ([], []) for n in runs}
  for _ in range(FLAGS.turns):
    for name, run in runs.items():
      for number, values in zip((1, BATCH), found[name], strict=True):
        values.append(run(number, FLAGS.seconds)[0])
  return {
    name: (1000 * min(single), BATCH / min(batch))
    for name, (single, batch) in found.items()
  }


def main(_) -> None:
  if FLAGS.sounds and not FLAGS.yamnet:
    raise app.UsageError('--sounds are what --yamnet is fine-tuned to: give that, too')
  if FLAGS.finetuned and not FLAGS.sounds:
    raise app.UsageError('--finetuned does nothing without --sounds')
  print_machine('ai-edge-litert', 'onnxruntime', 'tf2onnx', 'selenium')
  with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    tuned, records = pathlib.Path(FLAGS.finetuned or folder / 'finetuned'), ''
    if FLAGS.sounds:
      run_stage(
        'finetune', tuned, f'--sounds={FLAGS.sounds}', f'--model={FLAGS.yamnet}'
      )
      records = str(tuned / 'records')
    records = FLAGS.calibration_records or records
    print('\nA student of the quick start')
    measure(str(write_student(folder)), '', records)
    if not FLAGS.yamnet:
      print("\nYAMNet: skipped, since --yamnet doesn't say where its weights are")
      return
    print('\nYAMNet')
    measure(FLAGS.yamnet, '', records)
    if not FLAGS.sounds:
      print("\nA fine-tuned head: skipped, since --sounds doesn't say to which sounds")
      return
    print('\nYAMNet, fine-tuned')
    measure(str(tuned / 'model'), FLAGS.yamnet, records)


if __name__ == '__main__':
  stage.run(main)
