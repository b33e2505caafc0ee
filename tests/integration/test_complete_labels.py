"""Complete annotations from label files to targets and metrics, by the entry points."""

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest
import sklearn.metrics

from audioset_ml.evaluation import labelled_clips
from audioset_ml.evaluation.evaluate_config import EvaluateConfig
from audioset_ml.evaluation.frame_labels import FrameState
from audioset_ml.evaluation.records_evaluation import evaluate_records
from audioset_ml.evaluation.truth import Truth
from audioset_ml.labels.label_files import LabelFiles
from audioset_ml.labels.label_set import LabelSet
from audioset_ml.labels.states import LabelState
from audioset_ml.missing_labels.enhance_config import EnhanceConfig
from audioset_ml.missing_labels.enhance_stage import enhance
from audioset_ml.records import pipeline
from audioset_ml.records.dataset import read_label_table
from audioset_ml.records.folder import RecordsFolder
from audioset_ml.records.inspection import read_first_labels
from audioset_ml.records.overview import read_overview
from audioset_ml.records.prepare_config import PrepareConfig
from audioset_ml.records.scores import read_scores
from audioset_ml.records.training_input import InputConfig, training_dataset
from audioset_ml.records.training_source import Source
from audioset_ml.reporting import evaluation_text, records_text
from tests.conftest import prepare_flags
from tests.evaluation.planted_scores import write_planted_scores
from tests.records.test_pipeline import contents
from tests.stages import run_stage, run_stage_ok

# Clip i has class i % 3, and (i + 1) % 3 where i is odd; both with events.
PRESENT = np.array(
  [[c in (i % 3, (i + i % 2) % 3) for c in range(3)] for i in range(12)]
)
MIDS = ('/m/low', '/m/middle', '/m/high')
# High is a kind of Low.
ONTOLOGY = [
  {'id': '/m/low', 'name': 'Low tone', 'child_ids': ['/m/high']},
  {'id': '/m/middle', 'name': 'Middle, tone', 'child_ids': []},
  {'id': '/m/high', 'name': 'High', 'child_ids': []},
]


def flags_of(small_data):
  """Without the ratings of whole clips, of which none refutes anything then."""
  return [flag for flag in prepare_flags(small_data) if 'explicit' not in flag]


@pytest.fixture(scope='module')
def complete(small_data, tmp_path_factory):
  """Records whose clips were annotated completely, and what `prepare` said of them."""
  folder = tmp_path_factory.mktemp('complete') / 'records'
  flags = [*flags_of(small_data), '--complete_strong', f'--output_dir={folder}']
  return folder, run_stage_ok('prepare', *flags)


@pytest.fixture(scope='module')
def scores(complete, tmp_path_factory):
  return write_planted_scores(tmp_path_factory.mktemp('planted') / 'a', complete[0])


def order_of(records):
  """Which clip each record is of."""
  return [int(clip_id[4:11]) for clip_id in records.clip_ids]


def test_records_hold_what_was_not_marked(complete):
  folder, printed = complete
  records = RecordsFolder.open(folder)
  states, order = read_label_table(records).dense(), order_of(records)
  for row, clip in enumerate(order):
    for index in range(3):
      negative = states[row, index] == LabelState.EXPLICIT_NEGATIVE
      assert negative == (not PRESENT[clip, index])
  lacking = int((~PRESENT).sum())
  assert records.counts['explicit_negatives'] == lacking == 18
  assert records.counts['unmarked_labels'] == lacking
  assert records.counts['complete_clips'] == records.strong_clips == 12
  assert records.class_counts('explicit_negatives').tolist() == [6, 6, 6]
  assert (
    'complete annotations: 12 clips (0 without an event of a class), 3 classes; '
    f'{lacking} labels that were not marked are explicit negatives' in printed
  )
  labels = read_first_labels(records, 12)
  assert [len(one.explicit_negatives) for one in labels] == [
    2 - clip % 2 for clip in order
  ]
  shown = records_text.describe_records(read_overview(records))
  assert '12 completely annotated clips' in shown


