"""A sweep's grid: axes, and the stages' commands with an axis's value put in.

A trial is a point of the grid. It has a folder, named after its values, in which each
of its stages writes a folder. No TensorFlow here.
"""

import dataclasses
import itertools
import re
import shlex
from collections.abc import Iterable, Iterator, Sequence

from audioset_ml.core.errors import InputError

_NAME = re.compile(r'[A-Za-z_][A-Za-z0-9_]*')
_VALUE = re.compile(r'[A-Za-z0-9_.+-]+')
_PLACEHOLDER = re.compile(r'\{(\w*)\}')
TRIAL = 'trial'  # the placeholder of the trial's folder
_RESERVED = (TRIAL, 'status', 'seconds', 'message', 'commit')  # columns of results.csv
# The stages that write a folder.
_STAGES = tuple(
  [
    'soundscapes',
    'prepare',
    'train',
    'score',
    'import_scores',
    'enhance',
    'audit',
    'evaluate',
    'export',
    'describe',
  ]
)


@dataclasses.dataclass(frozen=True)
class Axis:
  """A name and the values that it takes, as text."""

  name: str
  values: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Stage:
  """A stage of each trial.

  Attributes:
    label: names its folder in the trial's; the stage's name unless told otherwise.
    name: the stage.
    arguments: its flags, with placeholders {axis} and {trial}.
  """

  label: str
  name: str
  arguments: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Condition:
  """Flags that a stage gets in some trials only.

  Attributes:
    values: the values, by axis, of the trials that it is about.
    label: the stage; '' for a condition without flags.
    arguments: its further flags.
  """

  values: dict[str, tuple[str, ...]]
  label: str = ''
  arguments: tuple[str, ...] = ()

  def holds(self, point: dict[str, str]) -> bool:
    return all(point[axis] in values for axis, values in self.values.items())


@dataclasses.dataclass(frozen=True)
class Trial:
  """A point of the grid.

  Attributes:
    name: its folder's name in the sweep's.
    point: its value of each axis.
    commands: its stages in order: label, stage name, arguments.
  """

  name: str
  point: dict[str, str]
  commands: tuple[tuple[str, str, tuple[str, ...]], ...]

  def lines(self) -> list[str]:
    """The commands as a shell takes them."""
    return [
      shlex.join(['python', '-m', f'audioset_ml.{name}', *arguments])
      for _, name, arguments in self.commands
    ]


def parse_axis(text: str) -> Axis:
  """`seed=1,2,3` as an axis.

  Raises:
    InputError: it is none, or a value can't be part of a folder's name.
  """
  name, sign, values = text.partition('=')
  found = tuple(value.strip() for value in values.split(','))
  if not sign or not _NAME.fullmatch(name) or name in _RESERVED:
    raise InputError(
      f'--axis={text}: should be NAME=VALUE,VALUE,… (seed=1,2,3), and NAME none of '
      f'{", ".join(_RESERVED)}{_quotes(text)}'
    )
  for value in found:
    if not _VALUE.fullmatch(value):
      raise InputError(
        f'--axis={text}: the value {value!r} must be of letters, digits and _ . + -, '
        'for it names folders'
      )
  if len(set(found)) < len(found):
    raise InputError(f'--axis={text}: a value stands twice')
  return Axis(name, found)


def _quotes(text: str) -> str:
  return '; a flagfile needs no quotes' if text[:1] in '"\'' else ''


def parse_stage(text: str) -> Stage:
  """`train --records=…` or `teacher:train --records=…` as a stage.

  Raises:
    InputError: there is no such stage.
  """
  words = _words(text, '--stage')
  label, sign, name = words[0].partition(':')
  name = name if sign else label
  if name not in _STAGES or not _NAME.fullmatch(label):
    raise InputError(
      f'--stage={text}: begins with {words[0]!r}, but should begin with one of '
      f'{", ".join(_STAGES)}, or with a name for its folder, a colon and one of them'
    )
  return Stage(label, name, tuple(words[1:]))


