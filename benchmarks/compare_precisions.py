"""What `score --precision` does to scores and to the labels that follow from them.

A model scores the same records at each precision, and `enhance` flags labels by each:
how far scores are from float32's, and which share of float32's flags the others lack
(they have as many others instead, but for ties).

  python benchmarks/compare_precisions.py --model=teacher --records=records/train
"""

import pathlib
import tempfile

import numpy as np
from absl import app, flags
from machine import print_machine
from stages import run_stage

from audioset_ml.labels.label_set import LabelSet
from audioset_ml.models.config import SCORE_PRECISIONS
from audioset_ml.records.scores import read_scores

FLAGS = flags.FLAGS
flags.DEFINE_string('model', None, 'As `score` takes it.', required=True)
flags.DEFINE_string('records', None, 'Records to score.', required=True)
flags.DEFINE_list('score_flags', [], 'Further flags of `score`: --class_mapping=….')
flags.DEFINE_list(
  'percent', ['0.1', '0.5', '1', '2', '5', '10', '20'], 'Of implicit negatives.'
)


def flagged(folder: pathlib.Path, percent: str) -> np.ndarray:
  return np.unpackbits(LabelSet.read(folder / f'discard_{percent}').packed)


def main(_) -> None:
  print_machine()
  records = f'--records={FLAGS.records}'
  precisions = [one for one in SCORE_PRECISIONS if one != 'auto']
  with tempfile.TemporaryDirectory() as name:
    scores, sets = {}, {}
    for precision in precisions:
      scored = pathlib.Path(name, precision)
      sets[precision] = scored.with_name(f'{precision}_sets')
      arguments = [f'--model={FLAGS.model}', records, f'--precision={precision}']
      seconds = run_stage('score', scored, *arguments, *FLAGS.score_flags)
      percent = f'--discard_percent={",".join(FLAGS.percent)}'
      run_stage('enhance', sets[precision], f'--scores={scored}', records, percent)
      scores[precision] = read_scores(scored).values.astype(np.float64)
      difference = np.abs(scores[precision] - scores['float32'])
      print(
        f'{precision:16}{seconds:7.1f} s; scores differ by {difference.max():.1e} at '
        f'most, {difference.mean():.1e} on average',
        flush=True,
      )
    print(f'{"percent":>8}{"flags":>10}' + ''.join(f'{p:>16}' for p in precisions[1:]))
    for percent in FLAGS.percent:
      own = flagged(sets['float32'], percent)
      lacking = [(own & ~flagged(sets[p], percent) & 1).sum() for p in precisions[1:]]
      shares = ''.join(f'{one / max(own.sum(), 1):16.2%}' for one in lacking)
      print(f'{percent:>8}{own.sum():10,}{shares}')


if __name__ == '__main__':
  app.run(main)
