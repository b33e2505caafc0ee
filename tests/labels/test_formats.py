import csv
import io
import re

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audioset_ml.core.errors import LabelError
from audioset_ml.labels import formats, label_rows, segments
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.labels.wrong_rows import WrongRows

pytestmark = pytest.mark.few

CLASS_MAP = ClassMap(mids=('/m/a', '/m/b'), names=('A', 'B'))


def write_rows(path, columns, *rows):
  path.write_text('\n'.join(['\t'.join(columns), *rows]) + '\n')
  return path


def test_official_strong_labels_are_read(shared_data):
  path = shared_data('audioset_strong/audioset_eval_strong_subset.tsv')
  table = formats.read_strong_tsv(path, clip_seconds=10)
  assert len(table) == 408
  assert table['segment_id'].nunique() == 133
  assert table.iloc[0].tolist() == ['06rCpqwkcDw_10000', 0.0, 1.195, '/m/01d3sd']


def test_official_framed_labels_are_read(shared_data):
  path = shared_data('audioset_strong/audioset_eval_strong_framed_posneg_subset.tsv')
  table = formats.read_framed_tsv(path, clip_seconds=10)
  assert len(table) == 581
  assert table['segment_id'].nunique() == 132
  assert set(table['present']) == {'PRESENT'}
  with pytest.raises(LabelError, match='its labels have times'):
    formats.read_explicit_tsv(path)


def test_labels_that_say_present_are_not_taken_for_events(tmp_path):
  row = 'a_0\t0\t1\t/m/a\tNOT_PRESENT'
  path = write_rows(tmp_path / 'framed.tsv', formats.FRAMED_COLUMNS, row)
  with pytest.raises(LabelError, match='give it as explicit labels'):
    formats.read_strong_tsv(path)


def test_an_empty_last_column_is_a_column(tmp_path):
  columns = [*formats.STRONG_COLUMNS, 'note']
  rows = ['a_0\t0\t1\t/m/a\t', 'a_0\t1\t2\t/m/a\tloud']
  path = write_rows(tmp_path / 'strong.tsv', columns, *rows)
  assert len(formats.read_strong_tsv(path)) == 2


@pytest.mark.parametrize(
  ('row', 'message'),
  [
    ('abc_0\t0.0\t1.0\t', 'row 2: an empty label'),
    ('abc_0\t2.0\t1.0\t/m/a', 'row 2: ends at 1.0 before it starts at 2.0'),
    ('abc_0\t0.0\tinf\t/m/a', "row 2: 'inf' is no time"),
    ('abc_0\t-1\t1.0\t/m/a', "row 2: '-1' is no time"),
    ('abc_0\t0.0\t1.0', 'row 2: 3 columns instead of 4'),
    ('\t0.0\t1.0\t/m/a', 'row 2: an empty segment_id'),
    ('abc_0\t0.0\t1.0\t/m/z', 'row 2: label /m/z is not in the class map'),
    ('abc_0\t0.0\t10.5\t/m/a', 'row 2: ends at 10.5 s, but abc_0 is only 10 s long'),
  ],
)
def test_a_wrong_strong_row_is_named(tmp_path, row, message):
  path = write_rows(tmp_path / 'strong.tsv', formats.STRONG_COLUMNS, row)
  with pytest.raises(LabelError, match=message):
    formats.read_strong_tsv(path, CLASS_MAP, clip_seconds=10)


def test_an_endless_line_is_named(tmp_path):
  path = tmp_path / 'strong.tsv'
  header = '\t'.join(formats.STRONG_COLUMNS)
  path.write_text(f'{header}\nclip_0\t0\t1\t/m/a\n' + 'x' * 1_000_001)
  with pytest.raises(LabelError, match=r'row 3: a line of 1,000,001 bytes'):
    formats.read_strong_tsv(path)


def test_clips_may_differ_in_length(tmp_path):
  rows = ['a_0\t0\t3\t/m/a', 'b_0\t0\t3\t/m/a', 'c_0\t0\t3\t/m/a']
  path = write_rows(tmp_path / 'strong.tsv', formats.STRONG_COLUMNS, *rows)
  wrong = WrongRows(skip=True)
  lengths = pd.Series({'a_0': 2.0, 'b_0': 3.0})
  table = formats.read_strong_tsv(path, CLASS_MAP, wrong, lengths)
  assert table['segment_id'].tolist() == ['b_0', 'c_0']
  assert table.index.tolist() == [3, 4]
  assert [one.row for one in wrong.found] == [2]


