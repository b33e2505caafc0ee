"""tensorflow-io's decoders: in a TensorFlow graph, and guarded for use on any bytes.

tensorflow-io's operations kill the process on some damaged files (a segmentation fault
of `decode_vorbis` on empty bytes, for one). `decode` therefore runs the graph in a
process of its own, started at the first call and kept; if it dies or hangs, that file
is an error and the next file gets a new process.
"""

import dataclasses
import functools
import multiprocessing
import os
import signal
import threading

import numpy as np

from audioset_ml.core.errors import AudioError, InputError
from audioset_ml.core.packages import is_installed
from audioset_ml.core.paths import TENSORFLOW_IO

DECODE_SECONDS = 30.0  # a clip of 10 s takes 0.05; damaged FLAC may take forever
_START_SECONDS = 300.0  # importing TensorFlow takes 5 s on a machine that is not busy
_UNSUPPORTED = 'use --decoder=ffmpeg'


@dataclasses.dataclass(frozen=True)
class Encoding:
  """How the samples are stored: all that choosing a decoder takes.

  Attributes:
    format: 'wav', 'flac', 'mp3', 'vorbis', or a codec that tensorflow-io has not.
    bits: bits of a stored sample; 0 for the lossy formats.
    is_float: whether the stored samples are floating-point numbers.
  """

  format: str
  bits: int = 0
  is_float: bool = False


@functools.cache
def graph_decoder(encoding: Encoding):
  """The decoder of one encoding as a `tf.function`, for use in any TensorFlow graph.

  It is quick to put into a `tf.data` map, but not safe: give it only files that
  `decoding` has read before, or use `decode`.

  Args:
    encoding: how the samples are stored.

  Returns:
    A function from a file's bytes (a scalar string tensor) to float32 samples, integer
    PCM scaled to [-1, 1). Shape [samples, channels].

  Raises:
    ValueError: tensorflow-io doesn't decode this encoding.
  """
  if not _is_supported(encoding):
    raise ValueError(f'tensorflow-io has no decoder for {encoding}')
  import tensorflow as tf
  import tensorflow_io as tfio

  stored = {8: tf.uint8, 16: tf.int16, 24: tf.int32, 32: tf.float32}.get(encoding.bits)

  @tf.function(input_signature=[tf.TensorSpec([], tf.string)])
  def decode_samples(data):
    if encoding.format == 'mp3':
      return tfio.audio.decode_mp3(data)
    if encoding.format == 'vorbis':
      return tfio.audio.decode_vorbis(data)
    if encoding.format == 'flac':
      return _to_float(tfio.audio.decode_flac(data, dtype=stored))
    samples = tfio.audio.decode_wav(data, dtype=stored)
    if encoding.bits == 32 and not encoding.is_float:
      # decode_wav has no 32-bit integers: it hands them out as floats, bit for bit.
      samples = tf.bitcast(samples, tf.int32)
    return _to_float(samples)

  return decode_samples


def decode(
  encoding: Encoding, data: bytes, name: str, time_limit: float = DECODE_SECONDS
) -> np.ndarray:
  """Decodes bytes with tensorflow-io; whatever they are, this process lives on.

  Args:
    encoding: how the samples are stored (`ffmpeg.Stream.encoding`).
    data: the file's bytes.
    name: the file's name, for messages.
    time_limit: seconds after which decoding counts as hung.

  Returns:
    float32, integer PCM scaled to [-1, 1). Shape [samples, channels].

  Raises:
    AudioError: tensorflow-io can't decode this, died of it, or took too long.
    InputError: tensorflow-io can't be started.
  """
  require_supported(encoding, name)
  problem, samples = _worker.ask((encoding, data), time_limit)
  if problem:
    raise AudioError(f'{name}: {problem}; if it is sound, {_UNSUPPORTED}')
  return samples


def require_supported(encoding: Encoding, name: str) -> None:
  """Raises AudioError if tensorflow-io has no decoder for what the file holds."""
  if not _is_supported(encoding):
    what = f'{encoding.format}{f" of {encoding.bits} bits" if encoding.bits else ""}'
    raise AudioError(f"{name}: tensorflow-io doesn't decode {what}; {_UNSUPPORTED}")


def require_installed() -> None:
  """Raises InputError unless tensorflow-io is installed; doesn't load it."""
  if not is_installed('tensorflow_io'):
    raise InputError(
      f'tensorflow-io is not installed: {TENSORFLOW_IO}; or {_UNSUPPORTED}'
    )


