import pathlib
import tempfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audioset_ml.core.errors import LabelError
from audioset_ml.labels import formats, segments
from audioset_ml.labels.clip_list import read_clip_list, write_clip_list


def read(tmp_path, text):
  path = tmp_path / 'clips.txt'
  path.write_bytes(text if isinstance(text, bytes) else text.encode())
  return read_clip_list(path)


def test_a_line_is_a_clip(tmp_path):
  text = '# of the paper\n# more\nb_30000\n\n  a-_x_0  \nc_10000'
  assert read(tmp_path, text) == ('b_30000', 'a-_x_0', 'c_10000')


def test_lines_may_end_as_windows_ends_them(tmp_path):
  assert read(tmp_path, b'\xef\xbb\xbfa_0\r\nb_0\r\n') == ('a_0', 'b_0')


def test_each_clip_stands_once_where_it_first_stood(tmp_path):
  assert read(tmp_path, 'b_0\na_0\nb_0\nc_0\na_0\n') == ('b_0', 'a_0', 'c_0')


def test_a_segments_csv_names_its_clips(tmp_path):
  text = """# Segments csv created by Google
# YTID, start_seconds, end_seconds, positive_labels
--4gqARaEJE, 0.000, 10.000, "/m/068hy,/m/07q6cd_"
-0p7hKXZ1ww, 30.000, 40.000, "/m/0dgw9r"
"""
  assert read(tmp_path, text) == ('--4gqARaEJE_0', '-0p7hKXZ1ww_30000')


def test_strong_labels_name_their_clips(tmp_path):
  head = 'segment_id\tstart_time_seconds\tend_time_seconds\tlabel\n'
  events = 'b_30000\t0.000\t1.500\t/m/a\nb_30000\t2.0\t3.0\t/m/b\na_0\t0\t1\t/m/a\n'
  assert read(tmp_path, head + events) == ('b_30000', 'a_0')


@given(
  st.lists(st.from_regex(r'[A-Za-z0-9_-]{1,11}_[0-9]{1,6}', fullmatch=True), min_size=1)
)
def test_a_written_list_is_read_sorted_and_without_its_comment(clips):
  with tempfile.TemporaryDirectory() as folder:
    path = pathlib.Path(folder) / 'clips.txt'
    write_clip_list(path, clips, 'some clips, as "one" has them')
    assert read_clip_list(path) == tuple(sorted(set(clips)))


def test_audiosets_own_list_is_read(shared_data):
  found = read_clip_list(shared_data('audioset/eval_segments.csv'))
  assert len(found) == len(set(found)) == 20_371
  assert found[0] == '--4gqARaEJE_0'


def test_a_comma_in_a_comment_makes_no_csv(tmp_path):
  assert read(tmp_path, '# one, two\na_0\n') == ('a_0',)


@pytest.mark.parametrize(
  'text',
  ['', '\n\n', '# a_0\n', '  \n# only this\n', 'clip_id,why\n', 'segment_id\tlabel\n'],
)
def test_a_list_of_nothing_is_an_error(tmp_path, text):
  with pytest.raises(LabelError, match=r'clips\.txt: names no clips'):
    read(tmp_path, text)


def test_a_list_that_cannot_be_read_is_an_error(tmp_path):
  with pytest.raises(LabelError, match=r'absent\.txt: the label file cannot be read'):
    read_clip_list(tmp_path / 'absent.txt')
  with pytest.raises(LabelError, match='not UTF-8'):
    read(tmp_path, b'a_0\n\xff\xfe_0\n')


def test_a_wrong_row_of_a_csv_is_named(tmp_path):
  with pytest.raises(LabelError, match=r'clips\.txt: 1 wrong row\n  row 2: 3 columns'):
    read(tmp_path, 'a, 0, 10, "/m/a"\nb, 0, 10\n')


def test_a_csv_whose_first_column_is_clip_id_serves(tmp_path):
  path = tmp_path / 'clips.csv'
  path.write_text('clip_id,shard,frames\na_0,x,10\n"b_1000",x,10\n')
  assert read_clip_list(path) == ('a_0', 'b_1000')


