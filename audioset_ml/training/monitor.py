"""What a person watches while a model trains: progress bar and TensorBoard."""

import contextlib
import pathlib
import time
from collections.abc import Iterator

import tensorflow as tf

from audioset_ml.core.progress import progress_bar
from audioset_ml.training.config import TrainConfig

_SECONDS_SHOWN = 2.0  # between two values beside the progress bar
_PROFILE_AFTER = 10  # steps, for the first ones are slow


class Monitor:
  """Shows and logs a run."""

  def __init__(
    self,
    logs_dir: pathlib.Path | None,
    config: TrainConfig,
    first_step: int,
    flag_text: str,
  ):
    """Args: TensorBoard's folder, None to show and log nothing (a worker that isn't the
    chief); the run; steps done before; its flags."""
    self._writer, self._logs_dir = None, logs_dir
    if logs_dir is not None:
      self._writer = tf.summary.create_file_writer(str(logs_dir / 'train'))
    if first_step == 0 and logs_dir is not None:
      _write_flags(self._writer, logs_dir, flag_text)
    self._bar = progress_bar(
      total=config.steps,
      initial=first_step,
      desc='train',
      unit='step',
      smoothing=0.1,
      disable=logs_dir is None,
    )
    self._batch_size = config.batch_size
    self._profile_steps = config.profile_steps
    self._profiling, self._profile_end = False, 0
    self._steps_here = self._steps = 0
    self._since = self._shown = time.perf_counter()

  def steps(self, number: int) -> None:
    """Counts steps that were made together."""
    self._steps += number
    self._steps_here += number
    self._bar.update(number)

  @property
  def is_due(self) -> bool:
    """Whether it is time to show a loss, or to begin or end a profile."""
    since = time.perf_counter() - self._shown
    return since > _SECONDS_SHOWN or self._profile_is_due

  def show(self, loss: float) -> None:
    """Shows the last step's loss, and begins or ends a profile, where it is time.

    A profile has whole steps: where a loss is there, the device is done with its step.
    """
    self._profile()
    if time.perf_counter() - self._shown > _SECONDS_SHOWN:
      self._shown = time.perf_counter()
      self._bar.set_postfix_str(f'loss {loss:.4f}, {self._speed():.0f} patches/s')

  def log(self, step: int, loss: float, learning_rate: float) -> None:
    """Logs the mean loss, the learning rate, and the speed since the last call."""
    if self._writer is not None:
      with self._writer.as_default(step=step):
        tf.summary.scalar('loss', loss)
        tf.summary.scalar('learning_rate', learning_rate)
        tf.summary.scalar('patches_per_second', self._speed())
      self._writer.flush()  # or TensorBoard would be two minutes behind
    self._steps = 0
    self._since = time.perf_counter()

  @contextlib.contextmanager
  def paused(self) -> Iterator[None]:
    """Stops the clock, so that evaluating doesn't count as slow training."""
    start = time.perf_counter()
    yield
    self._since += time.perf_counter() - start

  def flush(self) -> None:
    """Writes what was logged to the disk."""
    if self._writer is not None:
      self._writer.flush()

  def close(self) -> None:
    if self._profiling:
      tf.profiler.experimental.stop()
    self._bar.refresh()
    self._bar.close()
    if self._writer is not None:
      self._writer.close()

  def _speed(self) -> float:
    """Patches a second since the last point."""
    return self._steps * self._batch_size / (time.perf_counter() - self._since)

  @property
  def _profile_is_due(self) -> bool:
    """Whether a profile begins or ends here."""
    if not self._profile_steps or self._logs_dir is None:
      return False
    if self._profiling:
      return self._steps_here >= self._profile_end
    return self._steps_here >= _PROFILE_AFTER and not self._profile_end

  def _profile(self) -> None:
    """Profiles some steps of this process, if asked to; whole calls of them."""
    if not self._profile_is_due:
      return
    if self._profiling:
      tf.profiler.experimental.stop()
    else:
      tf.profiler.experimental.start(str(self._logs_dir))
      self._profile_end = self._steps_here + self._profile_steps
    self._profiling = not self._profiling


def _write_flags(
  writer: tf.summary.SummaryWriter, logs_dir: pathlib.Path, flag_text: str
) -> None:
  """The run's flags as a text, and for the table of TensorBoard's HParams."""
  from tensorboard.plugins.hparams import api as hparams

  with writer.as_default(step=0):
    tf.summary.text(
      'flags', '\n'.join(f'    {line}' for line in flag_text.splitlines())
    )
    hparams.hparams(_values(flag_text))


def _values(flag_text: str) -> dict[str, str]:
  """The flags of a flagfile by name; switches are True or False."""
  values = {}
  for line in flag_text.splitlines():
    if not line.startswith('--'):
      continue
    name, equals, value = line.removeprefix('--').partition('=')
    if equals:
      values[name] = value
    else:
      values[name.removeprefix('no')] = str(not name.startswith('no'))
  return values