def _is_supported(encoding: Encoding) -> bool:
  if encoding.format == 'wav':
    return encoding.bits <= 32
  if encoding.format == 'flac':
    return encoding.bits in (8, 16, 24)
  return encoding.format in ('mp3', 'vorbis')


def _to_float(samples):
  """Integer samples of any width as float32 in [-1, 1)."""
  import tensorflow as tf

  if samples.dtype == tf.float32:
    return samples
  floats = tf.cast(samples, tf.float32)
  if samples.dtype == tf.uint8:  # unsigned, silence at 128
    return (floats - 128) / 128
  return floats / -float(samples.dtype.min)  # 24 bits come in the upper bits of int32


class _Worker:
  """The process that decodes, and the pipe to it. One request at a time."""

  def __init__(self):
    self._lock = threading.Lock()
    self._process = None
    self._pipe = None

  def ask(self, request, time_limit: float) -> tuple[str, np.ndarray | None]:
    """What went wrong ('' if nothing did), and the samples."""
    with self._lock:
      if self._process is None or not self._process.is_alive():
        self._start()
      try:
        self._pipe.send(request)
        if self._pipe.poll(time_limit):
          return self._pipe.recv()
        problem = f'tensorflow-io took longer than {time_limit:g} s'
      except (EOFError, OSError):
        self._process.join(1)
        problem = f'tensorflow-io died of it (exit code {self._process.exitcode})'
      except BaseException:  # interrupted: its answer must not reach the next request
        self.stop()
        raise
      self.stop()
      return problem, None

  def _start(self) -> None:
    require_installed()
    # Not forked: a fork of a process that has used TensorFlow hangs.
    context = multiprocessing.get_context('spawn')
    self._pipe, other_end = context.Pipe()
    # A daemon: ended, not waited for, when this process exits.
    self._process = context.Process(target=_serve, args=(other_end,), daemon=True)
    self._process.start()
    other_end.close()  # else its death wouldn't show as the end of the pipe
    try:
      problem = self._pipe.recv() if self._pipe.poll(_START_SECONDS) else 'too slow'
    except (EOFError, OSError):
      self._process.join(1)
      problem = (
        f'exit code {self._process.exitcode}; a script of your own must start its work '
        "under `if __name__ == '__main__':`"
      )
    except BaseException:
      self.stop()
      raise
    if problem:
      self.stop()
      raise InputError(
        f"tensorflow-io can't be started ({problem}): {TENSORFLOW_IO}; or "
        f'{_UNSUPPORTED}'
      )

  def stop(self) -> None:
    """Ends the process, at once."""
    self._process.kill()
    self._process.join()
    self._pipe.close()
    self._process = None


_worker = _Worker()


def _forget_worker() -> None:
  """In a forked process: the worker belongs to the parent."""
  global _worker
  _worker = _Worker()


os.register_at_fork(after_in_child=_forget_worker)


def _serve(pipe) -> None:
  """The worker's main loop; ends with the pipe, that is with the parent."""
  signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
  _silence()
  try:
    import tensorflow as tf
    import tensorflow_io as tfio

    tf.config.set_visible_devices([], 'GPU')  # its memory is the parent's
    _ = tfio.audio  # loads the kernels, or fails to
    pipe.send('')
  except Exception as error:  # of any kind: a broken installation
    pipe.send(_reason(error))
    return
  while True:
    try:
      encoding, data = pipe.recv()
    except (EOFError, OSError):
      return
    try:
      answer = '', graph_decoder(encoding)(data).numpy()
    except Exception as error:  # the parent has to get an answer
      answer = f"tensorflow-io can't decode it: {_reason(error)}", None
    pipe.send(answer)


def _silence() -> None:
  """Mutes the libraries below: what they find in a file, the answer reports."""
  os.environ['TF_CPP_MIN_LOG_LEVEL'] = '3'
  nothing = os.open(os.devnull, os.O_WRONLY)
  os.dup2(nothing, 1)
  os.dup2(nothing, 2)
  os.close(nothing)


def _reason(error: Exception) -> str:
  """One line of the error's message, TensorFlow's general heading passed over."""
  text = str(error).removeprefix('Graph execution error:').strip()
  return text.partition('\n')[0].strip() or type(error).__name__
