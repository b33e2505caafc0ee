"""The sounds that `tag` is given: files, folders, patterns, and what is none."""

import numpy as np
import pytest
import soundfile

from audioset_ml.models.tag_names import find_sounds


@pytest.fixture
def folder(tmp_path, monkeypatch):
  for name in (
    'a/one.wav',
    'a/deep/two.FLAC',
    'a/notes.txt',
    'b[1].wav',
    'empty/x.csv',
    'a/._one.wav',
  ):
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('')
    if path.suffix.lower() in ('.wav', '.flac') and path.name[0] != '.':
      soundfile.write(path, np.zeros(100), 16_000)
  (tmp_path / 'wrong.wav').write_bytes(b'\xff\xfe no sound')
  monkeypatch.chdir(tmp_path)
  return tmp_path


@pytest.mark.parametrize(
  ('arguments', 'found'),
  [
    (['a'], ['a/one.wav', 'a/deep/two.FLAC']),
    (['a/one.wav', './a'], ['a/one.wav', './a/deep/two.FLAC']),
    (['a/*.wav'], ['a/one.wav']),
    (['**/*.FLAC'], ['a/deep/two.FLAC']),
    (['b[1].wav'], ['b[1].wav']),  # a file, though it looks like a pattern
  ],
)
def test_files_folders_and_patterns(folder, arguments, found):
  assert find_sounds(arguments) == (found, [])


def test_what_a_folder_holds_besides_is_told(tmp_path, capsys):
  soundfile.write(tmp_path / 'a.wav', np.zeros(100), 16_000)
  for name in ('b.txt', 'c.csv', '.hidden'):
    (tmp_path / name).write_text('')
  find_sounds([str(tmp_path)])
  assert (
    '2 files whose ending is none of sounds: b.txt, c.csv\n' in capsys.readouterr().err
  )


def test_all_that_is_wrong_is_told(folder):
  found, errors = find_sounds(['gone.wav', 'empty', 'a', '*.ogg', 'wrong.wav'])
  assert found == ['a/one.wav', 'a/deep/two.FLAC']
  assert [str(error).partition(':')[0] for error in errors] == [
    'empty',
    '*.ogg',
    'gone.wav',
    'wrong.wav',
  ]


def test_a_pages_sound_is_no_recording(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  for name in ('a.wav', 'a.html.mp3'):
    soundfile.write(tmp_path / name, np.zeros(16_000), 16_000)
  assert find_sounds(['.']) == (['./a.wav'], [])
