"""How each stage grows with the clips: time and peak memory, from ten clips on.

Records are made, read, scored, flagged, evaluated and reported, each stage in a process
of its own, of 10, 100, … clips. Labels are those of a segments CSV of AudioSet, over
and over (or made up, two a clip, of 527 classes with spread priors); features are those
of a few clips, over and over: sound files, ten seconds of FLAC, or with --embeddings
published embeddings, of which two million clips fit on a disk (as log-mel spectrograms
they take 270 GB).

Of each stage and number the table has processor time, which other work on the machine
moves less than the clock's, and the peak of memory of any of its processes (growth.csv
has the clock's time, too); and two slopes in logarithms, 1 where ten times the clips
take ten times as much: of the time beyond that of ten clips, which is what starting
takes, and of memory, between the last two numbers. growth.md, growth.csv and growth.svg
are written after each stage. Started again, it goes on with what is not measured (a
stage that was stopped begins anew).

  python benchmarks/growth.py --output_dir=build/growth --clips=10000
  python benchmarks/growth.py --output_dir=build/growth_eval --clips=20371 \\
    --fewest=20371 --embeddings --frames=20 --strong --own_scores
  python benchmarks/growth.py --output_dir=build/growth_2M --embeddings \\
    --clips=2000000 --segments_csv=unbalanced_train_segments.csv \\
    --class_map=class_labels_indices.csv
"""

import csv
import dataclasses
import itertools
import math
import os
import pathlib
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from absl import app, flags
from machine import print_machine

from audioset_ml.labels import segments
from audioset_ml.labels.class_map import ClassMap

FLAGS = flags.FLAGS
flags.DEFINE_string('output_dir', None, 'Folder to work in and to write the tables to.')
flags.DEFINE_integer('clips', 10_000, 'The most clips.', 10, 2_000_000)
flags.DEFINE_integer('fewest', 10, 'The fewest clips, at most --clips.', 10)
flags.DEFINE_bool('embeddings', False, 'Published embeddings in the place of sound.')
flags.DEFINE_string('segments_csv', '', "AudioSet's labels; else labels are made up.")
flags.DEFINE_string('class_map', '', 'class_labels_indices.csv, with --segments_csv.')
flags.DEFINE_bool('strong', False, 'Events of each clip, so that frames count, too.')
flags.DEFINE_integer('frames', 10, 'Of --embeddings, a clip; 0.96 s each.', 1)
flags.DEFINE_bool('own_scores', False, '`evaluate` scores, too: patches in float32.')
flags.DEFINE_bool('keep', False, 'Keep the records and what is made of them.')
# What it runs itself as, in a process of its own.
flags.DEFINE_string('read', '', 'Reads an epoch of these records, as train does.')
flags.DEFINE_string('write', '', 'Writes labels and features into this folder.')
flags.mark_flag_as_required('output_dir')

STAGES = ('prepare', 'read', 'score', 'enhance', 'evaluate', 'report')
CLASSES, SOUNDS, SECONDS, RATE = 527, 10, 10.0, 16_000
CLIPS_A_FILE, POOL = 1000, 1000
# Below this there is more noise in a difference of times than time.
_SECONDS_TOLD = 2.0


@dataclasses.dataclass(frozen=True)
class Cost:
  """What a stage took for so many clips: seconds and MB."""

  stage: str
  clips: int
  wall: float
  processor: float
  memory: float


def run(stage: str, clips: int, command: Sequence[str], log: pathlib.Path) -> Cost:
  """Runs a command to its end and measures it.

  Raises:
    RuntimeError: it failed.
  """
  start = time.perf_counter()
  with log.open('wb') as file:
    process = subprocess.Popen(command, stdout=file, stderr=file)
    _, status, used = os.wait4(process.pid, 0)
  wall = time.perf_counter() - start
  process.returncode = os.waitstatus_to_exitcode(status)
  if process.returncode:
    last = log.read_text(errors='replace').splitlines()[-3:]
    raise RuntimeError(f'{" ".join(command)}: failed: {" ".join(last)}')
  # Of its own and of the children that it waited for, the largest.
  unit = 1 if sys.platform == 'darwin' else 1024
  memory = used.ru_maxrss * unit / 1e6
  return Cost(stage, clips, wall, used.ru_utime + used.ru_stime, memory)


