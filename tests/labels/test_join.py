import dataclasses

import pandas as pd
import pytest

from audioset_ml.core.errors import InputError, LabelError
from audioset_ml.labels import formats, segments
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.labels.clip_labels import StrongEvent, count_classes, count_states
from audioset_ml.labels.join import read_labels
from audioset_ml.labels.label_files import LabelFiles
from audioset_ml.labels.states import LabelState

pytestmark = pytest.mark.few

CLASS_MAP = ClassMap(mids=('/m/a', '/m/b', '/m/c'), names=('A', 'B', 'C'))


@pytest.fixture
def write_files(tmp_path):
  """Writes label files of two clips, ten seconds each, and names them."""

  def write(explicit=(), strong=(), framed=(), **options) -> LabelFiles:
    CLASS_MAP.write(tmp_path / 'classes.csv')
    segments.write_weak_csv(
      tmp_path / 'weak.csv', ['two_0', 'one_0'], [['/m/b'], ['/m/a']]
    )
    tables = {
      'explicit': (formats.write_explicit_tsv, explicit, formats.EXPLICIT_COLUMNS),
      'strong': (formats.write_strong_tsv, strong, formats.STRONG_COLUMNS),
      'framed': (formats.write_framed_tsv, framed, formats.FRAMED_COLUMNS),
    }
    for name, (writer, rows, columns) in tables.items():
      writer(tmp_path / f'{name}.tsv', pd.DataFrame(rows, columns=columns))
    return LabelFiles(
      class_map=str(tmp_path / 'classes.csv'),
      segments_csvs=(str(tmp_path / 'weak.csv'),),
      explicit_tsvs=(str(tmp_path / 'explicit.tsv'), str(tmp_path / 'framed.tsv')),
      strong_tsvs=(str(tmp_path / 'strong.tsv'),),
      **options,
    )

  return write


def clips_of(joined):
  return [joined.labels.clip(row) for row in range(len(joined.labels))]


def test_all_files_are_joined_by_clip(write_files):
  joined = read_labels(
    write_files(
      explicit=[('one_0', '/m/a', 'PRESENT'), ('one_0', '/m/c', 'NOT_PRESENT')],
      strong=[('two_0', 3.0, 4.0, '/m/b'), ('two_0', 1.0, 2.0, '/m/c')],
    )
  )
  one, two = clips_of(joined)
  assert (one.clip_id, two.clip_id) == ('one_0', 'two_0')
  assert one.weak == {0: LabelState.EXPLICIT_POSITIVE, 2: LabelState.EXPLICIT_NEGATIVE}
  assert one.strong == ()
  assert two.weak == {1: LabelState.EXPLICIT_POSITIVE}
  assert two.strong == (StrongEvent(2, 1.0, 2.0), StrongEvent(1, 3.0, 4.0))
  assert joined.labels.clips['seconds'].tolist() == [10.0, 10.0]
  assert count_states([one, two]) == {
    'explicit_positives': 2,
    'explicit_negatives': 1,
    'unmarked_labels': 0,
    'unsure_labels': 0,
    'strong_events': 2,
    'refuted_stretches': 0,
    'clips_with_events': 1,
    'complete_clips': 0,
    'complete_clips_without_events': 0,
  }
  assert count_classes([one, two]) == {
    0: [1, 0, 0, 0],
    1: [1, 0, 1, 0],
    2: [0, 1, 1, 0],
  }


def test_labels_with_times_are_stretches_of_the_clip(write_files):
  joined = read_labels(
    write_files(
      strong=[('one_0', 0.1, 0.8, '/m/a')],
      framed=[
        ('one_0', 0.0, 0.96, '/m/a', 'PRESENT'),
        ('one_0', 0.96, 1.92, '/m/a', 'NOT_PRESENT'),
        ('one_0', 0.0, 0.96, '/m/c', 'PRESENT'),
      ],
    )
  )
  # The event itself stands for its PRESENT frame.
  assert clips_of(joined)[0].strong == (
    StrongEvent(2, 0.0, 0.96),
    StrongEvent(0, 0.1, 0.8),
    StrongEvent(0, 0.96, 1.92, present=False),
  )


def test_labels_of_other_clips_are_counted_not_kept(write_files):
  joined = read_labels(
    write_files(
      explicit=[('other_0', '/m/a', 'PRESENT')],
      strong=[('other_0', 0.0, 1.0, '/m/a')],
    )
  )
  assert len(joined.labels) == 2
  assert joined.counts['labels_of_other_clips'] == 2


