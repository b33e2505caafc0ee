"""What a set of labels is like: counts, priors, weak against strong.

The numbers of SL21 sections 3.1 and 3.3, for any label files.
"""

import numpy as np
import pandas as pd
import scipy.sparse

from audioset_ml.labels.clip_labels import ClipLabelTable
from audioset_ml.labels.join import JoinedLabels
from audioset_ml.labels.states import PRESENT_STATES, LabelState


def class_table(joined: JoinedLabels) -> pd.DataFrame:
  """Counts and priors of each class.

  Priors are over the clips that have strong labels, so that weak and strong ones are of
  the same clips (SL21 Fig. 2); without any strong labels, the weak ones are over all.

  Returns:
    One row a class: mid, display_name, positives, explicit_negatives (clips for which a
    person refuted it, by name or as complete annotators do, without any event; a clip
    that was refuted in part may have it elsewhere), refuted_stretches, strong_clips
    (clips with an event), strong_events, strong_seconds (their summed length),
    weak_prior, strong_prior (NaN without strong labels), prior_ratio.
  """
  labels, class_map = joined.labels, joined.class_map
  weak, strong = label_matrices(joined)
  stretches = labels.strong.loc[~labels.strong['present'], 'class_index']
  events = labels.strong[labels.strong['present']]
  seconds = events['end'] - events['start']
  chosen = strongly_labelled(labels)
  of_strong = weak[np.flatnonzero(chosen)] if chosen.any() else weak
  table = pd.DataFrame(
    {
      'mid': class_map.mids,
      'display_name': class_map.names,
      'positives': weak.sum(axis=0),
      'explicit_negatives': _count_negatives(joined),
      'refuted_stretches': _counts(stretches, len(class_map)),
      'strong_clips': strong.sum(axis=0),
      'strong_events': _counts(events['class_index'], len(class_map)),
      'strong_seconds': _counts(events['class_index'], len(class_map), seconds).round(
        3
      ),
      'weak_prior': of_strong.sum(axis=0) / of_strong.shape[0],
      'strong_prior': strong.sum(axis=0) / chosen.sum() if chosen.any() else np.nan,
    }
  )
  with np.errstate(divide='ignore', invalid='ignore'):
    ratio = table['strong_prior'].to_numpy() / table['weak_prior'].to_numpy()
  return table.assign(prior_ratio=ratio)


def summary(
  joined: JoinedLabels, classes: pd.DataFrame
) -> dict[str, int | float | str]:
  """The headline numbers, by name; the strong ones only where there are strong labels.

  Means and medians over classes are over those that have any, as in SL21 3.3.

  Args:
    joined: the labels.
    classes: of `class_table`.
  """
  labels = joined.labels
  weak, strong = label_matrices(joined)
  hours = labels.clips['seconds'].sum() / 3600
  values = {
    'clips': len(labels),
    'hours': round(hours, 2),
    'classes': len(classes),
    'positives': int(weak.sum()),
    'positives_per_clip': round(weak.sum() / len(labels), 3),
    'clips_without_positives': int((weak.sum(axis=1) == 0).sum()),
    'explicit_negatives': int(classes['explicit_negatives'].sum()),
    'refuted_stretches': int(classes['refuted_stretches'].sum()),
  }
  if unknown := int(labels.clips['seconds'].isna().sum()):
    values['clips_of_unknown_length'] = unknown
  if unsure := int((labels.weak['state'] == LabelState.UNSURE).sum()):
    values['unsure_labels'] = unsure
  if len(labels.unmarked.rows):
    values['unmarked_labels'] = labels.unmarked.total
  columns = ['positives', 'explicit_negatives']
  chosen = strongly_labelled(labels)
  if chosen.any():
    both = int(weak[np.flatnonzero(chosen)].sum())
    changed = changed_priors(classes)
    values |= {
      'clips_with_strong_labels': int(chosen.sum()),
      'hours_with_strong_labels': round(
        labels.clips['seconds'][chosen].sum() / 3600, 2
      ),
      'strong_events': int(classes['strong_events'].sum()),
      'strong_class_clip_pairs': int(strong.sum()),
      'weak_class_clip_pairs_of_the_same_clips': both,
      'strong_labels_per_clip': round(strong.sum() / chosen.sum(), 3),
      'weak_labels_per_clip_of_the_same_clips': round(both / chosen.sum(), 3),
      'classes_without_strong_labels': int((classes['strong_clips'] == 0).sum()),
      'classes_with_prior_more_than_tenfold': len(changed['tenfold']),
      'classes_with_prior_less_than_a_tenth': len(changed['tenth']),
    }
    columns.append('strong_clips')
  for column in columns:
    values |= _over_classes(classes, column)
  return values


