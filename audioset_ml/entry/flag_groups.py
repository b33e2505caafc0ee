"""Flags that fill configurations, each declared once, in groups as --help shows them.

A `Flag` names the field of the dataclass that it fills, and has the field's kind and
default: what --help says, what flags.txt holds and what the library does without a
flag can't drift apart. What is beside it, a flag's meaning, what it needs to have an
effect, whether it is a path, stands in the same place. A declaration touches no FLAGS;
an entry point defines the groups that it has.
"""

import dataclasses
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from absl import app, flags

from audioset_ml.entry import flag_help

FLAGS = flags.FLAGS
_OF_FIELD = object()


@dataclasses.dataclass(frozen=True)
class Need:
  """What a flag must find among the others to have an effect.

  Attributes:
    words: what, for people.
    is_met: whether it is there; takes FLAGS, which have each value by its name.
  """

  words: str
  is_met: Callable[[flags.FlagValues], object]


def given(name: str) -> Need:
  """That another flag is given."""
  return Need(f'--{name}', lambda values: values[name].value)


@dataclasses.dataclass(frozen=True)
class Flag:
  """A flag, and the field that it fills.

  Attributes:
    fills: the dataclass; None for what the entry point itself makes use of.
    name: the flag's.
    meaning: what --help says.
    field: the field, if it is called otherwise than the flag.
    default: if it is another than the field's; the flag's kind follows from it, and
      without any it is a text that must be given.
    choices: what a text may be; () for anything.
    least, most: what a number may be; None for any.
    repeatable: whether a list has a flag for each of its values, and no commas.
    parse: makes the field's value of the flag's.
    needs: without which it does nothing; None for nothing.
    is_input: whether it is the path, or a list of paths, of what the stage reads.
    is_passing: whether it changes how the stage runs, and not what it writes.
  """

  fills: type | None
  name: str
  meaning: str
  _: dataclasses.KW_ONLY
  field: str = ''
  default: Any = _OF_FIELD
  choices: Sequence[str] = ()
  least: float | None = None
  most: float | None = None
  repeatable: bool = False
  parse: Callable[[Any], Any] | None = None
  needs: Need | None = None
  is_input: bool = False
  is_passing: bool = False

  def __post_init__(self):
    object.__setattr__(self, 'field', self.field or self.name)
    if self.fills is None:
      if self.default is _OF_FIELD:
        raise ValueError(f'--{self.name}: a flag that fills nothing needs a default')
      return
    fields = {field.name: field for field in dataclasses.fields(self.fills)}
    if self.field not in fields:
      raise ValueError(f'--{self.name}: {self.fills.__name__} has no {self.field}')
    if self.default is _OF_FIELD:
      default = fields[self.field].default
      has_none = default is dataclasses.MISSING
      object.__setattr__(self, 'default', None if has_none else default)

  def define(self) -> None:
    """Defines it as a flag of the entry point that runs."""
    name, default, meaning = self.name, self.default, self.meaning
    if isinstance(default, bool):
      flags.DEFINE_bool(name, default, meaning)
    elif isinstance(default, int):
      flags.DEFINE_integer(name, default, meaning, self.least, self.most)
    elif isinstance(default, float):
      flags.DEFINE_float(name, default, meaning, self.least, self.most)
    elif isinstance(default, tuple):
      define_list = flags.DEFINE_multi_string if self.repeatable else flags.DEFINE_list
      define_list(name, [str(value) for value in default], meaning)
    elif self.choices:
      flags.DEFINE_enum(name, default, self.choices, meaning)
    else:
      flags.DEFINE_string(name, default, meaning)
    FLAGS.register_key_flag_for_module(sys.argv[0], FLAGS[name])
    if default is None:
      flags.mark_flag_as_required(name)

  @property
  def value(self) -> Any:
    """What the field is to be."""
    value = FLAGS[self.name].value
    if self.parse:
      return self.parse(value)
    return tuple(value) if isinstance(value, list) else value

  def refuse_if_idle(self) -> None:
    """Raises UsageError if it is given, and changes nothing beside the others."""
    flag = FLAGS[self.name]
    if not self.needs or not flag.present or flag.value == flag.default:
      return
    if not self.needs.is_met(FLAGS):
      raise app.UsageError(
        f'--{self.name} does nothing here: it needs {self.needs.words}'
      )


@dataclasses.dataclass(frozen=True)
class Group:
  """Flags that stand together.

  Attributes:
    title: their heading in --help; '' for none of their own.
    sentence: what a stranger to them should know.
    flags: they, in the order of --help.
  """

  title: str
  sentence: str
  flags: tuple[Flag, ...]

  def define(self) -> None:
    """Defines them as flags of the entry point that runs."""
    if self.title:
      flag_help.heading(self.title, self.sentence)
    for flag in self.flags:
      flag.define()


def all_flags(groups: Sequence[Group]) -> Iterator[Flag]:
  """The flags of all groups."""
  return (flag for group in groups for flag in group.flags)


def values(groups: Sequence[Group], fills: type) -> dict[str, Any]:
  """What the flags say of a configuration, by its fields."""
  return {flag.field: flag.value for flag in all_flags(groups) if flag.fills is fills}


def inputs(groups: Sequence[Group]) -> dict[str, Any]:
  """The paths that the stage reads, by the names of their flags."""
  return {
    flag.name: FLAGS[flag.name].value for flag in all_flags(groups) if flag.is_input
  }


def passing(groups: Sequence[Group]) -> tuple[str, ...]:
  """The names of the flags that change how the stage runs, not what it writes."""
  return tuple(flag.name for flag in all_flags(groups) if flag.is_passing)


def refuse_idle(groups: Sequence[Group]) -> None:
  """Raises UsageError for the first flag that is given and changes nothing.

  It would be a mistake that nobody notices.
  """
  for flag in all_flags(groups):
    flag.refuse_if_idle()
