import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats.contingency import odds_ratio

from audioset_ml.core.errors import LabelError
from audioset_ml.labels import statistics
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.labels.clip_labels import ClipLabelTable
from audioset_ml.labels.join import JoinedLabels, read_labels
from audioset_ml.labels.label_files import LabelFiles
from audioset_ml.labels.odds_ratios import odds_ratios, odds_ratios_of
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
  pairs = odds_ratios(joined_of(clips)).set_index(['weak_mid', 'strong_mid'])
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


def test_a_label_that_goes_with_others_more_than_with_itself_is_listed_last():
  """As SL21 has Speech: Male speech 12.1 and others, "Speech" itself only 2.7."""
  clips = (
    [({0: YES}, [1])] * 3 + [({0: YES}, [0])] + [({}, [0])] + [({1: YES}, [2])] * 5
  )
  pairs = odds_ratios(joined_of(clips))
  found = odds_ratios_of(pairs, 'a', 'weak', 2, 1)
  assert found['strong_mid'].tolist() == ['b', 'a']
  assert found['odds_ratio'].tolist() == [np.inf, (1 * 5) / (3 * 1)]
  # Where no clip has both, there is nothing to list.
  assert odds_ratios_of(pairs, 'b', 'strong', 2, 1)['weak_mid'].tolist() == ['a']
  assert odds_ratios_of(pairs, 'c', 'weak', 1, 5).empty


@pytest.mark.parametrize(
  ('weak', 'strong', 'kind'),
  [(1, 11, 'tenfold'), (11, 1, 'tenth'), (1, 10, None), (10, 1, None), (0, 5, None)],
)
def test_priors_that_changed_by_more_than_ten(weak, strong, kind):
  clips = [
    ({0: YES} if n < weak else {}, [0, 2] if n < strong else [2]) for n in range(20)
  ]
  joined = joined_of(clips)
  table = statistics.class_table(joined)
  found = statistics.changed_priors(table)
  assert [k for k, rows in found.items() if len(rows)] == ([kind] if kind else [])
  values = statistics.summary(joined, table)
  assert values['classes_with_prior_more_than_tenfold'] == (kind == 'tenfold')
  assert values['classes_with_prior_less_than_a_tenth'] == (kind == 'tenth')


@pytest.fixture(scope='module')
def official(shared_data):
  """AudioSet's evaluation labels, weak and (of 110 labels) strong: as they are joined
  here, and as pandas alone reads them, of the clips that have both kinds."""
  segments = shared_data('audioset/eval_segments.csv')
  events = shared_data('audioset_strong/audioset_eval_strong_110_classes.tsv')
  class_map = shared_data('audioset/class_labels_indices.csv')
  joined = read_labels(
    LabelFiles(str(class_map), (str(segments),), strong_tsvs=(str(events),))
  )
  weak = pd.read_csv(
    segments, skiprows=3, header=None, sep=', ', engine='python', quotechar='"'
  )
  clip = weak[0] + '_' + (1000 * weak[1]).astype(int).astype(str)
  weak = pd.Series(weak[3].str.strip('"').str.split(',').to_numpy(), clip).explode()
  strong = pd.read_csv(events, sep='\t').set_index('segment_id')['label']
  mids = pd.read_csv(class_map)['mid']
  strong = strong[strong.isin(mids)]
  weak = weak[weak.index.isin(strong.index)]
  return joined, *(pd.crosstab(one.index, one) > 0 for one in (weak, strong))


def test_official_priors_against_pandas(official):
  """SL21 Fig. 2, and the numbers of section 3.1."""
  joined, weak, strong = official
  table = statistics.class_table(joined).set_index('mid')
  for column, labels in (('weak_prior', weak), ('strong_prior', strong)):
    expected = labels.sum() / 15_545
    assert table[column][expected.index].to_numpy() == pytest.approx(
      expected.to_numpy()
    )
    assert (table[column].drop(expected.index) == 0).all()
  values = statistics.summary(joined, table.reset_index())
  assert values['clips_with_strong_labels'] == 15_545
  assert values['strong_class_clip_pairs'] == strong.to_numpy().sum()
  assert values['weak_class_clip_pairs_of_the_same_clips'] == weak.to_numpy().sum()
  assert values['classes_without_strong_labels'] == 527 - 101
  ratio = (strong.sum() / weak.sum()).dropna()
  changed = statistics.changed_priors(table.reset_index())
  assert set(changed['tenfold']['mid']) == set(ratio[ratio > 10].index)
  assert set(changed['tenth']['mid']) == set(ratio[ratio < 0.1].index)
  # As in the paper: Male speech, Mechanisms and Tick grow more than tenfold.
  names = set(changed['tenfold']['display_name'])
  assert {'Male speech, man speaking', 'Mechanisms', 'Tick'} <= names
  assert values['classes_with_prior_more_than_tenfold'] == len(changed['tenfold'])


@pytest.mark.parametrize(
  ('given', 'mid', 'as_the_paper'),
  [
    # "The strong labels with the largest odds ratios related to the weak Speech label"
    (
      'weak',
      '/m/09x0r',
      ['Male speech, man speaking', 'Female speech, woman speaking'],
    ),
    # "Looking the other way": weak labels with the strong label Mechanisms.
    ('strong', '/t/dd00077', ['Gears', 'Ratchet, pawl']),
  ],
)
def test_official_odds_ratios_against_pandas(official, given, mid, as_the_paper):
  joined, weak, strong = official
  one, others = (weak, strong) if given == 'weak' else (strong, weak)
  one = one[mid].reindex(weak.index, fill_value=False)
  others = others.reindex(weak.index, fill_value=False)
  both = others[one].sum()
  odds = (both / (one.sum() - both)) / (
    others[~one].sum() / ((~one).sum() - others[~one].sum())
  )
  pairs = odds_ratios(joined)
  found = odds_ratios_of(pairs, mid, given, 10, 8)
  other = {'weak': 'strong', 'strong': 'weak'}[given]
  ratios = found.set_index(f'{other}_mid')['odds_ratio']
  expected = odds[both >= 10].nlargest(8)
  assert ratios.index[:8].tolist() == expected.index.tolist()
  assert ratios.to_numpy() == pytest.approx(odds[ratios.index].to_numpy())
  # The class's own label of the other kind stands last, if not among the largest.
  assert mid in ratios.index
  assert set(as_the_paper) <= set(found[f'{other}_name'])


def test_official_quality(shared_data):
  class_map = ClassMap.read(shared_data('audioset/class_labels_indices.csv'))
  quality = read_quality_csv(shared_data('audioset/qa_true_counts.csv'), class_map)
  assert len(quality) == 527
  assert quality.iloc[1].tolist() == [10, 9, 0.9]  # Male speech
  assert quality['num_rated'].notna().all()


@pytest.mark.parametrize(
  ('text', 'message'),
  [
    ('label_id,rated\n', 'starts with the row label_id,num_rated,num_true'),
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
