"""Tables of recordings: our own form, ESC-50's and FSD50K's."""

import pytest

from audioset_ml.core.errors import InputError
from audioset_ml.finetuning.sound_table import read_table


def write(path, *rows):
  path.parent.mkdir(parents=True, exist_ok=True)
  path.write_text('\n'.join(rows) + '\n')
  return path


def touch(folder, *names):
  for name in names:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(b'sound')


@pytest.fixture
def table(tmp_path):
  touch(tmp_path, 'a.wav', 'sub/b.ogg', 'c.flac', 'notes.txt')
  return tmp_path / 'labels.csv'


def test_a_row_is_a_label_and_says_whether_it_is_there(table):
  rows = ['a.wav,dog,present,day1', 'a.wav,cat,absent,day1', 'a.wav,owl,unsure,day1']
  write(table, 'file,label,present,group', *rows, 'sub/b,dog,1,day2', 'c,cat,yes,day2')
  found = read_table(table)
  first = found.recordings[0]
  assert (first.labels, first.absent, first.unsure) == (('dog',), ('cat',), ('owl',))
  assert [one.name for one in found.recordings] == ['a.wav', 'sub/b.ogg', 'c.flac']
  assert [one.group for one in found.recordings] == ['day1', 'day2', 'day2']


@pytest.mark.parametrize('separator', [';', '\t'])
def test_spreadsheets_separate_otherwise(table, separator):
  rows = [separator.join(row) for row in (('file', 'label'), ('a.wav', 'Rain, hail'))]
  table.write_text('\ufeff' + '\r\n'.join(rows), encoding='utf-8')
  assert read_table(table).recordings[0].labels == ('Rain, hail',)


def test_esc50_is_read_as_it_is(tmp_path):
  head = 'filename,fold,target,category,esc10,src_file,take'
  touch(tmp_path / 'audio', '1-100032-A-0.wav', '1-17-B-1.wav')
  rows = ['1-100032-A-0.wav,1,0,dog,True,100032,A', '1-17-B-1.wav,2,1,hen,False,17,B']
  found = read_table(write(tmp_path / 'meta/esc50.csv', head, *rows))
  assert [(r.labels, r.fold, r.group) for r in found.recordings] == [
    (('dog',), '1', '100032'),
    (('hen',), '2', '17'),
  ]
  assert all(one.path.is_file() for one in found.recordings)


def test_fsd50k_is_read_as_it_is(tmp_path):
  """Its labels are several in a cell, with their mids, and its names lack endings."""
  touch(tmp_path / 'FSD50K.dev_audio', '64760.wav', '16399.wav')
  rows = [
    'fname,labels,mids,split',
    '64760,"Electric_guitar,Guitar,Music","/m/02sgy,/m/0342h,/m/04rlf",train',
    '16399,"Music","/m/04rlf",val',
  ]
  table = write(tmp_path / 'FSD50K.ground_truth/dev.csv', *rows)
  with pytest.raises(InputError, match='say with --audio_dir'):
    read_table(table)
  found = read_table(table, str(tmp_path / 'FSD50K.dev_audio'))
  assert found.recordings[0].labels == ('Electric_guitar', 'Guitar', 'Music')
  assert found.mids['Guitar'] == '/m/0342h'
  assert [one.fold for one in found.recordings] == ['train', 'val']


@pytest.mark.parametrize(
  ('rows', 'said'),
  [
    (['file,label', 'a.wav,hum', 'gone.wav,hum'], 'row 3: no file'),
    (['file,label', 'a.wav,hum', 'notes.txt,hum'], 'row 3: the ending of notes.txt'),
    (['name,label', 'a.wav,hum'], 'first row must name the columns file and label'),
    (['file,label,labels', 'a.wav,hum,hum'], 'first row must name'),
    (['file,label,loudness', 'a.wav,hum,3'], 'has unknown columns (loudness)'),
    (
      ['file,label,fold,split', 'a.wav,hum,1,val'],
      "several columns of the kind 'fold'",
    ),
    (['file,label', 'a.wav'], 'row 2: needs 2 cells'),
    (['file,label', 'a.wav,hum,1'], 'row 2: needs 2 cells'),
    (['file,label', 'a.wav,'], 'row 2: needs 2 cells, none empty'),
    (['file,label', 'a.wav,"hum', 'c,hum'], 'row 2: unexpected end of data'),
    (['file,label', 'a.wav,hum\x1b[2J'], r'row 2: holds the control character \x1b'),
    (['file,label', 'a.wav,hum', './a.wav,hum'], "row 3: a.wav has the label 'hum'"),
    (
      ['file,label,group', 'a.wav,hum,x', 'a.wav,buzz,y'],
      'row 3: a.wav has another group',
    ),
    (
      ['file,label,present', 'a.wav,hum,1', 'a.wav,hum,0'],
      "row 3: a.wav: what a row above says of 'hum' is something else",
    ),
    (['file,label,present', 'a.wav,hum,maybe'], "row 2: present is 'maybe'"),
    (['file,labels,mids', 'a.wav,"x,y",/m/1'], 'row 2: its labels are not one by one'),
    (
      ['file,labels,mids', 'a.wav,x,/m/1', 'c.flac,x,/m/2'],
      "row 3: the mid of 'x' is /m/2, but /m/1 above",
    ),
    (['file,label'], 'lists no files'),
    ([''], 'first row must name'),
  ],
)
def test_wrong_rows_are_named(table, rows, said):
  with pytest.raises(InputError) as error:
    read_table(write(table, *rows))
  assert str(error.value).startswith(f'{table}')
  assert said in str(error.value)


def test_what_is_no_text_is_an_error(table):
  table.write_bytes(b'file,label\n\xff\xfe,x\n')
  with pytest.raises(InputError, match='cannot be read'):
    read_table(table)


@pytest.mark.parametrize('coding', ['utf-16', 'utf-16-le'])
def test_tables_in_utf_16(table, coding):
  table.write_bytes('file,label\na.wav,Möwe\nc.flac,dog\n'.encode(coding))
  assert read_table(table).recordings[0].labels == ('Möwe',)


def test_a_table_that_tells_spreadsheets_its_separator(table):
  write(table, 'sep=;', 'file;label', 'a.wav;dog')
  assert read_table(table).recordings[0].labels == ('dog',)


@pytest.mark.parametrize('cell', ['#NAME?', '#REF!', 'Err:508'])
def test_errors_of_spreadsheets_are_no_labels(table, cell):
  write(table, 'file,label', f'a.wav,{cell}', 'c.flac,dog')
  with pytest.raises(InputError, match=r'row 2: .* is an error of a spreadsheet'):
    read_table(table)