def test_two_opinions_on_one_label_are_an_error_or_the_first_counts(write_files):
  files = write_files(explicit=[('one_0', '/m/a', 'NOT_PRESENT')])
  with pytest.raises(LabelError, match='/m/a is NOT_PRESENT in one_0, but another'):
    read_labels(files)
  files = write_files(explicit=[('one_0', '/m/a', 'NOT_PRESENT')], skip_bad_labels=True)
  joined = read_labels(files)
  assert clips_of(joined)[0].weak == {0: LabelState.EXPLICIT_POSITIVE}
  assert joined.counts['labels_skipped_as_wrong'] == 1
  assert joined.wrong_rows[0].path.endswith('explicit.tsv')
  assert joined.wrong_rows[0].row == 2


def test_labels_may_stand_by_the_names_of_classes(write_files, tmp_path):
  """Names with commas, too; what is neither names its nearest."""
  files = write_files(
    explicit=[('one_0', 'Dog, barking', 'NOT_PRESENT')],
    strong=[('one_0', 0.0, 1.0, 'hum')],
    framed=[('two_0', 0.0, 0.96, 'Dog, barking', 'NOT_PRESENT')],
  )
  names = ClassMap(('/m/a', '/m/b', '/m/c'), ('Hum', 'Dog, barking', 'Dog'))
  names.write(files.class_map)
  path = tmp_path / 'weak.csv'

  def rows(two):
    path.write_text(f'one, 0, 10, "Hum, /m/c"\ntwo, 0, 10, "{two}"\n')

  rows('Dog, Dog, barking,/m/a')
  one, two = clips_of(read_labels(files))
  assert set(one.weak) == {0, 1, 2}
  assert one.strong == (StrongEvent(0, 0.0, 1.0),)
  assert set(two.weak) == {0, 1, 2}
  assert two.strong == (StrongEvent(1, 0.0, 0.96, present=False),)
  rows('Dogg')
  with pytest.raises(
    LabelError, match='label Dogg is not in the class map; do you mean'
  ):
    read_labels(files)
  rows('/m/d')
  with pytest.raises(LabelError, match=r'/m/d is not in the class map\n'):
    read_labels(files)


def test_clips_that_lose_all_their_labels_are_counted(write_files, tmp_path):
  files = write_files(skip_bad_labels=True)
  path = tmp_path / 'more.csv'
  rows = ('bare, 0, 2, "/m/unknown,/m/other"', 'part, 0, 2, "/m/a,/m/unknown"')
  path.write_text('\n'.join([*rows, 'empty, 0, 2, ""', '']))
  files = dataclasses.replace(files, segments_csvs=(*files.segments_csvs, str(path)))
  counts = read_labels(files).counts
  assert counts['labels_skipped_as_wrong'] == 3
  assert counts['clips_left_without_labels'] == 1
  explicit = write_files(explicit=[('bare_0', '/m/a', 'NOT_PRESENT')]).explicit_tsvs
  counts = read_labels(dataclasses.replace(files, explicit_tsvs=explicit)).counts
  assert counts['clips_left_without_labels'] == 0


def test_what_a_person_was_unsure_of_gives_way_to_what_others_decided(write_files):
  explicit = [(f'{clip}_0', f'/m/{mid}', 'UNSURE') for clip, mid in UNSURE]
  joined = read_labels(
    write_files(
      explicit=[*explicit, ('other_0', '/m/a', 'UNSURE')],
      strong=[('two_0', 3.0, 4.0, '/m/c')],
      framed=[
        ('one_0', round(0.96 * i, 2), round(0.96 * (i + 1), 2), '/m/b', 'NOT_PRESENT')
        for i in range(10)
      ],
    )
  )
  one, two = clips_of(joined)
  # The segments CSV says that A is in it; all frames lack B; of C nobody knows.
  assert one.weak == {
    0: LabelState.EXPLICIT_POSITIVE,
    1: LabelState.EXPLICIT_NEGATIVE,
    2: LabelState.UNSURE,
  }
  assert two.weak == {1: LabelState.EXPLICIT_POSITIVE, 2: LabelState.UNSURE}
  assert joined.counts['unsure_labels_decided'] == 2
  assert joined.counts['labels_of_other_clips'] == 1
  states = count_states([one, two])
  assert (states['unsure_labels'], states['explicit_negatives']) == (2, 1)
  assert count_classes([one, two]) == {
    0: [1, 0, 0, 0],
    1: [1, 1, 0, 1],
    2: [0, 0, 1, 0],
  }


