"""Silence for TensorFlow's start-up notes, in the processes of stages.

What TensorFlow says of itself (oneDNN is on, there is no CUDA, CPU instructions) would
stand in the middle of what a stage says. TF_CPP_MIN_LOG_LEVEL mutes most of it. What
TensorFlow 2.21 writes while it is being imported heeds no setting, so standard error
passes through a filter while `tensorflow` is being imported: all that isn't a known
note still comes through, even where the import ends the process.
"""

import contextlib
import importlib.abc
import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType

# Set for the processes that a stage starts, which import this package (its __init__).
_ASKED = 'AUDIOSET_ML_QUIET'
# What is left out, of standard error's lines while they pass through the filter.
_NOTES = (
  'All log messages before absl::InitializeLog',
  'oneDNN custom operations are on',
  'Could not find cuda drivers',
  'cpu_feature_guard',
  'To enable the following instructions:',
  'Unable to register cu[A-Z]+ factory',
  'Number of eligible GPUs',  # while a graph is frozen
  'Created TensorFlow Lite XNNPACK delegate',
)
_PATIENCE = 5.0  # for the filter's end (s)


def leave_out_notes() -> None:
  """Mutes the notes in this process, before TensorFlow is there, and in its children.

  For the processes of stages alone: a library must not change what its user sees.
  """
  os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
  os.environ[_ASKED] = '1'
  there = any(isinstance(finder, _TensorFlowFinder) for finder in sys.meta_path)
  if 'tensorflow' not in sys.modules and not there:
    sys.meta_path.insert(0, _TensorFlowFinder())


class _TensorFlowFinder(importlib.abc.MetaPathFinder):
  """Finds TensorFlow as Python would, and has it imported under the filter."""

  def find_spec(
    self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
  ) -> ModuleSpec | None:
    if name != 'tensorflow':
      return None
    sys.meta_path.remove(self)
    spec = importlib.util.find_spec(name)
    if spec is None or spec.loader is None:
      return spec
    execute = spec.loader.exec_module

    def exec_module(module: ModuleType) -> None:
      with filtered_stderr():
        execute(module)

    spec.loader.exec_module = exec_module
    return spec


@contextlib.contextmanager
def filtered_stderr() -> Iterator[None]:
  """Has standard error's lines pass through grep, which outlives a crash of ours.

  In the processes of stages alone, and after TensorFlow's import where a known call has
  notes of its own.
  """
  if not os.environ.get(_ASKED):
    yield
    return
  try:
    stderr = os.dup(2)
  except OSError:  # there is none
    yield
    return
  command = ['grep', '--text', '--line-buffered', '-v', '-E', '|'.join(_NOTES)]
  try:
    grep = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=stderr)
  except OSError:  # there is no grep: better notes than no errors
    os.close(stderr)
    yield
    return
  os.dup2(grep.stdin.fileno(), 2)
  grep.stdin.close()
  try:
    yield
  finally:
    with contextlib.suppress(OSError):  # Ctrl-C ends grep, too
      sys.stderr.flush()
    os.dup2(stderr, 2)
    os.close(stderr)
    # What it has left is to come before what we say next.
    with contextlib.suppress(subprocess.TimeoutExpired):
      grep.wait(_PATIENCE)
