"""New labels for old records: which kinds of labels they would lose."""

from collections.abc import Mapping, Sequence

from audioset_ml.core.errors import InputError
from audioset_ml.labels.clip_labels import ClipLabelTable
from audioset_ml.labels.states import LabelState

# What --drop_labels may say: what is counted of it, and the flag that brings it.
KINDS = {
  'explicit': ('explicit_negatives', '--explicit_tsv'),
  'strong': ('strong_events', '--strong_tsv'),
  'refuted': ('refuted_stretches', '--explicit_tsv'),
  'complete': ('unmarked_labels', '--complete_strong'),
  'unsure': ('unsure_labels', '--explicit_tsv'),
}


def require_kept(
  records: str,
  before: Mapping[str, int],
  labels: ClipLabelTable,
  dropped: Sequence[str],
) -> None:
  """Raises InputError if all labels of a kind would go that were not said to go.

  Args:
    records: the old records, for the message.
    before: what was counted when they were made.
    labels: the new labels.
    dropped: kinds that may go.
  """
  now = _counts(labels)
  for kind, (name, flag) in KINDS.items():
    if before.get(name) and not now[name] and kind not in dropped:
      raise InputError(
        f'{records}: has {before[name]:,} {name.replace("_", " ")}, but the label '
        f'files that are given have none: labels are read anew, so give {flag} again, '
        f'or --drop_labels={",".join([*dropped, kind])} if they are to go'
      )


def fewer(before: Mapping[str, int], now: Mapping[str, int]) -> list[str]:
  """Of which kinds of labels there are fewer than before, a line each."""
  return [
    f'{name.replace("_", " ")}: {now.get(name, 0):,}, {before[name]:,} before'
    for name, _ in KINDS.values()
    if now.get(name, 0) < before.get(name, 0)
  ]


def _counts(labels: ClipLabelTable) -> dict[str, int]:
  states, present = labels.weak['state'], labels.strong['present'].astype(bool)
  unmarked = sum(map(bool, labels.unmarked.to_bytes().values()))
  return {
    'explicit_negatives': int((states == LabelState.EXPLICIT_NEGATIVE).sum())
    + unmarked,
    'strong_events': int(present.sum()),
    'refuted_stretches': int((~present).sum()),
    'unmarked_labels': unmarked,
    'unsure_labels': int((states == LabelState.UNSURE).sum()),
  }
