"""The experiments' flagfiles: that each can be used, and AudioSet's from end to end."""

import re
import shlex

import numpy as np
import pandas as pd
import pytest
import soundfile

from audioset_ml.sweeping.grid import Trial
from audioset_ml.sweeping.results import row_of, write_results
from audioset_ml.sweeping.trials import Outcome
from tests.stages import ROOT, run_stage_ok

FLAGFILES = sorted((ROOT / 'experiments').glob('*/*/*.flags'))
SWEEPS = [path for path in FLAGFILES if '--stage=' in path.read_text()]
CLIPS, SECONDS, RATE = 24, 10, 16_000


def name_of(path):
  return str(path.relative_to(ROOT / 'experiments'))


def command_of(path):
  """The command that a flagfile's head names: stage and flags."""
  found = re.search(r'^#   python -m audioset_ml\.(\w+) (.*)$', path.read_text(), re.M)
  return found and (found.group(1), shlex.split(found.group(2)))


@pytest.mark.parametrize('path', FLAGFILES, ids=name_of)
def test_a_flagfile_says_what_it_is_and_how_to_run_it(path):
  head = ''.join(
    line for line in path.read_text().splitlines(True) if line.startswith('#')
  )
  assert re.search(r'ML20|SL21|students|rules', head)
  command = command_of(path)
  if path.name != 'network.flags':  # which others include
    assert command[1] == [f'--flagfile={path.relative_to(ROOT)}']


@pytest.mark.parametrize('path', SWEEPS, ids=name_of)
def test_a_sweeps_commands_can_be_printed(path):
  text = run_stage_ok('sweep', f'--flagfile={path}', '--print_commands', folder=ROOT)
  commands = text.splitlines()
  assert len(set(commands)) == len(commands) > 0
  assert '{' not in text


