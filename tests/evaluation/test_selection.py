"""Which clips are evaluated, which of them a model is chosen on, and the choice."""

import types

import numpy as np
import pytest

from audioset_ml.core.errors import InputError
from audioset_ml.evaluation.chosen_clips import choose_clips, split_clips
from audioset_ml.evaluation.evaluate_config import SELECT_METRICS, SelectConfig
from audioset_ml.evaluation.selection import choose, values_of
from audioset_ml.records.folder import RecordsFolder
from audioset_ml.records.folds import fold_of
from tests.evaluation.test_files import strong_evaluation, weak_evaluation

CLIP_IDS = tuple(
  f'recording-{number}_{start}' for number in range(40) for start in (0, 10_000)
)


@pytest.fixture
def records(tmp_path):
  """As much of a folder of records as is needed to choose among its clips."""
  (tmp_path / 'skipped.csv').write_text(
    'clip_id,reason,detail\ngone_0,missing,\nbroken_5000,damaged,"not a, sound"\n'
  )
  return types.SimpleNamespace(path=tmp_path, clip_ids=CLIP_IDS)


def write_list(tmp_path, *lines):
  path = tmp_path / 'clips.txt'
  path.write_text('\n'.join(lines) + '\n')
  return path


def named(records, clips):
  return [records.clip_ids[clip] for clip in clips]


def reasons(lost):
  assert lost.columns.tolist() == ['clip_id', 'reason']
  return list(lost.itertuples(index=False, name=None))


def test_all_clips_are_chosen_and_those_skipped_are_lost(records):
  clips, lost = choose_clips(records)
  assert clips.tolist() == list(range(80))
  assert reasons(lost) == [('gone_0', 'missing'), ('broken_5000', 'damaged')]


def test_nothing_is_lost_where_nothing_was_skipped(records):
  (records.path / 'skipped.csv').unlink()
  clips, lost = choose_clips(records)
  assert len(clips) == 80
  assert reasons(lost) == []


def test_lost_clips_of_a_list_have_their_reason(records, tmp_path):
  wanted = [CLIP_IDS[7], 'broken_5000', 'never_0', CLIP_IDS[3], CLIP_IDS[7]]
  clips, lost = choose_clips(records, write_list(tmp_path, '# a list', *wanted))
  # In the records' order, each once; clips that are not on the list are not lost.
  assert clips.tolist() == [3, 7]
  assert reasons(lost) == [
    ('broken_5000', 'damaged'),
    ('never_0', 'not in the records'),
  ]


def test_a_list_without_losses_loses_nothing(records, tmp_path):
  clips, lost = choose_clips(records, write_list(tmp_path, CLIP_IDS[2]))
  assert clips.tolist() == [2]
  assert reasons(lost) == []


def test_a_segments_csv_is_a_list_too(records, tmp_path):
  path = write_list(
    tmp_path, '# YTID, start', 'recording-1, 10.0, 20.0, "/m/a"', 'gone, 0, 10, "/m/a"'
  )
  clips, lost = choose_clips(records, path)
  assert named(records, clips) == ['recording-1_10000']
  assert reasons(lost) == [('gone_0', 'missing')]


def test_a_list_of_other_records_is_an_error(records, tmp_path):
  path = write_list(tmp_path, 'never_0', 'gone_0')
  message = 'clips.txt: names 2 clips, never_0 for one, but none of the 80 of'
  with pytest.raises(InputError, match=message):
    choose_clips(records, path)


def test_clips_of_real_records_are_chosen(small_records, tmp_path):
  records = RecordsFolder.open(small_records)
  clips, lost = choose_clips(records)
  assert len(clips) == 12
  assert lost.empty
  wanted = records.clip_ids[5]
  clips, lost = choose_clips(records, write_list(tmp_path, wanted, 'never_0'))
  assert clips.tolist() == [5]
  assert reasons(lost) == [('never_0', 'not in the records')]


@pytest.mark.parametrize('folds', [2, 5])
def test_clips_of_one_recording_share_a_fold(records, folds):
  clips = np.arange(1, 80)
  validation, test = split_clips(records, clips, validation_folds=folds)
  assert sorted([*validation, *test]) == clips.tolist()
  recordings = [
    {clip_id.rpartition('_')[0] for clip_id in named(records, part)}
    for part in (validation, test)
  ]
  assert not recordings[0] & recordings[1]
  assert len(validation) / len(clips) == pytest.approx(1 / folds, abs=0.15)
  assert all(fold_of(clip_id, folds) == 0 for clip_id in named(records, validation))


