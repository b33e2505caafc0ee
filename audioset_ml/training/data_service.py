"""A tf.data service: whether it answers, and how to wait for its batches."""

import queue
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from audioset_ml.core.errors import InputError, UnfinishedError

_CONNECT_SECONDS = 10
# How long one waits for a batch before asking whether the dispatcher is there (s).
_PATIENCE_SECONDS = 30


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
    socket.create_connection((host, int(port)), _CONNECT_SECONDS).close()
  except (OSError, OverflowError) as error:
    raise InputError(
      f'no dispatcher of a tf.data service answers at {dispatcher} ({error}); start '
      f'one with python -m audioset_ml.data_service --port={port}'
    ) from None


class ServedBatches:
  """Batches from a tf.data service, waited for so that one can leave meanwhile.

  TensorFlow waits for workers that are not there without a word and deaf to signals;
  hence another thread waits for it. It asks for one batch at a time.
  """

  def __init__(
    self,
    batches: Iterator[Any],
    dispatcher: str,
    interrupted: Callable[[], bool],
    patience: float = _PATIENCE_SECONDS,
  ):
    """Args: the batches; the dispatcher's `host:port`; whether to leave; how long to
    wait before a word about it (s)."""
    self._batches, self._dispatcher = batches, dispatcher
    self._interrupted, self._patience = interrupted, patience
    self._asked: queue.Queue = queue.Queue()
    self._answers: queue.Queue = queue.Queue()
    threading.Thread(target=self._answer, daemon=True).start()

  def next(self) -> Any | None:
    """The next batch; None if one is to leave and none has come.

    Raises:
      UnfinishedError: the dispatcher is gone.
    """
    self._asked.put(None)
    begun, told = time.monotonic(), False
    while True:
      try:
        batch, error = self._answers.get(timeout=0.5)
      except queue.Empty:
        if self._interrupted():
          return None
        if time.monotonic() - begun > self._patience:
          self._require_dispatcher()
          if not told:
            print(f'waiting for the tf.data service at {self._dispatcher}: has it any')
            print(
              'workers (python -m audioset_ml.data_service --dispatcher=…)?', flush=True
            )
          begun, told = time.monotonic(), True
        continue
      if error is not None:
        self._require_dispatcher()
        raise error
      return batch

  def _answer(self) -> None:
    while True:
      self._asked.get()
      try:
        self._answers.put((next(self._batches), None))
      except Exception as error:  # handed on to the thread that asks
        self._answers.put((None, error))

  def _require_dispatcher(self) -> None:
    try:
      require_reachable(self._dispatcher)
    except InputError as error:
      raise UnfinishedError(
        f'{error}; the same command goes on from the last checkpoint'
      ) from None
