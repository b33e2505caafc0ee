"""Sound files in tar and parquet files, read without unpacking.

Tar files as WebDataset has them (`key.flac` with `key.json`) or as folders are packed;
parquet files as HuggingFace has them (a column of structs with `bytes` and `path`).

Each sound in one has a path of its own, `<archive>#<start>+<size>/<name>`: where its
bytes are in a tar file, or its row group in a parquet file and its row in that.
"""

import json
import os
import posixpath
import re
import tarfile
from collections.abc import Callable, Iterator
from typing import BinaryIO

from audioset_ml.audio import parquet_sounds
from audioset_ml.core import paths
from audioset_ml.core.errors import InputError, agreeing, counted, printable

SUFFIXES = ('.tar', '.parquet')
_MEMBER = re.compile(
  r'(?P<archive>.+\.(?P<kind>tar|parquet))#(?P<start>\d+)\+(?P<size>\d+)/(?P<name>.*)',
  re.DOTALL | re.IGNORECASE,
)
_BLOCK = 512  # of tar files
_CHUNK = 1 << 20
_JSON_BYTES = 1 << 20
_TAR_ERRORS = (tarfile.TarError, ValueError, EOFError, OverflowError)
_COMPRESSED = (b'\x1f\x8b', b'BZ', b'\xfd7', b'\x28\xb5')  # gzip, bzip2, xz, zstd

# A file's name in its archive, its path, and the name that something beside it says.
Member = tuple[str, str, str]


def is_archive(path: str | os.PathLike) -> bool:
  """Whether a file is such an archive, by its name."""
  return os.fspath(path).lower().endswith(SUFFIXES)


def archive_of(path: str) -> str:
  """The archive that a path leads into; '' for that of a file of its own."""
  match = _MEMBER.fullmatch(path) if '#' in path else None
  return match['archive'] if match else ''


def place_in_table(path: str) -> tuple[str, int, int] | None:
  """Parquet file, row group and row of a sound; None if it is none of a parquet file.

  Rows are read a group at a time, so that neighbours should be read together.
  """
  match = _MEMBER.fullmatch(path) if '#' in path else None
  if match is None or match['kind'].lower() != 'parquet':
    return None
  return match['archive'], int(match['start']), int(match['size'])


def read_bytes(path: str | os.PathLike) -> bytes:
  """A file's bytes, wherever it is.

  Raises:
    OSError, ValueError: it can't be read.
  """
  text = os.fspath(path)
  match = _MEMBER.fullmatch(text) if '#' in text else None
  if match is None:
    return paths.as_path(path).read_bytes()
  start, size = int(match['start']), int(match['size'])
  if match['kind'].lower() == 'parquet':
    return parquet_sounds.read(match['archive'], start, size)
  with paths.as_path(match['archive']).open('rb') as file:
    file.seek(start)
    return file.read(size)


def members(path: str, on_damage: Callable[[str], object]) -> Iterator[Member]:
  """The files in an archive.

  Args:
    path: the archive.
    on_damage: told what is wrong with it, where not all of it can be read.
  """
  try:
    if path.lower().endswith('.parquet'):
      for name, group, row, said in parquet_sounds.rows(path):
        yield name, f'{path}#{group}+{row}/{name}', said
      return
    with paths.as_path(path).open('rb') as file:
      links: dict[str, str] = {}
      name = printable(path)
      yield from _described(path, _tar_files(file, on_damage, name, links))
      if links:
        files = _tar_files(file, lambda text: None, name, {})
        yield from _linked(path, files, links, on_damage)
  except OSError as error:
    on_damage(f'{printable(path)}: cannot be read ({error})')
  except InputError as error:
    on_damage(str(error))


