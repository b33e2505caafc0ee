"""What benchmarks have in common: where they ran is said, and results are kept."""

import os
import pathlib
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from audioset_ml.core.packages import is_installed
from audioset_ml.deployment import forms
from audioset_ml.labels.class_map import ClassMap
from tests.integration.test_finetune import TONES, write_tone
from tests.small_embeddings import write_network

BENCHMARKS = pathlib.Path(__file__).parent.parent / 'benchmarks'


MEASURING = [
  *(BENCHMARKS.glob('bench_*.py')),
  *(BENCHMARKS.glob('compare_*.py')),
  BENCHMARKS / 'growth.py',
]


@pytest.mark.parametrize('path', sorted(MEASURING), ids=lambda path: path.stem)
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
  # A part of them, which leaves the others as they are, and one that there is not.
  (tmp_path / 'bench_good.py').write_text('"""Goes well."""\nprint("clips 8")\n')
  assert run(tmp_path / 'run_all.py', 'bench_good').returncode == 0
  again = (tmp_path / 'results.md').read_text()
  assert again.partition('## bench_good')[0] == results.partition('## bench_good')[0]
  assert again.count('## ') == 2
  assert 'clips 8' in again
  assert 'clips 7' not in again
  done = run(tmp_path / 'run_all.py', 'bench_best')
  assert done.returncode == 1
  assert done.stderr == 'error: no such benchmark: bench_best\n'


def test_features_and_decoding_are_measured_on_clips_that_they_make():
  pytest.importorskip('librosa', reason='librosa is what features are compared with')
  code = (
    'import bench_decode, bench_features\n'
    'bench_decode.CLIPS = bench_decode.ROUNDS = bench_features.ROUNDS = 1\n'
    'bench_features.SECONDS = 1\n'
    'bench_decode.main()\n'
    'bench_features.main()\n'
  )
  done = subprocess.run(
    [sys.executable, '-c', code], cwd=BENCHMARKS, capture_output=True, text=True
  )
  assert done.returncode == 0, done.stderr
  rows = [line.split() for line in done.stdout.splitlines()]
  for ending in ('.ogg', '.mp3', '.flac', '.wav', '.m4a'):
    assert [ending, 'ours'] in [row[:2] for row in rows]
  (speeds,) = [row for row in rows if row[:1] == ['ours'] and 'clips/s' in row]
  assert '1.00' in speeds  # the ratio to itself
  (part,) = [row for row in rows if row[:1] == ['decoding']]
  assert float(part[1]) > 0


def test_slopes_are_those_of_planted_growth():
  code = (
    'from growth import Cost, slopes\n'
    'costs = [Cost("score", n, 9, 5 + 0.01 * n**1.2, 300 * n**0.5)'
    ' for n in (10, 100, 1000, 10000)]\n'
    'print(*slopes(costs, "score"), *slopes(costs[:2], "score"))\n'
    'flat = [Cost("report", n, 9, 5, 300) for n in (10, 100, 1000)]\n'
    'print(*slopes(flat, "report"))\n'
  )
  done = subprocess.run(
    [sys.executable, '-c', code],
    capture_output=True,
    text=True,
    env={**os.environ, 'PYTHONPATH': f'{BENCHMARKS.parent}{os.pathsep}{BENCHMARKS}'},
  )
  found = done.stdout.split()
  # Ten clips take a little more than the start alone.
  assert float(found[0]) == pytest.approx(1.2, abs=0.01)
  assert float(found[1]) == pytest.approx(0.5)
  # Two numbers tell no slope, nor does time that is all start.
  assert found[2:] == ['None', 'None', 'None', '0.0']


def test_students_of_other_precisions_are_compared_seed_by_seed(tmp_path):
  # Seeds differ by .1, precisions by .001, .002 and .003.
  code = (
    'import json, pathlib, sys\n'
    'import compare_precisions\n'
    'def run_stage(stage, folder, *given):\n'
    '  folder.mkdir()\n'
    '  _, precision, seed = folder.name.split("_")\n'
    '  if stage == "train":\n'
    '    assert f"--seed={seed}" in given and "--steps=4" in given\n'
    '    assert "--hidden_units=8,8" in given\n'
    '    assert any(f"{precision}_sets/discard_3" in flag for flag in given)\n'
    '    return\n'
    '  value = int(seed) * (0.101 if precision == "bfloat16" else 0.1)\n'
    '  weak = {"lwlrap": value, "d_prime": 1}\n'
    '  (folder / "metrics.json").write_text(json.dumps({"weak": weak}))\n'
    'compare_precisions.run_stage = run_stage\n'
    'given = ["--model=m", "--records=r", "--students=3", "--train_flags=--steps=4"]\n'
    'given.append("--train_flags=--hidden_units=8,8")\n'
    'compare_precisions.FLAGS(["", *given])\n'
    'compare_precisions.compare_students(pathlib.Path(sys.argv[1]))\n'
  )
  done = subprocess.run(
    [sys.executable, '-c', code, str(tmp_path)],
    capture_output=True,
    text=True,
    env={**os.environ, 'PYTHONPATH': f'{BENCHMARKS.parent}{os.pathsep}{BENCHMARKS}'},
  )
  assert done.returncode == 0, done.stderr
  # Student's t of three: 4.303 · .001 / √3.
  assert '0.2020 ± 0.1010  +0.0020 [-0.0005, +0.0045]' in done.stdout


