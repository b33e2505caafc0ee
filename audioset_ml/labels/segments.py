"""AudioSet's weak label files: `YTID, start_seconds, end_seconds, "mid,mid"`.

Such as `eval_segments.csv`. Lines that start with `#` above the first row are headers
and may be missing. Files as spreadsheets and pandas leave them are read as well: other
separators, quotes around all fields, an index column, a header without `#`. A clip's id
is `<YouTube id>_<start in ms>`, as the strong files have it. Files whose rows name
sound files, as other data sets have them, are read by their header (`file_forms`).
"""

import dataclasses
import os
import re
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from audioset_ml.core import folders
from audioset_ml.core.errors import LabelError, shown
from audioset_ml.core.paths import as_path
from audioset_ml.labels import file_forms, label_names, segment_rows
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.labels.clip_ids import right_ids
from audioset_ml.labels.file_forms import FileForm
from audioset_ml.labels.text_columns import arrow, read_header, strings, times_of
from audioset_ml.labels.wrong_rows import WrongRows


@dataclasses.dataclass(frozen=True)
class Segments:
  """The clips of a weak label file and their labels.

  Attributes:
    clips: a row a clip: clip_id, start, end (s, in the recording that the clip is cut
      from; NaN for a whole file of unknown length). Its index is the row's number in
      the file.
    labels: a row a label, in the file's order: clip_id, mid; indexed likewise.
  """

  clips: pd.DataFrame
  labels: pd.DataFrame


def read_weak_csv(
  path: str | os.PathLike,
  class_map: ClassMap | None = None,
  wrong_rows: WrongRows | None = None,
) -> Segments:
  """Reads a weak segments CSV; two million rows in seconds.

  Args:
    path: the file. A clip without positive labels has `""` for them. Of a file of
      events (`file_forms`) each clip has the labels of its events.
    class_map: the classes a label may be of, by mid or by name; None allows any mid.
    wrong_rows: whether wrong rows are left out; None means they are errors. Of a row
      with a label that is not in the class map, only that label is left out.

  Raises:
    LabelError: the file is missing or holds no clips, or rows of it are wrong: no four
      columns, a time that is no number, an end before its start, a clip that stands
      twice, a mid that is not in the class map. Names file, row and value.
  """
  wrong_rows = wrong_rows or WrongRows()
  header = read_header(path)
  form = FileForm.of(header)
  if segment_rows.is_header(header):
    file_forms.require_certain(path, re.split('[\t,;"]', header))
  elif form and form.has_content:
    return _of_files(path, form, class_map, wrong_rows)
  layout, lines = segment_rows.find_rows(path, wrong_rows)
  fields = segment_rows.split_rows(layout, lines)
  unread = lines[~lines.index.isin(fields.index)]
  if fields.empty and len(unread) > 1:
    wrong_rows.settle()
    raise LabelError(
      f'{path}: none of its {len(lines)} rows is of the form {segment_rows.FORM}; the '
      f'first, row {unread.index[0]}, is {shown(unread.iloc[0])}'
    )
  wrong_rows.add(path, unread.index, [layout.fault(line) for line in unread])
  clips = _clips(path, fields, wrong_rows)
  lists = fields.loc[clips.index, 'labels']
  labels = _labels(lists, clips['clip_id'])
  if class_map and not set(labels['mid'].cat.categories) <= {'', *class_map.mids}:
    lists = label_names.lists_by_mid(lists, class_map)
    labels = _labels(lists, clips['clip_id'])
  empty = labels['mid'] == ''
  wrong_rows.add(
    path, labels.index[empty], ['an empty label'] * int(np.count_nonzero(empty))
  )
  labels = labels[~empty]
  if class_map is not None:
    labels = wrong_rows.keep_known(
      path,
      labels,
      'mid',
      class_map.mids,
      say=lambda label: label_names.fault(label, class_map),
    )
  wrong_rows.settle()
  if clips.empty:
    wrong = [one for one in wrong_rows.found if one.path == str(path)]
    first = f'; the first wrong row, {wrong[0].row}: {wrong[0].what}' if wrong else ''
    raise LabelError(
      f'{path}: holds no clips (rows of the form {segment_rows.FORM}){first}'
    )
  return Segments(clips, labels)


