"""Explicit negatives of whole clips that follow from labels with times."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audioset_ml.core.errors import InputError, LabelError
from audioset_ml.labels import formats, segments, statistics
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.labels.clip_labels import count_classes, count_states
from audioset_ml.labels.clip_negatives import refuted_throughout
from audioset_ml.labels.join import read_labels
from audioset_ml.labels.label_files import LabelFiles
from audioset_ml.labels.states import LabelState
from audioset_ml.labels.unmarked import unpack

CLASS_MAP = ClassMap(tuple('abcdef'), tuple('ABCDEF'))
CLIPS = ['one_0', 'three_0', 'two_0']  # in the order of the joined clips
A, B, C, D, E, F = range(6)


@pytest.fixture
def write_files(tmp_path):
  """Writes label files of three clips of ten seconds, completely annotated."""

  def write(strong, weak=(), explicit=(), framed=(), classes=None, **options):
    CLASS_MAP.write(tmp_path / 'classes.csv')
    weak = {clip_id: [] for clip_id in CLIPS} | dict(weak)
    segments.write_weak_csv(tmp_path / 'weak.csv', list(weak), list(weak.values()))
    paths = []
    for number, rows in enumerate(strong):
      paths.append(str(tmp_path / f'strong{number}.tsv'))
      rows = [(clip_id, 1.0, 2.0, mid) for clip_id, mid in rows]
      table = pd.DataFrame(rows, columns=formats.STRONG_COLUMNS)
      formats.write_strong_tsv(paths[-1], table)
    table = pd.DataFrame(explicit, columns=formats.EXPLICIT_COLUMNS)
    formats.write_explicit_tsv(tmp_path / 'explicit.tsv', table)
    table = pd.DataFrame(framed, columns=formats.FRAMED_COLUMNS)
    formats.write_framed_tsv(tmp_path / 'framed.tsv', table)
    if classes is not None:
      (tmp_path / 'asked.txt').write_text(classes)
      options['annotated_classes'] = str(tmp_path / 'asked.txt')
    return LabelFiles(
      **{
        'class_map': str(tmp_path / 'classes.csv'),
        'segments_csvs': (str(tmp_path / 'weak.csv'),),
        'explicit_tsvs': (str(tmp_path / 'explicit.tsv'), str(tmp_path / 'framed.tsv')),
        'strong_tsvs': tuple(paths),
        'complete_strong': True,
        **options,
      }
    )

  return write


def clips_of(joined):
  return [joined.labels.clip(row) for row in range(len(joined.labels))]


def unmarked_of(joined):
  """What each clip lacks; None for clips that were not annotated completely."""
  return [
    unpack(clip.unmarked).tolist() if clip.unmarked else None
    for clip in clips_of(joined)
  ]


def test_what_was_not_marked_of_the_classes_used_is_not_there(write_files):
  joined = read_labels(
    write_files([[('one_0', 'a'), ('one_0', 'c'), ('two_0', 'b'), ('two_0', 'b')]])
  )
  # Nobody ever used d, e and f, and nobody was asked about the third clip.
  assert unmarked_of(joined) == [[B], None, [A, C]]
  assert clips_of(joined)[0].weak == {}
  assert clips_of(joined)[0].explicit_negatives == {B}
  assert joined.counts['complete_clips'] == 2
  assert joined.counts['annotated_classes'] == 3
  assert joined.counts['complete_clips_without_events'] == 0
  assert joined.counts['positives_without_event'] == 0
  counts = count_states(clips_of(joined))
  assert counts['explicit_negatives'] == counts['unmarked_labels'] == 3
  assert counts['complete_clips'] == 2
  negatives = {c: of[1] for c, of in count_classes(clips_of(joined)).items()}
  assert negatives == {A: 1, B: 1, C: 1}
  table = statistics.class_table(joined)
  assert table['explicit_negatives'].tolist() == [1, 1, 1, 0, 0, 0]
  assert statistics.summary(joined, table)['unmarked_labels'] == 3


def test_without_the_flag_nothing_follows(write_files):
  joined = read_labels(write_files([[('one_0', 'a')]], complete_strong=False))
  assert unmarked_of(joined) == [None] * 3
  assert 'complete_clips' not in joined.counts


def test_what_was_said_of_the_clip_and_the_class_stands(write_files):
  """Also where complete annotators marked nothing of the kind; and is counted."""
  joined = read_labels(
    write_files(
      [[('one_0', 'a'), ('two_0', 'b'), ('two_0', 'c')]],
      weak={'one_0': ['b', 'a'], 'two_0': ['d'], 'three_0': ['a']},
      explicit=[('one_0', 'c', 'PRESENT'), ('two_0', 'a', 'NOT_PRESENT')],
    )
  )
  one, three, two = clips_of(joined)
  assert unmarked_of(joined) == [[], None, []]
  yes = LabelState.EXPLICIT_POSITIVE
  assert one.weak == {A: yes, B: yes, C: yes}
  assert two.weak == {A: LabelState.EXPLICIT_NEGATIVE, D: yes}
  assert three.weak == {A: yes}
  # b by the segments CSV and c by the explicit TSV; nobody was asked about d.
  assert joined.counts['positives_without_event'] == 2
  # Though nothing is unmarked, the clips were annotated completely.
  assert joined.counts['complete_clips'] == 2
  assert [bool(clip.unmarked) for clip in (one, three, two)] == [True, False, True]


EVENTS = [[('one_0', 'a'), ('one_0', 'a'), ('two_0', 'b'), ('two_0', 'c')]]
REFUTED = [('two', 'b'), ('two', 'a'), ('two', 'e')]
GIVEN = {
  'weak': {'one_0': ['a', 'b', 'd'], 'three_0': ['a', 'd']},
  'explicit': [(f'{clip}_0', mid, 'NOT_PRESENT') for clip, mid in REFUTED],
}


def test_events_say_what_the_labels_of_their_clips_are(write_files):
  joined = read_labels(write_files(EVENTS, **GIVEN, weak_labels='events'))
  yes, no = LabelState.EXPLICIT_POSITIVE, LabelState.EXPLICIT_NEGATIVE
  assert [clip.weak for clip in clips_of(joined)] == [
    {A: yes, D: yes},  # of d nobody was asked
    {A: yes, D: yes},  # without events: as given
    {A: no, B: yes, C: yes, E: no},
  ]
  assert unmarked_of(joined) == [[B, C], None, []]
  assert joined.counts['labels_of_events'] == 2
  assert joined.counts['positives_replaced'] == 1  # b of the first clip
  assert joined.counts['refuted_labels_with_event'] == 1
  assert joined.counts['positives_without_event'] == 0


def test_labels_of_events_beside_those_that_were_given(write_files):
  joined = read_labels(write_files(EVENTS, **GIVEN, weak_labels='both'))
  yes, no = LabelState.EXPLICIT_POSITIVE, LabelState.EXPLICIT_NEGATIVE
  assert [clip.weak for clip in clips_of(joined)] == [
    {A: yes, B: yes, D: yes},
    {A: yes, D: yes},
    {A: no, B: no, C: yes, E: no},
  ]
  assert joined.counts['labels_of_events'] == 1
  assert joined.counts['positives_replaced'] == 0
  assert joined.counts['refuted_labels_with_event'] == 1


def test_a_row_that_was_left_out_makes_no_negative(write_files, tmp_path):
  files = write_files(EVENTS, skip_bad_labels=True)
  with open(tmp_path / 'strong0.tsv', 'a') as file:
    file.write('one_0\t5.0\t12.0\tb\n')  # beyond the clip's end
    file.write('two_0\t5.0\ta\n')  # a column is lacking
  joined = read_labels(files)
  assert unmarked_of(joined) == [[C], None, []]
  assert joined.counts['unmarked_labels_in_doubt'] == 2
  with open(tmp_path / 'strong0.tsv', 'a') as file:
    file.write('one_0\t5.0\n')  # of any class
  joined = read_labels(files)
  assert unmarked_of(joined) == [[], None, []]
  assert joined.counts['unmarked_labels_in_doubt'] == 3
  assert joined.counts['labels_skipped_as_wrong'] == 3


def test_labels_of_events_need_events(write_files):
  with pytest.raises(InputError, match=r'weak_labels=both .* needs strong_tsv'):
    write_files([], complete_strong=False, weak_labels='both')
  with pytest.raises(InputError, match="'all': choose from given, events, both"):
    write_files(EVENTS, weak_labels='all')


def test_every_file_has_its_own_annotators(write_files):
  joined = read_labels(
    write_files(
      [
        [('one_0', 'a'), ('two_0', 'b'), ('elsewhere_0', 'e')],
        [('two_0', 'c'), ('three_0', 'd')],
      ]
    )
  )
  # The second clip is in both.
  assert unmarked_of(joined) == [[B, E], [C], [A, D, E]]
  assert joined.counts['annotated_classes'] == 5
  assert joined.counts['labels_of_other_clips'] == 1


@pytest.mark.parametrize('classes', ['a\nB\n\nf\n', 'f\na\nb\na'])
def test_the_classes_asked_for_may_be_given(write_files, classes):
  joined = read_labels(
    write_files([[('one_0', 'a'), ('two_0', 'c'), ('one_0', 'c')]], classes=classes)
  )
  assert unmarked_of(joined) == [[B, F], None, [A, B, F]]
  # An event of another class is kept, and told.
  assert joined.outside == {'c': 2}
  assert joined.counts['events_outside_annotated_classes'] == 2
  assert {e.class_index for e in clips_of(joined)[0].strong} == {A, C}


_ONTOLOGY = """[
  {"id": "a", "name": "A", "child_ids": ["x"]},
  {"id": "b", "name": "B", "child_ids": ["y"]},
  {"id": "x", "name": "X", "child_ids": []},
  {"id": "y", "name": "Y", "child_ids": []}
]"""


@pytest.mark.parametrize(
  ('policy', 'expected', 'without_events'),
  [
    # A clip of which all events are of no class was annotated all the same.
    ('drop', [[C], [A, C], [A]], 1),
    # x is marked as a; y as b, which nobody ever named and may be unmarked elsewhere.
    ('nearest', [[C], [C], [A]], 0),
    ('keep', [[C, 6, 7], [A, C, 7], [A, 6]], 0),
  ],
)
def test_labels_that_are_no_classes(
  write_files, tmp_path, policy, expected, without_events
):
  (tmp_path / 'ontology.json').write_text(_ONTOLOGY)
  (tmp_path / 'names.tsv').write_text('x\tX\ny\tY\n')
  joined = read_labels(
    write_files(
      [[('one_0', 'a'), ('three_0', 'x'), ('two_0', 'c'), ('two_0', 'y')]],
      other_strong_labels=policy,
      ontology=str(tmp_path / 'ontology.json'),
      strong_names=str(tmp_path / 'names.tsv'),
    )
  )
  assert unmarked_of(joined) == expected
  assert joined.counts['complete_clips_without_events'] == without_events
  assert joined.counts['other_strong_labels'] == 2
  assert statistics.strongly_labelled(joined.labels).all()


def frames_of(clip_id, mid, frames, states):
  return [
    (clip_id, round(0.96 * n, 2), round(0.96 * (n + 1), 2), mid, state)
    for n, state in zip(frames, states, strict=True)
  ]


@pytest.mark.parametrize(
  ('frames', 'refuted'),
  [
    (range(10), True),
    (range(9), False),
    (range(1, 10), False),
    ([*range(4), 9], False),
  ],
)
def test_a_class_refuted_in_all_frames_is_refuted_in_the_clip(
  write_files, frames, refuted
):
  """A part says nothing of the rest, here and in the statistics."""
  framed = frames_of('one_0', 'a', frames, ['NOT_PRESENT'] * len(frames))
  joined = read_labels(write_files([[]], framed=framed, complete_strong=False))
  one = clips_of(joined)[0]
  expected = {A: LabelState.EXPLICIT_NEGATIVE} if refuted else {}
  assert one.weak == expected
  assert len(one.strong) == len(frames)
  assert joined.counts['labels_refuted_in_all_frames'] == int(refuted)
  table = statistics.class_table(joined)
  assert table['explicit_negatives'][A] == int(refuted)
  assert table['refuted_stretches'][A] == len(frames)


def test_only_a_clip_without_the_class_is_refuted(write_files):
  """Not one with an event, nor one that is labelled with it; which is counted."""
  every = [
    row
    for clip_id in CLIPS
    for row in frames_of(clip_id, 'a', range(10), ['NOT_PRESENT'] * 10)
  ]
  joined = read_labels(
    write_files(
      [[('two_0', 'a')]],
      weak={'one_0': ['a']},
      explicit=[('three_0', 'a', 'NOT_PRESENT')],
      framed=every,
      complete_strong=False,
    )
  )
  one, three, two = clips_of(joined)
  assert one.weak == {A: LabelState.EXPLICIT_POSITIVE}
  assert three.weak == {A: LabelState.EXPLICIT_NEGATIVE}
  assert two.weak == {}
  assert joined.counts['labels_refuted_in_all_frames'] == 0
  assert joined.counts['positives_refuted_in_all_frames'] == 1


_STRETCHES = st.lists(
  st.tuples(
    st.integers(0, 1), st.integers(0, 1), st.integers(0, 12), st.integers(0, 5)
  ),
  max_size=14,
)


@given(
  stretches=_STRETCHES,
  event=st.tuples(st.integers(0, 1), st.integers(0, 2)),
  seconds=st.lists(st.sampled_from([0.5, 2.0, 2.4, 2.88]), min_size=2, max_size=2),
)
def test_all_frames_are_all_whole_frames(stretches, event, seconds):
  """On a grid of 0.24 s, read aloud: each quarter of each whole frame is refuted."""
  rows = [
    (clip, 0.24 * first, 0.24 * (first + length), index, False)
    for clip, index, first, length in stretches
  ]
  rows.append((event[0], 0.0, 0.1, event[1], True))
  columns = ['clip', 'start', 'end', 'class_index', 'present']
  table = pd.DataFrame(rows, columns=columns)
  found = refuted_throughout(table, np.array(seconds))
  expected = set()
  for clip in range(2):
    quarters = 4 * int((seconds[clip] + 1e-3) / 0.96) or 3  # half a second is 3, partly
    for index in range(2):
      covered = {
        quarter
        for c, i, first, length in stretches
        if (c, i) == (clip, index)
        for quarter in range(first, first + length)
      }
      if covered >= set(range(quarters)) and (clip, index) != event:
        expected.add((clip, index))
  assert set(found.itertuples(index=False, name=None)) == expected


@pytest.mark.parametrize(
  ('classes', 'message'),
  [
    ('', 'asked.txt: names no class that annotators were asked for'),
    ('\n \n', 'asked.txt: names no class'),
    ('a\nYak\n', "asked.txt: 1 wrong row\n  row 2: 'Yak' is neither the mid nor the"),
  ],
)
def test_wrong_classes_are_named(write_files, classes, message):
  with pytest.raises(LabelError, match=message):
    read_labels(write_files([[('one_0', 'a')]], classes=classes))


def test_wrong_classes_can_be_skipped(write_files):
  files = write_files([[('one_0', 'a')]], classes='b\nYak\n', skip_bad_labels=True)
  joined = read_labels(files)
  assert unmarked_of(joined)[0] == [B]
  assert [
    (one.row, joined.counts['labels_skipped_as_wrong']) for one in joined.wrong_rows
  ] == [(2, 1)]


def with_silence(files, *clip_ids, file=0):
  """Adds rows to a strong TSV that say that clips hold nothing."""
  with open(files.strong_tsvs[file], 'a') as tsv:
    tsv.writelines(f'{clip_id}\t\t\t\n' for clip_id in clip_ids)
  return files


@pytest.mark.parametrize('complete', [False, True])
def test_a_clip_that_holds_nothing_lacks_all_classes_that_were_asked_for(
  write_files, complete
):
  """Without --complete_strong, too; of other clips no more is known than before."""
  files = write_files([[('one_0', 'a'), ('one_0', 'c')]], complete_strong=complete)
  joined = read_labels(with_silence(files, 'three_0', 'three_0', 'elsewhere_0'))
  assert unmarked_of(joined) == [[] if complete else None, [A, C], None]
  assert clips_of(joined)[1].strong == ()
  assert joined.counts['silent_clips'] == 1
  assert joined.counts['complete_clips'] == 1 + complete
  assert joined.counts['complete_clips_without_events'] == 1
  assert joined.counts['labels_of_other_clips'] == 1
  assert statistics.strongly_labelled(joined.labels).tolist() == [True, True, False]


def test_what_was_said_of_a_clip_that_holds_nothing_stands(write_files):
  files = write_files(
    [[('one_0', 'a'), ('one_0', 'b'), ('one_0', 'c')]],
    weak={'two_0': ['a', 'd']},
    explicit=[('two_0', 'b', 'UNSURE')],
    complete_strong=False,
  )
  joined = read_labels(with_silence(files, 'two_0'))
  assert unmarked_of(joined)[2] == [C]
  assert clips_of(joined)[2].weak == {
    A: LabelState.EXPLICIT_POSITIVE,
    B: LabelState.UNSURE,
    D: LabelState.EXPLICIT_POSITIVE,
  }
  assert joined.counts['positives_without_event'] == 1
  # But where events are the labels of whole clips, there is no label of it.
  joined = read_labels(dataclasses.replace(files, weak_labels='events'))
  assert A not in clips_of(joined)[2].weak
  assert unmarked_of(joined)[2] == [A, C]


def test_each_file_says_of_which_classes_a_clip_holds_nothing(write_files):
  """The other's events are no contradiction."""
  strong = [[('one_0', 'a'), ('two_0', 'b')], [('one_0', 'c'), ('one_0', 'b')]]
  files = write_files(strong, complete_strong=False)
  joined = read_labels(with_silence(files, 'two_0', file=1))
  assert unmarked_of(joined) == [None, None, [C]]
  joined = read_labels(with_silence(files, 'three_0'))
  assert unmarked_of(joined) == [None, [A, B], [C]]


