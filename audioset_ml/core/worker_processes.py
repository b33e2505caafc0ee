"""Tasks in several processes of this machine, none of which outlives this one.

Each process has a pipe of its own, on which it is given one task after the other; the
end of a pipe is the end of its process. So a process that dies, of whatever and in
whatever it was doing, is noticed at once and leaves no lock behind that others wait
for, as a queue of all of them has (`concurrent.futures`); and nobody listens to the
network. This module imports little, for each process imports it.
"""

import collections
import contextlib
import ctypes
import multiprocessing
import multiprocessing.connection
import multiprocessing.resource_tracker
import os
import pickle
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from audioset_ml.core.errors import UnfinishedError

_PR_SET_PDEATHSIG = 1  # of <sys/prctl.h>
_LOOK_EVERY = 0.5  # s, at whether the parent lives, where the kernel does not tell

# Does a task; what it tells with the function that it is given, the caller hears.
Do = Callable[[Any, Callable[[Any], Any]], Any]


def results(
  do: Do, tasks: Sequence[Any], workers: int, hear: Callable[[Any], Any]
) -> Iterator[tuple[Any, Any]]:
  """Does tasks, and yields each with its result when it is done.

  Close the iterator (`contextlib.closing`): that ends the processes, whatever they do.

  Args:
    do: called with a task and a function that takes what is to be heard meanwhile.
      With several workers it is sent to other processes, and so are tasks and results.
    tasks: the tasks.
    workers: processes; 1 stays in this one.
    hear: called in this process with what the tasks tell.

  Raises:
    UnfinishedError: a process died.
    Exception: what a task raised; the others are given up.
  """
  workers = min(workers, len(tasks))
  if workers <= 1:
    for task in tasks:
      yield task, do(task, hear)
    return
  waiting, crew = collections.deque(tasks), []
  # It unblocks Ctrl-C when it starts, which would undo what `_uninterrupted` does.
  multiprocessing.resource_tracker.ensure_running()
  try:
    with _uninterrupted():
      for _ in range(workers):
        crew.append(_Worker())
    for worker in crew:
      worker.send(do)
    while crew:
      pipes = multiprocessing.connection.wait([worker.pipe for worker in crew])
      for worker in [worker for worker in crew if worker.pipe in pipes]:
        kind, content = worker.receive()
        if kind == 'told':
          hear(content)
          continue
        if kind == 'failed':
          raise content
        if kind == 'done':
          yield worker.task, content
        if waiting:
          worker.task = waiting.popleft()
          worker.send(worker.task)
        else:
          worker.kill()
          crew.remove(worker)
  except _DiedError as death:
    raise UnfinishedError(_obituary(death, workers)) from None
  finally:
    with _uninterrupted():
      for worker in crew:
        worker.kill()


def end_with_parent(signal_number: int, parent: int) -> None:
  """Has this process get a signal when its parent ends, or at once if it has ended.

  On Linux the kernel sends it, when the *thread* ends that started this process.

  Args:
    signal_number: the signal.
    parent: the parent's process id.
  """
  if sys.platform == 'linux':
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, signal_number, 0, 0, 0)
    if os.getppid() != parent:
      os.kill(os.getpid(), signal_number)
  else:
    arguments = (signal_number, parent)
    threading.Thread(target=_watch_parent, args=arguments, daemon=True).start()


def _watch_parent(signal_number: int, parent: int) -> None:
  while os.getppid() == parent:
    time.sleep(_LOOK_EVERY)
  os.kill(os.getpid(), signal_number)


class _DiedError(Exception):
  """A worker has died; holds its exit status, and whether it had begun to work."""


class _Worker:
  """A process, the pipe to it, and the task that it does."""

  def __init__(self):
    # Not forked: a fork of a process that has used TensorFlow hangs.
    context = multiprocessing.get_context('spawn')
    self.pipe, other_end = context.Pipe()
    self.task, self._began = None, False
    # No daemon, for which it may start no process itself, as tensorflow-io's decoder.
    self._process = context.Process(target=_serve, args=(other_end, os.getpid()))
    self._process.start()
    other_end.close()  # else its death wouldn't show as the end of the pipe

  def send(self, content: Any) -> None:
    """Gives it the function that does tasks, and then tasks."""
    with contextlib.suppress(ConnectionError):  # it has died: `receive` tells how
      self.pipe.send(content)

  def receive(self) -> tuple[str, Any]:
    """What it says.

    Raises:
      _DiedError: it has died.
    """
    try:
      message = self.pipe.recv()
    except (EOFError, OSError):
      self._process.join()
      raise _DiedError(self._process.exitcode, self._began) from None
    self._began = True
    return message

  def kill(self) -> None:
    """Ends it, at once."""
    self._process.kill()
    self._process.join()
    self.pipe.close()


def _serve(pipe: multiprocessing.connection.Connection, parent: int) -> None:
  """A worker's life: one task after the other, until it is killed."""
  signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
  end_with_parent(signal.SIGKILL, parent)

  def tell(kind: str, content: Any = None) -> None:
    try:
      pipe.send((kind, content))
    except ConnectionError:  # the parent has died
      os._exit(1)

  def receive() -> Any:
    try:
      return pipe.recv()
    except (EOFError, ConnectionError):
      os._exit(1)

  do = receive()  # which may import TensorFlow: only now, when the parent's end counts
  tell('ready')
  while True:
    task = receive()
    try:
      result = do(task, lambda content: tell('told', content))
    except Exception as error:
      tell('failed', _sendable(error))
    else:
      tell('done', result)


def _sendable(error: Exception) -> Exception:
  """An error that can be sent, with its traceback as a note."""
  try:
    sendable = pickle.loads(pickle.dumps(error))
  except Exception:
    sendable = RuntimeError(f'{type(error).__name__}: {error}')
  trace = ''.join(traceback.format_exception(error))
  sendable.add_note(f'In a worker process:\n{trace}')
  return sendable


def how_it_ended(status: int) -> str:
  """How a process ended, in words that follow its name.

  Args:
    status: as of `subprocess`: the exit status, or less than 0 for a signal.
  """
  if status >= 0:
    return f'ended with exit status {status}'
  text = f'was ended by signal {-status} ({signal.strsignal(-status)})'
  if status == -signal.SIGKILL:
    text += ', as happens when memory runs short'
  return text


def _obituary(death: _DiedError, workers: int) -> str:
  """What a user should know of a worker's death."""
  status, began = death.args
  text = f'a worker process {how_it_ended(status)}'
  if not began:
    text += ' before it could begin'
  if status == -signal.SIGKILL:
    text += f': give fewer workers than {workers}, which need less'
  elif not began:
    text += (
      "; a script of your own must start its work under `if __name__ == '__main__':`"
    )
  return f'{text}. What is finished is kept, and the same command goes on from there'


@contextlib.contextmanager
def _uninterrupted() -> Iterator[None]:
  """Ctrl-C takes effect at the end; processes that start meanwhile never hear of it."""
  mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
  # Another thread, of TensorFlow say, may take the signal all the same.
  pressed, handler = [], signal.getsignal(signal.SIGINT)
  deferred = callable(handler) and threading.current_thread() is threading.main_thread()
  if deferred:
    signal.signal(signal.SIGINT, lambda *arguments: pressed.append(arguments))
  try:
    yield
  finally:
    if deferred:
      signal.signal(signal.SIGINT, handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
  if pressed:
    handler(*pressed[0])
