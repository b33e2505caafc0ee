"""Label files as spreadsheets, `cat` and people leave them, in every kind of file."""

import pytest

from audioset_ml.core.errors import LabelError
from audioset_ml.labels import clip_list, formats, segments
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.labels.join import read_labels
from audioset_ml.labels.label_files import LabelFiles
from audioset_ml.labels.states import LabelState
from audioset_ml.labels.wrong_rows import WrongRows

WEAK = '# YTID, start_seconds, end_seconds, positive_labels\n'
EXPLICIT = 'segment_id\tlabel\tpresent\n'
STRONG = 'segment_id\tstart_time_seconds\tend_time_seconds\tlabel\n'
FILES = 'filename,category\n'


def weak_ids(path):
  return segments.read_weak_csv(path).clips['clip_id'].tolist()


def explicit_ids(path):
  return formats.read_explicit_tsv(path)['segment_id'].tolist()


# How a file of this kind is read, its header, and its row of an id.
KINDS = {
  'weak': (weak_ids, WEAK, '{}, 0.000, 10.000, "/m/a"\n', '_0'),
  'explicit': (explicit_ids, EXPLICIT, '{}\t/m/a\tPRESENT\n', ''),
  'strong': (
    lambda path: formats.read_strong_tsv(path)['segment_id'].tolist(),
    STRONG,
    '{}\t0\t1\t/m/a\n',
    '',
  ),
  'list': (clip_list.read_clip_list, '', '{}\n', ''),
  'files': (weak_ids, FILES, '{},dog\n', ''),
}
every_kind = pytest.mark.parametrize('kind', KINDS)


def read(kind, ids, tmp_path, change=lambda text: text.encode()):
  reader, header, row, _ = KINDS[kind]
  path = tmp_path / 'labels'
  path.write_bytes(change(header + ''.join(map(row.format, ids))))
  return reader(path)


def named(kind, ids):
  return [one + KINDS[kind][3] for one in ids]


@every_kind
@pytest.mark.parametrize('coding', ['utf-16', 'utf-16-le', 'utf-16-be', 'utf-8-sig'])
def test_codings_of_spreadsheets(kind, coding, tmp_path):
  found = read(kind, ['aé', 'bü'], tmp_path, lambda text: text.encode(coding))
  assert list(found) == named(kind, ['aé', 'bü'])


@every_kind
def test_other_codings_are_refused(kind, tmp_path):
  for coding in ('latin-1', 'utf-32'):
    with pytest.raises(LabelError, match='UTF-8'):
      read(kind, ['aé', 'b'], tmp_path, lambda text, c=coding: text.encode(c))


@every_kind
def test_a_byte_order_mark_within_joined_files_is_no_part_of_an_id(kind, tmp_path):
  assert list(read(kind, ['a', '\ufeffb'], tmp_path)) == named(kind, ['a', 'b'])


@every_kind
@pytest.mark.parametrize(
  'cell',
  [
    *('#NAME?', '#¿NOMBRE?', '#WERT!', '#ÜBERLAUF!', '#REF!', '#DIV/0!', '#SPILL!'),
    *('#N/A', '#NV', '#####', 'Err:508', '# c', '#'),
  ],
)
def test_what_spreadsheets_put_in_the_place_of_ids_is_named(kind, cell, tmp_path):
  with pytest.raises(LabelError, match=r'row \d: .*' + cell[0]):
    read(kind, ['a', cell, 'b'], tmp_path)


@every_kind
@pytest.mark.parametrize('cell', ['="-c"', "'-c", '\u200bc', 'c\ufeff'])
def test_what_is_added_to_ids_is_named(kind, cell, tmp_path):
  with pytest.raises(LabelError, match=r'row \d: .* added to it'):
    read(kind, ['a', cell, 'b'], tmp_path)


@pytest.mark.parametrize('kind', ['weak', 'explicit', 'strong', 'files'])
def test_the_line_that_tells_spreadsheets_the_separator(kind, tmp_path):
  def change(text):
    return b'sep=;\r\n' + text.replace('\t', ';').replace(',', ';').encode()

  assert list(read(kind, ['a', 'b'], tmp_path, change)) == named(kind, ['a', 'b'])


@pytest.mark.parametrize('kind', ['explicit', 'strong', 'files'])
def test_a_header_among_the_rows_is_named(kind, tmp_path):
  with pytest.raises(
    LabelError, match=r'row 3: the header \(\w+\) once more'
  ) as caught:
    read(kind, ['a'], tmp_path, lambda text: 2 * text.encode())
  assert str(caught.value).count('row ') == 1
  path = tmp_path / 'clips.tsv'
  path.write_text('clip_id\tx\na_0\t1\nclip_id\tx\n')
  with pytest.raises(LabelError, match='once more'):
    clip_list.read_clip_list(path)


