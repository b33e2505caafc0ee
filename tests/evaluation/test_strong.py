"""Strong evaluation: labels of frames, and a plain twin of all that follows."""

import math

import numpy as np
import pandas as pd
import pytest
import sklearn.metrics
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from audioset_ml.core.errors import InputError, LabelError
from audioset_ml.evaluation import bootstrap, metrics, reference
from audioset_ml.evaluation.frame_labels import FrameLabels, FrameState
from audioset_ml.evaluation.strong import evaluate_strong
from audioset_ml.labels import formats
from audioset_ml.labels.class_map import ClassMap, read_display_names
from audioset_ml.labels.framing import FrameGrid, frame_table
from audioset_ml.labels.label_rows import NOT_PRESENT, PRESENT
from tests.labels.test_unmarked import unmarked_of

CLASS_MAP = ClassMap(mids=('/m/a', '/m/b', '/m/c'), names=('A', 'B', 'C'))
GRID = FrameGrid()
EXACT = 1e-12


def rows_of(clip_id, mid, states, first=0):
  """Rows of consecutive frames; None where nothing is known of a frame."""
  return [
    (clip_id, *GRID.bounds(frame), mid, state)
    for frame, state in enumerate(states, first)
    if state is not None
  ]


def framed(*parts):
  rows = [row for part in parts for row in part]
  return pd.DataFrame(rows, columns=formats.FRAMED_COLUMNS)


def frame_labels(table, clip_ids, frames):
  return FrameLabels.from_table(
    table, clip_ids, np.array(frames, int), CLASS_MAP, GRID, 'framed.tsv'
  )


def listed(labels):
  """(clip, frame, class): state."""
  return {
    (int(labels.clips[row]), int(labels.frames[row]), int(index)): FrameState(state)
    for row, index, state in zip(
      labels.rows, labels.classes, labels.states, strict=True
    )
  }


@st.composite
def framed_clips(draw):
  """A table of framed labels, with rows that can't be used; clips; frames; scores."""
  clip_ids = [f'clip{number}_0' for number in range(draw(st.integers(1, 4)))]
  frames = [draw(st.integers(0, 4)) for _ in clip_ids]
  known = st.sampled_from([PRESENT, NOT_PRESENT, None])
  rows = []
  for clip_id, count in zip(clip_ids, frames, strict=True):
    for mid in CLASS_MAP.mids:
      kind = draw(st.sampled_from(['unknown', 'refuted', 'mixed', 'mixed']))
      states = [NOT_PRESENT] * count
      if kind == 'mixed':
        states = draw(st.lists(known, min_size=count, max_size=count))
      if kind != 'unknown':
        rows += rows_of(clip_id, mid, states)
        rows += rows_of(clip_id, mid, draw(st.sampled_from([[], [NOT_PRESENT]])), count)
  rows += rows_of('other_0', '/m/a', draw(st.lists(known, max_size=2)))
  rows += rows_of(clip_ids[0], '/m/other', draw(st.lists(known, max_size=2)))
  table = framed(draw(st.permutations(rows)))
  score = st.integers(0, 4).map(float)
  scores = [
    [[draw(score) for _ in CLASS_MAP.mids] for _ in range(count)] for count in frames
  ]
  return table, clip_ids, frames, scores


def in_order(scores, labels):
  """The scores of the frames that the labels number."""
  rows = [
    scores[clip][frame] for clip, frame in zip(labels.clips, labels.frames, strict=True)
  ]
  return np.array(rows, float).reshape(len(rows), len(CLASS_MAP))


def plain_states(table, clip_ids, frames):
  """What is known of each (clip, frame, class), one row after the other."""
  rows = list(table.itertuples(index=False, name=None))
  with_positive = {(row[0], row[3]) for row in rows if row[4] == PRESENT}
  states = {}
  unused = dict.fromkeys(
    ('labels_of_other_clips', 'labels_of_other_classes', 'labels_beyond_the_sound'), 0
  )
  for clip_id, start, _, mid, present in rows:
    frame = round(start / 0.96)
    if clip_id not in clip_ids:
      unused['labels_of_other_clips'] += 1
    elif mid not in CLASS_MAP.mids:
      unused['labels_of_other_classes'] += 1
    elif frame >= frames[clip_ids.index(clip_id)]:
      unused['labels_beyond_the_sound'] += 1
    else:
      state = FrameState.POSITIVE
      if present != PRESENT:
        state = FrameState.EXPLICIT_NEGATIVE
        if (clip_id, mid) in with_positive:
          state = FrameState.COMPLEMENTARY_NEGATIVE
      states[clip_ids.index(clip_id), frame, CLASS_MAP.index_of[mid]] = state
  return states, unused


