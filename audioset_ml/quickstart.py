"""The whole chain on generated soundscapes, through the stages' own commands.

Makes clips with missing labels, records of them, a teacher, its scores and a label set;
then two students that differ in one thing, whether the flagged labels are left out of
the loss; evaluates both, holds what was flagged against the truth, makes a page of the
two evaluations, exports the masked student and lets it name the sounds of a clip.
Records of validation clips are for what you try next, such as other percentages. Takes
about five minutes on two cores. Stopped and started again, it goes on where it was.

  python -m audioset_ml.quickstart --output_dir=quickstart
"""

import math
import pathlib
import shlex
import signal
import sys
import time

from absl import flags

from audioset_ml.core.input_files import read_json
from audioset_ml.entry import stage, stage_folder
from audioset_ml.sweeping.launching import Launcher

FLAGS = flags.FLAGS
stage_folder.define_folder_flags(output_dir='quickstart')
flags.DEFINE_integer('train_clips', 3000, 'Clips to train on.', 1)
flags.DEFINE_integer('eval_clips', 800, 'Clips to evaluate on.', 1)
flags.DEFINE_integer(
  'validation_clips', 400, 'Clips to choose by, apart from both; 0 for none.', 0
)
flags.DEFINE_integer('teacher_steps', 1700, 'Steps of the teacher.', 1)
flags.DEFINE_integer('student_steps', 850, 'Steps of each student.', 1)
flags.DEFINE_string('discard_percent', '3', 'Percentage of negatives to ignore.')
flags.DEFINE_integer('seed', 1, 'Of the clips and the training.')

_STUDENTS = ('baseline', 'masked')
# What is read of the comparison's metrics.json and of the audit's run.json, which says
# no precision of no flags, and no recall where nothing is missing.
_GAIN = dict.fromkeys(('baseline', 'model', 'difference'), float)
_COMPARED = {'comparison': {'weak': {'*': {**_GAIN, 'interval?': (list, None)}}}}
_AUDITED = dict.fromkeys(('flagged', 'truly_missing', 'missing'), float)
_AUDITED |= {'precision?': float, 'recall?': float}
# Added to the seed for validation clips, far from the seeds that one tries in turn.
_VALIDATION_SEED = 1000

# A network that learns these sounds in minutes: MobileNetV1 cut to five separable
# blocks. At a learning rate of 1e-3 it stays far from done in this time.
_TRAINING = {
  'architecture': 'mobilenet_v1_tiny',
  'width_multiplier': 0.25,
  'bias_start': -3,
  'batch_size': 64,
  'warmup_fraction': 0.05,
  'schedule': 'cosine',
}


def chain(root: pathlib.Path) -> list[tuple[str, dict[str, object]]]:
  """The stages and their flags, in order."""
  train, evaluation = root / 'records/train', root / 'records/eval'
  teacher, scores = root / 'teacher', root / 'scores'
  steps = [
    (
      'soundscapes',
      {
        'train_clips': FLAGS.train_clips,
        'eval_clips': FLAGS.eval_clips,
        'seed': FLAGS.seed,
        'output_dir': root / 'soundscapes',
      },
    ),
    ('prepare', _prepare_flags(root / 'soundscapes', 'train', train)),
    ('prepare', _prepare_flags(root / 'soundscapes', 'eval', evaluation)),
    *_validation_steps(root),
    (
      'train',
      {
        **_train_flags(train, 1e-2, FLAGS.teacher_steps),
        'validation_records': evaluation,
        'output_dir': teacher,
      },
    ),
    ('score', {'model': teacher, 'records': train, 'output_dir': scores}),
    (
      'enhance',
      {
        'scores': scores,
        'records': train,
        'discard_percent': FLAGS.discard_percent,
        'output_dir': label_set_dir(root).parent,
      },
    ),
    (
      'audit',
      {
        'label_sets': label_set_dir(root).parent,
        'records': train,
        'truth_csv': root / 'soundscapes/truth/train_segments.csv',
        'formats': 'png',
        'output_dir': root / 'audit',
      },
    ),
  ]
  for student in _STUDENTS:
    flags_ = {**_train_flags(train, 5e-3, FLAGS.student_steps), 'init_from': teacher}
    flags_ |= {'validation_records': evaluation, 'validate_every': 250}
    if student == 'masked':
      flags_['label_set'] = label_set_dir(root)
    model, metrics = root / f'{student}_student', root / f'{student}_evaluation'
    evaluate = {'model': model, 'records': evaluation, 'output_dir': metrics}
    if student == 'masked':
      evaluate['baseline'] = root / 'baseline_evaluation'
    steps += [
      ('train', {**flags_, 'output_dir': model}),
      ('evaluate', evaluate),
    ]
  exported = {'model': root / 'masked_student', 'output_dir': root / 'exported'}
  report = {
    'evaluation': ','.join(str(root / f'{name}_evaluation') for name in _STUDENTS),
    'name': ','.join(_STUDENTS),
    'title': 'Quick start: a student and a masked one',
    'output': root / 'report.html',
  }
  return [*steps, ('report', report), ('export', exported)]


