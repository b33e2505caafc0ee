"""The recordings of a folder, or of a CSV: their labels, groups, folds and lengths."""

import collections
import csv
import dataclasses
import functools
import hashlib
import os
import pathlib
import re
from collections.abc import Callable, Iterable, Sequence

from audioset_ml.audio.decoding import AUDIO_SUFFIXES, sound_seconds
from audioset_ml.errors import AudioError, InputError
from audioset_ml.labels.clip_ids import normal
from audioset_ml.paths import is_clutter

_REQUIRED, _OPTIONAL = ('file', 'label'), ('group', 'fold')
_SHOWN = 5  # of many wrong files or rows
_ENDINGS = ' '.join(AUDIO_SUFFIXES)


@dataclasses.dataclass(frozen=True)
class Recording:
  """A sound file.

  Attributes:
    path: where it is.
    name: its path below the folder of recordings.
    labels: what is to be heard in it.
    group: what it was cut from; '' where nothing says so.
    fold: its fold; '' where nothing says so.
  """

  path: pathlib.Path
  name: str
  labels: tuple[str, ...]
  group: str = ''
  fold: str = ''


def in_subfolders(source: pathlib.Path) -> list[Recording]:
  """The recordings of a folder with a subfolder a class, at any depth in it.

  Files with other endings than those of sounds are left out and mentioned.

  Raises:
    InputError: there are no two subfolders, or one holds no sounds.
  """
  classes = sorted(p for p in source.iterdir() if p.is_dir() and not _is_hidden(p))
  if len(classes) < 2:
    raise InputError(
      f'{source}: has {len(classes)} subfolders, but a subfolder for each of at least '
      'two classes is needed (or --labels_csv)'
    )
  recordings, others = [], []
  for folder in classes:
    files = sorted(p for p in folder.rglob('*') if p.is_file() and not _is_hidden(p))
    sounds = [path for path in files if is_sound_name(path)]
    if not sounds:
      raise InputError(
        f'{folder}: no sound files in it ({_ENDINGS}); add some or remove the folder'
      )
    others += [str(path) for path in files if not is_sound_name(path)]
    for path in sounds:
      name = path.relative_to(source).as_posix()
      recordings.append(Recording(path, name, (folder.name,)))
  if others:
    print(
      f'left out {len(others)} files, whose endings are none of {_ENDINGS}: '
      f'{some(others)}'
    )
  return recordings


def listed(source: pathlib.Path, table: str) -> list[Recording]:
  """The recordings that a CSV lists: columns file, label and perhaps group and fold.

  A file with several labels has several rows.

  Args:
    source: the folder that the files are named in.
    table: the CSV.

  Raises:
    InputError: rows are wrong or name files that are missing; they are named.
  """
  wrong: list[str] = []
  files: dict[str, Recording] = {}
  spelled = functools.cache(lambda: _spellings(source))
  for number, row in _read_rows(table):
    name = os.path.normpath(row['file'])
    if not (source / name).is_file():
      name = spelled().get(normal(name), name)
    group, fold = row.get('group', ''), row.get('fold', '')
    new = Recording(source / name, name, (row['label'],), group, fold)
    old = files.setdefault(name, new)
    if not new.path.is_file():
      wrong.append(f'row {number}: no file {new.path}')
    elif not is_sound_name(new.path):
      wrong.append(f'row {number}: the ending of {name} is none of {_ENDINGS}')
    elif (old.group, old.fold) != (group, fold):
      wrong.append(f'row {number}: {name} has another group or fold in a row above')
    elif old is not new and row['label'] in old.labels:
      wrong.append(f'row {number}: {name} has the label {row["label"]!r} already')
    elif old is not new:
      files[name] = dataclasses.replace(old, labels=old.labels + new.labels)
  if wrong:
    raise InputError(f'{table}: {some(wrong, "; ")}')
  if not files:
    raise InputError(f'{table}: lists no files')
  return list(files.values())


def _spellings(source: pathlib.Path) -> dict[str, str]:
  """The files below a folder, by how a list made elsewhere may spell them (NFC)."""
  names = (p.relative_to(source).as_posix() for p in source.rglob('*') if p.is_file())
  return {normal(name): name for name in sorted(names)}


