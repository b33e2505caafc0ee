"""The files of an evaluation: what is written is read again, and damage is told of."""

import json
import math

import numpy as np
import pandas as pd
import pytest

from audioset_ml.core.errors import InputError, RecordError
from audioset_ml.evaluation import bootstrap, files
from audioset_ml.evaluation.evaluate_config import Resampling
from audioset_ml.evaluation.frame_labels import FrameLabels
from audioset_ml.evaluation.result import Evaluation, named_classes
from audioset_ml.evaluation.strong import evaluate_strong
from audioset_ml.evaluation.weak import evaluate_weak
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.labels.formats import FRAMED_COLUMNS
from audioset_ml.labels.framing import FrameGrid
from audioset_ml.labels.states import LabelState, LabelTable

# A name with a comma, and one that pandas would take for no value at all.
CLASS_MAP = ClassMap(mids=('/m/a', '/m/b', '/m/c'), names=('Bark, loud', 'NA', 'C'))
CLIPS, REPLICATES = 30, 40
CLIP_IDS = tuple(f'clip{number}_0' for number in range(CLIPS))


def weak_evaluation(weights=None):
  """Class c has no labels, so none of its values are defined."""
  random = np.random.default_rng(0)
  states = random.choice(
    [LabelState.EXPLICIT_POSITIVE, LabelState.EXPLICIT_NEGATIVE], (CLIPS, 2)
  )
  labels = LabelTable.from_lists(CLIP_IDS, 3, [([0, 1], row) for row in states])
  return evaluate_weak(random.random((CLIPS, 3)), labels, CLASS_MAP, weights)


def strong_evaluation(weights=None):
  random = np.random.default_rng(1)
  said = random.choice(['PRESENT', 'NOT_PRESENT'], (CLIPS, 4))
  said[::5] = 'NOT_PRESENT'
  rows = [
    (clip_id, 0.96 * frame, 0.96 * (frame + 1), '/m/a', said[number, frame])
    for number, clip_id in enumerate(CLIP_IDS)
    for frame in range(4)
  ]
  table = pd.DataFrame(rows, columns=FRAMED_COLUMNS)
  frames = np.full(CLIPS, 4)
  labels = FrameLabels.from_table(table, CLIP_IDS, frames, CLASS_MAP, FrameGrid())
  scores = random.random((len(labels.clips), 3))
  return evaluate_strong(scores, labels, CLASS_MAP, weights)


def resampled(folder):
  """A model with both sections and a bootstrap, in a folder."""
  weights = bootstrap.clip_weights(CLIPS, REPLICATES, 7)
  sections = {'weak': weak_evaluation(weights), 'strong': strong_evaluation(weights)}
  resampling = Resampling(REPLICATES, 7)
  return files.assemble(folder, sections, CLIP_IDS, resampling)


@pytest.fixture
def written(tmp_path):
  """The folder of an evaluation with replicates."""
  files.write_evaluation(resampled(tmp_path))
  return tmp_path


def check_same_table(found, expected):
  pd.testing.assert_frame_equal(found, expected, rtol=1e-12, check_dtype=False)


def test_what_is_written_is_read_again(tmp_path):
  model = resampled(tmp_path)
  files.write_evaluation(model)
  again = files.load_evaluation(tmp_path)
  assert again.path == str(tmp_path)
  assert again.metrics == model.metrics
  check_same_table(again.per_class, model.per_class)
  assert again.replicates.keys() == {'weak', 'strong'}
  for name, section in model.replicates.items():
    for kind in ('summary', 'per_class'):
      expected, found = getattr(section, kind), getattr(again.replicates[name], kind)
      assert found.keys() == expected.keys()
      for value, array in expected.items():
        assert found[value].shape[0] == REPLICATES
        assert found[value] == pytest.approx(array, rel=1e-6, nan_ok=True)


def test_values_by_class_are_read_to_the_last_digit(tmp_path):
  model = resampled(tmp_path)
  files.write_evaluation(model)
  again = files.load_evaluation(tmp_path).per_class
  numbers = model.per_class.columns.drop(['mid', 'display_name'])
  assert np.array_equal(again[numbers], model.per_class[numbers], equal_nan=True)


def test_the_files_say_what_was_found(tmp_path):
  model = resampled(tmp_path)
  files.write_evaluation(model)
  content = json.loads((tmp_path / 'metrics.json').read_text())
  assert content['schema_version'] == 2
  assert content['weak'] == weak_evaluation().summary
  assert content['strong'] == strong_evaluation().summary
  low, high = content['intervals']['weak']['d_prime']
  assert low < content['weak']['d_prime'] < high
  assert content['intervals'].keys() == {'weak', 'strong'}
  assert content['bootstrap'] == {
    'replicates': REPLICATES,
    'seed': 7,
    'level': 0.95,
  }
  assert content['clips'] == {
    'evaluated': CLIPS,
    'identity': bootstrap.identity(CLIP_IDS),
  }
  table = pd.read_csv(tmp_path / 'per_class.csv', keep_default_na=False)
  assert table['display_name'].tolist() == ['Bark, loud', 'NA', 'C']
  for name in ('d_prime', 'd_prime_low', 'd_prime_high', 'strong_d_prime_high'):
    assert name in table
  assert table['d_prime'][2] == ''  # NaN


