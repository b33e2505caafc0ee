"""The `train` entry point with several methods at once: killed, and gone on with."""

import json

import numpy as np
import pytest

from audioset_ml.labels.label_set import LabelSet
from audioset_ml.labels.states import LabelState
from audioset_ml.records.dataset import read_label_table
from audioset_ml.records.folder import RecordsFolder
from tests.stages import kill_stage_when, run_stage_ok
from tests.training.test_train import train_flags, weights

STEPS = ('--steps=12', '--checkpoint_every=3', '--ema_decay=0.8')
MIX = ('--mix_label_mode=strong', '--mix_fraction=0.5')
# Low tones are as good as any silence.
RUNS = {
  'll_cp': ('--negative_loss=ll_cp', '--loss_options=delta=20', *MIX),
  'own': ('--flag_while_training=60', '--flag_from=0.2', '--flag_every=0.3', *MIX),
  'yamnet': ('--balance_loss=0.5', '--silence_below_db=20', '--silence_class=Low tone'),
}


@pytest.mark.long
@pytest.mark.parametrize('name', RUNS)
def test_a_killed_run_ends_with_the_same_weights_and_flags(
  name, small_records, tmp_path
):
  flags = [*STEPS, *RUNS[name]]
  if name != 'yamnet':
    flags.append(f'--mix_records={small_records}')
  whole, killed = tmp_path / 'whole', tmp_path / 'killed'
  printed = run_stage_ok('train', *train_flags(small_records, whole, *flags))
  assert 'trained 12 steps' in printed
  index = killed / 'checkpoints' / 'ckpt-6.index'
  kill_stage_when(index.exists, 'train', *train_flags(small_records, killed, *flags))
  assert not (killed / 'model.keras').exists()
  again = run_stage_ok('train', *train_flags(small_records, killed, *flags))
  assert 'going on from step' in again
  for one, other in zip(weights(whole), weights(killed), strict=True):
    assert np.array_equal(one, other)
  counts = [json.loads((f / 'run.json').read_text())['counts'] for f in (whole, killed)]
  assert counts[0] == counts[1]
  if name == 'yamnet':
    return
  # Flags are of the weak source alone, and only of what nobody was asked about.
  ours, theirs = (LabelSet.read(folder / 'label_set') for folder in (whole, killed))
  assert np.array_equal(ours.packed, theirs.packed)
  assert not (whole / 'mix_label_set').exists()
  states = read_label_table(RecordsFolder.open(small_records)).dense()
  assert (states[ours.flagged()] == LabelState.IMPLICIT_NEGATIVE).all()
  assert counts[0]['flagged_labels'] == ours.flagged().sum() > 0
  assert ours.description['step'] == {'ll_cp': 12, 'own': 10}[name]


@pytest.mark.long
def test_what_yamnets_recipe_adds_changes_the_training(small_records, tmp_path):
  """Silence does; balancing does nothing to classes of as many clips each."""
  counts = RecordsFolder.open(small_records).class_counts('explicit_positives')
  assert len(set(counts)) == 1
  found = []
  for flags in ((), RUNS['yamnet'][:1], RUNS['yamnet'][1:]):
    out = tmp_path / str(len(found))
    run_stage_ok('train', *train_flags(small_records, out, '--steps=2', *flags))
    found.append(np.concatenate([w.ravel() for w in weights(out)]))
  plain, balanced, silent = found
  assert np.array_equal(plain, balanced)
  assert not np.array_equal(plain, silent)
