"""Scoring speed: `score`'s ways from records, against Keras's `predict`, patches/s.

Both networks at full width with 527 classes on generated clips of ten seconds, of 20
overlapping patches each. `predict` gets the patches in memory, with its default batches
and its own batch normalisation. The ways, `score --precision` among them, take turns;
medians are compared.

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
CLIPS = {'mobilenet_v1': 96, 'resnet50': 24}
TURNS = 3


def measure(network: str) -> dict[str, float]:
  """Patches/s of each way, by its name."""
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
    speeds: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(TURNS + 1):
      for name, run in ways.items():
        start = time.perf_counter()
        run()
        if turn:  # the first warms up
          speeds[name].append(len(patches) / (time.perf_counter() - start))
  return {name: statistics.median(values) for name, values in speeds.items()}


def main(_) -> None:
  print_machine()
  print(f'{"network":14}{"way":26}{"patches/s":>10}{"ratio":>7}')
  for network in CLIPS:
    speeds = measure(network)
    keras.backend.clear_session()
    first = next(iter(speeds.values()))
    for name, speed in speeds.items():
      print(f'{network:14}{name:26}{speed:10.1f}{speed / first:7.2f}', flush=True)


if __name__ == '__main__':
  stage.run(main)
