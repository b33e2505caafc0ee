"""Sound from a microphone, by the optional package sounddevice. Needs no TensorFlow."""

import contextlib
import queue
from collections.abc import Callable, Iterator

import numpy as np

from audioset_ml.core.errors import AudioError, first_line

_BLOCK_SECONDS = 0.1
_PATIENCE = 5.0  # for the next block (s)


def require_library() -> None:
  """Raises AudioError if sounddevice, or the library that it needs, is not there."""
  try:
    import sounddevice  # noqa: F401
  except (ImportError, OSError) as error:
    raise AudioError(
      f'--microphone needs the package sounddevice ({error}): install it with '
      "`pip install 'audioset_ml[microphone]'`, and PortAudio (on Debian: "
      'apt install libportaudio2)'
    ) from None


@contextlib.contextmanager
def listening(
  sample_rate: int, on_loss: Callable[[str], object]
) -> Iterator[Iterator[np.ndarray]]:
  """Listens to the default microphone.

  Args:
    sample_rate: in Hz; the system resamples where the device has another.
    on_loss: told when sound was lost, since it came faster than it was taken.

  Yields:
    Blocks of samples, without end. Shape [samples], float32 in [-1, 1].

  Raises:
    AudioError: there is no microphone, or it falls silent.
  """
  require_library()
  import sounddevice

  waiting: queue.SimpleQueue[np.ndarray] = queue.SimpleQueue()

  def take(block: np.ndarray, frames: int, time: object, status: object) -> None:
    if status:
      on_loss(str(status))
    waiting.put(block[:, 0].copy())

  try:
    stream = sounddevice.InputStream(
      samplerate=sample_rate,
      blocksize=round(_BLOCK_SECONDS * sample_rate),
      channels=1,
      dtype='float32',
      callback=take,
    )
    stream.start()
  except (sounddevice.PortAudioError, ValueError) as error:
    raise AudioError(
      f'the microphone cannot be used ({first_line(error)}); `python -m sounddevice` '
      'lists what there is'
    ) from error
  try:
    yield _blocks(waiting)
  finally:
    stream.stop()
    stream.close()


def _blocks(waiting: 'queue.SimpleQueue[np.ndarray]') -> Iterator[np.ndarray]:
  while True:
    try:
      yield waiting.get(timeout=_PATIENCE)
    except queue.Empty:
      raise AudioError(
        f'the microphone has given nothing for {_PATIENCE:g} s; is it plugged in?'
      ) from None
