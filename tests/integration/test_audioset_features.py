"""`make audioset`: the experiments on AudioSet's published features, on a few clips."""

import json
import os
import re
import shutil
import subprocess
import sys

import pandas as pd
import pytest

from audioset_ml.labels import formats
from tests.small_data import CLASS_MAP
from tests.small_embeddings import write_small_embeddings
from tests.stages import ROOT

# As it stands, it trains three hundred networks.
SHORTER = (
  (r'--axis=seed=\S+', '--axis=seed=1'),
  (r'--axis=percent=\S+,\S+', '--axis=percent=0,3,20'),
  (r'--axis=network=wide\S+', '--axis=network=wide'),
  (r'--axis=number=\S+', '--axis=number=2'),
  (r'--axis=strength=\S+', '--axis=strength=0,0.5'),
  (r'--axis=mu=\S+', '--axis=mu=0,0.8'),
  (r'--axis=share=\S+', '--axis=share=0.5,1'),
  (r'--where=(seed|network)=(narrow|linear)\S* .*\n', ''),
  (r'--skip=(seed|network|rule|size|labels=strong_masked)\S*\n', ''),
  (r'--label=\S+\n', ''),  # classes that there aren't
  (r'--steps=\d+', '--steps=10'),
  (r'--checkpoint_every=\d+', '--checkpoint_every=5'),
  (r'--batch_size=\d+', '--batch_size=8'),
)


def run(work, *arguments, **variables):
  """The script in a copy of the experiments."""
  script = work / 'experiments/audioset_features/run.sh'
  environment = {**os.environ, 'PYTHON': sys.executable, 'PYTHONPATH': str(ROOT)}
  environment |= variables
  return subprocess.run(
    ['bash', script, *map(str, arguments)],
    env=environment,
    capture_output=True,
    text=True,
    check=False,
  )


@pytest.fixture
def work(tmp_path):
  """A copy of the experiments, shortened."""
  copy = tmp_path / 'work/experiments/audioset_features'
  shutil.copytree(ROOT / 'experiments/audioset_features', copy)
  shutil.rmtree(copy / 'results', ignore_errors=True)
  for path in copy.glob('*/*.flags'):
    text = path.read_text()
    for pattern, shorter in SHORTER:
      text = re.sub(pattern, shorter, text)
    path.write_text(text)
  return tmp_path / 'work'


@pytest.fixture
def audioset(tmp_path):
  """Folders of features and of label files, laid out as Google's."""
  data = write_small_embeddings(tmp_path / 'data')
  labels, features = tmp_path / 'labels', tmp_path / 'audioset_v1_embeddings'
  labels.mkdir()
  for name in ('balanced_train_segments.csv', 'eval_segments.csv'):
    shutil.copy(data / 'segments.csv', labels / name)
  shutil.copy(data / 'class_map.csv', labels / 'class_labels_indices.csv')
  ids = [f'{i:02d}_video-id_{1000 * i}' for i in range(18)]
  events = [
    (clip_id, 1.0, 3.0, CLASS_MAP.mids[(index + more) % 3])
    for index, clip_id in enumerate(ids)
    for more in range(1 + index % 2)
  ]
  table = pd.DataFrame(events, columns=formats.STRONG_COLUMNS)
  formats.write_strong_tsv(labels / 'audioset_eval_strong.tsv', table)
  nodes = [{'id': mid, 'name': mid, 'child_ids': []} for mid in CLASS_MAP.mids]
  nodes[2]['child_ids'] = [CLASS_MAP.mids[0]]
  (labels / 'ontology.json').write_text(json.dumps(nodes))
  for split in ('bal_train', 'eval'):
    shutil.copytree(data / 'features', features / split)
  return features, labels


def test_what_is_lacking_is_named(work, audioset, tmp_path):
  features, labels = audioset
  done = run(work, tmp_path / 'nowhere', labels)
  assert done.returncode
  assert 'nowhere' in done.stderr
  done = run(work, tmp_path / 'data/features', labels)
  assert 'has no folder bal_train' in done.stderr
  done = run(work, features, labels, TRAIN='all')
  assert f'{labels}: has no file unbalanced_train_segments.csv' in done.stderr
  done = run(work, features, labels, TRAIN='most')
  assert 'TRAIN=most: neither balanced nor all' in done.stderr
  done = run(work, features, labels, PART='paper')
  assert 'PART=paper: none of papers, methods, all' in done.stderr
  (labels / 'audioset_eval_strong.tsv').unlink()
  done = run(work, features, labels)
  assert f'{labels}: has no file audioset_eval_strong*.tsv' in done.stderr


@pytest.mark.slow
def test_all_of_it_on_a_few_clips(work, audioset, tmp_path):
  features, labels = audioset
  archive = shutil.make_archive(
    str(tmp_path / 'features'), 'gztar', tmp_path, features.name
  )
  done = run(work, archive, labels, PART='all')
  assert done.returncode == 0, done.stdout + done.stderr
  results = work / 'experiments/audioset_features/results'
  tables = {
    path.name.removesuffix('_results.csv'): pd.read_csv(path)
    for path in results.glob('*/*_results.csv')
  }
  for name, table in tables.items():
    assert (table['status'] == 'finished').all(), name
  students = tables['students']
  assert len(students) == 6
  for label in ('evaluate', 'complete'):
    assert students[f'{label}/weak/lwlrap'].notna().all()
  for label in ('complete', 'hard'):
    assert students[f'{label}/weak/d_prime'].notna().all()
  assert tables['scratch']['evaluate/strong/d_prime'].notna().all()
  judged = [name for name in tables['missing'] if name.endswith('/truly_missing')]
  assert tables['missing'][judged].sum(axis=None) > 0
  for figure in ('missing_labels/ml20_relative', 'strong_labels/sl21_figure_3'):
    assert (results / f'{figure}.png').is_file()
  table = pd.read_csv(results / 'strong_labels/sl21_table_1.csv')
  assert len(table) == 5 + 5
  again = run(work, archive, labels)
  assert again.returncode == 0, again.stdout + again.stderr
  assert 'methods/methods' not in again.stdout
  assert again.stdout.count('finished already') >= 4


def test_clips_that_hold_nothing_are_divided_too(tmp_path):
  CLASS_MAP.write(tmp_path / 'map.csv')
  mid = CLASS_MAP.mids[0]
  rows = ['\t'.join(formats.STRONG_COLUMNS), f'a_0\t0\t1\t{mid}', 'b_0\t\t\t']
  (tmp_path / 'strong.tsv').write_text('\n'.join(rows))
  (tmp_path / 'weak.csv').write_text(
    ''.join(f'{clip}, 0.000, 10.000, "{mid}"\n' for clip in 'abc')
  )
  flags = {'class_map': 'map.csv', 'strong_tsv': 'strong.tsv'}
  flags |= {'segments_csv': 'weak.csv', 'output_dir': 'out'}
  script = ROOT / 'experiments/audioset_features/divide.py'
  command = [sys.executable, str(script)]
  command += [f'--{name}={tmp_path / value}' for name, value in flags.items()]
  environment = {**os.environ, 'PYTHONPATH': str(ROOT)}
  subprocess.run(command, env=environment, check=True)
  lists = {p.stem: p.read_text().split()[-2:] for p in (tmp_path / 'out').glob('*.txt')}
  assert lists['strong_all'] == ['a_0', 'b_0']
  assert lists['others'][-1] == 'c_0'