def parse_condition(text: str, axes: Sequence[Axis], flag: str) -> Condition:
  """`size=small;network=narrow: train --steps=200` as a condition.

  Raises:
    InputError: it is none, or names an axis or a value that isn't there.
  """
  where, sign, rest = text.partition(':')
  known, values = {axis.name: axis.values for axis in axes}, {}
  for part in where.split(';'):
    axis, equals, listed = part.strip().partition('=')
    values[axis] = tuple(value.strip() for value in listed.split(','))
    if not equals or axis not in known:
      raise InputError(
        f'{flag}={text}: {part.strip()!r} should be AXIS=VALUE,… with one of the axes '
        f'{", ".join(known)}'
      )
    if lacking := [value for value in values[axis] if value not in known[axis]]:
      raise InputError(f'{flag}={text}: the axis {axis} has no value {lacking[0]!r}')
  if not sign:
    return Condition(values)
  if flag == '--skip':
    raise InputError(f'{flag}={text}: takes no stage; --where gives one further flags')
  words = _words(rest, flag)
  return Condition(values, words[0], tuple(words[1:]))


def expand(
  axes: Sequence[Axis],
  stages: Sequence[Stage],
  where: Sequence[Condition],
  skip: Sequence[Condition],
  output_dir: str,
) -> list[Trial]:
  """All trials of a sweep, the last axis changing fastest.

  Args:
    axes: the axes.
    stages: each trial's stages, in order.
    where: flags for some trials.
    skip: points to leave out.
    output_dir: the sweep's folder.

  Raises:
    InputError: two axes or stages share a name, a placeholder or a condition names
      what isn't there, or no trial is left.
  """
  _require_distinct('--axis', (axis.name for axis in axes))
  _require_distinct('--stage', (stage.label for stage in stages))
  labels = [stage.label for stage in stages]
  for condition in where:
    if condition.label not in labels:
      raise InputError(
        f'--where: {condition.label!r} is none of the stages {", ".join(labels)}'
      )
  trials = []
  for values in itertools.product(*(axis.values for axis in axes)):
    point = {axis.name: value for axis, value in zip(axes, values, strict=True)}
    if not any(condition.holds(point) for condition in skip):
      trials.append(_trial(point, stages, where, output_dir))
  if not trials:
    raise InputError('--skip leaves no trial')
  _require_distinct('--axis: the folder of two trials', (one.name for one in trials))
  return trials


def _trial(
  point: dict[str, str],
  stages: Sequence[Stage],
  where: Sequence[Condition],
  output_dir: str,
) -> Trial:
  name = '-'.join(f'{axis}_{value}' for axis, value in point.items()) or TRIAL
  folder = f'{output_dir.rstrip("/")}/{name}'
  commands = []
  for stage in stages:
    arguments = list(stage.arguments)
    for condition in where:
      if condition.label == stage.label and condition.holds(point):
        arguments += condition.arguments
    filled = list(_filled(arguments, {**point, TRIAL: folder}))
    if not any(text.startswith('--output_dir=') for text in filled):
      filled.append(f'--output_dir={folder}/{stage.label}')
    commands.append((stage.label, stage.name, tuple(filled)))
  return Trial(name, point, tuple(commands))


def _filled(arguments: Iterable[str], values: dict[str, str]) -> Iterator[str]:
  for text in arguments:
    for name in _PLACEHOLDER.findall(text):
      if name not in values:
        raise InputError(
          f"{text}: there is no axis {name!r}; {{{TRIAL}}} stands for the trial's "
          f'folder, and the axes are {", ".join(n for n in values if n != TRIAL)}'
        )
    yield _PLACEHOLDER.sub(lambda found: values[found.group(1)], text)


def _words(text: str, flag: str) -> list[str]:
  try:
    words = shlex.split(text)
  except ValueError as error:
    raise InputError(f'{flag}={text}: cannot be taken apart ({error})') from error
  if not words:
    raise InputError(f'{flag}={text}: names no stage')
  for word in words[1:]:
    if not word.startswith('--'):
      raise InputError(f'{flag}={text}: {word!r} is no flag; write --flag=value')
  return words


def _require_distinct(flag: str, names: Iterable[str]) -> None:
  seen: set[str] = set()
  for name in names:
    if name in seen:
      raise InputError(f'{flag}: {name!r} stands twice')
    seen.add(name)
