"""Scoring speed: `score`'s ways from records, against Keras's `predict`, patches/s.

Both networks at full width with 527 classes on generated clips of ten seconds, of 20
overlapping patches each. `predict` gets the patches in memory, with its default batches
and its own batch normalisation. LiteRT and ONNX Runtime score from records, too, by the
float32 files of the network alone that `export` writes (`make deploy` installs what
that needs; what is not installed is skipped). The ways, `score --precision` among them,
take turns; medians are compared, of the clock and of processor time, which other work
on the machine moves less.

  python benchmarks/bench_scoring.py
"""

import functools
import pathlib
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator

import keras
import numpy as np
from absl import flags
from bench_overheads import CLASSES, write_records
from machine import print_machine

from audioset_ml.core.errors import InputError
from audioset_ml.core.packages import is_installed
from audioset_ml.deployment import forms
from audioset_ml.deployment.conversion import Conversion, convert
from audioset_ml.deployment.graphs import patches_graph
from audioset_ml.entry import stage
from audioset_ml.labels.class_mapping import ClassMapping
from audioset_ml.models.config import SCORE_PRECISIONS, ModelConfig
from audioset_ml.models.exported_file import Description
from audioset_ml.models.exported_model import ExportedModel
from audioset_ml.models.registry import build_model
from audioset_ml.models.scoring import ExportedScorer, PatchScorer, score_clips
from audioset_ml.records.dataset import clip_patches
from audioset_ml.records.folder import RecordsFolder

FLAGS = flags.FLAGS
flags.DEFINE_list(
  'clips',
  ['mobilenet_v1:96', 'resnet50:16'],
  'Networks, each as NAME:CLIPS, with the number of clips that it scores in a turn. A '
  'runtime scores 64 patches at a time and fills up the last batch: with 3 clips (60 '
  'patches), 16 (320) or multiples of 16 it wastes little.',
)
flags.DEFINE_integer('turns', 3, 'How often each is measured.', lower_bound=1)

# What a runtime's row is named, and what it needs; its own, for TensorFlow's
# interpreter of LiteRT files is another program.
RUNTIMES = {
  forms.LITERT: ('LiteRT', 'ai_edge_litert'),
  forms.ONNX: ('ONNX Runtime', 'onnxruntime'),
}


def runtimes(
  model: keras.Model, records: RecordsFolder, folder: pathlib.Path
) -> Iterator[tuple[str, Callable]]:
  """The ways of other runtimes by their names; prints which are skipped, and why."""
  for form in forms.FORMS:
    if form.takes != 'patches' or form.numbers != 'float32':
      continue
    name, package = RUNTIMES[form.format]
    try:
      forms.require_packages([form.format])
      if not is_installed(package):
        raise InputError(f'{package} is not installed: `make deploy`')
      description = Description(form.takes, records.frames, records.class_map)
      path = folder / form.file
      graph = patches_graph(model)
      convert([Conversion(path, form.format, form.numbers, graph, description)])
      exported = ExportedModel.open(path)
    except InputError as error:
      print(f'{name}: skipped: {error}')
      continue
    mapping = ClassMapping.identity(CLASSES)
    yield (
      f'{name}, float32',
      functools.partial(score_clips, ExportedScorer(exported, mapping), records),
    )


def measure(network: str, clips: int) -> dict[str, tuple[float, float]]:
  """Patches a second, and a second of processor time, of each way by its name."""
  config = ModelConfig(network, CLASSES)
  with tempfile.TemporaryDirectory() as name:
    records = write_records(pathlib.Path(name), clips)
    batches = clip_patches(records, clips)
    patches = np.concatenate([batch.numpy() for batch, _ in batches])
    model = build_model(config)
    ways = {
      f'score, {precision}': functools.partial(
        score_clips, PatchScorer(model, precision=precision), records
      )
      for precision in SCORE_PRECISIONS
      if precision != 'auto'
    }
    ways |= runtimes(model, records, pathlib.Path(name))
    plain = build_model(config, batch_norm=keras.layers.BatchNormalization)
    ways['Keras predict, in memory'] = lambda: plain.predict(patches, verbose=0)
    speeds: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for turn in range(FLAGS.turns + 1):
      for name, run in ways.items():
        start = time.perf_counter(), time.process_time()
        run()
        spent = time.perf_counter() - start[0], time.process_time() - start[1]
        if turn:  # the first warms up
          speeds[name].append(tuple(len(patches) / seconds for seconds in spent))
  return {
    name: tuple(map(statistics.median, zip(*values, strict=True)))
    for name, values in speeds.items()
  }


def main(_) -> None:
  print_machine('ai-edge-litert', 'onnxruntime')
  print(
    f'{"network":14}{"way":26}{"patches/s":>10}{"ratio":>7}{"/CPU s":>10}{"ratio":>7}'
  )
  for network, _, clips in (one.partition(':') for one in FLAGS.clips):
    speeds = measure(network, int(clips))
    keras.backend.clear_session()
    clock, processor = next(iter(speeds.values()))
    for name, (by_clock, by_processor) in speeds.items():
      print(
        f'{network:14}{name:26}{by_clock:10.1f}{by_clock / clock:7.2f}'
        f'{by_processor:10.1f}{by_processor / processor:7.2f}',
        flush=True,
      )


if __name__ == '__main__':
  stage.run(main)