def test_without_a_bootstrap_there_are_neither_intervals_nor_replicates(tmp_path):
  found = weak_evaluation()
  files.write_evaluation(files.assemble(tmp_path, {'weak': found}, CLIP_IDS))
  assert sorted(path.name for path in tmp_path.iterdir()) == [
    'metrics.json',
    'per_class.csv',
  ]
  again = files.load_evaluation(tmp_path)
  assert again.metrics.keys() == {'schema_version', 'weak', 'clips'}
  assert again.metrics['weak'] == found.summary
  assert again.replicates == {}
  check_same_table(again.per_class, found.per_class)


def test_numbers_that_are_not_defined_are_null(tmp_path):
  labels = LabelTable.from_lists(CLIP_IDS[:2], 3, [([0], [1]), ([1], [1])])
  weights = bootstrap.clip_weights(2, REPLICATES, 0)
  with np.errstate(invalid='ignore'):
    found = evaluate_weak(np.eye(3)[:2], labels, CLASS_MAP, weights)
  resampling = Resampling(REPLICATES, 0)
  files.write_evaluation(
    files.assemble(tmp_path, {'weak': found}, CLIP_IDS, resampling)
  )
  text = (tmp_path / 'metrics.json').read_text()
  assert not {'NaN', 'Infinity'} & set(text.replace(',', ' ').split())
  content = json.loads(text, parse_constant=lambda name: pytest.fail(name))
  assert content['weak']['d_prime'] is None  # no explicit negatives
  assert content['intervals']['weak']['d_prime'] is None


def test_detections_stand_beside_the_values_of_their_classes(tmp_path):
  table = pd.DataFrame({**named_classes(CLASS_MAP), 'psds1': [0.25, math.nan, 0.5]})
  found = Evaluation({'psds1': 0.375}, table)
  sections = {'weak': weak_evaluation(), 'detection': found}
  model = files.assemble(tmp_path, sections, CLIP_IDS)
  files.write_evaluation(model)
  again = files.load_evaluation(tmp_path)
  assert again.metrics['detection'] == {'psds1': 0.375}
  values = again.per_class.set_index('mid')['psds1']
  assert values['/m/a'] == 0.25
  assert math.isnan(values['/m/b'])
  assert values['/m/c'] == 0.5


@pytest.mark.parametrize('version', [1, 3, None])
def test_another_schema_is_an_error(written, version):
  path = written / 'metrics.json'
  path.write_text(
    json.dumps({**json.loads(path.read_text()), 'schema_version': version})
  )
  message = rf'metrics.json has schema {version}, but 2 is needed; evaluate again'
  with pytest.raises(InputError, match=message) as error:
    files.load_evaluation(written)
  assert str(written) in str(error.value)


DAMAGED = {
  'truncated': lambda data: data[: len(data) // 2],
  'empty': lambda data: b'',
  'other': lambda data: bytes(range(256)) * 9,
}


@pytest.mark.parametrize('name', ['metrics.json', 'replicates.npz'])
@pytest.mark.parametrize('damage', DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_file_is_told_of(written, name, damage):
  path = written / name
  path.write_bytes(damage(path.read_bytes()))
  with pytest.raises(RecordError, match=r'cannot be read .*; evaluate again') as error:
    files.load_evaluation(written)
  assert str(written) in str(error.value)


@pytest.mark.parametrize('name', ['metrics.json', 'replicates.npz', 'per_class.csv'])
def test_a_missing_file_is_told_of(written, name):
  (written / name).unlink()
  with pytest.raises(RecordError, match=name):
    files.load_evaluation(written)


@pytest.mark.long
@pytest.mark.parametrize('name', ['replicates.npz', 'metrics.json'])
def test_other_damage_is_told_of_too(written, name):
  path = written / name
  data = bytearray(path.read_bytes())
  if name == 'metrics.json':
    damaged = [b'[]', b'"text"', b'3']
  else:
    damaged = [
      bytes([*data[:place], data[place] ^ 0xFF, *data[place + 1 :]])
      for place in range(0, len(data), 11)
    ]
  told = 0
  for content in damaged:
    path.write_bytes(content)
    try:
      files.load_evaluation(written)  # a time or the like may have changed
    except RecordError:
      told += 1
  assert told > len(damaged) / 2


def test_further_tables_may_be_absent(tmp_path):
  assert files.read_table(tmp_path, files.CURVES_FILE) is None
  (tmp_path / files.CURVES_FILE).write_text('mid,x\n007,0.5\n')
  assert files.read_table(tmp_path, files.CURVES_FILE)['mid'].tolist() == ['007']
  (tmp_path / files.CURVES_FILE).write_text('')
  with pytest.raises(RecordError, match=r'curves\.csv: cannot be read'):
    files.read_table(tmp_path, files.CURVES_FILE)