def _validation_steps(root: pathlib.Path) -> list[tuple[str, dict[str, object]]]:
  """Clips of their own, so that evaluation's stay apart when something is chosen."""
  if not FLAGS.validation_clips:
    return []
  data = root / 'validation_soundscapes'
  made = {
    'train_clips': 1,  # the least; not used
    'eval_clips': FLAGS.validation_clips,
    'seed': FLAGS.seed + _VALIDATION_SEED,
    'output_dir': data,
  }
  prepare = _prepare_flags(data, 'eval', root / 'records/validation')
  return [('soundscapes', made), ('prepare', prepare)]


def label_set_dir(root: pathlib.Path) -> pathlib.Path:
  """Where `enhance` writes the label set that the masked student uses."""
  from audioset_ml.missing_labels.rules import top_percent_name

  return root / 'label_sets' / top_percent_name(FLAGS.discard_percent)


def _prepare_flags(data: pathlib.Path, split: str, records: pathlib.Path) -> dict:
  return {
    'segments_csv': data / f'{split}_segments.csv',
    'explicit_tsv': data / f'{split}_explicit.tsv',
    'strong_tsv': data / f'{split}_strong.tsv',
    'class_map': data / 'class_labels_indices.csv',
    'audio_dir': data / 'audio' / split,
    'output_dir': records,
  }


def _train_flags(records: pathlib.Path, learning_rate: float, steps: int) -> dict:
  return {
    'records': records,
    **_TRAINING,
    'learning_rate': learning_rate,
    'steps': steps,
    'checkpoint_every': 250,
    'seed': FLAGS.seed,
  }


def _arguments(flag_values: dict[str, object], *files: str) -> list[str]:
  return [f'--{flag}={value}' for flag, value in flag_values.items()] + [*files]


def command_line(name: str, flag_values: dict[str, object], *files: str) -> str:
  """A stage's command, a flag a line."""
  return ' \\\n    '.join(
    [
      f'python -m audioset_ml.{name}',
      *map(shlex.quote, _arguments(flag_values, *files)),
    ]
  )


def run_stage(
  launcher: Launcher, name: str, flag_values: dict[str, object], *files: str
) -> int:
  """Runs a stage in a process of its own, as a user would; its exit status.

  Raises:
    KeyboardInterrupt: the stage had done its work when it was asked to stop.
  """
  print(f'\n$ {command_line(name, flag_values, *files)}', flush=True)
  # A stage that is asked to stop writes a checkpoint first: wait for it. Ctrl-C it has
  # got too.
  asked = []

  def ask(number, _) -> None:
    asked.append(number)
    if number == signal.SIGTERM:
      launcher.terminate()

  numbers = (signal.SIGTERM, signal.SIGINT)
  handlers = {number: signal.signal(number, ask) for number in numbers}
  try:
    status = launcher.order([(name, _arguments(flag_values, *files))])['status']
  finally:
    for number, handler in handlers.items():
      signal.signal(number, handler)
  if asked and not status:
    raise KeyboardInterrupt
  # A signal as a shell tells of it: Ctrl-C before the stage heard it is 130, too.
  return 128 - status if status < 0 else status


