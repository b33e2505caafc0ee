"""From a finished folder to what its stage read: one run.json after the other.

A relative path is looked for from here, and from above the folder whose run named it.
Nothing is told of a folder that is not what was read, by its fingerprint: there may be
another one by now. Needs no TensorFlow.
"""

import dataclasses
import os
import pathlib
from typing import Any

from audioset_ml.core import folders, paths
from audioset_ml.core.errors import InputError, printable
from audioset_ml.core.input_files import read_json, read_text
from audioset_ml.core.run_content import FLAGS_FILE, INPUTS_FILE

# Fingerprints of a run's inputs, beside its run.json.
_INPUTS_FORM = {'inputs': {'*': (str, list, None)}}
_MOST_ABOVE = 4  # folders above a run's in which paths are looked for
_SHOWN_PARTS = 2  # of a path: what is above them is nobody's business


@dataclasses.dataclass(frozen=True)
class RunInput:
  """A folder, or a file, that a run read.

  Attributes:
    path: as the run's flags named it.
    place: where it is, as it was then; '' where it isn't.
    fault: why there is no such place.
  """

  path: str
  place: str = ''
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

  def paths_of(self, name: str) -> list[str]:
    """What the run read by a flag, as it was named; [] for nothing."""
    value = self.content.get('inputs', {}).get(name) or []
    listed = [value] if isinstance(value, str) else value
    return [path for path in listed if isinstance(path, str) and path]

  def names(self, name: str) -> list[str]:
    """The same for readers elsewhere; see `path_shown`."""
    return list(map(path_shown, self.paths_of(name)))

  def inputs(self, name: str) -> list[RunInput]:
    """The same, looked for."""
    listed, then = self.paths_of(name), self._fingerprints().get(name) or []
    then = [then] if isinstance(then, str) else then
    then = [*then, *[None] * (len(listed) - len(then))]
    return [self._find(path, state) for path, state in zip(listed, then, strict=False)]

  def with_short_paths(self, words: str) -> str:
    """Words in which the run's inputs have their names for readers elsewhere."""
    flags = self.content.get('inputs', {})
    named = [path for flag in flags for path in self.paths_of(flag)]
    for path in sorted(named, key=len, reverse=True):
      words = words.replace(path, path_shown(path))
    return words

  def _find(self, path: str, then: Any) -> RunInput:
    if paths.is_remote(path):
      return RunInput(path, fault='lies on another file system')
    above = pathlib.Path(os.path.abspath(self.path)).parents[:_MOST_ABOVE]
    places = dict.fromkeys([path, *(str(folder / path) for folder in above)])
    there = [place for place in places if os.path.exists(place)]
    for place in there:
      if folders.fingerprint(place) == then:
        return RunInput(path, place)
    where_or_what = 'what' if there else 'where'
    return RunInput(path, fault=f'is no longer {where_or_what} it was')

  def _fingerprints(self) -> dict[str, str | list | None]:
    """What the inputs were; {} where nothing says it."""
    try:
      return read_json(pathlib.Path(self.path) / INPUTS_FILE, _INPUTS_FORM)['inputs']
    except InputError:
      return {}


def path_shown(path: str | os.PathLike) -> str:
  """The last two parts of a path: those above may name people and machines."""
  parts = pathlib.PurePath(path).parts[-_SHOWN_PARTS:]
  return printable('/'.join(part for part in parts if part != '/'))


def _is_flag(line: str) -> bool:
  return line.startswith('--')


def _flag(line: str) -> tuple[str, str]:
  """A line of a flagfile: `--name=value`, or `--name` and `--noname` of a switch."""
  name, is_value, value = line.removeprefix('--').partition('=')
  if is_value:
    return name, value
  return (name[2:], 'false') if name.startswith('no') else (name, 'true')
