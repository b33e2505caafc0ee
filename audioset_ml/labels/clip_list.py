"""A list of clips: which of many are to be used."""

import os
from collections.abc import Sequence

from audioset_ml import folders
from audioset_ml.errors import LabelError
from audioset_ml.labels import segments
from audioset_ml.labels.text_columns import read_lines
from audioset_ml.paths import as_path


def read_clip_list(path: str | os.PathLike) -> tuple[str, ...]:
  """Reads clip ids, each once, in their order.

  Args:
    path: a text file, a clip id (`<YouTube id>_<start in ms>`) a line; a segments CSV
      of AudioSet's form; a TSV whose first column is `segment_id`, as of strong labels;
      or a CSV whose first column is `clip_id`. Lines that start with `#` are passed
      over.

  Raises:
    LabelError: the file can't be read, or names no clips.
  """
  lines = read_lines(path)
  lines = lines[~lines.str.startswith('#')].str.strip()
  lines = lines[lines != '']
  first = lines.iloc[0] if len(lines) else ''
  if first.split('\t')[0] == 'segment_id':
    clips = lines.iloc[1:].str.split('\t').str[0]
  elif first.split(',')[0] == 'clip_id':
    clips = lines.iloc[1:].str.split(',').str[0].str.strip('"')
  elif lines.str.contains(',').any():
    clips = segments.read_weak_csv(path).clips['clip_id']
  else:
    clips = lines
  if clips.empty:
    raise LabelError(f'{path}: names no clips')
  return tuple(dict.fromkeys(clips.tolist()))


def write_clip_list(
  path: str | os.PathLike, clip_ids: Sequence[str], comment: str
) -> None:
  """Writes a list that `clip_list.read_clip_list` reads.

  Args:
    path: the file.
    clip_ids: the clips; written sorted.
    comment: what they are, one line.
  """
  lines = [f'# {comment}', *sorted(clip_ids)]
  folders.write_atomically(as_path(path), '\n'.join(lines) + '\n')
