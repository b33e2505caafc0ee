"""The exceptions that mean "your input is wrong", not "this program is"."""

import errno
import os
import re
import unicodedata

# Also Unicode's own separators of lines, which many programs take for ends of lines.
CONTROL = '[\x00-\x1f\x7f-\x9f\u2028\u2029]'
_CONTROL = re.compile(CONTROL)
_FULL = (errno.ENOSPC, errno.EDQUOT)
# What an error shows of a value, and the longest line that it has otherwise.
_VALUE_CHARACTERS, _LINE_CHARACTERS = 100, 1500
_OF_ONE = {'are': 'is', 'were': 'was', 'have': 'has', 'do': 'does'}


def printable(value: object) -> str:
  """Text, or a path, for people: what can't be seen, or would change a terminal, is
  escaped, ends of lines too.

  Names on disk are bytes, and those that are no UTF-8 can't be printed.
  """
  text = str(value)
  return text if text.isprintable() else ''.join(map(_visible, text))


def counted(number: int, noun: str, verb: str = '') -> str:
  """1 clip, 2 classes, 12,345 clips; with `verb`, which is that of many: 1 clip is."""
  plural = 'es' if noun.endswith(('s', 'x', 'ch', 'sh')) else 's'
  text = f'{number:,} {noun if number == 1 else noun + plural}'
  return f'{text} {agreeing(number, verb)}' if verb else text


def agreeing(number: int, verb: str) -> str:
  """A verb (are, were, have, stand) as it is after so many."""
  return _OF_ONE.get(verb, f'{verb}s') if number == 1 else verb


def _visible(letter: str) -> str:
  is_blank = unicodedata.category(letter) == 'Zs'
  return letter if letter.isprintable() or is_blank else escaped(letter)


def escaped(letter: str) -> str:
  """A character as Python spells it, and a byte of a name that is no UTF-8 as such."""
  code = ord(letter)
  if 0xDC80 <= code <= 0xDCFF:  # how Python writes such a byte
    return f'\\x{code - 0xDC00:02x}'
  return letter.encode('unicode_escape').decode()


def shown(value: object) -> str:
  """A value as messages show it: quoted, escaped, and cut where it is long."""
  text = str(value)
  if len(text) <= _VALUE_CHARACTERS:
    return repr(text)
  return f'{text[:_VALUE_CHARACTERS]!r}… ({len(text)} characters)'


def brief(text: str) -> str:
  """Text as it is; as `shown` where it is long."""
  return text if len(text) <= _VALUE_CHARACTERS else shown(text)


def first_line(error: Exception) -> str:
  """An error's kind and first line: texts of TensorFlow and Keras fill pages."""
  text = str(error).strip()
  told = text.splitlines()[0] if text else 'no more is known'
  return f'{type(error).__name__}: {told}'


def is_of_full_disk(error: Exception) -> bool:
  """Whether there was no room to write, or no more is allowed."""
  # Of TensorFlow's and NumPy's errors the text alone tells.
  told = (os.strerror(errno.ENOSPC), os.strerror(errno.EDQUOT), 'is the disk full')
  text = str(error)
  return getattr(error, 'errno', None) in _FULL or any(one in text for one in told)


def remedy(error: Exception) -> str:
  """What to do about a path that the system refuses, for a message."""
  other = 'name another path'
  return f'free room, or {other}' if is_of_full_disk(error) else other


def has_control(text: str) -> str:
  """The control characters and line separators that a text holds, for a message.

  Names that hold some come apart where they are written in lines, and change terminals.
  '' if there are none.
  """
  found = dict.fromkeys(_CONTROL.findall(text))
  return ', '.join(f'the control character {escaped(one)}' for one in found)


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
    lines = map(printable, str(message).split('\n'))
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
