"""What is built for others to install: all that is needed, and nothing else."""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile

import pytest

import audioset_ml
from tests.stages import ROOT

NAME = f'audioset_ml-{audioset_ml.__version__}'


@pytest.fixture(scope='module')
def tracked() -> list[str]:
  """The files of the repository, as git knows them."""
  try:
    listed = subprocess.run(
      ['git', 'ls-files', '-z'], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split('\0')
  except (OSError, subprocess.CalledProcessError) as error:
    pytest.skip(f'git lists no files to compare with ({error})')
  return [name for name in listed if name and (ROOT / name).is_file()]


@pytest.fixture(scope='module')
def built(tracked, tmp_path_factory) -> pathlib.Path:
  """A folder with an sdist and the wheel made of it."""
  pytest.importorskip('build', reason="pip install 'audioset_ml[test]' brings it")
  source, output = tmp_path_factory.mktemp('source'), tmp_path_factory.mktemp('dist')
  for name in tracked:
    (source / name).parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(ROOT / name, source / name)
  run(sys.executable, '-m', 'build', '--no-isolation', f'--outdir={output}', source)
  return output


def run(*command, folder=None, environment=None) -> str:
  done = subprocess.run(
    list(map(str, command)),
    cwd=folder,
    env=environment,
    capture_output=True,
    text=True,
    check=False,
  )
  assert done.returncode == 0, f'{command}:\n{done.stdout}\n{done.stderr}'
  return done.stdout


def test_the_sdist_holds_the_repository(built, tracked):
  with tarfile.open(built / f'{NAME}.tar.gz') as archive:
    names = {
      member.name.removeprefix(f'{NAME}/')
      for member in archive.getmembers()
      if member.isfile()
    }
  made = {name for name in names if '.egg-info/' in name}
  assert names - made - {'PKG-INFO', 'setup.cfg'} == set(tracked)


def test_the_wheel_holds_the_package(built, tracked):
  with zipfile.ZipFile(built / f'{NAME}-py3-none-any.whl') as archive:
    names = set(archive.namelist())
    metadata = archive.read(f'{NAME}.dist-info/METADATA').decode()
  package = {name for name in tracked if name.startswith('audioset_ml/')}
  described = {name for name in names if name.startswith(f'{NAME}.dist-info/')}
  assert names - described == package
  assert f'{NAME}.dist-info/licenses/LICENSE' in described
  fields, _, readme = metadata.partition('\n\n')
  (pythons,) = (line for line in fields.splitlines() if 'Requires-Python' in line)
  assert '>=3.11' in pythons
  assert '<3.14' in pythons
  assert 'Project-URL:' in fields
  assert 'Classifier: Programming Language :: Python :: 3.13' in fields
  required = [line for line in fields.splitlines() if 'Requires-Dist' in line]
  always = ' '.join(line for line in required if 'extra ==' not in line)
  assert 'tensorflow<' in always
  assert 'tensorboard' in always
  for optional in (
    'beam',
    'tensorflow-io',
    'pymongo',
    'distributed',
    'cleanlab',
    'onnx',
    'litert',
  ):
    assert optional not in always
  # Pictures and files that an index would not find.
  assert not re.findall(r'\]\((?!https?:)', readme)


@pytest.mark.slow
def test_the_installed_wheel_works_outside_any_checkout(built, tmp_path):
  venv.create(tmp_path / 'env', with_pip=True)
  python = tmp_path / 'env/bin/python'
  environment = {k: v for k, v in os.environ.items() if not k.startswith('PYTHON')}
  wheel = built / f'{NAME}-py3-none-any.whl'
  found = subprocess.run(
    [python, '-m', 'pip', 'download', '--no-deps', '--dest', tmp_path, 'absl-py'],
    capture_output=True,
    env=environment,
    check=False,
  )
  if found.returncode:
    pytest.skip('no package index can be reached')
  run(python, '-m', 'pip', 'install', '--quiet', wheel, environment=environment)
  assert 'No broken requirements' in run(
    python, '-m', 'pip', 'check', environment=environment
  )
  outside = tmp_path / 'outside'
  outside.mkdir()
  stage = tmp_path / 'env/bin/audioset-ml'
  small = ['--train_clips=60', '--eval_clips=40', '--teacher_steps=20']
  printed = run(
    stage,
    *('quickstart', *small, '--validation_clips=10', '--student_steps=10'),
    folder=outside,
    environment=environment,
  )
  assert 'are truly missing' in printed
  assert (outside / 'quickstart/report.html').is_file()
  clip = min((outside / 'quickstart/soundscapes/audio/eval').glob('*.flac'))
  model = outside / 'quickstart/exported/saved_model'
  tagged = run(
    python,
    *('-m', 'audioset_ml.tag', f'--model={model}', clip),
    folder=outside,
    environment=environment,
  )
  assert clip.name in tagged


def test_a_folder_of_the_same_name_is_not_taken_for_the_package(tmp_path):
  """That which holds the clone has one, and in it may be links to records and audio."""
  (tmp_path / 'audioset_ml' / 'records').mkdir(parents=True)
  # As it is installed: from wherever the tests run they find the package themselves.
  environment = {k: v for k, v in os.environ.items() if k != 'PYTHONPATH'}
  command = (sys.executable, '-c', 'import audioset_ml.records.folder')
  installed = subprocess.run(
    (sys.executable, '-c', 'import audioset_ml'),
    cwd=tmp_path.parent,
    env=environment,
    capture_output=True,
    check=False,
  )
  if installed.returncode:
    pytest.skip('audioset_ml is not installed: `make environment` does it')
  run(*command, folder=tmp_path, environment=environment)