def plain_values(states, scores, index):
  """One class's values, by their definitions."""
  of = {kind: [] for kind in FrameState}
  for (clip, frame, label), state in states.items():
    if label == index:
      of[state].append(scores[clip][frame][index])
  positives = of[FrameState.POSITIVE]
  found = {}
  for name, kind in (
    ('explicit', FrameState.EXPLICIT_NEGATIVE),
    ('complementary', FrameState.COMPLEMENTARY_NEGATIVE),
  ):
    auc = reference.roc_auc(positives, of[kind])
    found[f'auc_{name}'] = auc
    found[f'd_prime_{name}'] = reference.d_prime(auc, len(positives), len(of[kind]))
    found[f'{name}_negatives'] = len(of[kind])
  found['positives'] = len(positives)
  found['auc'] = (found['auc_explicit'] + found['auc_complementary']) / 2
  pooled = [score for kind in FrameState if kind for score in of[kind]]
  found['auc_pooled'] = reference.roc_auc(positives, pooled)
  found['d_prime_pooled'] = reference.d_prime(
    found['auc_pooled'], len(positives), len(pooled)
  )
  negatives = found['explicit_negatives'] + found['complementary_negatives']
  found['d_prime'] = reference.d_prime(found['auc'], len(positives), negatives)
  if not math.isnan(found['auc']):
    # The same, said otherwise: both kinds of negatives have the same total weight.
    below = [of[kind] for kind in FrameState if kind != FrameState.POSITIVE]
    weights = [1] * len(positives) + [1 / len(part) for part in below for _ in part]
    weighted = sklearn.metrics.roc_auc_score(
      [1] * len(positives) + [0] * negatives,
      positives + below[0] + below[1],
      sample_weight=weights,
    )
    assert found['auc'] == pytest.approx(weighted, abs=EXACT)
  return found


def plain_lwlrap(states, scores):
  """Over the frames that have a positive; all classes are ranked."""
  frames = sorted({k[:2] for k, s in states.items() if s == FrameState.POSITIVE})
  positive = [
    [states.get((*frame, i)) == FrameState.POSITIVE for i in range(len(CLASS_MAP))]
    for frame in frames
  ]
  return reference.lwlrap([scores[clip][frame] for clip, frame in frames], positive)


@given(framed_clips())
def test_labels_of_frames_are_those_of_the_table(data):
  table, clip_ids, frames, _ = data
  labels = frame_labels(table, clip_ids, frames)
  states, unused = plain_states(table, clip_ids, frames)
  assert listed(labels) == states
  assert labels.counts == unused
  # The numbered frames: all that have scores, of each clip with labels.
  clips = sorted({clip for clip, _, _ in states})
  expected = [(clip, frame) for clip in clips for frame in range(frames[clip])]
  assert list(zip(labels.clips, labels.frames, strict=True)) == expected


@given(framed_clips())
def test_values_equal_those_of_a_plain_twin(data):
  table, clip_ids, frames, scores = data
  labels = frame_labels(table, clip_ids, frames)
  states, unused = plain_states(table, clip_ids, frames)
  assume(FrameState.POSITIVE in states.values())
  found = evaluate_strong(in_order(scores, labels), labels, CLASS_MAP)
  expected = pd.DataFrame([plain_values(states, scores, i) for i in range(3)])
  expected['lwlrap'] = plain_lwlrap(states, scores)
  assert set(found.per_class) == {*expected, 'mid', 'display_name'}
  for name, column in expected.items():
    value = found.per_class[name].to_numpy()
    assert value == pytest.approx(column.to_numpy(), abs=1e-9, nan_ok=True), name
    if not name.endswith(('positives', 'negatives')):
      mean = None if column.isna().all() else column.mean()
      assert found.summary[name] == pytest.approx(mean, abs=1e-9)
  kinds = ('', '_explicit', '_complementary', '_pooled')
  for name in (*(f'd_prime{kind}' for kind in kinds), 'lwlrap'):
    assert found.summary[f'classes_in_{name}'] == expected[name].notna().sum()
  assert found.summary['frames'] == len(labels.clips)
  assert found.summary['clips'] == len({clip for clip, _, _ in states})
  assert found.summary.items() >= unused.items()


