"""Scoring speed: `score`'s ways from records, against Keras's `predict`, patches/s.

Both networks at full width with 527 classes on generated clips of ten seconds, of 20
overlapping patches each. `predict` gets the patches in memory, with its default batches
and its own batch normalisation. The ways, `score --precision` among them, take turns;
medians are compared, of the clock and of processor time, which other work on the
machine moves less.

  python benchmarks/bench_scoring.py
"""

import functools
import pathlib
import statistics
import tempfile
import time

import keras
import numpy as np
from bench_overheads import CLASSES, write_records
from machine import print_machine

from audioset_ml.entry import stage
from audioset_ml.models.config import SCORE_PRECISIONS, ModelConfig
from audioset_ml.models.registry import build_model
from audioset_ml.models.scoring import PatchScorer, score_clips
from audioset_ml.records.dataset import clip_patches

# Clips a turn; ResNet-50 takes ten times as long a clip.
CLIPS = {'mobilenet_v1': 96, 'resnet50': 8}
TURNS = 3


def measure(network: str) -> dict[str, tuple[float, float]]:
  """Patches a second, and a second of processor time, of each way by its name."""
  config = ModelConfig(network, CLASSES)
  with tempfile.TemporaryDirectory() as name:
    records = write_records(pathlib.Path(name), CLIPS[network])
    batches = clip_patches(records, CLIPS[network])
    patches = np.concatenate([batch.numpy() for batch, _ in batches])
    model = build_model(config)
    ways = {
      f'score, {precision}': functools.partial(
        score_clips, PatchScorer(model, precision=precision), records
      )
      for precision in SCORE_PRECISIONS
      if precision != 'auto'
    }
    plain = build_model(config, batch_norm=keras.layers.BatchNormalization)
    ways['Keras predict, in memory'] = lambda: plain.predict(patches, verbose=0)
    speeds: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for turn in range(TURNS + 1):
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
  print_machine()
  print(
    f'{"network":14}{"way":26}{"patches/s":>10}{"ratio":>7}{"/CPU s":>10}{"ratio":>7}'
  )
  for network in CLIPS:
    speeds = measure(network)
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
