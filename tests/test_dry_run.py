"""--dry_run: every stage checks flags and inputs, counts, and writes nothing."""

import json

import numpy as np
import pytest

from audioset_ml.records.folder import RecordsFolder
from audioset_ml.records.scores import ClipScores, write_scores
from tests.conftest import prepare_flags
from tests.integration.test_score import write_model
from tests.stages import run_stage, run_stage_ok


@pytest.fixture(scope='module')
def inputs(small_data, small_records, tmp_path_factory):
  """What stages need, by name: a model, and scores."""
  folder = tmp_path_factory.mktemp('inputs')
  model = write_model(folder / 'model', 0)
  records = RecordsFolder.open(small_records)
  values = np.random.default_rng(0).random((12, 3), np.float32)
  (folder / 'scores').mkdir()
  scores = ClipScores(
    str(folder / 'scores'), records.clip_ids, records.class_map, values
  )
  write_scores(folder / 'scores', scores)
  run_json = {'stage': 'score', 'inputs': {}, 'counts': {}}
  (folder / 'scores/run.json').write_text(json.dumps(run_json))
  run_stage_ok(
    'evaluate',
    f'--records={small_records}',
    f'--scores={folder}/scores',
    '--bootstrap=30',
    '--nofigures',
    f'--output_dir={folder}/evaluation',
  )
  return {
    'data': small_data,
    'records': small_records,
    'model': model,
    'scores': folder / 'scores',
    'evaluation': folder / 'evaluation',
  }


GOOD = [
  ('soundscapes', '--train_clips=5', 'training clips: 5'),
  ('prepare', 'PREPARE', 'clips found: 12'),
  pytest.param(
    'prepare', 'PREPARE --clip_fraction=0.5', 'clips found: ', marks=pytest.mark.slow
  ),
  pytest.param(
    'prepare',
    'PREPARE --clip_list={data}/strong.tsv',
    'clips of the list in no segments CSV: 0',
    marks=pytest.mark.slow,
  ),
  ('train', '--records={records} --steps=24 --batch_size=4', 'examples a clip: 8.0'),
  pytest.param(
    'score', '--records={records} --model={model}', 'models: 1', marks=pytest.mark.slow
  ),
  pytest.param(
    'enhance',
    '--records={records} --scores={scores}',
    'label sets: 3',
    marks=pytest.mark.slow,
  ),
  (
    'evaluate',
    '--records={records} --model={model} --bootstrap=30 --baseline={evaluation}',
    'strong labels: yes',
  ),
  pytest.param(
    'evaluate',
    '--records={records} --scores={scores} --bootstrap=0',
    'clips: 12',
    marks=pytest.mark.slow,
  ),
  pytest.param('export', '--model={model}', 'classes: 3', marks=pytest.mark.slow),
  pytest.param('describe', 'LABELS', 'clips: 12', marks=pytest.mark.slow),
]


@pytest.mark.parametrize(('stage', 'flags', 'told'), GOOD)
def test_inputs_are_counted_and_nothing_is_written(
  stage, flags, told, inputs, tmp_path
):
  out = tmp_path / 'out'
  done = run_stage(
    stage, *arguments_of(flags, inputs), f'--output_dir={out}', '--dry_run'
  )
  assert done.returncode == 0, done.stderr
  assert told in done.stdout
  assert 'would be written\ndry run: nothing was written' in done.stdout
  assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
  ('stage', 'flags'),
  [
    ('enhance', '--records={records} --scores={scores}'),
    ('prepare', 'LABELS --labels_only --records={records}'),
  ],
)
def test_the_written_flagfile_repeats_the_stage(stage, flags, inputs, tmp_path):
  """Though it names flags that have no effect beside others."""
  out = f'--output_dir={tmp_path}/out'
  run_stage_ok(stage, *arguments_of(flags, inputs), out)
  again = run_stage_ok(stage, f'--flagfile={tmp_path}/out/flags.txt')
  assert 'finished already with the same flags' in again


BAD = [
  pytest.param(
    'prepare',
    'LABELS --audio_dir={records}',
    'has none of 12 clips',
    marks=pytest.mark.slow,
  ),
  ('train', '--records={data}', 'not a finished `prepare` folder'),
  pytest.param(
    'train',
    '--records={records} --init_from={scores}',
    'written by `score`',
    marks=pytest.mark.slow,
  ),
  pytest.param(
    'score',
    '--records={records} --model={data}/none.keras',
    'none.keras',
    marks=pytest.mark.slow,
  ),
  pytest.param(
    'enhance',
    '--records={records} --scores={records}',
    'written by `prepare`',
    marks=pytest.mark.slow,
  ),
  pytest.param(
    'evaluate',
    '--records={records} --model={model} --clip_list={data}/no',
    'small/no',
    marks=pytest.mark.slow,
  ),
  (
    'evaluate',
    '--records={records} --model={model} --bootstrap=20 --baseline={evaluation}',
    'have another --bootstrap',
  ),
  pytest.param(
    'export', '--model={scores}', 'written by `score`', marks=pytest.mark.slow
  ),
]


@pytest.mark.parametrize(('stage', 'flags', 'told'), BAD)
def test_what_would_fail_fails_before_anything_is_computed(
  stage, flags, told, inputs, tmp_path
):
  out = tmp_path / 'out'
  done = run_stage(
    stage, *arguments_of(flags, inputs), f'--output_dir={out}', '--dry_run'
  )
  assert done.returncode == 1
  error = done.stderr.strip().splitlines()[-1]
  assert error.startswith('error: ')
  assert told in error
  assert list(tmp_path.iterdir()) == []


def test_a_folder_of_another_run_is_told_of(tmp_path):
  out, clips = tmp_path / 'out', ('--train_clips=2', '--eval_clips=1')
  assert run_stage('soundscapes', *clips, f'--output_dir={out}').returncode == 0
  again = run_stage('soundscapes', *clips, f'--output_dir={out}', '--dry_run')
  assert 'finished already with the same flags' in again.stdout
  other = run_stage('soundscapes', f'--output_dir={out}', '--dry_run')
  assert other.returncode == 1
  assert 'holds a run with other flags' in other.stderr
  replaced = run_stage('soundscapes', f'--output_dir={out}', '--dry_run', '--overwrite')
  assert 'would be replaced' in replaced.stdout
  assert 'dry_run' not in (out / 'flags.txt').read_text()


def test_the_quick_start_prints_its_commands(tmp_path):
  done = run_stage('quickstart', '--dry_run', f'--output_dir={tmp_path}/out')
  assert done.stdout.count('python -m audioset_ml.') == 15
  assert "'--title=Quick start: a student and a masked one'" in done.stdout
  assert not (tmp_path / 'out').exists()


def arguments_of(flags, inputs):
  labels = [flag for flag in prepare_flags(inputs['data']) if '_dir' not in flag]
  labels = [flag for flag in labels if 'clips_per_shard' not in flag]
  words = []
  for word in flags.split():
    if word == 'PREPARE':
      words += prepare_flags(inputs['data'])
    elif word == 'LABELS':
      words += labels
    else:
      words.append(word.format(**inputs))
  return words
