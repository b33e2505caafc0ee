import math
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from audioset_ml.core.errors import InputError
from audioset_ml.missing_labels.thresholds import (
  discard_count,
  parse_percent,
  parse_percents,
  top_scored,
)

PERCENTS = st.integers(0, 99_999).map(lambda n: Decimal(n) / 1000)


@pytest.mark.parametrize(
  ('implicit', 'count'),
  # ML20's Table III has 504 and 42: a tie at the threshold would explain it.
  [(505_064, 505), (42_459, 42), (1000, 1), (999, 0), (0, 0)],
)
def test_a_tenth_of_a_percent_is_counted_exactly(implicit, count):
  assert discard_count(implicit, parse_percent('0.1')) == count


@given(n=st.integers(0, 10**7), percent=PERCENTS)
def test_the_count_is_the_floor_in_exact_arithmetic(n, percent):
  thousandths = int(percent * 1000)
  assert discard_count(n, percent) == n * thousandths // 100_000


@given(
  scores=hnp.arrays(np.float32, st.integers(0, 60), elements=st.integers(0, 9)),
  percents=st.lists(PERCENTS, min_size=1, max_size=4),
)
def test_never_more_than_asked_and_strictly_above(scores, percents):
  for percent, (threshold, places) in zip(
    percents, top_scored(scores, percents), strict=True
  ):
    count = discard_count(len(scores), percent)
    descending = sorted(scores.tolist(), reverse=True)
    assert threshold == (descending[count] if len(scores) else math.inf)
    assert len(places) <= count
    above = [score for score in descending if score > threshold]
    assert scores[places].tolist() == above


@given(n=st.integers(1, 300), percent=PERCENTS, seed=st.integers(0, 9))
def test_without_ties_exactly_as_many_as_asked(n, percent, seed):
  scores = np.random.default_rng(seed).permutation(n).astype(np.float32)
  assert len(top_scored(scores, [percent])[0][1]) == discard_count(n, percent)


@given(
  scores=hnp.arrays(np.float32, st.integers(1, 40), elements=st.integers(0, 9)),
  percents=st.lists(PERCENTS, min_size=1, max_size=4),
)
def test_known_thresholds_flag_the_same(scores, percents):
  found = top_scored(scores, percents)
  again = top_scored(scores, percents, np.array([limit for limit, _ in found]))
  for (limit, places), (limit_again, places_again) in zip(found, again, strict=True):
    assert limit == limit_again
    assert np.array_equal(places, places_again)


def test_infinite_scores_have_a_rank_and_nan_has_none():
  scores = np.array([np.inf, 0.0, -np.inf], np.float32)
  ((threshold, places),) = top_scored(scores, [Decimal(34)])
  assert threshold == 0.0
  assert places.tolist() == [0]
  with pytest.raises(InputError, match='NaN'):
    top_scored(np.array([np.nan, 1.0]), [Decimal(1)])


@pytest.mark.parametrize('text', ['', 'x', '-1', '100', 'nan', 'inf', '1,5'])
def test_a_wrong_percentage_is_refused(text):
  with pytest.raises(InputError, match=r'percentage|not a number'):
    parse_percent(text)


@pytest.mark.parametrize('texts', [[], [''], ['1', '1.0'], ['1', 'x']])
def test_percentages_are_given_and_each_once(texts):
  with pytest.raises(InputError, match=r'percentage|not a number'):
    parse_percents(texts)
  assert parse_percents(['0.1', '5']) == [Decimal('0.1'), Decimal(5)]