@pytest.mark.parametrize('kind', ['weak', 'explicit', 'strong', 'files'])
def test_ids_may_begin_with_the_mark_of_comments(kind, tmp_path):
  assert list(read(kind, ['a', '#c'], tmp_path)) == named(kind, ['a', '#c'])


def test_comments_among_the_rows_of_a_tsv_are_named(tmp_path):
  path = tmp_path / 'explicit.tsv'
  path.write_text(f'# above\n{EXPLICIT}# below\na\t/m/a\tPRESENT\n#x\n')
  with pytest.raises(LabelError) as caught:
    explicit_ids(path)
  assert str(caught.value).count("begins with '#'") == 2


def test_decimal_commas_in_durations(tmp_path):
  path = tmp_path / 'durations.csv'
  path.write_text('filename;duration\na.wav;10,5\nb.wav;9.25\n')
  assert segments.read_weak_csv(path).clips['end'].tolist() == [10.5, 9.25]


@pytest.mark.parametrize(
  'text',
  [
    '# h\n0.000, 10.000, aaa, "/m/1"\n20.000, 30.000, bbb, "/m/1"\n',
    '# h\naaa, "/m/1", 0.000, 10.000\nbbb, "/m/1", 10.000, 20.000\n',
    'start_seconds,end_seconds,YTID,labels\n0.0,10.0,aaa,/m/1\n',
  ],
)
def test_columns_in_another_order_are_one_error(text, tmp_path):
  path = tmp_path / 'weak.csv'
  path.write_text(text)
  with pytest.raises(LabelError, match='none of its 2 rows has times') as caught:
    weak_ids(path)
  assert '\n' not in str(caught.value)
  with pytest.raises(LabelError, match='holds no clips'):
    segments.read_weak_csv(path, wrong_rows=WrongRows(skip=True))


def test_both_times_of_a_row_are_one_fault(tmp_path):
  with pytest.raises(LabelError) as caught:
    read('weak', ['a', 'b, x, y, "/m/a"\nc'], tmp_path)
  assert str(caught.value).count('is no time') == 1


@pytest.mark.parametrize('word', ['PRESENT', 'NOT_PRESENT'])
@pytest.mark.parametrize('order', [1, -1])
def test_who_could_tell_is_believed_whichever_file_comes_first(word, order, tmp_path):
  ClassMap(('/m/a', '/m/b'), ('A', 'B')).write(tmp_path / 'map.csv')
  (tmp_path / 'weak.csv').write_text(WEAK + 'x, 0.000, 10.000, "/m/b"\n')
  for name, said in (('one', word), ('two', 'UNSURE')):
    (tmp_path / name).write_text(f'{EXPLICIT}x_0\t/m/a\t{said}\n')
  files = LabelFiles(
    class_map=str(tmp_path / 'map.csv'),
    segments_csvs=(str(tmp_path / 'weak.csv'),),
    explicit_tsvs=tuple(str(tmp_path / name) for name in ('one', 'two')[::order]),
  )
  joined = read_labels(files)
  assert joined.labels.clip(0).weak[0] == (
    LabelState.EXPLICIT_POSITIVE if word == 'PRESENT' else LabelState.EXPLICIT_NEGATIVE
  )
  assert joined.counts['unsure_labels_decided'] == 1


@pytest.mark.parametrize('said', ['UNSURE PRESENT', 'PRESENT UNSURE'])
def test_who_could_tell_is_believed_in_one_file_too(said, tmp_path):
  ClassMap(('/m/a',), ('A',)).write(tmp_path / 'map.csv')
  (tmp_path / 'weak.csv').write_text(WEAK + 'x, 0.000, 10.000, ""\n')
  rows = ''.join(f'x_0\t/m/a\t{word}\n' for word in said.split())
  (tmp_path / 'explicit.tsv').write_text(EXPLICIT + rows)
  paths = (str(tmp_path / name) for name in ('map.csv', 'weak.csv', 'explicit.tsv'))
  class_map, weak, explicit = paths
  joined = read_labels(LabelFiles(class_map, (weak,), (explicit,)))
  assert joined.labels.clip(0).weak == {0: LabelState.EXPLICIT_POSITIVE}
  assert joined.counts['unsure_labels_decided'] == 1
