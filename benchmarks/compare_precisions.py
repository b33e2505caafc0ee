"""What `score --precision` does to scores, the labels that follow, and students.

A model scores the same records at each precision, and `enhance` flags labels by each:
how far scores are from float32's, and which share of float32's flags the others lack
(they have as many others instead, but for ties). With --students, students are trained
with float32's and with bfloat16's flags at one percentage, from the same seeds, and
evaluated: means, and differences seed by seed with their 95 % interval
(Student's t).

  python benchmarks/compare_precisions.py --model=teacher --records=records/train \\
    --students=3 --eval_records=records/eval \\
    --train_flags=--architecture=mlp --train_flags=--hidden_units=512,512
"""

import json
import pathlib
import tempfile

import numpy as np
import pandas as pd
from absl import app, flags
from machine import print_machine
from stages import run_stage

from audioset_ml.labels.label_set import LabelSet
from audioset_ml.models.config import BFLOAT16, FLOAT32, SCORE_PRECISIONS
from audioset_ml.records.scores import read_scores
from audioset_ml.sweeping.table import Mean, gain

FLAGS = flags.FLAGS
flags.DEFINE_string('model', None, 'As `score` takes it.', required=True)
flags.DEFINE_string('records', None, 'Records to score.', required=True)
flags.DEFINE_multi_string(
  'score_flags', [], 'A further flag of `score`, repeatable: --class_mapping=….'
)
flags.DEFINE_list(
  'percent', ['0.1', '0.5', '1', '2', '3', '5', '10', '20'], 'Of implicit negatives.'
)
flags.DEFINE_list(
  'precisions',
  [one for one in SCORE_PRECISIONS if one not in ('auto', FLOAT32)],
  'Those that are compared with float32.',
)
flags.DEFINE_integer('students', 0, 'Seeds to train students of.', lower_bound=0)
flags.DEFINE_list('student_precisions', [BFLOAT16], 'Compared with float32.')
flags.DEFINE_string('student_percent', '3', 'Whose flags they leave out.')
flags.DEFINE_string('eval_records', '', 'What they are evaluated on.')
flags.DEFINE_multi_string(
  'train_flags', [], 'A flag of their `train`, repeatable, but for --seed.'
)
flags.DEFINE_string(
  'folder',
  '',
  'Where scores, label sets and students stay, by which the same command goes on after '
  'it was stopped; by default they are deleted.',
)
VALUES = {'lwlrap': 'lωlrap', 'd_prime': "d'"}


def flagged(sets: pathlib.Path, percent: str) -> np.ndarray:
  return np.unpackbits(LabelSet.read(sets / f'discard_{percent}').packed)


def sets_of(folder: pathlib.Path, precision: str) -> pathlib.Path:
  return folder / f'{precision}_sets'


def score(folder: pathlib.Path, precision: str) -> tuple[np.ndarray, float]:
  """Scores at a precision, and makes label sets of that; the scores, and seconds."""
  records, scored = f'--records={FLAGS.records}', folder / precision
  arguments = [f'--model={FLAGS.model}', records, f'--precision={precision}']
  seconds = run_stage('score', scored, *arguments, *FLAGS.score_flags)
  percents = dict.fromkeys([*FLAGS.percent, FLAGS.student_percent])
  percent = f'--discard_percent={",".join(percents)}'
  sets = sets_of(folder, precision)
  run_stage('enhance', sets, f'--scores={scored}', records, percent)
  return read_scores(scored).values.astype(np.float64), seconds


def compare_scores(folder: pathlib.Path) -> None:
  """Prints how far scores and flags are from float32's."""
  scores = {}
  for precision in (FLOAT32, *FLAGS.precisions):
    scores[precision], seconds = score(folder, precision)
    difference = np.abs(scores[precision] - scores[FLOAT32])
    print(
      f'{precision:16}{seconds:7.1f} s; scores differ by {difference.max():.1e} at '
      f'most, {difference.mean():.1e} on average',
      flush=True,
    )
  others = [sets_of(folder, precision) for precision in FLAGS.precisions]
  print(f'{"percent":>8}{"flags":>10}' + ''.join(f'{p:>16}' for p in FLAGS.precisions))
  for percent in FLAGS.percent:
    own = flagged(sets_of(folder, FLOAT32), percent)
    lacking = [(own & ~flagged(sets, percent) & 1).sum() for sets in others]
    shares = ''.join(f'{one / max(own.sum(), 1):16.2%}' for one in lacking)
    print(f'{percent:>8}{own.sum():10,}{shares}', flush=True)


def student(folder: pathlib.Path, precision: str, seed: int) -> dict[str, float]:
  """Trains a student with a precision's label set; its metrics."""
  name = f'{precision}_{seed}'
  trained, evaluated = folder / f'student_{name}', folder / f'evaluation_{name}'
  label_set = sets_of(folder, precision) / f'discard_{FLAGS.student_percent}'
  given = f'--records={FLAGS.records}', f'--label_set={label_set}', f'--seed={seed}'
  run_stage('train', trained, *FLAGS.train_flags, *given)
  records = f'--records={FLAGS.eval_records}'
  more = '--nofigures', '--bootstrap=0'
  run_stage('evaluate', evaluated, f'--model={trained}', records, *more)
  weak = json.loads((evaluated / 'metrics.json').read_text())['weak']
  values = ', '.join(f'{title} {weak[value]:.4f}' for value, title in VALUES.items())
  print(f'{precision}, seed {seed}: {values}', flush=True)
  return {value: weak[value] for value in VALUES}


def compare_students(folder: pathlib.Path) -> None:
  """Trains students seed by seed, and prints what the precisions' differ by."""
  precisions = [FLOAT32, *FLAGS.student_precisions]
  rows = {
    (precision, seed): student(folder, precision, seed)
    for seed in range(1, FLAGS.students + 1)
    for precision in precisions
  }
  table = pd.DataFrame.from_dict(rows, orient='index')
  print(f'{"students":16}{"":8}{"mean ± deviation":>20}  difference from float32')
  for precision in precisions:
    for value, title in VALUES.items():
      values = table.loc[precision][value]
      text = gain(values, table.loc[FLOAT32][value]).gain_text(4)
      text = '' if precision == FLOAT32 else text
      print(f'{precision:16}{title:8}{Mean.of(values).text(4):>20}  {text}')


def main(_) -> None:
  if FLAGS.students and not FLAGS.eval_records:
    raise app.UsageError('--students need --eval_records')
  unscored = set(FLAGS.student_precisions) - set(FLAGS.precisions)
  if FLAGS.students and unscored:
    raise app.UsageError(f'--precisions lack {", ".join(sorted(unscored))}')
  print_machine()
  with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(FLAGS.folder or name)
    compare_scores(folder)
    if FLAGS.students:
      compare_students(folder)


if __name__ == '__main__':
  app.run(main)
