"""Label sets of the negatives that are trained on: smeared labels, lists of clips."""

import json

import numpy as np
import pandas as pd
import pytest

from audioset_ml.labels.label_set import LabelSet
from audioset_ml.records.dataset import read_label_table
from audioset_ml.records.folder import RecordsFolder
from tests.small_data import CLASS_MAP
from tests.stages import run_stage, run_stage_ok
from tests.training.test_train import train_flags

LOW, MIDDLE, HIGH = CLASS_MAP.mids
# A low tone is a kind of middle one.
ONTOLOGY = [
  {'id': MIDDLE, 'name': 'Middle, tone', 'child_ids': [LOW], 'restrictions': []},
  {'id': LOW, 'name': 'Low tone', 'child_ids': [], 'restrictions': []},
  {'id': HIGH, 'name': 'High', 'child_ids': [], 'restrictions': []},
]


@pytest.fixture(scope='module')
def folder(small_records, tmp_path_factory):
  """An ontology, lists, and scores of which none are equal."""
  folder = tmp_path_factory.mktemp('as_trained')
  ids = RecordsFolder.open(small_records).clip_ids
  scores = np.random.default_rng(3).permutation(3 * len(ids)).reshape(-1, 3) / 100
  np.save(folder / 'scores.npy', scores.astype(np.float32))
  (folder / 'ids.txt').write_text('\n'.join(ids))
  (folder / 'ontology.json').write_text(json.dumps(ONTOLOGY))
  (folder / 'some.txt').write_text('\n'.join([*ids[:8], 'gone_0']))
  (folder / 'held_out.txt').write_text('\n'.join(ids[6:]))
  flags = [f'--scores={folder}/scores.npy', f'--clip_ids={folder}/ids.txt']
  flags += [f'--records={small_records}', f'--output_dir={folder}/scores']
  run_stage_ok('import_scores', *flags)
  return folder


def enhance(folder, records, name, *flags):
  out = folder / name
  given = [f'--scores={folder}/scores', f'--records={records}', f'--output_dir={out}']
  printed = run_stage_ok('enhance', *given, '--discard_percent=50', *flags)
  return LabelSet.read(out / 'discard_50'), printed


def expected_flags(folder, implicit):
  """Of each class's implicit negatives the half that scores highest."""
  scores, flags = np.load(folder / 'scores.npy'), np.zeros(implicit.shape, bool)
  for index in range(3):
    rows = np.flatnonzero(implicit[:, index])
    best = rows[np.argsort(-scores[rows, index])][: len(rows) // 2]
    flags[best, index] = True
  return flags


def test_implied_positives_use_up_no_percentage(folder, small_records):
  states = read_label_table(RecordsFolder.open(small_records)).dense()
  implicit = states == 0
  plain, _ = enhance(folder, small_records, 'plain')
  assert np.array_equal(plain.flagged(), expected_flags(folder, implicit))
  ontology = f'--smear_ontology={folder}/ontology.json'
  found, _ = enhance(folder, small_records, 'smeared', ontology)
  follows = implicit[:, 1] & (states[:, 0] == 1)
  implicit[follows, 1] = False
  assert follows.any()
  assert np.array_equal(found.flagged(), expected_flags(folder, implicit))
  assert not np.array_equal(found.flagged(), plain.flagged())
  assert (found.smear_to, plain.smear_to) == ('all', '')
  # PSLA's relatives are those of what people said: the low tone of a middle one.
  related = f'--related_only={folder}/ontology.json'
  both, _ = enhance(folder, small_records, 'both', ontology, related)
  expected = found.flagged()
  expected[:, 0] &= states[:, 1] == 1
  expected[:, 1] &= states[:, 0] == 1
  expected[:, 2] = False
  assert np.array_equal(both.flagged(), expected)


def test_thresholds_may_be_of_the_clips_that_are_trained_on(folder, small_records):
  implicit = read_label_table(RecordsFolder.open(small_records)).dense() == 0
  lists = [f'--clip_list={folder}/some.txt', f'--validation_list={folder}/held_out.txt']
  found, printed = enhance(folder, small_records, 'some', *lists)
  implicit[6:] = False
  assert np.array_equal(found.flagged(), expected_flags(folder, implicit))
  assert found.num_clips == 6
  assert '1 clip of the lists not in the records' in printed
  lost = pd.read_csv(folder / 'some' / 'lost_clips.csv')
  assert lost['clip_id'].tolist() == ['gone_0']
  both = [f'--clip_list={folder}/some.txt', f'--validation_list={folder}/some.txt']
  done = run_stage(
    'enhance',
    *(f'--scores={folder}/scores', f'--records={small_records}'),
    *(*both, f'--output_dir={folder}/none'),
  )
  assert done.returncode == 1
  assert 'some.txt: leaves no clip of' in done.stderr


@pytest.mark.parametrize(
  ('label_set', 'flags', 'told'),
  [
    ('fits', [], []),
    ('fits', ['smear'], ['was made with no ancestors']),
    ('fits', ['some'], ['12 clips, and 8 of these or others']),
    ('other', ['smear', 'some'], []),
    ('other', [], ['was made with all ancestors', '8 clips, and 12 of these']),
  ],
)
def test_training_tells_a_label_set_of_other_negatives(
  folder, small_records, tmp_path, label_set, flags, told
):
  given = {
    'smear': f'--smear_ontology={folder}/ontology.json',
    'some': f'--clip_list={folder}/some.txt',
  }
  if not (folder / label_set).exists():
    more = given.values() if label_set == 'other' else []
    enhance(folder, small_records, label_set, *more)
  printed = run_stage_ok(
    'train',
    *train_flags(small_records, tmp_path / 'run', '--dry_run'),
    f'--label_set={folder}/{label_set}/discard_50',
    *(given[name] for name in flags),
  )
  notes = [line for line in printed.splitlines() if line.startswith('note:')]
  assert len(notes) == len(told)
  for note, words in zip(notes, told, strict=True):
    assert words in note


@pytest.mark.long
def test_a_run_that_flags_labels_itself_passes_over_implied_positives(
  folder, small_records, tmp_path
):
  flags = ('--flag_while_training=50', '--steps=4', '--flag_from=0', '--flag_every=0.5')
  ontology = f'--smear_ontology={folder}/ontology.json'
  run = tmp_path / 'run'
  run_stage_ok('train', *train_flags(small_records, run, *flags, ontology))
  found = LabelSet.read(run / 'label_set')
  states = read_label_table(RecordsFolder.open(small_records)).dense()
  implicit = states == 0
  implicit[states[:, 0] == 1, 1] = False
  assert not (found.flagged() & ~implicit).any()
  # Where scores tie, as those of so short a training may, less than half.
  assert (found.flagged().sum(axis=0) <= implicit.sum(axis=0) // 2).all()
  assert found.flagged().any()
  assert (found.description['step'], found.smear_to) == (2, 'all')
  summary = pd.read_csv(run / 'label_set' / 'summary.csv')
  assert summary['implicit'].tolist() == implicit.sum(axis=0).tolist()
