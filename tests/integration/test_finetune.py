"""`finetune`: recordings to a fine-tuned, exported model, in one command."""

import csv
import json
import pathlib
import re

import numpy as np
import pytest
import soundfile
import tensorflow as tf

from audioset_ml.audio.decoding import load_audio
from audioset_ml.core.errors import InputError
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.labels.states import LabelState
from audioset_ml.records.dataset import read_label_table
from audioset_ml.records.folder import RecordsFolder
from audioset_ml.records.scores import read_scores
from tests import faults
from tests.small_embeddings import write_network
from tests.stages import kill_stage_when, run_stage, run_stage_ok

RATE = 16_000
TONES = {'low hum': 200.0, 'whistle, high': 3000.0}
GROUPS = '--group_pattern=^[^_]+'


def write_tone(path: pathlib.Path, frequency: float, number: int, seconds: float):
  """A tone that differs from others by its loudness and noise."""
  path.parent.mkdir(parents=True, exist_ok=True)
  random = np.random.default_rng(number)
  times = np.arange(round(seconds * RATE)) / RATE
  tone = (0.1 + 0.01 * number) * np.sin(2 * np.pi * frequency * times)
  soundfile.write(path, tone + 0.01 * random.standard_normal(len(times)), RATE)


@pytest.fixture
def tones(tmp_path) -> pathlib.Path:
  """Five recordings of each class, two takes of each: `<recording>_<take>.wav`; the
  first take is shorter than a patch."""
  folder = tmp_path / 'tones'
  for row, (label, frequency) in enumerate(TONES.items()):
    for number in range(10):
      name = f'{re.match("[a-z]+", label)[0]}{number // 2}_{number % 2}.wav'
      seconds = 0.5 if number % 2 == 0 else 1 + number / 10
      write_tone(folder / label / name, frequency, 10 * row + number, seconds)
  return folder


@pytest.fixture(scope='module')
def network(tmp_path_factory) -> pathlib.Path:
  return write_network(tmp_path_factory.mktemp('network') / 'tiny.keras')


def rows_of(path: pathlib.Path) -> list[dict[str, str]]:
  with open(path, newline='') as file:
    return list(csv.DictReader(file))


def scores_of(exported: pathlib.Path, sound: pathlib.Path) -> np.ndarray:
  """The mean scores of an exported model."""
  model = tf.saved_model.load(str(exported / 'saved_model'))
  return model(load_audio(sound))[0].numpy().mean(axis=0)


@pytest.mark.long
def test_a_folder_becomes_a_model_and_what_is_added_to_it_is_noticed(
  tones, network, tmp_path
):
  out = tmp_path / 'out'
  flags = [f'--sounds={tones}', f'--model={network}', GROUPS, '--steps=40']
  flags.append(f'--output_dir={out}')
  (tones / 'low hum/about.txt').write_text('notes')
  printed = run_stage_ok('finetune', *flags)
  assert '20 recordings' in printed
  assert '2 classes and 10 groups, as 20 clips' in printed
  assert 'left out: 1 file whose ending is none of sounds: low hum/ab' in printed
  found = json.loads((out / 'results.json').read_text())
  assert f'accuracy {found["accuracy"]:.3f} ({found["right"]} of 4 clips of' in printed
  assert 'caution: 2 groups are few' in printed
  assert 'nearest neighbour' in printed
  assert 'logistic regression' in printed
  assert 'undefined' not in printed
  # Takes of one recording are on one side, and the scores are the exported model's.
  predictions = rows_of(out / 'predictions.csv')
  assert (
    len({re.search('[a-z]+[0-9]', row['recording'])[0] for row in predictions}) == 2
  )
  classes = ClassMap.read(out / 'model/class_map.csv')
  assert classes.names == tuple(TONES)
  for row in predictions:
    scores = scores_of(out / 'exported', tones / row['recording'])
    assert classes.names[scores.argmax()] == row['best']
    assert scores.max() == pytest.approx(float(row['score']), abs=3e-3)
    assert (row['labels'] == row['best']) == (row['right'] == 'yes')
  card = (out / 'exported/MODEL_CARD.md').read_text()
  assert card.startswith('---\nlibrary_name: ')
  assert 'a linear classifier on the embeddings of tiny.keras' in card
  assert f'accuracy {found["accuracy"]:.3f}' in card
  # Its folders are as the stages write them.
  page = tmp_path / 'page.html'
  run_stage_ok('report', f'--evaluation={out}/evaluation', f'--output={page}')
  assert page.is_file()
  # Given again it has nothing to do, also where a file was only touched.
  (tones / 'low hum/low0_0.wav').touch()
  assert 'finished already' in run_stage_ok('finetune', *flags)
  # What can't be read is told before anything of the finished run is touched.
  finished = faults.content(out)
  broken = tones / 'low hum/broken.wav'
  broken.write_text('no sound')
  failed = run_stage('finetune', *flags)
  assert failed.returncode == 1
  assert 'broken.wav' in failed.stderr
  assert faults.content(out) == finished
  broken.unlink()
  before = {path: path.stat().st_mtime_ns for path in out.rglob('run.json')}
  for number in range(3):
    write_tone(tones / f'owl/hoot{number}_0.wav', 800.0, 50 + number, 1)
  (tones / 'low hum/low1_1.wav').unlink()
  write_tone(tones / 'low hum/low2_1.wav', 210.0, 99, 1)
  planned = run_stage_ok('finetune', *flags, '--dry_run')
  assert {path: path.stat().st_mtime_ns for path in before} == before
  printed = run_stage_ok('finetune', *flags)
  for text in (planned, printed):
    assert '3 recordings added: owl/hoot0_0.wav' in text
    assert '1 recording gone: low hum/low1_1.wav' in text
    assert '1 recording with another content: low hum/low2_1.wav' in text
    assert 'new classes: owl' in text
  assert ClassMap.read(out / 'model/class_map.csv').names == (
    *sorted(TONES)[:1],
    'owl',
    'whistle, high',
  )
  assert scores_of(out / 'exported', tones / 'owl/hoot0_0.wav').shape == (3,)
  assert 'finished already' in run_stage_ok('finetune', *flags)


