"""So many clips of each class: the rule, on generated labels and on AudioSet's."""

import numpy as np
import pandas as pd
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st

from audioset_ml.core.hashing import stable_hash
from audioset_ml.labels import segments
from audioset_ml.labels.clip_choice import choose_by_class

CLIPS = [f'clip{number}_0' for number in range(400)]


def matrix_of(labels, classes):
  """Of each clip's classes. Shape [clips, classes]."""
  matrix = np.zeros((len(labels), classes), np.int64)
  for row, listed in enumerate(labels):
    matrix[row, list(listed)] = 1
  return matrix


def choose(matrix, number, clip_ids=CLIPS):
  clip_ids = clip_ids[: len(matrix)]
  found = choose_by_class(scipy.sparse.csr_array(matrix), clip_ids, number)
  return {clip_ids[row] for row in found}


def plain_choice(matrix, number):
  """The rule read aloud: clip by clip, the rarest class first."""
  counts, chosen = matrix.sum(axis=0), set()
  for index in sorted(range(matrix.shape[1]), key=lambda c: (counts[c], c)):
    having = [row for row in range(len(matrix)) if matrix[row, index]]
    having.sort(key=lambda row: stable_hash(f'choice of {CLIPS[row]}'))
    for row in having:
      if sum(one in chosen for one in having) >= min(number, len(having)):
        break
      chosen.add(row)
  return {CLIPS[row] for row in chosen}


LABELS = st.lists(st.sets(st.integers(0, 4), max_size=3), min_size=1, max_size=40)


@given(labels=LABELS, number=st.integers(1, 8))
def test_every_class_has_its_number_or_all_it_has(labels, number):
  matrix = matrix_of(labels, 5)
  chosen = choose(matrix, number)
  assert chosen == plain_choice(matrix, number)
  found = matrix[[clip in chosen for clip in CLIPS[: len(matrix)]]].sum(axis=0)
  assert (found >= np.minimum(matrix.sum(axis=0), number)).all()


@given(labels=LABELS, number=st.integers(1, 8), seed=st.integers(0, 99))
def test_the_order_of_the_clips_does_not_matter(labels, number, seed):
  matrix = matrix_of(labels, 5)
  order = np.random.default_rng(seed).permutation(len(matrix))
  shuffled = [CLIPS[row] for row in order]
  assert choose(matrix[order], number, shuffled) == choose(matrix, number)


def test_clips_of_rarer_classes_count_for_frequent_ones():
  # 300 clips of class 0; 30 of them with class 1, too, and 5 with class 2.
  matrix = matrix_of([{0, *([1] * (n < 30)), *([2] * (n < 5))} for n in range(300)], 3)
  chosen = choose(matrix, 20)
  found = matrix[[clip in chosen for clip in CLIPS[:300]]].sum(axis=0)
  # The five of class 2 have 1 and 0; 15 more of class 1 make 20 of class 0.
  assert found.tolist() == [20, 20, 5]


def test_a_share_of_the_chosen_clips_is_like_all_of_them():
  """Shares of clips (--strong_fraction) go by another hash than the choice."""
  matrix = matrix_of([{0}] * 400, 1)
  chosen = choose(matrix, 100)
  share = [clip for clip in chosen if stable_hash(clip) < 2**62]  # a quarter
  assert 10 < len(share) < 40


def test_audiosets_clips_against_pandas(shared_data):
  """Every class of the evaluation set has 60 clips or all, and no class is above it
  without need: of the clips that a class took, each was taken for its lack."""
  found = segments.read_weak_csv(shared_data('audioset/eval_segments.csv'))
  labels = found.labels
  clip_ids = found.clips['clip_id'].tolist()
  mids, names = pd.factorize(labels['mid'])
  rows = pd.Series(range(len(clip_ids)), clip_ids)[labels['clip_id']].to_numpy()
  shape = len(clip_ids), len(names)
  matrix = scipy.sparse.csr_array((np.ones(len(rows), int), (rows, mids)), shape)
  chosen = np.array(clip_ids)[choose_by_class(matrix, clip_ids, 20)]
  there = labels.groupby('mid')['clip_id'].nunique()
  kept = labels[labels['clip_id'].isin(chosen)].groupby('mid')['clip_id'].nunique()
  assert (kept >= there.clip(upper=20)).all()
  assert len(chosen) < there.clip(upper=20).sum()
  # As in the paper, the most frequent labels exceed the number by far.
  assert kept.nlargest(2).index.tolist() == ['/m/04rlf', '/m/09x0r']  # Music, Speech
  assert kept.min() == 20
