import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audioset_ml.errors import LabelError
from audioset_ml.labels import formats
from audioset_ml.labels.class_map import ClassMap

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
  table = formats.read_weak_csv(shared_data(f'audioset/{name}.csv'), class_map)
  assert table['clip_id'].nunique() == clips
  assert len(table) == positives
  assert table['mid'].nunique() == 527


def test_official_strong_labels_are_read(shared_data):
  path = shared_data('audioset_strong/audioset_eval_strong_subset.tsv')
  table = formats.read_strong_tsv(path)
  assert len(table) == 408
  assert table['segment_id'].nunique() == 133
  assert table.iloc[0].tolist() == ['06rCpqwkcDw_10000', 0.0, 1.195, '/m/01d3sd']


def test_weak_csv_gives_one_row_a_label(tmp_path):
  path = tmp_path / 'segments.csv'
  path.write_text(HEADER + '--PJHxphWEs, 30.000, 40.000, "/m/a,/m/b"\nx_1, 0, 9, /m/b')
  table = formats.read_weak_csv(path, CLASS_MAP)
  assert table.values.tolist() == [
    ['--PJHxphWEs_30000', '/m/a'],
    ['--PJHxphWEs_30000', '/m/b'],
    ['x_1_0', '/m/b'],
  ]


@pytest.mark.parametrize(
  ('row', 'message'),
  [
    ('abc, 0, 10', 'row 4: 3 columns'),
    ('abc, 0, ten, "/m/a"', "row 4: could not convert string to float: 'ten'"),
    ('abc, 10, 0, "/m/a"', 'row 4: ends at 0.0 s'),
    ('abc, nan, 10, "/m/a"', "row 4: 'nan' is no time"),
    ('abc, 0, 10, ""', 'row 4: an empty id or label'),
    ('abc, 0, 10, "/m/c"', 'row 4: label /m/c is not in the class map'),
    ('abc, 0, 10, "/m/a"\nabc, 0, 10, "/m/b"', 'row 5: abc_0 stands in row 4'),
  ],
)
def test_a_wrong_weak_row_is_named(tmp_path, row, message):
  path = tmp_path / 'segments.csv'
  path.write_text(HEADER + row + '\n')
  with pytest.raises(LabelError, match=message) as error:
    formats.read_weak_csv(path, CLASS_MAP)
  assert str(path) in str(error.value)


def test_many_wrong_rows_are_counted_and_ten_shown(tmp_path):
  path = tmp_path / 'segments.csv'
  rows = ''.join(f'clip{i}, 0, 10, "/m/unknown"\n' for i in range(25))
  path.write_text(HEADER + rows)
  with pytest.raises(LabelError) as error:
    formats.read_weak_csv(path, CLASS_MAP)
  lines = str(error.value).splitlines()
  assert '25 wrong rows' in lines[0]
  assert len(lines) == 12
  assert lines[-1].strip() == '… and 15 more'


def test_a_weak_csv_without_clips_is_an_error(tmp_path):
  (tmp_path / 'segments.csv').write_text(HEADER)
  with pytest.raises(LabelError, match='no clips'):
    formats.read_weak_csv(tmp_path / 'segments.csv')


@pytest.mark.parametrize(
  ('row', 'message'),
  [
    ('abc_0\t2.0\t1.0\t/m/a', 'row 2: ends at 1.0 before it starts'),
    ('abc_0\t0.0\tinf\t/m/a', "row 2: 'inf' is no time"),
    ('abc_0\t-1\t1.0\t/m/a', "row 2: '-1' is no time"),
    ('abc_0\t0.0\t1.0', 'row 2: 3 columns'),
    ('abc_0\t0.0\t1.0\t/m/z', 'row 2: label /m/z is not in the class map'),
  ],
)
def test_a_wrong_strong_row_is_named(tmp_path, row, message):
  path = tmp_path / 'strong.tsv'
  path.write_text('\t'.join(formats.STRONG_COLUMNS) + '\n' + row + '\n')
  with pytest.raises(LabelError, match=message):
    formats.read_strong_tsv(path, CLASS_MAP)


def test_explicit_labels_are_present_or_not(tmp_path):
  path = tmp_path / 'explicit.tsv'
  path.write_text('segment_id\tlabel\tpresent\nabc_0\t/m/a\tMAYBE\n')
  with pytest.raises(LabelError, match="row 2: 'MAYBE' is neither"):
    formats.read_explicit_tsv(path)
  path.write_text('segment_id\tlabel\n')
  with pytest.raises(LabelError, match='must name the columns'):
    formats.read_explicit_tsv(path)


def test_framed_labels_are_not_taken_for_labels_of_clips(shared_data):
  path = shared_data('audioset_strong/audioset_eval_strong_framed_posneg_subset.tsv')
  with pytest.raises(LabelError, match='its labels have times'):
    formats.read_explicit_tsv(path)


_IDS = st.text('abcXYZ019-_', min_size=11, max_size=11)
_CLIPS = st.dictionaries(
  st.tuples(_IDS, st.integers(0, 10**7)).map(lambda pair: f'{pair[0]}_{pair[1]}'),
  st.lists(st.sampled_from(['/m/a', '/m/b', '/t/dd00001']), min_size=1, unique=True),
  min_size=1,
  max_size=8,
)


@given(clips=_CLIPS)
def test_written_weak_labels_read_the_same(tmp_path_factory, clips):
  path = tmp_path_factory.mktemp('weak') / 'segments.csv'
  formats.write_weak_csv(path, list(clips), list(clips.values()))
  table = formats.read_weak_csv(path)
  read = table.groupby('clip_id', sort=False)['mid'].apply(list).to_dict()
  assert read == clips
  header = path.read_text().splitlines()[:3]
  assert all(line.startswith('# ') for line in header)
  assert f'num_segs={len(clips)}' in header[1]


def test_written_strong_and_explicit_labels_read_the_same(tmp_path):
  strong = pd.DataFrame(
    [('abc_0', 0.0, 1.195, '/m/a'), ('abc_0', 2.5, 10.0, '/m/b')],
    columns=formats.STRONG_COLUMNS,
  )
  explicit = pd.DataFrame(
    [('abc_0', '/m/a', 'PRESENT'), ('abc_0', '/m/b', 'NOT_PRESENT')],
    columns=formats.EXPLICIT_COLUMNS,
  )
  formats.write_strong_tsv(tmp_path / 'strong.tsv', strong)
  formats.write_explicit_tsv(tmp_path / 'explicit.tsv', explicit)
  assert formats.read_strong_tsv(tmp_path / 'strong.tsv').equals(
    strong.astype({'segment_id': object, 'label': object})
  )
  assert (
    formats.read_explicit_tsv(tmp_path / 'explicit.tsv').values.tolist()
    == explicit.values.tolist()
  )