def label_lists() -> tuple[ClassMap, list[list[str]]]:
  """The classes, and the labels of clips, to be gone through over and over."""
  if FLAGS.segments_csv:
    names = ['video', 'start', 'end', 'labels']
    table = pd.read_csv(
      FLAGS.segments_csv, comment='#', names=names, skipinitialspace=True
    )
    return ClassMap.read(FLAGS.class_map), [text.split(',') for text in table['labels']]
  mids = tuple(f'/m/{index:04d}' for index in range(CLASSES))
  priors = np.geomspace(1, 1 / 1000, CLASSES)
  random = np.random.default_rng(0)
  drawn = random.choice(CLASSES, (100_000, 2), p=priors / priors.sum())
  lists = [sorted({mids[index] for index in pair}) for pair in drawn]
  return ClassMap(mids, mids), lists


def write_labels(folder: pathlib.Path, clips: int) -> list[str]:
  """Writes segments.csv, explicit.tsv and class_map.csv; returns the clips' ids."""
  classes, lists = label_lists()
  ids = [f'growth{index:07d}_0' for index in range(clips)]
  labels = list(itertools.islice(itertools.cycle(lists), clips))
  segments.write_weak_csv(folder / 'segments.csv', ids, labels, SECONDS)
  # One refuted label a clip, so that there are explicit negatives to evaluate on.
  with (folder / 'explicit.tsv').open('w') as file:
    file.write('segment_id\tlabel\tpresent\n')
    for index, (clip, own) in enumerate(zip(ids, labels, strict=True)):
      mid = classes.mids[(index * 7919) % len(classes)]
      if mid not in own:
        file.write(f'{clip}\t{mid}\tNOT_PRESENT\n')
  if FLAGS.strong:
    with (folder / 'strong.tsv').open('w') as file:
      file.write('segment_id\tstart_time_seconds\tend_time_seconds\tlabel\n')
      for index, (clip, own) in enumerate(zip(ids, labels, strict=True)):
        for place, mid in enumerate(own):
          start = (index + 3 * place) % 9
          file.write(f'{clip}\t{start}.0\t{start + 1}.0\t{mid}\n')
  classes.write(folder / 'class_map.csv')
  return ids


def write_sounds(folder: pathlib.Path, ids: Sequence[str]) -> None:
  """Names for clips, of a few sound files."""
  import soundfile

  folder.mkdir(parents=True)
  random = np.random.default_rng(0)
  sounds = [folder.parent / f'sound{number}.flac' for number in range(SOUNDS)]
  for path in sounds:
    noise = random.normal(0, 0.1, round(SECONDS * RATE)).astype(np.float32)
    soundfile.write(path, noise, RATE)
  for index, clip in enumerate(ids):
    (folder / f'{clip}.flac').symlink_to(sounds[index % SOUNDS])


def write_embeddings(folder: pathlib.Path, ids: Sequence[str]) -> None:
  """Files in the form of the published embeddings, of the frames of a few clips."""
  import tensorflow as tf

  folder.mkdir(parents=True)
  random = np.random.default_rng(0)
  pool = [_frames(random) for _ in range(POOL)]
  for first in range(0, len(ids), CLIPS_A_FILE):
    path = folder / f'{first:07d}.tfrecord'
    with tf.io.TFRecordWriter(str(path)) as writer:
      for index, clip in enumerate(ids[first : first + CLIPS_A_FILE], first):
        video = clip.rpartition('_')[0].encode()
        context = {
          'video_id': tf.train.Feature(bytes_list=tf.train.BytesList(value=[video])),
          'start_time_seconds': _number(0.0),
          'end_time_seconds': _number(SECONDS),
        }
        about = tf.train.SequenceExample(context=tf.train.Features(feature=context))
        # Of two messages one after the other, the fields are those of both.
        writer.write(about.SerializeToString() + pool[index % POOL])


def _number(value: float):
  import tensorflow as tf

  return tf.train.Feature(float_list=tf.train.FloatList(value=[value]))


def _frames(random: np.random.Generator) -> bytes:
  """The frames of a clip, as part of a SequenceExample."""
  import tensorflow as tf

  rows = random.integers(0, 256, (FLAGS.frames, 128), np.uint8)
  features = [
    tf.train.Feature(bytes_list=tf.train.BytesList(value=[row.tobytes()]))
    for row in rows
  ]
  lists = {'audio_embedding': tf.train.FeatureList(feature=features)}
  return tf.train.SequenceExample(
    feature_lists=tf.train.FeatureLists(feature_list=lists)
  ).SerializeToString()


