"""What `auto` became, in small files beside unfinished work.

Who goes on with that work, on another machine perhaps or with a later version, has to
go on as was begun.
"""

import pathlib
from collections.abc import Callable

from audioset_ml.core import folders


class AutoChoices:
  """The choices by which some work is done."""

  def __init__(self, *places: pathlib.Path):
    """Args: the folders where that work may lie, in the first of which choices are
    kept; none to keep nothing."""
    self._places = places
    self._settled: dict[str, str] = {}

  def settle(
    self, name: str, is_possible: Callable[[str], bool], choose: Callable[[], str]
  ) -> str:
    """The choice that was kept, or a new one.

    Args:
      name: the choice's, and its file's.
      is_possible: whether a text is such a choice: files get damaged.
      choose: makes a new one.
    """
    kept = filter(is_possible, (_read(place / name) for place in self._places))
    found = next(kept, None)
    self._settled[name] = choose() if found is None else found
    return self._settled[name]

  def keep(self) -> None:
    """Writes down what was settled, before the first work that goes by it is kept."""
    for name, value in self._settled.items():
      for place in self._places[:1]:
        if _read(place / name) != value:
          place.mkdir(exist_ok=True)
          folders.write_atomically(place / name, value)


def _read(path: pathlib.Path) -> str:
  return path.read_text(errors='replace') if path.is_file() else ''
