"""What --help says: the stage's docstring, then its flags under headings."""

import dataclasses
import inspect
import sys
import textwrap

from absl import flags

FLAGS = flags.FLAGS
_WIDTH = 80
_INDENT = ' ' * 6
# What absl adds to the help of flags that may be given several times.
_OF_LISTS = '; repeat this option to specify a list of values'
_SHORT = 45  # characters of an enumeration that stands beside its flag


@dataclasses.dataclass(frozen=True)
class _Heading:
  title: str
  sentence: str
  before: frozenset[str]  # the flags that were defined before it


_headings: list[_Heading] = []


def heading(title: str, sentence: str = '') -> None:
  """Begins a group: the flags defined from here on stand under it in --help.

  Args:
    title: in a word or some.
    sentence: what a stranger to these flags should know.
  """
  _headings.append(_Heading(title, sentence, frozenset(FLAGS)))


def text() -> str:
  """The help of the entry point that runs, of each group those first that it needs."""
  own = {flag.name for flag in FLAGS.get_key_flags_for_module(sys.argv[0])}
  names = [name for name in FLAGS if name in own]  # as they were defined
  parts = [inspect.cleandoc(sys.modules['__main__'].__doc__ or '')]
  first = 'Where it goes' if _headings else 'Flags'
  groups = [_Heading(first, '', frozenset()), *_headings]
  for group, following in zip(groups, [*groups[1:], None], strict=True):
    here = [name for name in names if name not in group.before]
    if following is not None:
      here = [name for name in here if name in following.before]
    if here:
      sentence = [textwrap.fill(group.sentence, _WIDTH)] if group.sentence else []
      lines = [_described(FLAGS[name]) for name in sorted(here, key=_is_optional)]
      parts.append('\n'.join([f'{group.title}:', *sentence, *lines]))
  parts.append('--flagfile=FILE reads flags from a file; --version says what runs.')
  return '\n\n'.join(parts)


def _described(flag: flags.Flag) -> str:
  """The flag with its values and default; below it what it means."""
  name, default, meaning = f'--{flag.name}', _default(flag), flag.help
  if flag.boolean:
    name = f'--[no]{flag.name}'
  if isinstance(flag.parser, flags.EnumParser):
    values = [value for value in flag.parser.enum_values if value]
    meaning = flag.help.partition('>: ')[2]  # absl begins with them: <a|b>: …
    if len('|'.join(values)) < _SHORT:
      name += f'={"|".join(values)}'
    else:
      meaning = f'{", ".join(values)}. {meaning}'
  if isinstance(flag.parser, flags.ListParser):
    name += '=…,…'
  if not _is_optional(flag.name):
    name += '  (needed)'
  elif default:
    name += f'  (default {default})'
  if isinstance(flag, flags.MultiFlag):
    name += '  (may be given several times)'
  form = {'initial_indent': _INDENT, 'subsequent_indent': _INDENT}
  meaning = ' '.join(meaning.split()).removesuffix(_OF_LISTS)
  return f'  {name}\n' + textwrap.fill(meaning, _WIDTH, break_on_hyphens=False, **form)


def _default(flag: flags.Flag) -> str:
  """The default as one would give it; '' for none."""
  if flag.boolean:
    return 'yes' if flag.default else 'no'
  values = flag.default if isinstance(flag.default, list) else [flag.default]
  return ','.join(str(value) for value in values if value is not None)


def _is_optional(name: str) -> bool:
  asked = (getattr(one, 'message', '') or '' for one in FLAGS[name].validators)
  return not any('must have a value' in message for message in asked)
