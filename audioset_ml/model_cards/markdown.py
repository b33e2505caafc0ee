"""Tables and lists of a card, in Markdown."""

import re
from collections.abc import Iterable, Sequence

from audioset_ml.core.errors import printable

NOT_MEASURED = 'not measured'
# Underscores within words mean nothing.
_MARKS = re.compile(r'([\\`*\[\]<>|#]|(?<!\w)_|_(?!\w))')


def plain(words: object) -> str:
  """Names and other text from files as Markdown that means nothing but itself."""
  return _MARKS.sub(r'\\\1', printable(words))


def code(names: Iterable[str]) -> str:
  """Names as code, one after the other."""
  return ', '.join(f'`{name}`' for name in names)


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
  """A table; what is in its cells is plain text."""
  lines = [map(plain, header), ['---'] * len(header)]
  lines += [map(plain, row) for row in rows]
  return '\n'.join(f'| {" | ".join(cells)} |' for cells in lines)


def items(lines: Iterable[str]) -> str:
  """A list, of Markdown."""
  return '\n'.join(f'* {line}' for line in lines)