def test_joined_later_they_are_the_same_bytes(
  small_data, small_records, complete, tmp_path
):
  """And taken away again, the records are those of before."""
  folder, _ = complete
  files = LabelFiles(
    class_map=str(small_data / 'class_map.csv'),
    segments_csvs=(str(small_data / 'segments.csv'),),
    strong_tsvs=(str(small_data / 'strong.tsv'),),
    explicit_tsvs=(str(small_data / 'explicit.tsv'),),
  )
  alone = dataclasses.replace(files, explicit_tsvs=(), complete_strong=True)
  for labels, old, new, expected in (
    (alone, small_records, tmp_path / 'there', folder),
    (files, folder, tmp_path / 'back', small_records),
  ):
    new.mkdir()
    dropped = () if labels is alone else ('complete',)
    config = PrepareConfig(labels, records=str(old), drop_labels=dropped)
    pipeline.prepare(config, new)
    assert contents(new) == contents(expected)


@pytest.fixture(scope='module')
def silence(small_data, small_records, tmp_path_factory):
  """Records and framed labels of an annotation by which two clips hold nothing."""
  folder = tmp_path_factory.mktemp('silence')
  lines = (small_data / 'strong.tsv').read_text().splitlines()
  silent = ['clip0000004_4000', 'clip0000005_5000']
  kept = [line for line in lines if line.split('\t')[0] not in silent]
  text = '\n'.join([*kept, *(f'{clip_id}\t\t\t' for clip_id in silent)]) + '\n'
  (folder / 'strong.tsv').write_text(text)
  files = LabelFiles(
    class_map=str(small_data / 'class_map.csv'),
    segments_csvs=(str(small_data / 'segments.csv'),),
    strong_tsvs=(str(folder / 'strong.tsv'),),
    weak_labels='events',
  )
  (folder / 'records').mkdir()
  config = PrepareConfig(files, records=str(small_records))
  counts, details = pipeline.prepare(config, folder / 'records')
  run_json = {'stage': 'prepare', 'counts': counts, **details}
  (folder / 'records' / 'run.json').write_text(json.dumps(run_json))
  return folder, silent, counts


def test_a_clip_that_holds_nothing_counts_in_evaluation_and_detection(
  silence, monkeypatch
):
  folder, silent, counts = silence
  assert counts['silent_clips'] == counts['complete_clips'] == 2
  records = RecordsFolder.open(folder / 'records')
  assert records.strong_clips == 12
  clips = Truth.read(records).of()
  states = clips.labels.dense()
  rows = [clips.clip_ids.index(clip_id) for clip_id in silent]
  assert (states[rows] == LabelState.EXPLICIT_NEGATIVE).all()
  assert (states != LabelState.EXPLICIT_NEGATIVE).sum() == 10 * 3
  # Both whole frames of each are explicit negatives of all three classes.
  for _, (frames, kinds) in zip(range(3), clips.frames.by_class(3), strict=True):
    refuted = frames[kinds == FrameState.EXPLICIT_NEGATIVE]
    assert sorted(clips.frames.clips[refuted].tolist()) == sorted([*rows, *rows])
  asked = {}
  monkeypatch.setattr(
    labelled_clips,
    'evaluate_detection',
    lambda patches, seconds, *more: asked.update(seconds),
  )
  path = write_planted_scores(folder / 'planted', folder / 'records')
  clips.detection(read_scores(path))
  assert set(asked) == set(clips.clip_ids)


def test_a_clip_that_holds_nothing_trains_as_strongly_labelled(silence):
  folder, silent, _ = silence
  records = RecordsFolder.open(folder / 'records')
  source = Source(records, label_mode='strong', listed=frozenset(silent))
  config = InputConfig(batch_size=2, shuffle_buffer=1)
  _, targets = next(iter(training_dataset(source, config)))
  assert targets.numpy().tolist() == [[0, 0, 0]] * 2


