"""Detection metrics: processor time, with and without a bootstrap over clips.

Clips of ten seconds with one to two events of each of three classes, and scores of
patches that know of them. All metrics of `evaluate --detection`; at the end the values,
so that two versions can be compared.

  python benchmarks/bench_detection.py --clips=1000 --classes=50 --hop_seconds=0.48
"""

import resource
import time

import numpy as np
import pandas as pd
from absl import app, flags
from machine import print_machine

from audioset_ml.evaluation import bootstrap
from audioset_ml.evaluation.detection import DetectionConfig, evaluate_detection
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.labels.formats import STRONG_COLUMNS

FLAGS = flags.FLAGS
flags.DEFINE_integer('clips', 1000, 'Clips.')
flags.DEFINE_integer('classes', 50, 'Classes.')
flags.DEFINE_float('hop_seconds', 0.48, 'From one patch to the next.')
flags.DEFINE_integer('replicates', 1000, 'Of the bootstrap.')

SECONDS, WINDOW = 10.0, 0.96


def made() -> tuple[dict[str, np.ndarray], pd.DataFrame]:
  """Scores of patches by clip, and events."""
  random = np.random.default_rng(0)
  hop, scores, rows = FLAGS.hop_seconds, {}, []
  for number in range(FLAGS.clips):
    clip_id = f'{number}_0'
    patches = int((SECONDS - WINDOW) // hop) + 1
    values = 0.3 * random.random((patches, FLAGS.classes))
    for index in random.choice(FLAGS.classes, min(3, FLAGS.classes), replace=False):
      for _ in range(random.integers(1, 3)):
        start = random.uniform(0, SECONDS - 0.3)
        end = min(SECONDS, start + random.exponential(2) + 0.05)
        rows.append((clip_id, round(start, 3), round(end, 3), f'/m/{index}'))
        first, last = int(max(0, start - 0.5) / hop), int(end / hop)
        values[first:last, index] += 0.6 * random.random()
    scores[clip_id] = values.astype(np.float32)
  return scores, pd.DataFrame(rows, columns=list(STRONG_COLUMNS))


def main(_) -> None:
  print_machine()
  scores, events = made()
  seconds = dict.fromkeys(scores, SECONDS)
  mids = tuple(f'/m/{index}' for index in range(FLAGS.classes))
  inputs = scores, seconds, events, ClassMap(mids, mids)
  config = DetectionConfig(FLAGS.hop_seconds, WINDOW)
  weights = bootstrap.clip_weights(FLAGS.clips, FLAGS.replicates, 0)
  for name, drawn in (('values alone', None), ('with replicates', weights)):
    begin = time.process_time()
    found = evaluate_detection(*inputs, config, drawn)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f'{name}: {time.process_time() - begin:.1f} s, at most {peak:.2f} GB')
  for name, ends in found.intervals().items():
    print(f'  {name:20}{found.summary[name]:.6f}  {ends}')


if __name__ == '__main__':
  app.run(main)
