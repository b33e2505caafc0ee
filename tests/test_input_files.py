"""What is wrong with a file is an error with its path, and seen before it costs."""

import io
import json
import zipfile

import numpy as np
import pytest

from audioset_ml.core.array_files import Arrays, load_array
from audioset_ml.core.errors import InputError, LabelError, printable, shown
from audioset_ml.core.input_files import fault_of_form, read_json, read_lines, read_rows


def test_lines_end_with_line_feeds_alone(tmp_path):
  path = tmp_path / 'ids.txt'
  path.write_bytes('\ufeffa\u2028b\nc\x0bd\r\n\n'.encode())
  assert read_lines(path) == ('a\u2028b', 'c\x0bd\r', '')
  path.write_bytes(b'')
  assert read_lines(path) == ()


@pytest.mark.parametrize(
  ('text', 'message'),
  [
    ('a,b\n1\n', 'row 2: 1 column instead of a,b'),
    ('a,b\n1,"2\n3,4\n', 'row 2: a cell that goes on|unexpected end of data'),
    ('a,b\n1,"2\n3",4\n', 'row 2: a cell that goes on in row 3; is a quote not'),
    ('a,b\n1,"2"x\n', 'row 2'),
    ('b,a\n', "starts with the row a,b, but this starts with 'b,a'"),
    ('', 'starts with the row a,b'),
    ('a,b\n1,\xff', 'cannot be read'),
  ],
)
def test_wrong_csv_is_named(tmp_path, text, message):
  path = tmp_path / 'table.csv'
  path.write_bytes(text.encode('latin-1'))
  with pytest.raises(LabelError, match=message) as caught:
    list(read_rows(path, ('a', 'b'), error=LabelError))
  assert str(path) in str(caught.value)


def test_csv_rows_keep_their_numbers(tmp_path):
  path = tmp_path / 'table.csv'
  path.write_text('a,b\n\n 1 , "x,y"\n,\n2,z\n')
  with pytest.raises(InputError, match='row 3'):  # a blank before a quote
    list(read_rows(path, ('a', 'b')))
  path.write_text('a,b\n\n 1 ,"x,y"\n,\n2,z\n')
  assert list(read_rows(path, ('a', 'b'))) == [(3, ['1', 'x,y']), (5, ['2', 'z'])]


@pytest.mark.parametrize(
  ('content', 'form', 'fault'),
  [
    ({'a': 1}, {'a': int}, ''),
    ({'a': 1}, {'a': float, 'b?': str}, ''),
    ({'a': True}, {'a': int}, "'a' is True"),
    ({'a': None}, {'a': (str, None)}, ''),
    ({'a': 1.5}, {'a': int}, "'a' is '1.5'"),
    ({}, {'a': object}, "its content lacks 'a'"),
    ([], {'a': int}, 'its content is no object'),
    ({'x': {'y': 'z'}}, {'*': {'*': int}}, "'y' is 'z'"),
    ({'a': [1, 'b']}, {'a': [int]}, "a member of 'a' is 'b'"),
    ({'a': {}}, {'a': [int]}, "'a' is no list"),
  ],
)
def test_forms(content, form, fault):
  assert fault_of_form(content, form) == fault


def test_wrong_json_is_named(tmp_path):
  path = tmp_path / 'run.json'
  for text in ('{', '[' * 100_000, '{"a": 1' + '0' * 5000 + '}', '\xff'):
    path.write_bytes(text.encode('latin-1'))
    with pytest.raises(InputError, match=r'run\.json: cannot be read .*; make it anew'):
      read_json(path, remedy='make it anew')
  for value in ('NaN', '[-Infinity]', '1e400', f'{1 << 64}', f'-{(1 << 63) + 1}'):
    path.write_text(f'{{"a": {value}}}')
    with pytest.raises(InputError, match=r'run\.json: cannot be read \(not JSON: '):
      read_json(path)
  numbers = [(1 << 64) - 1, -(1 << 63), 1e308, -0.0]
  path.write_text(json.dumps(numbers))
  assert read_json(path) == numbers
  path.write_text(json.dumps({'a': 'x' * 10_000}))
  with pytest.raises(InputError) as caught:
    read_json(path, {'a': int})
  assert len(str(caught.value)) < 500


