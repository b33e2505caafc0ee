import csv
import json

import pandas as pd
import pytest

from audioset_ml.labels.clip_list import read_clip_list
from audioset_ml.labels.segments import read_weak_csv
from audioset_ml.paper_figures import sl21
from tests.stages import run_stage, run_stage_ok


def flags_of(data, *more):
  return [
    f'--segments_csv={data / "segments.csv"}',
    f'--explicit_tsv={data / "explicit.tsv"}',
    f'--strong_tsv={data / "strong.tsv"}',
    f'--class_map={data / "class_map.csv"}',
    *more,
  ]


def test_small_labels_are_described(small_data, tmp_path):
  (tmp_path / 'qa.csv').write_text('label_id,num_rated,num_true\n/m/low,10,7\n')
  out = tmp_path / 'description'
  flags = flags_of(small_data, f'--qa_csv={tmp_path}/qa.csv', '--label=low tone')
  printed = run_stage_ok('describe', *flags, '--min_both=1', f'--output_dir={out}')
  summary = json.loads((out / 'summary.json').read_text())
  assert summary['clips'] == 12
  assert summary['positives'] == 15
  assert summary['explicit_negatives'] == 12
  assert summary['strong_class_clip_pairs'] == 18
  assert summary['quality_mean'] == 0.7
  assert 'strong labels by their odds ratio with the weak label Low tone' in printed
  assert 'weak labels by their odds ratio with the strong label Low tone' in printed
  with open(out / 'classes.csv', newline='') as file:
    rows = list(csv.DictReader(file))
  assert [row['display_name'] for row in rows] == ['Low tone', 'Middle, tone', 'High']
  assert sum(int(row['positives']) for row in rows) == 15
  for name in ('priors', 'class_counts', 'labels_per_clip', 'label_quality'):
    assert (out / f'{name}.png').read_bytes().startswith(b'\x89PNG')
    assert (out / f'{name}.pdf').read_bytes().startswith(b'%PDF')
  assert (out / 'odds_ratios_weak_m_low.png').exists()
  # Both of SL21's lists are in a report of the same folder.
  found = sl21.odds_ratios(out)
  assert set(found['label']) == {'weak: Low tone', 'strong: Low tone'}
  assert found.columns.tolist() == [
    'label',
    'with',
    'odds_ratio',
    'low',
    'high',
    'both',
  ]
  pairs = pd.read_csv(out / 'odds_ratios.csv')
  for kind, other in (('weak', 'strong'), ('strong', 'weak')):
    there = pairs[pairs[f'{kind}_name'] == 'Low tone']
    listed = found[found['label'] == f'{kind}: Low tone']
    assert listed['with'].tolist() == there[f'{other}_name'].tolist()
    assert listed['both'].tolist() == there['both'].tolist()


def test_weak_labels_alone_are_described(small_data, tmp_path):
  flags = [flag for flag in flags_of(small_data) if 'tsv' not in flag]
  out = tmp_path / 'description'
  run_stage_ok('describe', *flags, '--formats=svg', f'--output_dir={out}')
  assert (out / 'labels_per_clip.svg').exists()
  assert not (out / 'priors.svg').exists()
  with open(out / 'odds_ratios.csv', newline='') as file:
    assert list(csv.DictReader(file)) == []


def test_so_many_clips_of_each_class_are_chosen(small_data, tmp_path):
  """Of the strong file's clips; the list is one that other stages read."""
  events = (small_data / 'strong.tsv').read_text().splitlines(True)
  strong = tmp_path / 'strong.tsv'
  strong.write_text(''.join(events[:-4]))
  out = tmp_path / 'description'
  flags = flags_of(small_data, f'--strong_tsv={strong}', '--choose_clips=2')
  printed = run_stage_ok('describe', *flags, '--formats=svg', f'--output_dir={out}')
  chosen = read_clip_list(out / 'chosen_clips.txt')
  summary = json.loads((out / 'summary.json').read_text())
  assert summary['chosen_clips'] == len(chosen)
  strongly = {line.split('\t')[0] for line in events[1:-4]}
  assert set(chosen) <= strongly
  assert summary['chosen_from_clips'] == len(strongly) < 12
  classes = pd.read_csv(out / 'classes.csv')
  labels = read_weak_csv(small_data / 'segments.csv').labels
  counts = labels[labels['clip_id'].isin(chosen)]['mid'].value_counts()
  assert counts.min() >= 2
  assert classes.set_index('mid')['chosen_clips'].to_dict() == counts.to_dict()
  assert summary['chosen_positives'] == counts.sum()
  assert summary['classes_without_clips_to_choose'] == 0
  assert 'chosen_clips.txt' in printed
  assert (out / 'chosen_clips.txt').read_text().startswith(f'# {len(chosen)} of ')


@pytest.mark.parametrize(
  ('flag', 'message'),
  [
    ('--choose_clips=-1', '--choose_clips=-1'),
    ('--label=tone', "'tone' is neither the mid nor the name of a class; do you mean"),
    ('--formats=gif', 'its ending says no format; use .png, .pdf, .svg'),
    ('--qa_csv=absent.csv', 'absent.csv: no such file (--qa_csv)'),
    ('--segments_csv=absent.csv', 'absent.csv: no such file (--segments_csv)'),
  ],
)
def test_wrong_input_is_one_clear_line(small_data, tmp_path, flag, message):
  done = run_stage(
    'describe', *flags_of(small_data, flag), f'--output_dir={tmp_path}/o'
  )
  assert done.returncode == 1
  assert message in done.stderr
  assert 'Traceback' not in done.stderr
