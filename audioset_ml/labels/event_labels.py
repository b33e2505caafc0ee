"""Labels of whole clips that follow from events: who heard a sound in a clip says so.

The annotators of AudioSet's strong labels marked sounds in 15,646 evaluation clips that
the public weak labels lack: two of three pairs of a clip and a class with an event. So
their events, as labels of the clips, are the weak labels with nothing missing.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from audioset_ml.labels.states import PRESENT_STATES, LabelState

WEAK_LABELS = ('given', 'events', 'both')


def with_labels_of_events(
  weak: pd.DataFrame,
  strong: pd.DataFrame,
  clips: np.ndarray,
  weak_labels: str,
) -> tuple[pd.DataFrame, dict[str, int]]:
  """The labels of whole clips, with those that events say.

  Args:
    weak: the given labels of whole clips: clip, class_index, state.
    strong: the events and refuted stretches: clip, class_index, present.
    clips: the clips that were annotated with events. Shape [n].
    weak_labels: 'given', as they are; 'events', in the annotated clips those of the
      events instead; 'both', and those of the events, unless the clip's label was
      refuted.

  Returns:
    The labels, sorted; how many came from events, how many given ones were replaced,
    and how many events are of refuted labels, which stand.
  """
  counts = {
    'labels_of_events': 0,
    'weak_labels_replaced': 0,
    'refuted_labels_with_event': 0,
  }
  if weak_labels == 'given':
    return weak, counts
  pair = ['clip', 'class_index']
  found = strong.loc[strong['present'], pair].drop_duplicates()
  if weak_labels == 'events':
    replaced = weak['clip'].isin(clips)
    kept = found.merge(weak[replaced & weak['state'].isin(PRESENT_STATES)], on=pair)
    counts['weak_labels_replaced'] = int(replaced.sum()) - len(kept)
    counts['labels_of_events'] = len(found) - len(kept)
    weak = weak[~replaced]
  else:
    found = found.merge(weak, 'left', pair)
    refuted = found['state'] == LabelState.EXPLICIT_NEGATIVE
    counts['refuted_labels_with_event'] = int(refuted.sum())
    found = found[found['state'].isna()]
    counts['labels_of_events'] = len(found)
  found = found.assign(state=int(LabelState.EXPLICIT_POSITIVE)).astype(weak.dtypes)
  return _sorted([weak, found]), counts


def _sorted(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
  table = pd.concat(tables)
  return table.sort_values(['clip', 'class_index'], ignore_index=True)
