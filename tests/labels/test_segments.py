import csv
import io
import re
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audioset_ml.core.errors import LabelError
from audioset_ml.labels import segments
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.labels.text_columns import read_header
from audioset_ml.labels.wrong_rows import WrongRows

HEADER = '# one\n# two\n# YTID, start_seconds, end_seconds, positive_labels\n'
CLASS_MAP = ClassMap(mids=('/m/a', '/m/b'), names=('A', 'B'))


@pytest.mark.parametrize(
  ('name', 'clips', 'positives'),
  [('eval_segments', 20_371, 51_804), ('balanced_train_segments', 22_160, 52_882)],
)
def test_official_segments_have_their_published_counts(
  shared_data, name, clips, positives
):
  class_map = ClassMap.read(shared_data('audioset/class_labels_indices.csv'))
  read = segments.read_weak_csv(shared_data(f'audioset/{name}.csv'), class_map)
  assert read.clips['clip_id'].nunique() == len(read.clips) == clips
  assert len(read.labels) == positives
  assert read.labels['mid'].nunique() == 527


def test_one_row_a_clip_and_one_a_label(tmp_path):
  path = tmp_path / 'segments.csv'
  path.write_text(
    HEADER
    + '--PJHxphWEs, 30.000, 40.000, "/m/a,/m/b"\n'
    + 'x_1, 0, 9.5, /m/b\n\nempty, 1, 2, ""\ntwice,0,1,"/m/a, /m/a"'
  )
  read = segments.read_weak_csv(path, CLASS_MAP)
  assert read.labels.values.tolist() == [
    ['--PJHxphWEs_30000', '/m/a'],
    ['--PJHxphWEs_30000', '/m/b'],
    ['x_1_0', '/m/b'],
    ['twice_0', '/m/a'],
  ]
  assert read.clips.values.tolist() == [
    ['--PJHxphWEs_30000', 30.0, 40.0],
    ['x_1_0', 0.0, 9.5],
    ['empty_1000', 1.0, 2.0],
    ['twice_0', 0.0, 1.0],
  ]
  assert read.clips.index.tolist() == [4, 5, 7, 8]


@pytest.mark.parametrize(
  'header', ['', 'YTID,start_seconds,end_seconds,positive_labels\n', '\ufeff# x\n']
)
def test_headers_may_be_missing_or_of_another_form(tmp_path, header):
  path = tmp_path / 'segments.csv'
  path.write_bytes((header + 'abc,0,10,"/m/a"\r\n').encode())
  read = segments.read_weak_csv(path, CLASS_MAP)
  assert read.labels.values.tolist() == [['abc_0', '/m/a']]


@pytest.mark.parametrize(
  ('row', 'message'),
  [
    ('abc, 0, 10', 'row 4: 3 columns'),
    ('abc, 0, 10, /m/a, /m/b', 'row 4: 5 columns'),
    ('abc, 0, 10, "/m/a', 'is not of the form'),
    ('abc, 0, ten, "/m/a"', "row 4: 'ten' is no time"),
    ('abc, 0, 1e400, "/m/a"', "row 4: '1e400' is no time"),
    ('abc, , 10, "/m/a"', "row 4: '' is no time"),
    ('abc, 10, 0, "/m/a"', 'row 4: ends at 0.0 s'),
    ('abc, nan, 10, "/m/a"', "row 4: 'nan' is no time"),
    ('abc, -1, 10, "/m/a"', "row 4: '-1' is no time"),
    (', 0, 10, "/m/a"', 'row 4: an empty id'),
    ('abc, 0, 10, "/m/a,"', 'row 4: an empty label'),
    ('abc, 0, 10, "/m/c"', 'row 4: label /m/c is not in the class map'),
    ('abc, 0, 10, "/m/a"\nabc, 0, 10, "/m/b"', 'row 5: abc_0 stands in row 4'),
  ],
)
def test_a_wrong_weak_row_is_named(tmp_path, row, message):
  path = tmp_path / 'segments.csv'
  path.write_text(HEADER + row + '\n')
  with pytest.raises(LabelError, match=message) as error:
    segments.read_weak_csv(path, CLASS_MAP)
  assert str(path) in str(error.value)
  assert '1 wrong row' in str(error.value)


