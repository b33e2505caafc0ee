"""Folders of scores: held against what run.json says of their files."""

import json
import shutil

import numpy as np
import pytest

from audioset_ml.core.errors import RecordError
from audioset_ml.records.folder import RecordsFolder
from audioset_ml.records.scores import (
  ClipScores,
  describe_files,
  read_patch_scores,
  read_scores,
  write_scores,
)
from tests.stages import run_stage, run_stage_ok


@pytest.fixture
def folder(small_records, tmp_path):
  """Scores of clips and patches, two of each."""
  folder = tmp_path / 'scores'
  records = RecordsFolder.open(small_records)
  clips = len(records.clip_ids)
  values = np.random.default_rng(0).random((clips, 3)).astype(np.float32)
  folder.mkdir()
  write_scores(folder, ClipScores('', records.clip_ids, records.class_map, values))
  np.save(folder / 'patch_scores.npy', np.repeat(values, 2, axis=0))
  np.save(folder / 'patch_offsets.npy', np.arange(0, 2 * clips + 1, 2))
  run = {'stage': 'score', **records.frames.to_run(), **describe_files(folder)}
  (folder / 'run.json').write_text(json.dumps(run))
  return folder


def reverse(path):
  if path.suffix == '.npy':
    np.save(path, np.load(path)[::-1])
  elif path.name == 'clip_ids.txt':
    path.write_text('\n'.join(path.read_text().split()[::-1]) + '\n')
  else:
    path.write_text(path.read_text().replace(',High', ',high'))


@pytest.mark.parametrize('name', ['scores.npy', 'clip_ids.txt', 'class_map.csv'])
def test_other_scores_of_the_same_size_are_told(folder, name):
  read_scores(folder)
  reverse(folder / name)
  with pytest.raises(RecordError, match=f'{name}: is not as it was written'):
    read_scores(folder)


def test_other_patches_of_the_same_size_are_told(folder):
  assert len(read_patch_scores(read_scores(folder)).values)
  reverse(folder / 'patch_scores.npy')
  with pytest.raises(RecordError, match=r'patch_scores\.npy: is not as it was written'):
    read_patch_scores(read_scores(folder))


def test_of_very_large_files_the_size_is_held(folder, monkeypatch):
  monkeypatch.setattr('audioset_ml.records.scores._MOST_HASHED', 0)
  run = json.loads((folder / 'run.json').read_text()) | describe_files(folder)
  assert {tuple(file) for file in run['score_files'].values()} == {('bytes',)}
  (folder / 'run.json').write_text(json.dumps(run))
  reverse(folder / 'patch_scores.npy')
  read_patch_scores(read_scores(folder))
  np.save(
    folder / 'patch_scores.npy', np.load(folder / 'patch_scores.npy').astype('f2')
  )
  with pytest.raises(RecordError, match=r'has \d+ bytes, but \d+ were written'):
    read_patch_scores(read_scores(folder))


def test_folders_of_older_versions_are_read(folder):
  run = json.loads((folder / 'run.json').read_text())
  del run['score_files']
  (folder / 'run.json').write_text(json.dumps(run))
  reverse(folder / 'scores.npy')
  assert read_scores(folder).files == {}


def test_patches_may_be_deleted(folder):
  (folder / 'patch_scores.npy').unlink()
  scores = read_scores(folder)
  with pytest.raises(RecordError, match='has no scores of patches'):
    read_patch_scores(scores)


def test_imported_scores_are_held_against_their_digests(
  folder, small_records, tmp_path
):
  given = tmp_path / 'given.npy'
  shutil.copy(folder / 'scores.npy', given)
  out = tmp_path / 'imported'
  flags = [f'--scores={given}', f'--clip_ids={folder}/clip_ids.txt']
  flags += [f'--records={small_records}']
  run_stage_ok('import_scores', *flags, f'--output_dir={out}')
  enhance = [f'--scores={out}', f'--records={small_records}', '--discard_percent=40']
  reverse(out / 'scores.npy')
  done = run_stage('enhance', *enhance, f'--output_dir={tmp_path}/label_sets')
  assert done.returncode == 1
  assert 'scores.npy: is not as it was written' in done.stderr
  values = np.load(given)
  values[2, 1] = np.inf
  np.save(given, values)
  done = run_stage('import_scores', *flags, f'--output_dir={tmp_path}/infinite')
  assert done.returncode == 1
  assert 'is infinite' in done.stderr