def label_matrices(
  joined: JoinedLabels,
) -> tuple[scipy.sparse.csr_array, scipy.sparse.csr_array]:
  """Which clips have which classes, by weak and by strong labels.

  Returns:
    Two sparse matrices of ones, each of shape [clips, classes].
  """
  labels, shape = joined.labels, (len(joined.labels), len(joined.class_map))
  weak = labels.weak[labels.weak['state'].isin(PRESENT_STATES)]
  strong = labels.strong[labels.strong['present']]
  strong = strong[['clip', 'class_index']].drop_duplicates()
  return tuple(
    scipy.sparse.csr_array(
      (np.ones(len(table), np.int64), (table['clip'], table['class_index'])), shape
    )
    for table in (weak, strong)
  )


def strongly_labelled(labels: ClipLabelTable) -> np.ndarray:
  """Whether each clip has events, or was annotated completely. Shape [clips]."""
  chosen = np.zeros(len(labels), bool)
  chosen[labels.strong['clip'][labels.strong['present']]] = True
  chosen[labels.unmarked.rows] = True
  return chosen


def _count_negatives(joined: JoinedLabels) -> np.ndarray:
  """How many clips lack each class for sure. Shape [classes]."""
  labels, classes = joined.labels, len(joined.class_map)
  refuted = labels.weak[labels.weak['state'] == LabelState.EXPLICIT_NEGATIVE]
  events = labels.strong[labels.strong['present']]
  keys = (
    table['clip'].to_numpy(np.int64) * classes + table['class_index'].to_numpy()
    for table in (refuted, events)
  )
  refuted = refuted[~np.isin(*keys)]
  unmarked = labels.unmarked.count_classes(classes)
  return _counts(refuted['class_index'], classes) + unmarked


def changed_priors(classes: pd.DataFrame) -> dict[str, pd.DataFrame]:
  """The classes whose priors differ by more than a factor of ten (SL21 Fig. 2).

  Args:
    classes: of `class_table`.

  Returns:
    Rows of it, the most changed first, by what became of the class from weak to strong
    labels: `tenfold` or `tenth`. Classes that one kind of labels lacks are in neither.
  """
  ratio = classes['prior_ratio']
  known = classes[np.isfinite(ratio) & (ratio > 0)].sort_values('prior_ratio')
  return {
    'tenfold': known[known['prior_ratio'] > 10].iloc[::-1],
    'tenth': known[known['prior_ratio'] < 0.1],
  }


def _over_classes(classes: pd.DataFrame, column: str) -> dict[str, float | int | str]:
  """Mean, median and extremes of a count over the classes that have any."""
  counts = classes.set_index('display_name')[column]
  counts = counts[counts > 0]
  if counts.empty:
    return {f'{column}_classes': 0}
  return {
    f'{column}_classes': len(counts),
    f'{column}_mean': round(float(counts.mean()), 1),
    f'{column}_median': float(counts.median()),
    f'{column}_least': f'{counts.min()} ({counts.idxmin()})',
    f'{column}_most': f'{counts.max()} ({counts.idxmax()})',
  }


def _counts(
  classes: pd.Series, num_classes: int, weights: pd.Series | None = None
) -> np.ndarray:
  return np.bincount(classes, weights, num_classes)
