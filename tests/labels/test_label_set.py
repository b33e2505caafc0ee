import numpy as np
import pandas as pd
import pytest

from audioset_ml.errors import LabelError
from audioset_ml.folders import fingerprint
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.labels.label_set import LabelSet, LabelSetWriter

CLASS_MAP = ClassMap(mids=tuple(f'/m/{i}' for i in range(11)), names=('x',) * 11)


def write(folder, flagged, flagged_as='ignored'):
  ids = [f'clip{row}_0' for row in range(len(flagged))]
  writer = LabelSetWriter(folder, ids, CLASS_MAP)
  for column in np.packbits(flagged, axis=1).T:
    writer.add(column)
  summary = pd.DataFrame({'mid': CLASS_MAP.mids})
  writer.finish(summary, {'value': '1', 'flagged_as': flagged_as})


def test_a_written_label_set_reads_the_same(tmp_path):
  flagged = np.random.default_rng(0).random((7, 11)) < 0.3
  write(tmp_path / 'set', flagged, 'positive')
  label_set = LabelSet.read(tmp_path / 'set')
  assert np.array_equal(label_set.flagged(), flagged)
  for index in range(11):
    assert np.array_equal(label_set.flagged_in_class(index), flagged[:, index])
  assert label_set.clip_ids[6] == 'clip6_0'
  assert label_set.class_map == CLASS_MAP
  assert label_set.flagged_as == 'positive'


def test_the_folder_above_is_told_apart(tmp_path):
  write(tmp_path / 'discard_1', np.zeros((2, 11), bool))
  with pytest.raises(LabelError, match='holds the label sets discard_1: name one'):
    LabelSet.read(tmp_path)


def test_damage_is_named(tmp_path):
  write(tmp_path / 'set', np.zeros((2, 11), bool))
  (tmp_path / 'set' / 'clip_ids.txt').write_text('one\n')
  with pytest.raises(LabelError, match=r'holds uint8 \[2, 2\], not'):
    LabelSet.read(tmp_path / 'set')
  (tmp_path / 'set' / 'flagged.npy').write_bytes(b'\x93NUMPY')
  with pytest.raises(LabelError, match='cannot be read'):
    LabelSet.read(tmp_path / 'set')
  write(tmp_path / 'other', np.zeros((2, 11), bool), 'sometimes')
  with pytest.raises(LabelError, match="flagged_as is 'sometimes'"):
    LabelSet.read(tmp_path / 'other')


def test_other_flags_of_the_same_number_have_another_fingerprint(tmp_path):
  flagged = np.zeros((3, 11), bool)
  flagged[0, 0] = True
  write(tmp_path / 'one', flagged)
  write(tmp_path / 'same', flagged)
  write(tmp_path / 'other', flagged[::-1])
  one, same, other = (fingerprint(tmp_path / name) for name in ('one', 'same', 'other'))
  assert one == same != other


def test_one_that_was_begun_anew_is_unfinished(tmp_path):
  write(tmp_path / 'set', np.zeros((2, 11), bool))
  LabelSetWriter(tmp_path / 'set', ['a_0'], CLASS_MAP).close()
  with pytest.raises(LabelError, match='no label set'):
    LabelSet.read(tmp_path / 'set')
