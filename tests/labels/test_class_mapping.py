"""Scores of a model's classes as those of other classes."""

import numpy as np
import pytest

from audioset_ml.core.errors import LabelError
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.labels.class_mapping import ClassMapping

OURS = ClassMap(('rain', 'dog', 'new'), ('Rain', 'Dog bark', 'New'))
THEIRS = ClassMap(('/m/1', '/m/2', '/m/3'), ('Dog', 'Raindrop', 'Rain on surface'))


def read(folder, text):
  (folder / 'mapping.csv').write_text(text)
  return ClassMapping.read(folder / 'mapping.csv', OURS, THEIRS)


def test_the_highest_of_several_counts(tmp_path):
  text = 'class,model_class\nrain,Raindrop\nRain,/m/3\ndog,dog\nnew,\n'
  mapping = read(tmp_path, text)
  assert mapping.groups == ((1, 2), (0,), ())
  scores = np.array([[0.9, 0.1, 0.3], [0.2, 0.6, 0.5]], np.float32)
  found = mapping.apply(scores)
  assert found.dtype == np.float32
  assert found == pytest.approx(np.array([[0.3, 0.9, 0], [0.6, 0.2, 0]]))


def test_rows_that_repeat_count_once(tmp_path):
  """Else a file of some megabytes would make gigabytes of each clip's scores."""
  rows = 'rain,Raindrop\n' * 10_000
  mapping = read(tmp_path, f'class,model_class\n{rows}rain,/m/3\ndog,dog\nnew,\n')
  assert mapping.groups == ((1, 2), (0,), ())
  assert [pair.tolist() for pair in mapping.pairs()] == [[0, 0, 1], [1, 2, 0]]


def test_the_same_classes_change_nothing():
  scores = np.random.default_rng(0).random((4, 3))
  assert ClassMapping.identity(3).apply(scores) is scores


@pytest.mark.parametrize(
  ('text', 'message'),
  [
    ('rain,Dog\n', 'starts with the row class,model_class'),
    ('class,model_class\nrain\n', 'row 2: 1 column instead of class,model_class'),
    ('class,model_class\nrain,Rane\n', "row 2: 'Rane' is neither the mid nor"),
    ('class,model_class\nrian,Dog\n', "row 2: 'rian' is neither the mid nor"),
    ('class,model_class\nrain,Dog\n', 'no row for 2 classes, dog for one'),
  ],
)
def test_a_wrong_file_is_named(tmp_path, text, message):
  with pytest.raises(LabelError, match=message):
    read(tmp_path, text)


def test_a_missing_file_is_named(tmp_path):
  with pytest.raises(LabelError, match='cannot be read'):
    ClassMapping.read(tmp_path / 'none.csv', OURS, THEIRS)