@pytest.mark.slow
def test_a_run_that_fails_to_be_brought_up_to_date_stays_as_it_was(
  tones, network, tmp_path
):
  out = tmp_path / 'out'
  flags = [f'--sounds={tones}', f'--model={network}', GROUPS, '--steps=3']
  flags += ['--folds=2', f'--output_dir={out}']
  run_stage_ok('finetune', *flags)
  before = faults.content(out)
  # Something that fails only after much was made anew.
  write_tone(tones / 'low hum/low9_0.wav', 210.0, 99, 1)
  for setup, told in (
    (_FULL_ONCE.format(file=f'{out}/predictions.csv'), 'predictions.csv: cannot be us'),
    (_NO_TRAINING, 'error: the loss is NaN'),
  ):
    failed = run_stage('finetune', *flags, setup=setup)
    assert failed.returncode == 1, failed.stderr
    assert told in failed.stderr
    assert '1 recording added' in failed.stdout
    assert faults.content(out) == before
  assert '1 recording added' in run_stage_ok('finetune', *flags)
  assert faults.content(out) != before
  assert not list(out.glob('.*d*'))


_FULL_ONCE = """
import errno, os, sys
left = [{file!r}]
def refuse(event, arguments):
  if event == 'os.rename' and os.fsdecode(arguments[1]) in left:
    left.clear()
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
sys.addaudithook(refuse)
"""
_NO_TRAINING = """
from audioset_ml.core import errors
from audioset_ml.training import loop
def train(*arguments, **more):
  raise errors.UnfinishedError('the loss is NaN')
loop.train = train
"""


