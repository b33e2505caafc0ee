"""Runs stages over a grid of flags: all trials, several at once, into one results.csv.

--axis names what varies and its values; each --stage is a command that every trial
runs, in which {axis} stands for the trial's value and {trial} for its folder,
--output_dir/<axis>_<value>-…; a stage writes {trial}/<stage>. --where gives a stage
further flags in some trials.

A sweep that was killed goes on when the same command is given again; finished trials
are not repeated, nor when axes or values were added since. A trial that fails is
reported in results.csv and stops no other; it is tried again the next time.

Example, in a flagfile (a flag a line, without quotes):
  --output_dir=runs/sweep
  --axis=percent=0,0.1,1,5
  --axis=seed=1,2,3
  --stage=train --records=records/train --label_set=sets/discard_{percent} --seed={seed}
  --where=percent=0: train --label_set=
  --stage=evaluate --model={trial}/train --records=records/eval
  --jobs=2

--print_commands prints a line a trial instead, for a cluster: of an array job, task N
runs line N; the same sweep without the flag then gathers the results.
"""

import os
import pathlib

from absl import flags

from audioset_ml.core import folders, run_content, run_state
from audioset_ml.core.errors import InputError
from audioset_ml.core.input_files import read_text
from audioset_ml.entry import run_flags, stage

FLAGS = flags.FLAGS
flags.DEFINE_string('output_dir', None, 'Folder to write.', required=True)
flags.DEFINE_multi_string('axis', [], 'NAME=VALUE,VALUE,…: trials for each value.')
flags.DEFINE_multi_string(
  'stage',
  None,
  'A stage and its flags, or NAME:STAGE and its flags; several run in this order.',
  required=True,
)
flags.DEFINE_multi_string(
  'where',
  [],
  'AXIS=VALUE,…;AXIS=VALUE: STAGE --flag=value …: these trials alone have it.',
)
flags.DEFINE_multi_string('skip', [], 'AXIS=VALUE,…;AXIS=VALUE: trials to leave out.')
flags.DEFINE_integer('jobs', 1, 'Trials at once.', 1)
flags.DEFINE_integer(
  'threads', None, 'Threads of each; by default the cores, shared out. 0: all to each.'
)
flags.DEFINE_bool('print_commands', False, 'Print the commands; run nothing.')
flags.DEFINE_bool(
  'overwrite',
  False,
  'Make trials anew that other flags made, or whose inputs have changed since.',
)
flags.DEFINE_bool(
  'dry_run',
  False,
  "Check all trials' flags, and the inputs of their first stages; compute nothing.",
)


def main(_) -> int:
  from audioset_ml.sweeping import grid

  axes = [grid.parse_axis(text) for text in FLAGS.axis]
  trials = grid.expand(
    axes,
    [grid.parse_stage(text) for text in FLAGS.stage],
    [grid.parse_condition(text, axes, '--where') for text in FLAGS.where],
    [grid.parse_condition(text, axes, '--skip') for text in FLAGS.skip],
    FLAGS.output_dir,
  )
  if FLAGS.print_commands:
    for trial in trials:
      print(' && '.join(trial.lines()))
    return 0
  threads = FLAGS.threads
  if threads is None:
    threads = max((os.cpu_count() or 1) // FLAGS.jobs, 1) if FLAGS.jobs > 1 else 0
  from audioset_ml.sweeping import runs

  axis_names = tuple(axis.name for axis in axes)
  config = runs.SweepConfig(axis_names, FLAGS.jobs, threads, FLAGS.overwrite)
  if FLAGS.dry_run:
    print(runs.check(trials, config))
    return 0
  path = pathlib.Path(FLAGS.output_dir)
  if path.exists() and not path.is_dir():
    raise InputError(f'{path}: is a file, but --output_dir must be a folder')
  _require_ours(path)
  with run_state.locked(path):
    folders.write_atomically(path / run_content.FLAGS_FILE, run_flags.flag_text())
    failed = runs.run(trials, path, config)
  return 1 if failed else 0


def _require_ours(path: pathlib.Path) -> None:
  """Raises InputError if a folder holds what no sweep wrote."""
  flags_file = path / run_content.FLAGS_FILE
  names = {entry.name for entry in path.iterdir()} if path.is_dir() else set()
  if names - run_content.APART and not (
    flags_file.is_file() and 'audioset_ml.sweep ' in read_text(flags_file)
  ):
    raise InputError(f'{path}: holds files that no sweep wrote; choose another folder')


if __name__ == '__main__':
  stage.run(main)
