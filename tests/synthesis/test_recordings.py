"""Recordings as events."""

import numpy as np
import pytest
import soundfile

from audioset_ml.core.errors import AudioError, InputError
from audioset_ml.synthesis.config import SoundscapeConfig
from audioset_ml.synthesis.recordings import find_recordings, recording_name
from tests.synthesis.source_folders import write_recording, write_source_dir


@pytest.fixture
def source_dir(tmp_path):
  return write_source_dir(tmp_path / 'sources')


def find(source_dir, eval_sources='5-*', **changes):
  return find_recordings(
    SoundscapeConfig(source_dir=str(source_dir), eval_sources=eval_sources, **changes)
  )


def names(sounds, split):
  return {item.path for items in sounds.recordings[split] for item in items}


def test_folders_become_classes(source_dir):
  classes = find(source_dir).classes
  assert [(item.mid, item.name, item.family) for item in classes] == [
    ('/local/dog_bark', 'Dog bark', 'local'),
    ('/m/06mb1', 'Rain', 'texture'),  # known by its name
    ('/local/odd_sound', 'Odd, sound', 'local'),
  ]


def test_listed_classes(source_dir, tmp_path):
  table = tmp_path / 'classes.csv'
  table.write_text(
    'folder,mid,display_name\n'
    '001 - Dog bark,/m/05tny_,Bark\n'
    '"003 - Odd, sound",/m/1,Odd\n'
  )
  classes = find(source_dir, source_classes=str(table)).classes
  assert [item.mid for item in classes] == ['/m/05tny_', '/m/06mb1', '/m/1']


@pytest.mark.parametrize(
  ('text', 'message'),
  [
    ('folder,mid\n', 'starts with the row folder,mid,display_name'),
    ('folder,mid,display_name\n002 - RAIN,/m/1\n', 'row 2'),
    ('folder,mid,display_name\n002 - RAIN,,Rain\n', 'row 2'),
    ('folder,mid,display_name\n002 - RAIN,"/m/1,/m/2",Rain\n', 'row 2'),
    ('folder,mid,display_name\n002 - RAIN,/m/1,a\n002 - RAIN,/m/2,b\n', 'row 3'),
    ('folder,mid,display_name\nSnow,/m/1,Snow\n', 'Snow'),
  ],
)
def test_wrong_class_list(source_dir, tmp_path, text, message):
  table = tmp_path / 'classes.csv'
  table.write_text(text)
  with pytest.raises(InputError, match=message):
    find(source_dir, source_classes=str(table))


def test_glob_splits_recordings(source_dir):
  sounds = find(source_dir)
  train, evaluation = names(sounds, 'train'), names(sounds, 'eval')
  assert not train & evaluation
  assert len(train) == 12
  assert len(evaluation) == 6
  assert all('/5-' in path for path in evaluation)
  for seed in range(50):
    path, _ = sounds.choose(np.random.default_rng(seed), 'eval', 1)
    assert path.startswith('002 - RAIN/5-')


def test_hash_keeps_cuts_of_a_recording_together(tmp_path):
  for number in range(60):
    for cut in 'AB':
      path = tmp_path / 'Rain' / f'{number % 5}-{number}-{cut}.wav'
      write_recording(path, seconds=0.1)
  sounds = find(tmp_path, eval_sources='')
  groups = {
    split: {recording_name(path) for path in names(sounds, split)}
    for split in ('train', 'eval')
  }
  assert not groups['train'] & groups['eval']
  assert 0.08 < len(groups['eval']) / 60 < 0.35


@pytest.mark.parametrize(
  ('file_name', 'expected'),
  [
    ('1-100032-A.ogg', '1-100032'),
    ('1-100032-B.ogg', '1-100032'),
    ('1-100032-A-0.wav', '1-100032'),
    ('thunder.wav', 'thunder'),
    ('door-12.wav', 'door-12'),
  ],
)
def test_recording_names(file_name, expected):
  assert recording_name(file_name) == expected


def test_silent_ends_are_left_out(tmp_path):
  for fold in (1, 5):
    path = tmp_path / 'Rain' / f'{fold}-x.wav'
    write_recording(path, seconds=0.6, silence=0.7, sample_rate=16_000)
  sounds = find(tmp_path)
  path, seconds = sounds.choose(np.random.default_rng(0), 'train', 0)
  assert seconds == pytest.approx(0.6, abs=0.01)
  event = sounds.render(np.random.default_rng(0), 0, path, 0.59, 16_000)
  assert event.shape == (9440,)
  frames = event[160:].reshape(-1, 160)  # without the fade
  assert (frames.std(axis=1) > 0.3).all()


def test_crops_are_never_pauses_within_a_recording(tmp_path):
  sound = np.zeros(5 * 16_000)
  for start in (0, 64_000):
    sound[start : start + 16_000] = np.sin(0.3 * np.arange(16_000))
  for fold in (1, 5):
    (tmp_path / 'Rain').mkdir(exist_ok=True)
    soundfile.write(tmp_path / 'Rain' / f'{fold}-x.wav', sound, 16_000)
  sounds = find(tmp_path)
  for seed in range(40):
    event = sounds.render(np.random.default_rng(seed), 0, 'Rain/1-x.wav', 0.5, 16_000)
    assert event.std() > 0.15


def test_no_such_folder(tmp_path):
  with pytest.raises(InputError, match='no such folder'):
    find(tmp_path / 'nowhere')


def test_no_class_folders(tmp_path):
  (tmp_path / 'a.wav').write_bytes(b'')
  with pytest.raises(InputError, match='no folders in it'):
    find(tmp_path)


def test_what_macos_puts_into_archives_is_no_class(source_dir):
  expected = find(source_dir).classes
  (source_dir / '__MACOSX').mkdir()
  (source_dir / '__MACOSX' / '._a.wav').write_bytes(b'')
  assert find(source_dir).classes == expected


def test_empty_class_folder_is_named(source_dir):
  (source_dir / '009 - Nothing').mkdir()
  with pytest.raises(InputError, match='009 - Nothing: no recordings'):
    find(source_dir)


def test_glob_that_matches_nothing(source_dir):
  with pytest.raises(InputError, match=r"'7-\*' leaves no recording for the eval"):
    find(source_dir, eval_sources='7-*')


def test_glob_that_matches_everything(source_dir):
  with pytest.raises(InputError, match='for the train clips in 3 of 3 classes'):
    find(source_dir, eval_sources='*')


def test_unreadable_recording_is_named(source_dir):
  (source_dir / '002 - RAIN' / '3-broken.wav').write_bytes(b'RIFF no sound')
  with pytest.raises(AudioError, match=r'3-broken\.wav'):
    find(source_dir)


def test_silent_recording_is_named(source_dir):
  write_recording(source_dir / '002 - RAIN' / '3-silent.wav', hz=0.0)
  with pytest.raises(AudioError, match=r'3-silent\.wav.*s of sound'):
    find(source_dir)
