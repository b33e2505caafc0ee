"""The progress bar that all stages show."""

import sys

import tqdm

_LOG_FILE_SECONDS = 15.0


def progress_bar(iterable=None, **arguments) -> tqdm.tqdm:
  """A tqdm bar; into a log file it writes a line now and then, not a flood."""
  if not sys.stderr.isatty():
    arguments.setdefault('mininterval', _LOG_FILE_SECONDS)
  arguments.setdefault('delay', 0.5)  # what is quick shows none
  return tqdm.tqdm(iterable, dynamic_ncols=True, **arguments)
