"""What the package offers to programs: by name, lazily, and as its page shows it."""

import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

from audioset_ml.core.errors import AudioError
from tests.stages import ROOT, run_stage_ok

QUIETLY = """
import sys
import audioset_ml
assert 'tensorflow' not in sys.modules and 'numpy' not in sys.modules
assert set(audioset_ml.__all__) <= set(dir(audioset_ml))
audioset_ml.RecordsFolder, audioset_ml.LabelSet, audioset_ml.lwlrap, audioset_ml.Source
assert 'tensorflow' not in sys.modules
try:
  audioset_ml.nothing_of_the_kind
except AttributeError as error:
  assert str(error) == "module 'audioset_ml' has no attribute 'nothing_of_the_kind'"
else:
  raise AssertionError
"""


def test_importing_is_quiet_and_imports_nothing_that_is_not_used():
  done = subprocess.run(
    [sys.executable, '-c', QUIETLY], cwd=ROOT, capture_output=True, text=True
  )
  assert (done.returncode, done.stdout, done.stderr) == (0, '', '')


STAGE_FIRST = """
import importlib, types
stage = importlib.import_module('audioset_ml.tag')
import audioset_ml
assert isinstance(stage, types.ModuleType) and stage.main
from audioset_ml import tag
assert tag is audioset_ml.tag and tag.__module__ == 'audioset_ml.models.tagging'
"""
STAGE_LAST = """
import audioset_ml
before = audioset_ml.tag
import audioset_ml.tag
assert audioset_ml.tag is before
"""
STAR = """
from audioset_ml import *
import audioset_ml
for name in audioset_ml.__all__:
  assert callable(globals()[name]), name
"""


@pytest.mark.long
@pytest.mark.parametrize('code', [STAGE_FIRST, STAGE_LAST, STAR])
def test_tag_is_the_function_and_the_star_has_all_names(code):
  done = subprocess.run(
    [sys.executable, '-c', code], cwd=ROOT, capture_output=True, text=True
  )
  assert done.returncode == 0, done.stderr


@pytest.mark.long
def test_tag_says_what_the_stage_prints(project):
  import audioset_ml

  sound = project / 'dog.wav'
  first, again = audioset_ml.tag(project / 'exported', sound, sound)
  table = first.table()
  assert table.equals(again.table())
  assert list(table.columns) == ['class', 'highest', 'at', 'mean']
  assert table['highest'].is_monotonic_decreasing
  flags = (f'--model={project / "exported"}', '--top=1')
  printed = run_stage_ok('tag', *flags, str(sound), folder=project)
  best = table.iloc[0]
  assert f'{best["highest"]:.3f} at 0:{best["at"]:05.2f}' in printed
  assert best['class'] in printed
  (project / 'none.wav').write_bytes(b'no sound')
  with pytest.raises(AudioError, match=r'none\.wav'):
    audioset_ml.tag(project / 'exported', project / 'none.wav')


def test_every_name_is_there_and_typed():
  import audioset_ml

  for name in audioset_ml.__all__:
    assert callable(getattr(audioset_ml, name)), name
  text = pathlib.Path(audioset_ml.__file__).read_text()
  typed = text.partition('if TYPE_CHECKING:')[2].partition('__all__')[0]
  assert {name for name in audioset_ml.__all__ if re.search(rf'\b{name}\b', typed)} == (
    set(audioset_ml.__all__)
  )
  assert (pathlib.Path(audioset_ml.__file__).parent / 'py.typed').exists()


@pytest.fixture(scope='module')
def project(small_data, small_records, tmp_path_factory):
  """A folder with what the page's examples name."""
  root = tmp_path_factory.mktemp('project')
  shutil.copytree(small_records, root / 'records/train')
  sound = sorted((small_data / 'audio').iterdir())[0]
  shutil.copy(sound, root / 'dog.wav')
  network = ('--architecture=mobilenet_v1_tiny', '--width_multiplier=0.1', '--steps=2')
  for stage, *flags in (
    ('train', '--records=records/train', *network, '--output_dir=student'),
    ('score', '--records=records/train', '--model=student', '--output_dir=scores'),
    (
      'enhance',
      '--records=records/train',
      '--scores=scores',
      '--discard_percent=3',
      '--output_dir=label_sets',
    ),
    ('export', '--model=student', '--output_dir=exported'),
  ):
    run_stage_ok(stage, *flags, folder=root)
  return root


def examples():
  page = (ROOT / 'docs/reference/python.md').read_text()
  return re.findall(r'```python\n(.*?)```', page, re.DOTALL)


@pytest.mark.long
@pytest.mark.parametrize('number', range(len(examples())))
def test_the_pages_examples_run_as_they_stand(project, number):
  code = examples()[number]
  assert len(code.splitlines()) <= 13
  done = subprocess.run(
    [sys.executable, '-c', code],
    cwd=project,
    env={**os.environ, 'PYTHONPATH': str(ROOT)},
    capture_output=True,
    text=True,
  )
  assert done.returncode == 0, done.stderr
