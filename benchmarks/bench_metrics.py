"""The metrics at the eval sets' sizes: time and memory, ours against scikit-learn's.

Normal scores, higher for positives, and labels with AudioSet's spread of priors; each
way in a process of its own. Memory is the peak beyond what the process holds once it
has loaded its inputs, in its first run; seconds are the best of three runs, or of one
where there are replicates. A ratio is the time over that of ours, the difference the
largest between the values of both: beyond 1e-12 the benchmark fails.

- weak, 20,000 clips by 527 classes: `metrics`, every label that is no positive counted
  as a negative, against scikit-learn's (roc_auc_score and average_precision_score class
  by class, label_ranking_average_precision_score once: its value is the label-weighted
  mean of ours); and `evaluate_weak`, with 124 explicit negatives a class too;
- its bootstrap, drawing the clips included, against drawing scores and labels for each
  replicate and computing `metrics` anew (three replicates, the time extrapolated);
- strong, 17,000 clips of ten frames by 447 classes: `evaluate_strong`, and with its
  bootstrap; both again with complete labels: every class that a clip lacks is an
  explicit negative of its frames, 74 million of them.

  python benchmarks/bench_metrics.py
"""

import dataclasses
import json
import pathlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

import numpy as np
import sklearn.metrics
from absl import app, flags
from machine import print_machine

from audioset_ml.evaluation import bootstrap, metrics
from audioset_ml.evaluation.frame_labels import FrameLabels, FrameState
from audioset_ml.evaluation.result import mean_over_classes
from audioset_ml.evaluation.strong import evaluate_strong
from audioset_ml.evaluation.weak import evaluate_weak
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.labels.states import LabelState, LabelTable
from audioset_ml.labels.unmarked import UnmarkedLabels

FLAGS = flags.FLAGS
flags.DEFINE_string('way', '', 'One way alone, in --folder.')
flags.DEFINE_string('folder', '', 'Where the scores and labels are.')

WEAK_CLIPS, WEAK_CLASSES = 20_000, 527
STRONG_CLIPS, FRAMES, STRONG_CLASSES = 17_000, 10, 447
REFUTED = 124  # clips with an explicit negative, of each class
REPLICATES, NAIVE_REPLICATES, SEED = 1000, 3, 0
TOLERANCE = 1e-12


@dataclasses.dataclass(frozen=True)
class Weak:
  """Inputs, all of shape [clips, classes] but for the numbers of positives and the
  table that says the same as the arrays."""

  scores: np.ndarray
  positive: np.ndarray
  negative: np.ndarray
  refuted: np.ndarray
  positives: np.ndarray
  labels: LabelTable
  class_map: ClassMap

  @classmethod
  def load(cls, folder: pathlib.Path) -> 'Weak':
    with np.load(folder / 'weak.npz') as arrays:
      scores, positive, refuted = (
        arrays[name] for name in ('scores', 'positive', 'refuted')
      )
      listed = [arrays[name] for name in ('rows', 'classes', 'states')]
      positives = arrays['positives']
    labels = LabelTable(tuple(map(str, range(len(scores)))), scores.shape[1], *listed)
    class_map = numbered_classes(scores.shape[1])
    return cls(scores, positive, ~positive, refuted, positives, labels, class_map)


@dataclasses.dataclass(frozen=True)
class Strong:
  scores: np.ndarray
  labels: FrameLabels
  class_map: ClassMap

  @classmethod
  def load(cls, folder: pathlib.Path) -> 'Strong':
    with np.load(folder / 'strong.npz') as arrays:
      scores = arrays['scores']
      listed = [arrays[name] for name in ('rows', 'classes', 'states')]
    clips, frames = np.divmod(np.arange(len(scores)), FRAMES)
    labels = FrameLabels(clips, frames, *listed, counts={})
    return cls(scores, labels, numbered_classes(scores.shape[1]))


class Complete(Strong):
  """The same with complete labels."""

  @classmethod
  def load(cls, folder: pathlib.Path) -> 'Complete':
    strong = Strong.load(folder)
    labels = strong.labels
    lacking = np.ones((STRONG_CLIPS, strong.scores.shape[1]), bool)
    lacking[labels.clips[labels.rows], labels.classes] = False
    unmarked = UnmarkedLabels(
      np.arange(STRONG_CLIPS, dtype=np.int32), np.packbits(lacking, axis=1)
    )
    labels = dataclasses.replace(labels, unmarked=unmarked)
    return cls(strong.scores, labels, strong.class_map)


def numbered_classes(classes: int) -> ClassMap:
  names = tuple(f'/m/{index:06x}' for index in range(classes))
  return ClassMap(names, names)


