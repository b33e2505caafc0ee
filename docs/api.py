"""The Python API as a page: what `audioset_ml` offers, its signatures and docstrings.

The code is read, not imported, so that annotations stand as they were written and
TensorFlow isn't needed.
"""

import ast
import inspect
import pathlib
import re
from collections.abc import Callable, Iterator

ROOT = pathlib.Path(__file__).resolve().parent.parent
PACKAGE = 'audioset_ml'
PAGE = 'reference/api'
# What functions of the package take and give, beside what it offers by name.
_TYPES = {
  'models.trained': ('TrainedModel',),
  'models.waveform_loading': ('OpenedWaveformModel',),
  'models.tagging': ('FileTags',),
  'models.sound_scores': ('ScoredBlock',),
  'streaming': ('StreamScores',),
  'labels.class_map': ('ClassMap',),
  'audio.front_end': ('FrontEnd',),
  'records.frames': ('FrameFormat',),
  'records.augment_config': ('AugmentConfig',),
}
_ERRORS = 'core.errors'
_HEAD = """# Python API

What [`import audioset_ml`](python.md) offers, and what that takes and gives. All else
is the package's own and may change. Shapes stand in square brackets. A model is named
as in [the stages](../how-to/tag.md#models-and-weights). What a user can mend is an
`InputError`.
"""
# Of docstrings.
_SECTION = re.compile(r'(Args|Attributes|Returns|Raises):')
_TITLES = {'Args': 'Parameters'}  # what other sections are called stays
_ITEM = re.compile(r'([\w.*]+(?:, [\w.*]+)*): (.*)')
_PRIVATE = '_'

Definition = ast.FunctionDef | ast.ClassDef


def page(prose: Callable[[str], str]) -> str:
  """The page.

  Args:
    prose: makes Markdown of a docstring's words.
  """
  parts = [_HEAD]
  offered = list(_definitions(offered_names()))
  for title, kind in ('Functions', ast.FunctionDef), ('Classes', ast.ClassDef):
    parts.append(f'## {title}')
    found = [one for one in offered if isinstance(one[1], kind)]
    for _, node in sorted(found, key=lambda one: one[1].name):
      parts.append(_object(node, PACKAGE, prose))
  parts.append('## What they take and give')
  parts += [_object(n, f'{PACKAGE}.{m}', prose) for m, n in _definitions(_TYPES)]
  parts.append('## Errors')
  errors = [node for node in _module(_ERRORS).body if isinstance(node, ast.ClassDef)]
  parts += [_object(node, f'{PACKAGE}.{_ERRORS}', prose) for node in errors]
  return '\n\n'.join(parts) + '\n'


def offered_names() -> dict[str, tuple[str, ...]]:
  """What the package offers: names by module, as its imports for type checkers say."""
  tree = ast.parse((ROOT / PACKAGE / '__init__.py').read_text())
  (block,) = (
    node
    for node in tree.body
    if isinstance(node, ast.If) and ast.unparse(node.test) == 'TYPE_CHECKING'
  )
  return {
    node.module.removeprefix(f'{PACKAGE}.'): tuple(alias.name for alias in node.names)
    for node in block.body
  }


def _module(name: str) -> ast.Module:
  return ast.parse((ROOT / PACKAGE / f'{name.replace(".", "/")}.py').read_text())


def _definitions(
  names: dict[str, tuple[str, ...]],
) -> Iterator[tuple[str, Definition]]:
  """The definition of each name, with its module."""
  for module, wanted in names.items():
    there = {
      node.name: node
      for node in _module(module).body
      if isinstance(node, ast.FunctionDef | ast.ClassDef)
    }
    for name in wanted:
      if name not in there:
        raise SystemExit(f'error: {PACKAGE}.{module}: defines no {name}')
      yield module, there[name]


