"""The flags of the stage that runs, as text: what repeats it, what it is told by."""

import pathlib
import sys

from absl import flags

from audioset_ml.core import run_state

FLAGS = flags.FLAGS

# Flags that change how a stage runs, not what it writes.
_passing = {'overwrite', 'dry_run'}


def leave_out(*names: str) -> None:
  """Flags that change how a stage runs, not what it writes, are in no text."""
  _passing.update(names)


def flag_text() -> str:
  """The flagfile that repeats the stage."""
  lines = [line for flag in _own_flags() for line in flag.serialize().splitlines()]
  text = f'# python -m audioset_ml.{stage_name()} --flagfile=<this file>\n'
  return text + ''.join(f'{line}\n' for line in lines if line)


def stage_name() -> str:
  """The name of the stage that runs."""
  spec = getattr(sys.modules['__main__'], '__spec__', None)
  name = spec.name if spec else pathlib.Path(sys.argv[0]).stem
  return name.removesuffix('.__main__').rpartition('.')[2]


def _own_flags() -> list[flags.Flag]:
  """The stage's flags that say what it writes, those of absl itself left out."""
  own = FLAGS.get_key_flags_for_module(sys.argv[0])
  own = [flag for flag in own if flag.name not in _passing]
  return sorted(
    (flag for flag in own if flag.value is not None), key=lambda flag: flag.name
  )


def comparable_flags() -> run_state.Flags:
  """What tells the run from others, for its folder.

  Without where the folder is, and how paths are spelled at their end.
  """
  lines, defaults = [], set()
  for flag in _own_flags():
    if flag.name != 'output_dir':
      # One flag's lines stay in their order: that of a sweep's stages, for one.
      found = [line.rstrip('/') for line in flag.serialize().splitlines() if line]
      lines += found
      if flag.value == flag.default:
        defaults.update(found)
  return run_state.Flags(tuple(lines), frozenset(defaults))
