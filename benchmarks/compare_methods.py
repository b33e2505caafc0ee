"""What methods about missing labels cost: a whole `train`, as a ratio to that without.

The network and steps of experiments/audioset_features, on the records that
`make audioset` prepares. Each method trains in turn, in a process of its own, whose
`wall_seconds` (in run.json) count: the median over the rounds, of ratios to the plain
training of the same round. What a teacher needs first (`train`, `score`, `enhance`)
is a row of its own.

  python benchmarks/compare_methods.py runs/audioset_features/records/large [rounds]
"""

import pathlib
import statistics
import sys
import tempfile

from machine import print_machine
from stages import run_stage

STUDENT = (
  *('--architecture=mlp', '--hidden_units=512,512', '--learning_rate=1e-3'),
  *('--batch_size=256', '--steps=1600', '--steps_per_call=16'),
  *('--shuffle_buffer=16384', '--checkpoint_every=100000', '--log_every=200'),
)
TEACHER = 'teacher: train, score, enhance'
METHODS = {
  'bce': (),
  'a label set (ML20)': ('--label_set={root}/enhance/discard_3',),
  'flag_while_training': ('--flag_while_training=3',),
  'soft_scores': ('--soft_scores={root}/score',),
  **{
    name: (f'--negative_loss={name}',)
    for name in ('ll_r', 'll_ct', 'll_cp', 'hill', 'splc', 'asl', 'wan', 'ls')
  },
  'csl': ('--negative_loss=csl', '--prior_scores={root}/score'),
}


def teacher(root: pathlib.Path, records: str) -> float:
  """Makes scores and a label set; the seconds of its stages."""
  train = (f'--records={records}', *STUDENT, '--hidden_units=1024,1024')
  scores = (f'--model={root}/train', f'--records={records}')
  flags = (f'--scores={root}/score', f'--records={records}', '--discard_percent=3')
  return (
    run_stage('train', root / 'train', *train)
    + run_stage('score', root / 'score', *scores)
    + run_stage('enhance', root / 'enhance', *flags)
  )


def main() -> None:
  if len(sys.argv) < 2:
    sys.exit(__doc__)
  print_machine()
  records, rounds = sys.argv[1], int((sys.argv[2:] or ['3'])[0])
  seconds: dict[str, list[float]] = {name: [] for name in (TEACHER, *METHODS)}
  for number in range(rounds):
    with tempfile.TemporaryDirectory() as folder:
      root = pathlib.Path(folder)
      seconds[TEACHER].append(teacher(root, records))
      for name, flags in METHODS.items():
        given = (flag.format(root=root) for flag in flags)
        student = root / f'student_{name.split()[0]}'
        found = run_stage('train', student, f'--records={records}', *STUDENT, *given)
        seconds[name].append(found)
        print(f'round {number + 1}: {name}: {found:.1f} s', file=sys.stderr)
  print(f'{"":32}{"seconds":>8}{"of plain training":>20}')
  for name, found in seconds.items():
    ratios = [one / plain for one, plain in zip(found, seconds['bce'], strict=True)]
    print(f'{name:32}{statistics.median(found):8.1f}{statistics.median(ratios):20.2f}')


if __name__ == '__main__':
  main()
