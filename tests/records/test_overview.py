import dataclasses

import pytest

from audioset_ml.core.errors import InputError
from audioset_ml.records.folder import RecordsFolder
from audioset_ml.records.overview import read_overview


@pytest.fixture(scope='module')
def records(small_records):
  return RecordsFolder.open(small_records)


@pytest.fixture(scope='module')
def overview(records):
  return read_overview(records)


def test_the_numbers_are_those_of_the_small_data(records, overview):
  # Of 12 clips, six have a second tone; three of these lack its label.
  assert overview.counts['explicit_positives'] == 12 + 6 - 3
  assert overview.counts['explicit_negatives'] == 12
  assert overview.counts['strong_events'] == 12 + 6
  assert overview.counts['refuted_stretches'] == 0
  assert overview.hours == pytest.approx(12 * 2 / 3600, abs=1e-4)
  assert overview.shard_bytes == sum(
    path.stat().st_size for path in records.path.glob('*.tfrecord')
  )
  assert overview.all_scanned


def test_of_many_clips_only_the_first_are_read(records, overview):
  first = read_overview(records, scanned_clips=5)
  assert first.scanned == overview.scanned[:5]
  assert not first.all_scanned
  assert first.counts['explicit_positives'] == 15  # from run.json


def test_frequent_classes_and_richly_labelled_clips_come_first(overview):
  def counts(positives, negatives, clips):
    names = ('explicit_positives', 'explicit_negatives', 'clips_with_events')
    return dict(zip(names, (positives, negatives, clips), strict=True))

  classes = {
    '/m/few': counts(1, 9, 0),
    '/m/refuted': counts(0, 50, 0),
    '/m/events': counts(0, 0, 7),
    '/m/many': counts(8, 0, 0),
  }
  made = dataclasses.replace(overview, class_counts=classes)
  frequent = [mid for mid, _ in made.frequent_classes(10)]
  assert frequent == ['/m/many', '/m/few', '/m/events']
  assert made.frequent_classes(1) == [('/m/many', classes['/m/many'])]
  numbers = [len(clip.strong) for clip in overview.strong_clips(8)]
  assert numbers == [2] * 6 + [1] * 2


def test_another_folder_is_told(tmp_path):
  with pytest.raises(InputError, match='not a finished `prepare` folder'):
    read_overview(RecordsFolder.open(tmp_path))