def test_a_recordings_name_stands_for_its_only_clip(tmp_path):
  names = ('my dog', 'my dog', 'a_0', 'twice', 'a_b', 'a_b_0', 'gone')
  rows = [f'{name}\t{row}\t{row + 1}\t/m/a' for row, name in enumerate(names)]
  path = write_rows(tmp_path / 'strong.tsv', formats.STRONG_COLUMNS, *rows)
  clips = ['my dog_0', 'a_0', 'twice_0', 'twice_900', 'a_b', 'a_b_0']
  wrong, lengths = WrongRows(skip=True), pd.Series(9.0, clips)
  lengths['my dog_0'] = 1.5
  table = formats.read_strong_tsv(path, CLASS_MAP, wrong, lengths)
  assert table['segment_id'].tolist() == ['my dog_0', *names[2:]]
  assert [one.row for one in wrong.found] == [3]  # ends behind the clip's end
  assert 'my dog_0 is only 1.5 s long' in wrong.found[0].what


def test_explicit_labels_are_present_or_not(tmp_path):
  path = tmp_path / 'explicit.tsv'
  write_rows(path, formats.EXPLICIT_COLUMNS, 'abc_0\t/m/a\tMAYBE')
  with pytest.raises(
    LabelError, match="'MAYBE' is none of PRESENT, NOT_PRESENT, UNSURE"
  ):
    formats.read_explicit_tsv(path)
  path.write_text('segment_id\tlabel\n')
  with pytest.raises(LabelError, match='must name the columns'):
    formats.read_explicit_tsv(path)


def test_a_row_may_say_that_a_clip_holds_nothing(tmp_path):
  rows = ['a_0\t1\t2\t/m/a', 'b_0\t\t\t', 'b_0\t\t\t', 'c_0\t0\t1\t']
  path = write_rows(tmp_path / 'strong.tsv', formats.STRONG_COLUMNS, *rows)
  wrong = WrongRows(skip=True)
  found = formats.read_strong_file(path, wrong_rows=wrong)
  assert found.events['segment_id'].tolist() == ['a_0']
  assert found.silent.to_dict() == {3: 'b_0'}
  assert [(one.row, one.what) for one in wrong.found] == [(5, 'an empty label')]
  assert formats.read_strong_tsv(path, wrong_rows=wrong).equals(found.events)
  stretch = 'b_0\t\t\t\tNOT_PRESENT'
  path = write_rows(tmp_path / 'framed.tsv', formats.FRAMED_COLUMNS, stretch)
  with pytest.raises(LabelError, match='row 2: an empty label'):
    formats.read_framed_tsv(path)


def test_a_person_may_be_unsure_of_a_whole_clip_but_not_of_a_stretch(tmp_path):
  said = {'/m/a': 'UNSURE UNSURE', '/m/b': 'PRESENT UNSURE', '/m/c': 'UNSURE PRESENT'}
  rows = [f'a_0\t{mid}\t{word}' for mid, both in said.items() for word in both.split()]
  path = write_rows(tmp_path / 'explicit.tsv', formats.EXPLICIT_COLUMNS, *rows)
  table = formats.decided(formats.read_explicit_tsv(path))
  assert table[['label', 'present']].values.tolist() == [
    ['/m/a', 'UNSURE'],
    ['/m/b', 'PRESENT'],
    ['/m/c', 'PRESENT'],
  ]
  path = write_rows(path, formats.EXPLICIT_COLUMNS, *rows, 'a_0\t/m/c\tNOT_PRESENT')
  with pytest.raises(LabelError, match='row 8: a_0 /m/c is NOT_PRESENT, but an ear'):
    formats.read_explicit_tsv(path)
  stretch = 'a_0\t0.0\t0.96\t/m/a\tUNSURE'
  path = write_rows(tmp_path / 'framed.tsv', formats.FRAMED_COLUMNS, stretch)
  with pytest.raises(LabelError, match="'UNSURE' is said of whole clips, not of"):
    formats.read_framed_tsv(path)


def test_a_row_that_contradicts_an_earlier_one_is_wrong(tmp_path):
  rows = ['a_0\t/m/a\tPRESENT', 'a_0\t/m/a\tPRESENT', 'a_0\t/m/a\tNOT_PRESENT']
  path = write_rows(tmp_path / 'explicit.tsv', formats.EXPLICIT_COLUMNS, *rows)
  with pytest.raises(
    LabelError, match='row 4: a_0 /m/a is NOT_PRESENT, but an earlier'
  ):
    formats.read_explicit_tsv(path)
  table = formats.read_explicit_tsv(path, wrong_rows=WrongRows(skip=True))
  assert table.values.tolist() == [['a_0', '/m/a', 'PRESENT']]


