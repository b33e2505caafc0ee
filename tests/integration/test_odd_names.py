"""File names that are no UTF-8, or hold what can't be seen: escaped, no traceback."""

import csv
import os
import unicodedata

import numpy as np
import pytest
import soundfile

from audioset_ml.core import csv_files, errors, folders
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.models import tagging
from audioset_ml.models.sound_scores import ScoredBlock
from audioset_ml.models.tag_outputs import ScoresNpz
from audioset_ml.synthesis.source_folders import classes_of_folders
from tests.stages import run_stage

STREET = os.fsdecode(b'Stra\xdfe \n|')
SHOWN = 'Stra\\xdfe \\n|'


def write_sound(path, seconds=1.5, seed=0):
  path.parent.mkdir(parents=True, exist_ok=True)
  samples = np.random.default_rng(seed).normal(0, 0.1, round(16000 * seconds))
  soundfile.write(os.fsencode(path), samples, 16000, format='WAV', subtype='PCM_16')


def test_what_is_no_text_is_escaped(tmp_path):
  assert errors.printable(f'ü 音/{STREET}\x1b[2J') == f'ü 音/{SHOWN}\\x1b[2J'
  csv_files.write_csv(tmp_path / 'names.csv', ['name'], [[STREET]])
  assert 'Stra\\xdfe' in (tmp_path / 'names.csv').read_text(encoding='utf-8')


@pytest.mark.long
@pytest.mark.parametrize('encoding', ['utf-8', 'ascii'])
def test_prepare_tells_of_odd_names(tmp_path, encoding, monkeypatch):
  monkeypatch.setenv('PYTHONIOENCODING', encoding)
  audio = tmp_path / STREET
  write_sound(audio / 'Müller_0.wav')
  (audio / 'b_0.wav').write_text('no sound')
  (audio / STREET).touch()
  write_sound(audio / f'{STREET}.wav')
  (tmp_path / 'segments.csv').write_text(
    ''.join(f'{name}, 0, 1.5, "x"\n' for name in ('Müller', 'b', 'c')), 'utf-8'
  )
  (tmp_path / 'class_map.csv').write_text('index,mid,display_name\n0,x,X\n1,y,Y\n')
  flags = [f'--{name}={tmp_path}/{name}.csv' for name in ('segments_csv', 'class_map')]
  flags[0] = f'--segments_csv={tmp_path}/segments.csv'
  flags += [f'--audio_dir={audio}', '--max_skipped_fraction=1']
  done = run_stage('prepare', *flags, f'--output_dir={tmp_path}/out')
  assert done.returncode == 0, done.stderr
  assert f'{SHOWN}: 2 of 3 clips found, named {{id}}_{{start_ms}}' in done.stdout
  assert f'1 file ({SHOWN}.wav) is named as none of the clips' in done.stdout
  with open(tmp_path / 'out/skipped.csv', newline='', encoding='utf-8') as file:
    reasons = {row['clip_id']: row['detail'] for row in csv.DictReader(file)}
  assert f'{SHOWN}/b_0.wav: ' in reasons['b_0']
  done = run_stage('prepare', *flags, f'--output_dir={tmp_path}/{STREET}_out')
  assert done.returncode == 1
  assert 'is no UTF-8' in done.stderr
  assert 'Traceback' not in done.stderr


def test_npz_has_a_key_for_every_name(tmp_path):
  names = [f'{STREET}.wav', 'a|b.wav', '-c.wav', 'x/d.wav', f'{STREET}/d.wav']
  with folders.whole_file(tmp_path / 'all.npz') as file:
    output = ScoresNpz(file, ClassMap(('/m/a', '/m/b'), ('one', 'two')), names)
    for index, name in enumerate(names):
      scores = np.full((1, 2), index, np.float32)
      block = ScoredBlock(0, scores, scores, scores, 0.96, is_last=True, path=name)
      tags = tagging.FileTags(name, hop_seconds=0.48, window_seconds=0.96)
      tags.add(block)
      output.add(block)
      output.finish(tags)
    output.close()
  keys = (f'{SHOWN}.wav', 'a|b.wav', '-c.wav', 'x/d.wav', f'{SHOWN}/d.wav')
  with np.load(tmp_path / 'all.npz') as arrays:
    assert {key: arrays[f'{key}|scores'][0, 0] for key in keys} == dict(
      zip(keys, range(5), strict=True)
    )
  text = tagging.describe(tags, ['one', 'two'], 1)
  assert text.splitlines()[0] == f'{SHOWN}/d.wav: 0:00.96'


@pytest.fixture
def classes(tmp_path):
  """A folder of two classes with odd names, and what macOS and a NAS put beside."""
  folder = tmp_path / 'classes'
  for number in range(6):
    for label in ('dog', STREET):
      write_sound(folder / label / f'{STREET}{number}.wav', seed=number)
  for name in ('__MACOSX/._a.wav', '@eaDir/a.wav', 'dog/._a.wav'):
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text('no sound')
  return folder


def test_recordings_may_have_odd_names(classes, tmp_path):
  out = tmp_path / 'scapes'
  flags = (
    '--train_clips=3',
    '--eval_clips=2',
    '--clip_seconds=3',
    '--eval_sources=*5.wav',
  )
  done = run_stage(
    'soundscapes', f'--source_dir={classes}', f'--output_dir={out}', *flags
  )
  assert done.returncode == 0, done.stderr
  assert (out / 'class_labels_indices.csv').read_text(encoding='utf-8').count('\n') == 3


def test_fine_tuning_takes_odd_names(classes, tmp_path):
  flags = ('--method=from_scratch', '--dry_run', f'--output_dir={tmp_path}/out')
  done = run_stage('finetune', f'--sounds={classes}', *flags)
  assert done.returncode == 1
  assert 'its name holds the control character \\n; rename it' in done.stderr
  street = STREET.replace('\n', '')
  (classes / STREET).rename(classes / street)
  for path in classes.glob(f'*/{STREET}*.wav'):
    path.rename(path.with_name(path.name.replace('\n', '')))
  done = run_stage('finetune', f'--sounds={classes}', *flags)
  assert done.returncode == 0, done.stderr
  assert '12 recordings (0.3 minutes) of 2 classes' in done.stdout


def test_a_file_that_seems_a_flag_is_told(tmp_path):
  (tmp_path / '-0RWZT.wav').touch()
  done = run_stage('tag', '--model=x', '-0RWZT.wav', folder=tmp_path)
  assert 'error: -0RWZT.wav is taken for a flag; give the file as ./-0' in done.stderr


def test_lists_spell_letters_as_they_like(tmp_path):
  whole, apart = (unicodedata.normalize(form, 'Café') for form in ('NFC', 'NFD'))
  (tmp_path / 'classes.csv').write_text(
    f'folder,mid,display_name\n{whole},/m/cafe,Coffee house\n', 'utf-8'
  )
  folder = tmp_path / apart
  classes = classes_of_folders([folder], str(tmp_path / 'classes.csv'))
  assert classes[folder].mid == '/m/cafe'
