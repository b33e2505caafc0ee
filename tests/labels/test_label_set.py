import hashlib
import json

import numpy as np
import pandas as pd
import pytest

from audioset_ml.core.errors import LabelError
from audioset_ml.core.folders import fingerprint
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


def _swap_ids(folder):
  ids = (folder / 'clip_ids.txt').read_text().split()
  (folder / 'clip_ids.txt').write_text('\n'.join(ids[::-1]) + '\n')


def _swap_classes(folder):
  path = folder / 'class_map.csv'
  path.write_text(path.read_text().replace('/m/1,', '/m/x,').replace('/m/2,', '/m/1,'))


def _take_other_flags(folder):
  flags = np.load(folder / 'flagged.npy')
  np.save(folder / 'flagged.npy', np.asfortranarray(flags[::-1]))


@pytest.mark.parametrize(
  ('change', 'named'),
  [
    (_swap_ids, 'clip_ids.txt'),
    (_swap_classes, 'class_map.csv'),
    (_take_other_flags, 'flagged.npy'),
  ],
)
def test_files_of_another_set_are_told(tmp_path, change, named):
  write(tmp_path / 'set', np.random.default_rng(0).random((5, 11)) < 0.3)
  change(tmp_path / 'set')
  with pytest.raises(LabelError, match=f'its .*{named} .*is not what was written'):
    LabelSet.read(tmp_path / 'set')


def test_sets_of_older_versions_are_read(tmp_path):
  flagged = np.random.default_rng(0).random((5, 11)) < 0.3
  write(tmp_path / 'set', flagged)
  path = tmp_path / 'set' / 'label_set.json'
  content = json.loads(path.read_text())
  # Of the ids and the bits, column by column.
  ids = (tmp_path / 'set' / 'clip_ids.txt').read_bytes()
  bits = np.packbits(flagged, axis=1).tobytes(order='F')
  assert content['digest'] == hashlib.blake2b(ids + bits, digest_size=16).hexdigest()
  for key in ('class_map_sha256', 'digest'):
    del content[key]
    path.write_text(json.dumps(content))
    assert np.array_equal(LabelSet.read(tmp_path / 'set').flagged(), flagged)
