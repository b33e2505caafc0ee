"""What all entry points have in common: help, versions, and what is said of flags."""

import ast
import importlib.metadata
import os
import re
import subprocess
import sys

import pytest

import audioset_ml
from audioset_ml.cli import STAGES
from tests.stages import ROOT


@pytest.fixture
def run(run_without_tensorflow, tmp_path):
  """Runs a stage, or the console script for '', in an empty folder."""
  return lambda stage, *words: run_without_tensorflow(tmp_path, stage, *words)


@pytest.mark.parametrize('stage', STAGES)
def test_help_explains_and_needs_no_tensorflow(run, stage):
  done = run(stage, '--help')
  assert done.status == 0
  assert '--' in done.text
  assert len(done.text.splitlines()) > 8
  docstring = ast.get_docstring(ast.parse((ROOT / source_of(stage)).read_text()))
  assert docstring in done.text  # absl takes a per cent sign for a format
  assert run('', 'help', stage).text == done.text
  assert run(stage, '-h').text == done.text


def source_of(stage):
  return f'audioset_ml/{stage}{"/__main__" if stage == "models" else ""}.py'


def test_long_helps_are_in_groups(run):
  text = run('train', '--help').text
  headings = [line for line in text.splitlines() if re.fullmatch(r'\w.*:', line)]
  assert headings == [
    'Example:',
    'Where it goes:',
    'What to train on:',
    'The loss:',
    'Soft targets:',
    'Augmentation:',
    'The network, and where it starts:',
    'Optimisation:',
    'On what it runs:',
    'Watching and keeping:',
  ]
  flags = re.findall(r'^  --(?:\[no\])?(\w+)', text, re.MULTILINE)
  assert len(set(flags)) == len(flags)
  assert {'records', 'steps', 'curve_class', 'overwrite'} <= set(flags)
  assert re.search(r'--records +\(needed\)\n', text)
  assert '--label_mode=weak|diffuse|strong  (default weak)\n' in text
  assert 'repeat this option' not in run('sweep', '--help').text


def test_nobody_needs_to_read_to_the_end(tmp_path):
  """As `… --help | head` doesn't."""
  for stage in ('train', '__main__'):
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, '-m', f'audioset_ml.{stage}', '--help']
    with os.fdopen(writing, 'w') as pipe:
      done = subprocess.run(
        command, stdout=pipe, stderr=subprocess.PIPE, cwd=ROOT, check=False
      )
    assert done.returncode == 141
    assert done.stderr == b''


@pytest.mark.parametrize('stage', ['evaluate', 'score', 'audit'])
def test_the_help_of_a_stage_waits_for_no_large_package(stage):
  command = [sys.executable, '-X', 'importtime', '-m', f'audioset_ml.{stage}', '--help']
  done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
  imported = {line.rpartition('|')[2].strip() for line in done.stderr.splitlines()}
  assert 'audioset_ml.entry.stage' in imported
  assert not imported & {'numpy', 'pandas', 'tensorflow'}


def test_a_module_that_is_none_is_told_like_a_stage():
  command = [sys.executable, '-m', 'audioset_ml.finetun', '--sounds=x']
  done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
  assert done.returncode == 1
  assert done.stdout == ''
  assert done.stderr == (
    "error: there is no stage 'finetun' (do you mean finetune?); python -m audioset_ml "
    '--help lists the stages\n'
  )


@pytest.mark.parametrize('stage', STAGES)
def test_a_version_says_what_it_runs_on(run, stage):
  done = run(stage, '--version')
  assert done.status == 0
  names = [line.rpartition(' ')[0] for line in done.text.splitlines()]
  assert names == ['audioset_ml', 'Python', 'TensorFlow', 'Keras']
  assert f'audioset_ml {audioset_ml.__version__}\n' in done.text
  assert f'TensorFlow {importlib.metadata.version("tensorflow")}\n' in done.text
  assert run('', '--version').text == done.text


@pytest.mark.parametrize('stage', STAGES)
def test_an_unknown_flag_is_one_line(run, stage):
  done = run(stage, '--no_such_flag=1')
  assert done.status == 1
  assert done.text.startswith('error: there is no flag --no_such_flag')
  assert len(done.text.splitlines()) == 1


@pytest.mark.parametrize(
  ('stage', 'flags', 'told'),
  [
    ('train', '--record=x', 'there is no flag --record (do you mean --records?)'),
    ('sweep', '--xyzzy', 'there is no flag --xyzzy; --help explains the flags'),
    ('tag', 'a.wav', '--model is needed: Folder of export or train, SavedModel,'),
    ('train', '--records=x', '--output_dir is needed: Folder to write; --help'),
    (
      'train',
      '',
      '--output_dir is needed: Folder to write; --records is needed: Folder of records',
    ),
    ('train', '--steps=x', "--steps=x: invalid literal for int() with base 10: 'x'"),
    ('train', '--steps=0', '--steps=0: 0 is not a positive integer'),
    ('train', '--overwrite=x', '--overwrite=x: neither true nor false'),
    ('train', '--nooverwrite=1', '--nooverwrite=1 does not take an argument'),
    ('enhance', '--rule=x', '--rule=x: value should be one of <percent|chosen|'),
    ('score', '--records', 'Missing value for flag --records'),
    ('score', '--flagfile=gone', 'gone: the flagfile cannot be opened (No such file'),
    (
      'prepare',
      '--labels_only --segments_csv=a --class_map=b --output_dir=c',
      '--labels_only needs --records',
    ),
    ('', 'tga', "there is no stage 'tga' (do you mean tag?); python -m audioset_ml"),
    ('', 'help scroe', "there is no stage 'scroe' (do you mean score?)"),
    ('', 'xyzzy', "there is no stage 'xyzzy'; python -m audioset_ml --help"),
  ],
)
def test_wrong_flags_are_one_line(run, stage, flags, told):
  done = run(stage, *flags.split())
  assert done.status == 1
  assert done.text == f'{done.errors[0]}\n'
  assert told in done.errors[0]


def test_the_console_script_lists_the_stages(run):
  for words, status in (((), 1), (('help',), 0), (('-h',), 0), (('--help',), 0)):
    done = run('', *words)
    assert done.status == status
    assert done.text.startswith('usage: audioset-ml <stage>')
    assert all(f'  {stage} ' in done.text for stage in STAGES)
