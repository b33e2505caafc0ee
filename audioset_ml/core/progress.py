"""The progress bar that all stages show."""

import sys

import tqdm

_LOG_FILE_SECONDS = 15.0


class _Lines:
  """Standard error where it is no terminal: each state of a bar is its own line."""

  def write(self, text: str) -> None:
    """Writes what a bar would draw over the last one; nothing for what clears it."""
    if line := text.strip('\r\n \x1b[A'):
      sys.stderr.write(f'{line}\n')

  def flush(self) -> None:
    sys.stderr.flush()


def progress_bar(iterable=None, **arguments) -> tqdm.tqdm:
  """A tqdm bar; into a log file it writes a line now and then, not a flood."""
  if not sys.stderr.isatty():
    arguments.setdefault('mininterval', _LOG_FILE_SECONDS)
    arguments.setdefault('file', _Lines())
  arguments.setdefault('delay', 0.5)  # what is quick shows none
  return tqdm.tqdm(iterable, dynamic_ncols=True, **arguments)