def test_columns_may_stand_in_any_order_among_others(tmp_path):
  columns = ['note', 'present', 'label', 'segment_id']
  path = write_rows(tmp_path / 'explicit.tsv', columns, 'x\tPRESENT\t/m/a\ta_0')
  assert formats.read_explicit_tsv(path).values.tolist() == [['a_0', '/m/a', 'PRESENT']]


def test_written_labels_read_the_same(tmp_path):
  strong = pd.DataFrame(
    [('abc_0', 0.0, 1.195, '/m/a'), ('abc_0', 2.5, 10.0, '/m/b')],
    columns=formats.STRONG_COLUMNS,
  )
  explicit = pd.DataFrame(
    [('abc_0', '/m/a', 'PRESENT'), ('abc_0', '/m/b', 'NOT_PRESENT')],
    columns=formats.EXPLICIT_COLUMNS,
  )
  framed = strong.assign(present=explicit['present'])
  formats.write_strong_tsv(tmp_path / 'strong.tsv', strong)
  formats.write_explicit_tsv(tmp_path / 'explicit.tsv', explicit)
  formats.write_framed_tsv(tmp_path / 'framed.tsv', framed)
  for read, written in (
    (formats.read_strong_tsv(tmp_path / 'strong.tsv'), strong),
    (formats.read_explicit_tsv(tmp_path / 'explicit.tsv'), explicit),
    (formats.read_framed_tsv(tmp_path / 'framed.tsv'), framed),
  ):
    assert read.values.tolist() == written.values.tolist()


_FIELDS = st.one_of(
  st.sampled_from(['abc_0', '0', '0.5', '/m/a', 'PRESENT', 'NOT_PRESENT', 'nan', '']),
  st.text(max_size=6),
)


@given(rows=st.lists(st.lists(_FIELDS, min_size=4, max_size=6), max_size=5))
def test_any_text_gives_a_table_or_the_error(tmp_path_factory, rows):
  path = tmp_path_factory.mktemp('framed') / 'framed.tsv'
  lines = ['\t'.join(formats.FRAMED_COLUMNS), *('\t'.join(row) for row in rows)]
  path.write_bytes('\n'.join(lines).encode('utf-8', 'replace'))
  try:
    table = formats.read_framed_tsv(path, CLASS_MAP, clip_seconds=10)
  except LabelError:
    return
  assert set(table['label']) <= set(CLASS_MAP.mids)
  assert table['present'].isin(['PRESENT', 'NOT_PRESENT']).all()
  times = table[list(label_rows.TIMES)]
  assert ((times >= 0) & (times <= 10.001)).all(axis=None)
  assert (times.iloc[:, 0] <= times.iloc[:, 1]).all()


@pytest.mark.parametrize('encoding', ['utf-8', 'utf-8-sig', 'utf-16'])
@pytest.mark.parametrize(
  'text',
  [
    '# from a spreadsheet\nS\na b_0\t0\t1.5\t/m/a\n#tag_0\t1\t2\t/m/b\n',
    '"S"\n"a b_0"\t"0"\t"1.5"\t"/m/a"\n"#tag_0"\t"1"\t"2"\t"/m/b"\n',
    'S;\na b_0;0;1,5;/m/a;\n#tag_0;1;2;/m/b;\n',
    ',S\n0,a b_0,0,1.5,/m/a\n1,#tag_0,1,2,/m/b\n',
  ],
)
def test_strong_labels_as_spreadsheets_leave_them(tmp_path, text, encoding):
  separator = next(one for one in '\t;,' if one in text)
  path = tmp_path / 'strong.tsv'
  names = separator.join(formats.STRONG_COLUMNS)
  path.write_bytes(text.replace('S', names).replace('\n', '\r\n').encode(encoding))
  table = formats.read_strong_tsv(path, CLASS_MAP)
  assert table.values.tolist() == [['a b_0', 0, 1.5, '/m/a'], ['#tag_0', 1, 2, '/m/b']]
  assert formats.has_times(path)


def test_an_id_that_a_spreadsheet_broke_is_named(tmp_path):
  rows = ['a_0\t0\t1\t/m/a', '#NAME?\t0\t1\t/m/a', 'b_0\t0\t1\t/m/a']
  path = write_rows(tmp_path / 'strong.tsv', formats.STRONG_COLUMNS, *rows)
  with pytest.raises(LabelError, match=r'row 3: .* a spreadsheet has put'):
    formats.read_strong_tsv(path)


