"""One `evaluate --select` chooses among the checkpoints of several runs."""

import json

import pandas as pd
import pytest

from audioset_ml.evaluation.evaluate_config import EvaluateConfig
from audioset_ml.evaluation.records_evaluation import evaluate_records
from audioset_ml.labels.clip_list import read_clip_list
from tests.stages import run_stage, run_stage_ok
from tests.training.test_train import train_flags

CHECKPOINTS = (20, 40, 60)


@pytest.fixture
def runs(small_records, tmp_path):
  """Two runs with three checkpoints each: of the second, all are the untrained start.

  The best of all is a checkpoint of the first.
  """
  folder = tmp_path / 'runs'
  flags = ('--steps=60', '--checkpoint_every=20', '--checkpoints_kept=3')
  run_stage_ok('train', *train_flags(small_records, folder / 'mu_0.8/train', *flags))
  still = ('--steps=3', '--checkpoint_every=1', '--checkpoints_kept=3')
  flags = train_flags(small_records, folder / 'mu_0.2/train', *still)
  run_stage_ok('train', *flags, '--learning_rate=1e-9')
  return folder


@pytest.mark.slow
def test_the_best_checkpoint_of_all_runs_is_chosen(small_records, runs, tmp_path):
  out = tmp_path / 'out'
  flags = (
    f'--model={runs}/mu_*/train/checkpoints',
    f'--records={small_records}',
    '--select=strong_lwlrap',
    '--bootstrap=0',
    '--nofigures',
    f'--output_dir={out}',
  )
  printed = run_stage_ok('evaluate', *flags)
  table = pd.read_csv(out / 'selection.csv')
  assert table['candidate'].tolist() == [
    *(f'{runs}/mu_0.2/train/checkpoints/ckpt-{step}' for step in (1, 2, 3)),
    *(f'{runs}/mu_0.8/train/checkpoints/ckpt-{step}' for step in CHECKPOINTS),
  ]
  best = table['validation_strong_lwlrap'].idxmax()
  assert best > 2
  chosen = table['candidate'][best]
  assert table['chosen'].tolist() == [row == best for row in range(6)]
  assert chosen in printed
  metrics = json.loads((out / 'metrics.json').read_text())
  assert metrics['selection']['chosen'] == chosen
  # On the clips that are reported it is what the checkpoint has alone.
  test, validation = (
    read_clip_list(out / f'{part}_clips.txt') for part in ('evaluated', 'validation')
  )
  assert len(test) + len(validation) == len({*test, *validation}) == 12
  (tmp_path / 'alone').mkdir()
  config = EvaluateConfig(
    str(small_records),
    (chosen,),
    clip_list=str(out / 'evaluated_clips.txt'),
    replicates=0,
  )
  alone, _ = evaluate_records(config, tmp_path / 'alone')
  assert alone['strong'] == metrics['strong']
  # The chosen one's scores stay, those of the others go.
  assert (out / 'patch_scores.npy').stat().st_size > 0
  assert not (out / 'candidates').exists()
  again = run_stage_ok('evaluate', *flags)
  assert 'finished already' in again
  (runs / 'mu_0.2/train/checkpoints/ckpt-2.index').unlink()
  done = run_stage('evaluate', *flags)
  assert done.returncode == 1
  assert 'ckpt-60) has changed since' in done.stderr
  done = run_stage('evaluate', *flags[1:], f'--model={runs}/nu_*/train')
  assert done.returncode == 1
  assert f'error: {runs}/nu_*/train: matches nothing' in done.stderr