def _tar_files(
  file: BinaryIO,
  on_damage: Callable[[str], object],
  name: str,
  links: dict[str, str],
) -> Iterator[tuple[str, int, int, bytes]]:
  """Name, start and size of each file in a tar file; and what it holds, if JSON.

  Several tar files in a row, as `cat` joins them, are one. Where links lead to goes
  into `links`.
  """
  size, start = file.seek(0, os.SEEK_END), 0
  if not size:
    on_damage(f'{name}: the file is empty (0 bytes)')
  while start < size:
    file.seek(start)
    try:
      with tarfile.open(fileobj=file, mode='r:') as tar:
        while (info := tar.next()) is not None:
          tar.members.clear()  # else millions are kept
          if info.isreg() and not info.issparse():
            yield info.name, info.offset_data, info.size, _json_of(file, info)
          elif info.islnk() or info.issym():
            folder = posixpath.dirname(info.name) if info.issym() else ''
            links[info.name] = posixpath.normpath(f'{folder}/{info.linkname}')
        end = tar.offset
      if end == start and file.seek(end) == end and file.read(_BLOCK).strip(b'\0'):
        raise tarfile.ReadError(f'no header at byte {start}')
    except _TAR_ERRORS as error:
      file.seek(0)
      if file.read(2) in _COMPRESSED:
        on_damage(f'{name}: is compressed, and not read; make a plain .tar of it')
      else:
        on_damage(f'{name}: damaged, or no tar file; what follows is lost ({error})')
      return
    if end >= size:
      on_damage(f'{name}: lacks the mark of its end; it may be cut off')
    start = _next_content(file, end)


def _linked(
  path: str,
  files: Iterator[tuple[str, int, int, bytes]],
  links: dict[str, str],
  on_damage: Callable[[str], object],
) -> Iterator[Member]:
  """The files that links lead to, under the links' names."""
  targets = {target.lstrip('/') for target in links.values()}
  places = {
    target: (start, size)
    for name, start, size, _ in files
    if (target := posixpath.normpath(name).lstrip('/')) in targets
  }
  broken = []
  for name, target in links.items():
    if place := places.get(target.lstrip('/')):
      yield from _members_of(path, [(name, *place)], '')
    else:
      broken.append(name)
  if broken:
    first = printable(broken[0])
    links, lead = counted(len(broken), 'link'), agreeing(len(broken), 'lead')
    on_damage(f'{printable(path)}: {links} ({first}) {lead} to no file in it')


def _json_of(file: BinaryIO, info: tarfile.TarInfo) -> bytes:
  if not info.name.lower().endswith('.json') or info.size > _JSON_BYTES:
    return b''
  file.seek(info.offset_data)
  return file.read(info.size)


def _next_content(file: BinaryIO, start: int) -> int:
  """Where the next block is that isn't all zeros, or the file's end."""
  file.seek(start)
  while chunk := file.read(_CHUNK):
    left = chunk.lstrip(b'\0')
    if left:
      return start + (len(chunk) - len(left)) // _BLOCK * _BLOCK
    start += len(chunk)
  return start


def _described(
  path: str, files: Iterator[tuple[str, int, int, bytes]]
) -> Iterator[Member]:
  """The files, each with what the JSON of the same name beside it says it is."""
  waiting: list[tuple[str, int, int]] = []
  key = said = ''
  for name, start, size, content in files:
    if key_of(name) != key:
      yield from _members_of(path, waiting, said)
      waiting, said, key = [], '', key_of(name)
    waiting.append((name, start, size))
    if content:
      said = _name_in_json(content)
  yield from _members_of(path, waiting, said)


def _members_of(
  path: str, files: list[tuple[str, int, int]], said: str
) -> Iterator[Member]:
  for name, start, size in files:
    yield name, f'{path}#{start}+{size}/{name}', said


def key_of(name: str) -> str:
  """A file's name without its endings, of which WebDataset has several: .audio.wav."""
  return re.sub(r'(?<=[^/])(\.[A-Za-z]\w*)+$', '', os.path.splitext(name)[0])


def _name_in_json(content: bytes) -> str:
  try:
    fields = json.loads(content)
  except (ValueError, RecursionError):
    return ''
  for inner in (fields, fields.get('original_data') if isinstance(fields, dict) else 0):
    if isinstance(inner, dict) and (name := parquet_sounds.name_of(inner)):
      return name
  return ''
