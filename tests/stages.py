"""Running entry points as a user does: in a process of their own."""

import contextlib
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

from tests.warm_stages import WarmStages

ROOT = pathlib.Path(__file__).resolve().parents[1]
_WARM_STAGES = WarmStages()


def run_stage(
  stage: str,
  *arguments: object,
  folder: pathlib.Path | None = None,
  seconds: float = 480,
  python: str = sys.executable,
  modules: pathlib.Path | None = None,
  variables: dict[str, str] | None = None,
  setup: str = '',
) -> subprocess.CompletedProcess:
  """Runs `python -m audioset_ml.<stage>` to its end.

  Where interpreter, modules and variables are the tests' own, in a process that need
  not import TensorFlow anew.

  Args:
    stage: the stage.
    *arguments: its flags.
    folder: where it runs.
    seconds: how long it may take.
    python: the interpreter.
    modules: a folder whose modules it can import before all others.
    variables: more variables of its environment.
    setup: Python code that its process runs before, where it is so.
  """
  command = _command(stage, arguments, python)
  environment = {**_environment(modules), **(variables or {})}
  if python == sys.executable and modules is None and not variables:
    place = str(folder or os.getcwd())
    return _WARM_STAGES.run(command[2:], place, environment, seconds, setup)
  assert not setup, 'only warm processes have code that runs before'
  return subprocess.run(
    command,
    cwd=folder,
    env=environment,
    capture_output=True,
    text=True,
    check=False,
    timeout=seconds,
  )


def run_stage_ok(
  stage: str,
  *arguments: object,
  folder: pathlib.Path | None = None,
  seconds: float = 480,
  python: str = sys.executable,
  modules: pathlib.Path | None = None,
) -> str:
  """Runs a stage that must succeed; returns what it printed."""
  done = run_stage(
    stage, *arguments, folder=folder, seconds=seconds, python=python, modules=modules
  )
  assert done.returncode == 0, f'{stage} failed:\n{done.stdout}\n{done.stderr}'
  return done.stdout


def kill_stage_when(
  condition,
  stage: str,
  *arguments: object,
  signal_number: int = signal.SIGKILL,
  python: str = sys.executable,
) -> int:
  """Starts a stage, ends it by a signal once `condition()` holds; its exit status.

  A stage that ends well upon Ctrl-C or SIGTERM may end by SIGINT instead of exiting
  with 130 (CPython, where the interrupt fell into the making of a named tuple, as
  imports do); shells say 130 of either, and so does this.
  """
  with tempfile.TemporaryFile('w+') as said:
    process = subprocess.Popen(
      _command(stage, arguments, python),
      env=_environment(),
      stdout=subprocess.DEVNULL,
      stderr=said,
      # A shell that runs the tests in the background has them ignore Ctrl-C.
      preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + 240
    try:
      while not condition():
        assert process.poll() is None, f'{stage} ended before it could be killed'
        assert time.monotonic() < deadline, f'{stage} never got that far'
        time.sleep(0.002)
      process.send_signal(signal_number)
      status = process.wait(timeout=60)
    finally:
      process.kill()
      process.wait()
    said.seek(0)
    text = said.read()
  if status == -signal.SIGINT and 'interrupted' in text and 'Traceback' not in text:
    return 130
  return status


@contextlib.contextmanager
def started_stage(
  stage: str,
  *arguments: object,
  modules: pathlib.Path | None = None,
  before=None,
):
  """A stage that runs, in a process group of its own; killed at the end.

  Args:
    stage: the stage.
    *arguments: its flags.
    modules: a folder whose modules it can import before all others.
    before: called in its process before it begins.

  Yields:
    The process; what it prints is text, to be read with `communicate`.
  """

  def prepare():
    # A shell that runs the tests in the background has them ignore Ctrl-C.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if before:
      before()

  process = subprocess.Popen(
    _command(stage, arguments),
    env=_environment(modules),
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
    text=True,
    errors='replace',  # a kill may leave half a character
    start_new_session=True,
    preexec_fn=prepare,
  )
  try:
    yield process
  finally:
    process.kill()
    process.wait()


def tables_and_shards(folder: pathlib.Path) -> dict[str, bytes]:
  """What a records' folder holds by name, but for what tells of the run itself."""
  named = {path.name: path for path in folder.iterdir()}
  return {
    name: path.read_bytes()
    for name, path in sorted(named.items())
    if name not in ('run.json', 'flags.txt')
  }


def _command(stage: str, arguments: tuple, python: str = sys.executable) -> list[str]:
  return [python, '-m', f'audioset_ml.{stage}', *map(str, arguments)]


def _environment(modules: pathlib.Path | None = None) -> dict[str, str]:
  places = [str(place) for place in (modules, ROOT) if place is not None]
  own = {**os.environ, 'PYTHONPATH': os.pathsep.join(places)}
  own.pop('TF_CPP_MIN_LOG_LEVEL', None)  # the tests' own: a user has none
  return own


def children_of(parent: int, named: str = '') -> list[int]:
  """The processes that a process has started whose command lines hold a text."""
  found = []
  for path in pathlib.Path('/proc').glob('[0-9]*'):
    try:
      # The second field is the name in parentheses, which may hold spaces.
      fields = (path / 'stat').read_text().rpartition(')')[2].split()
      command = (path / 'cmdline').read_text()
    except OSError:  # it has ended meanwhile
      continue
    if int(fields[1]) == parent and named in command:
      found.append(int(path.name))
  return found


def is_alive(process: int) -> bool:
  """Whether a process is there and has not ended."""
  try:
    state = pathlib.Path(f'/proc/{process}/stat').read_text()
  except OSError:
    return False
  return state.rpartition(')')[2].split()[0] not in 'ZX'


def listening_ports(process: int) -> list[str]:
  """The addresses, as hexadecimal numbers, at which a process listens."""
  folder, sockets, found = f'/proc/{process}/fd', set(), []
  for file in os.listdir(folder) if os.path.exists(folder) else ():
    with contextlib.suppress(OSError):  # it is closed meanwhile
      sockets.add(os.readlink(f'{folder}/{file}'))
  for table in ('tcp', 'tcp6'):
    path = pathlib.Path(f'/proc/net/{table}')
    for line in path.read_text().splitlines()[1:] if path.exists() else ():
      fields = line.split()
      if fields[3] == '0A' and f'socket:[{fields[9]}]' in sockets:
        found.append(fields[1])
  return found


def wait_until(condition, seconds: float) -> None:
  """Waits until a condition holds; it must within some seconds."""
  deadline = time.monotonic() + seconds
  while not condition():
    assert time.monotonic() < deadline, f'not within {seconds} s'
    time.sleep(0.002)
