"""`inspect`: what it prints of records, and the picture it draws of a clip."""

import shutil
import subprocess
import sys

import numpy as np
import pytest
from matplotlib.image import imread

from tests.stages import ROOT, run_stage, run_stage_ok

CLIP = 'clip0000001_1000'


def test_records_are_summed_up(small_records):
  printed = run_stage_ok('inspect', small_records)
  lines = printed.splitlines()
  assert lines[0].startswith(f'{small_records}: 12 clips (0.01 h) in 3 shards, ')
  assert 'skipped: 0' in lines
  assert 'labels: 15 explicit positives, 12 explicit negatives, 18 events' in lines
  assert '64 mel bands from 125 to 7500 Hz' in printed
  rows = [line.split(maxsplit=3) for line in lines if 'tone' in line or 'High' in line]
  # write_small_data: tone i % 3, and (i + 1) % 3 where i is odd, but not labelled where
  # i % 4 == 3; tone (i + 2) % 3 is refuted.
  assert sorted(rows) == sorted(
    [
      ['5', '4', '6', 'Low tone'],
      ['5', '4', '6', 'Middle, tone'],
      ['5', '4', '6', 'High'],
    ]
  )
  named = [line.split() for line in lines if line.startswith('  clip')]
  assert len(named) == 5
  assert all(words[1:] == ['2', 'labels', 'of', '2', 'classes'] for words in named)


@pytest.mark.long
def test_a_clip_is_described_and_drawn(small_records, tmp_path):
  printed = run_stage_ok('inspect', small_records, f'--clip_id={CLIP}', folder=tmp_path)
  assert printed.splitlines() == [
    f'{CLIP}: 2.00 s',
    'weak, present: Middle, tone; High',
    'weak, confirmed not present: Low tone',
    'strong, present:  0.000 to  2.000 s  Middle, tone',
    'strong, present:  0.000 to  2.000 s  High',
    f'{CLIP}.png',
  ]
  assert [path.name for path in tmp_path.iterdir()] == [f'{CLIP}.png']
  pixels = imread(tmp_path / f'{CLIP}.png')
  colours, counts = np.unique(
    (255 * pixels[..., :3]).astype(int).reshape(-1, 3), axis=0, return_counts=True
  )
  area = dict(zip(map(tuple, colours.tolist()), counts.tolist(), strict=True))
  assert area[(0, 114, 178)] > 20_000  # present: COLORS['blue']
  assert area[(230, 159, 0)] > 10_000  # confirmed not present: COLORS['ochre']
  assert len(area) > 100  # the spectrogram


@pytest.mark.parametrize(
  ('ending', 'signature'), [('pdf', b'%PDF-'), ('svg', b'<?xml')]
)
def test_the_ending_of_output_is_the_format(ending, signature, small_records, tmp_path):
  output = tmp_path / f'clip.{ending}'
  flags = [f'--clip_id={CLIP}', f'--output={output}']
  assert run_stage_ok('inspect', small_records, *flags).endswith(f'{output}\n')
  assert output.read_bytes().startswith(signature)


def test_what_is_wrong_is_told_in_one_line(small_records, tmp_path):
  clip, spoiled = f'--clip_id={CLIP}', tmp_path / 'spoiled'
  shutil.copytree(small_records, spoiled)
  for shard in spoiled.glob('*.tfrecord'):
    shard.write_bytes(b'no record' * 100)
  unfinished = tmp_path / 'unfinished'
  unfinished.mkdir()
  for arguments, message in (
    ((small_records, '--clip_id=clip0000001'), f'did you mean {CLIP}?'),
    ((unfinished, clip), 'not a finished `prepare` folder'),
    ((small_records, clip, '--output=clip.jpeg'), 'its ending says no format'),
    ((spoiled, clip), 'were written; prepare the records again'),
  ):
    done = run_stage('inspect', *arguments, folder=tmp_path)
    assert done.returncode == 1
    *others, last = done.stderr.splitlines()
    assert last.startswith('error: ')
    assert message in last
    assert not any('Traceback' in line or 'error:' in line for line in others)
  assert sorted(path.name for path in tmp_path.iterdir()) == ['spoiled', 'unfinished']


def test_wrong_arguments_are_told(small_records):
  for arguments, message in (
    ((), 'name one folder'),
    ((small_records, small_records), 'name one folder'),
    ((small_records, '--output=clip.png'), 'give its --clip_id'),
  ):
    done = run_stage('inspect', *arguments)
    assert done.returncode == 1
    assert message in done.stderr
    assert 'Traceback' not in done.stderr


@pytest.mark.slow
def test_the_name_hides_nobody_elses_module(small_records):
  # The standard library has an `inspect` too; absl and TensorFlow need that one.
  code = (
    'import audioset_ml.records.inspection, inspect, sys; '
    'sys.exit("audioset_ml" in inspect.__file__)'
  )
  subprocess.run([sys.executable, '-c', code], cwd=ROOT, check=True)
  script = 'from audioset_ml.cli import main; main()'
  done = subprocess.run(
    [sys.executable, '-c', script, 'inspect', str(small_records)],
    cwd=ROOT,
    capture_output=True,
    text=True,
    check=True,
  )
  assert '12 clips' in done.stdout
