"""A folder of recordings to what `prepare` reads, split by original recording.

The recordings lie in a subfolder a class, or a CSV says what is to be heard in them
(columns file,label and, if wanted, group and fold; a file with two labels has two
rows). All clips of one group, the original recording or the speaker, say, are on the
same side of the split; files with the same content always are.

Writes train_segments.csv, eval_segments.csv, class_map.csv and audio/, links to the
recordings under their clips' ids.

Example:
  python experiments/finetune/make_labels.py --recordings=sounds \\
    --group_pattern='^(.+)_take' --output_dir=runs/finetune/labels
"""

import dataclasses
import hashlib
import os
import pathlib
import re
from collections.abc import Sequence

import recordings as reading
from absl import flags
from recordings import Recording, gathered

from audioset_ml import folders, stage
from audioset_ml.errors import InputError
from audioset_ml.labels.class_map import ClassMap

FLAGS = flags.FLAGS
stage.define_folder_flags()
flags.DEFINE_string('recordings', None, 'Folder with a subfolder of sounds a class.')
flags.DEFINE_string(
  'labels_csv',
  '',
  'CSV with the columns file (below --recordings), label and, if wanted, group and '
  'fold; without it, the subfolders are the classes.',
)
flags.DEFINE_string(
  'group_pattern',
  '',
  "Regular expression that finds the group in a file's name: its first parenthesis, "
  'or all of it. Without it, each file is a group of its own.',
)
flags.DEFINE_string('fold_pattern', '', 'The same for the fold.')
flags.DEFINE_string(
  'eval_fold', '', 'The fold to evaluate on. Without it, the groups are split by hash.'
)
flags.DEFINE_float('eval_fraction', 0.2, "Share of each class's groups.", 0.01, 0.99)
flags.DEFINE_integer('seed', 0, 'Another seed splits the groups in another way.')
flags.mark_flag_as_required('recordings')

_LONGEST_ID = 80  # characters; a file's name has at most 255 bytes


def main(_) -> None:
  inputs = {'recordings': FLAGS.recordings, 'labels_csv': FLAGS.labels_csv}
  with stage.output_folder(
    FLAGS.output_dir, inputs, FLAGS.seed, check=_check
  ) as folder:
    found = _read()
    seconds = reading.lengths(found)
    found = reading.with_copies_grouped(found)
    evaluated = _eval_groups(found)
    mids, clip_ids = _mids(found), _clip_ids(found)
    _link(folder.path / 'audio', found, clip_ids)
    sides = {'train': [], 'eval': []}
    for one in found:
      sides['eval' if one.group in evaluated else 'train'].append(one)
    for side, chosen in sides.items():
      rows = [
        f'{clip_ids[one.name]}, 0.000, {seconds[one.name]:.3f}, '
        f'"{",".join(mids[label] for label in one.labels)}"\n'
        for one in chosen
      ]
      folders.write_atomically(folder.path / f'{side}_segments.csv', ''.join(rows))
      folder.counts[f'{side}_clips'] = len(chosen)
      folder.counts[f'{side}_groups'] = len({one.group for one in chosen})
    names = tuple(_without_number(label) for label in mids)
    ClassMap(tuple(mids.values()), names).write(folder.path / 'class_map.csv')
    folder.counts['classes'] = len(mids)
  _print_summary(folder, sides)


def _check() -> dict[str, int]:
  """What --dry_run counts."""
  found = _read()
  return {'recordings': len(found), 'groups': len({one.group for one in found})}


def _read() -> list[Recording]:
  """The recordings, each with a group, and with a fold if there are folds."""
  source = pathlib.Path(FLAGS.recordings)
  if not source.is_dir():
    raise InputError(f'{source}: no such folder (--recordings)')
  if FLAGS.labels_csv:
    found = reading.listed(source, FLAGS.labels_csv)
  else:
    found = reading.in_subfolders(source)
  for field in ('group', 'fold'):
    if pattern := FLAGS[f'{field}_pattern'].value:
      found = reading.with_matches(found, field, pattern)
  folds = sorted({one.fold for one in found} - {''})
  if folds and not FLAGS.eval_fold:
    raise InputError(f'say with --eval_fold which fold is evaluated on: {folds}')
  if FLAGS.eval_fold and FLAGS.eval_fold not in folds:
    raise InputError(
      f'--eval_fold={FLAGS.eval_fold}: '
      + (f'the folds are {", ".join(folds)}' if folds else 'give --fold_pattern, too')
    )
  for name in ('eval_fraction', 'seed'):
    if folds and FLAGS[name].value != FLAGS[name].default:
      raise InputError(f'--{name} does nothing here: --eval_fold says how to split')
  return [dataclasses.replace(one, group=one.group or one.name) for one in found]


