"""Clips of many patches are scored in parts, to the same scores."""

import itertools

import numpy as np
import pytest

from audioset_ml.models import patch_parts
from audioset_ml.models.config import ModelConfig
from audioset_ml.models.registry import build_model
from audioset_ml.models.scoring import PatchScorer, score_clips
from audioset_ml.records.folder import RecordsFolder


@pytest.mark.parametrize(
  ('shape', 'parts'),
  [
    ((0, 96, 64), 1),
    ((1024, 96, 64), 1),
    ((1025, 96, 64), 2),
    ((7500, 96, 64), 8),
    ((5120, 1, 1024), 1),  # 512 clips of ten seconds, as embeddings
  ],
)
def test_parts_follow_each_other_and_leave_nothing_out(shape, parts):
  rows = np.zeros(shape, bool)
  found = patch_parts.parts_of(rows)
  assert len(found) == parts
  assert sum(len(rows[part]) for part in found) == len(rows)
  ends = itertools.pairwise(found)
  assert all(one.stop == following.start for one, following in ends)


def test_scores_in_parts_are_those_at_once(small_records, monkeypatch):
  records = RecordsFolder.open(small_records)
  model = build_model(
    ModelConfig('mobilenet_v1_tiny', records.num_classes, width_multiplier=0.1)
  )
  whole = score_clips(PatchScorer(model), records)
  # Clips have three patches or so: parts end within clips and between them.
  monkeypatch.setattr(patch_parts, '_MOST_VALUES', 4 * 96 * 64)
  parts = score_clips(PatchScorer(model), records)
  assert parts.lengths.tolist() == whole.lengths.tolist()
  np.testing.assert_allclose(parts.patches, whole.patches, rtol=0, atol=1e-6)
  np.testing.assert_allclose(parts.clips, whole.clips, rtol=0, atol=1e-6)
