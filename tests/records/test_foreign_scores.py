"""Scores that another program has made."""

import unicodedata

import numpy as np
import pytest

from audioset_ml.core.errors import InputError, RecordError
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.records.folder import RecordsFolder
from audioset_ml.records.foreign_scores import read_foreign_scores
from audioset_ml.records.frames import FrameFormat

CLASSES = ClassMap(('/m/a', '/m/b'), ('A', 'B'))
IDS = ('one_0', 'two_0', 'three_0')


@pytest.fixture
def records(tmp_path):
  return RecordsFolder(tmp_path / 'records', (), IDS, CLASSES, FrameFormat.log_mel())


VALUES = np.arange(8, dtype=np.float64).reshape(4, 2)
ORDER = ['three_0', 'other_0', 'one_0', 'two_0']


def check(scores, unused):
  assert unused == 1
  assert scores.clip_ids == IDS
  assert scores.values.dtype == np.float32
  assert scores.values.tolist() == [[4, 5], [6, 7], [0, 1]]


def test_a_matrix_with_a_list_of_ids(records, tmp_path):
  np.save(tmp_path / 'scores.npy', VALUES)
  (tmp_path / 'ids.txt').write_text('\n'.join(ORDER))
  check(*read_foreign_scores(tmp_path / 'scores.npy', records, tmp_path / 'ids.txt'))


@pytest.mark.parametrize('form', ['NFC', 'NFD'])
def test_ids_have_blanks_marks_and_any_spelling(tmp_path, form):
  ids = ('my recording 1_0', 'Café_0', '#tag_0')
  records = RecordsFolder(tmp_path, (), ids, CLASSES, FrameFormat.log_mel())
  np.save(tmp_path / 'scores.npy', VALUES[:3])
  text = unicodedata.normalize(form, '\ufeff' + '\r\n'.join(reversed(ids)))
  (tmp_path / 'ids.txt').write_bytes(text.encode())
  scores, _ = read_foreign_scores(
    tmp_path / 'scores.npy', records, tmp_path / 'ids.txt'
  )
  assert scores.clip_ids == ids
  assert scores.values.tolist() == [[4, 5], [2, 3], [0, 1]]


def test_a_clip_that_the_list_has_twice_is_an_error(records, tmp_path):
  np.save(tmp_path / 'scores.npy', VALUES)
  (tmp_path / 'ids.txt').write_text('one_0\ntwo_0\nthree_0\ntwo_0\n')
  with pytest.raises(RecordError, match='the clip two_0 stands there twice'):
    read_foreign_scores(tmp_path / 'scores.npy', records, tmp_path / 'ids.txt')


@pytest.mark.parametrize('kind', ['U', 'S'])
def test_an_archive_with_names(records, tmp_path, kind):
  path = tmp_path / 'scores.npz'
  np.savez(path, clipwise_output=VALUES, audio_name=np.array(ORDER, kind))
  check(*read_foreign_scores(path, records))
  np.savez(path, a=VALUES, b=VALUES, ids=np.array(ORDER))
  check(*read_foreign_scores(path, records, key='a'))
  with pytest.raises(RecordError, match='holds the arrays a, b, ids; name that'):
    read_foreign_scores(path, records)


def test_other_classes_need_a_mapping(records, tmp_path):
  np.savez(tmp_path / 'scores.npz', scores=VALUES[:, ::-1], ids=np.array(ORDER))
  ClassMap(('x', 'y'), ('X', 'Y')).write(tmp_path / 'map.csv')
  path, class_map = tmp_path / 'scores.npz', tmp_path / 'map.csv'
  with pytest.raises(InputError, match=r'class 0 is /m/a, but in .*map.csv it is x'):
    read_foreign_scores(path, records, class_map_path=class_map)
  (tmp_path / 'mapping.csv').write_text('class,model_class\nA,Y\nB,X\n')
  mapping = tmp_path / 'mapping.csv'
  found = read_foreign_scores(
    path, records, class_map_path=class_map, class_mapping_path=mapping
  )
  check(*found)


def test_what_is_wrong_is_named(records, tmp_path):
  path, ids = tmp_path / 'scores.npy', tmp_path / 'ids.txt'

  def refused(values, names, message):
    np.save(path, values)
    ids.write_text('\n'.join(names))
    with pytest.raises(RecordError, match=message):
      read_foreign_scores(path, records, ids)

  refused(VALUES, ORDER[1:], 'has 4 rows, but there are 3 ids')
  refused(VALUES, ['one_0', *ORDER[1:]], 'the clip one_0 stands there twice')
  refused(VALUES[:3], ORDER[:3], 'lacks 1 of 3 clips .* two_0 for one')
  refused(VALUES[:, :1], ORDER, 'has 1 column, but there are 2 classes')
  refused(VALUES.astype(int), ORDER, 'not floats')
  refused(np.where(VALUES == 5, np.nan, VALUES), ORDER, 'score of one_0, B, is NaN')
  np.save(path, VALUES)
  with pytest.raises(RecordError, match='nothing says which clips'):
    read_foreign_scores(path, records)
  np.savez(tmp_path / 'ids.npz', scores=VALUES, ids=np.array(ORDER, object))
  with pytest.raises(RecordError, match='cannot be read'):
    read_foreign_scores(tmp_path / 'ids.npz', records)
  content = (tmp_path / 'ids.npz').read_bytes()
  (tmp_path / 'ids.npz').write_bytes(content[: len(content) // 2])
  with pytest.raises(RecordError, match='cannot be read'):
    read_foreign_scores(tmp_path / 'ids.npz', records)
  path.write_bytes(b'')
  with pytest.raises(RecordError, match='cannot be read'):
    read_foreign_scores(path, records, ids)
  path.write_bytes(b'PK')
  with pytest.raises(RecordError, match='cannot be read'):
    read_foreign_scores(path, records, ids)
  with pytest.raises(RecordError, match='cannot be read'):
    read_foreign_scores(tmp_path / 'none.npy', records, ids)
  np.save(path, VALUES)
  with pytest.raises(InputError, match=r'none.txt: the label file cannot be read'):
    read_foreign_scores(path, records, tmp_path / 'none.txt')
