"""Label files of other data sets, whose rows name sound files."""

import csv
import io

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audioset_ml.core.errors import LabelError
from audioset_ml.labels import formats, segments
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.labels.clip_list import read_clip_list
from audioset_ml.labels.file_forms import FileForm, id_of_file
from audioset_ml.labels.join import read_labels
from audioset_ml.labels.label_files import LabelFiles
from audioset_ml.labels.unmarked import unpack
from audioset_ml.labels.wrong_rows import WrongRows

CLASS_MAP = ClassMap(
  ('/m/bark', '/m/boat', '/m/speech', '/m/birds'),
  ('Dog', 'Boat, Water vehicle', 'Male speech, man speaking', 'Chirping birds'),
)
ESC_50 = """filename,fold,target,category,esc10,src_file,take
1-100032-A-0.wav,1,0,dog,True,100032,A
1-100038-A-14.wav,1,14,chirping_birds,False,100038,A
"""
FSD50K = """fname,labels,mids,split
64760,"Dog,Boat_and_Water_vehicle","/m/bark,/m/boat",train
16399,Dog,/m/bark,val
"""
DESED_WEAK = """filename\tevent_labels
Y-0_QK1c7sFk_70.000_80.000.wav\tDog,Male_speech_and_man_speaking
Y_5Y0_Ql0zI_0.000_10.000.wav\t
"""
DESED_STRONG = """filename\tonset\toffset\tevent_label
a_10.000_20.000.wav\t0.500\t1.250\tDog
a_10.000_20.000.wav\t2\t3.5\tMale_speech_and_man_speaking
b.wav\t\t\t
"""


def weak_of(path, text, class_map=CLASS_MAP, encoding='utf-8'):
  path.write_bytes(text.encode(encoding))
  read = segments.read_weak_csv(path, class_map)
  labels = {clip_id: [] for clip_id in read.clips['clip_id']}
  for clip_id, mid in read.labels.itertuples(index=False):
    labels[clip_id].append(mid)
  return labels


@pytest.mark.parametrize(
  ('text', 'expected'),
  [
    (ESC_50, {'1-100032-A-0': ['/m/bark'], '1-100038-A-14': ['/m/birds']}),
    (FSD50K, {'64760': ['/m/bark', '/m/boat'], '16399': ['/m/bark']}),
    (
      DESED_WEAK,
      {
        'Y-0_QK1c7sFk_70.000_80.000': ['/m/bark', '/m/speech'],
        'Y_5Y0_Ql0zI_0.000_10.000': [],
      },
    ),
    (DESED_STRONG, {'a_10.000_20.000': ['/m/bark', '/m/speech'], 'b': []}),
    ('filename\tduration\na.wav\t10.0\nb.wav\t9.5\n', {'a': [], 'b': []}),
    ('fname,label,manually_verified\n00.wav,Dog,1\n', {'00': ['/m/bark']}),
    ('filename;category;;\na.wav;Dog;;\n', {'a': ['/m/bark']}),
    # Without times in the place where a segments CSV has them.
    (
      'slice_file_name,fsID,start,end,class\n7-3.wav,7,0.1,4,dog\n',
      {'7-3': ['/m/bark']},
    ),
    # Of mids that the class map lacks, what the names say counts.
    ('fname,labels,mids\n1,"Dog,Dog","/m/x,/m/bark"\n', {'1': ['/m/bark']}),
    ('fname,labels,mids\n1,"Dog,Boat, Water",/m/boat\n', {'1': ['/m/boat']}),
  ],
)
def test_weak_forms_are_known_by_their_header(tmp_path, text, expected):
  assert weak_of(tmp_path / 'weak', text) == expected


@pytest.mark.parametrize(
  'change',
  [
    lambda text: text.replace('\n', '\r\n'),
    lambda text: text.replace(',', ';'),
    lambda text: text.replace(',', '\t'),
    lambda text: '# of ESC-50\n\n' + text,
    lambda text: text.upper().replace('TRUE', 'True'),
    lambda text: '\n'.join(f'{i - 1 if i else ""},{one}' for i, one in table(text)),
    lambda text: '\n'.join(
      ','.join(f'"{x}"' for x in one.split(',')) for _, one in table(text)
    ),
  ],
  ids=['dos', 'semicolons', 'tabs', 'comment', 'capitals', 'index', 'quotes'],
)
@pytest.mark.parametrize('encoding', ['utf-8-sig', 'utf-16'])
def test_spreadsheets_forms_of_them_are_read_alike(tmp_path, change, encoding):
  found = weak_of(tmp_path / 'weak.csv', change(ESC_50), encoding=encoding)
  assert {name.upper(): mids for name, mids in found.items()} == {
    '1-100032-A-0': ['/m/bark'],
    '1-100038-A-14': ['/m/birds'],
  }


def table(text):
  return list(enumerate(text.splitlines()))