@pytest.mark.parametrize(
  ('text', 'row'),
  [
    ('a_0\n# more\nb_0\n', "row 2: '# more' begins with '#'"),
    ('#NAME?\na_0\n', "row 1: '#NAME\\?': a spreadsheet has put an error"),
    ('clip_id,why\n#NAME?,x\na_0,y\n', 'row 2: .* a spreadsheet has put'),
    ('segment_id\tlabel\n#NAME?\t/m/a\n', 'row 2: .* a spreadsheet has put'),
    ('YTID,start,end,labels\na,0,1,""\n#NAME?,0,1,""\n', 'row 3: .* a spreadsheet'),
    ('clip_id,why\n,x\na_0,y\n', 'row 2: an empty clip_id'),
  ],
)
def test_no_clip_is_lost_for_its_mark(tmp_path, text, row):
  with pytest.raises(LabelError, match=f'1 wrong row\n  {row}'):
    read(tmp_path, text)


@pytest.mark.parametrize(
  'text',
  [
    '#tag_0\nb 1_0\n',
    '# list\n#tag_0\nb 1_0\n',
    '"#tag_0"\r\n"b 1_0"\r\n',
    ',clip_id\n0,#tag_0\n1,b 1_0\n',
    'clip_id;why\n#tag_0;x\nb 1_0;y\n',
    'YTID;start;end;labels\n#tag;0;10;\nb 1;0;10;/m/a,/m/b\n',
    '#tag\t0\t10\t/m/a\nb 1\t0\t10\t\n',
    ',0\n0,#tag_0\n1,b 1_0\n',
    ',name\n7,#tag_0\n23,b 1_0\n',
    'Unnamed: 0;0\n3;#tag_0\n5;b 1_0\n',
    '0,#tag_0\n1,b 1_0\n',
    '"","x"\n"1","#tag_0"\n"2","b 1_0"\n',
    '\tclip_id\n0\t#tag_0\n1\tb 1_0\n',
    'x_0;;\n#tag_0;;\nb 1_0;;\n',
    '\t0\n0\t#tag_0\n1\tb 1_0\n',
    'split,clip_id\n"a,b",#tag_0\nc,b 1_0\n',
    '\tfname\n0\t#tag_0.wav\n1\tb 1_0.wav\n',
  ],
)
@pytest.mark.parametrize('encoding', ['utf-8', 'utf-8-sig', 'utf-16'])
def test_lists_as_spreadsheets_leave_them(tmp_path, text, encoding):
  clips = read(tmp_path, text.encode(encoding))
  assert [one for one in clips if one != 'x_0'] == ['#tag_0', 'b 1_0']


def test_letters_taken_apart_are_put_together(tmp_path):
  assert read(tmp_path, 'Cafe\u0301_0\nCaf\u00e9_0\n') == ('Caf\u00e9_0',)


@pytest.mark.parametrize('character', ['\x0b', '\x1c', '\x85', '\u2028', '\x1b', '\r'])
def test_ids_with_control_characters_are_wrong_rows(tmp_path, character):
  """Written in lines, such an id would be two; printed, it could change a terminal."""
  path = tmp_path / 'clips.txt'
  path.write_bytes(f'one_0\ntw{character}o_0\n'.encode())
  with pytest.raises(LabelError, match=r'row 2: the id .* holds the control') as caught:
    read_clip_list(path)
  assert character not in str(caught.value)
  path.write_bytes(f'one, 0, 1, "a"\ntw{character}o, 0, 1, "a"\n'.encode())
  with pytest.raises(LabelError, match=r'row 2: the id .* holds the control'):
    segments.read_weak_csv(path)
  header = '\t'.join(formats.STRONG_COLUMNS)
  path.write_bytes(f'{header}\none\t0\t1\ta\ntw{character}o\t0\t1\ta\n'.encode())
  with pytest.raises(LabelError, match=r'row 3: the id .* holds the control'):
    formats.read_strong_tsv(path)


@pytest.mark.parametrize(
  ('text', 'message'),
  [
    ('0\na_0\nb_0\n', "row 1: '0' is the header that pandas gives"),
    (',0\na_0,/m/a\nb_0,/m/b\n', "row 1, ',0', is no list of clips: give"),
    ('7,a_0\n5,b_0\n', "row 1, '7,a_0', is no list of clips"),
    ('a_0,b_0\nc_0\n', 'row 1, .* is no list of clips'),
    ('why,clip_id\n"x,a_0\n', 'row 2: an empty clip_id'),
  ],
)
def test_other_tables_are_one_error(tmp_path, text, message):
  with pytest.raises(LabelError, match=message) as caught:
    read(tmp_path, text)
  assert str(caught.value).count('\n') <= 1


def test_ids_may_be_numbers(tmp_path):
  assert read(tmp_path, '0\n17\n4\n') == ('0', '17', '4')
