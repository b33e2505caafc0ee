"""Stages in processes forked from one that has imported what is slow to import.

Importing TensorFlow takes seconds of each stage, and the tests run hundreds. Only other
people's packages are imported beforehand, so that a module of ours that lacks an import
still fails. As `python -m audioset_ml.<stage>` otherwise: a process of its own, its own
working directory, environment, output and end.
"""

import atexit
import contextlib
import importlib
import json
import os
import pathlib
import runpy
import signal
import subprocess
import sys
import tempfile
import threading
import traceback

ROOT = pathlib.Path(__file__).resolve().parents[1]
_PACKAGES = ('pandas', 'tensorflow', 'apache_beam')
# pytest's own, which a stage doesn't read.
_CHANGING = ('PYTEST_CURRENT_TEST',)
_MOST_SERVERS = 3


class WarmStages:
  """Runs stages; a process for each environment is started when it is first wanted.

  Libraries and tests change the environment now and then, so that there are several.
  """

  def __init__(self):
    self._servers: dict[frozenset, subprocess.Popen] = {}
    atexit.register(self._stop)

  def run(
    self,
    command: list[str],
    folder: str,
    environment: dict[str, str],
    seconds: float,
    setup: str = '',
  ) -> subprocess.CompletedProcess:
    """Runs a stage to its end.

    Args:
      command: the stage's module and its flags.
      folder: where it runs.
      environment: its environment.
      seconds: how long it may take.
      setup: Python code that its process runs before.

    Raises:
      subprocess.TimeoutExpired: it took longer, and was killed.
    """
    server = self._server(environment)
    with tempfile.TemporaryDirectory() as place:
      outputs = [os.path.join(place, name) for name in ('stdout', 'stderr')]
      order = {
        'command': command,
        'folder': folder,
        'outputs': outputs,
        'setup': setup,
      }
      print(json.dumps(order), file=server.stdin, flush=True)
      process = _answer(server)
      timer = threading.Timer(seconds, os.kill, (process, signal.SIGKILL))
      timer.start()
      status = _answer(server)
      is_late = not timer.is_alive()
      timer.cancel()
      out, err = (pathlib.Path(name).read_text(errors='replace') for name in outputs)
    if is_late:
      raise subprocess.TimeoutExpired(command, seconds, out, err)
    return subprocess.CompletedProcess(command, status, out, err)

  def _server(self, environment: dict[str, str]) -> subprocess.Popen:
    own = {name: environment[name] for name in environment if name not in _CHANGING}
    key = frozenset(own.items())
    if key not in self._servers:
      if len(self._servers) == _MOST_SERVERS:
        _end(self._servers.pop(next(iter(self._servers))))
      self._servers[key] = subprocess.Popen(
        [sys.executable, '-m', 'tests.warm_stages'],
        cwd=ROOT,
        env=own,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
      )
    self._servers[key] = self._servers.pop(key)  # the last one used
    return self._servers[key]

  def _stop(self) -> None:
    for server in self._servers.values():
      _end(server)


def _answer(server: subprocess.Popen) -> int:
  answer = server.stdout.readline()
  assert answer, 'the process that runs stages has ended'
  return int(answer)


def _end(server: subprocess.Popen) -> None:
  server.stdin.close()  # which ends it
  server.wait()


def serve() -> None:
  """Takes orders from standard input until it ends; answers with process and status."""
  from audioset_ml.core import quiet

  environment = dict(os.environ)
  quiet.leave_out_notes()
  for name in _PACKAGES:
    with contextlib.suppress(ImportError):
      importlib.import_module(name)
  for name in [name for name in sys.modules if name.startswith('audioset_ml')]:
    del sys.modules[name]
  answers = os.fdopen(os.dup(1), 'w')
  os.dup2(2, 1)  # nothing that is printed may be taken for an answer
  os.environ.clear()
  os.environ.update(environment)
  for line in sys.stdin:
    order = json.loads(line)
    if not (process := os.fork()):
      _run(order)
    print(process, file=answers, flush=True)
    _, status = os.waitpid(process, 0)
    print(os.waitstatus_to_exitcode(status), file=answers, flush=True)


def _run(order: dict) -> None:
  """Runs a stage in this process, and ends it."""
  status = 1
  try:
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for number, name in enumerate(order['outputs'], 1):
      os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666), number)
    os.chdir(order['folder'])
    module, *arguments = order['command']
    sys.path[0] = os.getcwd()
    sys.argv = [module, *arguments]
    exec(order['setup'], {})
    runpy.run_module(module, run_name='__main__', alter_sys=True)
    status = 0
  except SystemExit as end:
    status = end.code if isinstance(end.code, int) else int(end.code is not None)
    if isinstance(end.code, str):
      print(end.code, file=sys.stderr)
  except BaseException:
    traceback.print_exc()
  finally:
    with contextlib.suppress(BaseException):
      threading._shutdown()
      atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


if __name__ == '__main__':
  serve()