def test_many_wrong_rows_are_counted_and_ten_shown(tmp_path):
  path = tmp_path / 'segments.csv'
  rows = ''.join(f'clip{i}, 0, 10, "/m/{i}"\n' for i in range(25))
  path.write_text(HEADER + rows)
  with pytest.raises(LabelError) as error:
    segments.read_weak_csv(path, CLASS_MAP)
  lines = str(error.value).splitlines()
  assert '25 wrong rows' in lines[0]
  assert len(lines) == 12
  assert lines[-1].strip() == '… and 15 more'


def excel(rows):
  """What a spreadsheet makes of rows that it took apart at every comma.

  A blank before a quote makes the quote a part of the cell; rows are filled up.
  """
  cells = [row.split(',') for row in rows]
  width = max(map(len, cells))
  text = io.StringIO()
  writer = csv.writer(text, lineterminator='\n')
  writer.writerows([*row, *[''] * (width - len(row))] for row in cells)
  return text.getvalue()


def test_labels_that_a_spreadsheet_cut_into_cells_are_put_together(tmp_path):
  path = tmp_path / 'segments.csv'
  rows = ['a, 0.000, 10.000, "/m/a,/m/b"', 'b, 30.000, 40.000, "/m/b"', 'c, 0, 9, ""']
  rows += ['d, 0, 10, "/m/a,/m/b,/m/a"']
  path.write_text('\n'.join(rows))
  expected = segments.read_weak_csv(path, CLASS_MAP)
  text = excel(rows)
  assert text.splitlines()[1] == 'b, 30.000, 40.000," ""/m/b""",,'
  path.write_text(text)
  found = segments.read_weak_csv(path, CLASS_MAP)
  assert found.clips.equals(expected.clips)
  assert found.labels.values.tolist() == expected.labels.values.tolist()
  # No row that may have lost something is.
  for row in ('e,0,10,/m/a,/m/b', 'e,0,10," ""/m/a",,', 'e,0,10,"/m/a,/m/'):
    path.write_text(f'{text}{row}\n')
    with pytest.raises(LabelError, match='row 5: '):
      segments.read_weak_csv(path, CLASS_MAP)


def test_empty_columns_at_the_end_are_passed_over(tmp_path):
  path = tmp_path / 'segments.csv'
  path.write_text('YTID;start;end;labels;;\na;0;10;/m/a,/m/b;;\nb;0;10;;;\n')
  read = segments.read_weak_csv(path, CLASS_MAP)
  assert read.clips['clip_id'].tolist() == ['a_0', 'b_0']
  assert read.labels['mid'].tolist() == ['/m/a', '/m/b']


def test_lines_may_end_as_on_an_old_macintosh(tmp_path):
  path = tmp_path / 'segments.csv'
  path.write_bytes(
    (HEADER + 'a,0,10,"/m/a"\nb,0,10,"/m/b"\n').replace('\n', '\r').encode()
  )
  read = segments.read_weak_csv(path, CLASS_MAP)
  assert read.clips['clip_id'].to_dict() == {4: 'a_0', 5: 'b_0'}
  assert read_header(path) == 'a,0,10,"/m/a"'


def test_rows_with_the_same_fault_are_one_line(tmp_path):
  path = tmp_path / 'segments.csv'
  rows = ''.join(f'clip{i}, 0, 10, "/m/a,/m/{i % 4}"\n' for i in range(25))
  path.write_text(HEADER + rows + 'late, 0, ten, "/m/a"\n')
  with pytest.raises(LabelError) as error:
    segments.read_weak_csv(path, CLASS_MAP)
  first, *lines = map(str.strip, str(error.value).splitlines())
  assert first == f'{path}: 26 wrong rows'
  assert lines == [
    'row 4: label /m/0 is not in the class map (and 6 more rows)',
    *(
      f'row {5 + i}: label /m/{1 + i} is not in the class map (and 5 more rows)'
      for i in range(3)
    ),
    "row 29: 'ten' is no time in seconds",
  ]