def _object(node: Definition, place: str, prose: Callable[[str], str]) -> str:
  """A function, or a class with its public methods, as Sphinx's own directives."""
  kind = 'class' if isinstance(node, ast.ClassDef) else 'function'
  lines = [f'````{{py:{kind}}} {place}.{node.name}{_signature(node)}']
  if kind == 'class' and node.bases:
    bases = ', '.join(f'`{ast.unparse(base)}`' for base in node.bases)
    lines.append(f'\nA kind of {bases}.')
  lines.append(_markdown(ast.get_docstring(node) or '', prose))
  for method in _methods(node):
    of = {ast.unparse(one) for one in method.decorator_list}
    if of & {'property', 'functools.cached_property'}:
      returns = f'\n:type: {ast.unparse(method.returns)}' if method.returns else ''
      lines.append(f'```{{py:property}} {method.name}{returns}\n')
    else:
      option = '\n:classmethod:' if 'classmethod' in of else ''
      option = '\n:staticmethod:' if 'staticmethod' in of else option
      lines.append(f'```{{py:method}} {method.name}{_signature(method)}{option}\n')
    lines += [_markdown(ast.get_docstring(method) or '', prose), '```']
  return '\n'.join([*lines, '````'])


def _methods(node: Definition) -> list[ast.FunctionDef]:
  """Public ones with a docstring; a field of a dataclass is none."""
  return [
    one
    for one in node.body
    if isinstance(node, ast.ClassDef)
    and isinstance(one, ast.FunctionDef)
    and not one.name.startswith(_PRIVATE)
    and ast.get_docstring(one)
  ]


def _signature(node: Definition) -> str:
  if isinstance(node, ast.FunctionDef):
    found = node.args
    bound = [one.arg for one in found.args[:1]] in (['self'], ['cls'])
    found.args = found.args[bound:]
    for one in (*found.posonlyargs, *found.args, *found.kwonlyargs):
      one.annotation = _unquoted(one.annotation)
    returns = _unquoted(node.returns)
    return f'({ast.unparse(found)})' + (
      f' -> {ast.unparse(returns)}' if returns else ''
    )
  for one in node.body:
    if isinstance(one, ast.FunctionDef) and one.name == '__init__':
      return _signature(one).removesuffix(' -> None')
  fields = [one for one in node.body if isinstance(one, ast.AnnAssign)]
  return f'({", ".join(map(_field, fields))})' if fields else ''


def _unquoted(annotation: ast.expr | None) -> ast.expr | None:
  """An annotation that stands in quotes, without them."""
  if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
    return ast.parse(annotation.value, mode='eval').body
  return annotation


def _field(field: ast.AnnAssign) -> str:
  """A dataclass's field as its constructor takes it; … is a default that is made."""
  text = f'{ast.unparse(field.target)}: {ast.unparse(_unquoted(field.annotation))}'
  if field.value is None:
    return text
  made = isinstance(field.value, ast.Call)
  return f'{text} = {"..." if made else ast.unparse(field.value)}'


def _markdown(docstring: str, prose: Callable[[str], str]) -> str:
  """A docstring of Google's style; its sections become lists of definitions."""
  lines = []
  for block in re.split(r'\n\n', inspect.cleandoc(docstring)):
    first, *rest = block.splitlines()
    if section := _SECTION.fullmatch(first):
      text = inspect.cleandoc('\n'.join(['', *rest])).strip()
      lines += [
        '',
        f'**{_TITLES.get(section[1], section[1])}**',
        '',
        _items(text, prose),
      ]
    else:
      lines += ['', *map(prose, block.splitlines())]
  return '\n'.join([*lines, ''])


def _items(text: str, prose: Callable[[str], str]) -> str:
  """Lines `name: what it is`, with indented lines that go on; or a plain paragraph."""
  found: list[str] = []
  for line in text.splitlines():
    item = _ITEM.fullmatch(line)
    if item and not line.startswith(' '):
      found += ['', f'`{item[1]}`', f': {prose(item[2])}']
    else:
      is_further = bool(found) and found[0] == ''
      found.append(('  ' if is_further else '') + prose(line.strip()))
  return '\n'.join(found)