def test_a_clip_is_the_whole_file_whose_length_only_the_sound_tells(tmp_path):
  (tmp_path / 'esc50.csv').write_text(ESC_50)
  clips = segments.read_weak_csv(tmp_path / 'esc50.csv', CLASS_MAP).clips
  assert clips['start'].tolist() == [0.0, 0.0]
  assert clips['end'].isna().all()
  assert clips.index.tolist() == [2, 3]
  (tmp_path / 'seconds.tsv').write_text('filename\tduration\n1-100032-A-0.wav\t5.0\n')
  CLASS_MAP.write(tmp_path / 'classes.csv')
  paths = tuple(str(tmp_path / name) for name in ('esc50.csv', 'seconds.tsv'))
  joined = read_labels(LabelFiles(str(tmp_path / 'classes.csv'), paths))
  assert joined.labels.clips.set_index('clip_id')['seconds'].dropna().to_dict() == {
    '1-100032-A-0': 5.0
  }
  assert joined.counts['clips_in_several_files'] == 1
  assert len(joined.labels.weak) == 2


@pytest.mark.parametrize(
  ('name', 'clip_id'),
  [
    ('1-100032-A-0.wav', '1-100032-A-0'),
    ('folder/a.b.MP3', 'a.b'),
    ('folder\\a.3gp', 'a'),
    ('Yx_70.000_80.000.wav', 'Yx_70.000_80.000'),
    ('Yx_70.000_80.000', 'Yx_70.000_80.000'),
    ('64760', '64760'),
    ('cafe\u0301.flac', 'caf\u00e9'),
  ],
)
def test_the_id_is_the_files_name_without_its_ending(name, clip_id):
  assert id_of_file(name) == clip_id


@pytest.mark.parametrize(
  ('text', 'message'),
  [
    (ESC_50.replace('chirping', 'chirpin'), 'row 3: .*do you mean Chirping birds'),
    (FSD50K.replace('/m/boat', '/m/x').replace('Boat', 'Baot'), 'mean Boat, Water veh'),
    (ESC_50 + 'a.wav,1,0,dog\n', r'row 4: 4 columns instead of 7 \(filename, fold'),
    (ESC_50 + '1-100032-A-0.wav,1,0,dog,True,1,A\n' * 2, None),
    (FSD50K + '16399,Dog,/m/bark,val\n', 'row 4: 16399 stands in row 3 already'),
    (
      ESC_50 + 'x/1-100032-A-0.ogg,1,0,dog,True,1,A\n',
      'row 4: x/1-1.* in row 2: 1-100',
    ),
    (ESC_50 + '#NAME?,1,0,dog,True,1,A\n', 'row 4: .*a spreadsheet has put an error'),
    (ESC_50 + '.wav,1,0,dog,True,1,A\n', 'row 4: an empty filename'),
    (ESC_50 + ',1,0,dog,True,1,A\n', 'row 4: an empty filename'),
    (ESC_50.splitlines()[0], 'names no files'),
    ('filename\tduration\na.wav\tten\n', "row 2: 'ten' is no duration"),
    ('filename\tduration\na.wav\t-1\n', "row 2: '-1' is no duration"),
    ('filename,label,present\na.wav,Dog,NOT_PRESENT\n', 'column present says that a'),
    ('filename,category,confidence\na.wav,Dog,.1\n', 'column confidence says how'),
    ('fname,labels\n1,"Dog,,Dog"\n', "row 2: '' is neither the mid nor the name"),
    ('fname,labels\n1\x1b[2J,Dog\n', r'row 2: the id .* holds the control character'),
  ],
)
def test_wrong_rows_are_named(tmp_path, text, message):
  path = tmp_path / 'weak.csv'
  path.write_text(text)
  if message is None:
    assert segments.read_weak_csv(path, CLASS_MAP).labels['mid'].nunique() == 2
    return
  with pytest.raises(LabelError, match=message):
    segments.read_weak_csv(path, CLASS_MAP)


def test_of_a_wrong_row_only_the_wrong_label_is_left_out(tmp_path):
  path = tmp_path / 'dev.csv'
  path.write_text(FSD50K.replace('/m/boat', '/m/x').replace('Boat', 'Baot'))
  wrong = WrongRows(skip=True)
  read = segments.read_weak_csv(path, CLASS_MAP, wrong)
  assert read.clips['clip_id'].tolist() == ['64760', '16399']
  assert read.labels.values.tolist() == [['64760', '/m/bark'], ['16399', '/m/bark']]
  assert [one.row for one in wrong.found] == [2]