# c is a kind of b, and both are kinds of a.
IMPLIED = np.array([[False, False, False], [True, False, False], [True, True, False]])


def plain_smeared(states, frames):
  """Label smearing of frames in words, one label after the other."""
  found, changed = dict(states), set()
  for (clip, frame, index), state in states.items():
    for above in np.flatnonzero(IMPLIED[index]).tolist():
      old = states.get((clip, frame, above))
      refuted = old == FrameState.EXPLICIT_NEGATIVE
      if state == FrameState.POSITIVE and not refuted and old != FrameState.POSITIVE:
        found[clip, frame, above] = FrameState.POSITIVE
        changed.add((clip, above))
  for clip, above in changed:
    for frame in range(frames[clip]):
      if found.get((clip, frame, above)) != FrameState.POSITIVE:
        found[clip, frame, above] = FrameState.COMPLEMENTARY_NEGATIVE
  return found


@given(framed_clips())
def test_ancestors_have_the_frames_of_their_kinds(data):
  table, clip_ids, frames, _ = data
  labels = frame_labels(table, clip_ids, frames)
  states, _ = plain_states(table, clip_ids, frames)
  found = labels.smeared(IMPLIED)
  assert listed(found) == plain_smeared(states, frames)
  assert len(listed(found)) == len(found.rows)
  assert listed(labels) == states  # which are left as they were


@st.composite
def events_and_ratings(draw):
  """Events in two clips, and what was refuted of them for the whole clip."""
  clip_ids, mids = ['x_0', 'y_0'], CLASS_MAP.mids
  pairs = st.tuples(st.sampled_from(clip_ids), st.sampled_from(mids))
  times = st.tuples(st.integers(0, 9000), st.integers(1, 2500))
  events = draw(st.lists(st.tuples(pairs, times), min_size=1, max_size=8))
  rows = [(c, a / 1000, (a + n) / 1000, mid) for (c, mid), (a, n) in events]
  own = {pair for pair, _ in events}
  refuted = set(draw(st.lists(pairs, max_size=3))) - own
  ratings = [(*pair, NOT_PRESENT) for pair in sorted(refuted)]
  return (
    pd.DataFrame(rows, columns=formats.STRONG_COLUMNS),
    pd.DataFrame(ratings, columns=formats.EXPLICIT_COLUMNS),
  )


@given(events_and_ratings())
def test_smearing_frames_is_framing_smeared_events(data):
  """The 50 % rule asks of single events: an ancestor's are those of its kinds."""
  events, ratings = data
  refuted = set(ratings[['segment_id', 'label']].itertuples(index=False, name=None))
  added = [
    (*row[:3], CLASS_MAP.mids[above])
    for row in events.itertuples(index=False, name=None)
    for above in np.flatnonzero(IMPLIED[CLASS_MAP.index_of[row[3]]])
    if (row[0], CLASS_MAP.mids[above]) not in refuted
  ]
  more = pd.DataFrame(added, columns=formats.STRONG_COLUMNS).astype(events.dtypes)
  clip_ids, frames = ['x_0', 'y_0'], [10, 10]
  after = frame_labels(frame_table(events, ratings), clip_ids, frames).smeared(IMPLIED)
  before = frame_table(pd.concat([events, more], ignore_index=True), ratings)
  assert listed(after) == listed(frame_labels(before, clip_ids, frames))


