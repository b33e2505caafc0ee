"""The flags that say how Apache Beam runs, for every entry point that can use it."""

import sys
from typing import TYPE_CHECKING

from absl import flags

if TYPE_CHECKING:
  from audioset_ml.records.beam_runs import RunnerConfig

FLAGS = flags.FLAGS
NAMES = ('runner', 'workers', 'beam_args')


def define_beam_flags() -> None:
  """Defines them as flags of the calling entry point."""
  flags.DEFINE_string(
    'runner',
    'DirectRunner',
    'Where Apache Beam runs: DirectRunner is this machine; DaskRunner, FlinkRunner, '
    'SparkRunner, DataflowRunner and others need --beam_args.',
  )
  flags.DEFINE_integer('workers', 1, 'Processes of DirectRunner; 1 is this one.', 1)
  flags.DEFINE_list('beam_args', [], 'Options for Apache Beam, with their dashes.')
  for name in NAMES:
    FLAGS.register_key_flag_for_module(sys.argv[0], FLAGS[name])


def is_one_process() -> bool:
  """Whether no flag asks for more than this process."""
  return FLAGS.runner == 'DirectRunner' and FLAGS.workers == 1 and not FLAGS.beam_args


def runner_config() -> 'RunnerConfig':
  """How Beam is to run."""
  from audioset_ml.records.beam_runs import RunnerConfig

  return RunnerConfig(FLAGS.runner, FLAGS.workers, tuple(FLAGS.beam_args))