def summarize(root: pathlib.Path, seconds: float) -> str:
  """The table of results, and where everything lies."""
  remedy = 'run quickstart with --overwrite'
  metrics = read_json(root / 'masked_evaluation/metrics.json', _COMPARED, remedy=remedy)
  name = f'label_sets/{label_set_dir(root).name}'
  run_json = read_json(
    root / 'audit/run.json', {'counts': {name: _AUDITED}}, remedy=remedy
  )
  audit = run_json['counts'][name]
  precision, recall = (audit.get(one, math.nan) for one in ('precision', 'recall'))
  lines = [f'{"":10}{"baseline":>10}{"masked":>10}{"gain":>10}  95 % interval']
  for metric in ('d_prime', 'lwlrap', 'map'):
    found = metrics['comparison']['weak'].get(metric)
    if found is not None:
      values = f'{found["baseline"]:10.3f}{found["model"]:10.3f}'
      ends = found.get('interval') or ()
      interval = ', '.join(f'{end:+.3f}' for end in ends)
      lines.append(f'{metric:10}{values}{found["difference"]:+10.3f}  [{interval}]')
  lines += [
    '',
    f'{audit["flagged"]:.0f} labels were ignored ({FLAGS.discard_percent} % of the '
    f'implicit negatives of each class); {audit["truly_missing"]:.0f} of them',
    f'({precision:.0%}) are truly missing. They are {recall:.0%} of '
    f'the {audit["missing"]:.0f} labels that are missing.',
    'Both students start from the teacher to save time; in the paper (ML20) they start',
    'from random weights. One run, one seed: docs/start/install.md tells '
    'the spread between seeds.',
    '',
    'The intervals are of the evaluated clips alone, not of another training.',
    '',
    f'Everything is in {root}/ ({seconds:.0f} s); {root}/report.html shows both',
    'students. Look at the training with',
    f'  {pathlib.Path(sys.executable).parent / "tensorboard"} --logdir={root}',
    'and let the exported model name the sounds of any file with',
    f'  {sys.executable} -m audioset_ml.tag --model={root}/exported/saved_model FILE',
  ]
  return '\n'.join(lines)


def main(_) -> int:
  root, start = pathlib.Path(FLAGS.output_dir), time.time()
  steps = chain(root)
  if FLAGS.dry_run:
    commands = [command_line(name, flag_values) for name, flag_values in steps]
    print('\n'.join([*commands, 'dry run: nothing was run']))
    return 0
  if FLAGS.overwrite:
    for _, flag_values in steps:
      if 'output_dir' in flag_values:
        flag_values['overwrite'] = 'true'
  launcher = Launcher()
  try:
    status = _run_all(launcher, root, steps, start)
  finally:
    launcher.close()
    launcher.wait()
  if not status:
    print('\n' + summarize(root, time.time() - start))
  return status


def _run_all(launcher: Launcher, root: pathlib.Path, steps: list, start: float) -> int:
  """Runs the stages, and has the model name the sounds of a clip; the exit status."""
  for number, (name, flag_values) in enumerate(steps, 1):
    print(f'\n[{number}/{len(steps)}] {time.time() - start:.0f} s', end='', flush=True)
    if status := run_stage(launcher, name, flag_values):
      said = f'{name} did not finish; the same command goes on from there'
      print(f'quickstart stopped: {said}', file=sys.stderr)
      return status
  clip = min((root / 'soundscapes/audio/eval').glob('*.flac'))
  tag = ('tag', {'model': root / 'exported/saved_model'}, str(clip))
  return run_stage(launcher, *tag)


if __name__ == '__main__':
  stage.run(main)
