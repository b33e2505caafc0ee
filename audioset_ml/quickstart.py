"""The whole chain on generated soundscapes, through the stages' own commands.

Makes clips with missing labels, records of them, a teacher, its scores and a label set;
then two students that differ in one thing, whether the flagged labels are left out of
the loss; evaluates both, exports the masked student and lets it name the sounds of a
clip. Takes about five minutes on two cores. Stopped and started again, it goes on where
it was.
"""

import json
import pathlib
import subprocess
import sys
import time

from absl import flags

from audioset_ml import stage

FLAGS = flags.FLAGS
flags.DEFINE_string('output_dir', 'quickstart', 'Folder to write everything to.')
flags.DEFINE_integer('train_clips', 3000, 'Clips to train on.', 1)
flags.DEFINE_integer('eval_clips', 800, 'Clips to evaluate on.', 1)
flags.DEFINE_integer('teacher_steps', 1700, 'Steps of the teacher.', 1)
flags.DEFINE_integer('student_steps', 850, 'Steps of each student.', 1)
flags.DEFINE_string('discard_percent', '3', 'Percentage of negatives to ignore.')
flags.DEFINE_integer('seed', 1, 'Of the clips and the training.')

_STUDENTS = ('baseline', 'masked')

# A network that learns these sounds in minutes: MobileNetV1 cut to five separable
# blocks. At a learning rate of 1e-3 it stays far from done in this time.
_TRAINING = (
  '--architecture=mobilenet_v1_tiny',
  '--width_multiplier=0.25',
  '--weight_init=keras',
  '--bias_start=-3',
  '--batch_size=64',
  '--warmup_fraction=0.05',
  '--schedule=cosine',
  '--final_fraction=0.1',
)


def chain(root: pathlib.Path) -> list[tuple[str, list[str]]]:
  """The stages and their flags, in order."""
  data, records = root / 'soundscapes', root / 'records'
  label_set = root / 'label_sets' / f'discard_{float(FLAGS.discard_percent):g}'
  steps = [
    (
      'soundscapes',
      [
        f'--train_clips={FLAGS.train_clips}',
        f'--eval_clips={FLAGS.eval_clips}',
        f'--seed={FLAGS.seed}',
        f'--output_dir={data}',
      ],
    )
  ]
  steps += [('prepare', _prepare_flags(data, records, split)) for split in _SPLITS]
  steps.append(('train', _train_flags(root, 'teacher', 1e-2, FLAGS.teacher_steps)))
  steps.append(
    (
      'score',
      [
        f'--model={root / "teacher"}',
        f'--records={records / "train"}',
        f'--output_dir={root / "scores"}',
      ],
    )
  )
  steps.append(
    (
      'enhance',
      [
        f'--scores={root / "scores"}',
        f'--records={records / "train"}',
        f'--discard_percent={FLAGS.discard_percent}',
        f'--output_dir={label_set.parent}',
      ],
    )
  )
  for student in _STUDENTS:
    extra = [f'--init_from={root / "teacher"}']
    extra += [f'--label_set={label_set}'] if student == 'masked' else []
    name = f'{student}_student'
    train_flags = _train_flags(root, name, 5e-3, FLAGS.student_steps)
    steps.append(('train', train_flags + extra))
    steps.append(
      (
        'evaluate',
        [
          f'--model={root / name}',
          f'--records={records / "eval"}',
          f'--output_dir={root / f"{student}_evaluation"}',
        ],
      )
    )
  steps.append(
    (
      'export',
      [f'--model={root / "masked_student"}', f'--output_dir={root / "exported"}'],
    )
  )
  return steps


_SPLITS = ('train', 'eval')


def _prepare_flags(data: pathlib.Path, records: pathlib.Path, split: str) -> list[str]:
  return [
    f'--segments_csv={data / f"{split}_segments.csv"}',
    f'--explicit_tsv={data / f"{split}_explicit.tsv"}',
    f'--strong_tsv={data / f"{split}_strong.tsv"}',
    f'--class_map={data / "class_labels_indices.csv"}',
    f'--audio_dir={data / "audio" / split}',
    f'--output_dir={records / split}',
  ]


def _train_flags(
  root: pathlib.Path, name: str, learning_rate: float, steps: int
) -> list[str]:
  return [
    f'--records={root / "records" / "train"}',
    f'--validation_records={root / "records" / "eval"}',
    f'--output_dir={root / name}',
    f'--learning_rate={learning_rate:g}',
    f'--steps={steps}',
    f'--seed={FLAGS.seed}',
    *_TRAINING,
  ]


def run_stage(name: str, arguments: list[str]) -> int:
  """Runs a stage in a process of its own, as a user would."""
  print(f'$ python -m audioset_ml.{name} \\\n    ' + ' \\\n    '.join(arguments))
  command = [sys.executable, '-m', f'audioset_ml.{name}', *arguments]
  return subprocess.run(command, check=False).returncode


def summarize(root: pathlib.Path, seconds: float) -> str:
  """The table of results, and where everything lies."""
  from audioset_ml.labels.label_set import LabelSet
  from audioset_ml.missing_labels.audit import audit_label_set

  weak = {
    student: json.loads((root / f'{student}_evaluation/metrics.json').read_text())[
      'weak'
    ]
    for student in _STUDENTS
  }
  label_set = LabelSet.read(
    root / 'label_sets' / f'discard_{float(FLAGS.discard_percent):g}'
  )
  data = root / 'soundscapes'
  audit = audit_label_set(
    label_set, str(data / 'train_segments.csv'), str(data / 'truth/train_segments.csv')
  )
  lines = [f'{"":10}{"baseline":>10}{"masked":>10}{"gain":>10}']
  for metric in ('d_prime', 'lwlrap', 'map'):
    baseline, masked = (weak[student][metric] for student in _STUDENTS)
    if baseline is not None and masked is not None:
      lines.append(
        f'{metric:10}{baseline:10.3f}{masked:10.3f}{masked - baseline:+10.3f}'
      )
  lines += [
    '',
    f'{audit.flagged} labels were ignored ({FLAGS.discard_percent} % of the implicit '
    f'negatives of each class); {audit.truly_missing} of them',
    f'({audit.precision:.0%}) are truly missing. They are {audit.recall:.0%} of the '
    f'{audit.missing} labels that are missing.',
    'Both students start from the teacher to save time; in the paper (ML20) they start',
    'from random weights. One run, one seed: README tells the spread between seeds.',
    '',
    f'Everything is in {root}/ ({seconds:.0f} s). Look at the training with',
    f'  tensorboard --logdir={root}',
    'and let the exported model name the sounds of any file with',
    f'  python -m audioset_ml.tag --model={root}/exported/saved_model FILE',
  ]
  return '\n'.join(lines)


def main(_) -> int:
  root, start = pathlib.Path(FLAGS.output_dir), time.time()
  steps = chain(root)
  for number, (name, arguments) in enumerate(steps, 1):
    print(f'\n[{number}/{len(steps)}] {time.time() - start:.0f} s', flush=True)
    if status := run_stage(name, arguments):
      print(f'quickstart stopped: {name} failed', file=sys.stderr)
      return status
  clip = min((root / 'soundscapes/audio/eval').glob('*.flac'))
  status = run_stage('tag', [f'--model={root}/exported/saved_model', str(clip)])
  print('\n' + summarize(root, time.time() - start))
  return status


if __name__ == '__main__':
  stage.run(main)