def draw_labels(
  random: np.random.Generator, clips: int, classes: int
) -> tuple[np.ndarray, np.ndarray]:
  """Which clips each class is in, and which it is said not to be in. Shape [clips,
  classes] each."""
  # Speech and Music, and others of 1 % down to 0.1 %.
  priors = np.concatenate([[0.25, 0.25], np.geomspace(0.01, 0.001, classes - 2)])
  positive, refuted = np.zeros((2, clips, classes), bool)
  for index, prior in enumerate(priors):
    order = random.permutation(clips)
    present = round(prior * clips)
    positive[order[:present], index] = True
    refuted[order[present : present + REFUTED], index] = True
  return positive, refuted


def write_weak(path: pathlib.Path) -> int:
  random = np.random.default_rng(0)
  positive, refuted = draw_labels(random, WEAK_CLIPS, WEAK_CLASSES)
  scores = random.standard_normal(positive.shape, np.float32)
  scores += np.float32(1.5) * positive
  rows, classes = np.nonzero(positive | refuted)
  states = np.where(
    positive[rows, classes], LabelState.EXPLICIT_POSITIVE, LabelState.EXPLICIT_NEGATIVE
  )
  np.savez(
    path,
    scores=scores,
    positive=positive,
    refuted=refuted,
    positives=positive.sum(axis=0),
    rows=rows.astype(np.int32),
    classes=classes.astype(np.int32),
    states=states.astype(np.int8),
  )
  return int(positive.sum())


def write_strong(path: pathlib.Path) -> int:
  random = np.random.default_rng(0)
  present, refuted = draw_labels(random, STRONG_CLIPS, STRONG_CLASSES)
  clips, classes = np.nonzero(present | refuted)
  # One event a labelled clip, of one frame to all of them.
  begin = random.integers(0, FRAMES, len(clips))
  end = random.integers(begin + 1, FRAMES + 1)
  frame = np.arange(FRAMES)
  states = np.where(
    (frame >= begin[:, np.newaxis]) & (frame < end[:, np.newaxis]),
    FrameState.POSITIVE,
    FrameState.COMPLEMENTARY_NEGATIVE,
  )
  states[refuted[clips, classes]] = FrameState.EXPLICIT_NEGATIVE
  states = states.astype(np.int8).ravel()
  rows = (FRAMES * clips[:, np.newaxis] + frame).ravel()
  classes = np.repeat(classes, FRAMES)
  positive = states == FrameState.POSITIVE
  scores = random.standard_normal((STRONG_CLIPS * FRAMES, STRONG_CLASSES), np.float32)
  scores[rows[positive], classes[positive]] += 1.5
  np.savez(path, scores=scores, rows=rows, classes=classes, states=states)
  return int(positive.sum())


def our_auc(data: Weak) -> np.ndarray:
  return metrics.roc_auc(data.scores, data.positive, data.negative)


def our_average_precision(data: Weak) -> np.ndarray:
  return metrics.average_precision(data.scores, data.positive, data.negative)


def our_lwlrap(data: Weak) -> np.ndarray:
  values = metrics.lwlrap(data.scores, data.positive)
  return np.array([values @ data.positives / data.positives.sum()])


def their_auc(data: Weak) -> np.ndarray:
  return by_class(sklearn.metrics.roc_auc_score, data)


def their_average_precision(data: Weak) -> np.ndarray:
  return by_class(sklearn.metrics.average_precision_score, data)


def by_class(metric: Callable[..., float], data: Weak) -> np.ndarray:
  pairs = zip(data.positive.T, data.scores.T, strict=True)
  return np.array([metric(positive, scores) for positive, scores in pairs])


def their_lwlrap(data: Weak) -> np.ndarray:
  labels = data.positive.sum(axis=1)
  chosen = labels > 0
  value = sklearn.metrics.label_ranking_average_precision_score(
    data.positive[chosen], data.scores[chosen], sample_weight=labels[chosen]
  )
  return np.array([value])


def in_turn(*calls: Callable[[Weak], np.ndarray]) -> Callable[[Weak], np.ndarray]:
  return lambda data: np.concatenate([call(data) for call in calls])


def weak_alone(data: Weak) -> None:
  evaluate_weak(data.scores, data.labels, data.class_map)


def weights_alone(data: Weak) -> None:
  bootstrap.clip_weights(len(data.scores), REPLICATES, SEED)


def weak_bootstrap(data: Weak) -> np.ndarray:
  """The first replicates' means over classes."""
  weights = bootstrap.clip_weights(len(data.scores), REPLICATES, SEED)
  found = evaluate_weak(data.scores, data.labels, data.class_map, weights)
  values = found.replicates.summary
  names = ('auc', 'auc_implicit', 'map', 'lwlrap')
  return np.concatenate([values[name][:NAIVE_REPLICATES] for name in names])


def weak_naive(data: Weak) -> np.ndarray:
  clips, found = np.arange(len(data.scores)), []
  for weights in bootstrap.clip_weights(len(clips), NAIVE_REPLICATES, SEED).T:
    drawn = np.repeat(clips, weights.astype(int))
    scores, positive, negative, refuted = (
      array[drawn]
      for array in (data.scores, data.positive, data.negative, data.refuted)
    )
    values = (
      metrics.roc_auc(scores, positive, refuted),
      metrics.roc_auc(scores, positive, negative),
      metrics.average_precision(scores, positive, negative),
      metrics.lwlrap(scores, positive),
    )
    found.append([mean_over_classes(value) for value in values])
  return np.transpose(found).ravel()


