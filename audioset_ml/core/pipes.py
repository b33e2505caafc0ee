"""Programs whose output nobody reads to its end, as in `… --help | head`."""

import contextlib
import os
import select
import sys
from collections.abc import Iterator

STATUS = 141  # what shells say of a program that such a pipe ends


@contextlib.contextmanager
def ends_with_its_reader() -> Iterator[None]:
  """Ends the program without a word once standard output is read no more."""
  try:
    try:
      yield
    finally:
      sys.stdout.flush()
  except BrokenPipeError:
    if not is_closed():
      raise
    # What is left in the buffer goes nowhere, when the interpreter ends.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(STATUS)


def is_closed() -> bool:
  """Whether standard output has no reader."""
  poll = select.poll()
  poll.register(sys.stdout.fileno(), 0)
  return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))
