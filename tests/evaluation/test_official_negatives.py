"""Explicit negatives of AudioSet's strong evaluation labels, against pandas and numpy.

The published events of 110 labels in 15,646 evaluation clips, whose annotators marked
every sound that they heard; 101 of the labels are classes.
"""

import collections
import csv
import functools
import json

import numpy as np
import pandas as pd
import pytest
import scipy.special
import scipy.stats

from audioset_ml.evaluation.frame_labels import FrameLabels
from audioset_ml.evaluation.strong import evaluate_strong
from audioset_ml.evaluation.weak import evaluate_weak
from audioset_ml.labels import formats, statistics
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.labels.framing import FrameGrid, frame_table
from audioset_ml.labels.join import read_labels
from audioset_ml.labels.label_files import LabelFiles
from audioset_ml.labels.ontology import Ontology, smear_labels
from audioset_ml.labels.states import LabelState, LabelTable
from tests.labels.test_unmarked import unmarked_of

FRAMES = 10


@pytest.fixture(scope='module')
def files(shared_data):
  return {
    'classes': shared_data('audioset/class_labels_indices.csv'),
    'weak': shared_data('audioset/eval_segments.csv'),
    'strong': shared_data('audioset_strong/audioset_eval_strong_110_classes.tsv'),
    'ontology': shared_data('audioset/ontology.json'),
  }


@pytest.fixture(scope='module')
def joined(files):
  return read_labels(
    LabelFiles(
      class_map=str(files['classes']),
      segments_csvs=(str(files['weak']),),
      strong_tsvs=(str(files['strong']),),
      complete_strong=True,
    )
  )


@pytest.fixture(scope='module')
def plain(files):
  """The files' rows and nothing of this package: events, weak pairs, mids, clips."""
  events = pd.read_csv(files['strong'], sep='\t')
  weak = []
  with open(files['weak'], newline='') as file:
    for row in csv.reader(file, skipinitialspace=True):
      if not row[0].startswith('#'):
        clip_id = f'{row[0]}_{round(1000 * float(row[1]))}'
        weak += [(clip_id, mid) for mid in row[3].split(',')]
  weak = pd.DataFrame(weak, columns=['segment_id', 'label'])
  mids = pd.read_csv(files['classes'])['mid'].tolist()
  return events, weak, mids


@pytest.fixture(scope='module')
def pairs(plain):
  """For the 15,646 clips and the 101 classes: whether there is an event, and a weak
  label. Both [clips, classes]; with the clips and the classes."""
  events, weak, mids = plain
  clips = sorted(events['segment_id'].unique())
  named = set(events['label'])
  used = [mid for mid in mids if mid in named]

  def matrix(table):
    found = pd.crosstab(table['segment_id'], table['label']) > 0
    return found.reindex(index=clips, columns=used, fill_value=False).to_numpy()

  return matrix(events), matrix(weak), clips, used


def d_prime(auc):
  return np.sqrt(2) * scipy.special.ndtri(auc)


def auc_of(above, below):
  """The area under the ROC curve from the rank sum; without ties."""
  ranks = scipy.stats.rankdata(np.concatenate([above, below]))
  wins = ranks[: len(above)].sum() - len(above) * (len(above) + 1) / 2
  return wins / (len(above) * len(below))


def test_every_class_has_the_negatives_that_pandas_counts(joined, pairs):
  marked, weak, clips, used = pairs
  assert marked.shape == (15_646, 101)
  lacking = ~marked & ~weak
  assert lacking.sum() == joined.labels.unmarked.total == 1_531_766
  table = statistics.class_table(joined).set_index('mid')['explicit_negatives']
  assert table[used].tolist() == lacking.sum(axis=0).tolist()
  assert table.sum() == 1_531_766  # and no other class has any
  # 39 % of the weak positives of these classes have no event of theirs, and stand.
  assert joined.counts['positives_without_event'] == (weak & ~marked).sum() == 6_099
  assert weak.sum() == 15_663
  assert joined.counts['complete_clips'] == len(clips)
  silent = (~marked.any(axis=1)).sum()
  assert joined.counts['complete_clips_without_events'] == silent == 101


