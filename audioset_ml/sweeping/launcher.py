"""Starts stages in processes that have TensorFlow imported already.

Importing it takes a stage several seconds, which is as long as a small stage computes.
So a launcher imports it once, when a stage needs it, and forks itself for each stage: a
fresh process, that runs the stage's module as `python -m` would. It takes orders on its
standard input, a line of JSON each, and answers each with a line when all its stages
have ended, on the file descriptor that its argument names:

  {"stages": [["train", ["--steps=10"]], …], "log": "trial/log.txt"}
  {"status": 0, "stage": 1}

Without a log stages print where the launcher does. A stage that fails ends its order.
When the process that gives the orders dies, however, the launcher is told to end, and
the stage that it runs.
"""

import contextlib
import json
import os
import runpy
import signal
import sys
import traceback

from audioset_ml.core import onednn, quiet
from audioset_ml.core.worker_processes import end_with_parent

# Stages that need no TensorFlow: for them alone it is not imported.
_LIGHT_STAGES = {'soundscapes', 'describe'}
_INTERRUPTED = 130


def main() -> None:
  """Takes orders until the input ends."""
  end_with_parent(signal.SIGTERM, os.getppid())
  pressed = _Pressed()
  with open(int(sys.argv[1]), 'w') as answers:
    for line in sys.stdin:
      order = json.loads(line)
      pressed.clear()
      if any(name not in _LIGHT_STAGES for name, _ in order['stages']):
        _import_what_stages_need()
      answer = _obey(order['stages'], order['log'], pressed)
      try:
        print(json.dumps(answer), file=answers, flush=True)
      except BrokenPipeError:  # who gave the order has died
        os._exit(1)


class _Pressed:
  """Whether Ctrl-C was pressed, which reaches the stage that runs, too.

  That one saves its state, and its end is waited for; between two nobody else hears it.
  """

  def __init__(self):
    self._pressed = False
    signal.signal(signal.SIGINT, self._press)

  def __bool__(self) -> bool:
    return self._pressed

  def clear(self) -> None:
    self._pressed = False

  def _press(self, *_) -> None:
    self._pressed = True


def _import_what_stages_need() -> None:
  quiet.leave_out_notes()
  onednn.turn_on()
  import audioset_ml.evaluation.records_evaluation
  import audioset_ml.reporting.tensorboard
  import audioset_ml.training.loop  # noqa: F401


def _obey(stages: list, log: str | None, pressed: _Pressed) -> dict[str, int]:
  for number, (name, arguments) in enumerate(stages):
    if pressed:
      return {'status': _INTERRUPTED, 'stage': number}
    if status := run_forked(name, arguments, log):
      return {'status': status, 'stage': number}
  return {'status': 0, 'stage': len(stages)}


def run_forked(name: str, arguments: list[str], log: str | None = None) -> int:
  """Runs a stage in a process forked from this one; its exit status.

  Args:
    name: the stage.
    arguments: its flags.
    log: the file that what it prints is added to; None for where this process prints.

  Returns:
    The exit status; minus the signal's number where one ended it.
  """
  parent, child = os.getpid(), os.fork()
  if child:
    previous = signal.signal(signal.SIGTERM, lambda *_: os.kill(child, signal.SIGTERM))
    try:
      _, status = os.waitpid(child, 0)
    finally:
      signal.signal(signal.SIGTERM, previous)
    return os.waitstatus_to_exitcode(status)
  status = 1
  try:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    end_with_parent(signal.SIGTERM, parent)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    if log is not None:
      output = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
      os.dup2(output, 1)
      os.dup2(output, 2)
      print('$', 'python', '-m', f'audioset_ml.{name}', *arguments, flush=True)
    sys.argv = [name, *arguments]
    runpy.run_module(f'audioset_ml.{name}', run_name='__main__', alter_sys=True)
    status = 0
  except SystemExit as end:
    status = end.code if isinstance(end.code, int) else int(end.code is not None)
  except KeyboardInterrupt:  # while the stage was imported
    status = _INTERRUPTED
  except BaseException:
    traceback.print_exc()
  finally:
    for stream in (sys.stdout, sys.stderr):
      with contextlib.suppress(OSError):  # nobody reads it any more
        stream.flush()
    os._exit(status)  # what the parent registered for its end is not this one's


if __name__ == '__main__':
  main()
