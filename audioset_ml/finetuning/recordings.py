"""Recordings, and those of a folder with a subfolder a class."""

import collections
import dataclasses
import pathlib
import re
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import TypeVar

from audioset_ml.audio.decoding import AUDIO_SUFFIXES
from audioset_ml.core import paths
from audioset_ml.core.errors import InputError, counted, has_control, printable

ENDINGS = ' '.join(AUDIO_SUFFIXES)
_SHOWN = 5  # of many wrong files or rows
_Item = TypeVar('_Item')
_Key = TypeVar('_Key', bound=Hashable)


@dataclasses.dataclass(frozen=True)
class Recording:
  """A sound file and what was said of it.

  Attributes:
    path: where it is.
    name: how it is called: its path below the folder of recordings, or as the table
      has it.
    labels: what is to be heard in it.
    absent: what somebody said is not.
    unsure: what somebody could not tell.
    group: what it was cut from; '' where nothing says so.
    fold: its fold, or its side of a split; '' where nothing says so.
  """

  path: pathlib.Path
  name: str
  labels: tuple[str, ...]
  absent: tuple[str, ...] = ()
  unsure: tuple[str, ...] = ()
  group: str = ''
  fold: str = ''


@dataclasses.dataclass(frozen=True)
class Found:
  """What a folder or a table holds.

  Attributes:
    recordings: the recordings.
    mids: machine ids of labels that have some.
    notes: what a user should know, such as what was left out.
  """

  recordings: tuple[Recording, ...]
  mids: dict[str, str] = dataclasses.field(default_factory=dict)
  notes: tuple[str, ...] = ()


def in_subfolders(source: pathlib.Path) -> Found:
  """The recordings of a folder with a subfolder a class, at any depth in it.

  What is no sound by its ending, or lies in no subfolder, is left out and mentioned.

  Raises:
    InputError: there are no two subfolders, one holds no sounds, or names hold control
      characters.
  """
  here = [path for path in sorted(source.iterdir()) if not _is_hidden(path, source)]
  classes = [path for path in here if path.is_dir()]
  if len(classes) < 2:
    raise InputError(
      f'{source}: has {counted(len(classes), "subfolder")}, but a subfolder of '
      'recordings for each of at least two classes is needed (or a CSV with the '
      'columns file,label)'
    )
  recordings: list[Recording] = []
  outside = [path.name for path in here if not path.is_dir()]
  others: list[str] = []
  for folder in classes:
    files = [
      pathlib.Path(parent) / name
      for parent, names in paths.walk(folder)
      for name in names
    ]
    files = [path for path in files if not _is_hidden(path, source)]
    sounds = sorted(path for path in files if is_sound_name(path))
    _require_plain([folder, *sounds], source)
    if not sounds:
      raise InputError(
        f'{folder}: no sound files in it ({ENDINGS}); add some or remove the folder'
      )
    others += [
      path.relative_to(source).as_posix() for path in files if not is_sound_name(path)
    ]
    recordings += [
      Recording(path, path.relative_to(source).as_posix(), (folder.name,))
      for path in sounds
    ]
  notes = []
  if others:
    notes.append(
      f'left out: {counted(len(others), "file")} whose ending is none of sounds: '
      f'{some(others)}'
    )
  if outside:
    notes.append(
      f'left out: {counted(len(outside), "file")} in no subfolder of a class: '
      f'{some(outside)}'
    )
  return Found(tuple(recordings), notes=tuple(notes))


def _require_plain(files: Sequence[pathlib.Path], source: pathlib.Path) -> None:
  """Raises InputError if names hold what changes terminals or ends lines of tables."""
  for path in files:
    if found := has_control(path.relative_to(source).as_posix()):
      raise InputError(f'{printable(path)}: its name holds {found}; rename it')


def _is_hidden(path: pathlib.Path, source: pathlib.Path) -> bool:
  """Whether it is hidden, or an operating system's own."""
  parts = path.relative_to(source).parts
  return path.name.startswith('.') or any(map(paths.is_clutter, parts))


def is_sound_name(path: pathlib.Path) -> bool:
  """Whether a file has the ending of a sound that can be decoded."""
  return path.suffix.lower() in AUDIO_SUFFIXES


def gathered(
  items: Iterable[_Item], key: Callable[[_Item], _Key]
) -> dict[_Key, list[_Item]]:
  """Lists of the items with the same key."""
  lists = collections.defaultdict(list)
  for item in items:
    lists[key(item)].append(item)
  return dict(lists)


def class_name(label: str) -> str:
  """'001 - Dog bark' is the class Dog bark."""
  return re.sub(r'^\d+\s*-\s*', '', label)


def some(texts: Sequence[str], between: str = ', ') -> str:
  """The first few of many texts."""
  more = f' and {len(texts) - _SHOWN} more' if len(texts) > _SHOWN else ''
  return between.join(texts[:_SHOWN]) + more