def test_a_list_says_which_clips_to_choose_on(records, tmp_path):
  path = write_list(tmp_path, CLIP_IDS[9], CLIP_IDS[4], 'never_0', CLIP_IDS[70])
  validation, test = split_clips(records, np.arange(10), path, 2)
  assert validation.tolist() == [4, 9]
  assert test.tolist() == [0, 1, 2, 3, 5, 6, 7, 8]


@pytest.mark.parametrize(
  ('wanted', 'message'),
  [
    (['never_0'], 'clips.txt: 0 of 2 clips are for validation'),
    (CLIP_IDS, 'clips.txt: 2 of 2 clips are for validation'),
  ],
  ids=['none', 'all'],
)
def test_both_parts_must_have_clips(records, tmp_path, wanted, message):
  with pytest.raises(InputError, match=message):
    split_clips(records, np.arange(2), write_list(tmp_path, *wanted))


def test_too_few_folds_are_an_error(records):
  with pytest.raises(InputError, match='1 fold is too few'):
    split_clips(records, np.arange(80), validation_folds=1)
  # Two clips of one recording cannot be divided.
  with pytest.raises(InputError, match=r'2 folds: [02] of 2 clips are for valid'):
    split_clips(records, np.arange(2), validation_folds=2)


def values(**found):
  return {**dict.fromkeys(SELECT_METRICS, np.nan), **found}


NAMES = ('first', 'second', 'third')
VALIDATION = [values(lwlrap=0.3), values(lwlrap=0.5), values(lwlrap=0.4)]
TEST = [values(lwlrap=0.6), values(lwlrap=0.2), values(lwlrap=0.7)]


def test_the_best_on_validation_clips_is_chosen_and_reported_on_the_others():
  best, table, said = choose(NAMES, VALIDATION, TEST, SelectConfig())
  assert best == 1
  assert said == {
    'how': 'chosen on validation clips, reported on the test clips',
    'on': 'validation',
    'metric': 'lwlrap',
    'candidates': 3,
    'chosen': 'second',
    'value_chosen_by': 0.5,
    'value_on_validation': 0.5,
    'best_on_test': 'third',
    'best_test_value': 0.7,
  }
  assert table['candidate'].tolist() == list(NAMES)
  assert table['chosen'].tolist() == [False, True, False]
  assert table['validation_lwlrap'].tolist() == [0.3, 0.5, 0.4]
  assert table['test_lwlrap'].tolist() == [0.6, 0.2, 0.7]
  assert table['test_d_prime'].isna().all()


def test_the_papers_way_is_called_optimistic():
  best, table, said = choose(NAMES, VALIDATION, TEST, SelectConfig(on='test'))
  assert best == 2
  assert table['chosen'].tolist() == [False, False, True]
  assert said['chosen'] == said['best_on_test'] == 'third'
  assert said['value_chosen_by'] == said['best_test_value'] == 0.7
  assert said['value_on_validation'] is None
  assert said['on'] == 'test'
  assert "ML20's way" in said['how']
  assert 'optimistic' in said['how']


def test_a_candidate_without_the_metric_is_not_chosen():
  """The first of equals is."""
  found = [values(), values(map=0.1), values(map=0.1)]
  best, _, said = choose(NAMES, found, [values()] * 3, SelectConfig(metric='map'))
  assert best == 1
  assert said['best_on_test'] is None
  assert said['best_test_value'] is None


@pytest.mark.parametrize('on', ['validation', 'test'])
def test_a_metric_that_no_candidate_has_is_an_error(on):
  config = SelectConfig(metric='strong_d_prime', on=on)
  with pytest.raises(
    InputError, match=f'strong_d_prime is not defined on the {on} clips'
  ):
    choose(NAMES, VALIDATION, TEST, config)


def test_values_to_choose_by_are_those_of_the_summary():
  weak, strong = weak_evaluation(), strong_evaluation()
  found = values_of({'weak': weak, 'strong': strong})
  assert tuple(found) == SELECT_METRICS
  for name in ('d_prime', 'lwlrap', 'map', 'd_prime_implicit'):
    assert found[name] == weak.summary[name]
  assert found['strong_d_prime'] == strong.summary['d_prime']
  assert found['strong_lwlrap'] == strong.summary['lwlrap'] != weak.summary['lwlrap']
  alone = values_of({'weak': weak})
  assert alone['lwlrap'] == weak.summary['lwlrap']
  assert np.isnan([alone['strong_d_prime'], alone['strong_lwlrap']]).all()


@pytest.mark.parametrize(
  ('wrong', 'message'),
  [
    ({'metric': 'f1'}, "metric is 'f1': choose from d_prime"),
    ({'on': 'train'}, 'on is'),
  ],
)
def test_an_unknown_way_to_choose_is_an_error(wrong, message):
  with pytest.raises(InputError, match=message):
    SelectConfig(**wrong)
