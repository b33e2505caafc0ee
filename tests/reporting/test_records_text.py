import numpy as np
import pytest

from audioset_ml.core.paths import as_path
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.labels.clip_labels import ClipLabels, StrongEvent
from audioset_ml.labels.states import LabelState
from audioset_ml.records.folder import RecordsFolder
from audioset_ml.records.frames import FrameFormat
from audioset_ml.records.inspection import ClipContent
from audioset_ml.records.overview import RecordsOverview
from audioset_ml.reporting.records_text import describe_clip, describe_records

CLASS_MAP = ClassMap(('/m/a', '/m/b', '/m/c'), ('Dog', 'Narration, monologue', 'Rain'))
LABELS = ClipLabels(
  'abc_30000',
  weak={
    0: LabelState.EXPLICIT_POSITIVE,
    2: LabelState.EXPLICIT_NEGATIVE,
    1: LabelState.EXPLICIT_POSITIVE,
  },
  strong=(StrongEvent(1, 0.5, 1.25), StrongEvent(2, 0.96, 1.92, present=False)),
)


COUNTS = {
  'clips_skipped': 3,
  'explicit_positives': 20,
  'explicit_negatives': 5,
  'strong_events': 7,
  'refuted_stretches': 1,
}


def overview(**changes):
  records = RecordsFolder(
    as_path('records'), ('x',), tuple('abcd'), CLASS_MAP, FrameFormat.log_mel()
  )
  values = {
    'records': records,
    'hours': 1.234,
    'shard_bytes': 540_000,
    'scanned': (LABELS,),
    'counts': COUNTS,
    'class_counts': {
      '/m/b': {
        'explicit_positives': 20,
        'explicit_negatives': 5,
        'clips_with_events': 2,
      }
    },
    'skipped_reasons': {'no audio': 2, 'too short': 1},
  }
  return RecordsOverview(**(values | changes))


def test_records_are_described():
  lines = describe_records(overview()).splitlines()
  assert lines == [
    'records: 4 clips (1.23 h) in 1 shard, 135,000 bytes a clip',
    'skipped: 3 (2 no audio, 1 too short; see records/skipped.csv)',
    'front end: 16000 Hz, windows of 25 ms every 10 ms, 64 mel bands from 125 to 7500 '
    'Hz, patches of 0.96 s',
    'labels: 20 explicit positives, 5 explicit negatives, 7 events, 1 refuted '
    'stretches',
    'classes: 3, of which 1 has labels; the most frequent, with their explicit labels:',
    '  positives  negatives  clips with events',
    '         20          5                  2  Narration, monologue',
    'clips with strong labels among the first 1 clip, to be drawn with --clip_id:',
    '  abc_30000  2 labels of 2 classes',
  ]


@pytest.mark.parametrize('skipped', [0, 3])
def test_records_without_strong_labels_say_so(skipped):
  weak_only = ClipLabels('abc_0', weak=LABELS.weak)
  text = describe_records(
    overview(scanned=(weak_only,) * 4, counts={**COUNTS, 'clips_skipped': skipped})
  )
  assert text.endswith('clips with strong labels: none')


def test_a_clip_is_described_label_by_label():
  content = ClipContent(LABELS, np.zeros((1008, 64), np.float32), 10.0)
  assert describe_clip(content, CLASS_MAP).splitlines() == [
    'abc_30000: 10.00 s',
    'weak, present: Dog; Narration, monologue',
    'weak, confirmed not present: Rain',
    'strong, present:  0.500 to  1.250 s  Narration, monologue',
    'strong, confirmed not present:  0.960 to  1.920 s  Rain',
  ]