@pytest.mark.long
def test_complete_labels_are_the_pairs_that_pandas_counts(files, plain, pairs):
  """All that was marked, and nothing else, of the clips that were annotated."""
  marked, weak, clips, used = pairs
  joined = read_labels(
    LabelFiles(
      class_map=str(files['classes']),
      segments_csvs=(str(files['weak']),),
      strong_tsvs=(str(files['strong']),),
      complete_strong=True,
      weak_labels='events',
    )
  )
  labels = joined.labels.weak
  ids = joined.labels.clips['clip_id'].to_numpy()[labels['clip']]
  mids = np.array(joined.class_map.mids)[labels['class_index']]
  annotated = np.isin(ids, clips) & np.isin(mids, used)
  found = pd.crosstab(ids[annotated], mids[annotated]) > 0
  found = found.reindex(index=clips, columns=used, fill_value=False)
  assert (found.to_numpy() == marked).all()
  assert annotated.sum() == marked.sum() == 42_381
  assert joined.counts['labels_of_events'] == (marked & ~weak).sum()
  assert joined.counts['positives_replaced'] == (weak & ~marked).sum() == 6_099
  assert joined.labels.unmarked.total == (~marked).sum()
  # All that was given of other classes and other clips stands.
  assert (~annotated).sum() == len(plain[1]) - weak.sum()


def table_of(joined):
  labels = joined.labels
  return LabelTable(
    tuple(labels.clips['clip_id']),
    len(joined.class_map),
    *(labels.weak[name].to_numpy() for name in ('clip', 'class_index', 'state')),
    labels.unmarked,
  )


def test_d_prime_of_clips_on_explicit_labels(joined, pairs):
  """Weak positives against clips in which the class was not marked."""
  marked, weak, clips, used = pairs
  class_map, table = joined.class_map, table_of(joined)
  columns = [class_map.index_of[mid] for mid in used]
  place = {clip_id: row for row, clip_id in enumerate(table.clip_ids)}
  rows = [place[clip_id] for clip_id in clips]
  random = np.random.default_rng(0)
  quality = np.linspace(0.5, 2.5, len(used))
  scores = random.normal(size=(len(table.clip_ids), len(class_map)))
  # Weak positives of clips without strong labels are explicit, too.
  every = table.dense()[:, columns] == LabelState.EXPLICIT_POSITIVE
  scores[:, columns] += quality * every
  found = evaluate_weak(scores, table, class_map)
  expected = []
  for place, index in enumerate(columns):
    above = scores[every[:, place], index]
    below = scores[rows, index][~marked[:, place] & ~weak[:, place]]
    expected.append(auc_of(above, below))
  values = found.per_class['d_prime'].to_numpy()[columns]
  assert values == pytest.approx(d_prime(np.array(expected)), abs=1e-9)
  assert np.abs(values - quality).mean() < 0.2
  assert found.summary['classes_in_d_prime'] == 101
  assert found.summary['d_prime'] == pytest.approx(values.mean())


def test_where_a_kind_of_a_class_was_marked_it_is_no_negative(files, joined, plain):
  """With label smearing; without, speech was marked in 21 % of Speech's negatives."""
  events, weak, mids = plain
  parents = collections.defaultdict(set)
  for node in json.loads(files['ontology'].read_text()):
    for child in node['child_ids']:
      parents[child].add(node['id'])

  @functools.cache
  def above(mid):
    return parents[mid].union(*map(above, parents[mid]))

  named = set(events['label']) & set(mids)
  both = pd.concat([events[events['label'].isin(mids)], weak])
  present = both.groupby('segment_id')['label'].agg(set)
  expected = dict.fromkeys(mids, 0)
  for clip_id in events['segment_id'].unique():
    # Weak labels say what is there, too, and so do those of other classes.
    found = present.get(clip_id, set())
    for mid in named - found.union(*map(above, found)):
      expected[mid] += 1
  implied = Ontology.read(files['ontology']).implied_classes(joined.class_map)
  strong = joined.labels.strong
  pairs = strong['clip'].to_numpy(), strong['class_index'].to_numpy()
  unmarked = smear_labels(table_of(joined), implied, pairs).unmarked
  assert unmarked.count_classes(len(mids)).tolist() == list(expected.values())
  speech = '/m/09x0r'
  before = joined.labels.unmarked.count_classes(len(mids))[mids.index(speech)]
  assert (before, before - expected[speech]) == (10_984, 2_323)


