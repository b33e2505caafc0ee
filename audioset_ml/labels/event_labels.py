"""Labels of whole clips that follow from events: who heard a sound in a clip says so.

The annotators of AudioSet's strong labels marked sounds in 15,646 evaluation clips that
the public weak labels lack: three of four pairs of a clip and a class with an event. So
their events, as labels of the clips, are weak labels with nothing missing, of the
classes that they were asked for. Of other classes they say nothing: what was given of
these stands.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from audioset_ml.labels.clip_labels import with_decided
from audioset_ml.labels.clip_negatives import Annotation
from audioset_ml.labels.states import PRESENT_STATES, LabelState

WEAK_LABELS = ('given', 'events', 'both')


def with_labels_of_events(
  weak: pd.DataFrame,
  strong: pd.DataFrame,
  annotations: Sequence[Annotation],
  weak_labels: str,
) -> tuple[pd.DataFrame, dict[str, int]]:
  """The labels of whole clips, with those that events say.

  Args:
    weak: the given labels of whole clips: clip, class_index, state.
    strong: the events and refuted stretches: clip, class_index, present.
    annotations: which clips were annotated with events, for which classes.
    weak_labels: 'given', as they are; 'events', an event makes its class a positive
      whatever was given, and a given positive of a class and a clip that were annotated
      goes if there is none; 'both', an event makes its class a positive where nothing
      was given or a person was unsure, and what else was given stands.

  Returns:
    The labels, sorted; how many positives are of events alone (labels_of_events), how
    many given positives went (positives_replaced), and how many labels were refuted
    though there is an event (refuted_labels_with_event): with 'events' they are turned,
    with 'both' they stand.
  """
  counts = dict.fromkeys(
    ('labels_of_events', 'positives_replaced', 'refuted_labels_with_event'), 0
  )
  if weak_labels == 'given':
    return weak, counts
  pair = ['clip', 'class_index']
  # A clip may be in the files of several annotators.
  found = strong.loc[strong['present'], pair].drop_duplicates()
  known = found.merge(weak, 'left', pair)
  refuted = (known['state'] == LabelState.EXPLICIT_NEGATIVE).to_numpy()
  new = (known['state'].isna() | (known['state'] == LabelState.UNSURE)).to_numpy()
  counts['refuted_labels_with_event'] = int(refuted.sum())
  if weak_labels == 'events':
    new = new | refuted
    marked = pd.MultiIndex.from_frame(weak[pair]).isin(pd.MultiIndex.from_frame(found))
    present = weak['state'].isin(PRESENT_STATES).to_numpy()
    gone = ~marked & present & _annotated(weak, annotations)
    counts['positives_replaced'] = int(gone.sum())
    weak = weak[~gone & (present | ~marked)]
  counts['labels_of_events'] = int(new.sum())
  state = int(LabelState.EXPLICIT_POSITIVE)
  new = known.loc[new, pair].assign(state=state).astype(weak.dtypes)
  return with_decided(weak, new), counts


def _annotated(weak: pd.DataFrame, annotations: Sequence[Annotation]) -> np.ndarray:
  """Of which labels annotators were asked. Shape [labels], bool."""
  found = np.zeros(len(weak), bool)
  for one in annotations:
    clip, class_index = weak['clip'].isin(one.clips), weak['class_index']
    found |= (clip & class_index.isin(one.classes)).to_numpy()
  return found
