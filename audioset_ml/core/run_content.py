"""What an output folder holds of a run, and the old content that is set aside for it.

`.inputs.json` says what the run started from. `.lock` keeps two processes apart.
`.replaced` holds what --overwrite set aside until the new content is finished,
`..replaced.partial` what it is just setting aside. A finished run that is brought up to
date is set aside, too, as links to its files, made in `..linked.partial`.
"""

import errno
import os
import pathlib
import shutil
from collections.abc import Sequence

from audioset_ml.core import folders, paths
from audioset_ml.core.paths import Path

FLAGS_FILE = 'flags.txt'
INPUTS_FILE = '.inputs.json'
LOCK_FILE = '.lock'
_REPLACED = '.replaced'
_LINKED = folders.partial_name('.linked')
BOOKKEEPING = {INPUTS_FILE, FLAGS_FILE}
# What is no content: our own, and what a kill leaves of the writing of it.
APART = {
  LOCK_FILE,
  _REPLACED,
  _LINKED,
  *map(folders.partial_name, (_REPLACED, *BOOKKEEPING, folders.RUN_FILE)),
}


def content(path: Path) -> list[Path]:
  """What is in a folder, in the order in which it may go.

  What says that all is there goes first, what says whose it is last: a kill in between
  leaves nothing that seems whole, or that seems nobody's.
  """
  ranks = {folders.RUN_FILE: -1, INPUTS_FILE: 1}
  found = [entry for entry in path.iterdir() if entry.name not in APART]
  return sorted(found, key=lambda entry: ranks.get(entry.name, 0))


def standing(path: Path) -> dict[str, Path]:
  """A folder's content by name, as if what is to be restored were: changes nothing."""
  found = {entry.name: entry for entry in content(path)}
  if not is_to_be_restored(path):
    return found
  if (aside := path / _REPLACED).exists():
    return {entry.name: entry for entry in content(aside)}
  return found | {entry.name: entry for entry in content(_moving(path))}


def is_to_be_restored(path: Path) -> bool:
  """Whether old content is set aside, or on its way, for a run that wrote nothing."""
  if is_set_aside(path):
    return not {entry.name for entry in content(path)} - BOOKKEEPING
  return _moving(path).exists()


def _moving(path: Path) -> Path:
  """Where content is on its way to be set aside, or back."""
  return path / folders.partial_name(_REPLACED)


def is_set_aside(path: Path) -> bool:
  """Whether old content is out of the way."""
  return (path / _REPLACED).exists()


def set_aside(path: Path) -> None:
  """Moves the content out of the way, until the new one is finished."""
  aside, moving = path / _REPLACED, _moving(path)
  if aside.exists():  # of a run that was killed: the oldest content is worth keeping
    delete(content(path))
    return
  moving.mkdir()
  for entry in content(path):
    entry.rename(moving / entry.name)
  moving.rename(aside)


def reopen(path: pathlib.Path) -> None:
  """Makes a finished run one that goes on, and sets aside what it holds.

  Its files stay where they are, and links to them are set aside: steps that hold are
  kept, and files that change must be written anew, not into.
  """
  aside, linked = path / _REPLACED, path / _LINKED
  if folders.is_finished(path) and not aside.exists():
    try:
      paths.delete_tree(linked)  # which a kill may have left
      linked.mkdir()
      for entry in content(path):
        _link_tree(entry, linked / entry.name)
      linked.rename(aside)
    except OSError:
      paths.delete_tree(linked)
      raise
  (path / folders.RUN_FILE).unlink(missing_ok=True)


def _link_tree(source: pathlib.Path, target: pathlib.Path) -> None:
  """Links a file, or all files of a folder; copies them where there are no links."""
  if source.is_dir() and not source.is_symlink():
    target.mkdir()
    for entry in source.iterdir():
      _link_tree(entry, target / entry.name)
    return
  try:
    os.link(source, target, follow_symlinks=False)
  except OSError as error:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
      raise
    shutil.copy2(source, target, follow_symlinks=False)


def discard(path: Path) -> None:
  """Deletes a run's content, so that the folder is as one that it had just entered."""
  delete([entry for entry in content(path) if entry.name not in BOOKKEEPING])


def restore(path: Path) -> None:
  """Brings back what was set aside, when the new run failed."""
  aside, moving = path / _REPLACED, _moving(path)
  if aside.exists():
    delete(content(path))
    aside.rename(moving)
  if moving.exists():
    for entry in reversed(content(moving)):
      entry.rename(path / entry.name)
    paths.delete_tree(moving)


def forget_replaced(path: Path) -> None:
  """Deletes what was set aside, when the new run has finished."""
  for aside in (path / _REPLACED, _moving(path), path / _LINKED):
    paths.delete_tree(aside)


def delete(entries: Sequence[Path]) -> None:
  """Deletes files and folders."""
  for entry in entries:
    paths.delete_tree(entry)
