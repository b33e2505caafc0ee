"""Writing TFRecord files."""

import pathlib

import numpy as np
import pytest

from audioset_ml.records import record_writer
from audioset_ml.records.dataset import copy_clips
from audioset_ml.records.folder import RecordsFolder


def test_a_full_disk_and_a_folder_that_is_not_there_are_errors_of_the_system(tmp_path):
  with (
    pytest.raises(OSError, match='No space left on device'),
    record_writer.opened(pathlib.Path('/dev/full')) as write,
  ):
    write(b'record')
  with (
    pytest.raises(FileNotFoundError, match='nowhere'),
    record_writer.opened(tmp_path / 'nowhere/file') as write,
  ):
    write(b'record')


def test_clips_are_not_copied_to_a_full_disk_in_silence(small_records):
  records = RecordsFolder.open(small_records)
  chosen = np.ones(len(records.clip_ids), bool)
  with pytest.raises(OSError, match='No space left on device'):
    copy_clips(records, chosen, pathlib.Path('/dev/full'))
