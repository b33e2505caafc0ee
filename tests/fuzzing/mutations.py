"""Damaged files from whole ones, by a seed: what disks, downloads and people do."""

import copy
import json
import struct

import numpy as np

# What sizes and counts in headers are set to.
_WORDS = (0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
_CHARACTERS = (
  '\t', ',', ';', '"', "'", '#', '\\', '\0', '\x1b[31m', '\r', '\n', '\x0b', '\x1c',
  '\x85', '\u2028', '\ufeff', 'é', 'e\u0301', '🦉', '/', '..', '[', '{', '}', ' ', '-',
)  # fmt: skip
_VALUES = (
  '', '0', '-1', '1e308', '1e-308', 'nan', 'inf', '-inf', '9' * 30, '0.5', '1,5',
  'None', 'null', 'true', '#NAME?', 'PRESENT', '/m/09x0r', '/m/nothing', '🦉',
)  # fmt: skip
_JSON_VALUES = (
  None, True, 0, -1, 1.5, 10**30, 10**400, float('nan'), float('inf'), -float('inf'),
  '', 'text', '../..', [], {}, [[]], [None], {'a': {}},
)  # fmt: skip


class Mutator:
  """Mutates; the same seed gives the same file."""

  def __init__(self, seed: int):
    self._random = np.random.default_rng(seed)

  def binary(self, data: bytes) -> bytes:
    """One to three changes of any bytes, headers preferred."""
    changed = bytearray(data)
    for _ in range(self._number(1, 4)):
      self._choose(
        self._flip, self._overwrite, self._clear, self._delete, self._insert,
        self._repeat, self._swap, self._cut, self._set_word,
      )(changed)  # fmt: skip
    return bytes(changed)

  def text(self, data: bytes) -> bytes:
    """One to three changes of lines, columns, characters; now and then of bytes."""
    if self._number(0, 6) == 0:
      return self.binary(data)
    lines = data.decode().split('\n')
    for _ in range(self._number(1, 4)):
      if len(lines) > 1:
        self._choose(
          self._drop_line, self._double_line, self._swap_lines, self._join_lines,
          self._change_cell, self._change_cell, self._change_character,
          self._change_character, self._long_line,
        )(lines)  # fmt: skip
    changed = '\n'.join(lines)
    encoding = self._choose(*['utf-8'] * 7, 'utf-8-sig', 'utf-16', 'utf-16-le')
    return changed.encode(encoding, errors='replace')

  def json(self, data: bytes) -> bytes:
    """Keys that go or get other values; now and then other text."""
    if self._number(0, 3) == 0:
      return self.text(data)
    content = json.loads(data)
    for _ in range(self._number(1, 3)):
      places = list(_places(content))
      if not places or self._number(0, 12) == 0:
        return json.dumps(self._choose(*_JSON_VALUES)).encode()
      holder, key = self._choose(*places)
      if self._number(0, 3) == 0:
        del holder[key]
      else:
        holder[key] = copy.deepcopy(self._choose(*_JSON_VALUES))
    return json.dumps(content).encode()

  def _number(self, low: int, high: int) -> int:
    return int(self._random.integers(low, max(high, low + 1)))

  def _choose(self, *options):
    return options[self._number(0, len(options))]

  def _place(self, data: bytearray) -> int:
    """Every other time among the first 200 bytes."""
    near = self._number(0, 2) == 0
    return self._number(0, min(len(data), 200) if near else len(data))

  def _length(self, data: bytearray) -> int:
    """From one byte to a tenth of the file, short ones as often as long ones."""
    longest = max(2, len(data) // 10)
    return int(np.exp(self._random.uniform(0, np.log(longest))))

  def _flip(self, data: bytearray) -> None:
    for _ in range(self._number(1, 9)):
      if data:
        data[self._place(data)] ^= 1 << self._number(0, 8)

  def _overwrite(self, data: bytearray) -> None:
    place, length = self._place(data), self._length(data)
    length = min(length, len(data) - place)
    data[place : place + length] = self._random.bytes(length)

  def _clear(self, data: bytearray) -> None:
    place, length = self._place(data), self._length(data)
    length = min(length, len(data) - place)
    data[place : place + length] = bytes([self._choose(0, 0xFF)]) * length

  def _delete(self, data: bytearray) -> None:
    place = self._place(data)
    del data[place : place + self._length(data)]

  def _insert(self, data: bytearray) -> None:
    place = self._place(data)
    data[place:place] = self._random.bytes(self._length(data))

  def _repeat(self, data: bytearray) -> None:
    start, place = self._place(data), self._place(data)
    data[place:place] = data[start : start + self._length(data)]

  def _swap(self, data: bytearray) -> None:
    first, second = sorted((self._place(data), self._place(data)))
    length = min(self._length(data), second - first)
    ours = data[first : first + length]
    data[first : first + length] = data[second : second + length]
    data[second : second + length] = ours

  def _cut(self, data: bytearray) -> None:
    del data[self._number(0, len(data)) :]

  def _set_word(self, data: bytearray) -> None:
    place, form = self._place(data), self._choose('<H', '>H', '<I', '>I', '<Q', '>Q')
    size = struct.calcsize(form)
    word = self._choose(*_WORDS) & (256**size - 1)
    if place + size <= len(data):
      data[place : place + size] = struct.pack(form, word)

  def _drop_line(self, lines: list[str]) -> None:
    del lines[self._number(0, len(lines))]

  def _double_line(self, lines: list[str]) -> None:
    line = lines[self._number(0, len(lines))]
    lines.insert(self._number(0, len(lines)), line)

  def _swap_lines(self, lines: list[str]) -> None:
    one, other = self._number(0, len(lines)), self._number(0, len(lines))
    lines[one], lines[other] = lines[other], lines[one]

  def _join_lines(self, lines: list[str]) -> None:
    place = self._number(0, len(lines) - 1)
    lines[place : place + 2] = [lines[place] + lines[place + 1]]

  def _change_cell(self, lines: list[str]) -> None:
    place = self._number(0, len(lines))
    separator = '\t' if '\t' in lines[place] else ','
    cells = lines[place].split(separator)
    column = self._number(0, len(cells))
    if self._number(0, 5) == 0:
      del cells[column]
    else:
      cells[column] = self._choose(*_VALUES)
    lines[place] = separator.join(cells)

  def _change_character(self, lines: list[str]) -> None:
    line = self._number(0, len(lines))
    text = lines[line]
    place = self._number(0, len(text))
    kept = text[place + self._number(0, 2) :]
    lines[line] = text[:place] + self._choose(*_CHARACTERS) + kept

  def _long_line(self, lines: list[str]) -> None:
    place = self._number(0, len(lines))
    lines[place] += self._choose('x', '"', ',', '🦉') * self._number(1, 100_000)


def _places(content):
  """Every place in JSON that holds a value: its list or object, and index or key."""
  keys = ()
  if isinstance(content, dict):
    keys = list(content)
  elif isinstance(content, list):
    keys = range(len(content))
  for key in keys:
    yield content, key
    yield from _places(content[key])
