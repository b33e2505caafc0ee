"""The flags that group classes by how frequent they are (ML20 VII-C)."""

import sys
from typing import TYPE_CHECKING

from absl import flags

if TYPE_CHECKING:
  from audioset_ml.evaluation.comparison import PriorGroups

FLAGS = flags.FLAGS
GROUP_NAMES = ('large_prior', 'small_prior')
NAMES = ('prior_records', *GROUP_NAMES)


def define_prior_flags() -> None:
  """Defines the flags as flags of the calling entry point."""
  flags.DEFINE_string(
    'prior_records',
    '',
    'Records, of the train set say, that tell how frequent each class is; empty for '
    'the evaluated ones.',
  )
  flags.DEFINE_float('large_prior', 0.01, 'Classes above are a group of their own.')
  flags.DEFINE_float('small_prior', 0.00325, 'Classes below are another.')
  for name in NAMES:
    FLAGS.register_key_flag_for_module(sys.argv[0], FLAGS[name])


def prior_groups() -> 'PriorGroups':
  """What the flags say."""
  from audioset_ml.evaluation.comparison import PriorGroups

  return PriorGroups(FLAGS.large_prior, FLAGS.small_prior)