@pytest.mark.long
@given(framed_clips(), st.data())
def test_unmarked_classes_are_negatives_of_all_frames(data, more):
  """As if they stood in the table; also when their kinds are smeared."""
  table, clip_ids, frames, scores = data
  known = set(zip(table['segment_id'], table['label'], strict=True))
  lacking = more.draw(hnp.arrays(bool, (len(clip_ids), 3)))
  for clip, clip_id in enumerate(clip_ids):
    for index, mid in enumerate(CLASS_MAP.mids):
      lacking[clip, index] &= (clip_id, mid) not in known
  rows = [
    row
    for clip, index in np.argwhere(lacking)
    for row in rows_of(
      clip_ids[clip], CLASS_MAP.mids[index], [NOT_PRESENT] * frames[clip]
    )
  ]
  whole = framed([*table.itertuples(index=False, name=None), *rows])
  expected = frame_labels(whole, clip_ids, frames)
  labels = FrameLabels.from_table(
    table,
    clip_ids,
    np.array(frames, int),
    CLASS_MAP,
    GRID,
    unmarked=unmarked_of(lacking),
  )
  assert np.array_equal(labels.clips, expected.clips)
  by_class = zip(labels.by_class(3), expected.by_class(3), strict=True)
  for one, other in by_class:
    pairs = [sorted(zip(*found, strict=True)) for found in (one, other)]
    assert pairs[0] == pairs[1]
  assume(labels.has_positives)
  values = in_order(scores, labels)
  found, listed_ = (
    evaluate_strong(values, one, CLASS_MAP, np.ones((len(clip_ids), 2), np.float32))
    for one in (labels, expected)
  )
  pd.testing.assert_frame_equal(found.table(), listed_.table())
  assert found.summary == listed_.summary
  # An ancestor that was only not marked is one of its kind, where that is.
  for (clip, frame, index), state in listed(labels.smeared(IMPLIED)).items():
    assert not (lacking[clip, index] and state == FrameState.EXPLICIT_NEGATIVE)
    if lacking[clip, index]:
      assert not labels.smeared(IMPLIED).unmarked.hold([clip], [index])[0]
      assert frame < frames[clip]


def test_the_kinds_of_negatives_by_hand():
  table = framed(
    rows_of('x_0', '/m/a', [PRESENT, NOT_PRESENT, NOT_PRESENT]),
    rows_of('y_0', '/m/a', [NOT_PRESENT, NOT_PRESENT]),
    rows_of('x_0', '/m/b', [PRESENT, NOT_PRESENT]),
  )
  labels = frame_labels(table, ['x_0', 'nothing_0', 'y_0'], [3, 3, 2])
  assert labels.clips.tolist() == [0, 0, 0, 2, 2]
  assert labels.frames.tolist() == [0, 1, 2, 0, 1]
  scores = np.array([[5, 9, 0], [7, 3, 0], [1, 0, 0], [2, 0, 0], [6, 0, 0.0]])
  found = evaluate_strong(scores, labels, CLASS_MAP)
  one = found.per_class.iloc[0]
  assert (one['auc_complementary'], one['auc_explicit']) == (1 / 2, 1 / 2)
  assert one[
    ['positives', 'explicit_negatives', 'complementary_negatives']
  ].tolist() == [
    1,
    2,
    2,
  ]
  # Class b lacks explicit negatives, so it is left out of d′, but not of its part.
  other = found.per_class.iloc[1]
  assert math.isnan(other['d_prime'])
  assert other['auc_complementary'] == 1
  assert found.summary['classes_in_d_prime'] == 1
  assert found.summary['classes_in_d_prime_complementary'] == 2
  assert found.summary['d_prime'] == pytest.approx(0)
  # Frame 0 of x is a and b, and b leads.
  assert found.summary['lwlrap'] == 1
  assert found.summary['classes_in_lwlrap'] == 2
  assert found.summary['clips'] == 2


def test_kinds_count_alike_however_many_frames_they_have():
  table = framed(
    rows_of('x_0', '/m/a', [PRESENT, NOT_PRESENT]),
    rows_of('y_0', '/m/a', [NOT_PRESENT] * 10),
  )
  labels = frame_labels(table, ['x_0', 'y_0'], [2, 10])
  scores = np.zeros((12, 3))
  scores[:, 0] = [1, 2, *[0] * 10]  # below its clip's other frame, above the refuted
  found = evaluate_strong(scores, labels, CLASS_MAP).summary
  assert (found['auc_complementary'], found['auc_explicit'], found['auc']) == (
    0,
    1,
    0.5,
  )
  assert found['auc_pooled'] == pytest.approx(10 / 11)  # ten of eleven are below


