"""The folders of a source folder: which class each holds recordings of."""

import pathlib
import re
from collections.abc import Iterable

from audioset_ml.audio.decoding import AUDIO_SUFFIXES
from audioset_ml.core.errors import InputError, has_control, printable
from audioset_ml.core.input_files import read_rows
from audioset_ml.core.paths import is_clutter
from audioset_ml.labels.clip_ids import normal
from audioset_ml.synthesis.sound_classes import SOUND_CLASSES, SoundClass

_COLUMNS = ('folder', 'mid', 'display_name')


def class_folders(source_dir: pathlib.Path) -> list[pathlib.Path]:
  """The folders in a source folder, by name; files beside them are ignored.

  So are hidden ones and those that operating systems leave.

  Raises:
    InputError: there is no such folder, or none in it.
  """
  if not source_dir.is_dir():
    raise InputError(f'{source_dir}: no such folder (--source_dir)')
  folders = sorted(
    path
    for path in source_dir.iterdir()
    if path.is_dir() and not path.name.startswith('.') and not is_clutter(path.name)
  )
  if not folders:
    raise InputError(
      f'{source_dir}: no folders in it; --source_dir needs a folder of recordings for '
      'each class'
    )
  return folders


def classes_of_folders(
  folders: Iterable[pathlib.Path], source_classes: str
) -> dict[pathlib.Path, SoundClass]:
  """The class of each folder.

  It is taken from `source_classes`; else the folder's name, without its leading number
  ('001 - '), is looked up among the parametric classes' names; else it is a class of
  its own with the mid '/local/<name>'. Folders of one mid are one class. A class of
  the table has its family; all others are each other's neighbours.

  Args:
    folders: the folders.
    source_classes: CSV with the columns folder, mid, display_name; empty for none.

  Raises:
    InputError: the CSV is wrong, or a folder's name holds no letter or digit.
  """
  listed = _read_source_classes(source_classes) if source_classes else {}
  by_mid = {item.mid: item for item in SOUND_CLASSES}
  by_name = {item.name.lower(): item for item in SOUND_CLASSES}
  classes = {}
  for folder in folders:
    name = printable(re.sub(r'^\d+\s*-\s*', '', folder.name).strip())
    if normal(folder.name) in listed:
      mid, name = listed[normal(folder.name)]
    elif name.lower() in by_name:
      mid, name = by_name[name.lower()].mid, by_name[name.lower()].name
    else:
      mid = '/local/' + re.sub(r'[^a-z0-9]+', '_', name.lower()).strip('_')
    if mid == '/local/':
      raise InputError(f'{folder}: its name gives no class name; rename the folder')
    family = by_mid[mid].family if mid in by_mid else 'local'
    classes[folder] = SoundClass(mid, name, family)
  unknown = sorted(set(listed) - {normal(folder.name) for folder in classes})
  if unknown:
    raise InputError(
      f'{source_classes}: there is no folder {unknown[0]!r} in the source folder'
    )
  return classes


def _read_source_classes(path: str) -> dict[str, tuple[str, str]]:
  """Mid and display name by folder name."""
  listed: dict[str, tuple[str, str]] = {}
  for number, cells in read_rows(path, _COLUMNS, 'the table of classes'):
    if hidden := has_control(cells[1]) or has_control(cells[2]):
      raise InputError(f'{path}, row {number}: holds {hidden}; remove it')
    if not all(cells):
      raise InputError(f'{path}, row {number}: needs a folder, a mid and a name')
    if set(cells[1]) & set(',"'):  # stands in AudioSet's quoted "mid,mid" lists
      raise InputError(f'{path}, row {number}: a comma or quote in mid {cells[1]!r}')
    if normal(cells[0]) in listed:
      raise InputError(f'{path}, row {number}: folder {cells[0]!r} stands twice')
    listed[normal(cells[0])] = (cells[1], cells[2])
  return listed


def sound_files(folder: pathlib.Path) -> list[pathlib.Path]:
  """The sound files in a folder, by name.

  Raises:
    InputError: there are none.
  """
  files = sorted(
    path
    for path in folder.iterdir()
    if path.suffix.lower() in AUDIO_SUFFIXES and not path.name.startswith('.')
  )
  if not files:
    raise InputError(
      f'{folder}: no recordings in it ({" ".join(AUDIO_SUFFIXES)}); add some or '
      'remove the folder'
    )
  return files
