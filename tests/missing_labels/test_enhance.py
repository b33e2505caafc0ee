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
from audioset_ml.missing_labels.class_flags import flag_labels
from audioset_ml.missing_labels.enhance import ChosenClips, write_label_sets
from audioset_ml.missing_labels.rules import TopPercent, build_rule
from audioset_ml.records.top_scores import TopValues
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


@given(data=scores_and_states(), percents=PERCENTS, choice=st.data())
def test_of_some_clips_thresholds_are_of_them_alone(data, percents, choice):
  scores, states = data
  chosen = choice.draw(hnp.arrays(bool, len(scores)).filter(np.any))
  rule, clips = TopPercent(percents), np.flatnonzero(chosen)
  found, rows = flagged_by(rule, scores, states[clips], clips=clips)
  expected, others = flagged_by(rule, scores[clips], states[clips])
  assert np.array_equal(found, expected)
  assert rows == others


@given(
  data=scores_and_states(),
  rule=st.sampled_from(['percent', 'positives', 'score', 'random']),
  value=st.integers(0, 60),
  choice=st.data(),
)
def test_of_the_highest_classes_alone_what_is_flagged_is_the_same_or_an_error(
  data, rule, value, choice
):
  scores, states = data
  scores = np.maximum(scores, 0)
  kept = choice.draw(st.integers(1, scores.shape[1]))
  rule = build_rule(rule, [f'{value / 100 if rule == "score" else value}'])
  expected, rows = flagged_by(rule, scores, states)
  found, told = tried(rule, TopValues.of(scores, kept), states)
  if told:
    assert kept < scores.shape[1]
    assert f'those of its {kept} highest classes alone' in told
    assert not rule.names[0].startswith('random')
    return
  assert np.array_equal(found[0], expected)
  for row, other in zip(rows[0], found[1][0], strict=True):
    assert row.pop('threshold') == pytest.approx(other.pop('threshold'), nan_ok=True)
    assert row == other


def tried(*given):
  """What is flagged, or why nothing is."""
  try:
    return flagged_by(*given), ''
  except InputError as error:
    return None, str(error)


def test_a_threshold_above_what_was_not_kept_is_known():
  """Of three clips' two highest of three classes; 40 % of three are one label."""
  scores = np.array([[0.9, 0.5, 0.1], [0.8, 0.7, 0.2], [0.1, 0.3, 0.6]], np.float32)
  states, rule = np.zeros((3, 3), np.int8), TopPercent([Decimal(40)])
  with pytest.raises(InputError, match=r'class /m/2 .*those of its 2 highest classes'):
    flagged_by(rule, TopValues.of(scores, 2), states)  # .2 is not above .1 for sure
  states[:, 2] = 2
  found, _ = flagged_by(rule, TopValues.of(scores, 2), states)
  assert np.argwhere(found[0]).tolist() == [[0, 0], [1, 1]]


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


def test_a_label_set_of_some_clips_says_so(tmp_path):
  random = np.random.default_rng(1)
  states = (random.random((50, 9)) < 0.1).astype(np.int8)
  scores = random.random((50, 9)).astype(np.float32)
  clips = np.flatnonzero(random.random(50) < 0.5)
  labels, rule = table_of(states), build_rule('percent', ['20'])
  for name, chosen in (('some', ChosenClips(labels.clip_ids, clips)), ('all', None)):
    of = labels if chosen is None else labels.of_clips(clips)
    options = {'chosen': chosen, 'about': {'smear_to': 'all'}}
    write_label_sets(scores, of, class_map(9), rule, tmp_path / name, **options)
  some, every = (LabelSet.read(tmp_path / n / 'discard_20') for n in ('some', 'all'))
  expected, _ = flagged_by(
    rule, scores[clips], table_of(states).of_clips(clips).dense()
  )
  assert some.clip_ids == every.clip_ids == labels.clip_ids
  assert np.array_equal(some.flagged()[clips], expected[0])
  assert not np.delete(some.flagged(), clips, axis=0).any()
  names = [labels.clip_ids[clip] for clip in clips]
  assert (some.num_clips, every.num_clips) == (len(clips), 50)
  assert some.is_of(names[::-1])
  assert not some.is_of(names[1:])
  assert not some.is_of([*names[1:], 'other_0'])
  assert every.is_of(labels.clip_ids[::-1])
  assert not every.is_of(names)
  assert some.smear_to == 'all'


@pytest.mark.parametrize(
  ('flags', 'message'),
  [
    (['--smear_to=unambiguous'], '--smear_to does nothing here: it needs --smear'),
    (['--discard_percent=x'], "percentage 'x' is not a number"),
    (['--min_score=0.6'], '--min_score does nothing here: it needs --rule=score'),
    (['--scores=none'], 'none: no such folder; `score` writes it'),
  ],
)
def test_wrong_flags_of_enhance_are_one_clear_line(flags, message, tmp_path):
  places = ['--scores=s', f'--records={tmp_path}', f'--output_dir={tmp_path}/out']
  done = run_stage('enhance', *places, *flags)
  assert done.returncode == 1
  assert message in done.stderr + done.stdout
  assert 'Traceback' not in done.stderr
