"""Groups of recordings that belong together, such as takes of one sound; folds."""

import dataclasses
import re
from collections.abc import Sequence

from audioset_ml.core.errors import InputError, counted
from audioset_ml.finetuning.contents import Contents, equal_files
from audioset_ml.finetuning.recordings import Recording, gathered, some


def with_groups_and_folds(
  recordings: Sequence[Recording], group_pattern: str, fold_pattern: str
) -> tuple[list[Recording], list[str]]:
  """The recordings, each with a group, and with a fold if there are folds; notes.

  Without a pattern or a column each is a group of its own.

  Raises:
    InputError: a pattern is none, finds nothing in a name, or a table has given the
      groups or folds already; some recordings have a fold and others none.
  """
  found, notes = list(recordings), []
  for field, pattern in (('group', group_pattern), ('fold', fold_pattern)):
    if pattern:
      found = _with_matches(found, field, pattern)
  given = {one.name for one in found if one.group}
  found = [dataclasses.replace(one, group=one.group or one.name) for one in found]
  groups = len({one.group for one in found})
  if given and groups == len(found):
    what = f'--group_pattern={group_pattern}' if group_pattern else 'the group column'
    notes.append(
      f'warning: {what} groups nothing: {counted(groups, "group")} of '
      f'{counted(len(found), "recording")}, '
      'each its own. Takes of one sound may be on both sides of a split'
    )
  elif not given:
    notes.append(
      'each file counts as a recording of its own; where several are of one sound or '
      'place, say so with --group_pattern or a column group, or the result is too good'
    )
  return found, notes


def _with_matches(
  recordings: Sequence[Recording], field: str, pattern: str
) -> list[Recording]:
  """The recordings, their group or fold found by a pattern in the file's name.

  Args:
    recordings: the recordings, in which the field is empty.
    field: 'group' or 'fold'.
    pattern: a regular expression; its first parenthesis counts, or all of it.
  """
  flag = f'--{field}_pattern'
  if any(getattr(recording, field) for recording in recordings):
    raise InputError(f'the table has a column for the {field}: leave out {flag}')
  try:
    expression = re.compile(pattern)
  except re.error as error:
    raise InputError(f'{flag}={pattern}: no regular expression ({error})') from error
  found, lacking = [], []
  for recording in recordings:
    match = expression.search(recording.path.name)
    text = match and (match[1] if expression.groups else match[0])
    if text:
      found.append(dataclasses.replace(recording, **{field: text}))
    else:
      lacking.append(recording.path)
  if lacking:
    raise InputError(
      f'{flag}={pattern} finds nothing in the names of {len(lacking)} of '
      f'{counted(len(recordings), "recording")}, {lacking[0]} for one'
    )
  return found


def with_copies_together(
  recordings: Sequence[Recording], contents: Contents
) -> tuple[list[Recording], list[str]]:
  """The recordings, groups that share a file's content made one group; notes.

  Folds that were given stay; where they take copies apart, a note says so.
  """
  joined_to: dict[str, str] = {}

  def final(group: str) -> str:
    while group in joined_to:
      group = joined_to[group]
    return group

  notes, apart, other_labels = [], [], []
  for copies in equal_files(recordings, contents):
    named = ' = '.join(one.name for one in copies)
    if len({frozenset(one.labels) for one in copies}) > 1:
      other_labels.append(named)
    if len({one.fold for one in copies}) > 1:
      apart.append(named)
      continue
    first, *rest = sorted({final(one.group) for one in copies})
    joined_to.update(dict.fromkeys(rest, first))
  if joined_to:
    joined = counted(len(joined_to), 'group', 'were')
    notes.append(f'{joined} joined to others, since they hold an equal file')
  if apart:
    notes.append(
      f'warning: {counted(len(apart), "content", "are")} in several folds, so that '
      f'what is evaluated on was trained on: {some(apart, "; ")}. Remove the copies'
    )
  if other_labels:
    notes.append(
      f'warning: {counted(len(other_labels), "content", "have")} other labels in '
      f'another file: {some(other_labels, "; ")}. What is heard in a sound is one '
      'thing: a CSV can give a file several labels'
    )
  found = [dataclasses.replace(one, group=final(one.group)) for one in recordings]
  return found, notes


def by_label(recordings: Sequence[Recording]) -> dict[str, list[Recording]]:
  """The recordings in which each label is present, by label."""
  pairs = [(label, one) for one in recordings for label in one.labels]
  lists = gathered(sorted(pairs, key=lambda pair: pair[0]), lambda pair: pair[0])
  return {label: [one for _, one in found] for label, found in lists.items()}
