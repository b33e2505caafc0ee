"""Events from scores, against a plain reading of the rules cell by cell."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audioset_ml.core.errors import InputError
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.models import events
from audioset_ml.models.events import EventConfig

CLASSES = ClassMap(('/m/a', '/m/b', '/m/c'), ('Bark', 'Rain', 'Siren'))


def plain_events(cells, threshold, hop, seconds, config):
  """Start and end of the events of one class."""
  number = max(1, int(np.ceil(seconds / hop - 1e-6)))
  active = [score >= threshold for score in cells[:number]]
  half = round(config.median_seconds / hop) // 2
  filtered = []
  for place in range(len(active)):
    around = active[max(0, place - half) : place + half + 1]
    on, off = around.count(True), around.count(False)
    filtered.append(active[place] if on == off else on > off)
  spans = []
  for place, on in enumerate(filtered):
    if not on:
      continue
    start, end = place * hop, min((place + 1) * hop, seconds)
    if place == len(filtered) - 1:
      end = seconds
    if spans and start - spans[-1][1] <= max(config.merge_seconds, 0) + 1e-6 * hop:
      spans[-1][1] = end
    else:
      spans.append([start, end])
  return [span for span in spans if span[1] - span[0] >= config.min_seconds - 1e-6]


@given(
  scores=st.lists(st.sampled_from([0.1, 0.4, 0.5, 0.9]), min_size=1, max_size=30),
  seconds=st.floats(0.1, 15),
  median=st.sampled_from([0, 1, 1.5, 2.5, 1e300]),
  merge=st.sampled_from([0, 0.5, 1, 2.2]),
  least=st.sampled_from([0, 0.5, 1.2]),
)
def test_events_are_what_the_rules_say(scores, seconds, median, merge, least):
  config, hop = EventConfig(median, merge, least), 0.5
  cells = np.array(scores)[:, np.newaxis]
  found = events.find_events(cells, [7], np.array([0.5]), hop, seconds, config)
  expected = plain_events(scores, 0.5, hop, seconds, config)
  assert [event.class_index for event in found] == [7] * len(found)
  got = np.array([(event.start, event.end) for event in found]).reshape(-1, 2)
  np.testing.assert_allclose(got, np.array(expected).reshape(-1, 2), atol=1e-9)
  for event in found:
    assert event.end <= seconds
    assert event.score == max(
      scores[round(event.start / hop) : int(np.ceil(event.end / hop - 1e-6))]
    )


@given(st.integers(1, 20), st.sampled_from([0.48, 0.96, 0.1, 0.24]), st.integers(0, 99))
def test_cells_are_means_of_the_patches_over_them(number, hop, seed):
  window = 0.96
  patches = np.random.default_rng(seed).uniform(size=(number, 2))
  cells = events.cell_scores(patches, hop, window)
  for cell in range(len(cells)):
    middle = (cell + 0.5) * hop
    over = [i for i in range(number) if i * hop <= middle < i * hop + window - 1e-9]
    over = over or [number - 1]
    np.testing.assert_allclose(cells[cell], patches[over].mean(axis=0))
  assert len(cells) * hop >= (number - 1) * hop + window - hop / 2 - 1e-9


@given(
  scores=st.lists(
    st.sampled_from([-np.inf, 0.1, 0.4, 0.5, 0.9]), min_size=1, max_size=20
  ),
  length=st.integers(0, 45),
  threshold=st.sampled_from([0.1, 0.4, 0.45, 0.5, 0.9]),
)
def test_a_filter_over_scores_leaves_the_cells_active_that_one_over_events_does(
  scores, length, threshold
):
  cells, number = np.array(scores)[:, np.newaxis], len(scores)
  filtered = events.median_scores(cells, length)
  thresholds, config = np.array([threshold]), EventConfig(median_seconds=length)
  plain = events.find_events(filtered, [0], thresholds, 1.0, number)
  found = events.find_events(cells, [0], thresholds, 1.0, number, config)
  spans = [[(event.start, event.end) for event in one] for one in (plain, found)]
  assert spans[0] == spans[1]


def test_thresholds_of_classes_are_read(tmp_path):
  path = tmp_path / 'thresholds.csv'
  pd.DataFrame(
    {'mid': ['/m/c', '/m/x', '/m/a', '/m/b'], 'threshold': [0.25, 0.5, 1.0, None]}
  ).to_csv(path, index=False)
  thresholds, number = events.read_thresholds(path, CLASSES)
  assert thresholds.tolist() == [1.0, np.inf, 0.25]
  assert number == 2


@pytest.mark.parametrize(
  ('text', 'message'),
  [
    ('mid,score\n/m/a,1\n', 'no column threshold'),
    ('mid,threshold\n/m/a,much\n', 'row 2: the threshold much is no'),
    ('mid,threshold\n/m/b,.5\n/m/a,1.5\n', 'row 3: the threshold 1.5'),
    ('mid,threshold\n/m/a,.5\n/m/b,.5\n/m/a,.4\n', 'row 4: the class /m/a stands'),
    (f'mid,threshold\n/m/a,{"9" * 5000}\n', r'row 2: the threshold .{,130} is no'),
    ('mid,threshold\n/m/x,.5\n', "any of the model's classes"),
    ('', 'cannot be read'),
  ],
)
def test_wrong_thresholds(tmp_path, text, message):
  path = tmp_path / 'thresholds.csv'
  path.write_text(text)
  with pytest.raises(InputError, match=message):
    events.read_thresholds(path, CLASSES)