def test_replicates_are_evaluations_of_the_clips_drawn():
  random = np.random.default_rng(0)
  clips, count = 12, 4
  states = random.choice([PRESENT, NOT_PRESENT], (clips, 3, count), p=[0.4, 0.6])
  states[::3] = NOT_PRESENT
  scores = random.random((clips, count, 3)).round(1)

  def evaluated(drawn, weights=None):
    names = [f'{place}_0' for place in range(len(drawn))]
    parts = [
      rows_of(name, mid, states[clip, index])
      for name, clip in zip(names, drawn, strict=True)
      for index, mid in enumerate(CLASS_MAP.mids)
    ]
    labels = frame_labels(framed(*parts), names, [count] * len(drawn))
    return evaluate_strong(scores[drawn].reshape(-1, 3), labels, CLASS_MAP, weights)

  weights = bootstrap.clip_weights(clips, 5, 1)
  found = evaluated(np.arange(clips), weights)
  assert found.summary == evaluated(np.arange(clips)).summary
  for replicate, times in enumerate(weights.T.astype(int)):
    again = evaluated(np.repeat(np.arange(clips), times))
    for name, values in found.replicates.summary.items():
      assert values[replicate] == pytest.approx(again.summary[name], abs=1e-6), name
    for name, values in found.replicates.per_class.items():
      # Classes with fewer than five clips of a kind have none.
      known = np.isfinite(values[replicate])
      expected = again.per_class[name].to_numpy()[known]
      assert values[replicate][known] == pytest.approx(expected, abs=1e-5), name
  low, high = found.intervals()['d_prime']
  assert low < found.summary['d_prime'] < high


def test_labels_that_cannot_be_used_are_counted():
  table = framed(
    rows_of('x_0', '/m/a', [PRESENT, NOT_PRESENT, NOT_PRESENT, NOT_PRESENT]),
    rows_of('x_0', '/m/other', [PRESENT] * 3),
    rows_of('elsewhere_0', '/m/a', [PRESENT]),
    rows_of('elsewhere_0', '/m/other', [PRESENT] * 9),
  )
  labels = frame_labels(table, ['x_0', 'y_0'], [2, 5])
  assert labels.counts == {
    'labels_of_other_clips': 10,
    'labels_of_other_classes': 3,
    'labels_beyond_the_sound': 2,
  }
  assert len(labels.rows) == 2
  found = evaluate_strong(np.eye(2, 3), labels, CLASS_MAP)
  assert found.summary.items() >= labels.counts.items()


def test_negatives_of_a_clip_with_a_positive_beyond_the_sound_are_complementary():
  """No person refuted the class; its sound begins where the clip's sound is cut."""
  table = framed(rows_of('x_0', '/m/a', [NOT_PRESENT, NOT_PRESENT, PRESENT]))
  labels = frame_labels(table, ['x_0'], [2])
  assert FrameState.EXPLICIT_NEGATIVE not in labels.states


def test_no_clips_at_all_have_no_frames():
  table = framed(rows_of('x_0', '/m/a', [PRESENT]))
  labels = frame_labels(table, [], [])
  assert labels.counts['labels_of_other_clips'] == 1
  assert len(labels.clips) == len(labels.rows) == 0
  assert len(frame_labels(table.iloc[:0], ['x_0'], [3]).clips) == 0


@pytest.mark.parametrize(
  ('start', 'end'),
  [(0.5, 1.46), (0.96, 2.88), (0.0, 0.5), (0.9575, 1.92), (0.96, 1.9225)],
)
def test_a_row_off_the_grid_is_an_error(tmp_path, start, end):
  path = tmp_path / 'framed.tsv'
  lines = [
    '\t'.join(formats.FRAMED_COLUMNS),
    'x_0\t0.0\t0.96\t/m/a\tPRESENT',
    f'x_0\t{start}\t{end}\t/m/a\tPRESENT',
  ]
  path.write_text('\n'.join(lines) + '\n')
  table = formats.read_framed_tsv(path)
  message = rf'framed.tsv, row 3: {start:g} to {end:g} s is no frame: such a row'
  with pytest.raises(LabelError, match=message) as error:
    FrameLabels.from_table(table, ['x_0'], np.array([5]), CLASS_MAP, GRID, path)
  assert str(error.value).startswith(str(path))


