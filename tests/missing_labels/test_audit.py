import numpy as np
import pytest

from audioset_ml.errors import LabelError
from audioset_ml.labels import segments
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.labels.label_set import LabelSet
from audioset_ml.missing_labels.audit import audit_label_set

CLASS_MAP = ClassMap(('/m/a', '/m/b', '/m/c'), ('A', 'B', 'C'))
CLIPS = ('one_0', 'two_0')


def write(path, labels):
  segments.write_weak_csv(path, CLIPS[: len(labels)], labels)
  return str(path)


def test_flags_are_held_against_the_truth(tmp_path):
  weak = write(tmp_path / 'weak.csv', [['/m/a'], ['/m/b']])
  truth = write(tmp_path / 'truth.csv', [['/m/a', '/m/b', '/m/c'], ['/m/b', '/m/c']])
  ignored = np.array([[0, 1, 0], [1, 0, 1]], bool)
  label_set = LabelSet('flags', CLIPS, CLASS_MAP, np.packbits(ignored, axis=1))
  audit = audit_label_set(label_set, weak, truth)
  assert (audit.flagged, audit.truly_missing, audit.missing) == (3, 2, 3)
  assert audit.precision == pytest.approx(2 / 3)
  assert audit.recall == pytest.approx(2 / 3)


def test_a_truth_without_a_clip_is_an_error(tmp_path):
  weak = write(tmp_path / 'weak.csv', [['/m/a'], ['/m/b']])
  truth = write(tmp_path / 'truth.csv', [['/m/a']])
  packed = np.zeros((2, 1), np.uint8)
  with pytest.raises(LabelError, match=r'truth.csv: lacks the clip two_0'):
    audit_label_set(LabelSet('flags', CLIPS, CLASS_MAP, packed), weak, truth)