@pytest.fixture(scope='module')
def frames(plain, pairs):
  """Which frames have which classes by the 50 % rule. Shape [clips, 10, classes]."""
  events, _, _ = plain
  _, _, clips, used = pairs
  events = events[events['label'].isin(used)]
  clip = events['segment_id'].map({clip_id: n for n, clip_id in enumerate(clips)})
  label = events['label'].map({mid: n for n, mid in enumerate(used)})
  start, end = (
    (1000 * events[f'{side}_time_seconds']).round().to_numpy()
    for side in ('start', 'end')
  )
  positive = np.zeros((len(clips), FRAMES, len(used)), bool)
  for frame in range(FRAMES):
    overlap = np.minimum(end, 960 * (frame + 1)) - np.maximum(start, 960 * frame)
    chosen = (overlap >= 480) | ((overlap > 0) & (2 * overlap >= end - start))
    positive[clip[chosen], frame, label[chosen]] = True
  return positive


def test_d_prime_of_frames_on_explicit_labels(files, joined, pairs, frames):
  """Of every fifth class, on all 156,460 frames."""
  marked, weak, clips, used = pairs
  marked, weak, frames = (part[..., ::5] for part in (marked, weak, frames))
  used = used[::5]
  table = table_of(joined)
  place = {clip_id: row for row, clip_id in enumerate(table.clip_ids)}
  table = table.of_clips(np.array([place[clip_id] for clip_id in clips]))
  lacking = table.unmarked.lacking(0, len(clips), table.num_classes)
  lacking = lacking[:, [joined.class_map.index_of[mid] for mid in used]]
  events = formats.read_strong_tsv(files['strong'])
  class_map = ClassMap(tuple(used), tuple(used))
  labels = FrameLabels.from_table(
    frame_table(events[events['label'].isin(used)]),
    clips,
    np.full(len(clips), FRAMES),
    class_map,
    FrameGrid(),
    unmarked=unmarked_of(lacking, np.ones(len(clips), bool)),
  )
  assert len(labels.clips) == FRAMES * len(clips)
  quality = np.linspace(0.5, 2.5, len(used))
  scores = np.random.default_rng(0).normal(size=frames.shape) + quality * frames
  found = evaluate_strong(scores.reshape(-1, len(used)), labels, class_map).per_class
  absent = np.repeat((~marked & ~weak)[:, None], FRAMES, axis=1)
  rest = np.repeat(frames.any(axis=1)[:, None], FRAMES, axis=1) & ~frames
  for kind, negative in (('explicit', absent), ('complementary', rest)):
    counts = negative.sum(axis=(0, 1)).tolist()
    assert found[f'{kind}_negatives'].tolist() == counts
  for kind, negative in (
    ('explicit', absent),
    ('complementary', rest),
    ('pooled', absent | rest),
  ):
    expected = [
      auc_of(scores[frames[..., n], n], scores[negative[..., n], n])
      for n in range(len(used))
    ]
    values = found[f'd_prime_{kind}'].to_numpy()
    assert values == pytest.approx(d_prime(np.array(expected)), abs=1e-9), kind
  assert np.abs(found['d_prime_explicit'].to_numpy() - quality).mean() < 0.2
