import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats.contingency import odds_ratio

from audioset_ml.errors import LabelError
from audioset_ml.labels import statistics
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.labels.clip_labels import ClipLabelTable
from audioset_ml.labels.join import JoinedLabels
from audioset_ml.labels.quality import read_quality_csv
from audioset_ml.labels.states import LabelState

CLASS_MAP = ClassMap(tuple('abc'), ('A', 'B', 'C'))


def joined_of(clips):
  """Labels of clips given as (weak states by class, classes of events)."""
  weak = [
    (row, c, int(state))
    for row, (states, _) in enumerate(clips)
    for c, state in sorted(states.items())
  ]
  strong = [
    (row, 1.0, 2.5, c, True) for row, (_, events) in enumerate(clips) for c in events
  ]
  table = ClipLabelTable(
    pd.DataFrame({'clip_id': [f'{i}_0' for i in range(len(clips))], 'seconds': 10.0}),
    pd.DataFrame(weak, columns=['clip', 'class_index', 'state']).astype(int),
    pd.DataFrame(
      strong, columns=['clip', 'start', 'end', 'class_index', 'present']
    ).astype({'clip': int, 'class_index': int, 'present': bool}),
  )
  return JoinedLabels(CLASS_MAP, table, {}, [], pd.DataFrame())


YES, NO = LabelState.EXPLICIT_POSITIVE, LabelState.EXPLICIT_NEGATIVE
SOME = [
  ({0: YES, 1: NO}, [0, 0]),
  ({0: YES}, [0, 1]),
  ({1: YES}, [1]),
  ({0: YES, 1: YES}, []),  # no strong labels: not in the priors
]


def test_counts_and_priors_of_each_class():
  table = statistics.class_table(joined_of(SOME)).set_index('mid')
  assert table['positives'].tolist() == [3, 2, 0]
  assert table['explicit_negatives'].tolist() == [0, 1, 0]
  assert table['strong_clips'].tolist() == [2, 2, 0]
  assert table['strong_events'].tolist() == [3, 2, 0]
  assert table['strong_seconds'].tolist() == [4.5, 3.0, 0.0]
  assert table['weak_prior'].tolist() == pytest.approx([2 / 3, 1 / 3, 0])
  assert table['strong_prior'].tolist() == pytest.approx([2 / 3, 2 / 3, 0])
  assert table['prior_ratio'].tolist()[:2] == pytest.approx([1, 2])


def test_the_summary_counts_clips_and_labels():
  joined = joined_of(SOME)
  values = statistics.summary(joined, statistics.class_table(joined))
  assert values['positives'] == 5
  assert values['positives_per_clip'] == 1.25
  assert values['clips_with_strong_labels'] == 3
  assert values['strong_class_clip_pairs'] == 4
  assert values['weak_class_clip_pairs_of_the_same_clips'] == 3
  assert values['strong_labels_per_clip'] == 1.333
  assert values['classes_without_strong_labels'] == 1
  assert values['positives_mean'] == 2.5
  assert values['positives_most'] == '3 (A)'
  assert values['explicit_negatives_classes'] == 1


_CLIPS = st.lists(
  st.tuples(
    st.dictionaries(st.integers(0, 2), st.sampled_from([YES, NO])),
    st.lists(st.integers(0, 2), min_size=1, max_size=3),
  ),
  min_size=1,
  max_size=12,
)


@given(clips=_CLIPS)
def test_odds_ratios_are_scipys(clips):
  pairs = statistics.odds_ratios(joined_of(clips)).set_index(['weak_mid', 'strong_mid'])
  for w, weak_mid in enumerate(CLASS_MAP.mids):
    for s, strong_mid in enumerate(CLASS_MAP.mids):
      counts = np.zeros((2, 2), int)
      for states, events in clips:
        counts[int(states.get(w) != YES), int(s not in events)] += 1
      if counts[0, 0] == 0:
        assert (weak_mid, strong_mid) not in pairs.index
        continue
      row = pairs.loc[(weak_mid, strong_mid)]
      found = row[['both', 'weak_only', 'strong_only', 'neither']].tolist()
      assert found == counts.ravel().tolist()
      expected = odds_ratio(counts, kind='sample')
      assert row['odds_ratio'] == pytest.approx(expected.statistic, nan_ok=True)
      if (counts > 0).all():
        interval = expected.confidence_interval(0.95)
        assert (row['low'], row['high']) == pytest.approx(tuple(interval))


def test_official_quality(shared_data):
  class_map = ClassMap.read(shared_data('audioset/class_labels_indices.csv'))
  quality = read_quality_csv(shared_data('audioset/qa_true_counts.csv'), class_map)
  assert len(quality) == 527
  assert quality.iloc[1].tolist() == [10, 9, 0.9]  # Male speech
  assert quality['num_rated'].notna().all()


@pytest.mark.parametrize(
  ('text', 'message'),
  [
    ('label_id,rated\n', 'its first row must be label_id,num_rated,num_true'),
    ('label_id,num_rated,num_true\na,3,4\n', "row 2: 'a,3,4' is no mid"),
    ('label_id,num_rated,num_true\na,3,2\nb,x,1\n', "row 3: 'b,x,1' is no mid"),
    ('label_id,num_rated,num_true\na,²,1\n', 'row 2'),
  ],
)
def test_wrong_quality_rows_are_named(tmp_path, text, message):
  path = tmp_path / 'qa.csv'
  path.write_text(text)
  with pytest.raises(LabelError, match=message):
    read_quality_csv(path, CLASS_MAP)
