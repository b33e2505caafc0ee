"""Scores and label states to flag, for the tests of this folder."""

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from audioset_ml.labels.class_map import ClassMap
from audioset_ml.labels.label_set import LabelSet
from audioset_ml.labels.states import LabelState, LabelTable
from audioset_ml.labels.unmarked import UnmarkedLabels, pack
from audioset_ml.missing_labels.class_flags import flag_labels


def class_map(classes):
  return ClassMap(tuple(f'/m/{i}' for i in range(classes)), ('x',) * classes)


def table_of(states):
  """A matrix of label states as a table; in every second clip the explicit negatives
  are unmarked ones."""
  states = np.asarray(states)
  lacking = states == LabelState.EXPLICIT_NEGATIVE
  lacking[::2] = False
  unmarked = {
    row: pack(np.flatnonzero(lacking[row]), states.shape[1]).tobytes()
    for row in range(1, len(states), 2)
  }
  rest = np.where(lacking, 0, states)
  return LabelTable.from_lists(
    [f'c{i}_0' for i in range(len(states))],
    states.shape[1],
    [(np.flatnonzero(row), row[np.flatnonzero(row)]) for row in rest],
    UnmarkedLabels.of_bytes(unmarked),
  )


# Few values, so that many scores tie; zeros of either sign and −∞ among them.
_SCORES = st.sampled_from(
  [-np.inf, -1.5, -0.0, 0.0, 1e-40, 0.25, 0.5, np.nextafter(0.5, 1), 1.0, 3e38]
)


@st.composite
def scores_and_states(draw):
  """Any scores with any label states, of up to 40 clips and 19 classes."""
  shape = draw(st.tuples(st.integers(1, 40), st.integers(1, 19)))
  scores = draw(hnp.arrays(np.float32, shape, elements=_SCORES.map(np.float32)))
  states = draw(
    hnp.arrays(np.int8, shape, elements=st.sampled_from([0, 0, 0, 1, 2, 3, 4]))
  )
  return scores, states


def flagged_by(rule, scores, states, memory=1 << 20, implied=None, **more):
  """The flags of each of the rule's label sets, and the rows of their summaries."""
  labels, classes = table_of(states), class_map(scores.shape[1])
  columns, rows = [[] for _ in rule.names], [[] for _ in rule.names]
  for part in flag_labels(scores, labels, classes, rule, memory, implied, **more):
    for place, column in enumerate(part.columns):
      columns[place].append(column.copy())
      rows[place] += part.summaries[place]
  flags = []
  for name, found in zip(rule.names, columns, strict=True):
    packed = np.stack(found, axis=1)
    flags.append(LabelSet(name, labels.clip_ids, classes, packed).flagged())
  return flags, rows
