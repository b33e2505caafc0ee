"""Detection metrics, against sed_scores_eval called on all classes at once."""

import numpy as np
import pandas as pd
import pytest

from audioset_ml.core.errors import InputError
from audioset_ml.evaluation import detection
from audioset_ml.labels.formats import STRONG_COLUMNS

HOP = 0.48


@pytest.fixture(scope='module')
def library():
  return pytest.importorskip('sed_scores_eval', reason='`make detection` installs it')


def events_of(*rows) -> pd.DataFrame:
  return pd.DataFrame(rows, columns=list(STRONG_COLUMNS))


@pytest.fixture(scope='module')
def data():
  """Events of five classes in twelve clips, scores that know of them, and lengths."""
  random = np.random.default_rng(0)
  scores, rows, seconds = {}, [], {}
  for number in range(12):
    clip_id = f'clip{number}_0'
    seconds[clip_id] = 6.0
    scores[clip_id] = 0.3 * random.random((12, 5)).astype(np.float32)
    for index in random.choice(5, 2, replace=False):
      start = random.integers(0, 8) * HOP
      end = start + random.integers(1, 5) * HOP
      rows.append((clip_id, start, end, f'/m/{index}'))
      first, last = round(start / HOP), round(end / HOP)
      scores[clip_id][first:last, index] += 0.5 * random.random()
  return scores, seconds, events_of(*rows)


@pytest.mark.optional
def test_classes_taken_in_parts_give_what_all_at_once_give(library, data, monkeypatch):
  scores, seconds, events = data
  mids = [f'/m/{index}' for index in range(5)]
  monkeypatch.setattr(detection, '_CLASSES_AT_ONCE', 2)
  found = detection.evaluate_detection(scores, seconds, events, mids, HOP)
  timelines = {
    clip_id: detection.timeline(values, range(5), seconds[clip_id], HOP)
    for clip_id, values in scores.items()
  }
  truth = {clip_id: [] for clip_id in scores}
  for row in detection.merge_touching(events, seconds).itertuples():
    truth[row.segment_id].append((row.start, row.end, row.label.removeprefix('/m/')))
  from sed_scores_eval import intersection_based, segment_based

  psds, by_class, *_ = intersection_based.psds(
    timelines, truth, seconds, dtc_threshold=0.7, gtc_threshold=0.7, alpha_st=1.0
  )
  assert found.summary['psds1'] == pytest.approx(psds, abs=1e-12)
  assert 0 < psds < 1
  f1 = segment_based.fscore(timelines, truth, seconds, 0.5, segment_length=1.0)[0]
  best = segment_based.best_fscore(timelines, truth, seconds, segment_length=1.0)[0]
  assert found.summary['segment_f1'] == pytest.approx(f1['macro_average'])
  assert found.summary['segment_f1_best'] == pytest.approx(best['macro_average'])
  for index in range(5):
    assert found.per_class.loc[index, 'psds1'] == pytest.approx(by_class[str(index)])
    assert found.per_class.loc[index, 'segment_f1'] == pytest.approx(f1[str(index)])


@pytest.mark.optional
def test_a_perfect_detector_has_a_score_of_one(library):
  scores = {'a_0': np.zeros((11, 1), np.float32), 'b_0': np.zeros((11, 1), np.float32)}
  scores['a_0'][2:5] = 1.0
  found = detection.evaluate_detection(
    scores,
    {'a_0': 5.76, 'b_0': 5.76},
    events_of(('a_0', 2 * HOP, 6 * HOP, '/m/x')),
    ['/m/x'],
    HOP,
  )
  assert found.summary['psds1'] == pytest.approx(1.0)
  assert found.summary['segment_f1_best'] == pytest.approx(1.0)


def test_a_hop_has_the_mean_of_the_patches_over_it():
  patches = np.array([[0.2, 1.0], [0.4, 0.0]])
  table = detection.timeline(patches, [3, 7], 1.2, HOP)
  assert table.columns.tolist() == ['onset', 'offset', '3', '7']
  assert table['onset'].tolist() == pytest.approx([0, 0.48, 0.96])
  assert table['offset'].tolist() == pytest.approx([0.48, 0.96, 1.2])
  assert table['3'].tolist() == pytest.approx([0.2, 0.3, 0.4])
  assert table['7'].tolist() == pytest.approx([1.0, 0.5, 0.0])


def test_touching_events_are_one_and_end_with_their_clip():
  merged = detection.merge_touching(
    events_of(
      ('a_0', 2.0, 3.0, 'x'),
      ('a_0', 0.0, 1.0, 'x'),
      ('a_0', 1.0, 2.0, 'x'),
      ('a_0', 4.0, 9.0, 'x'),
      ('a_0', 4.5, 5.0, 'x'),
      ('a_0', 0.5, 1.5, 'y'),
      ('b_0', 0.5, 1.5, 'x'),
      ('b_0', 6.0, 7.0, 'x'),
    ),
    {'a_0': 8.0, 'b_0': 5.0},
  )
  assert merged.to_numpy().tolist() == [
    ['a_0', 'x', 0.0, 3.0],
    ['a_0', 'x', 4.0, 8.0],
    ['a_0', 'y', 0.5, 1.5],
    ['b_0', 'x', 0.5, 1.5],
  ]


@pytest.mark.optional
def test_nothing_to_detect_is_an_error(library):
  scores = {'a_0': np.zeros((3, 1))}
  with pytest.raises(InputError, match='no events'):
    detection.evaluate_detection(
      scores, {'a_0': 2.0}, events_of(('b_0', 0.0, 1.0, '/m/x')), ['/m/x'], HOP
    )
