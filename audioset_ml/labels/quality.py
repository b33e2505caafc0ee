"""AudioSet's label quality: of ten labels of each class, how many people confirmed."""

import csv
import io
import os

import pandas as pd

from audioset_ml.errors import LabelError
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.paths import as_path

COLUMNS = ('label_id', 'num_rated', 'num_true')


def read_quality_csv(path: str | os.PathLike, class_map: ClassMap) -> pd.DataFrame:
  """Reads AudioSet's `qa_true_counts.csv`.

  Args:
    path: the file.
    class_map: the classes; rows of others are left out.

  Returns:
    One row a class, in the class map's order: num_rated, num_true, quality (the share
    confirmed); NaN for classes that weren't rated.

  Raises:
    LabelError: the file can't be read, or a row isn't a mid and two counts, the second
      at most the first. Names the row.
  """
  try:
    rows = list(csv.reader(io.StringIO(as_path(path).read_text(encoding='utf-8-sig'))))
  except (OSError, UnicodeDecodeError) as error:
    raise LabelError(f'{path}: the label quality cannot be read ({error})') from error
  if not rows or tuple(cell.strip() for cell in rows[0]) != COLUMNS:
    raise LabelError(f'{path}: its first row must be {",".join(COLUMNS)}')
  counts = {}
  for number, row in enumerate(rows[1:], 2):
    if not row:
      continue
    numbers = [
      int(cell) for cell in row[1:] if cell.strip().isascii() and cell.strip().isdigit()
    ]
    if len(row) != 3 or len(numbers) != 2 or numbers[1] > numbers[0]:
      raise LabelError(
        f'{path}, row {number}: {",".join(row)!r} is no mid, number rated and number '
        'true (at most as many)'
      )
    if row[0].strip() in counts:
      raise LabelError(f'{path}, row {number}: {row[0].strip()} stands there twice')
    counts[row[0].strip()] = numbers
  table = pd.DataFrame.from_dict(
    counts, 'index', columns=list(COLUMNS[1:]), dtype=float
  )
  table = table.reindex(list(class_map.mids)).reset_index(drop=True)
  return table.assign(quality=table['num_true'] / table['num_rated'])