def test_ids_are_in_one_spelling(tmp_path):
  row = 'Cafe\u0301_0\t0\t1\t/m/a'
  path = write_rows(tmp_path / 'strong.tsv', formats.STRONG_COLUMNS, row)
  assert formats.read_strong_tsv(path)['segment_id'].tolist() == ['Caf\u00e9_0']


_CELLS = st.text('ab -_.é,;"\'', min_size=1, max_size=6).map(lambda text: f'x{text}x')


@given(
  rows=st.lists(st.tuples(_CELLS, _CELLS), min_size=1), quoting=st.sampled_from([0, 1])
)
@pytest.mark.parametrize('separator', ['\t', ',', ';'])
def test_what_pythons_csv_writes_is_read(tmp_path_factory, separator, quoting, rows):
  """Whatever is in a name: commas, semicolons and quotes."""
  rows = [(clip, 0, 1, label, 'PRESENT') for clip, label in rows]
  text = io.StringIO()
  writer = csv.writer(text, delimiter=separator, quoting=quoting, lineterminator='\n')
  writer.writerows([formats.FRAMED_COLUMNS, *rows])
  path = tmp_path_factory.mktemp('csv') / 'labels'
  path.write_text(text.getvalue(), encoding='utf-8')
  table = formats.read_framed_tsv(path)
  assert table.values.tolist() == [list(row) for row in dict.fromkeys(rows)]


@pytest.mark.parametrize('separator', ['\t', ',', ';'])
def test_names_with_commas_are_one_label(tmp_path, separator):
  names = ClassMap(('/m/a', '/m/b'), ('Speech, male', 'Say "hi"'))
  strong = [('a_0', '0', '1.5', 'Speech, male'), ('a_0', '1', '2', 'Say "hi"')]
  explicit = [('a_0', 'Speech, male', 'PRESENT'), ('a_0', 'Say "hi"', 'NOT_PRESENT')]
  for columns, rows, read in (
    (formats.STRONG_COLUMNS, strong, formats.read_strong_tsv),
    (formats.EXPLICIT_COLUMNS, explicit, formats.read_explicit_tsv),
  ):
    path = tmp_path / 'labels'
    pd.DataFrame(rows, columns=columns).to_csv(path, sep=separator)  # with an index
    table = read(path, names)
    assert table['label'].tolist() == ['/m/a', '/m/b']
    assert table.index.tolist() == [2, 3]
    with open(path, 'a') as file:
      file.write(f'2{separator}b_0{separator}"Speech, male{separator}1\n')
    with pytest.raises(LabelError, match=r'row 4: .* a quote is not closed'):
      read(path, names)


@pytest.mark.parametrize(
  'column', ['score', 'Confidence', 'event_probability', 'confidence (%)', 'scores']
)
def test_detections_with_scores_are_refused(tmp_path, column):
  """`tag --events` writes them as CSV, too; without scores they are events."""
  path = write_rows(
    tmp_path / 'tagged.tsv', [*formats.STRONG_COLUMNS, column], 'a_0\t0\t1\t/m/a\t0.1'
  )
  with pytest.raises(LabelError, match=rf'column {re.escape(column)} says how likely'):
    formats.read_strong_tsv(path)
  path.write_text('file,start,end,class,score\na.wav,0.000,1.000,A,0.9\n')
  for read in (formats.read_strong_tsv, segments.read_weak_csv):
    with pytest.raises(LabelError, match='column score says how likely'):
      read(path)
  path.write_text(f'segment_id,label,present,{column}\na_0,/m/a,PRESENT,0.9\n')
  assert len(formats.read_explicit_tsv(path)) == 1


def test_a_column_that_is_named_twice_is_an_error(tmp_path):
  columns = [*formats.STRONG_COLUMNS, 'label']
  path = write_rows(tmp_path / 'strong.tsv', columns, 'a_0\t0\t1\t/m/a\t/m/b')
  with pytest.raises(LabelError, match='names the column label twice'):
    formats.read_strong_tsv(path)


def test_any_sounds_name_is_an_id_of_its_events(tmp_path):
  """`tag --events` writes them so, and `prepare --strong_tsv` reads them."""
  names = ['Mix 12" [a_-b], live', '"quoted"', "it's; fine", 'a,b', "''"]
  table = pd.DataFrame({'segment_id': names, 'start_time_seconds': 0.0})
  table = table.assign(end_time_seconds=1.5, label='/m/a')
  formats.write_strong_tsv(tmp_path / 'events.tsv', table)
  assert formats.read_strong_tsv(tmp_path / 'events.tsv').values.tolist() == (
    table.values.tolist()
  )