def write_audioset(folder, shared_data):
  """A folder laid out like AudioSet: rows of the official files, generated sound."""
  csvs = folder / 'audioset'
  (csvs / 'audio').mkdir(parents=True)
  for name in ('class_labels_indices.csv', 'ontology.json'):
    (csvs / name).write_bytes(shared_data(f'audioset/{name}').read_bytes())
  strong = {
    split: pd.read_csv(
      shared_data(f'audioset_strong/audioset_{split}_strong_subset.tsv'), sep='\t'
    )
    for split in ('train', 'eval')
  }
  official = {
    split: shared_data(f'audioset/{name}').read_text().splitlines(True)
    for split, name in (
      ('train', 'balanced_train_segments.csv'),
      ('eval', 'eval_segments.csv'),
    )
  }
  random = np.random.default_rng(0)
  for split, lines in official.items():
    head, rows = lines[:3], lines[3:]
    ids = [clip_id(row) for row in rows]
    labelled = set(strong[split]['segment_id'])
    # Half of the clips have events in the official strong files.
    chosen = [r for r, one in zip(rows, ids, strict=True) if one in labelled]
    others = [r for r, one in zip(rows, ids, strict=True) if one not in labelled]
    chosen = chosen[: CLIPS // 2] + others[: CLIPS - len(chosen[: CLIPS // 2])]
    files = {'eval_segments.csv': chosen}
    if split == 'train':  # the larger file is not among the test data
      files = {
        'balanced_train_segments.csv': chosen[::2],
        'unbalanced_train_segments.csv': chosen[1::2],
      }
    for name, some in files.items():
      (csvs / name).write_text(''.join([*head, *some]))
    events = strong[split]
    wanted = {clip_id(row) for row in chosen}
    events = events[events['segment_id'].isin(wanted)]
    events.to_csv(csvs / f'audioset_{split}_strong.tsv', sep='\t', index=False)
    (csvs / 'audio' / split).mkdir()
    for one in wanted:
      sound = 0.1 * random.standard_normal(SECONDS * RATE)
      soundfile.write(csvs / 'audio' / split / f'{one}.flac', sound, RATE)
    if split == 'eval':
      framed = shared_data(
        'audioset_strong/audioset_eval_strong_framed_posneg_subset.tsv'
      )
      with_negatives(framed, dict(map(length, chosen))).to_csv(
        csvs / 'audioset_eval_strong_framed_posneg.tsv', sep='\t', index=False
      )
  (folder / 'experiments').symlink_to(ROOT / 'experiments')


def with_negatives(framed, seconds):
  """Google's positive frames of clips; every other frame of them is a negative, as in
  the whole file, of which the test data have the positives only.

  Args:
    framed: the file.
    seconds: how long each clip is; no frame ends later.
  """
  framed = pd.read_csv(framed, sep='\t')
  framed = framed[framed['segment_id'].isin(seconds)]
  starts = [round(0.96 * frame, 2) for frame in range(10)]
  every = pd.MultiIndex.from_product(
    [sorted(seconds), starts, sorted(set(framed['label']))],
    names=['segment_id', 'start_time_seconds', 'label'],
  )
  present = framed.assign(start_time_seconds=framed['start_time_seconds'].round(2))
  present = present.set_index(every.names)['present']
  table = present.reindex(every, fill_value='NOT_PRESENT').reset_index()
  ends = (table['start_time_seconds'] + 0.96).round(2)
  table.insert(2, 'end_time_seconds', ends)
  return table[ends <= table['segment_id'].map(seconds)]


def length(row):
  start, end = map(float, row.split(', ')[1:3])
  return clip_id(row), end - start


def clip_id(row):
  name, start = row.split(', ')[:2]
  return f'{name}_{round(1000 * float(start))}'


@pytest.fixture(scope='module')
def audioset(shared_data, tmp_path_factory):
  folder = tmp_path_factory.mktemp('audioset')
  write_audioset(folder, shared_data)
  return folder


# In their order; of a sweep, the trials that are run.
ML20 = (
  'prepare_large',
  'prepare_small',
  'prepare_eval',
  'teacher',
  'score_large',
  'score_small',
  'enhance_large',
  'enhance_small',
  'yamnet',
  ('students', ('size_small-network_resnet50-percent_0/', 'resnet50-percent_3/')),
  'by_prior',
  'report',
)
SL21 = (
  'prepare_train',
  'prepare_eval',
  'describe',
  'prepare_chosen',
  ('scratch', ('labels_weak-clips_all/', 'labels_strong-clips_subset/')),
  (
    'mixing',
    (
      *('labels_strong-mu_0/', 'labels_strong-mu_0.8/'),
      *('labels_diffuse-mu_0.2/', 'labels_diffuse-mu_0.7/'),
    ),
  ),
  ('chosen', ('labels_strong/',)),
  ('shares', ('share_1/',)),
  'report',
)
EXPECTED = {
  'missing_labels': {'ml20_figure_2.pdf', 'ml20_table_2.csv'},
  'strong_labels': {
    'sl21_table_1.csv',
    'sl21_differences.csv',
    'sl21_figure_2.svg',
    'sl21_figure_3.png',
    'mixing.pdf',
    'sl21_odds_ratios.csv',
  },
}
# Two checkpoints, to choose one.
TEN_STEPS = (
  '--steps=10',
  '--batch_size=4',
  '--shuffle_buffer=8',
  '--checkpoint_every=5',
)


@pytest.mark.slow
@pytest.mark.parametrize(
  ('paper', 'steps'),
  [('missing_labels', ML20), ('strong_labels', SL21)],
  ids=['ml20', 'sl21'],
)
def test_audiosets_flagfiles_pass_a_dry_run_and_run_for_ten_steps(
  paper, steps, audioset
):
  for step in steps:
    name, trials = (step, None) if isinstance(step, str) else step
    flagfile = f'experiments/{paper}/audioset/{name}.flags'
    if trials is not None:
      run_sweep(flagfile, trials, audioset)
      continue
    stage, flags = command_of(ROOT / flagfile)
    more = TEN_STEPS if stage == 'train' else ()
    told = run_stage_ok(stage, *flags, *more, '--dry_run', folder=audioset)
    assert 'dry run: nothing was written' in told
    run_stage_ok(stage, *flags, *more, folder=audioset)
  results = audioset / 'runs/audioset' / paper / 'results'
  assert EXPECTED[paper] <= {path.name for path in results.iterdir()}


def run_sweep(flagfile, trials, folder):
  """Checks a sweep whose inputs are there, and runs some of its trials, shortened."""
  flags = run_stage_ok('sweep', f'--flagfile={flagfile}', '--dry_run', folder=folder)
  assert 'flags and first inputs are as they must be' in flags
  text = run_stage_ok(
    'sweep', f'--flagfile={flagfile}', '--print_commands', folder=folder
  )
  lines = [line for line in text.splitlines() if any(one in line for one in trials)]
  assert len(lines) >= len(trials)
  for line in lines:
    for command in line.split(' && '):
      words = shlex.split(command)
      stage = words[2].removeprefix('audioset_ml.')
      more = TEN_STEPS if stage == 'train' else ()
      run_stage_ok(stage, *words[3:], *more, folder=folder)
  gather(flagfile, folder, lines)


def gather(flagfile, folder, commands):
  """Gathers the trials that have run, as the sweep itself does."""
  text = (folder / flagfile).read_text()
  sweep = folder / re.search(r'^--output_dir=(.*)$', text, re.M).group(1)
  axes = re.findall(r'^--axis=(\w+)=', text, re.M)
  trials = []
  for lines in commands:
    name = re.search(r'--output_dir=\S*/(\S+)/evaluate', lines).group(1)
    point = dict(part.split('_', 1) for part in name.split('-'))
    stages = tuple(
      (label, label, (f'--output_dir={sweep}/{name}/{label}',))
      for label in ('train', 'evaluate')
      if (sweep / name / label).exists()
    )
    trials.append(Trial(name, {axis: point[axis] for axis in axes}, stages))
  rows = {trial.name: row_of(Outcome(trial, 1.0)) for trial in trials}
  write_results(sweep / 'results.csv', trials, rows)