def npy(shape, kind='<f4', data=b''):
  """An array's file whose header promises what it likes."""
  file = io.BytesIO()
  header = {'descr': kind, 'fortran_order': False, 'shape': shape}
  np.lib.format.write_array_header_2_0(file, header)
  return file.getvalue() + data


@pytest.mark.parametrize(
  ('data', 'message'),
  [
    (npy((1 << 40, 3)), 'promises 13,194,139,533,312 bytes, but the file has 128'),
    (npy((2, 3), data=bytes(23)), 'promises 24 bytes, but the file has'),
    (npy((2, 4), data=bytes(32)), r'holds float32 \[2, 4\], not floats \[any, 3\]'),
    (npy((2, 3), '<i4', bytes(24)), 'holds int32'),
    (npy((2, 3), '|O', bytes(48)), 'holds object'),
    (npy((2, 3)).replace(b'(2, 3)', b'((2,3)'), 'cannot be read'),
    (npy((2, 3)).replace(b'(2, 3)', b'(-2,3)'), 'cannot be read'),
    (b'', 'cannot be read'),
  ],
)
def test_arrays_are_refused_before_they_are_allocated(tmp_path, data, message):
  path = tmp_path / 'scores.npy'
  path.write_bytes(data)
  with pytest.raises(InputError, match=message):
    load_array(path, (None, 3), memory_map=False)


def test_arrays_that_nobody_asks_for_stay_packed(tmp_path):
  path = tmp_path / 'arrays.npz'
  with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as archive:
    archive.writestr('a.npy', npy((2,), data=bytes(8)))
    archive.writestr('bomb.npy', npy((1 << 40,)))
  with pytest.raises(InputError, match=r'bomb\.npy is shorter than it promises'):
    Arrays(path)
  np.savez_compressed(path, a=np.zeros(2, 'f4'), big=np.zeros(1 << 22, 'f4'))
  arrays = Arrays(path, most_bytes=1 << 20)
  np.testing.assert_array_equal(arrays.read('a', (2,)), [0, 0])
  with pytest.raises(InputError, match='big would take 16777216 bytes'):
    arrays.read('big')
  with pytest.raises(InputError, match=r'a holds float32 \[2\], not floats \[3\]'):
    arrays.read('a', (3,))


def test_texts_that_pack_to_nothing_are_refused(tmp_path, monkeypatch):
  path = tmp_path / 'arrays.npz'
  with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as archive:
    archive.writestr('long.npy', npy((2,), '<U8192', bytes(2 * 4 * 8192)))
    archive.writestr('ids.npy', npy((2,), '<U11', bytes(2 * 4 * 11)))
    archive.writestr('many.npy', npy((3,), '<U11', bytes(3 * 4 * 11)))
  arrays = Arrays(path)
  monkeypatch.setattr('audioset_ml.core.array_files._MOST_OF_TEXTS', 100)
  assert arrays.read('ids', (2,), 'US').tolist() == ['', '']
  with pytest.raises(InputError, match='long holds texts of 32768 bytes each'):
    arrays.read('long', (2,), 'US')
  with pytest.raises(InputError, match='many would take 132 bytes, more than 100'):
    arrays.read('many', None, 'US')


def test_messages_are_printable_and_end():
  error = InputError('a\x1b[31m\u2028b\udc85\n' + 'x' * 10_000)
  first, second = str(error).split('\n')
  assert first == 'a\\x1b[31m\\u2028b\\x85'
  assert len(second) < 2000
  assert printable('é\n🦉') == 'é\\n🦉'
  assert shown('x' * 1000) == f"'{'x' * 100}'… (1000 characters)"
