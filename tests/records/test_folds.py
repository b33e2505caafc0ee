import collections

import pytest

from audioset_ml.core.errors import InputError
from audioset_ml.records.folds import Fold, fold_of, require_complete


def test_folds_keep_recordings_whole_and_are_about_equal():
  clips = [f'rec-{number}_{start}' for number in range(2000) for start in (0, 10000)]
  for number in range(0, 4000, 2):
    assert fold_of(clips[number], 5) == fold_of(clips[number + 1], 5)
  sizes = collections.Counter(fold_of(clip, 5) for clip in clips)
  assert sorted(sizes) == [0, 1, 2, 3, 4]
  assert min(sizes.values()) > 650
  # They must stay the same from one version to the next.
  assert [fold_of(clip, 5) for clip in clips[:12:2]] == [2, 4, 1, 3, 3, 2]


@pytest.mark.parametrize(
  ('index', 'folds', 'message'),
  [(0, 1, '1 fold is too few'), (5, 5, 'no fold 5 among 5'), (-1, 3, 'no fold -1')],
)
def test_an_impossible_fold_is_named(index, folds, message):
  with pytest.raises(InputError, match=message):
    Fold(index, folds)


def test_each_fold_must_be_left_out_once():
  require_complete([Fold(1, 2), Fold(0, 2)], 'models')
  with pytest.raises(InputError, match='left out the folds 0, 2, but of 3 folds each'):
    require_complete([Fold(2, 3), Fold(0, 3)], 'models')
  with pytest.raises(InputError, match=r'different divisions \(2 and 3\)'):
    require_complete([Fold(0, 2), Fold(0, 3)], 'models')


def test_ids_with_underscores_and_whole_files():
  for name in ('_A4yJmxF_10', 'ab_cdefghij', '-_A4yJm_FdM'):
    folds = {fold_of(f'{name}_{start}', 1000) for start in (0, 30000, 123456)}
    assert len(folds) == 1
  assert fold_of('ab_c_0', 1000) != fold_of('ab_d_0', 1000)
  # Files without a start are recordings, however they begin.
  whole = ['dog_bark', 'dog_growl', 'dog_howl', '1-17-B-1']
  assert len({fold_of(name, 1000) for name in whole}) == len(whole)
