"""What all entry points have in common."""

import ast
import subprocess
import sys

import pytest

from audioset_ml.cli import STAGES
from tests.stages import ROOT, run_stage


def source_of(stage):
  return f'audioset_ml/{stage}{"/__main__" if stage == "models" else ""}.py'


@pytest.mark.parametrize('stage', STAGES)
def test_help_explains_and_needs_no_tensorflow(stage):
  # -X importtime lists every import: a sure sign where a clock is not.
  done = subprocess.run(
    [sys.executable, '-X', 'importtime', '-m', f'audioset_ml.{stage}', '--help'],
    cwd=ROOT,
    capture_output=True,
    text=True,
    check=False,
    timeout=60,
  )
  assert done.returncode == 0
  assert '--' in done.stdout
  assert len(done.stdout.splitlines()) > 8
  docstring = ast.get_docstring(ast.parse((ROOT / source_of(stage)).read_text()))
  assert docstring in done.stdout  # absl takes a per cent sign for a format
  assert '| tensorflow' not in done.stderr
  assert 'Traceback' not in done.stderr


@pytest.mark.parametrize('stage', sorted(set(STAGES) - {'quickstart', 'models'}))
def test_a_wrong_flag_is_told_without_a_traceback(stage):
  done = run_stage(stage, '--no_such_flag=1')
  assert done.returncode == 1
  assert 'there is no flag' in done.stderr
  assert 'Traceback' not in done.stderr


def test_the_console_script_runs_stages_and_lists_them():
  script = [sys.executable, '-m', 'audioset_ml']
  listed = subprocess.run(
    [*script, '--help'], cwd=ROOT, capture_output=True, text=True, check=True
  )
  assert all(stage in listed.stdout for stage in STAGES)
  helped = subprocess.run(
    [*script, 'enhance', '--help'],
    cwd=ROOT,
    capture_output=True,
    text=True,
    check=False,
  )
  assert '--discard_percent' in helped.stdout
  wrong = subprocess.run(
    [*script, 'enhanse'], cwd=ROOT, capture_output=True, text=True, check=False
  )
  assert wrong.returncode == 1
  assert 'usage: audioset-ml' in wrong.stderr
