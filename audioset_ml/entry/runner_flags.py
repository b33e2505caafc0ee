"""The flags that say where a stage's work is done, for every entry point with a choice.

Its processes on this machine, or a runner of Apache Beam.
"""

import sys
from typing import TYPE_CHECKING, Any

from absl import flags

if TYPE_CHECKING:
  from audioset_ml.records.shard_runs import RunConfig

FLAGS = flags.FLAGS
NAMES = ('workers', 'runner', 'beam_args')


def define_runner_flags(workers: bool = True) -> None:
  """Defines them as flags of the calling entry point.

  Args:
    workers: whether several processes of this machine are a choice, too.
  """
  if workers:
    flags.DEFINE_integer(
      'workers', 1, 'Processes on this machine that share the work; 1 is this one.', 1
    )
  flags.DEFINE_string(
    'runner',
    '',
    'Runner of Apache Beam that does the work instead, on a cluster say: DaskRunner, '
    'FlinkRunner, SparkRunner, DataflowRunner and others need --beam_args; '
    "DirectRunner is Beam on this machine. pip install 'audioset_ml[beam]', for Dask "
    "'audioset_ml[dask]'.",
  )
  flags.DEFINE_list('beam_args', [], "Options of --runner's Beam, with their dashes.")
  for name in NAMES if workers else NAMES[1:]:
    FLAGS.register_key_flag_for_module(sys.argv[0], FLAGS[name])


def after_inputs(counts: dict[str, Any]) -> dict[str, Any]:
  """What --dry_run has counted, once the work can be done where the flags say.

  What is wrong with the inputs, which were opened to count, is told of first.

  Raises:
    InputError: as `run_config`.
  """
  run_config()
  return counts


def run_config() -> 'RunConfig':
  """Where the work is to be done.

  Raises:
    InputError: the flags don't go together, or a package is not installed.
  """
  from audioset_ml.records.shard_runs import RunConfig

  workers = FLAGS.workers if 'workers' in FLAGS else 1
  return RunConfig(workers, FLAGS.runner, tuple(FLAGS.beam_args))
