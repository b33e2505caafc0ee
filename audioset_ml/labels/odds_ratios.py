"""How much weak and strong labels of the same clips go together (SL21 section 3.1)."""

import numpy as np
import pandas as pd

from audioset_ml.labels.join import JoinedLabels
from audioset_ml.labels.statistics import label_matrices, strongly_labelled

# The 97.5th percentile of the normal distribution: intervals of 95 %.
_Z = 1.959963984540054


def odds_ratios(joined: JoinedLabels) -> pd.DataFrame:
  """How much a weak label and a strong label of a clip go together (SL21 3.1).

  The odds ratio of the four counts of clips with both, one, the other and neither:
  the factor by which either label raises the odds of the other, the same in both
  directions. Over the clips with strong labels.

  Returns:
    One row a pair of classes that share a clip, the largest odds ratio first: weak_mid,
    weak_name, strong_mid, strong_name, both, weak_only, strong_only, neither (clips),
    odds_ratio (infinite if one never comes without the other; NaN if, too, no clip has
    neither), low and high (its 95 %
    interval by Woolf's logarithmic method, with half a clip added to each count where
    one is 0).
  """
  chosen = np.flatnonzero(strongly_labelled(joined.labels))
  weak, strong = (matrix[chosen] for matrix in label_matrices(joined))
  together = (weak.T @ strong).tocoo()
  row, column = together.coords
  both = together.data
  weak_only = weak.sum(axis=0)[row] - both
  strong_only = strong.sum(axis=0)[column] - both
  neither = len(chosen) - both - weak_only - strong_only
  with np.errstate(divide='ignore', invalid='ignore'):
    ratio = (both * neither) / (weak_only * strong_only)
  low, high = _woolf_interval(np.stack([both, weak_only, strong_only, neither]))
  mids, names = np.array(joined.class_map.mids), np.array(joined.class_map.names)
  table = pd.DataFrame(
    {
      'weak_mid': mids[row],
      'weak_name': names[row],
      'strong_mid': mids[column],
      'strong_name': names[column],
      'both': both,
      'weak_only': weak_only,
      'strong_only': strong_only,
      'neither': neither,
      'odds_ratio': ratio,
      'low': low,
      'high': high,
    }
  )
  order = ['odds_ratio', 'low']
  return table.sort_values(order, ascending=False, kind='stable', ignore_index=True)


def odds_ratios_of(
  pairs: pd.DataFrame, mid: str, given: str, min_both: int, most: int
) -> pd.DataFrame:
  """The labels that go with a label the most, as SL21 3.1 lists them.

  "Looking the other way" is the same with the label as a strong one: the weak labels
  that go with it.

  Args:
    pairs: of `odds_ratios`.
    mid: the label.
    given: as which kind it is given, 'weak' or 'strong'; the others are of the other.
    min_both: the fewest clips that two labels must share.
    most: how many labels, those with the largest odds ratios.

  Returns:
    Rows of `pairs`; the last is that of the class's own label of the other kind, where
    it isn't among the largest but there is one.
  """
  there = pairs[pairs[f'{given}_mid'] == mid]
  largest = there[there['both'] >= min_both].head(most)
  own = there[there['weak_mid'] == there['strong_mid']]
  return pd.concat([largest, own[~own.index.isin(largest.index)]])


def _woolf_interval(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  counts = counts + 0.5 * (counts == 0).any(axis=0)
  both, weak_only, strong_only, neither = counts
  center = np.log(both * neither / (weak_only * strong_only))
  half = _Z * np.sqrt((1 / counts).sum(axis=0))
  return np.exp(center - half), np.exp(center + half)
