"""Running a sweep's trials, several at once, and what came of each."""

import contextlib
import dataclasses
import pathlib
import queue
import signal
import threading
import time
from collections.abc import Iterator, Sequence

from audioset_ml.core import folders, run_state
from audioset_ml.core.errors import InputError
from audioset_ml.core.input_files import read_json
from audioset_ml.core.progress import progress_bar
from audioset_ml.core.worker_processes import how_it_ended
from audioset_ml.sweeping.grid import Trial
from audioset_ml.sweeping.launching import Launcher

TRIAL_FILE = 'trial.json'
LOG_FILE = 'log.txt'
LAUNCHERS_FILE = 'launchers.txt'
_LOG_SHOWN = 4000  # bytes at the log's end in which a failure's reason is looked for


@dataclasses.dataclass(frozen=True)
class Outcome:
  """How a trial ended.

  Attributes:
    trial: the trial.
    seconds: how long its stages took together; of a failed one, how long it lasted.
    message: why it failed; '' if it didn't.
    commit: of the code that ran it, as far as is known.
  """

  trial: Trial
  seconds: float
  message: str = ''
  commit: str = ''

  @property
  def failed(self) -> bool:
    return bool(self.message)


def outcome_of(trial: Trial, sweep_dir: pathlib.Path) -> Outcome | None:
  """A trial's outcome if it has finished with the same commands; None if it has to run.

  A trial counts as unfinished, too, where an input of one of its stages has changed.
  """
  folder = sweep_dir / trial.name
  try:
    content = read_json(folder / TRIAL_FILE, {'seconds': float, 'commit?': (str, None)})
  except InputError:
    return None
  if content.get('commands') != _as_json(trial) or content.get('message'):
    return None
  if not all(run_state.is_current(path) for path in stage_folders(trial).values()):
    return None
  return Outcome(trial, content['seconds'], commit=content.get('commit') or '')


def stage_folders(trial: Trial) -> dict[str, pathlib.Path]:
  """The folder that each stage writes, by its label; of those that write one."""
  return {
    label: pathlib.Path(argument.partition('=')[2])
    for label, _, arguments in trial.commands
    for argument in arguments
    if argument.startswith('--output_dir=')
  }


def _wall_seconds(trial: Trial) -> float:
  """How long its stages took, in whatever attempts."""
  runs = [folder / folders.RUN_FILE for folder in stage_folders(trial).values()]
  form = {'wall_seconds': float}
  runs = [read_json(file, form) for file in runs if file.exists()]
  return round(sum(run['wall_seconds'] for run in runs), 1)


class TrialRunner:
  """Runs trials in `jobs` launchers at once."""

  def __init__(
    self,
    sweep_dir: pathlib.Path,
    jobs: int,
    threads: int,
    commit: str = '',
    more_flags: Sequence[str] = (),
  ):
    """Args: the sweep's folder; trials at once; threads of each, 0 for TensorFlow's
    own choice; the commit that the trials are noted to be of; flags of all stages."""
    self._sweep_dir, self._commit = sweep_dir, commit
    self._more_flags = list(more_flags)
    self._jobs, self._threads = jobs, threads

  def run(self, trials: Sequence[Trial], done: int) -> Iterator[Outcome]:
    """Runs trials and yields each one's outcome when it ends.

    Args:
      trials: the trials.
      done: how many have been finished before, for the progress bar.
    """
    waiting: queue.SimpleQueue[Trial] = queue.SimpleQueue()
    for trial in trials:
      waiting.put(trial)
    ended: queue.SimpleQueue[Outcome | BaseException | None] = queue.SimpleQueue()
    jobs = min(self._jobs, len(trials))
    # Launchers are started here, for a launcher ends with the thread that started it.
    said = self._sweep_dir / LAUNCHERS_FILE
    launchers = [Launcher(said, self._threads) for _ in range(jobs)]
    threads = [
      threading.Thread(target=self._work, args=(one, waiting, ended), daemon=True)
      for one in launchers
    ]
    bar = progress_bar(total=done + len(trials), initial=done, desc='trials')
    with contextlib.ExitStack() as stack:
      stack.callback(bar.close)
      stack.callback(_stop_all, launchers)
      for thread in threads:
        thread.start()
      for _ in trials:
        outcome = ended.get()
        if isinstance(outcome, BaseException):
          raise outcome
        bar.update()
        yield outcome

  def _work(self, launcher: Launcher, waiting, ended) -> None:
    while not launcher.stopped:
      try:
        trial = waiting.get_nowait()
      except queue.Empty:
        return
      try:
        ended.put(self._run_one(launcher, trial))
      except BaseException as error:
        ended.put(error)
        return

  def _run_one(self, launcher: Launcher, trial: Trial) -> Outcome:
    folder = self._sweep_dir / trial.name
    folder.mkdir(parents=True, exist_ok=True)
    start = time.time()
    stages = [
      [name, [*arguments, *self._more_flags]] for _, name, arguments in trial.commands
    ]
    log = folder / LOG_FILE
    answer = launcher.order(stages, log)
    outcome = Outcome(trial, round(time.time() - start, 1), commit=self._commit)
    if answer['status']:
      message = _reason(log, answer)
      if (stage := answer.get('stage')) is not None:
        message = f'{trial.commands[stage][0]}: {message}'
      outcome = dataclasses.replace(outcome, message=message)
    else:
      outcome = dataclasses.replace(outcome, seconds=_wall_seconds(trial))
    content = {
      'axes': trial.point,
      'commands': _as_json(trial),
      'commit': self._commit,
      'seconds': outcome.seconds,
      'message': outcome.message,
    }
    if not launcher.stopped:
      folders.write_json(folder / TRIAL_FILE, content)
    return outcome


def _stop_all(launchers: Sequence[Launcher]) -> None:
  # All are asked before one is waited for, or another would begin a new trial.
  for launcher in launchers:
    launcher.terminate()
    launcher.close()
  for launcher in launchers:
    launcher.wait()


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
  """SIGTERM is taken like Ctrl-C while this lasts."""

  def interrupt(*_):
    raise KeyboardInterrupt

  handler = signal.signal(signal.SIGTERM, interrupt)
  try:
    yield
  finally:
    signal.signal(signal.SIGTERM, handler)


def _as_json(trial: Trial) -> list[list]:
  return [[label, name, list(arguments)] for label, name, arguments in trial.commands]


def _reason(log: pathlib.Path, answer: dict[str, int]) -> str:
  """Why a stage failed: its own error line, or the last thing that it said."""
  try:
    text = log.read_bytes()[-_LOG_SHOWN:].decode(errors='replace')
  except OSError:
    text = ''
  text = text.rpartition('\n$ python -m ')[2]  # of earlier attempts, nothing
  lines = [line.strip() for line in text.splitlines() if line.strip()]
  if 'said' in answer:
    return f'its launcher {how_it_ended(answer["status"])}; see {answer["said"]}'
  if answer['status'] < 0:
    return how_it_ended(answer['status'])
  told = [line for line in lines if line.startswith('error:')]
  return (told or lines or [f'exit status {answer["status"]}'])[-1]