def _of_files(
  path: str | os.PathLike,
  form: FileForm,
  class_map: ClassMap | None,
  wrong_rows: WrongRows,
) -> Segments:
  """Reads a file whose rows name sound files."""
  table = form.rows(path, wrong_rows)
  clips = file_forms.clips_of(path, form, table, wrong_rows)
  table = table[table['clip_id'].isin(clips['clip_id'])]
  labels = file_forms.labels_of(path, form, table, class_map, wrong_rows)
  wrong_rows.settle()
  if clips.empty:
    raise LabelError(f'{path}: names no files')
  return Segments(clips, labels)


def write_weak_csv(
  path: str | os.PathLike,
  clip_ids: Sequence[str],
  mids: Sequence[Sequence[str]],
  clip_seconds: float = 10.0,
) -> None:
  """Writes a weak segments CSV with AudioSet's three header lines and quoted mids."""
  positives = [mid for labels in mids for mid in labels]
  youtube_ids = {clip_id.rpartition('_')[0] for clip_id in clip_ids}
  lines = [
    '# Segments csv created by audioset_ml',
    f'# num_ytids={len(youtube_ids)}, num_segs={len(clip_ids)}, '
    f'num_unique_labels={len(set(positives))}, num_positive_labels={len(positives)}',
    '# YTID, start_seconds, end_seconds, positive_labels',
  ]
  for clip_id, labels in zip(clip_ids, mids, strict=True):
    youtube_id, _, start_ms = clip_id.rpartition('_')
    start = int(start_ms) / 1000
    lines.append(
      f'{youtube_id}, {start:.3f}, {start + clip_seconds:.3f}, "{",".join(labels)}"'
    )
  folders.write_atomically(as_path(path), '\n'.join(lines) + '\n')


def _clips(
  path: str | os.PathLike, fields: pd.DataFrame, wrong_rows: WrongRows
) -> pd.DataFrame:
  """The clips of the rows that are right."""
  clips = times_of(path, fields, ('start', 'end'), wrong_rows)
  ids = right_ids(path, fields['id'], wrong_rows)
  clips = clips.loc[ids.index].dropna()
  reversed_ = clips[clips['end'] <= clips['start']]
  wrong_rows.add(
    path,
    reversed_.index,
    [
      f'ends at {end} s, not after its start at {start} s'
      for start, end in zip(reversed_['start'], reversed_['end'], strict=True)
    ],
  )
  clips = clips[clips['end'] > clips['start']]
  start_ms = pa.array(np.rint(clips['start'] * 1000).astype(np.int64))
  clip_ids = pc.binary_join_element_wise(
    arrow(ids[clips.index]),
    pc.cast(start_ms, pa.large_string()),
    pa.scalar('_', pa.large_string()),
  )
  clips.insert(0, 'clip_id', strings(clip_ids, clips.index))
  again = clips['clip_id'].duplicated()
  first = clips[~again & clips['clip_id'].isin(clips['clip_id'][again])]
  row_of = dict(zip(first['clip_id'], first.index, strict=True))
  wrong_rows.add(
    path,
    clips.index[again],
    [
      f'{clip} stands in row {row_of[clip]} already' for clip in clips['clip_id'][again]
    ],
  )
  return clips[~again]


def _labels(labels: pd.Series, clip_ids: pd.Series) -> pd.DataFrame:
  """One row a label; those that a clip lists twice once."""
  lists = pc.split_pattern(arrow(labels), ',')
  mids = pc.utf8_trim_whitespace(pc.list_flatten(lists))
  encoded = pc.dictionary_encode(mids)
  clip = pc.list_parent_indices(lists).to_numpy()
  table = pd.DataFrame(
    {
      'clip': clip,
      'mid': pd.Categorical.from_codes(
        encoded.indices.to_numpy(), encoded.dictionary.to_pylist()
      ),
    }
  ).drop_duplicates()
  # An empty list of labels splits into one empty label.
  empty = (labels == '').to_numpy(bool)
  table = table[~empty[table['clip']]]
  chosen = table['clip'].to_numpy()
  index = clip_ids.index[chosen]
  return pd.DataFrame(
    {
      'clip_id': clip_ids.iloc[chosen].set_axis(index),
      'mid': table['mid'].set_axis(index),
    }
  )
