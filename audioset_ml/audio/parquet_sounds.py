"""Sounds in parquet files, in HuggingFace's form: structs with `bytes` and `path`.

Other columns say which clip a sound is of: `video_id` in copies of AudioSet.
"""

import contextlib
import functools
import json
import os
import threading
from collections.abc import Iterator, Mapping
from typing import Any

from audioset_ml.core import file_states, paths
from audioset_ml.core.errors import InputError, printable

# What says which clip a sound is, in a table's columns or beside a sound in JSON.
_NAME_FIELDS = ('clip_id', 'segment_id', 'filename', 'file_name', '__key__')
_ID_FIELDS = ('video_id', 'youtube_id', 'ytid', 'YTID', 'yt_id', 'id')
_START_FIELDS = ('start_time_seconds', 'start_seconds', 'start_time', 'start')
_GROUPS_KEPT = 2  # one for each thread that decodes
_lock = threading.Lock()


def name_of(fields: Mapping[str, Any]) -> str:
  """The clip's name, or its id alone, that a sound's description gives; '' for none.

  Args:
    fields: a row of a table, or what JSON beside a sound says.
  """
  texts = {name: value for name, value in fields.items() if isinstance(value, str)}
  video = next((texts[name] for name in _ID_FIELDS if texts.get(name)), '')
  if not video:
    name = next((texts[name] for name in _NAME_FIELDS if texts.get(name)), '')
    stem, suffix = os.path.splitext(os.path.basename(name))
    return stem if _is_ending(suffix) else stem + suffix
  start = next((fields[f] for f in _START_FIELDS if fields.get(f) is not None), None)
  try:
    return video if start is None else f'{video}_{round(float(start) * 1000)}'
  except (TypeError, ValueError, OverflowError):
    return video


def _is_ending(suffix: str) -> bool:
  """Whether what follows the last point of a name is no part of a number."""
  return suffix[1:].isalnum() and not suffix[1:].isdigit()


def read(path: str, group: int, row: int) -> bytes:
  """The bytes of a sound; none where its row has none.

  Raises:
    InputError, OSError: the file can't be read, or is another by now.
  """
  with _lock:
    found = _row_group(path, group, file_states.file_state(path))
  if row >= len(found):
    raise InputError(f'{printable(path)}: has changed since it was first read')
  return (found[row].as_py() or {}).get('bytes') or b''


def rows(path: str) -> Iterator[tuple[str, int, int, str]]:
  """The sounds of a parquet file: name, row group, row in it, the clip's name or ''.

  Raises:
    InputError: it can't be read, or holds no sound.
  """
  with _parquet(path) as table:
    schema = table.schema_arrow
    audio = _audio_column(path, schema)
    wanted = (*_ID_FIELDS, *_NAME_FIELDS, *_START_FIELDS)
    known = [name for name in wanted if name in schema.names]
    inner = {field.name for field in schema.field(audio).type}
    columns = [*known, *([f'{audio}.path'] if 'path' in inner else [])]
    for group in range(table.num_row_groups):
      number = table.metadata.row_group(group).num_rows
      found = table.read_row_group(group, columns) if columns else None
      table_rows = found.to_pylist() if found is not None else [{}] * number
      for row, fields in enumerate(table_rows):
        own = os.path.basename((fields.get(audio) or {}).get('path') or '')
        said = name_of(fields)
        # What is in the column is sound, whatever its name.
        has_ending = _is_ending(os.path.splitext(own)[1])
        name = own if has_ending else f'{own or f"row {row}"}.flac'
        yield name, group, row, said


def _audio_column(path: str, schema) -> str:
  import pyarrow as pa

  found = [
    field.name
    for field in schema
    if pa.types.is_struct(field.type) and 'bytes' in {f.name for f in field.type}
  ]
  if len(found) > 1:  # images, too
    said = _features(schema)
    sounds = [one for one in found if (said.get(one) or {}).get('_type') == 'Audio']
    sounds = sounds or [one for one in found if 'audio' in one.lower()] or found
    found = ['audio'] if 'audio' in sounds else sounds
  if len(found) > 1:
    raise InputError(
      f'{printable(path)}: several columns may be sound ({", ".join(found)}); keep one'
    )
  if found:
    return found[0]
  raise InputError(
    f'{printable(path)}: has no column of sounds, structs with bytes and path as '
    f'HuggingFace writes them; its columns are {", ".join(schema.names)}'
  )


def _features(schema) -> dict[str, Any]:
  """What HuggingFace says that columns are."""
  try:
    return json.loads((schema.metadata or {})[b'huggingface'])['info']['features']
  except (KeyError, TypeError, ValueError):
    return {}


@contextlib.contextmanager
def _parquet(path: str):
  """A parquet file; what is wrong with it is an InputError."""
  import pyarrow as pa
  import pyarrow.parquet

  with paths.as_path(path).open('rb') as file:
    try:
      yield pyarrow.parquet.ParquetFile(file)
    except (pa.ArrowException, UnicodeDecodeError) as error:
      raise InputError(
        f'{printable(path)}: damaged, or no parquet file ({error})'
      ) from None


@functools.lru_cache(_GROUPS_KEPT)
def _row_group(path: str, group: int, state: str):
  """The sounds of a row group, as structs with their bytes; state: of the file."""
  del state
  with _parquet(path) as table:
    audio = _audio_column(path, table.schema_arrow)
    return table.read_row_group(group, [f'{audio}.bytes']).column(0)
