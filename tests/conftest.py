"""Fixtures that all tests share."""

import os
import pathlib

import hypothesis
import pytest

from audioset_ml.core import onednn
from tests.small_data import write_small_data
from tests.stages import run_stage_ok
from tests.without_tensorflow import WithoutTensorFlow

os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '2')
onednn.turn_on()  # as in stages, whose numbers some tests compute themselves

# A machine that does other work, too, is no failure.
hypothesis.settings.register_profile('patient', deadline=None)
hypothesis.settings.load_profile('patient')

ROOT = pathlib.Path(__file__).resolve().parents[1]
# Official labels, recordings, YAMNet's weights and reference outputs; not in this repo.
SHARED_DATA = pathlib.Path(
  os.environ.get('AUDIOSET_ML_TEST_DATA', ROOT.parent / 'shared' / 'data')
)

# Why tests skip.
NEEDS_BEAM = "needs Apache Beam: pip install 'audioset_ml[beam]'"
NEEDS_DASK = "needs Beam and Dask: pip install 'audioset_ml[dask]'"


@pytest.fixture(scope='session')
def shared_data():
  """Finds a file of the shared test data, or skips the test, saying so."""

  def find(relative_path: str) -> pathlib.Path:
    path = SHARED_DATA / relative_path
    if not path.exists():
      pytest.skip(f'shared test data absent: {relative_path}')
    return path

  return find


@pytest.fixture(scope='session')
def small_data(tmp_path_factory) -> pathlib.Path:
  """The folder of the small labelled set of sounds."""
  return write_small_data(tmp_path_factory.mktemp('data') / 'small')


@pytest.fixture(scope='session')
def small_records(small_data, tmp_path_factory) -> pathlib.Path:
  """Records of the small data, made by the `prepare` entry point; not to be changed."""
  folder = tmp_path_factory.mktemp('records') / 'small'
  run_stage_ok('prepare', *prepare_flags(small_data), f'--output_dir={folder}')
  return folder


@pytest.fixture(scope='session')
def run_without_tensorflow(tmp_path_factory):
  """Runs a stage where there is no TensorFlow: see `WithoutTensorFlow.run`."""
  with WithoutTensorFlow(tmp_path_factory.mktemp('hooks')) as without:
    yield without.run


@pytest.fixture(scope='session')
def light_install(tmp_path_factory) -> pathlib.Path:
  """Modules as if what only some need were not installed; for `run_stage`."""
  folder = tmp_path_factory.mktemp('light')
  (folder / 'sitecustomize.py').write_text(
    'import sys\n'
    "for name in ('apache_beam', 'distributed', 'pymongo'):\n"
    '  sys.modules[name] = None\n'
  )
  return folder


def prepare_flags(data: pathlib.Path) -> list[str]:
  """The flags that make records of the small data, but for --output_dir."""
  return [
    f'--segments_csv={data / "segments.csv"}',
    f'--explicit_tsv={data / "explicit.tsv"}',
    f'--strong_tsv={data / "strong.tsv"}',
    f'--class_map={data / "class_map.csv"}',
    f'--audio_dir={data / "audio"}',
    '--clips_per_shard=5',
  ]
