"""Flagging implicit negatives, in memory and on disk."""

import itertools
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from audioset_ml.core.errors import InputError
from audioset_ml.labels.label_set import LabelSet
from audioset_ml.labels.states import PRESENT_STATES, LabelState, LabelTable
from audioset_ml.missing_labels.enhance import flag_labels, write_label_sets
from audioset_ml.missing_labels.rules import TopPercent, build_rule
from tests.missing_labels.states import (
  class_map,
  flagged_by,
  scores_and_states,
  table_of,
)
from tests.stages import run_stage

pytestmark = pytest.mark.few

PERCENTS = st.lists(
  st.integers(0, 999).map(lambda n: Decimal(n) / 10), min_size=1, unique=True
)


@given(data=scores_and_states(), percents=PERCENTS)
def test_the_top_scored_implicit_negatives_are_flagged(data, percents):
  scores, states = data
  found, summaries = flagged_by(TopPercent(percents), scores, states)
  implicit = states == LabelState.IMPLICIT_NEGATIVE
  for percent, flags, rows in zip(percents, found, summaries, strict=True):
    assert not (flags & ~implicit).any()
    for index, row in enumerate(rows):
      # A slow reading of ML20 eq. 2.
      candidates = sorted(scores[implicit[:, index], index].tolist(), reverse=True)
      wanted = int(percent * len(candidates) / 100)
      threshold = candidates[wanted] if candidates else np.inf
      assert row['threshold'] == threshold
      expected = implicit[:, index] & (scores[:, index] > threshold)
      assert np.array_equal(flags[:, index], expected)
      assert row['flagged'] == expected.sum() <= wanted
      if len(set(candidates)) == len(candidates):
        assert row['flagged'] == wanted
      assert row['implicit'] == len(candidates)
      assert row['explicit'] == np.isin(states[:, index], [1, 2]).sum()
      assert row['total'] == len(scores)


@given(data=scores_and_states(), percents=PERCENTS)
def test_a_flag_stays_at_every_higher_percentage(data, percents):
  scores, states = data
  found, _ = flagged_by(TopPercent(sorted(percents)), scores, states)
  for small, large in itertools.pairwise(found):
    assert (small <= large).all()


@given(data=scores_and_states(), percents=PERCENTS, related=st.data())
def test_only_relatives_of_positives_are_flagged_if_so_asked(data, percents, related):
  """PSLA: of what the rule selects, ancestors and descendants."""
  scores, states = data
  classes = states.shape[1]
  implied = related.draw(hnp.arrays(bool, (classes, classes)))
  rule = TopPercent(percents)
  plain, _ = flagged_by(rule, scores, states)
  found, rows = flagged_by(rule, scores, states, implied=implied)
  for one, other, summary in zip(found, plain, rows, strict=True):
    expected = np.zeros_like(other)
    for clip, index in np.argwhere(other):
      positives = np.flatnonzero(np.isin(states[clip], PRESENT_STATES))
      expected[clip, index] = any(
        implied[index, p] or implied[p, index] for p in positives
      )
    assert np.array_equal(one, expected)
    assert [row['flagged'] for row in summary] == expected.sum(axis=0).tolist()


@given(data=scores_and_states())
def test_reading_in_several_passes_changes_nothing(data):
  scores, states = data
  rule = TopPercent([Decimal(5), Decimal(30)])
  in_one, _ = flagged_by(rule, scores, states)
  in_many, _ = flagged_by(rule, scores, states, memory=1)
  assert np.array_equal(in_one, in_many)


def test_a_memory_map_of_many_rows_is_read_as_a_file(tmp_path):
  random = np.random.default_rng(0)
  scores = random.random((70_000, 130)).astype(np.float32)  # more than a chunk
  np.save(tmp_path / 'scores.npy', scores)
  mapped = np.load(tmp_path / 'scores.npy', mmap_mode='r')
  states = (random.random(scores.shape) < 0.01).astype(np.int8)
  rule = TopPercent([Decimal(1)])
  expected, _ = flagged_by(rule, scores, states, 1 << 30)
  found, _ = flagged_by(rule, mapped, states, 1 << 23)
  assert np.array_equal(expected, found)
  assert found[0].sum() > 80_000


