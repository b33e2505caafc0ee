"""Thresholds of classes, held against scikit-learn's curves and a plain search."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score, precision_recall_curve

from audioset_ml.core.errors import InputError
from audioset_ml.evaluation.evaluate_config import Criterion, EvaluateConfig
from audioset_ml.evaluation.records_evaluation import evaluate_records
from audioset_ml.evaluation.thresholds import best_threshold
from audioset_ml.models.events import read_thresholds
from audioset_ml.records.dataset import read_label_table
from audioset_ml.records.folder import RecordsFolder
from audioset_ml.records.scores import read_patch_scores, read_scores
from tests.evaluation.planted_scores import write_planted_scores

EXAMPLES = st.lists(
  st.tuples(st.booleans(), st.integers(0, 12).map(lambda n: n / 12)),
  min_size=2,
  max_size=40,
).filter(lambda rows: len({truth for truth, _ in rows}) == 2)


def split(examples):
  truth = np.array([truth for truth, _ in examples])
  scores = np.array([score for _, score in examples])
  return truth, scores


@given(EXAMPLES)
def test_no_threshold_has_a_higher_f1(examples):
  truth, scores = split(examples)
  found = best_threshold(scores[truth], scores[~truth], Criterion())
  of_all = [f1_score(truth, scores >= limit) for limit in np.unique(scores)]
  assert found[3] == pytest.approx(max(of_all))
  assert f1_score(truth, scores >= found[0]) == pytest.approx(found[3])


@given(EXAMPLES, st.sampled_from([0.3, 0.6, 0.9, 1.0]))
def test_of_those_that_are_precise_enough_the_one_with_the_highest_recall(
  examples, wanted
):
  truth, scores = split(examples)
  found = best_threshold(scores[truth], scores[~truth], Criterion(wanted))
  precision, recall, _ = precision_recall_curve(truth, scores)
  good = (precision[:-1] >= wanted) & (recall[:-1] > 0)
  if not good.any():
    assert np.isnan(found).all()
    return
  assert found[2] == pytest.approx(recall[:-1][good].max())
  assert found[1] >= wanted
  flagged = scores >= found[0]
  assert truth[flagged].mean() == pytest.approx(found[1])


def test_a_class_without_both_kinds_has_none():
  for positive, negative in (([], [0.1]), ([0.9], [])):
    found = best_threshold(np.array(positive), np.array(negative), Criterion())
    assert np.isnan(found).all()


@pytest.mark.parametrize('text', ['f2', '0', '1.01', 'nan', '-1'])
def test_what_they_are_chosen_for(text):
  with pytest.raises(InputError, match='f1, or for a precision above 0'):
    EvaluateConfig('records', thresholds=text)
  assert Criterion.of('f1') == Criterion()
  assert Criterion.of('0.8') == Criterion(0.8)


@pytest.fixture(scope='module')
def scores(small_records, tmp_path_factory):
  return write_planted_scores(tmp_path_factory.mktemp('planted') / 'a', small_records)


def thresholds_of(records, scores, folder, text='f1'):
  config = EvaluateConfig(
    str(records), scores=(str(scores),), replicates=0, thresholds=text
  )
  folder.mkdir()
  metrics, _ = evaluate_records(config, folder)
  return pd.read_csv(folder / 'thresholds.csv'), metrics['notes']


def test_evaluate_writes_what_tag_reads(small_records, scores, tmp_path):
  table, notes = thresholds_of(small_records, scores, tmp_path / 'out')
  assert any('thresholds.csv: chosen on these frames' in note for note in notes)
  records = RecordsFolder.open(small_records)
  assert table['mid'].tolist() == list(records.class_map.mids)
  thresholds, number = read_thresholds(
    tmp_path / 'out/thresholds.csv', records.class_map
  )
  assert number == len(records.class_map) == 3
  np.testing.assert_allclose(thresholds, table['threshold'])


def test_without_labels_of_frames_clips_count_by_their_highest_patch(
  small_records, scores, tmp_path, monkeypatch
):
  records = RecordsFolder.open(small_records)
  weak = dataclasses.replace(records, counts={**records.counts, 'strong_events': 0})
  monkeypatch.setattr(RecordsFolder, 'open', lambda path: weak)
  table, notes = thresholds_of(small_records, scores, tmp_path / 'out')
  assert any('chosen on these clips' in note for note in notes)
  patches, labels = read_patch_scores(read_scores(scores)), read_label_table(records)
  for index, row in table.iterrows():
    highest = np.array([patches.of(clip)[:, index].max() for clip in range(12)])
    present = np.isin(labels.dense()[:, index], [1, 3])
    expected = best_threshold(highest[present], highest[~present], Criterion())
    assert (row['threshold'], row['f1']) == pytest.approx((expected[0], expected[3]))
    assert row['positives'] == present.sum()


def test_scores_without_patches_are_refused(small_records, scores, tmp_path):
  folder = write_planted_scores(tmp_path / 'scores', small_records)
  for file in folder.glob('patch_*'):
    file.unlink()
  with pytest.raises(InputError, match='holds no scores of patches'):
    thresholds_of(small_records, folder, tmp_path / 'out')


def test_adjusted_scores_are_refused():
  config = EvaluateConfig('records', prior_records='x', logit_adjustment=0.5)
  with pytest.raises(InputError, match='leave out logit_adjustment'):
    dataclasses.replace(config, thresholds='f1')