def test_of_which_classes_a_clip_holds_nothing_must_be_known(write_files):
  files = with_silence(write_files([[]], complete_strong=False), 'two_0')
  with pytest.raises(LabelError, match='name them with --annotated_classes'):
    read_labels(files)
  named = write_files([[]], complete_strong=False, classes='E\nb\n')
  joined = read_labels(with_silence(named, 'two_0'))
  assert unmarked_of(joined) == [None, None, [B, E]]
  with pytest.raises(InputError, match='annotated_classes does nothing without comp'):
    read_labels(write_files(EVENTS, complete_strong=False, classes='E\n'))


def test_a_clip_with_an_event_does_not_hold_nothing(write_files):
  files = with_silence(write_files([[('one_0', 'a'), ('two_0', 'b')]]), 'one_0')
  with pytest.raises(LabelError, match='4: says that one_0 holds nothing, but row 2 d'):
    read_labels(files)
  joined = read_labels(dataclasses.replace(files, skip_bad_labels=True))
  assert joined.counts['silent_clips'] == 0
  assert len(clips_of(joined)[0].strong) == 1


def test_a_row_that_was_left_out_may_be_an_event_of_a_clip_that_holds_nothing(
  write_files, tmp_path
):
  files = write_files([[('one_0', 'a'), ('one_0', 'b')]], complete_strong=False)
  with_silence(files, 'two_0')
  with open(files.strong_tsvs[0], 'a') as tsv:
    tsv.write('two_0\t9.0\ttwelve\tb\n')
  files = dataclasses.replace(files, skip_bad_labels=True)
  joined = read_labels(files)
  assert joined.counts['labels_skipped_as_wrong'] == 2
  assert unmarked_of(joined) == [None] * 3


def test_a_missing_file_of_classes_is_named(write_files):
  files = write_files([[('one_0', 'a')]])
  with pytest.raises(LabelError, match='absent: the label file cannot be read'):
    read_labels(dataclasses.replace(files, annotated_classes='absent'))


@pytest.mark.parametrize(
  ('options', 'message'),
  [
    ({'complete_strong': True}, 'complete_strong does nothing without strong_tsv'),
    (
      {'annotated_classes': 'd'},
      'annotated_classes does nothing without strong_tsv',
    ),
  ],
)
def test_idle_settings_are_refused(options, message):
  with pytest.raises(InputError, match=message):
    LabelFiles('a', ('b',), **options)
