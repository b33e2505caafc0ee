"""What benchmarks have in common: where they ran is said, and results are kept."""

import os
import pathlib
import shutil
import subprocess
import sys

import numpy as np
import pytest

BENCHMARKS = pathlib.Path(__file__).parent.parent / 'benchmarks'


@pytest.mark.parametrize(
  'path', sorted(BENCHMARKS.glob('bench_*.py')), ids=lambda path: path.stem
)
def test_each_says_on_what_it_ran(path):
  main = path.read_text().partition('def main(')[2]
  assert '  print_machine(' in main


def run(path, *arguments):
  return subprocess.run(
    [sys.executable, str(path), *arguments],
    capture_output=True,
    text=True,
    env={**os.environ, 'PYTHONPATH': str(BENCHMARKS.parent)},
  )


def test_results_have_tables_with_the_machine_and_name_failures(tmp_path):
  for name in ('machine.py', 'run_all.py'):
    shutil.copy(BENCHMARKS / name, tmp_path)
  (tmp_path / 'bench_good.py').write_text(
    '"""Goes well."""\n'
    'from machine import print_machine\n'
    'print_machine("nowhere-to-be-found")\n'
    'print("clips 7")\n'
  )
  (tmp_path / 'bench_bad.py').write_text('"""Fails."""\nprint("begun")\n1 / 0\n')
  done = run(tmp_path / 'run_all.py')
  assert done.returncode == 1
  results = (tmp_path / 'results.md').read_text()
  assert '## bench_bad\n\nFails."""' not in results
  assert 'begun\nfailed with 1:' in results
  assert 'ZeroDivisionError' in results
  good = results.partition('## bench_good')[2]
  assert 'Goes well.' in good
  assert f'numpy {np.__version__}' in good
  assert 'without nowhere-to-be-found' in good
  assert ' cores' in good
  assert 'clips 7' in good
  # A part of them, and one that there is not.
  assert run(tmp_path / 'run_all.py', 'bench_good').returncode == 0
  assert 'bench_bad' not in (tmp_path / 'results.md').read_text()
  done = run(tmp_path / 'run_all.py', 'bench_best')
  assert done.returncode == 1
  assert done.stderr == 'error: no such benchmark: bench_best\n'