def test_events_of_a_file_by_name(tmp_path):
  path = tmp_path / 'strong.tsv'
  path.write_text(DESED_STRONG)
  found = formats.read_strong_file(path, names=CLASS_MAP)
  assert found.events.values.tolist() == [
    ['a_10.000_20.000', 0.5, 1.25, '/m/bark'],
    ['a_10.000_20.000', 2.0, 3.5, '/m/speech'],
  ]
  assert found.silent.to_dict() == {4: 'b'}
  assert formats.read_strong_tsv(path)['label'].tolist()[0] == 'Dog'
  path.write_text(DESED_STRONG + 'c.wav\t1\t2\tDgo\nc.wav\t1\tx\tDog\n')
  with pytest.raises(LabelError, match='do you mean Dog') as error:
    formats.read_strong_file(path, names=CLASS_MAP)
  assert "row 6: 'x' is no time in seconds" in str(error.value)
  path.write_text(
    DESED_STRONG.replace('.', ',').replace(',wav', '.wav').replace('\t', ';')
  )
  assert formats.read_strong_tsv(path)['end_time_seconds'].tolist() == [1.25, 3.5]


def test_one_file_of_events_says_all_there_is_to_say(tmp_path):
  """Which clips there are, their labels, their events, and that one holds nothing."""
  path = tmp_path / 'strong.tsv'
  path.write_text(DESED_STRONG)
  CLASS_MAP.write(tmp_path / 'classes.csv')
  files = LabelFiles(str(tmp_path / 'classes.csv'), (str(path),), (), (str(path),))
  joined = read_labels(files)
  first, second = joined.labels.clip(0), joined.labels.clip(1)
  assert sorted(first.weak) == [0, 2]
  assert [event.class_index for event in first.strong] == [0, 2]
  assert second.weak == {}
  assert unpack(second.unmarked).tolist() == [0, 2]
  assert joined.counts['silent_clips'] == 1
  # A row that can't be read may be an event of the clip.
  path.write_text(DESED_STRONG + 'b.wav\t1\t2\tDgo\n')
  skipping = LabelFiles(
    str(tmp_path / 'classes.csv'), (str(path),), (), (str(path),), skip_bad_labels=True
  )
  joined = read_labels(skipping)
  assert unpack(joined.labels.clip(1).unmarked).tolist() == []


@pytest.mark.parametrize(
  'text', [ESC_50, 'filename\n' + '1-100032-A-0.wav\n1-100038-A-14.ogg']
)
def test_they_are_lists_of_clips_too(tmp_path, text):
  (tmp_path / 'list').write_text(text)
  assert read_clip_list(tmp_path / 'list') == ('1-100032-A-0', '1-100038-A-14')


def test_a_list_may_hold_a_clip_that_is_named_as_a_column(tmp_path):
  (tmp_path / 'list.txt').write_text('file\nother_0\n')
  assert read_clip_list(tmp_path / 'list.txt') == ('file', 'other_0')
  text = 'file, 0, 10, "/m/bark"\n'
  assert weak_of(tmp_path / 'weak.csv', text) == {'file_0': ['/m/bark']}


@pytest.mark.parametrize(
  'header',
  [
    'YTID,start_seconds,end_seconds,positive_labels',
    'filename,start,end,labels',
    'segment_id\tlabel\tpresent',
    '',
    'clip,labels',
  ],
)
def test_other_files_name_no_files(tmp_path, header):
  form = FileForm.of(header)
  assert form is None or header.startswith('filename,start')
  row = 'a,0,10,"/m/bark"\n'
  if header.startswith(('YTID', 'filename')):
    assert weak_of(tmp_path / 'weak.csv', f'{header}\n{row}') == {'a_0': ['/m/bark']}


def test_fsd50ks_vocabulary_is_a_class_map(tmp_path):
  path = tmp_path / 'vocabulary.csv'
  path.write_text('0,Bark,/m/05tny_\n1,Boat_and_Water_vehicle,/m/019jd\n')
  class_map = ClassMap.read(path)
  assert class_map.mids == ('/m/05tny_', '/m/019jd')
  assert class_map.names == ('Bark', 'Boat_and_Water_vehicle')
  assert class_map.find('boat, water vehicle') == 1
  path.write_text('0,Bark,/m/05tny_\n2,Boat,/m/019jd\n')
  with pytest.raises(LabelError, match='row 2: expected index 1'):
    ClassMap.read(path)


_NAMES = st.text('abc -_.é,"\'', min_size=1, max_size=6).map(lambda text: f'x{text}x')


@given(
  st.dictionaries(_NAMES, st.lists(st.sampled_from(CLASS_MAP.names[:1]), max_size=2)),
  st.sampled_from([',', '\t', ';']),
)
def test_what_pythons_csv_writes_is_read(tmp_path_factory, clips, separator):
  """Whatever is in a name; a name's ending is `.wav`."""
  text = io.StringIO()
  writer = csv.writer(text, delimiter=separator, lineterminator='\n')
  writer.writerow(['filename', 'event_labels'])
  writer.writerows([f'{name}.wav', ','.join(labels)] for name, labels in clips.items())
  path = tmp_path_factory.mktemp('forms') / 'weak'
  if not clips:
    return
  found = weak_of(path, text.getvalue())
  expected = {
    id_of_file(f'{n}.wav'): ['/m/bark'] if c else [] for n, c in clips.items()
  }
  assert found == expected
  assert pd.Series(list(found)).str.startswith('x').all()