@pytest.mark.slow
def test_what_is_damaged_in_a_run_is_made_anew(tones, network, tmp_path):
  out = tmp_path / 'out'
  flags = [f'--sounds={tones}', f'--model={network}', GROUPS, '--steps=3']
  flags += ['--folds=2', f'--output_dir={out}']
  run_stage_ok('finetune', *flags)
  before = faults.content(out)
  # Of a finished run: what it knew of the recordings, one of which is new.
  (out / 'recordings.csv').write_text('file,state\n')
  added = tones / 'low hum/low9_0.wav'
  write_tone(added, 210.0, 99, 1)
  printed = run_stage_ok('finetune', *flags)
  assert 'recordings.csv of ' in printed
  assert 'is lost or damaged' in printed
  assert 'low9_0.wav' in (out / 'recordings.csv').read_text()
  # Of an unfinished one: anything.
  added.unlink()
  (out / 'run.json').unlink()
  (out / 'evaluated_clips.txt').write_bytes(b'\xff\xfe\0')
  (out / 'folds/.DS_Store').write_text('')
  run_stage_ok('finetune', *flags)
  (out / 'folds/.DS_Store').unlink()
  for shard in (out / 'records').glob('*.tfrecord'):
    shard.write_bytes(b'')
  (out / 'run.json').unlink()
  run_stage_ok('finetune', *flags)
  # Scores of the same size that are those of other clips, which nothing else tells.
  scores, trained = out / 'scores/scores.npy', out / 'folds/1/run.json'
  right, size, at = np.load(scores), scores.stat().st_size, trained.stat().st_mtime_ns
  np.save(scores, right[::-1])
  assert scores.stat().st_size == size
  with pytest.raises(InputError, match=r'scores\.npy: is not as it was written'):
    read_scores(out / 'scores')
  (out / 'run.json').unlink()
  run_stage_ok('finetune', *flags)
  np.testing.assert_array_equal(read_scores(out / 'scores').values, right)
  assert trained.stat().st_mtime_ns == at
  after = faults.content(out)
  assert after.keys() == before.keys()
  same = ('results.json', 'predictions.csv', 'recordings.csv')
  shards = [name for name in before if name.endswith('.tfrecord')]
  for name in (*same, *shards):
    assert after[name] == before[name], name


def test_names_that_change_a_terminal_are_refused(tones, tmp_path):
  flags = [f'--sounds={tones}', '--method=from_scratch', f'--output_dir={tmp_path}/out']
  sound = tones / 'low hum/low0_0.wav'
  for renamed in (sound.with_name('lo\nw.wav'), tones / 'm\x1b[31mid'):
    old = sound if renamed.suffix else sound.parent
    old.rename(renamed)
    failed = run_stage('finetune', *flags, '--dry_run')
    assert failed.returncode == 1
    assert 'its name holds the control character' in failed.stderr
    assert failed.stderr.count('\n') == 1
    assert '\x1b' not in failed.stderr + failed.stdout
    renamed.rename(old)


@pytest.mark.slow
def test_a_killed_run_goes_on_to_the_same_model(tones, network, tmp_path):
  def flags(name):
    more = ['--folds=2', '--steps=30', GROUPS, f'--output_dir={tmp_path / name}']
    return [f'--sounds={tones}', f'--model={network}', *more]

  run_stage_ok('finetune', *flags('whole'))
  killed = tmp_path / 'killed'
  for file in ('labels/segments.csv', 'embeddings/run.json', 'folds/2/run.json'):
    status = kill_stage_when((killed / file).exists, 'finetune', *flags('killed'))
    assert status == -9
    assert not (killed / 'run.json').exists()
  embedded = (killed / 'embeddings/run.json').stat().st_mtime_ns
  printed = run_stage_ok('finetune', *flags('killed'))
  assert (killed / 'embeddings/run.json').stat().st_mtime_ns == embedded
  assert 'by fold' in printed
  for name in ('results.json', 'predictions.csv', 'confusions.csv'):
    assert (killed / name).read_bytes() == (tmp_path / 'whole' / name).read_bytes()
  sound = tones / 'low hum/low0_1.wav'
  scores = [
    scores_of(tmp_path / name / 'exported', sound) for name in ('killed', 'whole')
  ]
  np.testing.assert_array_equal(*scores)
  # All are evaluated on, by models that have not seen them.
  assert len(rows_of(killed / 'predictions.csv')) == 20


