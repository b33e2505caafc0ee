"""Wrong rows of label files: all of them in one error, or skipped and listed."""

import dataclasses
import itertools
import os
from collections.abc import Callable, Collection, Iterable, Sequence

import pandas as pd

from audioset_ml.core import csv_files
from audioset_ml.core.errors import LabelError, brief, counted, printable
from audioset_ml.core.paths import Path

WRONG_ROWS_FILE = 'skipped_labels.csv'

# How many faults an error shows; the rest are counted.
_ROWS_SHOWN = 10


@dataclasses.dataclass(frozen=True, order=True)
class WrongRow:
  """A row that can't be used: its file, its number from 1, and what is wrong."""

  path: str
  row: int
  what: str


class WrongRows:
  """Collects the wrong rows of label files.

  Attributes:
    skip: whether the rows are left out (True) or an error (False).
    found: the rows that were left out, file by file.
  """

  def __init__(self, skip: bool = False, remedy: str = ''):
    """Args: whether to skip wrong rows, and what else an error should advise."""
    self.skip = skip
    self._remedy = f'\n{remedy}' if remedy else ''
    self.found: list[WrongRow] = []
    self._pending: list[WrongRow] = []

  def add(
    self, path: str | os.PathLike, rows: Iterable[int], what: Iterable[str]
  ) -> None:
    """Notes wrong rows and what is wrong with each."""
    for row, text in zip(rows, what, strict=True):
      self._pending.append(WrongRow(str(path), int(row), printable(text)))

  def keep_known(
    self,
    path: str | os.PathLike,
    table: pd.DataFrame,
    column: str,
    known: Iterable[str],
    where: str = 'the class map',
    say: Callable[[str], str] | None = None,
  ) -> pd.DataFrame:
    """Leaves out, as wrong, the rows whose label in a column is not known.

    Args:
      path: the table's file.
      table: its rows, indexed by their numbers.
      column: the column with the labels.
      known: the labels there are.
      where: what says so.
      say: what is wrong with a label; by default that it is not in `where`.
    """
    right = table[column].isin(known)
    unknown = table.loc[~right, column]
    say = say or (lambda mid: f'label {brief(mid)} is not in {where}')
    texts = {mid: say(mid) for mid in unknown.unique()}
    what = [texts[mid] for mid in unknown]
    self.add(path, unknown.index, what)
    return table[right]

  def settle(self) -> None:
    """Ends the reading of a file.

    Raises:
      LabelError: rows are wrong and must not be; lists ten faults, counts the rest.
    """
    pending, self._pending = sorted(self._pending), []
    if self.skip:
      self.found += pending
    elif pending:
      raise LabelError(_message(pending) + self._remedy)


def write_wrong_rows(folder: Path, wrong_rows: Sequence[WrongRow]) -> None:
  """Lists the rows that were left out, if any, in skipped_labels.csv."""
  rows = [dataclasses.astuple(one) for one in wrong_rows]
  header = ('file', 'row', 'what')
  csv_files.write_csv_if_any(folder / WRONG_ROWS_FILE, header, rows)


def _message(wrong: list[WrongRow]) -> str:
  """The first wrong rows of each file, and how many more there are.

  Rows of which the same is wrong, one unknown label say, are one line.
  """
  parts = []
  for path, rows in itertools.groupby(wrong, key=lambda one: one.path):
    faults = list(rows)
    alike: dict[str, dict[int, None]] = {}  # the rows of each fault, each once
    for one in faults:
      alike.setdefault(one.what, {})[one.row] = None
    first = list(alike.items())[:_ROWS_SHOWN]
    shown = ''.join(f'\n  {_line(what, where)}' for what, where in first)
    told = {what for what, _ in first}
    more = sum(one.what not in told for one in faults)
    rest = f'\n  … and {more} more' if more > 0 else ''
    number = len({one.row for one in faults})
    parts.append(f'{path}: {counted(number, "wrong row")}{shown}{rest}')
  return '\n'.join(parts)


def _line(what: str, rows: Collection[int]) -> str:
  more = len(rows) - 1
  others = f' (and {counted(more, "more row")})' if more else ''
  return f'row {min(rows)}: {what}{others}'
