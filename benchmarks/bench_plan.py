"""Joining and planning AudioSet's two million clips; what complete annotation costs.

Label files of AudioSet's size: 2,000,000 clips with two weak labels each, and for
103,463 of them nine events each of 376 classes. What `prepare` does before the first
sound is read, each way in a process of its own, which tells its time and its peak of
memory, and what the labels of the strong clips take in the shards' plans and in
records. Listed one by one, the 38 million labels that were not marked would be as
`listed` says.

  python benchmarks/bench_plan.py [--clips=200000 --strong_clips=10346]
"""

import dataclasses
import json
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np
from absl import app, flags
from machine import print_machine

from audioset_ml.labels import formats
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.labels.join import read_labels
from audioset_ml.labels.label_files import LabelFiles
from audioset_ml.labels.states import LabelState
from audioset_ml.records import plan

FLAGS = flags.FLAGS
flags.DEFINE_integer('clips', 2_000_000, 'Clips.', 1)
flags.DEFINE_integer('strong_clips', 103_463, 'Strongly labelled ones.', 1)
flags.DEFINE_string('way', '', 'One way alone, in --folder.')
flags.DEFINE_string('folder', '', 'Where the label files are.')

CLASSES, ANNOTATED, EVENTS, CLIPS_A_SHARD = 527, 376, 9, 500
WAYS = {'weak': {}, 'strong': {}, 'complete': {'complete_strong': True}}


def write_files(folder: pathlib.Path, clips: int, strong_clips: int) -> None:
  """The class map, the segments CSV and the strong TSV."""
  random = np.random.default_rng(0)
  mids = tuple(f'/m/{index:05d}' for index in range(CLASSES))
  ClassMap(mids, mids).write(folder / 'classes.csv')
  labels = random.integers(0, CLASSES, (clips, 2))
  with open(folder / 'weak.csv', 'w') as file:
    for clip, (one, other) in enumerate(labels.tolist()):
      file.write(f'{clip:011x}, 30.000, 40.000, "{mids[one]},{mids[other]}"\n')
  chosen = random.choice(clips, strong_clips, replace=False)
  start = random.uniform(0, 9, (strong_clips, EVENTS)).round(3)
  classes = random.integers(0, ANNOTATED, start.shape)
  with open(folder / 'strong.tsv', 'w') as file:
    file.write('\t'.join(formats.STRONG_COLUMNS) + '\n')
    rows = zip(chosen.tolist(), start.tolist(), classes.tolist(), strict=True)
    for clip, begins, of_clip in rows:
      for begin, index in zip(begins, of_clip, strict=True):
        end = f'{begin + 0.8:.3f}'
        file.write(f'{clip:011x}_30000\t{begin:.3f}\t{end}\t{mids[index]}\n')


def prepare_labels(folder: pathlib.Path, way: str) -> dict[str, float]:
  """Joins and plans; seconds of both, peak of memory (GB), bytes of the plans."""
  files = LabelFiles(
    class_map=str(folder / 'classes.csv'),
    segments_csvs=(str(folder / 'weak.csv'),),
    strong_tsvs=() if way == 'weak' else (str(folder / 'strong.tsv'),),
    **WAYS[way],
  )
  start = time.perf_counter()
  joined = read_labels(files)
  read = time.perf_counter()
  parts = folder / way
  parts.mkdir()
  members = plan.assign(joined.labels, -(-len(joined.labels) // CLIPS_A_SHARD))
  plan.write_plans(parts, joined.labels, members, {}, {}, '')
  done = time.perf_counter()
  return {
    'join': read - start,
    'plan': done - read,
    'gigabytes': peak_memory(),
    'megabytes': sum(file.stat().st_size for file in parts.iterdir()) / 1e6,
  }


def record_bytes(folder: pathlib.Path, clips: int = 500) -> dict[str, float]:
  """What the labels of a strong clip take in its record, on average, in bytes."""
  from audioset_ml.labels.unmarked import unpack
  from audioset_ml.records import schema
  from audioset_ml.records.frames import FrameFormat

  files = LabelFiles(
    class_map=str(folder / 'classes.csv'),
    segments_csvs=(str(folder / 'weak.csv'),),
    strong_tsvs=(str(folder / 'strong.tsv'),),
    complete_strong=True,
  )
  labels = read_labels(files).labels
  frames = FrameFormat.log_mel()
  patch = np.zeros(frames.patch_shape)

  def size(one) -> int:
    return len(schema.serialize(one, patch, frames)) - len(patch) * frames.frame_bytes

  found = {'strong': 0, 'complete': 0, 'listed': 0}
  for row in labels.unmarked.rows[:clips].tolist():
    clip = labels.clip(row)
    negatives = dict.fromkeys(
      unpack(clip.unmarked).tolist(), LabelState.EXPLICIT_NEGATIVE
    )
    plain = dataclasses.replace(clip, unmarked=b'')
    found['strong'] += size(plain)
    found['complete'] += size(clip)
    found['listed'] += size(dataclasses.replace(plain, weak={**clip.weak, **negatives}))
  return {name: total / clips for name, total in found.items()}


def peak_memory() -> float:
  """The peak of this process (GB); getrusage's would be its parent's, if larger."""
  status = pathlib.Path('/proc/self/status').read_text()
  line = next(line for line in status.splitlines() if line.startswith('VmHWM'))
  return int(line.split()[1]) / 1e6


def main(_) -> None:
  if FLAGS.way:
    folder = pathlib.Path(FLAGS.folder)
    run = record_bytes if FLAGS.way == 'records' else prepare_labels
    print(json.dumps(run(folder) if run is record_bytes else run(folder, FLAGS.way)))
    return
  print_machine()
  with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    write_files(folder, FLAGS.clips, FLAGS.strong_clips)

    def run(way: str) -> dict[str, float]:
      command = [sys.executable, __file__, f'--way={way}', f'--folder={folder}']
      done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
      return json.loads(done.stdout.splitlines()[-1])

    print(
      f'{"labels":10}{"join (s)":>10}{"plan (s)":>10}{"peak (GB)":>11}'
      f'{"plans (MB)":>12}'
    )
    for way in WAYS:
      one = run(way)
      print(
        f'{way:10}{one["join"]:10.1f}{one["plan"]:10.1f}{one["gigabytes"]:11.2f}'
        f'{one["megabytes"]:12.0f}',
        flush=True,
      )
    for way, size in run('records').items():
      print(f'a record of a {way} clip, without its features: {size:.0f} bytes')


if __name__ == '__main__':
  app.run(main)