def _eval_groups(found: Sequence[Recording]) -> set[str]:
  """The groups to evaluate on, some of every class but never all of one.

  Raises:
    InputError: a class has one group only or is on one side only, or a group is in
      several folds.
  """
  groups = _groups_by_label(found)
  single = [repr(label) for label, members in groups.items() if len(members) == 1]
  if single:
    raise InputError(
      f'all clips of {reading.some(single)} are of one group, so that they cannot be '
      'split; add another recording, or see --group_pattern'
    )
  if FLAGS.eval_fold:
    evaluated = _groups_of_fold(found)
  else:
    evaluated = set()
    for members in groups.values():
      # By a hash of the names, which is the same on every machine.
      ranked = sorted(members, key=_hash)
      count = round(FLAGS.eval_fraction * len(ranked))
      evaluated.update(ranked[: min(max(count, 1), len(ranked) - 1)])
  for label, members in groups.items():
    for side, there in (('train', members - evaluated), ('eval', members & evaluated)):
      if not there:
        raise InputError(f'the {side} side has no clip of the class {label!r}')
  return evaluated


def _groups_by_label(found: Sequence[Recording]) -> dict[str, set[str]]:
  """The groups of each label's clips."""
  groups: dict[str, set[str]] = {}
  for one in found:
    for label in one.labels:
      groups.setdefault(label, set()).add(one.group)
  return dict(sorted(groups.items()))


def _groups_of_fold(found: Sequence[Recording]) -> set[str]:
  """The groups of the fold to evaluate on, no group being in two folds."""
  evaluated = set()
  for group, members in gathered(found, lambda one: one.group).items():
    folds = sorted({one.fold for one in members})
    if len(folds) > 1:
      raise InputError(f'group {group!r} is in the folds {" and ".join(folds)}')
    if folds == [FLAGS.eval_fold]:
      evaluated.add(group)
  return evaluated


def _hash(group: str) -> bytes:
  return hashlib.blake2b(_bytes(f'{FLAGS.seed}:{group}'), digest_size=8).digest()


def _bytes(name: str) -> bytes:
  """A name as it is on the disk, where it may be no UTF-8."""
  return name.encode(errors='surrogateescape')


def _without_number(label: str) -> str:
  """'001 - Dog bark' is the class Dog bark."""
  return re.sub(r'^\d+\s*-\s*', '', label)


def _mids(found: Sequence[Recording]) -> dict[str, str]:
  """The mid of each label, in the order of their classes."""
  labels = sorted({label for one in found for label in one.labels})
  if len(labels) < 2:
    raise InputError(f'{labels[0]!r} is the only class; there must be two or more')
  label_of: dict[str, str] = {}
  for label in labels:
    # A mid stands in quoted lists, between commas.
    mid = '/local/' + re.sub(r'\W+', '_', _without_number(label).lower()).strip('_')
    if mid == '/local/':
      raise InputError(f'the label {label!r} holds no letter or digit')
    if mid in label_of:
      raise InputError(f'the labels {label_of[mid]!r} and {label!r} are too much alike')
    label_of[mid] = label
  return {label: mid for mid, label in label_of.items()}


def _clip_ids(found: Sequence[Recording]) -> dict[str, str]:
  """An id for each recording, by its name and made of it."""

  def plain(one: Recording) -> str:
    text = re.sub(r'\W+', '-', os.path.splitext(one.name)[0])
    return text.strip('-')[:_LONGEST_ID] or 'clip'

  ids = {}
  for text, members in gathered(found, plain).items():
    for one in members:
      digest = hashlib.blake2b(_bytes(one.name), digest_size=4).hexdigest()
      ids[one.name] = text if len(members) == 1 else f'{text}-{digest}'
  return ids


def _link(
  folder: pathlib.Path, found: Sequence[Recording], clip_ids: dict[str, str]
) -> None:
  """Links to the recordings, named as clips that start at 0 ms."""
  folder.mkdir(exist_ok=True)
  for old in folder.iterdir():
    old.unlink()
  for one in found:
    name = f'{clip_ids[one.name]}_0{one.path.suffix.lower()}'
    (folder / name).symlink_to(one.path.resolve())


def _print_summary(
  folder: stage.StageFolder, sides: dict[str, Sequence[Recording]]
) -> None:
  counts = folder.counts
  print(
    f'{folder.path}: {counts["classes"]} classes; to train on '
    f'{counts["train_clips"]} clips of {counts["train_groups"]} groups, to evaluate on '
    f'{counts["eval_clips"]} of {counts["eval_groups"]}'
  )
  clips, groups = (
    counts[f'train_{kind}'] + counts[f'eval_{kind}'] for kind in ('clips', 'groups')
  )
  if FLAGS.group_pattern and clips == groups:
    print(
      f'note: --group_pattern={FLAGS.group_pattern} puts each recording in a group of '
      'its own, as without it; takes of one sound may be on both sides'
    )
  for label in sorted({label for one in sides['train'] for label in one.labels}):
    of_label = [
      sum(label in one.labels for one in sides[side]) for side in ('train', 'eval')
    ]
    print(f'  {label:30}{of_label[0]:6}{of_label[1]:6}')


if __name__ == '__main__':
  stage.run(main)
