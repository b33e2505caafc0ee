"""One way of naming a model, whatever holds it; YAMNet's classes by themselves."""

import csv
import json

import h5py
import pytest

from audioset_ml.core.errors import InputError, ModelError
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.labels.yamnet_classes import LACKING, yamnet_class_map
from audioset_ml.models.model_checks import require_model
from audioset_ml.models.model_files import ModelFiles, find_saved_model
from audioset_ml.models.train_folder import left_out_fold, step_of
from audioset_ml.records.folds import Fold


@pytest.fixture
def exported(tmp_path):
  folder = tmp_path / 'exported'
  (folder / 'saved_model').mkdir(parents=True)
  (folder / 'saved_model/saved_model.pb').write_text('')
  run = {'stage': 'export', 'inputs': {'model': 'runs/student'}}
  (folder / 'run.json').write_text(json.dumps(run))
  return folder


def write_weights(path):
  with h5py.File(path, 'w'):
    pass
  return path


def write_audioset_map(path, lacking=()):
  """A class map with the six classes that YAMNet lacks among others."""
  mids = ['/m/x', *sorted(LACKING - set(lacking)), '/m/y']
  ClassMap(tuple(mids), tuple(f'Class {mid}' for mid in mids)).write(path)
  return path


def test_a_folder_of_export_is_the_model_in_it(exported):
  inside = exported / 'saved_model'
  assert find_saved_model(exported) == find_saved_model(inside) == inside
  require_model(exported)
  assert find_saved_model(exported.parent) is None


def test_where_the_trained_model_is_needed_its_name_is_told(exported):
  for path in (exported, exported / 'saved_model'):
    with pytest.raises(ModelError, match='runs/student, which it was exported from'):
      ModelFiles.find(path)


def test_what_a_train_folder_says_of_its_model(exported, tmp_path):
  """The step of its weights, be they the best ones', and the fold it has not seen."""
  assert step_of(exported) is left_out_fold(exported) is None  # of another stage
  folder = tmp_path / 'run'
  (folder / 'checkpoints').mkdir(parents=True)
  (folder / 'model.keras').write_text('')
  assert step_of(folder) is None  # unfinished
  run = {'stage': 'train', 'counts': {'steps': 40}}
  run['left_out'] = {'index': 1, 'folds': 3}
  (folder / 'run.json').write_text(json.dumps(run))
  assert step_of(folder) == 40
  assert left_out_fold(folder) == Fold(1, 3)
  (folder / 'run.json').write_text(json.dumps({**run, 'model_step': 30}))
  assert step_of(folder) == 30
  assert step_of(folder / 'checkpoints' / 'ckpt-10') == 10
  assert step_of(tmp_path / 'yamnet.h5') is None


def test_no_model(tmp_path):
  with pytest.raises(ModelError, match='nor a folder of train or export'):
    require_model(tmp_path / 'gone')
  with pytest.raises(InputError, match='not a finished `train` folder'):
    require_model(tmp_path)


def test_a_folder_in_which_a_model_lies_names_it(exported):
  with pytest.raises(ModelError, match=f'is no model, but {exported} in it is one'):
    require_model(exported.parent)


def test_missing_weights_are_told_with_where_they_are(tmp_path):
  with pytest.raises(ModelError) as error:
    require_model(tmp_path / 'yamnet.h5')
  for part in (
    'https://storage.googleapis.com/audioset/yamnet.h5',
    'Apache 2.0',
    '13c3308955bbfaef262f175ac9c40e47b134573a93984f009220dd7cc12a1744',
    'yamnet_class_map.csv',
  ):
    assert part in str(error.value)
  assert '\n' not in str(error.value)


def test_the_class_map_of_weights_follows_from_audiosets(tmp_path):
  weights = write_weights(tmp_path / 'yamnet.h5')
  with pytest.raises(ModelError, match=r'class_labels_indices\.csv beside it'):
    ModelFiles.find(weights).require_class_map()
  write_audioset_map(tmp_path / 'class_labels_indices.csv')
  assert ModelFiles.find(weights).require_class_map().mids == ('/m/x', '/m/y')
  named = write_audioset_map(tmp_path / 'other.csv')
  assert ModelFiles.find(weights, named).class_map.mids == ('/m/x', '/m/y')
  ClassMap(('/m/z',), ('Z',)).write(tmp_path / 'yamnet_class_map.csv')
  assert ModelFiles.find(weights).class_map.mids == ('/m/z',)


def test_class_maps_that_are_not_audiosets_stay_as_they_are(tmp_path):
  path = write_audioset_map(tmp_path / 'map.csv', lacking=['/m/02zsn'])
  classes = ClassMap.read(path)
  assert yamnet_class_map(classes) is classes


def test_it_is_googles_own_map(shared_data):
  found = yamnet_class_map(
    ClassMap.read(shared_data('audioset/class_labels_indices.csv'))
  )
  with open(shared_data('yamnet/yamnet_class_map.csv'), newline='') as file:
    rows = list(csv.reader(file))[1:]
  assert [list(pair) for pair in zip(found.mids, found.names, strict=True)] == [
    row[1:] for row in rows
  ]
