"""Which recordings are evaluated on, and by a model that was trained on which."""

import dataclasses
import hashlib
import os
from collections.abc import Sequence

from audioset_ml.core.errors import InputError, counted
from audioset_ml.finetuning.grouping import by_label
from audioset_ml.finetuning.recordings import Recording, gathered, some
from audioset_ml.finetuning.slips import notes_on

# Names of parts of recordings that no fold has.
TRAIN, EVAL = 'train', 'eval'
_MOST_FOLDS = 20  # a model is trained for each


@dataclasses.dataclass(frozen=True)
class DivisionConfig:
  """How recordings are divided.

  Attributes:
    eval_fold: the fold to evaluate on, of those that are given; '' for none.
    folds: how many folds to deal the groups out to; 0 for a single split.
    eval_fraction: share of each class's groups that a single split evaluates on.
    seed: another one divides the groups in another way.
  """

  eval_fold: str = ''
  folds: int = 0
  eval_fraction: float = 0.2
  seed: int = 0


@dataclasses.dataclass(frozen=True)
class Division:
  """How recordings are divided.

  Attributes:
    part_of: the part of each recording, by its name.
    evaluated: the parts that are evaluated on, each by a model that is trained on all
      others.
    why: how it came about, for people.
  """

  part_of: dict[str, str]
  evaluated: tuple[str, ...]
  why: str

  @property
  def is_crossed(self) -> bool:
    """Whether all recordings are evaluated on, and the model is trained on all."""
    return len(self.evaluated) > 1


def divide(recordings: Sequence[Recording], config: DivisionConfig) -> Division:
  """Divides recordings, whole groups, so that each class can be learned.

  Folds that are given decide: `eval_fold` says on which one is evaluated, and all are
  in turn where none is said. Of a split, one of whose sides is called `train`, the
  other is.

  Raises:
    InputError: a class has one group only, or would not be trained on; a group is in
      several folds; or there is no such fold.
  """
  folds = sorted({one.fold for one in recordings} - {''})
  if folds:
    if lacking := [one.name for one in recordings if not one.fold]:
      number = counted(len(lacking), 'recording', 'have')
      raise InputError(f'{number} no fold: {some(lacking)}')
    division = _by_folds(recordings, folds, config)
  elif config.eval_fold:
    raise InputError(
      f'--eval_fold={config.eval_fold} needs folds: a column fold, or --fold_pattern'
    )
  elif config.folds:
    division = _dealt(recordings, config)
  else:
    division = _split(recordings, config)
  for part in division.evaluated:
    _require_learned(recordings, division, part)
  return division


def _by_folds(
  recordings: Sequence[Recording], folds: Sequence[str], config: DivisionConfig
) -> Division:
  if config.folds or config.eval_fraction != DivisionConfig.eval_fraction:
    flag = '--folds' if config.folds else '--eval_fraction'
    raise InputError(f'{flag} does nothing here: folds are given')
  for group, members in gathered(recordings, lambda one: one.group).items():
    of_group = sorted({one.fold for one in members})
    if len(of_group) > 1:
      raise InputError(f'group {group!r} is in the folds {" and ".join(of_group)}')
  part_of = {one.name: one.fold for one in recordings}
  named = ', '.join(folds)
  others = [fold for fold in folds if fold.lower() != TRAIN]
  if config.eval_fold:
    if config.eval_fold not in folds:
      raise InputError(f'--eval_fold={config.eval_fold}: the folds are {named}')
    others = [config.eval_fold]
  elif len(others) != len(folds) and len(others) > 1:
    raise InputError(
      f'the folds are {named}: say with --eval_fold which to evaluate on'
    )
  if not others or len(folds) < 2:
    raise InputError(
      f'{named} is the only fold: nothing to evaluate on, or to train on'
    )
  if len(others) > _MOST_FOLDS:
    raise InputError(
      f'there are {len(folds)} folds, and a model would be trained for each: say with '
      '--eval_fold which to evaluate on (or is this the group?)'
    )
  why = f'folds as given ({some(folds)})'
  if len(others) == 1:
    why = f'{others[0]} of the folds {some(folds)}'
  return Division(part_of, tuple(others), why)


def _split(recordings: Sequence[Recording], config: DivisionConfig) -> Division:
  """A share of each class's groups, at least one and never all, is evaluated on."""
  evaluated: set[str] = set()
  groups_of = _groups_by_label(recordings, config.seed)
  for groups in groups_of.values():
    count = round(config.eval_fraction * len(groups))
    evaluated.update(groups[: min(max(count, 1), len(groups) - 1)])
  for groups in groups_of.values():
    if evaluated.issuperset(groups):  # other classes have chosen the rest
      evaluated.discard(groups[-1])
  part_of = {one.name: EVAL if one.group in evaluated else TRAIN for one in recordings}
  why = f"{config.eval_fraction:g} of each class's groups, by a hash of their names"
  return Division(part_of, (EVAL,), why)


def _dealt(recordings: Sequence[Recording], config: DivisionConfig) -> Division:
  """Groups are dealt out class by class, the rarest first, to the fold that has fewest
  of the class, and then fewest of all."""
  fold_of: dict[str, int] = {}
  sizes = [0] * config.folds
  by_size = _groups_by_label(recordings, config.seed)
  every = [one.group for one in recordings]
  for groups in [*sorted(by_size.values(), key=len), sorted(set(every))]:
    held = [0] * config.folds
    for group in groups:
      if group in fold_of:
        held[fold_of[group]] += 1
    for group in groups:
      if group not in fold_of:
        fold = min(range(config.folds), key=lambda one: (held[one], sizes[one], one))
        fold_of[group] = fold
        held[fold] += 1
        sizes[fold] += 1
  part_of = {one.name: str(fold_of[one.group] + 1) for one in recordings}
  parts = tuple(sorted(set(part_of.values()), key=int))
  return Division(part_of, parts, 'groups dealt out by a hash of their names')


def _groups_by_label(
  recordings: Sequence[Recording], seed: int
) -> dict[str, list[str]]:
  """The groups of each label, in an order that is the same on every machine."""

  def rank(group: str) -> bytes:
    return hashlib.blake2b(os.fsencode(f'{seed}:{group}'), digest_size=8).digest()

  members_of = by_label(recordings)
  groups = {
    label: sorted({one.group for one in members}, key=rank)
    for label, members in members_of.items()
  }
  single = [repr(label) for label, found in groups.items() if len(found) == 1]
  if single:
    slips = notes_on({label: len(members) for label, members in members_of.items()})
    raise InputError(
      f'all recordings of {some(single)} are of one group, so that they cannot be '
      'split; add another recording, or see --group_pattern'
      + ''.join(f'; {note}' for note in slips)
    )
  return groups


def _require_learned(
  recordings: Sequence[Recording], division: Division, part: str
) -> None:
  """Raises InputError if a class would not be trained on for a part's evaluation."""
  for label, members in by_label(recordings).items():
    if all(division.part_of[one.name] == part for one in members):
      raise InputError(
        f'all recordings of {label!r} are in {part}, so that none would be trained on '
        'when that is evaluated'
      )


def classes_not_evaluated(
  recordings: Sequence[Recording], division: Division
) -> list[str]:
  """The labels of which no recording is evaluated on."""
  return [
    label
    for label, members in by_label(recordings).items()
    if all(division.part_of[one.name] not in division.evaluated for one in members)
  ]
