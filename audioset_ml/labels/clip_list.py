"""A list of clips: which of many are to be used."""

import os

from audioset_ml.errors import LabelError
from audioset_ml.labels import segments
from audioset_ml.labels.text_columns import read_lines


def read_clip_list(path: str | os.PathLike) -> tuple[str, ...]:
  """Reads clip ids, each once, in their order.

  Args:
    path: a text file, a clip id (`<YouTube id>_<start in ms>`) a line; a segments CSV
      of AudioSet's form; or a CSV whose first column is `clip_id`. Lines that start
      with `#` are passed over.

  Raises:
    LabelError: the file can't be read, or names no clips.
  """
  lines = read_lines(path)
  lines = lines[~lines.str.startswith('#')].str.strip()
  lines = lines[lines != '']
  if lines.empty:
    raise LabelError(f'{path}: names no clips')
  if lines.iloc[0].split(',')[0] == 'clip_id':
    clips = lines.iloc[1:].str.split(',').str[0].str.strip('"')
  elif lines.str.contains(',').any():
    clips = segments.read_weak_csv(path).clips['clip_id']
  else:
    clips = lines
  return tuple(dict.fromkeys(clips.tolist()))
