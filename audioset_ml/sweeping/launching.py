"""The process that starts stages (see `launcher`), for those who give it orders."""

import contextlib
import json
import os
import pathlib
import subprocess
import sys
from collections.abc import Sequence
from typing import Any, TextIO

Stages = Sequence[tuple[str, Sequence[str]]]


class Launcher:
  """A launcher process; started here, it ends with the thread that started it.

  Attributes:
    stopped: whether it was asked to end.
  """

  def __init__(self, said: pathlib.Path | None = None, threads: int = 0):
    """Args: the file that what it says itself is added to, None for where this process
    prints; the threads of a stage, 0 for TensorFlow's own choice."""
    self._said = said
    environment = dict(os.environ)
    if threads:
      for name in ('OMP_NUM_THREADS', 'TF_NUM_INTRAOP_THREADS'):
        environment.setdefault(name, str(threads))
    self._environment, self.stopped = environment, False
    self._answers: TextIO | None = None
    self._process = self._start()

  def order(self, stages: Stages, log: pathlib.Path | None = None) -> dict[str, Any]:
    """Has stages run one after the other, until one fails.

    Args:
      stages: their names and flags.
      log: the file that what they print is added to; None for where the launcher
        prints.

    Returns:
      `status` and `stage`, how many have ended well; without `stage`, the launcher
      itself has ended, and `said` is where it may have said why.
    """
    order = {'stages': list(stages), 'log': log and str(log)}
    try:
      self._process.stdin.write(json.dumps(order) + '\n')
      self._process.stdin.flush()
      answer = self._answers.readline()
    except OSError:  # it has died
      answer = ''
    if answer:
      return json.loads(answer)
    status = self._process.wait()
    if not self.stopped:
      self._process = self._start()
    return {'status': status or 1, 'said': str(self._said)}

  def terminate(self) -> None:
    """Asks it to end, or first the stage that runs, which saves its state."""
    self.stopped = True
    self._process.terminate()

  def close(self) -> None:
    """There are no more orders: it ends when the one that it has is done."""
    self.stopped = True
    with contextlib.suppress(OSError):
      self._process.stdin.close()

  def wait(self) -> None:
    """Waits for its end."""
    self._process.wait()

  def _start(self) -> subprocess.Popen:
    reading, writing = os.pipe()
    if self._answers is not None:
      self._answers.close()
    self._answers = os.fdopen(reading)
    with contextlib.ExitStack() as stack:
      stack.callback(os.close, writing)
      said = stack.enter_context(open(self._said, 'a')) if self._said else None
      return subprocess.Popen(
        [sys.executable, '-m', 'audioset_ml.sweeping.launcher', str(writing)],
        stdin=subprocess.PIPE,
        stdout=said,
        stderr=said,
        text=True,
        env=self._environment,
        pass_fds=(writing,),
      )
