"""How an entry point runs: flags, --help and --dry_run, errors without traceback."""

import io
import itertools
import logging as python_logging
import sys
from collections.abc import Callable, Sequence
from typing import Any

from absl import app, flags, logging

from audioset_ml.core import error_messages, onednn, paths, pipes, quiet
from audioset_ml.core.provenance import version_text
from audioset_ml.entry import flag_help, run_flags
from audioset_ml.entry import inputs as stage_inputs

FLAGS = flags.FLAGS

_HELP = {'--help', '-help', '--helpshort', '-helpshort', '-h'}
_FULL_HELP = {'--helpfull', '-helpfull'}
_VERSION = {'--version', '-version'}


class NothingToDo(Exception):
  """The same run has finished before, or this one was only to be checked."""


def run(main: Callable[[Sequence[str]], Any], positional: bool = False) -> None:
  """Runs an entry point: absl flags, then `main(argv)`; input errors without traceback.

  Args:
    main: called with the arguments that are left after the flags, program name first.
    positional: whether arguments that are no flags are allowed.
  """
  with pipes.ends_with_its_reader():
    words = set(itertools.takewhile(lambda word: word != '--', sys.argv[1:]))
    if _VERSION & words:
      print(version_text())
    elif _HELP & words:
      print(flag_help.text())
    else:
      _run(main, positional)


def _run(main: Callable[[Sequence[str]], Any], positional: bool) -> None:
  quiet.leave_out_notes()
  onednn.turn_on()
  for stream in (sys.stdout, sys.stderr):
    if isinstance(stream, io.TextIOWrapper):  # so that any file's name can be printed
      stream.reconfigure(errors=paths.ESCAPED)

  def guarded(argv: Sequence[str]) -> int:
    if not FLAGS['verbosity'].present:
      logging.set_verbosity(logging.ERROR)  # Beam and TensorFlow log a lot
      # Beam logs each worker's error with its traceback, and raises it too.
      python_logging.getLogger('apache_beam').setLevel(python_logging.CRITICAL)
    if len(argv) > 1 and not positional:
      raise app.UsageError(f'unexpected argument {argv[1]!r}: every input is a flag')
    try:
      return main(argv) or 0
    except NothingToDo as done:
      print(done)
      return 0
    except KeyboardInterrupt:
      print('interrupted; the same command goes on from here', file=sys.stderr)
      return 130
    except BrokenPipeError as error:
      if pipes.is_closed():
        raise
      print(f'error: {error_messages.of(error)}', file=sys.stderr)
      return 1
    except app.UsageError as error:
      print(f'error: {error}; --help explains the flags', file=sys.stderr)
      return 1
    except Exception as error:
      if not error_messages.is_the_users_to_mend(error):
        raise
      print(f'error: {error_messages.of(error)}', file=sys.stderr)
      return 1

  try:
    app.run(guarded, flags_parser=_parse_flags)
  except SystemExit:
    if _FULL_HELP & set(sys.argv[1:]):  # absl calls it a failure
      sys.exit(0)
    raise


def _parse_flags(arguments: Sequence[str]) -> list[str]:
  """absl's parsing; what is wrong is one line, as all errors are."""
  try:
    return FLAGS(arguments)
  # absl raises a ValueError for a value of a --no… flag.
  except (flags.Error, ValueError) as error:
    print(
      f'error: {error_messages.of_flags(error)}; --help explains the flags',
      file=sys.stderr,
    )
    sys.exit(1)


def define_dry_run_flag() -> None:
  """Defines --dry_run; for stages that write no folder."""
  flags.DEFINE_bool(
    'dry_run', False, 'Check the flags and the inputs and count; write nothing.'
  )
  FLAGS.register_key_flag_for_module(sys.argv[0], FLAGS['dry_run'])


def require_inputs(inputs: dict[str, Any]) -> None:
  """Raises InputError for the first input that is not there; see `inputs.require`."""
  stage_inputs.require(inputs, run_flags.stage_name())


def end_dry_run(counts: dict[str, Any], outlook: str) -> None:
  """Prints what --dry_run has found and ends the program well.

  Args:
    counts: by name.
    outlook: what the run would write.
  """
  lines = [
    f'{name}: {count:,}' if isinstance(count, int) else f'{name}: {count}'
    for name, count in counts.items()
  ]
  raise NothingToDo('\n'.join([*lines, outlook, 'dry run: nothing was written']))
