"""Mutated files of folders that stages write: read as whole ones are, or refused."""

import pathlib
import shutil

import pytest

from audioset_ml.records.folder import RecordsFolder
from tests.fuzzing import campaign, folder_files
from tests.fuzzing.campaign import Original

# What is read, which of its files are mutated, and how.
_LIGHT = (
  ('records', 'read_records', {'run.json': 'json', 'clips.csv': 'text'}),
  ('scores', 'read_scores', {
    'run.json': 'json', 'clip_ids.txt': 'text', 'class_map.csv': 'text',
    'scores.npy': 'binary', 'patch_scores.npy': 'binary', 'patch_offsets.npy': 'binary',
  }),
  ('label_set', 'read_label_set', {
    'label_set.json': 'json', 'clip_ids.txt': 'text', 'flagged.npy': 'binary',
  }),
  ('evaluation', 'read_evaluation', {
    'run.json': 'json', 'metrics.json': 'json', 'per_class.csv': 'text',
    'replicates.npz': 'binary',
  }),
  ('started', 'read_started', {'.inputs.json': 'json', 'run.json': 'json'}),
  ('sweep', 'read_sweep', {'results.csv': 'text'}),
  ('description', 'read_description', {'odds_ratios.csv': 'text'}),
  ('thresholds.csv', 'read_thresholds', {'': 'text'}),
  ('foreign.npz', 'read_foreign', {'': 'binary'}),
  ('foreign.npy', 'read_foreign', {'': 'binary'}),
)  # fmt: skip
_HEAVY = (
  ('records', 'read_shards', {'records-00000-of-00003.tfrecord': 'binary'}),
  ('model.keras', 'read_model', {'': 'binary'}),
  ('weights.h5', 'read_weights', {'': 'binary'}),
  ('checkpoints', 'read_checkpoints', {
    'checkpoint': 'binary', 'ckpt-2.index': 'binary',
    'ckpt-2.data-00000-of-00001': 'binary',
  }),
)  # fmt: skip


def originals(root: pathlib.Path, kinds) -> list[Original]:
  """Every file of these kinds, with the folder in which it lies."""
  return [
    Original(
      f'{name}/{file}', (root / name / file).read_bytes(), how, (name, file, reader)
    )
    for name, reader, mutated in kinds
    for file, how in mutated.items()
  ]


def examine(root: pathlib.Path, context):
  """What was read of a folder, or a file, below a root."""
  name, _, reader = context
  return getattr(folder_files, reader)(root / name)


def judge(whole, found) -> str:
  if tuple(found) == tuple(whole):
    return ''
  is_less = any(
    now != then if isinstance(then, str) else now < then
    for now, then in zip(found, whole, strict=True)
  )
  return f'{found} instead of {whole}, without a word' if is_less else ':more'


class Folders:
  """Whole folders, with one mutated file at a time in a copy of its own."""

  def __init__(self, root: pathlib.Path):
    self._root = root

  def write(self, place: pathlib.Path, data: bytes, context) -> pathlib.Path:
    name, file, _ = context
    copy = place.parent / f'{name}-{file or "file"}'
    if not copy.exists():
      shutil.copytree(self._root, copy)
    (copy / name / file if file else copy / name).write_bytes(data)
    return copy


def fuzz(root: pathlib.Path, kinds, number: int, first_seed: int = 0) -> None:
  counts = campaign.run(
    originals(root, kinds),
    number,
    examine,
    judge,
    root.parent / 'failures',
    Folders(root).write,
    first_seed,
  )
  print(f'folders: {dict(counts)}')
  assert counts['refused'] > number // 4


@pytest.fixture(scope='module')
def root(small_records, tmp_path_factory):
  root = tmp_path_factory.mktemp('whole') / 'root'
  shutil.copytree(small_records, root / 'records')
  folder_files.write_folders(root, root / 'records')
  folder_files.started(root / 'started')
  clip_ids = RecordsFolder.open(root / 'records').clip_ids
  (root / 'records_ids.txt').write_text('\n'.join(clip_ids))
  return root


@pytest.fixture(scope='module')
def models(root):
  folder_files.write_models(root)
  return root


def test_a_few_mutated_folders(root):
  fuzz(root, _LIGHT, 340)


@pytest.mark.slow
def test_mutated_folders(root):
  fuzz(root, _LIGHT, 6000, 1000)


@pytest.mark.long
def test_a_few_mutated_models_and_shards(models):
  fuzz(models, _HEAVY, 60)


@pytest.mark.slow
def test_mutated_models_and_shards(models):
  fuzz(models, _HEAVY, 1500, 1000)
