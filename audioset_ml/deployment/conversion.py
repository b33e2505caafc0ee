"""Frozen graphs to files of other formats, in a child process.

A converter may end its process (TensorFlow 2.17's does so for Keras 3's variables, with
`LLVM ERROR`), fill the terminal, or run out of memory. Whatever happens to it, here it
is one error.
"""

import dataclasses
import os
import pathlib
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Sequence

import numpy as np

from audioset_ml.core.errors import ModelError, printable
from audioset_ml.core.worker_processes import how_it_ended
from audioset_ml.deployment.graphs import FrozenGraph
from audioset_ml.models.exported_file import Description

BEGUN = 'converting '  # with which the child begins a line
# Lines of a converter's that say why it ended.
_TELLING = ('LLVM ERROR', 'Error', 'error:')


@dataclasses.dataclass(frozen=True)
class Conversion:
  """A file to be made.

  Attributes:
    path: the file.
    format: `forms.LITERT` or `forms.ONNX`.
    numbers: see `forms.Form`.
    graph: what it computes.
    description: what is stored with it.
    calibration: inputs by which numbers of 8 bits get their scales. Shape [examples,
      frames, values], float32.
  """

  path: pathlib.Path
  format: str
  numbers: str
  graph: FrozenGraph
  description: Description
  calibration: np.ndarray | None = None


def convert(conversions: Sequence[Conversion]) -> None:
  """Writes files, all in one child process.

  Raises:
    ModelError: one could not be made.
  """
  with tempfile.TemporaryDirectory() as folder:
    status, said, complaints = _run(pickle.dumps(list(conversions)), folder)
  if status == 0:
    return
  begun = [line for line in said.splitlines() if line.startswith(BEGUN)]
  what = begun[-1].removeprefix(BEGUN) if begun else str(conversions[0].path)
  raise ModelError(
    f'{what}: could not be converted: the converter {how_it_ended(status)} '
    f'({_reason(complaints)})'
  )


def _run(conversions: bytes, folder: str) -> tuple[int, str, str]:
  """Runs the child; its exit status, and what it said on its two outputs.

  Args:
    conversions: a pickled list, which it is given through a pipe.
    folder: for what it says.
  """
  places = [place for place in sys.path if place]
  environment = {**os.environ, 'PYTHONPATH': os.pathsep.join(places)}
  command = [sys.executable, '-m', 'audioset_ml.deployment.converter']
  paths = [pathlib.Path(folder, name) for name in ('said', 'complaints')]
  with open(paths[0], 'wb') as said, open(paths[1], 'wb') as complaints:
    done = subprocess.run(
      [*command, str(os.getpid())],
      env=environment,
      input=conversions,
      stdout=said,
      stderr=complaints,
      check=False,
    )
  return done.returncode, *(path.read_text(errors='replace') for path in paths)


def _reason(complaints: str) -> str:
  """The line of a converter's that says most."""
  lines = [line.strip() for line in complaints.splitlines() if line.strip()]
  telling = [line for line in lines if any(word in line for word in _TELLING)]
  found = (telling or lines or ['it said nothing'])[-1]
  return printable(found)