@pytest.mark.long
def test_a_table_of_several_labels_is_measured_by_map(tones, network, tmp_path):
  rows = []
  for number in range(10):
    name = f'low hum/low{number // 2}_{number % 2}.wav'
    rows += [f'{name},hum,present,{number // 5}']
    rows += [f'{name},whistle,{("absent", "unsure")[number % 2]},{number // 5}']
    name = f'whistle{number // 2}_{number % 2}.wav'
    rows.append(f'"whistle, high/{name}",whistle,present,{number // 5}')
  rows.append('low hum/low4_1.wav,beep,present,1\nlow hum/low0_0.wav,beep,present,0')
  table = tones / 'labels.csv'
  table.write_text('\n'.join(['file,label,present,fold', *rows]) + '\n')
  write_tone(tones / 'low hum/low3_1.wav', 200, 3, 25)
  out = tmp_path / 'out'
  printed = run_stage_ok(
    'finetune',
    f'--sounds={table}',
    f'--model={network}',
    '--steps=20',
    f'--output_dir={out}',
  )
  assert '2 folds as given (0, 1)' in printed
  assert '1 recording of more than 10 s cut into 3 consecutive' in printed
  assert '7 labels of clips are unsure' in printed
  found = json.loads((out / 'results.json').read_text())
  assert f'mAP {found["map"]:.3f} (22 clips' in printed
  assert 'accuracy' not in printed
  assert 'confused' not in printed
  states = read_label_table(RecordsFolder.open(out / 'embeddings')).dense()
  assert (states == LabelState.UNSURE).sum(axis=0).tolist() == [0, 0, 7]
  assert len(rows_of(out / 'labels/clips.csv')) == 22
  # Another fold is a change, too.
  name = '"whistle, high/whistle4_1.wav",whistle,present,'
  table.write_text(table.read_text().replace(f'{name}1', f'{name}0'))
  assert '1 recording with other labels, group or fold' in run_stage_ok(
    'finetune',
    f'--sounds={table}',
    f'--model={network}',
    '--steps=20',
    '--dry_run',
    f'--output_dir={out}',
  )


def test_a_network_of_another_size_is_told_before_anything_is_made(
  tones, network, tmp_path
):
  done = run_stage(
    'finetune',
    *(f'--sounds={tones}', f'--model={network}', '--method=all_layers'),
    f'--output_dir={tmp_path}/out',
  )
  assert done.returncode == 1
  assert 'tiny.keras: all_layers trains networks of the size of YAMNet' in done.stderr
  assert '--method=head' in done.stderr
  assert not (tmp_path / 'out/labels').exists()


def test_bad_sounds_are_left_out_on_request(tones, tmp_path):
  (tones / 'low hum/low9_0.wav').write_text('no sound at all')
  out = tmp_path / 'out'
  flags = [f'--sounds={tones}', '--method=from_scratch', '--dry_run', GROUPS]
  done = run_stage('finetune', *flags, f'--output_dir={out}')
  assert done.returncode == 1
  assert '--on_bad_sound=skip' in done.stderr
  printed = run_stage_ok(
    'finetune', *flags, f'--output_dir={out}', '--on_bad_sound=skip'
  )
  assert 'left out: 1 file of no sound' in printed
  assert '20 recordings' in printed
  assert not out.exists()


@pytest.mark.slow
@pytest.mark.parametrize('method', ['all_layers', 'from_scratch'])
def test_other_methods_give_a_model(method, tones, shared_data, tmp_path):
  out = tmp_path / 'out'
  flags = [f'--sounds={tones}', f'--method={method}', GROUPS, '--steps=2']
  if method == 'all_layers':
    flags.append(f'--model={shared_data("yamnet/yamnet_approx.h5")}')
  printed = run_stage_ok('finetune', *flags, f'--output_dir={out}')
  assert re.search(r'accuracy \S+ \(\d of 4 clips', printed)
  assert 'nearest neighbour' in printed
  assert scores_of(out / 'exported', tones / 'low hum/low0_1.wav').shape == (2,)


@pytest.mark.slow
def test_yamnet_learns_esc10_in_five_folds(shared_data, tmp_path):
  weights, esc10 = shared_data('yamnet/yamnet_approx.h5'), shared_data('esc10')
  out = tmp_path / 'out'
  printed = run_stage_ok(
    'finetune',
    f'--sounds={esc10}',
    f'--model={weights}',
    r'--fold_pattern=^(\d)-',
    r'--group_pattern=^\d-(\d+)-',
    f'--output_dir={out}',
    folder=tmp_path,
  )
  found = json.loads((out / 'results.json').read_text())
  assert len(found['by_fold']) == 5
  # 0.972 where it was measured; by chance it would be 0.1.
  assert found['accuracy'] >= 0.952
  assert 'as good, as far as these clips tell' in printed
  # The exported model, trained on all, names their sounds.
  rows = rows_of(out / 'predictions.csv')
  right = [row for row in rows if row['right'] == 'yes']
  assert len(right) == found['right']
  tags = run_stage_ok(
    'tag', f'--model={out}/exported/saved_model', esc10 / right[0]['recording']
  )
  assert right[0]['labels'] in tags
