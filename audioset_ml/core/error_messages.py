"""What an error that a user can mend says, in one line."""

import os
import re
import sys

from absl import flags

from audioset_ml.core.errors import InputError, is_of_full_disk, printable, remedy

FLAGS = flags.FLAGS

_FUNCTION_NODE = re.compile(r'^\{\{function_node [^}]*\}\}\s*')
_MISSING = re.compile(r'flag --(\w+)=None: Flag --\1 must have a value')


def of_flags(error: Exception) -> str:
  """What is wrong with the flags."""
  message = str(error)
  if isinstance(error, flags.UnrecognizedFlagError):
    _, _, near = message.removesuffix(' ?').partition('Did you mean: ')
    hint = ' or '.join(f'--{name}' for name in near.split(', ') if near)
    for file in (f'-{error.flagname}', f'--{error.flagname}'):
      if os.path.exists(file):
        name = printable(file)
        return f'{name} is taken for a flag; give the file as ./{name}'
    named = f'there is no flag --{error.flagname}'
    return f'{named} (do you mean {hint}?)' if hint else named
  cause = error.__context__
  if isinstance(error, flags.CantOpenFlagFileError) and isinstance(cause, OSError):
    return f'{cause.filename}: the flagfile cannot be opened ({cause.strerror})'
  if missing := _MISSING.findall(message):
    needed = [f'--{name} is needed: {_first_sentence(name)}' for name in missing]
    return '; '.join(needed)
  if 'Non-boolean argument' in message:
    return f'{message.partition(":")[0].removeprefix("flag ")}: neither true nor false'
  lines = [line.removeprefix('flag ') for line in message.splitlines()]
  return '; '.join(lines).rstrip('.')


def _first_sentence(name: str) -> str:
  return re.split(r'\.\s|\n', FLAGS[name].help, maxsplit=1)[0].rstrip('.')


def of(error: Exception) -> str:
  """What an error says; of the system's own, the path first, and what to do.

  A full disk names no path: then it is what the flags say is to be written.
  """
  if isinstance(error, UnicodeEncodeError):
    return f'{printable(error.object)}: a name that is no UTF-8 cannot be used here'
  if isinstance(error, MemoryError):
    told = printable(error) or 'no more is known'
    return f'the memory does not suffice ({told}): what sizes it must be smaller'
  ours = isinstance(error, InputError) or not isinstance(error, OSError)
  if not ours and error.filename is None and (outputs := _outputs()):
    reason = error.strerror or f'{error}; is the disk full?'
    advice = remedy(OSError(error.errno, reason))
    return f'{outputs}: cannot be finished ({printable(reason)}); {advice}'
  if ours or error.filename is None or not error.strerror:
    # TensorFlow's begin with the name of the operation.
    text = _FUNCTION_NODE.sub('', str(error))
    if not isinstance(error, InputError) and is_of_full_disk(error):
      text = f'{text}; {remedy(error)}'
    return '\n'.join(map(printable, text.split('\n')))
  name = printable(os.fsdecode(error.filename))
  return f'{name}: cannot be used ({error.strerror}); {remedy(error)}'


def _outputs() -> str:
  """What the stage writes, as its flags say."""
  own = FLAGS.get_key_flags_for_module(sys.argv[0])
  named = [flag.value for flag in own if flag.name.startswith('output')]
  return ', '.join(printable(one) for one in named if one and isinstance(one, str))


def is_the_users_to_mend(error: Exception) -> bool:
  """Wrong input, a path that can't be read or written, a full disk or memory."""
  if isinstance(error, UnicodeEncodeError):  # by TensorFlow, which takes no other
    return error.encoding == 'utf-8'
  if isinstance(error, (InputError, OSError, MemoryError)):
    return True
  tensorflow = sys.modules.get('tensorflow')
  if tensorflow is None:
    return False
  paths = ('NotFoundError', 'PermissionDeniedError', 'ResourceExhaustedError')
  return isinstance(error, tuple(getattr(tensorflow.errors, name) for name in paths))
