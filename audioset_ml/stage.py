"""What all entry points share: clean errors, and folders that say what made them.

A stage writes one folder. `flags.txt`, written first, repeats the stage
(`--flagfile=FOLDER/flags.txt`). `run.json`, renamed into place last, holds the
provenance and marks the folder finished: a stage that was killed leaves none.
"""

import contextlib
import dataclasses
import datetime
import json
import os
import pathlib
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from absl import app, flags, logging

import audioset_ml
from audioset_ml.errors import InputError

FLAGS = flags.FLAGS

# Flags that change how a stage runs, not what it writes.
_PASSING_FLAGS = frozenset({'overwrite'})

flags.DEFINE_bool(
  'overwrite', False, 'Delete what --output_dir holds from a run with other flags.'
)


class _AlreadyDone(Exception):
  """The folder holds a finished run of the same stage with the same flags."""


@dataclasses.dataclass
class StageFolder:
  """A stage's output folder while the stage runs.

  Attributes:
    path: the folder.
    counts: what the stage counted; goes into run.json.
    details: anything else that later stages need to know; goes into run.json.
  """

  path: pathlib.Path
  counts: dict[str, Any] = dataclasses.field(default_factory=dict)
  details: dict[str, Any] = dataclasses.field(default_factory=dict)


def run(main: Callable[[Sequence[str]], Any], positional: bool = False) -> None:
  """Runs an entry point: absl flags, then `main(argv)`; input errors without traceback.

  Args:
    main: called with the arguments that are left after the flags, program name first.
    positional: whether arguments that are no flags are allowed.
  """
  # TensorFlow's start-up notes would bury our own output.
  os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')

  def guarded(argv: Sequence[str]) -> int:
    if not FLAGS['verbosity'].present:
      logging.set_verbosity(logging.ERROR)  # Beam and TensorFlow log a lot
    if len(argv) > 1 and not positional:
      raise app.UsageError(f'unexpected argument {argv[1]!r}: every input is a flag')
    try:
      return main(argv) or 0
    except _AlreadyDone as done:
      print(done)
    except InputError as error:
      print(f'error: {error}', file=sys.stderr)
      return 1
    except OSError as error:  # a path that can't be read or written, a full disk
      print(f'error: {error}', file=sys.stderr)
      return 1
    except KeyboardInterrupt:
      print('interrupted; the same command goes on from here', file=sys.stderr)
      return 130
    return 0

  app.run(guarded)


def mark_passing(*names: str) -> None:
  """Declares flags that don't change what a stage writes (worker counts, say)."""
  global _PASSING_FLAGS
  _PASSING_FLAGS = _PASSING_FLAGS | set(names)


@contextlib.contextmanager
def output_folder(
  output_dir: str, inputs: dict[str, Any] | None = None, seed: int | None = None
) -> Iterator[StageFolder]:
  """The folder a stage writes, from `flags.txt` to the finishing `run.json`.

  An unfinished folder of the same flags is entered again, so that the stage can go on
  where it was; a finished one ends the program, for there is nothing left to do.

  Args:
    output_dir: the folder.
    inputs: paths that the stage reads, by name, for run.json.
    seed: the stage's seed, for run.json.

  Raises:
    InputError: the folder holds a run with other flags, or files of another origin.
  """
  if not output_dir:
    raise InputError('--output_dir is empty: name the folder to write')
  path = pathlib.Path(output_dir)
  text = _flags_text()
  if path.exists():
    _enter_existing(path, text)
  path.mkdir(parents=True, exist_ok=True)
  write_atomically(path / 'flags.txt', text)
  folder = StageFolder(path)
  start = time.time()
  yield folder
  run_json = {
    'stage': _stage_name(),
    'version': audioset_ml.__version__,
    'finished': datetime.datetime.now(datetime.UTC).isoformat(timespec='seconds'),
    'wall_seconds': round(time.time() - start, 2),
    'seed': seed,
    'inputs': inputs or {},
    'counts': folder.counts,
    **folder.details,
  }
  write_atomically(path / 'run.json', json.dumps(run_json, indent=2) + '\n')


def is_finished(folder: str | os.PathLike) -> bool:
  """Whether a stage ran to its end in this folder."""
  return (pathlib.Path(folder) / 'run.json').is_file()


def read_run(folder: str | os.PathLike, stage: str) -> dict[str, Any]:
  """The provenance (`run.json`) of a finished stage's folder.

  Raises:
    InputError: there is no such folder, it isn't finished, or another stage wrote it.
  """
  path = pathlib.Path(folder)
  if not path.is_dir():
    raise InputError(f'{path}: no such folder; `{stage}` writes it')
  if not is_finished(path):
    raise InputError(
      f'{path}: not a finished `{stage}` folder (no run.json in it); run '
      f'`python -m audioset_ml.{stage}` to its end first'
    )
  try:
    run_json = json.loads((path / 'run.json').read_text())
  except ValueError as error:
    raise InputError(f'{path}/run.json: not JSON ({error})') from error
  if run_json.get('stage') != stage:
    raise InputError(
      f'{path}: written by `{run_json.get("stage")}`, but a `{stage}` folder is needed'
    )
  return run_json


def write_atomically(path: pathlib.Path, content: str | bytes) -> None:
  """Writes a file under another name and renames it, so that no half file is seen."""
  partial = path.with_name(f'.{path.name}.partial')
  data = content.encode() if isinstance(content, str) else content
  with open(partial, 'wb') as file:
    file.write(data)
    file.flush()
    os.fsync(file.fileno())
  os.replace(partial, path)


def _stage_name() -> str:
  spec = getattr(sys.modules['__main__'], '__spec__', None)
  name = spec.name if spec else pathlib.Path(sys.argv[0]).stem
  return name.removesuffix('.__main__').rpartition('.')[2]


def _stage_flags() -> dict[str, flags.Flag]:
  """The flags of the running stage by name, those of absl itself left out."""
  key_flags = FLAGS.get_key_flags_for_module(sys.argv[0])
  return {flag.name: flag for flag in key_flags}


def _flags_text() -> str:
  """The stage's flags, one a line, as a flagfile that repeats it."""
  lines = [f'# python -m audioset_ml.{_stage_name()} --flagfile=<this file>']
  for name, flag in sorted(_stage_flags().items()):
    if name not in _PASSING_FLAGS and flag.value is not None:
      lines.extend(flag.serialize().splitlines())
  return '\n'.join(line for line in lines if line) + '\n'


def _enter_existing(path: pathlib.Path, text: str) -> None:
  """Checks that an existing folder may be written; empties it with --overwrite."""
  if not path.is_dir():
    raise InputError(f'{path}: is a file, but --output_dir must be a folder')
  flags_file = path / 'flags.txt'
  if flags_file.is_file() and flags_file.read_text() == text:
    if is_finished(path) and not FLAGS.overwrite:
      raise _AlreadyDone(f'{path}: finished already with the same flags')
    if not FLAGS.overwrite:
      return
  if not any(path.iterdir()):
    return
  if not flags_file.is_file():
    raise InputError(
      f'{path}: holds files that no stage wrote (no flags.txt); choose another folder'
    )
  if not FLAGS.overwrite:
    old, new = set(flags_file.read_text().splitlines()), set(text.splitlines())
    changed = ', '.join(sorted(new - old) or sorted(old - new))
    raise InputError(
      f'{path}: holds a run with other flags ({changed}); choose another '
      '--output_dir, or replace it with --overwrite'
    )
  shutil.rmtree(path)