@pytest.mark.slow
def test_growth_measures_all_stages_and_goes_on(tmp_path):
  flags = [f'--output_dir={tmp_path}', '--embeddings', '--strong']
  assert run(BENCHMARKS / 'growth.py', *flags, '--clips=20', '--keep').returncode == 0
  whole = pd.read_csv(tmp_path / 'growth.csv')
  # As if it had been stopped in `evaluate`: that and `report` are measured again.
  whole[:10].to_csv(tmp_path / 'growth.csv', index=False)
  assert run(BENCHMARKS / 'growth.py', *flags, '--clips=20').returncode == 0
  table = pd.read_csv(tmp_path / 'growth.csv')
  pd.testing.assert_frame_equal(table[:10], whole[:10])
  assert (table['wall'] != whole['wall']).sum() == 2
  stages = ['prepare', 'read', 'score', 'enhance', 'evaluate', 'report']
  assert table['stage'].tolist() == 2 * stages
  assert table['clips'].tolist() == [10] * 6 + [20] * 6
  assert (table[['wall', 'memory']] > 0).all(axis=None)
  assert (tmp_path / 'growth.svg').read_text().startswith('<?xml')
  assert not (tmp_path / '20').exists()
  # What is measured stays; one more number is measured.
  assert run(BENCHMARKS / 'growth.py', *flags, '--clips=30').returncode == 0
  again = pd.read_csv(tmp_path / 'growth.csv')
  pd.testing.assert_frame_equal(again[:12], table)
  assert again['clips'].tolist()[12:] == [30] * 6
  assert '| prepare |' in (tmp_path / 'growth.md').read_text()


@pytest.mark.slow
@pytest.mark.optional
def test_exports_of_a_fine_tuned_head_are_measured_in_every_form(tmp_path):
  for name in ('onnx', 'tf2onnx', 'onnxruntime'):
    if not is_installed(name):
      pytest.skip("needs `make deploy`: pip install 'audioset_ml[deploy]'")
  network = write_network(tmp_path / 'tiny.keras')
  names = tuple(f'Name {index}' for index in range(5))
  ClassMap(tuple(f'/x/{name}' for name in names), names).write(
    tmp_path / 'class_map.csv'
  )
  for row, (label, hertz) in enumerate(TONES.items()):
    for number in range(10):
      path = tmp_path / 'tones' / label / f'{number}.wav'
      write_tone(path, hertz, 10 * row + number, 1 + number / 10)
  flags = '--seconds=0', '--turns=1', f'--yamnet={network}'
  done = run(BENCHMARKS / 'bench_exports.py', *flags, f'--sounds={tmp_path}/tones')
  assert done.returncode == 0, done.stderr
  head = done.stdout.partition('YAMNet, fine-tuned\n')[2]
  written = [one.file for one in forms.FORMS if f'{one.file}: not kept' not in head]
  assert len(written) >= len(forms.FORMS) - 3  # those of 8 bits
  for form in ('saved_model', 'model.keras', *written):
    (line,) = (line for line in head.splitlines() if line.startswith(f'{form} '))
    size, single, batch, difference = map(float, line.split()[1:])
    assert min(size, single, batch) > 0
    assert difference < (1 if 'int' in form else 0.02), line


@pytest.mark.slow
def test_a_shared_stem_gives_what_patches_alone_do():
  flags = '--clips=1', '--turns=1', '--depths=1,2,4'
  done = run(BENCHMARKS / 'bench_shared_stem.py', *flags)
  assert done.returncode == 0, done.stderr
  rows = [line.split() for line in done.stdout.splitlines()]
  built = {row[0]: row for row in rows if len(row) == 11 and row[0].isdigit()}
  # Rows of a patch, and those of the first and the last that depend on padding.
  assert [built[depth][4:7] for depth in ('1', '2', '4')] == [
    ['48', '0', '1'],
    ['48', '1', '2'],
    ['24', '2', '3'],
  ]
  assert all(float(row[-1]) < 1e-4 for row in built.values())