UNSURE = [('one', 'a'), ('one', 'b'), ('one', 'c'), ('two', 'c')]


@pytest.mark.parametrize('weak_labels', ['events', 'both'])
def test_an_event_decides_where_a_person_was_unsure(write_files, weak_labels):
  explicit = [('one_0', '/m/c', 'UNSURE'), ('two_0', '/m/c', 'UNSURE')]
  strong = [('two_0', 3.0, 4.0, '/m/c')]
  joined = read_labels(
    write_files(explicit=explicit, strong=strong, weak_labels=weak_labels)
  )
  one, two = clips_of(joined)
  assert one.weak[2] == LabelState.UNSURE
  assert two.weak[2] == LabelState.EXPLICIT_POSITIVE
  assert joined.counts['labels_of_events'] == 1
  assert joined.counts['unsure_labels_decided'] == 1


def test_what_a_person_was_unsure_of_is_not_unmarked(write_files):
  """Who was asked by name says more than who left it out."""
  strong = [('one_0', 3.0, 4.0, '/m/a'), ('two_0', 3.0, 4.0, '/m/c')]
  explicit = [('one_0', '/m/c', 'UNSURE')]
  files = write_files(explicit=explicit, strong=strong, complete_strong=True)
  one, two = clips_of(read_labels(files))
  assert one.weak[2] == LabelState.UNSURE
  assert 2 not in one.explicit_negatives
  assert 0 in two.explicit_negatives


def test_an_event_outside_its_clip_is_wrong(write_files):
  with pytest.raises(
    LabelError, match=r'row 2: ends at 11\.0 s, but one_0 is only 10 s'
  ):
    read_labels(write_files(strong=[('one_0', 9.0, 11.0, '/m/a')]))


_ONTOLOGY = """[
  {"id": "/m/a", "name": "A", "child_ids": ["/m/x", "/m/y"]},
  {"id": "/m/b", "name": "B", "child_ids": ["/m/y"]},
  {"id": "/m/x", "name": "X", "child_ids": ["/m/z"]},
  {"id": "/m/y", "name": "Y", "child_ids": []},
  {"id": "/m/z", "name": "Z", "child_ids": []},
  {"id": "/m/w", "name": "W", "child_ids": []}
]"""


@pytest.mark.parametrize(
  ('policy', 'classes', 'kept', 'mapped', 'dropped'),
  [
    ('drop', [[0]], 0, 0, 4),
    ('nearest', [[0, 0], [0, 1]], 0, 2, 2),
    ('keep', [[0, 3, 3], [4]], 3, 0, 1),
  ],
)
def test_strong_labels_that_are_no_classes(
  write_files, tmp_path, policy, classes, kept, mapped, dropped
):
  (tmp_path / 'ontology.json').write_text(_ONTOLOGY)
  (tmp_path / 'names.tsv').write_text('/m/a\tA\n/m/z\tZ\n/m/y\tY\n')
  joined = read_labels(
    write_files(
      strong=[
        ('one_0', 0.0, 1.0, '/m/a'),
        ('one_0', 0.0, 2.0, '/m/z'),  # in A by way of X
        ('two_0', 0.0, 1.0, '/m/y'),  # in A and in B
        ('two_0', 0.0, 1.0, '/m/w'),
      ],
      framed=[('one_0', 1.0, 2.0, '/m/z', 'NOT_PRESENT')],
      other_strong_labels=policy,
      ontology=str(tmp_path / 'ontology.json'),
      strong_names=str(tmp_path / 'names.tsv'),
    )
  )
  found = [sorted(e.class_index for e in clip.strong) for clip in clips_of(joined)]
  assert [one for one in found if one] == classes
  assert joined.counts['other_strong_labels'] == 4
  assert joined.counts['other_strong_labels_kept'] == kept
  assert joined.counts['other_strong_labels_mapped'] == mapped
  assert joined.counts['other_strong_labels_dropped'] == dropped
  assert joined.class_map.mids[3:] == (('/m/z', '/m/y') if policy == 'keep' else ())


