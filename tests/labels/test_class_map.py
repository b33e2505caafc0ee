import pytest

from audioset_ml.core.errors import LabelError
from audioset_ml.labels.class_map import ClassMap


def test_official_maps_are_read_whole(shared_data):
  audioset = ClassMap.read(shared_data('audioset/class_labels_indices.csv'))
  yamnet = ClassMap.read(shared_data('yamnet/yamnet_class_map.csv'))
  assert (len(audioset), len(yamnet)) == (527, 521)
  assert audioset.names[1] == 'Male speech, man speaking'
  assert audioset.index_of['/m/09x0r'] == 0
  missing = set(audioset.mids) - set(yamnet.mids)
  assert missing == {
    '/m/05zppz',
    '/m/02zsn',
    '/t/dd00003',
    '/t/dd00004',
    '/m/04gy_2',
    '/t/dd00032',
  }


def test_a_written_map_reads_the_same(tmp_path):
  class_map = ClassMap(mids=('/m/a', '/m/b'), names=('One, two', 'A "quoted" name'))
  class_map.write(tmp_path / 'map.csv')
  assert ClassMap.read(tmp_path / 'map.csv') == class_map


@pytest.mark.parametrize(
  ('text', 'message'),
  [
    ('', 'starts with the row index,mid,display_name'),
    ('mid,index\n', 'starts with the row'),
    ('index,mid,display_name\n', 'no classes'),
    ('index,mid,display_name\n1,/m/a,A\n', 'row 2: expected index 0'),
    ('index,mid,display_name\n0,/m/a\n', 'row 2: 2 columns instead of index,mid'),
    ('index,mid,display_name\n0,/m/a,A\n1,/m/a,B\n', '/m/a stands more than once'),
    ('0,A,/m/a\n1,B\x1b[2J,/m/b\n', r'row 2: holds the control character \\x1b'),
    ('0,"A",/m/a\n1,"B,/m/b\n2,C,/m/c\n', 'row 2: unexpected end of data'),
  ],
)
def test_a_wrong_map_is_an_error_that_names_file_and_row(tmp_path, text, message):
  path = tmp_path / 'map.csv'
  path.write_text(text)
  with pytest.raises(LabelError, match=message) as error:
    ClassMap.read(path)
  assert str(path) in str(error.value)


def test_a_missing_or_binary_map_is_an_error(tmp_path):
  (tmp_path / 'binary.csv').write_bytes(b'\xff\xfe\x00\x81')
  for name in ('absent.csv', 'binary.csv'):
    with pytest.raises(LabelError, match=name):
      ClassMap.read(tmp_path / name)


@pytest.mark.parametrize(
  ('label', 'meant'),
  [('dog_brak', 'Dog bark'), ('Speach', 'Speech'), ('rain', 'Rain drops')],
)
def test_a_name_that_is_nearly_right_is_understood(label, meant):
  class_map = ClassMap(('a', 'b', 'c'), ('Dog bark', 'Speech', 'Rain drops'))
  with pytest.raises(LabelError, match=f'do you mean {meant}'):
    class_map.find(label)
