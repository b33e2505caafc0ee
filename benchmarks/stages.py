"""Runs stages for benchmarks that compare what comes of them."""

import json
import pathlib
import subprocess
import sys


def run_stage(stage: str, folder: pathlib.Path, *flags: str) -> float:
  """Runs a stage into a new folder; its seconds, as its run.json has them.

  Raises:
    SystemExit: it failed.
  """
  command = [sys.executable, '-m', f'audioset_ml.{stage}', f'--output_dir={folder}']
  done = subprocess.run([*command, *flags], capture_output=True, text=True)
  if done.returncode:
    sys.exit(f'{stage} {" ".join(flags)}:\n{done.stderr[-2000:]}')
  return json.loads((folder / 'run.json').read_text())['wall_seconds']