def test_wrong_rows_can_be_skipped_and_are_kept_in_mind(tmp_path):
  path = tmp_path / 'segments.csv'
  path.write_text(
    HEADER + 'abc, 0, 10, "/m/a,/m/z"\nx, 0, inf, "/m/a"\nx, 0, 1, "/m/b"\n'
  )
  wrong = WrongRows(skip=True)
  read = segments.read_weak_csv(path, CLASS_MAP, wrong)
  assert read.labels.values.tolist() == [['abc_0', '/m/a'], ['x_0', '/m/b']]
  assert [(one.path, one.row) for one in wrong.found] == [
    (str(path), 4),
    (str(path), 5),
  ]
  assert [one.what for one in wrong.found] == [
    'label /m/z is not in the class map',
    "'inf' is no time in seconds",
  ]


@pytest.mark.parametrize('text', ['', HEADER, '\n\n'])
def test_a_weak_csv_without_clips_is_an_error(tmp_path, text):
  (tmp_path / 'segments.csv').write_text(text)
  with pytest.raises(LabelError, match='no clips'):
    segments.read_weak_csv(tmp_path / 'segments.csv')


def test_a_file_that_is_no_text_is_an_error(tmp_path):
  (tmp_path / 'segments.csv').write_bytes(b'abc, 0, 10, "\xff\xfe"\n')
  with pytest.raises(LabelError, match='not UTF-8'):
    segments.read_weak_csv(tmp_path / 'segments.csv')


_IDS = st.text('abcXYZ019-_', min_size=11, max_size=11)
_CLIPS = st.dictionaries(
  st.tuples(_IDS, st.integers(0, 10**7)).map(lambda pair: f'{pair[0]}_{pair[1]}'),
  st.lists(st.sampled_from(['/m/a', '/m/b', '/t/dd00001']), unique=True),
  min_size=1,
  max_size=8,
)


@given(clips=_CLIPS)
def test_written_weak_labels_read_the_same(tmp_path_factory, clips):
  path = tmp_path_factory.mktemp('weak') / 'segments.csv'
  segments.write_weak_csv(path, list(clips), list(clips.values()))
  read = segments.read_weak_csv(path)
  found = {clip_id: [] for clip_id in read.clips['clip_id']}
  for clip_id, mid in read.labels.itertuples(index=False):
    found[clip_id].append(mid)
  assert found == clips
  header = path.read_text().splitlines()[:3]
  assert all(line.startswith('# ') for line in header)
  assert f'num_segs={len(clips)}' in header[1]


_FIELDS = st.one_of(
  st.sampled_from(['abc', '0', '10', '"/m/a"', '"/m/a,/m/b"', 'nan', '', '-3', '1e9']),
  st.text(max_size=6),
)


_TIME = r'\s*[+-]?[0-9]+(?:\.[0-9]+)?(?:e[0-9]+)?\s*'


def plain_read(text):
  """A slow twin, row by row: clips and labels, or None if a row is wrong."""
  clips, labels = [], []
  above = True
  for line in text.split('\n'):
    line = line.rstrip('\r')
    if not line.strip(' ,"'):
      continue
    if line.startswith('#') and not re.match(f'[^,]*,{_TIME},{_TIME},', line):
      if above:
        continue
      return None
    above = False
    parts = [part.strip() for part in line.split(',', 3)]
    quoted = len(parts) == 4 and re.fullmatch('"[^"]*"|[^",]*', parts[3])
    if not quoted:
      return None
    try:
      start, end = (float(part) for part in parts[1:3])
    except ValueError:
      return None
    clip_id = parts[0].strip('"')
    mids = parts[3].strip('"')
    mids = [mid.strip() for mid in mids.split(',')] if mids else []
    right = clip_id and 0 <= start < end < float('inf')
    if not right or not set(mids) <= set(CLASS_MAP.mids):
      return None
    clip = (f'{clip_id}_{round(start * 1000)}', start, end)
    if clip[0] in [other[0] for other in clips]:
      return None
    clips.append(clip)
    labels += [(clip[0], mid) for mid in dict.fromkeys(mids)]
  return (clips, labels) if clips else None


_ROWS = st.tuples(
  st.sampled_from(['a', 'b', 'c d', '-e', 'é', '"q"', '', '#x']),
  st.sampled_from(['0', '0.000', '30.5', '1e1', ' 2 ', '-1', 'nan', 'x', '']),
  st.sampled_from(['10', '40.000', '1e2', '0', 'inf']),
  st.sampled_from(['"/m/a"', '"/m/a,/m/b"', '/m/b', '""', '"/m/z"', '"/m/a', '']),
)