def commands(folder: pathlib.Path, model: str) -> Iterator[tuple[str, list[str]]]:
  """The stages of so many clips, in their order, and how each is run."""
  records = f'--records={folder / "records"}'

  def stage(name: str, output: str, *arguments: str) -> tuple[str, list[str]]:
    where = '--output' if name == 'report' else '--output_dir'
    place = f'{where}={folder / output}'
    return name, [sys.executable, '-m', f'audioset_ml.{name}', *arguments, place]

  sound = ('--features_dir' if FLAGS.embeddings else '--audio_dir', folder / 'features')
  labels = [f'--segments_csv={folder / "segments.csv"}']
  labels += [f'--explicit_tsv={folder / "explicit.tsv"}']
  labels += [f'--class_map={folder / "class_map.csv"}', '='.join(map(str, sound))]
  if FLAGS.strong:
    labels.append(f'--strong_tsv={folder / "strong.tsv"}')
  if FLAGS.embeddings:
    labels.append('--labels_in_features=ignore')
  yield stage('prepare', 'records', *labels)
  reading = [sys.executable, __file__, f'--read={folder / "records"}']
  yield 'read', [*reading, f'--output_dir={FLAGS.output_dir}']
  patches = ['--patch_scores'] if FLAGS.strong else []
  yield stage('score', 'scores', f'--model={model}', records, *patches)
  scores = f'--scores={folder / "scores"}'
  yield stage('enhance', 'label_sets', scores, records, '--discard_percent=1')
  # Of what `score` writes of patches, float16, half as much is read.
  scored = f'--model={model}' if FLAGS.own_scores else scores
  yield stage('evaluate', 'evaluation', scored, records)
  evaluation = f'--evaluation={folder / "evaluation"}'
  yield stage('report', 'report.html', evaluation)


def train_model(folder: pathlib.Path, records: pathlib.Path) -> str:
  """A network of a few steps, to score with."""
  model = folder / 'model'
  network = ['--architecture=linear']
  if not FLAGS.embeddings:
    network = ['--architecture=mobilenet_v1_tiny', '--width_multiplier=0.25']
  command = [sys.executable, '-m', 'audioset_ml.train', f'--records={records}']
  command += [*network, '--steps=20', '--batch_size=16', '--learning_rate=1e-3']
  run('train', 0, [*command, f'--output_dir={model}'], folder / 'train.log')
  return str(model)


