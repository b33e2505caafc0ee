import pandas as pd
import pytest

from audioset_ml.errors import LabelError
from audioset_ml.labels import formats
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.labels.clip_labels import StrongEvent, read_clip_labels
from audioset_ml.labels.states import LabelState

CLASS_MAP = ClassMap(mids=('/m/a', '/m/b', '/m/c'), names=('A', 'B', 'C'))


def write_files(folder, explicit=(), strong=()):
  formats.write_weak_csv(folder / 'weak.csv', ['two_0', 'one_0'], [['/m/b'], ['/m/a']])
  formats.write_explicit_tsv(
    folder / 'explicit.tsv', pd.DataFrame(explicit, columns=formats.EXPLICIT_COLUMNS)
  )
  formats.write_strong_tsv(
    folder / 'strong.tsv', pd.DataFrame(strong, columns=formats.STRONG_COLUMNS)
  )
  return [
    str(folder / f'{name}') for name in ('weak.csv', 'explicit.tsv', 'strong.tsv')
  ]


def test_all_files_are_joined_by_clip(tmp_path):
  weak, explicit, strong = write_files(
    tmp_path,
    explicit=[('one_0', '/m/a', 'PRESENT'), ('one_0', '/m/c', 'NOT_PRESENT')],
    strong=[('two_0', 3.0, 4.0, '/m/b'), ('two_0', 1.0, 2.0, '/m/c')],
  )
  clips, counts = read_clip_labels(CLASS_MAP, [weak], [explicit], [strong])
  assert [clip.clip_id for clip in clips] == ['one_0', 'two_0']
  assert clips[0].weak == {
    0: LabelState.EXPLICIT_POSITIVE,
    2: LabelState.EXPLICIT_NEGATIVE,
  }
  assert clips[1].strong == (StrongEvent(2, 1.0, 2.0), StrongEvent(1, 3.0, 4.0))
  assert counts == {
    'clips_labelled': 2,
    'labels_of_other_clips': 0,
    'strong_labels_of_other_classes': 0,
    'explicit_positives': 2,
    'explicit_negatives': 1,
    'strong_events': 2,
  }


def test_labels_of_other_clips_are_counted_not_kept(tmp_path):
  weak, explicit, strong = write_files(
    tmp_path,
    explicit=[('other_0', '/m/a', 'PRESENT')],
    strong=[('other_0', 0.0, 1.0, '/m/a')],
  )
  clips, counts = read_clip_labels(CLASS_MAP, [weak], [explicit], [strong])
  assert len(clips) == 2
  assert counts['labels_of_other_clips'] == 2


def test_strong_labels_of_other_classes_are_counted_not_kept(tmp_path):
  weak, explicit, strong = write_files(
    tmp_path, strong=[('one_0', 0.0, 1.0, '/m/z'), ('one_0', 0.0, 1.0, '/m/a')]
  )
  clips, counts = read_clip_labels(CLASS_MAP, [weak], [explicit], [strong])
  assert clips[0].strong == (StrongEvent(0, 0.0, 1.0),)
  assert counts['strong_labels_of_other_classes'] == 1


def test_two_opinions_on_one_label_are_an_error(tmp_path):
  weak, explicit, _ = write_files(tmp_path, explicit=[('one_0', '/m/a', 'NOT_PRESENT')])
  with pytest.raises(LabelError, match='NOT_PRESENT in one_0, but another'):
    read_clip_labels(CLASS_MAP, [weak], [explicit])


def test_segments_are_needed():
  with pytest.raises(LabelError, match='no segments CSV'):
    read_clip_labels(CLASS_MAP, [])