@given(rows=st.lists(_ROWS, max_size=4), ending=st.sampled_from(['\n', '\r\n']))
def test_rows_are_read_as_a_plain_reader_does(tmp_path_factory, rows, ending):
  path = tmp_path_factory.mktemp('weak') / 'segments.csv'
  text = ending.join(', '.join(row) for row in rows)
  path.write_bytes(text.encode())
  expected = plain_read(text)
  if expected is None:
    with pytest.raises(LabelError):
      segments.read_weak_csv(path, CLASS_MAP)
    return
  read = segments.read_weak_csv(path, CLASS_MAP)
  assert [tuple(row) for row in read.clips.values] == expected[0]
  assert [tuple(row) for row in read.labels.values] == expected[1]


@given(rows=st.lists(st.lists(_FIELDS, max_size=6), max_size=5))
def test_any_text_gives_a_table_or_the_error(tmp_path_factory, rows):
  """What is read has the documented form; all else is a LabelError."""
  path = tmp_path_factory.mktemp('weak') / 'segments.csv'
  path.write_bytes('\n'.join(', '.join(row) for row in rows).encode('utf-8', 'replace'))
  try:
    read = segments.read_weak_csv(path, CLASS_MAP)
  except LabelError:
    return
  assert read.clips['clip_id'].is_unique
  assert (read.clips['end'] > read.clips['start']).all()
  assert (read.clips['start'] >= 0).all()
  assert set(read.labels['mid']) <= set(CLASS_MAP.mids)
  assert set(read.labels['clip_id']) <= set(read.clips['clip_id'])
  assert not read.labels.duplicated().any()


CLIPS = [('--aE_0', 0.0, 10.0), ('b_30500', 30.5, 40.0)]
LABELS = [('--aE_0', '/m/a'), ('--aE_0', '/m/b'), ('b_30500', '/m/a')]
HEAD = 'YTID,start_seconds,end_seconds,positive_labels\n'
SPREADSHEETS = {
  'plain': HEAD + '--aE,0,10,"/m/a,/m/b"\nb,30.5,40,/m/a\n',
  'quotes': re.sub('[^,\n]+', r'"\g<0>"', HEAD)
  + '"--aE","0.000","10.000","/m/a,/m/b"\n"b","30.500","40.000","/m/a"\n',
  'semicolons': HEAD.replace(',', ';') + '--aE;0;10;/m/a,/m/b\nb;30,5;40,0;/m/a\n',
  'tabs': HEAD.replace(',', '\t') + '--aE\t0\t10\t"/m/a,/m/b"\nb\t30.5\t40\t/m/a\n',
  'index': ',' + HEAD + '0,--aE,0.0,10.0,"/m/a,/m/b"\n1,b,30.5,40.0,/m/a\n',
  'no header': '--aE;0;10;"/m/a,/m/b"\nb;30,5;40;"/m/a"\n',
  'other names': 'video,start,end,labels\n--aE,0,10,"/m/a,/m/b"\nb,30.5,40,/m/a\n',
  'blank rows': HEAD + ',,,\n--aE,0,10,"/m/a,/m/b"\nb,30.5,40,/m/a\n,,,\n,,,\n',
}


@pytest.mark.parametrize('name', SPREADSHEETS)
@pytest.mark.parametrize('encoding', ['utf-8', 'utf-8-sig', 'utf-16'])
@pytest.mark.parametrize('ending', ['\n', '\r\n'])
def test_files_as_spreadsheets_leave_them(tmp_path, name, encoding, ending):
  path = tmp_path / 'segments.csv'
  path.write_bytes(SPREADSHEETS[name].replace('\n', ending).encode(encoding))
  read = segments.read_weak_csv(path, CLASS_MAP)
  assert [tuple(row) for row in read.clips.values] == CLIPS
  assert [tuple(row) for row in read.labels.values] == LABELS


@pytest.mark.parametrize('top', ['', HEADER, HEAD])
def test_an_id_may_begin_with_a_hash_and_rows_are_not_lost_for_it(tmp_path, top):
  path = tmp_path / 'segments.csv'
  path.write_text(top + '#tag, 0, 10, "/m/a"\nb, 0, 10, "/m/b"\n#x, 0, 10, ""\n')
  read = segments.read_weak_csv(path, CLASS_MAP)
  assert read.clips['clip_id'].tolist() == ['#tag_0', 'b_0', '#x_0']


