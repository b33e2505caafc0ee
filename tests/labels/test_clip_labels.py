"""A share of the clips, with their labels."""

import numpy as np
import pandas as pd
from hypothesis import given, strategies

from audioset_ml.labels.clip_labels import ClipLabelTable
from audioset_ml.labels.states import LabelState


def table_of(number):
  """Clip i has the class i, present, and an event of the class i + 1."""
  rows = np.arange(number)
  state = int(LabelState.EXPLICIT_POSITIVE)
  return ClipLabelTable(
    pd.DataFrame({'clip_id': [f'c{i:03d}_0' for i in rows], 'seconds': 10.0}),
    pd.DataFrame({'clip': rows, 'class_index': rows, 'state': state}),
    pd.DataFrame(
      {'clip': rows, 'start': 0.0, 'end': 1.0, 'class_index': rows + 1, 'present': True}
    ),
  )


@given(
  strategies.integers(1, 200),
  strategies.tuples(strategies.floats(0, 1), strategies.floats(0, 1)),
)
def test_clips_keep_their_labels_and_shares_are_nested(number, fractions):
  table = table_of(number)
  small, large = (table.sample(fraction) for fraction in sorted(fractions))
  assert set(small.clips['clip_id']) <= set(large.clips['clip_id'])
  for row, clip_id in enumerate(large.clips['clip_id']):
    labels, index = large.clip(row), int(clip_id[1:4])
    assert labels.clip_id == clip_id
    assert set(labels.weak) == {index}
    assert [event.class_index for event in labels.strong] == [index + 1]


def test_a_share_is_about_as_large_as_asked():
  assert 350 < len(table_of(2000).sample(0.2)) < 450
