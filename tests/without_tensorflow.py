"""Running entry points where an import of TensorFlow ends the process at once.

Optional packages are not installed there.
"""

import dataclasses
import json
import os
import pathlib
import subprocess
import sys

from tests.stages import ROOT

# No stage exits with it, so no test can take it for an error of a stage.
IMPORTED = 77

# Python imports it by itself, before anything else.
_SITECUSTOMIZE = f"""
import os, sys

class Refuse:
  def find_spec(self, name, path=None, target=None):
    if name in ('tensorflow', 'keras'):
      os.write(2, f'{{name}} was imported\\n'.encode())
      os._exit({IMPORTED})

sys.meta_path.insert(0, Refuse())
# Not installed.
for name in 'apache_beam cleanlab distributed sed_scores_eval tensorflow_io'.split():
  sys.modules[name] = None
"""

# Forks a process for each stage, which spares it a second of other imports.
_SERVER = """
import json, os, sys
import absl.app, matplotlib.figure, numpy, pandas, pyarrow.compute, scipy.special
from audioset_ml.sweeping.launcher import run_forked

for line in sys.stdin:
  folder, stage, arguments, log = json.loads(line)
  os.chdir(folder)
  print(run_forked(stage, arguments, log), flush=True)
"""


@dataclasses.dataclass(frozen=True)
class Ended:
  """How a stage ended, with IMPORTED if it imported TensorFlow or Keras; and all that
  it printed, errors included."""

  status: int
  text: str

  @property
  def errors(self) -> list[str]:
    return [line for line in self.text.splitlines() if line.startswith('error: ')]


class WithoutTensorFlow:
  """Runs stages where there is no TensorFlow; a context manager."""

  def __init__(self, folder: pathlib.Path):
    """Args: a folder for what it needs."""
    self._folder = folder
    (folder / 'sitecustomize.py').write_text(_SITECUSTOMIZE)

  def __enter__(self) -> 'WithoutTensorFlow':
    self._server = subprocess.Popen(
      [sys.executable, '-c', _SERVER],
      stdin=subprocess.PIPE,
      stdout=subprocess.PIPE,
      text=True,
      env={**os.environ, 'PYTHONPATH': f'{self._folder}{os.pathsep}{ROOT}'},
    )
    return self

  def __exit__(self, *unused) -> None:
    self._server.stdin.close()
    self._server.wait()

  def run(self, folder: pathlib.Path, stage: str, *arguments: object) -> Ended:
    """Runs `python -m audioset_ml.<stage>` in a folder; '' for `audioset_ml` itself."""
    log = self._folder / 'log.txt'
    log.unlink(missing_ok=True)
    order = (str(folder), stage or '__main__', list(map(str, arguments)), str(log))
    self._server.stdin.write(json.dumps(order) + '\n')
    self._server.stdin.flush()
    status = int(self._server.stdout.readline())
    return Ended(status, log.read_text().partition('\n')[2])  # without the command