@pytest.mark.parametrize('top', ['', HEADER, HEAD])
@pytest.mark.parametrize(
  ('row', 'message'),
  [
    ('#NAME?,0,10,"/m/a"', 'a spreadsheet has put an error in the place of an id'),
    ('# b, 0, 10, "/m/a"', "begins with '#', but comments stand above"),
  ],
)
def test_a_row_that_is_no_clip_for_its_hash_is_named(tmp_path, top, row, message):
  path = tmp_path / 'segments.csv'
  path.write_text(f'{top}{row}\na,0,10,"/m/a"\n{row}\n')
  wrong = WrongRows(skip=True)
  assert segments.read_weak_csv(path, CLASS_MAP, wrong).clips['clip_id'].tolist() == [
    'a_0'
  ]
  above = top.count('\n')
  assert [one.row for one in wrong.found] == [above + 1, above + 3]
  with pytest.raises(LabelError, match=f'2 wrong rows(.|\n)*{message}'):
    segments.read_weak_csv(path, CLASS_MAP)


def test_a_comment_among_the_rows_is_named(tmp_path):
  path = tmp_path / 'segments.csv'
  path.write_text(HEADER + 'a,0,10,"/m/a"\n#more\n')
  with pytest.raises(LabelError, match="1 wrong row\n  row 5: '#more' begins"):
    segments.read_weak_csv(path, CLASS_MAP)


def test_a_file_of_another_form_is_one_error(tmp_path):
  path = tmp_path / 'segments.csv'
  path.write_text('a|0|10|/m/a\nb|0|10|/m/b\nc|0|10|/m/b\n')
  with pytest.raises(LabelError) as error:
    segments.read_weak_csv(path, CLASS_MAP)
  assert str(error.value) == (
    f'{path}: none of its 3 rows is of the form YTID, start, end, "mid,mid"; the '
    "first, row 1, is 'a|0|10|/m/a'"
  )


def test_ids_are_in_one_spelling(tmp_path):
  path = tmp_path / 'segments.csv'
  path.write_text(HEADER + 'Cafe\u0301,0,10,"/m/a"\nb,0,10,""\n')
  read = segments.read_weak_csv(path, CLASS_MAP)
  assert read.clips['clip_id'].tolist() == ['Caf\u00e9_0', 'b_0']
  assert read.labels['clip_id'].tolist() == ['Caf\u00e9_0']


@pytest.mark.parametrize(
  ('name', 'clips'),
  [
    ('excel_bom_crlf', ['--aE2O5G5WE_0', 'plainclip01_0']),
    ('excel_semicolons', ['--aE2O5G5WE_0']),
    ('excel_utf16', ['plainclip01_0']),
    ('hash_in_the_middle', ['plainclip01_0', '#hashtagsnd_0']),
    ('pandas_quote_all', ['--aE2O5G5WE_0', 'plainclip01_0']),
    ('pandas_with_index', ['--aE2O5G5WE_0']),
    ('excel_name_error', None),
  ],
)
def test_the_collected_spreadsheets_are_read(shared_data, tmp_path, name, clips):
  archive = shared_data('odd_inputs/odd_inputs.tar.gz')
  with tarfile.open(archive) as odd:
    member = next(m for m in odd.getmembers() if m.name.endswith(f'19/{name}.csv'))
    content = odd.extractfile(member).read()
  path = tmp_path / 'segments.csv'
  path.write_bytes(content)
  if clips is None:
    with pytest.raises(LabelError, match=r'2 wrong rows\n  row 2: .*\n  row 3: '):
      segments.read_weak_csv(path)
  else:
    assert segments.read_weak_csv(path).clips['clip_id'].tolist() == clips


def test_a_separator_within_quotes_cuts_no_field_in_two(tmp_path):
  path = tmp_path / 'segments.csv'
  path.write_text(
    '# YTID, start_seconds, end_seconds, positive_labels\n'
    'AAA,"1,030.000","1,040.000","/m/a"\nBBB,0,10,"/m/a"\n"C,3",30,40,"/m/a"\n'
  )
  with pytest.raises(LabelError) as caught:
    segments.read_weak_csv(path)
  assert 'row 2' in str(caught.value)
  assert 'row 4' in str(caught.value)
