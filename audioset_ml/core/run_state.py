"""What state an output folder is in: new, half done, finished, or another run's.

What a run started from, its flags and fingerprints of its inputs, is in `.inputs.json`;
what else there is, `run_content` says. After a kill at any point the same call goes on,
and every other finds the old content as it was, unless the new run has written
something: what is set aside for a run that has not is brought back first.
"""

import contextlib
import dataclasses
import datetime
import os
import time
from collections.abc import Iterator, Sequence
from typing import Any

import audioset_ml
from audioset_ml.core import folders, model_digests, paths, run_content
from audioset_ml.core.errors import InputError
from audioset_ml.core.input_files import read_json
from audioset_ml.core.paths import Path
from audioset_ml.core.run_content import APART, BOOKKEEPING, INPUTS_FILE, LOCK_FILE


@dataclasses.dataclass(frozen=True)
class Flags:
  """A run's flags, spelled so that they can be compared.

  Attributes:
    lines: a line a flag; in `.inputs.json`, too.
    defaults: those lines that say what would hold without them.
  """

  lines: tuple[str, ...]
  defaults: frozenset[str] = frozenset()

  def unlike(self, theirs: Sequence[str]) -> tuple[set[str], set[str]]:
    """Our lines that an earlier run lacks, and its lines that we lack.

    A flag that the earlier run did not know, of an older version, was as by default.
    """
    known = set().union(*map(_names, theirs))
    new = {line for line in self.defaults if not _names(line) & known}
    return set(self.lines) - set(theirs) - new, set(theirs) - set(self.lines)


def _names(line: str) -> set[str]:
  """What the flag of a line may be called: `--noflag` is either one's."""
  name, value, _ = line.removeprefix('--').partition('=')
  return {name} if value else {name, name.removeprefix('no')}


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
  """Makes the folder and keeps other processes off it; waits for one that writes it.

  Two runs would take turns in deleting each other's files. One may be left over from a
  parent that was killed. The lock goes with its process, however that ends. Remote
  file systems have no locks.
  """
  if paths.is_remote(path):
    path.mkdir(parents=True, exist_ok=True)
    yield
    return
  told = f'{path}: another process is writing it; waiting for its end'
  while True:
    path.mkdir(parents=True, exist_ok=True)
    # The folder may have been removed meanwhile: see `leave_no_trace`.
    with contextlib.suppress(FileNotFoundError):
      lock = folders.locked_file(path / LOCK_FILE, told)
      break
  with lock:
    yield


def to_be_made(path: Path) -> list[Path]:
  """The folder, and those above it, that `locked` would have to make; itself first."""
  lacking = []
  while not paths.is_remote(path) and not path.exists():
    lacking.append(path)
    path = path.parent
  return lacking


def leave_no_trace(path: Path, made: Sequence[Path]) -> None:
  """Removes what a run that failed has left in a folder, if that is no content.

  For a run that holds the lock and found the folder new.

  Args:
    path: the folder.
    made: the folders that it has made; see `to_be_made`.
  """
  kept = {*BOOKKEEPING, *APART}
  if paths.is_remote(path) or any(
    names and (os.fspath(path) != parent or set(names) - kept)
    for parent, names in paths.walk(path)
  ):
    return
  run_content.delete([entry for entry in path.iterdir() if entry.name != LOCK_FILE])
  (path / LOCK_FILE).unlink(missing_ok=True)
  with contextlib.suppress(OSError):  # another process has just begun to use it
    for folder in made:
      folder.rmdir()


def look(
  path: Path,
  stage: str,
  flags: Flags,
  inputs: dict[str, Any],
  overwrite: bool,
) -> str:
  """What entering a folder would come to, without changing it; see `enter`.

  Returns:
    'new', 'goes on', 'replaced' or 'finished'.

  Raises:
    InputError: as `enter`.
  """
  content = run_content.standing(path) if path.exists() else {}
  # A run that failed before it wrote anything leaves no claim on the folder.
  if not set(content) - BOOKKEEPING:
    return 'new'
  if INPUTS_FILE not in content:
    raise InputError(f'{path}: holds files that no stage wrote; choose another folder')
  started = _read_started(content[INPUTS_FILE])
  if (theirs := started.get('stage', stage)) != stage:
    raise InputError(f'{path}: was written by `{theirs}`; choose another --output_dir')
  difference = _difference(path, started, flags, inputs)
  if overwrite:
    # The same command again, after a kill, goes on; anything else starts anew.
    is_aside = run_content.is_set_aside(path)
    goes_on = is_aside and not run_content.is_to_be_restored(path)
    return 'goes on' if goes_on and not difference else 'replaced'
  if difference:
    raise InputError(f'{path}: {difference}')
  return 'finished' if folders.RUN_FILE in content else 'goes on'


