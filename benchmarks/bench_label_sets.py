"""Label sets at AudioSet's size: time, memory and disk of ML20's 18 percentages.

Random scores of 2,000,000 clips by 527 classes (4.2 GB), labels with AudioSet's spread
of priors. Each way runs in a process of its own, which tells its time and its peak of
memory. The file has just been written: it is in the page cache as far as it fits.

- yardstick: reading the file, turning it over by blocks of classes, and numpy.partition
  once over each class;
- ours: `enhance`'s flags and tables of all 18 label sets, written to disk, with
  TensorFlow loaded, as the stage has it;
- naive: one of the 18 percentages; the whole file in memory, for each class a partition
  and a column of booleans, packed at the end; not written.

  python benchmarks/bench_label_sets.py [--clips=200000]
"""

import json
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np
from absl import app, flags
from machine import print_machine

from audioset_ml.labels.class_map import ClassMap
from audioset_ml.labels.states import LabelTable
from audioset_ml.missing_labels.enhance import write_label_sets
from audioset_ml.missing_labels.rules import build_rule
from audioset_ml.missing_labels.thresholds import (
  ML20_PERCENTS,
  discard_count,
  parse_percents,
)

FLAGS = flags.FLAGS
flags.DEFINE_integer('clips', 2_000_000, 'Clips.', 1)
flags.DEFINE_string('way', '', 'One way alone, in --folder.')
flags.DEFINE_string('folder', '', 'Where the scores are.')

CLASSES = 527


def write_scores(folder: pathlib.Path, clips: int) -> None:
  """Scores that are low for most, and clips' labels by class."""
  random = np.random.default_rng(0)
  scores = np.lib.format.open_memmap(
    folder / 'scores.npy', 'w+', np.float32, (clips, CLASSES)
  )
  for first in range(0, clips, 20_000):
    part = scores[first : first + 20_000]
    random.random(out=part, dtype=np.float32)
    part **= 8
  scores.flush()
  # From 0.4 (Music, Speech) down to 0.00005, about two labels a clip.
  priors = 0.4 * (np.arange(1, CLASSES + 1) ** -1.4)
  rows = [random.choice(clips, round(p * clips), replace=False) for p in priors]
  np.savez(
    folder / 'labels.npz',
    rows=np.concatenate(rows).astype(np.int32),
    classes=np.repeat(np.arange(CLASSES, dtype=np.int32), list(map(len, rows))),
  )


def read_labels(folder: pathlib.Path, clips: int) -> LabelTable:
  with np.load(folder / 'labels.npz') as arrays:
    rows, classes = arrays['rows'], arrays['classes']
  ids = tuple(f'{row:011x}_30000' for row in range(clips))
  return LabelTable(ids, CLASSES, rows, classes, np.ones(len(rows), np.int8))


def yardstick(folder: pathlib.Path) -> None:
  scores = np.load(folder / 'scores.npy')
  place = len(scores) - 1 - len(scores) // 100
  for first in range(0, CLASSES, 64):
    block = np.empty((min(64, CLASSES - first), len(scores)), np.float32)
    for row in range(0, len(scores), 1 << 14):
      part = scores[row : row + (1 << 14), first : first + 64]
      block[:, row : row + len(part)] = part.T
    for column in block:
      np.partition(column, place)


def ours(folder: pathlib.Path) -> None:
  import tensorflow  # noqa: F401

  scores = np.load(folder / 'scores.npy', mmap_mode='r')
  names = tuple(f'/m/{index:06x}' for index in range(CLASSES))
  write_label_sets(
    scores,
    read_labels(folder, len(scores)),
    ClassMap(names, names),
    build_rule('percent', ML20_PERCENTS),
    folder / 'label_sets',
  )


def naive(folder: pathlib.Path) -> None:
  scores = np.load(folder / 'scores.npy')
  labels = read_labels(folder, len(scores))
  percents = parse_percents(['1'])
  implicit = np.ones(scores.shape, bool)
  implicit[labels.rows, labels.classes] = False
  for percent in percents:
    flagged = np.zeros(scores.shape, bool)
    for index in range(CLASSES):
      candidates = scores[implicit[:, index], index]
      place = len(candidates) - 1 - discard_count(len(candidates), percent)
      limit = np.partition(candidates, place)[place]
      flagged[:, index] = implicit[:, index] & (scores[:, index] > limit)
    np.packbits(flagged, axis=1)


def peak_memory() -> float:
  """The peak of this process (GB); getrusage's would be its parent's, if larger."""
  status = pathlib.Path('/proc/self/status').read_text()
  line = next(line for line in status.splitlines() if line.startswith('VmHWM'))
  return int(line.split()[1]) / 1e6


WAYS = {'yardstick': yardstick, 'ours': ours, 'naive': naive}


def main(_) -> None:
  if FLAGS.way:
    start = time.perf_counter()
    WAYS[FLAGS.way](pathlib.Path(FLAGS.folder))
    seconds = time.perf_counter() - start
    print(json.dumps({'seconds': seconds, 'gigabytes': peak_memory()}))
    return
  print_machine()
  with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    write_scores(folder, FLAGS.clips)
    print(f'{"way":12}{"seconds":>9}{"ratio":>7}{"peak memory (GB)":>18}')
    results = {}
    for way in WAYS:
      command = [sys.executable, __file__, f'--way={way}', f'--folder={folder}']
      done = subprocess.run(command, capture_output=True, text=True, check=True)
      one = results[way] = json.loads(done.stdout.splitlines()[-1])
      ratio = one['seconds'] / results['yardstick']['seconds']
      print(f'{way:12}{one["seconds"]:9.1f}{ratio:7.2f}{one["gigabytes"]:18.2f}')
    written = folder / 'label_sets'
    size = sum(file.stat().st_size for file in written.rglob('*') if file.is_file())
    scores = (folder / 'scores.npy').stat().st_size
    print(f'scores {scores / 1e9:.2f} GB, 18 label sets {size / 1e9:.2f} GB on disk')


if __name__ == '__main__':
  app.run(main)
