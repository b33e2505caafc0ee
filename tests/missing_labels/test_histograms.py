"""Thresholds from summaries that can be merged, in this process and through Beam."""

import random as python_random
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from audioset_ml.core.errors import InputError, RecordError
from audioset_ml.labels.states import LabelState
from audioset_ml.missing_labels import histograms
from audioset_ml.missing_labels.thresholds import top_scored
from audioset_ml.records.shard_runs import RunConfig
from tests.conftest import NEEDS_BEAM
from tests.missing_labels.states import table_of

FLOATS = st.floats(width=32, allow_nan=False)
PERCENTS = [Decimal(p) for p in ('0', '0.1', '1', '5', '20', '99.9')]


@given(values=hnp.arrays(np.float32, st.integers(1, 50), elements=FLOATS))
def test_the_bits_sort_as_the_scores_do(values):
  bits = histograms.sortable_bits(values)
  order = np.argsort(values, kind='stable')
  assert (np.diff(bits[order].astype(np.int64)) >= 0).all()
  for value, one in zip(values, bits, strict=True):
    assert histograms.score_of_bits(one) == value
  equal = values[:, np.newaxis] == values
  assert np.array_equal(bits[:, np.newaxis] == bits, equal)


def thresholds_of(parts):
  """The thresholds from the parts' counts, merged in any order."""

  def merged(counts):
    python_random.shuffle(counts)
    half = len(counts) // 2
    merge = histograms.Counts.merged
    return merge([merge(counts[:half]), merge(counts[half:])])

  bits = [histograms.sortable_bits(part) for part in parts]
  places = histograms.places_of(
    merged([histograms.Counts.of(histograms.upper(one)) for one in bits]), PERCENTS
  )
  found = []
  for place in places:
    chosen = [one[histograms.upper(one) == place.bin] for one in bits]
    counts = merged([histograms.Counts.of(histograms.lower(one)) for one in chosen])
    found.append(histograms.score_of_bits(histograms.bits_at(place, counts)))
  return found


@given(
  values=hnp.arrays(
    np.float32,
    st.integers(1, 200),
    elements=FLOATS | st.sampled_from([0.0, -0.0, 0.5, 1.0]),
  ),
  cuts=st.lists(st.integers(0, 200), max_size=5),
)
def test_any_split_gives_the_thresholds_of_the_whole(values, cuts):
  whole = [limit for limit, _ in top_scored(values, PERCENTS)]
  parts = [part for part in np.split(values, sorted(cuts)) if len(part)]
  assert thresholds_of(parts) == whole


def test_nan_is_refused():
  with pytest.raises(InputError, match='NaN'):
    histograms.sortable_bits(np.array([0.5, np.nan], np.float32))


@pytest.fixture(scope='module')
def many_ties():
  """40,000 clips (three chunks) by 5 classes with many equal scores."""
  random = np.random.default_rng(0)
  scores = (random.integers(0, 300, (40_000, 5)) / 300).astype(np.float32)
  scores[:, 1] = random.random(40_000)
  states = (random.random(scores.shape) < 0.02).astype(np.int8)
  states[random.random(scores.shape) < 0.3] = LabelState.EXPLICIT_NEGATIVE
  states[:, 4] = 1  # a class without any implicit negative
  return scores, states


def expected_thresholds(scores, states):
  rows = []
  for column, state in zip(scores.T, states.T, strict=True):
    rows.append([limit for limit, _ in top_scored(column[state == 0], PERCENTS)])
  return np.array(rows)


@pytest.mark.parametrize(
  ('workers', 'share'), [(1, 1), (1, 0.5), pytest.param(2, 1, marks=pytest.mark.slow)]
)
def test_beam_finds_the_same_thresholds(many_ties, tmp_path, workers, share):
  pytest.importorskip('apache_beam', reason=NEEDS_BEAM)
  from audioset_ml.missing_labels.beam_thresholds import find_thresholds

  scores, states = many_ties
  np.save(tmp_path / 'scores.npy', scores)
  clips = np.flatnonzero(np.random.default_rng(1).random(len(scores)) < share)
  found = find_thresholds(
    tmp_path / 'scores.npy',
    table_of(states).of_clips(clips),
    PERCENTS,
    tmp_path / 'work',
    RunConfig(workers, 'DirectRunner'),
    clips if share < 1 else None,
  )
  scores, states = scores[clips], states[clips]
  assert np.array_equal(found, expected_thresholds(scores, states))


def test_beam_refuses_nan(tmp_path):
  pytest.importorskip('apache_beam', reason=NEEDS_BEAM)
  from audioset_ml.missing_labels.beam_thresholds import find_thresholds

  config = RunConfig(runner='DirectRunner')
  np.save(tmp_path / 'scores.npy', np.array([[0.5], [np.nan]], np.float32))
  labels = table_of(np.zeros((2, 1), np.int8))
  with pytest.raises(RecordError, match='NaN'):
    find_thresholds(
      tmp_path / 'scores.npy', labels, PERCENTS, tmp_path / 'work', config
    )
