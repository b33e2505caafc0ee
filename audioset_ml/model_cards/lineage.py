"""From a finished folder to what its stage read: one run.json after the other.

Nothing is told of a folder that is no longer what was read: a relative path may lead
to another one by now. Needs no TensorFlow.
"""

import dataclasses
import os
import pathlib
from typing import Any

from audioset_ml.core import folders, paths
from audioset_ml.core.errors import InputError, printable
from audioset_ml.core.input_files import read_json, read_text
from audioset_ml.core.run_state import FLAGS_FILE

# Fingerprints of a run's inputs, beside its run.json; `core.run_state` writes it.
_INPUTS_FILE = '.inputs.json'
_INPUTS_FORM = {'inputs': {'*': (str, list, None)}}
_SHOWN_PARTS = 2  # of a path: what is above them is nobody's business


@dataclasses.dataclass(frozen=True)
class RunInput:
  """A folder, or a file, that a run read.

  Attributes:
    path: as the run's flags named it.
    fault: why it can't be told what it was; '' where it is there as it was then.
  """

  path: str
  fault: str = ''

  @property
  def name(self) -> str:
    """The path for readers elsewhere; see `path_shown`."""
    return path_shown(self.path)


@dataclasses.dataclass(frozen=True)
class FinishedRun:
  """What a finished folder says of its run.

  Attributes:
    path: the folder.
    content: its run.json.
    flags: the stage's flags by name, as its flags.txt says them; {} where a stage's
      work was done by another one, as in `finetune`.
  """

  path: str
  content: dict[str, Any]
  flags: dict[str, str]

  @classmethod
  def read(cls, path: str | os.PathLike, *stages: str) -> 'FinishedRun':
    """Reads a folder that one of some stages has finished.

    Raises:
      InputError: there is none, or its files can't be read.
    """
    content = folders.read_run(path, stages)
    file = pathlib.Path(path) / FLAGS_FILE
    lines = read_text(file).splitlines() if file.is_file() else []
    return cls(str(path), content, dict(map(_flag, filter(_is_flag, lines))))

  @property
  def counts(self) -> dict[str, Any]:
    """What the stage counted."""
    return self.content.get('counts', {})

  def inputs(self, name: str) -> list[RunInput]:
    """What the run read by a flag; [] for nothing."""
    value = self.content.get('inputs', {}).get(name) or []
    listed = [value] if isinstance(value, str) else value
    then = self._fingerprints().get(name) or []
    then = [then] if isinstance(then, str) else then
    then += [None] * (len(listed) - len(then))
    return [
      RunInput(path, _fault(path, state))
      for path, state in zip(listed, then, strict=False)
      if isinstance(path, str) and path
    ]

  def with_short_paths(self, words: str) -> str:
    """Words in which the run's inputs have their names for readers elsewhere."""
    named = [
      one for flag in self.content.get('inputs', {}) for one in self.inputs(flag)
    ]
    for one in sorted(named, key=lambda one: -len(one.path)):
      words = words.replace(one.path, one.name)
    return words

  def _fingerprints(self) -> dict[str, str | list | None]:
    """What the inputs were; {} where nothing says it."""
    try:
      return read_json(pathlib.Path(self.path) / _INPUTS_FILE, _INPUTS_FORM)['inputs']
    except InputError:
      return {}


def path_shown(path: str | os.PathLike) -> str:
  """The last two parts of a path: those above may name people and machines."""
  parts = pathlib.PurePath(path).parts[-_SHOWN_PARTS:]
  return printable('/'.join(part for part in parts if part != '/'))


def _fault(path: str, then: Any) -> str:
  if paths.is_remote(path):
    return 'lies on another file system'
  if not os.path.exists(path):
    return 'is no longer where it was'
  return '' if folders.fingerprint(path) == then else 'is no longer what it was'


def _is_flag(line: str) -> bool:
  return line.startswith('--')


def _flag(line: str) -> tuple[str, str]:
  """A line of a flagfile: `--name=value`, or `--name` and `--noname` of a switch."""
  name, is_value, value = line.removeprefix('--').partition('=')
  if is_value:
    return name, value
  return (name[2:], 'false') if name.startswith('no') else (name, 'true')
