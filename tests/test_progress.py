"""The progress bar where there is no terminal."""

import os
import pty
import subprocess
import sys
import termios

from tests.stages import ROOT

CODE = """
import sys
from audioset_ml.core.progress import progress_bar

for kept in (True, False):
  bar = progress_bar(range(4), desc='work', delay=0, mininterval=0, leave=kept)
  for number in bar:
    print(f'said {number}', file=sys.stderr, flush=True)
print('the end', file=sys.stderr)
"""


def test_a_bar_and_a_text_never_share_a_line():
  done = subprocess.run(
    [sys.executable, '-c', CODE], cwd=ROOT, capture_output=True, text=True, check=True
  )
  lines = done.stderr.splitlines()
  assert not any('\r' in line for line in lines)
  assert [line for line in lines if line.startswith('said')] == 2 * [
    f'said {number}' for number in range(4)
  ]
  assert lines[-1] == 'the end'
  bars = [line for line in lines if not line.startswith(('said', 'the end'))]
  assert any('4/4' in line for line in bars)
  assert all(line.startswith('work:') and line == line.rstrip() for line in bars)


def test_on_a_terminal_it_is_drawn_over_itself():
  parent, child = pty.openpty()
  termios.tcsetwinsize(child, (24, 80))
  subprocess.run([sys.executable, '-c', CODE], cwd=ROOT, stderr=child, check=True)
  os.close(child)
  assert b'\rwork:' in os.read(parent, 100_000)
  os.close(parent)
