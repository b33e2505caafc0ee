"""Running entry points as a user does: in a process of their own."""

import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]


def run_stage(
  stage: str,
  *arguments: object,
  folder: pathlib.Path | None = None,
  seconds: float = 480,
  python: str = sys.executable,
) -> subprocess.CompletedProcess:
  """Runs `python -m audioset_ml.<stage>` to its end."""
  return subprocess.run(
    _command(stage, arguments, python),
    cwd=folder,
    env=_environment(),
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
) -> str:
  """Runs a stage that must succeed; returns what it printed."""
  done = run_stage(stage, *arguments, folder=folder, seconds=seconds, python=python)
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


def _command(stage: str, arguments: tuple, python: str) -> list[str]:
  return [python, '-m', f'audioset_ml.{stage}', *map(str, arguments)]


def _environment() -> dict[str, str]:
  return {**os.environ, 'PYTHONPATH': str(ROOT)}
