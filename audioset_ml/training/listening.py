"""Which network interface the servers of this process listen on.

TensorFlow's servers listen on all of them, and have no setting for it. They ask for no
password: whoever reaches one can have its process run any TensorFlow graph, which reads
and writes files.
"""

import os
import socket
from collections.abc import Iterator

from audioset_ml.core.errors import InputError

LOOPBACK, ALL = 'lo', 'all'


def require_interface(name: str) -> None:
  """Raises InputError unless this machine has such a network interface, or it is ALL.

  Where sockets can't be held to one (only Linux knows how), ALL alone will do.
  """
  if name == ALL:
    return
  if not hasattr(socket, 'SO_BINDTODEVICE'):
    raise InputError(
      'this system cannot hold a server to one network interface: if nobody but you '
      f'reaches this machine, or may use it, --interface={ALL}'
    )
  names = [name for _, name in socket.if_nameindex()]
  if name not in names:
    raise InputError(
      f'no network interface is called {name!r}: there are {", ".join(names)}; {ALL} '
      'listens on each'
    )


def listen_on(interface: str) -> None:
  """Has the servers of this process hear what comes in by one interface alone.

  Args:
    interface: its name, `lo` for what this machine itself sends; ALL for each.

  Raises:
    InputError: this process may not do that.
  """
  if interface == ALL:
    return
  for listening in listening_sockets():
    try:
      listening.setsockopt(
        socket.SOL_SOCKET, socket.SO_BINDTODEVICE, f'{interface}\0'.encode()
      )
    except OSError as error:
      raise InputError(
        f'the server cannot be held to the network interface {interface} '
        f'({error.strerror}): if nobody but you reaches this machine, --interface={ALL}'
      ) from error


def listening_sockets() -> Iterator[socket.socket]:
  """The TCP sockets that take connections here; closed after their turn."""
  for name in os.listdir('/proc/self/fd'):
    try:
      copy = os.dup(int(name))
    except OSError:  # closed by now
      continue
    try:
      one = socket.socket(fileno=copy)
    except OSError:  # no socket
      os.close(copy)
      continue
    with one:
      inet = one.family in (socket.AF_INET, socket.AF_INET6)
      if inet and one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        yield one
