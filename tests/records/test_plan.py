import os
import unicodedata

import numpy as np
import pytest
import soundfile

from audioset_ml.errors import InputError
from audioset_ml.records import plan


def write_sound(path):
  path.parent.mkdir(exist_ok=True)
  soundfile.write(path, np.zeros(9), 16000, format='WAV', subtype='PCM_16')


def test_of_equal_names_in_a_folder_the_first_ending_counts(tmp_path):
  for suffix in ('flac', 'WAV', 'txt'):
    write_sound(tmp_path / f'a.{suffix}')
  write_sound(tmp_path / 'b.wav')
  assert plan.find_audio(tmp_path, ['a', 'c']) == {'a': str(tmp_path / 'a.WAV')}


@pytest.mark.parametrize('named', ['NFC', 'NFD'])
@pytest.mark.parametrize('listed', ['NFC', 'NFD'])
def test_letters_taken_apart_are_the_same_letters(tmp_path, named, listed):
  write_sound(tmp_path / unicodedata.normalize(named, 'Café_0.wav'))
  clip = unicodedata.normalize(listed, 'Café_0')
  assert list(plan.find_audio(tmp_path, [clip])) == [clip]


def test_two_files_of_a_clip_in_different_folders_are_an_error(tmp_path):
  write_sound(tmp_path / 'one' / 'a.wav')
  (tmp_path / 'two').mkdir()
  soundfile.write(tmp_path / 'two' / 'a.wav', np.ones(9), 16000, subtype='PCM_16')
  with pytest.raises(InputError, match='both named as clip a, but differ; remove one'):
    plan.find_audio(tmp_path, ['a'])
  assert plan.find_audio(tmp_path, ['b']) == {}


def test_a_clip_copied_to_several_folders_is_one(tmp_path):
  for folder in ('one', 'two', 'three'):
    write_sound(tmp_path / folder / 'a.wav')
  assert plan.find_audio(tmp_path, ['a']) == {'a': str(tmp_path / 'one' / 'a.wav')}


def test_names_that_are_no_clips_are_shown_even_if_no_text(tmp_path):
  assert 'no file with one of the endings' in plan.names_hint(tmp_path)
  with open(os.fsencode(tmp_path) + b'/Stra\xdfen.wav', 'wb'):
    pass
  hint = plan.names_hint(tmp_path)
  assert 'It has Stra\\udcdfen.wav, for one, but the file of a clip is named' in hint
  assert hint.encode('utf-8').decode() == hint
  assert plan.names_hint('') == ''


def test_the_shard_hash_never_changes():
  assert plan.stable_hash('06rCpqwkcDw_10000') == 11128518129919941330
