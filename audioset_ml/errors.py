"""The exceptions that mean "your input is wrong", not "this program is"."""

import re

# Also Unicode's own separators of lines, which many programs take for ends of lines.
CONTROL = '[\x00-\x1f\x7f-\x9f\u2028\u2029]'
_CONTROL = re.compile(CONTROL)
# What an error shows of a value, and the longest line that it has otherwise.
_VALUE_CHARACTERS, _LINE_CHARACTERS = 100, 1500


def printable(text: str) -> str:
  """Text in which what would change a terminal is escaped; lines stay lines."""
  if text.isprintable():
    return text
  return ''.join(
    one if one.isprintable() or one == '\n' else _escaped(one) for one in text
  )


def shown(value: object) -> str:
  """A value as messages show it: quoted, escaped, and cut where it is long."""
  text = str(value)
  if len(text) <= _VALUE_CHARACTERS:
    return repr(text)
  return f'{text[:_VALUE_CHARACTERS]!r}… ({len(text)} characters)'


def brief(text: str) -> str:
  """Text as it is; as `shown` where it is long."""
  return text if len(text) <= _VALUE_CHARACTERS else shown(text)


def has_control(text: str) -> str:
  """The control characters and line separators that a text holds, for a message.

  Names that hold some come apart where they are written in lines, and change terminals.
  '' if there are none.
  """
  found = dict.fromkeys(_CONTROL.findall(text))
  return ', '.join(f'the control character {_escaped(one)}' for one in found)


def _escaped(character: str) -> str:
  return character.encode('unicode_escape').decode()


def _cut(line: str) -> str:
  if len(line) <= _LINE_CHARACTERS:
    return line
  half = _LINE_CHARACTERS // 2
  return f'{line[:half]} … ({len(line) - 2 * half} characters) … {line[-half:]}'


class InputError(ValueError):
  """Something that the user gave can't be used; the message says what and why.

  The entry points print the message alone, without a traceback, and exit with 1. What
  stands in it of names and files is escaped, and cut where it is endless.
  """

  def __init__(self, message: object = ''):
    lines = printable(str(message)).split('\n')
    super().__init__('\n'.join(map(_cut, lines)))


class AudioError(InputError):
  """A sound file can't be decoded; the message names the file and what is wrong."""


class LabelError(InputError):
  """A label file, class map or label set is wrong; the message names file and row."""


class RecordError(InputError):
  """Records are missing, unfinished, damaged, or made for something else."""


class UnfinishedError(RecordError):
  """The work is not all done, or not well enough; what was written is worth keeping."""


class NothingUsableError(RecordError):
  """None of the inputs could be used: what was written is worth nothing."""


class ModelError(InputError):
  """A model or weights file can't be used here."""