def test_a_strong_label_that_no_file_knows_is_wrong(write_files, tmp_path):
  (tmp_path / 'ontology.json').write_text(_ONTOLOGY)
  options = {'ontology': str(tmp_path / 'ontology.json')}
  strong = [('one_0', 0.0, 1.0, 'Speech'), ('one_0', 0.0, 1.0, '/m/z')]
  with pytest.raises(LabelError, match='row 2: label Speech is not in the class map'):
    read_labels(write_files(strong=strong, **options))
  joined = read_labels(write_files(strong=strong, **options, skip_bad_labels=True))
  assert joined.counts['other_strong_labels'] == 1
  assert joined.others.loc['/m/z'].to_dict() == {
    'all': 1,
    'kept': 0,
    'mapped': 0,
    'dropped': 1,
  }


def test_a_kept_class_can_have_explicit_labels(write_files, tmp_path):
  (tmp_path / 'names.tsv').write_text('/m/z\tZ\n')
  joined = read_labels(
    write_files(
      explicit=[('one_0', '/m/z', 'NOT_PRESENT')],
      other_strong_labels='keep',
      strong_names=str(tmp_path / 'names.tsv'),
    )
  )
  assert clips_of(joined)[0].weak[3] == LabelState.EXPLICIT_NEGATIVE


@pytest.mark.parametrize(('seconds', 'wrong'), [(10.0, 0), (2.0, 1)])
def test_a_clip_may_stand_in_two_files_with_the_same_times(
  write_files, tmp_path, seconds, wrong
):
  files = write_files()
  more = tmp_path / 'more.csv'
  segments.write_weak_csv(more, ['one_0'], [['/m/c']], seconds)
  files = dataclasses.replace(
    files, segments_csvs=(*files.segments_csvs, str(more)), skip_bad_labels=True
  )
  joined = read_labels(files)
  assert joined.counts['clips_in_several_files'] == 1
  assert joined.labels.clips['seconds'].tolist() == [10.0, 10.0]
  assert [(one.path, one.row) for one in joined.wrong_rows] == [(str(more), 4)] * wrong


def test_faults_of_several_files_are_told_apart(write_files, tmp_path):
  files = write_files(explicit=[('one_0', '/m/a', 'NOT_PRESENT')])
  second = tmp_path / 'second.tsv'
  rows = [('two_0', '/m/c', 'PRESENT'), ('two_0', '/m/b', 'NOT_PRESENT')]
  table = pd.DataFrame(rows, columns=formats.EXPLICIT_COLUMNS)
  formats.write_explicit_tsv(second, table)
  files = dataclasses.replace(
    files, explicit_tsvs=(files.explicit_tsvs[0], str(second))
  )
  with pytest.raises(LabelError) as error:
    read_labels(files)
  lines = str(error.value).splitlines()
  assert lines[0] == f'{files.explicit_tsvs[0]}: 1 wrong row'
  assert lines[2] == f'{second}: 1 wrong row'
  assert lines[3].startswith('  row 3: says that /m/b is NOT_PRESENT')


@pytest.mark.parametrize(
  ('options', 'message'),
  [
    ({'segments_csvs': ()}, 'no segments CSV'),
    ({'other_strong_labels': 'nearest'}, 'needs ontology'),
    ({'other_strong_labels': 'keep'}, 'needs strong_names'),
    ({'other_strong_labels': 'burn'}, "'burn': choose from drop, nearest, keep"),
  ],
)
def test_wrong_settings_are_refused(options, message):
  with pytest.raises(InputError, match=message):
    LabelFiles(**{'class_map': 'a', 'segments_csvs': ('b',), **options})


def test_all_official_files_are_read_together(shared_data):
  """SL21: the three strong labels of the subset are classes; so are their ancestors."""
  folder = shared_data('audioset')
  strong = shared_data('audioset_strong')
  joined = read_labels(
    LabelFiles(
      class_map=str(folder / 'class_labels_indices.csv'),
      segments_csvs=(str(folder / 'eval_segments.csv'),),
      explicit_tsvs=(str(strong / 'audioset_eval_strong_framed_posneg_subset.tsv'),),
      strong_tsvs=(str(strong / 'audioset_eval_strong_subset.tsv'),),
      other_strong_labels='keep',
      strong_names=str(strong / 'mid_to_display_name.tsv'),
    )
  )
  assert len(joined.labels) == 20_371
  assert len(joined.class_map) == 527 + 74
  assert len(joined.labels.weak) == 51_804
  assert len(joined.labels.strong) == 408