def test_times_may_be_rounded_to_thousandths():
  grid = FrameGrid(frame_ms=975)
  table = framed([('x_0', 0.975, 1.95, '/m/a', PRESENT)])
  table['start_time_seconds'] += 0.0009
  labels = FrameLabels.from_table(table, ['x_0'], np.array([5]), CLASS_MAP, grid)
  assert labels.rows.tolist() == [1]
  with pytest.raises(LabelError, match=r'multiples of 0\.96 s'):
    FrameLabels.from_table(table, ['x_0'], np.array([5]), CLASS_MAP, GRID)


def test_scores_that_cannot_be_ranked_are_an_error():
  table = framed(rows_of('x_0', '/m/a', [PRESENT, NOT_PRESENT]))
  labels = frame_labels(table, ['x_0'], [2])
  scores = np.zeros((2, 3))
  scores[1, 2] = np.nan
  with pytest.raises(InputError, match='example 1, class 2 is NaN'):
    evaluate_strong(scores, labels, CLASS_MAP)


def test_no_positive_frame_is_an_error():
  labels = frame_labels(framed(rows_of('x_0', '/m/a', [NOT_PRESENT])), ['x_0'], [1])
  with pytest.raises(InputError, match='no frame has a positive label'):
    evaluate_strong(np.zeros((1, 3)), labels, CLASS_MAP)


def test_googles_framed_file_says_what_its_events_do(shared_data):
  folder = shared_data('audioset_strong')
  names = read_display_names(folder / 'mid_to_display_name.tsv')
  class_map = ClassMap(tuple(names), tuple(names.values()))
  google = folder / 'audioset_eval_strong_framed_posneg_subset.tsv'
  read = formats.read_framed_tsv(google)
  events = formats.read_strong_tsv(folder / 'audioset_eval_strong_subset.tsv')
  clip_ids = sorted(set(read['segment_id']))
  frames = np.full(len(clip_ids), GRID.frames)
  positives = []
  for table in (read, frame_table(events)):
    labels = FrameLabels.from_table(table, clip_ids, frames, class_map, GRID, google)
    assert labels.counts['labels_beyond_the_sound'] == 0
    present = {k for k, s in listed(labels).items() if s == FrameState.POSITIVE}
    positives.append(present)
  assert len(positives[0]) == 581
  assert positives[0] == positives[1]
  # Of these, the other frames are complementary negatives.
  assert set(labels.states) == {
    FrameState.POSITIVE,
    FrameState.COMPLEMENTARY_NEGATIVE,
  }
  assert len(labels.clips) == 10 * len(clip_ids)


def test_a_planted_d_prime_is_found():
  """Both kinds of negatives, at their own distances."""
  random = np.random.default_rng(0)
  clips, count = 400, 10
  parts, scores = [], np.zeros((clips, count, 3))
  for clip in range(clips):
    states = np.full(count, NOT_PRESENT)
    base = random.standard_normal(count)
    if clip % 2:
      states[: count // 2] = PRESENT
      base += 1.0  # alike within a clip that has the sound
      base[: count // 2] += 1.0
    scores[clip, :, 0] = base
    parts.append(rows_of(f'{clip}_0', '/m/a', states))
  names = [f'{clip}_0' for clip in range(clips)]
  labels = frame_labels(framed(*parts), names, [count] * clips)
  found = evaluate_strong(scores.reshape(-1, 3), labels, CLASS_MAP).summary
  assert found['d_prime_explicit'] == pytest.approx(2, abs=0.15)
  assert found['d_prime_complementary'] == pytest.approx(1, abs=0.15)
  between = metrics.d_prime(np.array([found['auc']]), [10**9], [1])
  assert found['d_prime'] == pytest.approx(between[0], abs=1e-6)
  assert found['auc'] == pytest.approx(
    (found['auc_explicit'] + found['auc_complementary']) / 2
  )