def _read_rows(path: str) -> list[tuple[int, dict[str, str]]]:
  """The rows of a CSV with their numbers, no cell empty."""
  try:
    with open(path, newline='', encoding='utf-8-sig') as file:
      reader = csv.DictReader(file, skipinitialspace=True)
      rows = [(reader.line_num, row) for row in reader]
  except (OSError, UnicodeDecodeError, csv.Error) as error:
    raise InputError(f'{path}: cannot be read ({error})') from error
  columns = reader.fieldnames or []
  if not set(_REQUIRED) <= set(columns) <= {*_REQUIRED, *_OPTIONAL}:
    raise InputError(
      f'{path}: its first row must be file,label and, if wanted, group and fold, but '
      f'is {",".join(columns)!r}'
    )
  for number, row in rows:
    if None in row or not all((cell or '').strip() for cell in row.values()):
      raise InputError(f'{path}, row {number}: needs {len(columns)} cells, none empty')
  return [(n, {key: cell.strip() for key, cell in row.items()}) for n, row in rows]


def with_matches(
  recordings: Sequence[Recording], field: str, pattern: str
) -> list[Recording]:
  """The recordings, their group or fold found by a pattern in the file's name.

  Args:
    recordings: the recordings, in which the field is empty.
    field: 'group' or 'fold'.
    pattern: a regular expression; its first parenthesis counts, or all of it.

  Raises:
    InputError: a CSV has given the field already, the pattern is none, or finds
      nothing.
  """
  flag = f'--{field}_pattern'
  if any(getattr(recording, field) for recording in recordings):
    raise InputError(f'the CSV has a column {field}: leave out {flag}')
  found = []
  for recording in recordings:
    try:
      match = re.search(pattern, recording.path.name)
    except re.error as error:
      raise InputError(f'{flag}={pattern}: no regular expression ({error})') from error
    text = match and (match[1] if match.re.groups else match[0])
    if not text:
      raise InputError(
        f'{flag}={pattern} finds nothing in the name of {recording.path}'
      )
    found.append(dataclasses.replace(recording, **{field: text}))
  return found


def lengths(recordings: Sequence[Recording]) -> dict[str, float]:
  """The length of each recording by its name (s), decoded: as `prepare` measures it.

  Raises:
    InputError: files are no sound, or hold none; they are named.
  """
  seconds, wrong = {}, []
  for recording in recordings:
    try:
      seconds[recording.name] = sound_seconds(recording.path)
    except AudioError as error:
      # The message begins with the path, as the others' do.
      wrong.append(str(error))
      continue
    if seconds[recording.name] < 0.001:
      wrong.append(f'{recording.path}: less than a millisecond')
  if wrong:
    raise InputError(f'{len(wrong)} files are no sound: {some(wrong, "; ")}')
  return seconds


def with_copies_grouped(recordings: Sequence[Recording]) -> list[Recording]:
  """The recordings, groups that share a file's content made one group."""
  of_size = gathered(recordings, lambda r: r.path.stat().st_size)
  suspects = [r for alike in of_size.values() if len(alike) > 1 for r in alike]
  of_content = gathered(
    suspects, lambda r: hashlib.sha256(r.path.read_bytes()).digest()
  )
  joined_to: dict[str, str] = {}

  def final(group: str) -> str:
    while group in joined_to:
      group = joined_to[group]
    return group

  for copies in of_content.values():
    first, *rest = sorted({final(r.group) for r in copies})
    joined_to.update(dict.fromkeys(rest, first))
  if joined_to:
    print(f'{len(joined_to)} groups were joined to others that hold the same file')
  return [dataclasses.replace(r, group=final(r.group)) for r in recordings]


def _is_hidden(path: pathlib.Path) -> bool:
  """Whether it is hidden, or an operating system's own."""
  return path.name[0] == '.' or is_clutter(path.name)


def is_sound_name(path: pathlib.Path) -> bool:
  """Whether a file has the ending of a sound that can be decoded."""
  return path.suffix.lower() in AUDIO_SUFFIXES


def gathered(items: Iterable, key: Callable) -> dict:
  """Lists of the items with the same key."""
  lists = collections.defaultdict(list)
  for item in items:
    lists[key(item)].append(item)
  return lists


def some(texts: Sequence[str], between: str = ', ') -> str:
  """The first few of many texts."""
  more = f' and {len(texts) - _SHOWN} more' if len(texts) > _SHOWN else ''
  return between.join(texts[:_SHOWN]) + more