def test_table_iii_of_a_large_class():
  """Ambulance (siren) in ML20: 506,721 clips, 1,657 explicit labels, 0.1 %."""
  clips, explicit = 506_721, 1657
  table = LabelTable(
    clip_ids=tuple(map(str, range(clips))),
    num_classes=1,
    rows=np.arange(explicit, dtype=np.int32),
    classes=np.zeros(explicit, np.int32),
    states=np.full(explicit, LabelState.EXPLICIT_NEGATIVE, np.int8),
  )
  scores = np.random.default_rng(0).permutation(clips).astype(np.float32)[:, np.newaxis]
  rule = TopPercent([Decimal('0.1')])
  row = next(flag_labels(scores, table, class_map(1), rule)).summaries[0][0]
  assert (row['total'], row['explicit'], row['implicit']) == (506_721, 1657, 505_064)
  assert row['flagged'] == 505


@pytest.mark.parametrize('rule', ['percent', 'random', 'positives', 'score'])
def test_nan_is_refused_whatever_the_rule(rule):
  scores = np.zeros((2, 3), np.float32)
  scores[1, 2] = np.nan
  with pytest.raises(InputError, match=r'class /m/2 \(x\): a score is NaN'):
    flagged_by(build_rule(rule, ['1']), scores, np.zeros((2, 3), np.int8))
  scores[1, 2] = np.inf
  with pytest.raises(InputError, match=r'class /m/2 \(x\): a score is infinite'):
    flagged_by(build_rule(rule, ['1']), scores, np.zeros((2, 3), np.int8))


def test_scores_of_another_shape_are_refused():
  table = table_of(np.zeros((2, 3), np.int8))
  with pytest.raises(InputError, match=r'shape \(3, 2\), but the labels \(2, 3\)'):
    next(flag_labels(np.zeros((3, 2)), table, class_map(3), build_rule('score', ['1'])))


def test_label_sets_and_tables_are_written(tmp_path):
  random = np.random.default_rng(1)
  states = (random.random((200, 10)) < 0.1).astype(np.int8)
  states[:, 5] = random.random(200) < 0.1
  scores = (random.random((200, 10)) + 0.8 * states).astype(np.float32)
  scores[:, 5] = random.random(200)  # which the teacher can't tell apart
  # Of class 3, half of the labels are missing.
  scores[:30, 3], states[:, 3] = 2 + random.random(30), 0
  states[:15, 3] = 1
  rule = build_rule('percent', ['1', '10'])
  found = write_label_sets(
    scores, table_of(states), class_map(10), rule, tmp_path, 'positive'
  )
  assert list(found.flagged) == ['discard_1', 'discard_10']
  expected, _ = flagged_by(rule, scores, states)
  for name, flags in zip(rule.names, expected, strict=True):
    label_set = LabelSet.read(tmp_path / name)
    assert np.array_equal(label_set.flagged(), flags)
    assert label_set.flagged_as == 'positive'
    assert label_set.description['flagged'] == found.flagged[name] == flags.sum()
  table = pd.read_csv(tmp_path / 'table_iii.csv')
  assert len(table) == 20
  here = table[table['label_set'] == 'discard_10']
  assert (here['flagged'] == here['implicit'] // 10).all()
  ranking = pd.read_csv(tmp_path / 'ranking.csv')
  assert ranking.loc[0, 'mid'] == '/m/3'
  assert ranking.loc[9, 'mid'] == '/m/5'
  assert ranking['told_apart'].tolist() == [True] * 9 + [False]
  implicit = states[:, 3] == 0
  median = np.median(scores[~implicit, 3])
  assert ranking.loc[0, 'look_positive'] == (scores[implicit, 3] > median).sum()


@pytest.mark.parametrize(
  ('flags', 'message'),
  [
    (['--discard_percent=x'], "percentage 'x' is not a number"),
    (['--min_score=0.5'], 'it is for --rule=score'),
    (['--records=none'], 'none: no such folder; `prepare` writes it'),
  ],
)
def test_wrong_flags_of_enhance_are_one_clear_line(flags, message, tmp_path):
  places = ['--scores=s', f'--records={tmp_path}', f'--output_dir={tmp_path}/out']
  done = run_stage('enhance', *places, *flags)
  assert done.returncode == 1
  assert message in done.stderr + done.stdout
  assert 'Traceback' not in done.stderr
