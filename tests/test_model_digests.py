"""A finished folder's model is what its stage wrote, or the difference is told."""

import json
import os
import shutil
import zipfile

import pytest

from audioset_ml.audio.front_end import FrontEnd
from audioset_ml.core import folders, run_state
from audioset_ml.core.errors import InputError, ModelError
from audioset_ml.entry import inputs
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.models.model_files import ModelFiles, find_saved_model

CLASSES = ClassMap(('/m/a', '/m/b'), ('Bark', 'Rain'))


def write_model(path, content='weights'):
  with zipfile.ZipFile(path, 'w') as archive:
    archive.writestr('model.weights.h5', content)


@pytest.fixture
def trained(tmp_path):
  folder = tmp_path / 'trained'
  folder.mkdir()
  write_model(folder / 'model.keras')
  CLASSES.write(folder / 'class_map.csv')
  details = {'front_end': FrontEnd().to_dict()}
  run_state.finish(folder, 'train', {}, None, 0, details)
  return folder


@pytest.fixture
def exported(tmp_path):
  folder = tmp_path / 'exported'
  (folder / 'saved_model/variables').mkdir(parents=True)
  for name in ('saved_model.pb', 'variables/variables.index'):
    (folder / 'saved_model' / name).write_text(name)
  run_state.finish(folder, 'export', {'model': 'student'}, None, 0, {})
  return folder


def without_digests(folder):
  """As an older version wrote it."""
  run_json = json.loads((folder / 'run.json').read_text())
  del run_json['model_files']
  (folder / 'run.json').write_text(json.dumps(run_json))


def test_a_swapped_model_is_refused_and_changes_the_fingerprint(trained):
  before = folders.fingerprint(str(trained))
  assert ModelFiles.find(trained).class_map.mids == CLASSES.mids
  size = (trained / 'model.keras').stat().st_size
  write_model(trained / 'model.keras', 'another')
  assert (trained / 'model.keras').stat().st_size == size
  with pytest.raises(
    ModelError, match=r'model\.keras: is not as it was written'
  ) as error:
    inputs.require({'model': str(trained)}, 'score')
  assert 'run `train` again' in str(error.value)
  assert folders.fingerprint(str(trained)) != before
  write_model(trained / 'model.keras')
  (trained / 'class_map.csv').unlink()
  with pytest.raises(ModelError, match=r'class_map\.csv: is no longer there'):
    ModelFiles.find(trained)
  assert folders.fingerprint(str(trained)) != before


def test_a_copied_or_touched_folder_is_the_same(trained, exported, tmp_path):
  for folder in (trained, exported):
    before = folders.fingerprint(str(folder))
    for path in folder.rglob('*'):
      os.utime(path, (1, 1))
    assert folders.fingerprint(str(folder)) == before
    shutil.copytree(folder, tmp_path / 'copy')
    assert folders.fingerprint(str(tmp_path / 'copy')) == before
    shutil.rmtree(tmp_path / 'copy')
  ModelFiles.find(trained)
  assert find_saved_model(exported)


def test_a_changed_export_is_refused_however_it_is_named(exported):
  before = folders.fingerprint(str(exported))
  index = exported / 'saved_model/variables/variables.index'
  index.write_text(index.read_text()[::-1])
  for path in (exported, exported / 'saved_model'):
    with pytest.raises(ModelError, match=r'variables\.index: is not as it was written'):
      inputs.require({'model': str(path)}, 'tag')
  assert folders.fingerprint(str(exported)) != before
  shutil.copytree(exported / 'saved_model', exported.parent / 'mine')
  assert find_saved_model(exported.parent / 'mine')


def test_folders_of_older_versions_stay_readable_and_finished(trained, exported):
  for folder in (trained, exported):
    without_digests(folder)
    before = folders.fingerprint(str(folder))
    inputs.require({'model': str(folder)}, 'score')
    next(folder.rglob('*.[kp][eb]*')).touch()
    assert folders.fingerprint(str(folder)) == before


@pytest.mark.parametrize(
  'files',
  [
    [],
    {'model.keras': 'x'},
    {'model.keras': {'bytes': '1', 'sha256': 'x'}},
    {'model.keras': {'bytes': 1}},
    {'model.keras': None, 'x\0': {'bytes': 1, 'sha256': ''}},
  ],
)
def test_what_is_no_account_of_files_is_one_clear_line(trained, files):
  run_json = json.loads((trained / 'run.json').read_text())
  (trained / 'run.json').write_text(json.dumps({**run_json, 'model_files': files}))
  with pytest.raises(InputError, match=r'run\.json'):
    ModelFiles.find(trained)
  assert folders.fingerprint(str(trained))


def test_names_that_lead_elsewhere_are_not_read(trained):
  run_json = json.loads((trained / 'run.json').read_text())
  files = {'/dev/zero': {'bytes': 0, 'sha256': 'x'}}
  files |= {'x\0': {'bytes': 0, 'sha256': 'x'}}
  for name, file in files.items():
    run_json['model_files'] = {name: file}
    (trained / 'run.json').write_text(json.dumps(run_json))
    with pytest.raises(ModelError, match='is no longer there'):
      ModelFiles.find(trained)
    assert folders.fingerprint(str(trained))
