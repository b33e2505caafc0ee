"""How a figure's lines look: by colour, dashes and marker, and what they are called."""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from audioset_ml.reporting import style

_COLORS = ('blue', 'vermilion', 'green', 'purple', 'ochre', 'black')
_DASHES = ('-', '--', '-.', ':', (0, (5, 1)), (0, (1, 1)))
_MARKERS = ('o', '^', 'D', 'v', 'P', 'X')


def looks(lines: Sequence[Mapping[str, str]]) -> list[dict[str, Any]]:
  """A look for each line, no two the same (of up to 216 lines).

  Up to six lines differ in colour, dashes and marker. More have one colour for each
  value of the axis that has the most, and dashes and marker by all others; where that
  axis has more values than there are colours, dashes and marker change with each round
  of the colours.

  Args:
    lines: the values of each one's axes.
  """
  count = len(_COLORS)
  if len(lines) <= count:
    return [_look(number, number) for number in range(len(lines))]
  values = _values(lines)
  axis = max(values, key=lambda one: len(values[one]))
  if len(values[axis]) > count:
    return [_look(number % count, number // count) for number in range(len(lines))]
  rest = [{**line, axis: ''} for line in lines]
  forms = [one for number, one in enumerate(rest) if one not in rest[:number]]
  return [
    _look(values[axis].index(line[axis]), forms.index(other))
    for line, other in zip(lines, rest, strict=True)
  ]


def _look(color: int, form: int) -> dict[str, Any]:
  """A colour with dashes and marker, which recur in another combination."""
  rounds, place = divmod(form, len(_DASHES))
  return {
    'color': style.COLORS[_COLORS[color]],
    'linestyle': _DASHES[place],
    'marker': _MARKERS[(place + rounds) % len(_MARKERS)],
  }


def _values(lines: Sequence[Mapping[str, str]]) -> dict[str, list[str]]:
  """The values of each axis, each once."""
  return {axis: list(dict.fromkeys(line[axis] for line in lines)) for axis in lines[0]}


def line_name(line: Mapping[str, str]) -> str:
  """A line's name: its values, with what each is of unless that is plain."""
  alone = len(line) == 1
  words = (
    value if alone and not re.fullmatch(r'[\d.= ]+', value) else f'{axis} {value}'
    for axis, value in line.items()
  )
  return ', '.join(words).replace('_', ' ')


def common_name(lines: Sequence[Mapping[str, str]]) -> str:
  """The name of several lines that are one curve: `number 100 = 1000`."""
  values = _values(lines)
  if math.prod(map(len, values.values())) == len(lines):
    return line_name({axis: ' = '.join(found) for axis, found in values.items()})
  return ' = '.join(map(line_name, lines))