def read_epoch(path: str) -> None:
  """Reads as many examples as there are clips, in batches of 64."""
  from audioset_ml.records.folder import RecordsFolder
  from audioset_ml.records.training_input import InputConfig, training_dataset
  from audioset_ml.records.training_source import Source

  records = RecordsFolder.open(path)
  batches = iter(training_dataset(Source(records), InputConfig(64, 4096)))
  for _ in range(-(-len(records.clip_ids) // 64)):
    next(batches)


def measure(output_dir: pathlib.Path, clips: int, known: list[Cost]) -> None:
  """Measures what is not known of so many clips, and adds it; results are written after
  each stage."""
  folder = output_dir / str(clips)
  done = {cost.stage for cost in known if cost.clips == clips}
  if not done or not folder.exists():
    known[:] = [cost for cost in known if cost.clips != clips]
    done = set()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    # Not here: at its start a process has its parent's memory, which counts as peak.
    own = [f'--write={folder}', *sys.argv[1:], f'--clips={clips}']
    run('write', clips, [sys.executable, __file__, *own], folder / 'write.log')
  model = output_dir / 'model'
  for stage, command in commands(folder, str(model)):
    if stage in done:
      continue
    if stage == 'score' and not model.exists():
      train_model(output_dir, folder / 'records')
    if stage != 'read':  # or it would go on from where it was stopped
      shutil.rmtree(command[-1].partition('=')[2], ignore_errors=True)
    cost = run(stage, clips, command, folder / f'{stage}.log')
    known.append(cost)
    write_results(output_dir, known)
    seconds = f'{cost.wall:9.1f} s, of the processor {cost.processor:7.1f}'
    print(f'{clips:9,} {stage:10}{seconds}{cost.memory:9.0f} MB', flush=True)
  if not FLAGS.keep:
    shutil.rmtree(folder)


def slope(values: dict[int, float], offset: float = 0.0) -> float | None:
  """d log(value − offset) / d log(clips), between the two largest numbers of clips."""
  few, many = sorted(values)[-2:]
  low, high = values[few] - offset, values[many] - offset
  if low <= 0 or high <= 0:
    return None
  return math.log(high / low) / math.log(many / few)


def slopes(costs: list[Cost], stage: str) -> tuple[float | None, float | None]:
  """Of a stage's time beyond that of the fewest clips, and of its memory."""
  own = [cost for cost in costs if cost.stage == stage]
  times = {cost.clips: cost.processor for cost in own}
  if len(times) < 3:
    return None, None
  start = times[min(times)]
  told = times[sorted(times)[-2]] - start > _SECONDS_TOLD
  of_time = slope(times, start) if told else None
  return of_time, slope({cost.clips: cost.memory for cost in own})


def write_results(output_dir: pathlib.Path, costs: list[Cost]) -> None:
  """Writes growth.csv, growth.md and growth.svg."""
  table = pd.DataFrame([dataclasses.asdict(cost) for cost in costs])
  table.round(3).to_csv(output_dir / 'growth.csv', index=False)
  sizes = sorted({cost.clips for cost in costs})
  lines = ['| stage | ' + ' | '.join(f'{size:,}' for size in sizes)]
  lines[0] += ' | slope of time | of memory |'
  lines.append('|---' * (len(sizes) + 3) + '|')
  for stage in STAGES:
    own = {cost.clips: cost for cost in costs if cost.stage == stage}
    cells = [
      f'{own[s].processor:.1f} s, {own[s].memory:,.0f} MB' for s in sizes if s in own
    ]
    told = ['–' if one is None else f'{one:.2f}' for one in slopes(costs, stage)]
    lines.append(f'| {stage} | {" | ".join([*cells, *told])} |')
  (output_dir / 'growth.md').write_text('\n'.join(lines) + '\n')
  draw(output_dir / 'growth.svg', costs)


def draw(path: pathlib.Path, costs: list[Cost]) -> None:
  """Time and memory of each stage over the clips, all in logarithms."""
  from audioset_ml.reporting import style

  with style.applied():
    figure = style.new_figure(6.0, 2.6)
    parts = zip(figure.subplots(1, 2), ('processor', 'memory'), strict=True)
    for axes, what in parts:
      for stage, color in zip(STAGES, style.COLORS.values(), strict=False):
        own = sorted((c for c in costs if c.stage == stage), key=lambda c: c.clips)
        values = [getattr(cost, what) for cost in own]
        axes.plot([c.clips for c in own], values, 'o-', ms=3, color=color, label=stage)
      axes.set(xscale='log', yscale='log', xlabel='clips')
      axes.set_title(
        {'processor': 'Processor time (s)', 'memory': 'Peak memory (MB)'}[what]
      )
      axes.grid(alpha=0.3, linewidth=0.5)
    axes.legend()
    figure.tight_layout()
    style.save(figure, path)


def read_results(output_dir: pathlib.Path) -> list[Cost]:
  """What an earlier run has measured."""
  path = output_dir / 'growth.csv'
  if not path.exists():
    return []
  with path.open() as file:
    rows = list(csv.DictReader(file))
  numbers = ('wall', 'processor', 'memory')
  return [
    Cost(row['stage'], int(row['clips']), *(float(row[name]) for name in numbers))
    for row in rows
  ]


def main(_) -> None:
  if FLAGS.read:
    read_epoch(FLAGS.read)
    return
  if FLAGS.write:
    folder = pathlib.Path(FLAGS.write)
    write = write_embeddings if FLAGS.embeddings else write_sounds
    write(folder / 'features', write_labels(folder, FLAGS.clips))
    return
  print_machine()
  output_dir = pathlib.Path(FLAGS.output_dir)
  output_dir.mkdir(parents=True, exist_ok=True)
  costs = read_results(output_dir)
  powers = [10**power for power in range(1, 7)]
  sizes = [power for power in powers if FLAGS.fewest <= power < FLAGS.clips]
  for clips in [*sizes, FLAGS.clips]:
    if {cost.stage for cost in costs if cost.clips == clips} != set(STAGES):
      measure(output_dir, clips, costs)
  write_results(output_dir, costs)
  print((output_dir / 'growth.md').read_text())


if __name__ == '__main__':
  app.run(main)