def test_frames_of_a_clip_that_holds_nothing_are_negatives(silence, tmp_path):
  folder, silent, _ = silence
  columns = ['segment_id', 'label', 'present']
  rows = [(silent[0], '/m/low', 'UNSURE'), (silent[1], '/m/low', 'NOT_PRESENT')]
  pd.DataFrame(rows, columns=columns).to_csv(
    tmp_path / 'explicit.tsv', sep='\t', index=False
  )
  flags = [f'--strong_tsv={folder}/strong.tsv', f'--output_tsv={tmp_path}/framed.tsv']
  flags.append(f'--explicit_tsv={tmp_path}/explicit.tsv')
  printed = run_stage_ok('frame_labels', *flags)
  assert '2 clips were annotated and hold nothing' in printed
  assert '1 label of whole clips is UNSURE' in printed
  table = pd.read_csv(tmp_path / 'framed.tsv', sep='\t')
  table = table[table['segment_id'].isin(silent)]
  assert (table['present'] == 'NOT_PRESENT').all()
  found = table.groupby('segment_id')['label'].value_counts().to_dict()
  expected = {(clip_id, mid): 10 for clip_id in silent for mid in MIDS}
  del expected[silent[0], '/m/low']
  assert found == expected


@pytest.mark.slow
def test_workers_write_the_same_bytes(small_data, complete, tmp_path):
  flags = [*flags_of(small_data), '--complete_strong', '--workers=2']
  run_stage_ok('prepare', *flags, f'--output_dir={tmp_path}/out')
  assert contents(tmp_path / 'out') == contents(complete[0])


@pytest.fixture
def evaluate(complete, scores, tmp_path):
  """Evaluates the planted scores; what is printed, and the values by class."""

  def run(**options):
    config = EvaluateConfig(
      str(complete[0]), scores=(str(scores),), replicates=0, **options
    )
    metrics, _ = evaluate_records(config, tmp_path)
    table = pd.read_csv(tmp_path / 'per_class.csv')
    return evaluation_text.text(metrics), table.set_index('mid')

  return run


def test_evaluation_holds_them_against_the_positives(complete, scores, evaluate):
  """d′ of clips and of frames, with what scikit-learn finds."""
  printed, found = evaluate()
  assert 'note: 18 labels that complete annotators did not mark are' in printed
  assert 'd_prime_smeared' not in printed
  found = found.reset_index()
  records = RecordsFolder.open(complete[0])
  present = PRESENT[order_of(records)]
  weak = read_label_table(records).dense() == LabelState.EXPLICIT_POSITIVE
  clips = np.load(scores / 'scores.npy')
  patches = np.load(scores / 'patch_scores.npy').reshape(12, -1, 3)
  frames = patches[:, ::2][:, :2]  # two whole frames of 0.96 s in two seconds
  for index in range(3):
    chosen = weak[:, index] | ~present[:, index]
    auc = sklearn.metrics.roc_auc_score(weak[chosen, index], clips[chosen, index])
    assert found['auc'][index] == pytest.approx(auc)
    truth = np.repeat(present[:, index], 2)
    auc = sklearn.metrics.roc_auc_score(truth, frames[..., index].ravel())
    assert found['strong_auc_explicit'][index] == pytest.approx(auc)
    assert found['strong_auc_pooled'][index] == pytest.approx(auc)
  assert found['strong_explicit_negatives'].tolist() == [12, 12, 12]


