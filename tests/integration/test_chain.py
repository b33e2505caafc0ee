"""The stages behind `train`, on tiny data: score, enhance, evaluate, export, tag."""

import csv
import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import soundfile
import tensorflow as tf

from audioset_ml.evaluation.weak import evaluate_weak
from audioset_ml.labels import formats
from audioset_ml.labels.label_set import LabelSet
from audioset_ml.models.trained import TrainedModel
from audioset_ml.records.dataset import clip_patches, read_label_table
from audioset_ml.records.folder import RecordsFolder
from audioset_ml.records.strong_labels import read_strong_labels
from tests.conftest import prepare_flags
from tests.small_data import CLASS_MAP
from tests.stages import kill_stage_when, run_stage, run_stage_ok

pytestmark = pytest.mark.few

TRAINING = (
  '--architecture=mobilenet_v1_tiny',
  '--width_multiplier=0.25',
  '--weight_init=keras',
  '--learning_rate=1e-2',
  '--steps=20',
  '--batch_size=8',
)


@pytest.fixture(scope='module')
def chain(small_records, tmp_path_factory):
  """A folder with all that the chain writes."""
  root = tmp_path_factory.mktemp('chain')
  records = f'--records={small_records}'
  run_stage_ok('train', records, *TRAINING, f'--output_dir={root}/teacher')
  run_stage_ok(
    'score', records, f'--model={root}/teacher', f'--output_dir={root}/scores'
  )
  run_stage_ok(
    'enhance',
    records,
    f'--scores={root}/scores',
    '--discard_percent=0,40',
    f'--output_dir={root}/label_sets',
  )
  run_stage_ok(
    'train',
    records,
    *TRAINING,
    f'--init_from={root}/teacher',
    f'--label_set={root}/label_sets/discard_40',
    f'--output_dir={root}/student',
  )
  run_stage_ok('export', f'--model={root}/student', f'--output_dir={root}/exported')
  return root


def test_scores_are_the_mean_over_overlapping_patches(chain, small_records):
  records = RecordsFolder.open(small_records)
  model = TrainedModel.open(chain / 'teacher').model
  scores = np.load(chain / 'scores' / 'scores.npy')
  assert scores.dtype == np.float32
  ids = (chain / 'scores' / 'clip_ids.txt').read_text().split()
  assert tuple(ids) == records.clip_ids
  for row, (patches, _) in zip(scores, clip_patches(records, 1), strict=True):
    logits = model.predict(patches, verbose=0)
    expected = np.mean(1 / (1 + np.exp(-logits.astype(np.float64))), axis=0)
    assert row == pytest.approx(expected, abs=1e-5)


