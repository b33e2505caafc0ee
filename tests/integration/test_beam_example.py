"""docs/examples/score_sounds.py: a batch job over Beam, held against `tag`."""

import csv
import os
import subprocess
import sys

import numpy as np
import pytest
import soundfile

import audioset_ml
from tests.conftest import NEEDS_BEAM
from tests.integration.test_score import write_model
from tests.stages import ROOT


def run_job(*arguments):
  environment = {**os.environ, 'PYTHONPATH': str(ROOT)}
  command = [sys.executable, 'docs/examples/score_sounds.py', *arguments]
  return subprocess.run(
    command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
  )


def rows(folder, prefix):
  """The rows of a table's files, without their headers."""
  found = []
  for path in sorted(folder.glob(f'{prefix}-*.csv')):
    with path.open(newline='') as file:
      header, *more = csv.reader(file)
    found += more
  return header, found


@pytest.fixture(scope='module')
def job(tmp_path_factory):
  """The job's folder, when it has run over two sounds and what is none."""
  pytest.importorskip('apache_beam', reason=NEEDS_BEAM)
  folder = tmp_path_factory.mktemp('job')
  write_model(folder / 'tiny', seed=1)
  random = np.random.default_rng(0)
  for name, seconds in (('a, b.wav', 3), ('c.wav', 1)):
    waveform = random.uniform(-0.5, 0.5, seconds * 16_000)
    soundfile.write(folder / name, waveform, 16_000)
  (folder / 'text.wav').write_text('no sound')
  flags = (f'--sounds={folder}/*.wav', f'--output={folder}/out/found', '--top=2')
  done = run_job(f'--model={folder}/tiny/model.keras', *flags)
  assert done.returncode == 0, done.stderr
  assert sorted(done.stdout.splitlines()) == ['sounds: 2', 'unusable: 1']
  return folder


def test_scores_are_tags(job):
  header, found = rows(job / 'out', 'found')
  assert header == ['file', 'class', 'highest', 'at', 'mean']
  paths = [str(job / 'a, b.wav'), str(job / 'c.wav')]
  wanted = []
  for tags in audioset_ml.tag(job / 'tiny/model.keras', *paths):
    for row in tags.table().head(2).itertuples(index=False):
      wanted.append([tags.path, row[0], *(f'{value:.4f}' for value in row[1:])])
  assert sorted(found) == sorted(wanted)
  assert len(found) == 4


def test_what_cannot_be_used_is_listed(job):
  header, found = rows(job / 'out', 'found_unusable')
  assert header == ['file', 'why']
  ((path, why),) = found
  assert path == str(job / 'text.wav')
  assert 'text.wav' in why


@pytest.mark.long
@pytest.mark.parametrize(
  ('flags', 'message'),
  [
    (('--sounds={}/*.mp3',), 'score_sounds failed: '),
    (
      ('--sounds={}/*.wav', '--no_such_option=1'),
      'Beam knows no option no_such_option',
    ),
    (('--sounds={}/*.wav', '--workers=0'), 'workers is 0, but at least 1'),
    (('--sounds={}/*.wav', '--model=gone'), 'gone'),
  ],
)
def test_what_is_wrong_is_one_line(job, tmp_path, flags, message):
  model = f'--model={job}/tiny/model.keras'
  given = [flag.format(job) for flag in flags]
  done = run_job(model, *given, f'--output={tmp_path}/found')
  assert done.returncode == 1
  last = done.stderr.strip().splitlines()[-1]
  assert last.startswith('error: ')
  assert message in last
