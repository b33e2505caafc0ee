"""The flags that group classes by how frequent they are (ML20 VII-C)."""

from collections.abc import Sequence

from audioset_ml.entry import flag_groups
from audioset_ml.entry.flag_groups import Flag, Group, Need
from audioset_ml.evaluation.evaluate_config import PriorGroups


def prior_flags(
  fills: type | None = None,
  *,
  records_need: Need | None = None,
  groups_need: Need | None = None,
) -> tuple[Flag, ...]:
  """The flags.

  Args:
    fills: what has a field `prior_records`; None for nothing.
    records_need, groups_need: without which they do nothing.
  """
  return (
    Flag(
      fills,
      'prior_records',
      'Records, of the train set say, that tell how frequent each class is; empty for '
      'the evaluated ones.',
      default='',
      needs=records_need,
      is_input=True,
    ),
    Flag(
      PriorGroups,
      'large_prior',
      'Classes above are a group of their own.',
      field='large',
      needs=groups_need,
    ),
    Flag(
      PriorGroups,
      'small_prior',
      'Classes below are another.',
      field='small',
      needs=groups_need,
    ),
  )


def prior_groups(groups: Sequence[Group]) -> PriorGroups:
  """What the flags say, in the groups that they are of."""
  return PriorGroups(**flag_groups.values(groups, PriorGroups))
