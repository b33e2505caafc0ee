"""AudioSet's label quality: of ten labels of each class, how many people confirmed."""

import os
import re

import pandas as pd

from audioset_ml.core.errors import LabelError, shown
from audioset_ml.core.input_files import read_rows
from audioset_ml.labels.class_map import ClassMap

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
  counts = {}
  for number, row in read_rows(path, COLUMNS, 'the label quality', error=LabelError):
    numbers = [
      int(cell) for cell in row[1:] if len(cell) < 16 and re.fullmatch('[0-9]+', cell)
    ]
    if len(numbers) != 2 or numbers[1] > numbers[0]:
      raise LabelError(
        f'{path}, row {number}: {shown(",".join(row))} is no mid, number rated and '
        'number true (at most as many)'
      )
    if row[0] in counts:
      raise LabelError(f'{path}, row {number}: {shown(row[0])} stands there twice')
    counts[row[0]] = numbers
  table = pd.DataFrame.from_dict(
    counts, 'index', columns=list(COLUMNS[1:]), dtype=float
  )
  table = table.reindex(list(class_map.mids)).reset_index(drop=True)
  return table.assign(quality=table['num_true'] / table['num_rated'])