def test_a_general_class_is_no_negative_where_a_kind_of_it_was_marked(
  complete, scores, evaluate, tmp_path
):
  """Smearing reaches the frames, and all positives stand against what is left."""
  ontology = tmp_path / 'ontology.json'
  ontology.write_text(json.dumps(ONTOLOGY))
  printed, found = evaluate(smear_ontology=str(ontology))
  assert 'but for those of which they marked a kind' in printed
  assert 'd_prime_smeared' in printed
  records = RecordsFolder.open(complete[0])
  present = PRESENT[order_of(records)]
  low = present[:, 0] | present[:, 2]
  assert found['strong_positives'].tolist() == [2 * low.sum(), 12, 12]
  assert found['strong_explicit_negatives'].tolist() == [2 * (~low).sum(), 12, 12]
  patches = np.load(scores / 'patch_scores.npy').reshape(12, -1, 3)
  frames = patches[:, ::2][:, :2, 0].ravel()
  auc = sklearn.metrics.roc_auc_score(np.repeat(low, 2), frames)
  assert found['strong_auc_explicit']['/m/low'] == pytest.approx(auc)
  weak = read_label_table(records).dense() == LabelState.EXPLICIT_POSITIVE
  implied = weak[:, 0] | weak[:, 2]
  clips = np.load(scores / 'scores.npy')[:, 0]
  for column, positive in (('auc', weak[:, 0]), ('auc_smeared', implied)):
    chosen = positive | ~low
    auc = sklearn.metrics.roc_auc_score(positive[chosen], clips[chosen])
    assert found[column]['/m/low'] == pytest.approx(auc)
  assert found['explicit_negatives'].tolist() == [(~low).sum(), 6, 6]


def test_enhance_flags_none_of_them_and_training_ignores_none(
  complete, scores, tmp_path
):
  folder, _ = complete
  config = EnhanceConfig(str(scores), str(folder), values=('99',))
  table = enhance(config, tmp_path)[0].table
  records = RecordsFolder.open(folder)
  states = read_label_table(records).dense()
  assert table['implicit'].tolist() == (states == 0).sum(axis=0).tolist()
  assert table['explicit'].tolist() == (states > 0).sum(axis=0).tolist()
  label_set = LabelSet.read(tmp_path / 'discard_99')
  assert not (label_set.flagged() & (states > 0)).any()
  # A set that an older run made before the annotations were known may flag anything.
  every = LabelSet(
    'all', records.clip_ids, records.class_map, np.full((12, 1), 0b11100000, np.uint8)
  )
  source = Source(records, label_set=every)
  config = InputConfig(batch_size=12, shuffle_buffer=1)
  _, targets = next(iter(training_dataset(source, config)))
  expected = {0: -1, 1: 1, 2: 0}
  assert sorted(map(tuple, targets.numpy().tolist())) == sorted(
    tuple(expected[state] for state in row) for row in states.tolist()
  )


@pytest.mark.parametrize(
  ('flags', 'message'),
  [
    (['--nostrong'], 'complete_strong does nothing without strong_tsv'),
    (
      ['--annotated_classes=classes.txt'],
      "row 2: 'Yak' is neither the mid nor the name",
    ),
  ],
)
def test_wrong_input_is_one_clear_line(small_data, tmp_path, flags, message):
  (tmp_path / 'classes.txt').write_text('High\nYak\n')
  given = [*flags_of(small_data), '--complete_strong']
  if flags == ['--nostrong']:
    given, flags = [flag for flag in given if '_tsv' not in flag], []
  done = run_stage('prepare', *given, *flags, '--output_dir=out', folder=tmp_path)
  assert done.returncode == 1
  assert message in done.stderr
  assert 'Traceback' not in done.stderr


def test_describe_counts_them(small_data, tmp_path):
  flags = [f for f in flags_of(small_data) if 'audio' not in f and 'shard' not in f]
  (tmp_path / 'asked.txt').write_text('High\n/m/middle\n')
  flags += ['--complete_strong', f'--annotated_classes={tmp_path}/asked.txt']
  out = tmp_path / 'description'
  run_stage_ok('describe', *flags, '--formats=svg', f'--output_dir={out}')
  summary = json.loads((out / 'summary.json').read_text())
  assert summary['unmarked_labels'] == summary['explicit_negatives'] == 12
  assert summary['annotated_classes'] == 2
  assert summary['events_outside_annotated_classes'] == 6
  classes = pd.read_csv(out / 'classes.csv')
  assert classes['explicit_negatives'].tolist() == [0, 6, 6]