def test_a_label_set_ignores_only_what_nobody_was_asked(chain, small_records):
  records = RecordsFolder.open(small_records)
  states = read_label_table(records).dense()
  label_set = LabelSet.read(chain / 'label_sets' / 'discard_40')
  (teacher,) = label_set.description['teachers']
  assert (teacher['model'], teacher['step']) == (f'{chain}/teacher', 20)
  implicit = (states == 0).sum(axis=0)
  ignored = label_set.flagged()
  assert ignored.sum(axis=0).tolist() == [4 * n // 10 for n in implicit]
  assert (states[ignored] == 0).all()
  assert not LabelSet.read(chain / 'label_sets' / 'discard_0').flagged().any()
  with open(chain / 'label_sets' / 'discard_40' / 'summary.csv', newline='') as file:
    rows = list(csv.DictReader(file))
  assert [int(row['implicit']) for row in rows] == implicit.tolist()


@pytest.mark.long
def test_evaluating_a_model_and_its_scores_is_the_same(chain, small_records):
  flags = [f'--records={small_records}', '--nofigures', '--bootstrap=100']
  run_stage_ok(
    'evaluate', *flags, f'--model={chain}/teacher', f'--output_dir={chain}/by_model'
  )
  run_stage_ok(
    'evaluate', *flags, f'--scores={chain}/scores', f'--output_dir={chain}/by_scores'
  )
  contents = [
    json.loads((chain / name / 'metrics.json').read_text())
    for name in ('by_model', 'by_scores')
  ]
  # `score` has written no scores of patches here, which strong labels need.
  assert contents[0].pop('strong')['lwlrap'] > 0
  assert contents[0]['intervals'].pop('strong')
  assert 'strong labels are not evaluated' in contents[1].pop('notes')[0]
  assert contents[0].pop('notes') == []
  assert contents[0] == contents[1]
  opened = RecordsFolder.open(small_records)
  scores = np.load(chain / 'scores' / 'scores.npy')
  expected = evaluate_weak(scores, read_label_table(opened), opened.class_map).summary
  assert contents[0]['weak'] == expected


@pytest.mark.slow
def test_a_killed_evaluation_goes_on_with_what_it_has_scored(chain, small_records):
  flags = [f'--records={small_records}', f'--model={chain}/teacher']
  whole, killed = chain / 'evaluated', chain / 'evaluation_killed'
  run_stage_ok('evaluate', *flags, f'--output_dir={whole}')
  kill_stage_when(
    lambda: (killed / 'class_map.csv').exists(),
    'evaluate',
    *flags,
    '--bootstrap=1000',
    f'--output_dir={killed}',
  )
  assert not (killed / 'run.json').exists()
  scored = (killed / 'scores.npy').stat().st_mtime_ns
  run_stage_ok('evaluate', *flags, f'--output_dir={killed}')
  assert (killed / 'scores.npy').stat().st_mtime_ns == scored
  for name in ('metrics.json', 'per_class.csv'):
    assert (killed / name).read_text() == (whole / name).read_text()


def test_each_class_gets_the_percentage_that_suits_it(chain, small_records, tmp_path):
  records, scores = f'--records={small_records}', f'--scores={chain}/scores'
  plain, other = tmp_path / 'plain', tmp_path / 'other'
  run_stage_ok(
    'evaluate', records, scores, '--bootstrap=0', '--nofigures', f'--output_dir={plain}'
  )
  # As if another student were better in the first class and worse in the others.
  shutil.copytree(plain, other)
  table = pd.read_csv(other / 'per_class.csv')
  table['lwlrap'] += np.where(table.index == 0, 0.1, -0.1)
  table.to_csv(other / 'per_class.csv', index=False)
  out = tmp_path / 'label_sets'
  told = run_stage_ok(
    'enhance',
    records,
    scores,
    '--rule=chosen',
    '--choose_for=class',
    '--discard_percent=0,40',
    f'--evaluation={plain},{other}',
    f'--output_dir={out}',
  )
  assert 'percentage by lwlrap (classes): 0 % (2), 40 % (1)' in told
  chosen = pd.read_csv(out / 'class_percents.csv')
  assert chosen['percent'].tolist() == [40, 0, 0]
  counts = pd.read_csv(out / 'table_iii.csv')
  assert counts['label_set'].unique().tolist() == ['discard_chosen']
  assert counts['flagged'].tolist() == [counts['implicit'][0] * 40 // 100, 0, 0]
  flags = LabelSet.read(out / 'discard_chosen').flagged()
  uniform = LabelSet.read(chain / 'label_sets' / 'discard_40').flagged()
  assert flags.any()
  assert np.array_equal(flags[:, 0], uniform[:, 0])
  assert not flags[:, 1:].any()


def test_the_exported_model_names_the_sounds(chain, small_data, tmp_path):
  files = sorted((small_data / 'audio').iterdir())[:2]
  wrong = tmp_path / 'wrong.wav'
  wrong.write_bytes(b'no sound')
  npz = tmp_path / 'tags.npz'
  done = run_stage(
    'tag',
    f'--model={chain}/exported/saved_model',
    '--top=2',
    f'--output_npz={npz}',
    files[0],
    wrong,
    files[1],
  )
  assert done.returncode == 1
  assert f'error: {wrong}' in done.stderr
  *lines, written = done.stdout.splitlines()
  assert written == f'{npz}: scores, embeddings and spectrograms of 2 sounds'
  assert [line for line in lines if not line.startswith(' ')] == [
    f'{file}: 0:02.00' for file in files
  ]
  assert len(lines) == 2 * (1 + 2)
  arrays = np.load(npz)
  name = files[0].name
  assert arrays[f'{name}|scores'].shape == (4, 3)
  assert arrays[f'{name}|embeddings'].shape[0] == 4
  assert arrays[f'{name}|log_mel'].shape == (240, 64)
  assert arrays[f'{name}|start_seconds'].tolist() == pytest.approx(
    [0, 0.48, 0.96, 1.44]
  )
  assert arrays['class_names'].tolist() == list(CLASS_MAP.names)
  scores = arrays[f'{name}|scores']
  best = scores.max(axis=0).argmax()
  when = 0.48 * scores[:, best].argmax()
  expected = f'{scores[:, best].max():.3f} at 0:{when:05.2f}'
  expected += f', mean {scores[:, best].mean():.3f}  {arrays["class_names"][best]}'
  assert lines[1].strip() == expected


@pytest.fixture(scope='module')
def tagged(chain, small_data, tmp_path_factory):
  """The small clips' events by the student, and records with these for labels."""
  root = tmp_path_factory.mktemp('tagged')
  flags = [f'--model={chain}/exported', '--hop_seconds=0.24', '--threshold=0.2']
  flags += [f'--events={root}/events.tsv', f'--output_csv={root}/scores.csv']
  run_stage_ok('tag', *flags, small_data / 'audio')
  others = [flag for flag in prepare_flags(small_data) if 'strong' not in flag]
  events = f'--strong_tsv={root}/events.tsv'
  run_stage_ok('prepare', *others, events, f'--output_dir={root}/records')
  return root


def test_events_are_strong_labels_for_the_other_stages(chain, tagged):
  events = formats.read_strong_tsv(tagged / 'events.tsv', CLASS_MAP)
  records = RecordsFolder.open(tagged / 'records')
  assert records.counts['strong_events'] == len(events) > 12
  strong = read_strong_labels(records).events
  columns = list(formats.STRONG_COLUMNS)
  pd.testing.assert_frame_equal(
    strong[columns].sort_values(columns, ignore_index=True),
    events[columns].sort_values(columns, ignore_index=True),
    check_dtype=False,
  )
  run_stage_ok(
    'evaluate',
    f'--records={tagged}/records',
    f'--model={chain}/student',
    '--bootstrap=0',
    '--nofigures',
    '--thresholds=f1',
    f'--output_dir={tagged}/evaluation',
  )
  metrics = json.loads((tagged / 'evaluation/metrics.json').read_text())
  assert metrics['strong']['frames'] == 24
  assert 0 < metrics['strong']['lwlrap'] <= 1
  scores = pd.read_csv(tagged / 'scores.csv')
  assert list(scores) == ['file', 'start', 'end', 'class', 'score']
  assert scores['file'].nunique() == 12
  assert (scores['end'] <= 2).all()
  thresholds = pd.read_csv(tagged / 'evaluation/thresholds.csv')
  assert thresholds['mid'].tolist() == list(CLASS_MAP.mids)


@pytest.mark.long
def test_detection_takes_records_of_events(chain, tagged):
  flags = [f'--records={tagged}/records', f'--model={chain}/student', '--detection']
  flags += ['--nofigures', '--bootstrap=50']
  # The hop that the events were tagged with.
  finer = tagged / 'finer'
  run_stage_ok('evaluate', *flags, '--hop_seconds=0.24', f'--output_dir={finer}')
  fine = json.loads((finer / 'metrics.json').read_text())
  assert fine['detection']['hop_seconds'] == 0.24
  assert fine['detection']['event_f1_best'] > 0
  assert any('a patch begins every 0.24 s' in note for note in fine['notes'])
  output = tagged / 'detection'
  more = [f'--baseline={finer}', f'--event_thresholds={finer}/event_thresholds.csv']
  printed = run_stage_ok('evaluate', *flags, *more, f'--output_dir={output}')
  metrics = json.loads((output / 'metrics.json').read_text())
  values = metrics['detection']
  assert values['psds1'] > 0
  assert f'psds2_macro {values["psds2_macro"]:>28.4f}' in printed
  assert values['event_f1_given'] is not None
  assert 'was chosen on 12 of these 12 clips' in printed
  for name, value in metrics['strong'].items():  # frames are the same patches
    assert fine['strong'][name] == (value and pytest.approx(value, abs=1e-5)), name
  gain = values['psds1_macro'] - fine['detection']['psds1_macro']
  compared = metrics['comparison']['detection']['psds1_macro']
  assert compared['difference'] == pytest.approx(gain)
  # Scores that are saved keep their hop.
  saved = [f'--records={tagged}/records', f'--scores={finer}', '--detection']
  saved += ['--nofigures', '--bootstrap=0']
  run_stage_ok('evaluate', *saved, f'--output_dir={tagged}/again')
  again = json.loads((tagged / 'again/metrics.json').read_text())
  assert again['detection'] == fine['detection']
  wrong = run_stage(
    'evaluate', *saved, '--hop_seconds=.48', f'--output_dir={tagged}/no'
  )
  assert 'scores of a patch every 0.24 s, but one every 0.48 s' in wrong.stderr


@pytest.mark.long
def test_every_form_of_a_model_gives_the_same_scores(chain, small_data, tmp_path):
  file = min((small_data / 'audio').iterdir())
  found = []
  for number, model in enumerate(
    ('student', 'student/model.keras', 'exported/saved_model', 'exported')
  ):
    npz = tmp_path / f'{number}.npz'
    run_stage_ok('tag', f'--model={chain}/{model}', f'--output_npz={npz}', file)
    found.append(np.load(npz)[f'{file.name}|scores'])
  assert np.abs(found[0] - found[1]).max() == 0
  assert np.abs(found[0] - found[2]).max() < 1e-5
  assert np.array_equal(found[2], found[3])


@pytest.mark.long
def test_a_trained_model_opens_in_plain_keras(chain):
  """In a process that does not know this package, and gives the same."""
  script = (
    'import sys, keras, numpy\n'
    'model = keras.saving.load_model(sys.argv[1])\n'
    'print(float(model(numpy.ones((1, 96, 64)))[0, 0]))\n'
    'assert not any(name.startswith("audioset_ml") for name in sys.modules)\n'
  )
  command = [sys.executable, '-c', script, str(chain / 'student/model.keras')]
  environment = {name: os.environ[name] for name in os.environ if name != 'PYTHONPATH'}
  done = subprocess.run(
    command, cwd='/', env=environment, capture_output=True, text=True, check=False
  )
  assert done.returncode == 0, done.stderr
  model = TrainedModel.open(chain / 'student').model
  expected = float(model(np.ones((1, 96, 64)))[0, 0])
  assert float(done.stdout.split()[-1]) == pytest.approx(expected, abs=1e-5)
  names = {type(layer).__name__ for layer in model.layers}
  assert 'FusedBatchNormalization' in names
  assert 'BatchNormalization' not in names


def test_the_saved_model_serves_waveforms(chain):
  loaded = tf.saved_model.load(str(chain / 'exported' / 'saved_model'))
  signature = loaded.signatures['serving_default']
  outputs = signature(waveform=tf.zeros([16_000]))
  assert {name: value.shape[-1] for name, value in outputs.items()} == {
    'scores': 3,
    'embeddings': 128,
    'log_mel': 64,
  }


@pytest.mark.parametrize(
  ('stage', 'flags', 'message'),
  [
    ('score', ['--model={root}/absent', '--records={records}'], 'no such model'),
    ('score', ['--model={root}/teacher', '--records={root}'], 'not a finished'),
    (
      'enhance',
      ['--scores={root}/scores', '--records={records}', '--discard_percent=101'],
      'not in [0, 100)',
    ),
    (
      'enhance',
      ['--scores={root}/teacher', '--records={records}'],
      'written by `train`, but a `score` folder is needed',
    ),
    (
      'enhance',
      ['--scores={root}/scores', '--records={records}', '--rule=chosen'],
      '--rule=chosen needs --evaluation',
    ),
    (
      'evaluate',
      ['--scores={root}/scores', '--records={other}'],
      'of which 0 are among the 2',
    ),
    (
      'evaluate',
      ['--scores={root}/scores', '--records={records}', '--bootstrap=10000000000000'],
      'the memory does not suffice',
    ),
    (
      'train',
      ['--records={records}', '--shuffle_buffer=100000000000'],
      'shuffle_buffer is 100000000000, but must be in [1, 10000000]',
    ),
    ('export', ['--model={root}/scores/scores.npy'], 'not a Keras model'),
  ],
)
def test_wrong_input_is_one_clear_line(
  chain, small_records, other_records, tmp_path, stage, flags, message
):
  names = {'root': chain, 'records': small_records, 'other': other_records}
  flags = [flag.format(**names) for flag in flags]
  done = run_stage(stage, *flags, f'--output_dir={tmp_path}/out')
  assert done.returncode == 1, done.stderr
  assert message in done.stderr
  assert 'Traceback' not in done.stderr


def test_a_swapped_model_does_not_pass_for_the_one_that_scored(
  chain, small_records, tmp_path
):
  shutil.copytree(chain / 'teacher', tmp_path / 'teacher')
  flags = [f'--model={tmp_path}/teacher', f'--records={small_records}']
  flags += [f'--output_dir={tmp_path}/scores']
  run_stage_ok('score', *flags)
  assert 'finished already' in run_stage_ok('score', *flags)
  shutil.copy(chain / 'student/model.keras', tmp_path / 'teacher')
  done = run_stage('score', *flags)
  assert done.returncode == 1
  assert 'teacher/model.keras: is not as it was written' in done.stderr
  assert len(done.stderr.splitlines()) == 1


@pytest.fixture(scope='module')
def other_records(small_data, tmp_path_factory):
  """Records of the same classes, but two other clips."""
  folder = tmp_path_factory.mktemp('other')
  (folder / 'audio').mkdir()
  rows = []
  for index in range(2):
    soundfile.write(folder / 'audio' / f'other{index}_0.wav', np.zeros(16_000), 16_000)
    rows.append(f'other{index}, 0.000, 1.000, "/m/low"')
  (folder / 'segments.csv').write_text('\n'.join(rows) + '\n')
  changed = ('--segments_csv', '--explicit', '--strong', '--audio')
  kept = [flag for flag in prepare_flags(small_data) if not flag.startswith(changed)]
  run_stage_ok(
    'prepare',
    *kept,
    f'--segments_csv={folder}/segments.csv',
    f'--audio_dir={folder}/audio',
    f'--output_dir={folder}/records',
  )
  return folder / 'records'


def test_evaluate_wants_one_source_of_scores(chain, small_records):
  for extra in ([], [f'--model={chain}/teacher', f'--scores={chain}/scores']):
    done = run_stage('evaluate', f'--records={small_records}', '--output_dir=x', *extra)
    assert done.returncode == 1
    assert 'give either --model or --scores' in done.stdout + done.stderr


def _slow(*values):
  return pytest.param(*values, marks=pytest.mark.slow)


@pytest.mark.parametrize(
  ('stage', 'flags'),
  [
    ('enhance', ['--scores={root}/scores', '--records={records}']),
    _slow('score', ['--model={root}/teacher', '--records={records}']),
    _slow('evaluate', ['--model={root}/teacher', '--records={records}']),
    _slow('export', ['--model={root}/teacher']),
  ],
)
def test_a_killed_stage_is_not_taken_for_finished_and_runs_again(
  chain, small_records, tmp_path, stage, flags
):
  out = tmp_path / 'out'
  flags = [flag.format(root=chain, records=small_records) for flag in flags]
  flags.append(f'--output_dir={out}')
  # export is killed while its SavedModel is half written.
  begun = '.saved_model.partial/*' if stage == 'export' else 'flags.txt'
  kill_stage_when(lambda: any(out.glob(begun)), stage, *flags)
  assert not (out / 'run.json').exists()
  run_stage_ok(stage, *flags)
  assert (out / 'run.json').exists()
  assert not list(out.glob('.*partial*'))
