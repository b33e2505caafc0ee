"""The sounds that `tag` is given, and the names of what it writes. No TensorFlow."""

import glob
import os
import re
import sys
from collections.abc import Sequence

from audioset_ml.audio import decoding, ffmpeg
from audioset_ml.audio.sound_file import SoundFile
from audioset_ml.core import folders, paths
from audioset_ml.core.errors import AudioError, InputError, counted, printable
from audioset_ml.labels.clip_ids import normal

_SHOWN = 3  # files in a note
NAME = '{}'  # in the name of an output, stands for that of the sound
STRONG, AUDACITY, CSV = '.tsv', '.txt', '.csv'
EVENT_ENDINGS = (STRONG, AUDACITY, CSV)
# What follows the name of a page in that of its sound, which is no recording.
PAGE_SOUND = '.mp3'
_OF_PAGES = f'.html{PAGE_SOUND}'
# How the first line of what `tag` writes begins, by the ending.
_FIRST_LINES = {
  STRONG: re.compile(r'segment_id\t'),
  AUDACITY: re.compile(r'[\d.]+\t[\d.]+\t'),
  CSV: re.compile('file,start,end,'),
  '.html': re.compile('<!doctype html>', re.IGNORECASE),
}


def find_sounds(arguments: Sequence[str]) -> tuple[list[str], list[AudioError]]:
  """The sound files that are meant, each once, and what is wrong with arguments.

  Args:
    arguments: files; folders, for all sound files in them, at any depth; and patterns
      (`recordings/*.wav`, `**` for any depth) that a shell has left alone.
  """
  found: dict[str, str] = {}  # as it was named, by its path
  errors = []
  for argument in arguments:
    if paths.is_remote(argument):
      found[argument] = argument
      continue
    names = [argument]
    if glob.has_magic(argument) and not os.path.exists(argument):
      names = sorted(glob.glob(argument, recursive=True))
      if not names:
        errors.append(AudioError(f'{argument}: no file is named like this'))
    for name in names:
      try:
        for path in _sounds_in(name) if os.path.isdir(name) else [name]:
          found.setdefault(os.path.normpath(path), path)
      except AudioError as error:
        errors.append(error)
  usable = []
  for path in found.values():
    try:
      require_sound(path)
      usable.append(path)
    except AudioError as error:
      errors.append(error)
  return usable, errors


def _sounds_in(folder: str) -> list[str]:
  """The sounds in a folder; the files that are none by their endings are told of."""
  there = [
    os.path.join(parent, name)
    for parent, names in paths.walk(folder)
    for name in names
    if not name.lower().endswith(_OF_PAGES)
    and not any(
      paths.is_clutter(part)
      for part in (*os.path.relpath(parent, folder).split(os.sep), name)
    )
  ]
  files = [path for path in there if ending_of(path) in decoding.AUDIO_SUFFIXES]
  if not files:
    raise AudioError(f'{folder}: a folder without sound files')
  others = sorted(path for path in set(there) - set(files) if not _is_hidden(path))
  if others:
    more = f' and {len(others) - _SHOWN} more' if len(others) > _SHOWN else ''
    named = ', '.join(
      printable(os.path.relpath(path, folder)) for path in others[:_SHOWN]
    )
    left_out = f'{counted(len(others), "file")} whose ending is none of sounds'
    print(f'note: {folder}: left out: {left_out}: {named}{more}', file=sys.stderr)
  return files


def _is_hidden(path: str) -> bool:
  return os.path.basename(path).startswith('.')


def require_sound(path: str) -> None:
  """Raises AudioError if a file on disk can be seen not to hold sound."""
  if paths.is_remote(path):
    return
  decoding.require_file(path)
  if os.path.isfile(path):  # a pipe can be read but once
    with ffmpeg.opened(SoundFile.at(path)):
      pass


def require_outputs(flag: str, path: str, files: Sequence[str], one: bool) -> None:
  """Raises InputError unless an output's name fits the sounds.

  Args:
    flag: for messages.
    path: the output's name; '' for none.
    files: the sounds.
    one: whether the output is of one sound.
  """
  if not path:
    return
  if NAME not in path:
    _require_no_others(flag, path, files)
    if one and len(files) > 1:
      stem, ending = os.path.splitext(path)
      raise InputError(
        f'--{flag}={path}: is of one sound, but there are {len(files)}; put {NAME} '
        f'where their names are to stand: {stem}_{NAME}{ending}'
      )
    folders.require_writable(path)
    return
  written: dict[str, str] = {}
  for file in files:
    name = output_of(path, file)
    if name in written:
      raise InputError(
        f'--{flag}={path}: {written[name]} and {file} would both be written to {name}; '
        'tag them one after the other, into folders of their own'
      )
    written[name] = file
    _require_no_others(flag, name, files)
    folders.require_writable(name)


def _require_no_others(flag: str, path: str, sounds: Sequence[str]) -> None:
  """Raises InputError if an output would take the place of a sound, or of a file that
  `tag` did not write."""
  if not os.path.isfile(path):
    return
  for sound in sounds:
    if os.path.exists(sound) and os.path.samefile(path, sound):
      raise InputError(f'--{flag}: would be written over the sound {sound}')
  pattern = _FIRST_LINES.get(ending_of(path))
  if pattern is None or not os.path.getsize(path):
    return
  with open(path, encoding='utf-8', errors='replace') as file:
    first = file.read(100)
  if not pattern.match(first):
    raise InputError(
      f'{path}: is there already and not of `tag`, so --{flag} does not replace it; '
      'name another path, or move the file away'
    )


def require_ids(path: str, files: Sequence[str]) -> None:
  """Raises InputError if two sounds would have the same id in a strong TSV."""
  ids: dict[str, str] = {}
  for file in files:
    clip_id = clip_id_of(file)
    if clip_id in ids:
      raise InputError(
        f'--events={path}: {ids[clip_id]} and {file} would both be clip {clip_id}; '
        f'write .csv, or a file a sound (put {NAME} into its name)'
      )
    ids[clip_id] = file


def output_of(path: str, sound: str) -> str:
  """The output's name for a sound."""
  return path.replace(NAME, os.path.splitext(os.path.basename(sound))[0])


def clip_id_of(sound: str) -> str:
  """The id under which `prepare --audio_dir` finds a sound: its name."""
  return normal(os.path.splitext(os.path.basename(sound))[0])


def ending_of(path: str) -> str:
  """A name's ending, in small letters, with its dot."""
  return os.path.splitext(path)[1].lower()
