"""TensorFlow's start-up notes stay away; all else that it says comes through."""

import os
import signal
import subprocess
import sys

import pytest

from tests.stages import ROOT, run_stage

# What TensorFlow 2.21 writes while it is being imported, and something that matters.
NOTES = """
import os
os.write(2, b'''WARNING: All log messages before absl::InitializeLog() is called are ...
I0000 00:00:1.1 2 port.cc:153] oneDNN custom operations are on. You may see slightly ...
I0000 00:00:1.1 2 cudart_stub.cc:31] Could not find cuda drivers on your machine, ...
E0000 00:00:1.1 2 somewhere.cc:1] \\xff this matters
''')
"""


@pytest.fixture
def run(tmp_path):
  """Runs a program where `tensorflow` is a file of our own; returns how it ended."""

  def run(tensorflow, program, **environment):
    (tmp_path / 'tensorflow.py').write_text(tensorflow)
    return subprocess.run(
      [sys.executable, '-c', program],
      env={**os.environ, 'PYTHONPATH': f'{tmp_path}{os.pathsep}{ROOT}', **environment},
      capture_output=True,
      text=True,
      errors='replace',
      check=False,
      timeout=60,
    )

  return run


STAGE = """
import os, subprocess, sys
from audioset_ml.core import quiet
quiet.leave_out_notes()
import tensorflow
os.write(2, b'oneDNN custom operations are on, says the stage\\n')
"""


def test_notes_are_left_out_during_the_import_alone(run):
  done = run(NOTES, STAGE)
  assert done.returncode == 0, done.stderr
  first, second = done.stderr.splitlines()
  assert first.endswith('� this matters')
  assert second == 'oneDNN custom operations are on, says the stage'


def test_what_ends_the_process_is_seen(run):
  crash = f'{NOTES}\nos.abort()'
  done = run(crash, STAGE)
  assert done.returncode == -signal.SIGABRT
  assert 'this matters' in done.stderr
  failing = f'{NOTES}\nraise ImportError("no such symbol")'
  done = run(failing, STAGE)
  assert done.returncode == 1
  assert 'this matters' in done.stderr
  assert done.stderr.endswith('ImportError: no such symbol\n')


def test_processes_that_a_stage_starts_are_quiet_too(run):
  child = 'import audioset_ml, tensorflow'
  program = f'{STAGE}\nsubprocess.run([sys.executable, "-c", "{child}"], check=True)'
  said = run(NOTES, program).stderr
  assert said.count('this matters') == 2
  assert said.count('oneDNN') == 1  # what the stage itself says
  again = f'{STAGE}\nquiet.leave_out_notes()'
  assert run(NOTES, again, AUDIOSET_ML_QUIET='1').stderr.count('this matters') == 1


def test_the_library_changes_nothing(run):
  program = 'import audioset_ml, os, tensorflow; print(sorted(os.environ))'
  done = run(NOTES, program)
  assert done.stderr.count('oneDNN') == 1
  assert 'AUDIOSET_ML_QUIET' not in done.stdout


def test_without_grep_or_standard_error_it_is_imported_all_the_same(run):
  done = run(NOTES, STAGE, PATH='')
  assert done.returncode == 0
  assert 'this matters' in done.stderr
  closed = STAGE.partition('os.write')[0] + 'print("imported")'
  assert run('', f'import os; os.close(2)\n{closed}').stdout == 'imported\n'


def test_a_stage_says_nothing_but_its_own(monkeypatch):
  monkeypatch.delenv('TF_CPP_MIN_LOG_LEVEL')  # which conftest.py sets
  done = run_stage('models', '--architecture=mobilenet_v1_tiny', '--num_classes=3')
  assert done.returncode == 0
  assert done.stderr == ''
