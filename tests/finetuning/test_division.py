"""Groups, folds and splits of recordings."""

import pathlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audioset_ml.core.errors import InputError
from audioset_ml.finetuning.contents import Content
from audioset_ml.finetuning.division import DivisionConfig, divide
from audioset_ml.finetuning.grouping import (
  with_copies_together,
  with_groups_and_folds,
)
from audioset_ml.finetuning.recordings import Recording


def recording(name, label, group='', fold=''):
  return Recording(pathlib.Path(name), name, (label,), group=group or name, fold=fold)


def parts_by_group(recordings, division):
  found = {}
  for one in recordings:
    found.setdefault(one.group, set()).add(division.part_of[one.name])
  return found


# Per class, the sizes of its groups.
SIZES = st.lists(st.lists(st.integers(1, 4), min_size=2, max_size=9), min_size=2)


@given(SIZES, st.integers(0, 9), st.sampled_from([0, 2, 5]))
def test_groups_stay_whole_and_every_class_is_on_both_sides(sizes, seed, folds):
  recordings = [
    recording(f'{label}/{group}/{take}', f'c{label}', f'{label}/{group}')
    for label, groups in enumerate(sizes)
    for group, takes in enumerate(groups)
    for take in range(takes)
  ]
  division = divide(recordings, DivisionConfig(folds=folds, seed=seed))
  assert set(division.part_of) == {one.name for one in recordings}
  assert all(len(p) == 1 for p in parts_by_group(recordings, division).values())
  for label, groups in enumerate(sizes):
    of_class = [one for one in recordings if one.labels == (f'c{label}',)]
    parts = [division.part_of[one.name] for one in of_class]
    for part in division.evaluated:
      assert any(other != part for other in parts)
    if not folds:
      tested = {one.group for one in of_class if division.part_of[one.name] == 'eval'}
      count = max(1, round(0.2 * len(groups)))
      assert len(tested) == min(count, len(groups) - 1)
    else:
      counts = [
        len({o.group for o in of_class if division.part_of[o.name] == str(fold)})
        for fold in range(1, folds + 1)
      ]
      assert max(counts) - min(counts) <= 1
  # The order in which files are found changes nothing.
  again = divide(recordings[::-1], DivisionConfig(folds=folds, seed=seed))
  assert again.part_of == division.part_of


@given(st.data())
def test_with_several_labels_each_class_is_still_trained_on(data):
  labels = st.sets(st.sampled_from('abcd'), min_size=1)
  chosen = data.draw(st.lists(labels, min_size=4, max_size=20))
  recordings = [
    Recording(pathlib.Path(str(i)), str(i), tuple(sorted(one)), group=str(i))
    for i, one in enumerate([*chosen, {'a', 'b', 'c', 'd'}, {'a', 'b', 'c', 'd'}])
  ]
  division = divide(recordings, DivisionConfig())
  for label in 'abcd':
    of_class = [one for one in recordings if label in one.labels]
    assert any(division.part_of[one.name] == 'train' for one in of_class)


def test_another_seed_divides_in_another_way():
  recordings = [recording(f'{label}{i}', label) for label in 'ab' for i in range(20)]
  parts = [divide(recordings, DivisionConfig(seed=s)).part_of for s in (0, 0, 1)]
  assert parts[0] == parts[1] != parts[2]


def folded(*folds):
  return [
    recording(f'{label}{i}', label, fold=fold)
    for label in 'ab'
    for i, fold in enumerate(folds)
  ]


def test_given_folds_decide():
  crossed = divide(folded('1', '2', '3'), DivisionConfig())
  assert crossed.evaluated == ('1', '2', '3')
  assert crossed.is_crossed
  one = divide(folded('1', '2', '3'), DivisionConfig(eval_fold='2'))
  assert one.evaluated == ('2',)
  assert not one.is_crossed
  # Of a split the side that is not trained on is evaluated.
  assert divide(folded('train', 'val'), DivisionConfig()).evaluated == ('val',)