def enter(
  path: Path,
  stage: str,
  flags: Flags,
  inputs: dict[str, Any],
  overwrite: bool,
) -> bool:
  """Checks that a folder may be written, and writes what the run starts from.

  Args:
    path: the folder.
    stage: the run's stage: what another one has written is never replaced.
    flags: the run's flags.
    inputs: paths that the run reads, by name.
    overwrite: whether another run's content may go.

  Returns:
    False if the same run has finished in it.

  Raises:
    InputError: the folder holds another run, or files of another origin.
  """
  state = look(path, stage, flags, inputs, overwrite)
  if run_content.is_to_be_restored(path):
    run_content.restore(path)
  if state == 'finished':
    run_content.forget_replaced(path)  # which a kill may have left
    return False
  if state == 'replaced':
    run_content.set_aside(path)
  started = {
    'stage': stage,
    'flags': flags.lines,
    'inputs': {name: folders.fingerprint(value) for name, value in inputs.items()},
  }
  folders.write_json(path / INPUTS_FILE, started)
  return True


def finish(
  path: Path,
  stage: str,
  inputs: dict[str, Any],
  seed: int | None,
  start: float,
  details: dict[str, Any],
) -> None:
  """Writes run.json, which marks a run finished.

  Of a model that it has written, the files' checksums go into it.

  Args:
    path: the folder.
    stage: the run's stage.
    inputs: paths that it has read, by name.
    seed: its seed.
    start: when it started (s, as of `time.time`).
    details: what it counted, as `counts`, and what later stages need to know.
  """
  run_json = {
    'stage': stage,
    'version': audioset_ml.__version__,
    'finished': datetime.datetime.now(datetime.UTC).isoformat(timespec='seconds'),
    'wall_seconds': round(time.time() - start, 2),
    'seed': seed,
    'inputs': inputs,
    **details,
    **({} if paths.is_remote(path) else model_digests.describe(path)),
  }
  folders.write_json(path / folders.RUN_FILE, run_json)


def is_current(path: Path) -> bool:
  """Whether a run has finished in a folder and its inputs are those that it read."""
  if not folders.is_finished(path):
    return False
  try:
    started = _read_started(path / INPUTS_FILE)['inputs']
    inputs = read_json(path / folders.RUN_FILE, {'inputs': {'*': object}})['inputs']
    now = {name: folders.fingerprint(value) for name, value in inputs.items()}
  except (InputError, TypeError):  # TypeError: of what is no path
    return False
  return all(started.get(name) == state for name, state in now.items())


def _read_started(file: Path) -> dict[str, Any]:
  """What a folder's run started from, as its `.inputs.json` says.

  Raises:
    InputError: its file can't be read.
  """
  form = {'stage?': str, 'flags': [str], 'inputs': {'*': (str, list, None)}}
  remedy = 'choose another --output_dir, or delete the folder'
  return read_json(file, form, remedy=remedy)


def _difference(
  path: Path, started: dict[str, Any], flags: Flags, inputs: dict[str, Any]
) -> str:
  """What sets the folder's run apart from this one; '' for nothing."""
  ours, theirs = flags.unlike(started['flags'])
  if ours or theirs:
    now, then = (', '.join(sorted(lines)) for lines in (ours, theirs))
    change = f'{then or "without"}, now {now or "without"}'
    return (
      f'holds a run with other flags ({change}); choose another --output_dir, or '
      'replace it with --overwrite'
    )
  for name, value in inputs.items():
    # An input that the run's version did not know was not given.
    theirs, ours = started['inputs'].get(name), folders.fingerprint(value)
    if (theirs or '') != (ours or ''):
      shown = value if isinstance(value, str) else ', '.join(value)
      return f'its --{name} ({shown}) has changed since; replace it with --overwrite'
  return ''
