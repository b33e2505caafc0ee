"""The folder that a stage writes, which says what made it.

`flags.txt`, written first, repeats the stage (`--flagfile=FOLDER/flags.txt`).
`run.json`, renamed into place last, holds the provenance and marks the folder finished:
a stage that was killed leaves none.
"""

import contextlib
import dataclasses
import os
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from absl import flags

from audioset_ml.core import folders, paths, run_content, run_state
from audioset_ml.core.errors import InputError, NothingUsableError, UnfinishedError
from audioset_ml.entry import inputs as stage_inputs
from audioset_ml.entry import run_flags
from audioset_ml.entry.stage import (
  NothingToDo,
  define_dry_run_flag,
  end_dry_run,
  require_inputs,
)

FLAGS = flags.FLAGS


@dataclasses.dataclass
class StageFolder:
  """A stage's output folder while the stage runs.

  Attributes:
    path: the folder.
    counts: what the stage counted; goes into run.json.
    details: anything else that later stages need to know; goes into run.json.
  """

  path: paths.Path
  counts: dict[str, Any] = dataclasses.field(default_factory=dict)
  details: dict[str, Any] = dataclasses.field(default_factory=dict)


def define_folder_flags(*passing: str, output_dir: str | None = None) -> None:
  """Defines --output_dir, --overwrite and --dry_run.

  Args:
    *passing: the stage's flags that don't change what it writes (worker counts, say).
    output_dir: the default folder; None makes the flag required.
  """
  run_flags.leave_out(*passing)
  flags.DEFINE_string('output_dir', output_dir, 'Folder to write.')
  flags.DEFINE_bool(
    'overwrite', False, 'Replace what --output_dir holds from another run.'
  )
  # The caller's module, so that --help shows them.
  for name in ('output_dir', 'overwrite'):
    FLAGS.register_key_flag_for_module(sys.argv[0], FLAGS[name])
  define_dry_run_flag()
  if output_dir is None:
    flags.mark_flag_as_required('output_dir')


@contextlib.contextmanager
def output_folder(
  output_dir: str,
  inputs: dict[str, Any] | None = None,
  seed: int | None = None,
  *,
  check: Callable[[], dict[str, Any]],
  writes: bool = True,
  remote: bool = False,
  other_inputs: dict[str, Any] | None = None,
  changes: Callable[[paths.Path], str] = lambda path: '',
  finished: Callable[[paths.Path], str] = lambda path: '',
) -> Iterator[StageFolder]:
  """The folder a stage writes, from `flags.txt` to the finishing `run.json`.

  An unfinished folder of the same flags is entered again, so that the stage can go on
  where it was; a finished one ends the program, for there is nothing left to do. With
  --overwrite the old content goes only when the new is finished.

  Args:
    output_dir: the folder.
    inputs: paths that the stage reads, by the names of their flags.
    seed: the stage's seed, for run.json.
    check: what --dry_run does instead: opens the inputs and counts.
    writes: whether this process writes the folder; of several that work on one stage
      together, one does.
    remote: whether the stage can write to other file systems than the disk's.
    other_inputs: inputs that are not kept, nor looked at for changes.
    changes: what has changed, since a run in the folder, of inputs that the stage keeps
      an account of by itself; '' for nothing. It is told, and a finished run goes on;
      what it held comes back if that fails. It checks the inputs, before any change.
    finished: what there is to say of a finished run beside that it is; '' for nothing.

  Raises:
    InputError: an input is not there or of another kind, or lies in the folder; or this
      holds a run with other flags or of inputs that have changed since, or files of
      another origin.
  """
  if not output_dir:
    raise InputError('--output_dir is empty: name the folder to write')
  if paths.is_remote(output_dir) and not remote:
    raise InputError(
      f'{output_dir}: this stage writes to disk only; copy its folder when it is done'
    )
  path, inputs = paths.as_path(output_dir), inputs or {}
  if path.exists() and not path.is_dir():
    raise InputError(f'{path}: is a file, but --output_dir must be a folder')
  all_inputs = {**inputs, **(other_inputs or {})}
  stage_inputs.require_apart(all_inputs, output_dir)
  require_inputs(all_inputs)
  if FLAGS.dry_run:
    end_dry_run(check(), f'{path}: {_outlook(path, inputs, changes)}')
  if not writes:
    path.mkdir(parents=True, exist_ok=True)
    if folders.is_finished(path) and not FLAGS.overwrite:
      raise NothingToDo(f'{path}: finished already')
    yield StageFolder(path)
    return
  made = run_state.to_be_made(path)
  with run_state.locked(path):
    entering = _entering(path, inputs)
    new = run_state.look(*entering) == 'new'
    folder, start = StageFolder(path), time.time()
    was_finished = False
    try:
      is_due = run_state.enter(*entering)
      if changed := changes(path):
        print(changed, flush=True)
        was_finished = folders.is_finished(path)
        run_content.reopen(path)
      elif not is_due:
        done = (
          f'{path}: finished already with the same flags; --overwrite makes it anew'
        )
        raise NothingToDo('\n'.join(filter(None, [done, finished(path)])))
      folders.write_atomically(path / run_content.FLAGS_FILE, run_flags.flag_text())
      yield folder
      details = {'counts': folder.counts, **folder.details}
      run_state.finish(path, run_flags.stage_name(), inputs, seed, start, details)
    except NothingToDo:
      raise
    except UnfinishedError:
      if was_finished:  # which is worth more than what is there of the new
        run_content.restore(path)
      raise
    except Exception as error:
      if isinstance(error, NothingUsableError):
        run_content.discard(path)
      run_content.restore(path)
      if new:
        run_state.leave_no_trace(path, made)
      raise
    run_content.forget_replaced(path)


def _entering(path: paths.Path, inputs: dict[str, Any]) -> tuple:
  """What `run_state` is told of the run that is to enter a folder."""
  run = run_flags.stage_name(), run_flags.comparable_flags()
  return path, *run, inputs, FLAGS.overwrite


def _outlook(
  path: paths.Path, inputs: dict[str, Any], changes: Callable[[paths.Path], str]
) -> str:
  """What a run would do to its folder; an error if it could not."""
  state = run_state.look(*_entering(path, inputs))
  if not paths.is_remote(path):
    there = path
    while not there.exists():
      there = there.parent
    if not os.access(there, os.W_OK | os.X_OK):
      raise InputError(f'{there}: cannot be written to')
  if state == 'finished' and (changed := changes(path)):
    return f'would be brought up to date; {changed}'
  return {
    'new': 'would be written',
    'goes on': 'is unfinished, and would go on from there',
    'replaced': 'would be replaced',
    'finished': 'finished already with the same flags',
  }[state]