@pytest.mark.parametrize(
  ('recordings', 'config', 'said'),
  [
    (folded('1', '2'), DivisionConfig(eval_fold='7'), 'the folds are 1, 2'),
    (folded('1', '2'), DivisionConfig(folds=3), '--folds does nothing here'),
    (
      folded('1', '2'),
      DivisionConfig(eval_fraction=0.5),
      '--eval_fraction does nothing',
    ),
    (folded('1'), DivisionConfig(), '1 is the only fold'),
    (folded('train'), DivisionConfig(), 'train is the only fold'),
    (folded('train', 'val', 'test'), DivisionConfig(), 'say with --eval_fold'),
    (folded('1', '2', ''), DivisionConfig(), '2 recordings have no fold: a2, b2'),
    (folded(*map(str, range(30))), DivisionConfig(), 'there are 30 folds'),
    ([recording('x', 'a', fold='1'), *folded('2', '3')][:3], DivisionConfig(), ''),
    (
      [recording('x', 'c', fold='1'), *folded('1', '2')],
      DivisionConfig(),
      "all recordings of 'c' are in 1",
    ),
    (
      [recording('x', 'a', 'g', '1'), recording('y', 'b', 'g', '2')],
      DivisionConfig(),
      "group 'g' is in the folds 1 and 2",
    ),
    ([recording('x', 'a'), recording('y', 'b')], DivisionConfig(), 'are of one group'),
    (
      [recording('x', 'Rian'), *(recording(str(take), 'Rain') for take in range(10))],
      DivisionConfig(),
      "is 'Rian' (1 recording) another class than 'Rain' (10)?",
    ),
    ([recording('x', 'a')], DivisionConfig(eval_fold='1'), 'or --fold_pattern'),
  ],
)
def test_wrong_folds_are_named(recordings, config, said):
  if not said:
    assert divide(recordings, config).evaluated == ('1', '2', '3')
    return
  with pytest.raises(InputError) as error:
    divide(recordings, config)
  assert said in str(error.value)


def files(*names):
  return [Recording(pathlib.Path(name), name, ('x',)) for name in names]


def test_patterns_find_groups_and_folds():
  found, notes = with_groups_and_folds(
    files('1-17-A.ogg', '1-17-B.ogg', '2-18-A.ogg'), r'^\d-(\d+)', r'^\d'
  )
  assert [(one.group, one.fold) for one in found] == [
    ('17', '1'),
    ('17', '1'),
    ('18', '2'),
  ]
  assert not notes


def test_a_pattern_that_groups_nothing_is_told_and_so_is_none():
  names = ('1-17-A.ogg', '1-17-B.ogg')
  _, notes = with_groups_and_folds(files(*names), '^[^_]+', '')
  assert notes[0].startswith(
    'warning: --group_pattern=^[^_]+ groups nothing: 2 groups of 2'
  )
  _, notes = with_groups_and_folds(files(*names), '', '')
  assert notes[0].startswith('each file counts as a recording of its own')


@pytest.mark.parametrize(
  ('group', 'fold', 'said'),
  [
    (
      '^loud',
      '',
      '^loud finds nothing in the names of 1 of 1 recording, a.wav',
    ),
    ('(', '', '--group_pattern=(: no regular expression'),
    ('', '[', '--fold_pattern=[: no regular expression'),
  ],
)
def test_wrong_patterns_are_named(group, fold, said):
  with pytest.raises(InputError) as error:
    with_groups_and_folds(files('a.wav'), group, fold)
  assert said in str(error.value)


def test_a_pattern_beside_a_column_is_an_error():
  one = recording('a.wav', 'x', group='g', fold='1')
  for flags in (('x', ''), ('', 'x')):
    with pytest.raises(InputError, match='the table has a column'):
      with_groups_and_folds([one], *flags)


def test_equal_files_are_kept_together_and_told_where_folds_part_them():
  recordings = [
    recording('a', 'x', 'g1', '1'),
    recording('b', 'x', 'g2', '1'),
    recording('c', 'y', 'g3', '2'),
    recording('d', 'y', 'g4', '2'),
  ]
  digests = {'a': 'same', 'b': 'same', 'c': 'same2', 'd': 'other'}
  contents = {name: Content('', digest, 1.0) for name, digest in digests.items()}
  found, notes = with_copies_together(recordings, contents)
  assert [one.group for one in found] == ['g1', 'g1', 'g3', 'g4']
  assert notes == ['1 group was joined to others, since they hold an equal file']
  contents['c'] = Content('', 'same', 1.0)
  found, notes = with_copies_together(recordings, contents)
  assert 'warning: 1 content is in several folds' in notes[0]
  assert 'a = b = c' in notes[0]
  assert '1 content has other labels in another file: a = b = c' in notes[1]


def test_groups_are_joined_through_several_copies():
  recordings = [recording(name, 'x') for name in 'abcd']
  contents = {name: Content('', name, 1.0) for name in 'abcd'}
  contents |= {'b': Content('', 'a', 1.0), 'd': Content('', 'c', 1.0)}
  groups = [one.group for one in with_copies_together(recordings, contents)[0]]
  assert groups == ['a', 'a', 'c', 'c']
