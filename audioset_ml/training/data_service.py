"""Where a tf.data service is, and whether it answers."""

import socket

from audioset_ml.errors import InputError

_SECONDS = 10


def require_reachable(dispatcher: str) -> None:
  """Raises InputError unless somebody listens at the dispatcher's address.

  TensorFlow itself would wait for it, without a word.

  Args:
    dispatcher: `host:port`.
  """
  host, _, port = dispatcher.rpartition(':')
  if not (host and port.isdigit()):
    raise InputError(
      f'the address of the dispatcher is {dispatcher!r}, not of the form host:port'
    )
  try:
    socket.create_connection((host, int(port)), _SECONDS).close()
  except (OSError, OverflowError) as error:
    raise InputError(
      f'no dispatcher of a tf.data service answers at {dispatcher} ({error}); start '
      f'one with python -m audioset_ml.data_service --port={port}'
    ) from None