def strong_alone(data: Strong) -> None:
  evaluate_strong(data.scores, data.labels, data.class_map)


def strong_bootstrap(data: Strong) -> None:
  weights = bootstrap.clip_weights(STRONG_CLIPS, REPLICATES, SEED)
  evaluate_strong(data.scores, data.labels, data.class_map, weights)


@dataclasses.dataclass(frozen=True)
class Way:
  """One line of the table: what is run on what, how often, and whose time and values
  it is compared with ('' for none); `times` extrapolates."""

  inputs: type
  call: Callable[..., np.ndarray | None]
  runs: int = 3
  other: str = ''
  times: float = 1.0


WAYS = {
  'roc_auc': Way(Weak, our_auc),
  'roc_auc, scikit-learn': Way(Weak, their_auc, other='roc_auc'),
  'average_precision': Way(Weak, our_average_precision),
  'average_precision, scikit-learn': Way(
    Weak, their_average_precision, other='average_precision'
  ),
  'lwlrap': Way(Weak, our_lwlrap),
  'lwlrap, scikit-learn': Way(Weak, their_lwlrap, other='lwlrap'),
  'all three': Way(Weak, in_turn(our_auc, our_average_precision, our_lwlrap)),
  'all three, scikit-learn': Way(
    Weak, in_turn(their_auc, their_average_precision, their_lwlrap), other='all three'
  ),
  'evaluate_weak': Way(Weak, weak_alone),
  'clip_weights, 1000 replicates': Way(Weak, weights_alone, runs=1),
  'evaluate_weak, 1000 replicates': Way(Weak, weak_bootstrap, runs=1),
  'the same anew (extrapolated)': Way(
    Weak,
    weak_naive,
    runs=1,
    other='evaluate_weak, 1000 replicates',
    times=REPLICATES / NAIVE_REPLICATES,
  ),
  'evaluate_strong': Way(Strong, strong_alone),
  'evaluate_strong, 1000 replicates': Way(Strong, strong_bootstrap, runs=1),
  'evaluate_strong, complete': Way(Complete, strong_alone),
  'complete, 1000 replicates': Way(Complete, strong_bootstrap, runs=1),
}


def memory(name: str) -> float:
  """What this process holds (VmRSS) or has held (VmHWM), in MB."""
  status = pathlib.Path('/proc/self/status').read_text()
  line = next(line for line in status.splitlines() if line.startswith(name))
  return int(line.split()[1]) * 1024 / 1e6


def run(way: Way, folder: pathlib.Path) -> dict:
  data = way.inputs.load(folder)
  before, peak, seconds = memory('VmRSS'), 0.0, []
  for _ in range(way.runs):
    start = time.perf_counter()
    values = way.call(data)
    seconds.append(time.perf_counter() - start)
    peak = peak or memory('VmHWM')
  return {
    'seconds': min(seconds) * way.times,
    'megabytes': peak - before,
    'scores': data.scores.nbytes / 1e6,
    'values': None if values is None else values.tolist(),
  }


def main(_) -> None:
  if FLAGS.way:
    print(json.dumps(run(WAYS[FLAGS.way], pathlib.Path(FLAGS.folder))))
    return
  print_machine()
  results, differences = {}, []
  with tempfile.TemporaryDirectory() as temporary:
    folder = pathlib.Path(temporary)
    weak, strong = write_weak(folder / 'weak.npz'), write_strong(folder / 'strong.npz')
    print(f'{weak} positive labels of clips, {strong} of frames')
    print(
      f'{"way":34}{"seconds":>9}{"ratio":>7}{"difference":>12}'
      f'{"memory (MB)":>13}{"× scores":>10}'
    )
    for name, way in WAYS.items():
      command = [sys.executable, __file__, f'--way={name}', f'--folder={folder}']
      done = subprocess.run(command, capture_output=True, text=True, check=True)
      one = results[name] = json.loads(done.stdout.splitlines()[-1])
      compared = ''
      if way.other:
        other = results[way.other]
        differences.append(np.abs(np.subtract(one['values'], other['values'])).max())
        compared = f'{one["seconds"] / other["seconds"]:7.1f}{differences[-1]:12.0e}'
      megabytes, multiple = one['megabytes'], one['megabytes'] / one['scores']
      print(
        f'{name:34}{one["seconds"]:9.2f}{compared:19}{megabytes:13.0f}{multiple:10.2f}',
        flush=True,
      )
  if not np.max(differences) <= TOLERANCE:  # NaN fails too
    sys.exit(f'values differ by {np.max(differences):.1e}, more than {TOLERANCE:g}')


if __name__ == '__main__':
  app.run(main)
