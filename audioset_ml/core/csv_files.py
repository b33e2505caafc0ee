"""The tables of our folders: CSV files that are written whole, and read as written."""

import csv
import io
import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from audioset_ml.core.folders import write_atomically
from audioset_ml.core.paths import Path

if TYPE_CHECKING:
  import pandas as pd


def read_csv(
  path: str | os.PathLike, texts: Iterable[str] = ('mid', 'display_name')
) -> 'pd.DataFrame':
  """A table of one of our folders, its numbers as they were written.

  Args:
    path: the CSV file.
    texts: columns of text, where there are such: taken as they stand, for a class may
      be called `NA` and an axis have the value `None`.

  Raises:
    OSError, ValueError: it can't be read.
  """
  import pandas as pd

  # Not by pandas, which takes a minute to name 20,000 columns without names, and the
  # first cells of a row that is too long for its name.
  with open(path, newline='', encoding='utf-8-sig') as file:
    try:
      rows = csv.reader(file)
      columns = next(rows, [])
      wrong = next((row for row in rows if row and len(row) != len(columns)), None)
    except csv.Error as error:
      raise ValueError(str(error)) from error
  if not columns or '' in columns or len(set(columns)) < len(columns):
    raise ValueError('its header is empty, or not every column has a name of its own')
  if wrong is not None:
    raise ValueError(f'a row has {len(wrong)} cells, but there are {len(columns)}')
  texts = [name for name in texts if name in columns]
  missing = {name: ['', 'nan', 'NaN'] for name in columns if name not in texts}
  # From 3.1 on pandas is exact by itself, and the argument is deprecated.
  exact = {'float_precision': 'round_trip'} if pd.__version__ < '3.1' else {}
  return pd.read_csv(
    path,
    dtype=dict.fromkeys(texts, str),
    keep_default_na=False,
    na_values=missing,
    **exact,
  )


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence]) -> None:
  """Writes a CSV file with a header row, atomically."""
  text = io.StringIO()
  writer = csv.writer(text, lineterminator='\n')
  writer.writerow(header)
  writer.writerows(rows)
  write_atomically(path, text.getvalue())


def write_csv_if_any(path: Path, header: Sequence[str], rows: Sequence) -> None:
  """Writes a CSV file, or removes what an earlier, unfinished run left of it."""
  if rows:
    write_csv(path, header, rows)
  else:
    path.unlink(missing_ok=True)
