"""Recordings as clips: how they are cut, named and labelled."""

import itertools
import pathlib

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from audioset_ml.audio.decoding import load_audio
from audioset_ml.core.errors import InputError
from audioset_ml.finetuning.clips import classes_of, cut, write_labels
from audioset_ml.finetuning.recordings import Recording
from audioset_ml.labels.segments import read_weak_csv

RATE = 44_100


def recording(name, *labels, **more):
  return Recording(pathlib.Path(name), pathlib.Path(name).name, labels, **more)


@given(st.floats(0.1, 4000), st.floats(1, 60))
def test_cuts_are_consecutive_equally_long_and_take_all(seconds, clip_seconds):
  clips = cut([recording('a.wav', 'x')], {'a.wav': seconds}, clip_seconds)
  assert clips[0].start == 0
  assert clips[-1].end == pytest.approx(seconds, abs=1e-3)
  for one, other in itertools.pairwise(clips):
    assert one.end == other.start
  lengths = [clip.end - clip.start for clip in clips]
  assert max(lengths) - min(lengths) <= 0.0025
  assert max(lengths) <= 1.05 * clip_seconds + 0.001
  # One less would be too few.
  if len(clips) > 1:
    assert seconds > (len(clips) - 1 + 0.05) * clip_seconds - 1e-6
  assert len({clip.clip_id for clip in clips}) == len(clips)


def test_names_that_are_alike_have_ids_of_their_own():
  # The accent apart from its letter, as macOS has it, too.
  names = ['a b.wav', 'a-b.wav', '\u00e9.wav', 'e\u0301.wav', '...wav']
  found = cut([recording(n, 'x') for n in names], dict.fromkeys(names, 1.0), 10)
  ids = [clip.clip_id for clip in found]
  assert len(set(ids)) == len(names)
  assert all(clip_id.endswith('_0') for clip_id in ids)


def test_cuts_hold_the_sound_of_their_stretch(tmp_path):
  """Against the recording, decoded as a whole."""
  random = np.random.default_rng(0)
  path = tmp_path / 'long.wav'
  soundfile.write(path, random.uniform(-0.5, 0.5, (round(7.3 * RATE), 2)), RATE)
  short = tmp_path / 'short.wav'
  soundfile.write(short, random.uniform(-0.5, 0.5, RATE), RATE)
  recordings = [recording(path, 'x'), recording(short, 'y', absent=('x',))]
  class_map, index_of = classes_of(recordings, {})
  clips = cut(recordings, {'long.wav': 7.3, 'short.wav': 1.0}, 3)
  for _ in range(2):  # what is there of an earlier attempt is no obstacle
    write_labels(tmp_path, clips, class_map, index_of)
  files = sorted((tmp_path / 'audio').iterdir())
  assert [file.name for file in files] == [
    'long_0.flac',
    'long_2433.flac',
    'long_4867.flac',
    'short_0.wav',
  ]
  assert files[-1].is_symlink()
  whole = load_audio(path)
  pieces = np.concatenate([load_audio(file) for file in files[:-1]])
  np.testing.assert_allclose(pieces, whole, atol=2**-23)
  segments = read_weak_csv(tmp_path / 'segments.csv')
  assert segments.clips['clip_id'].tolist() == [file.stem for file in files]
  assert segments.labels['mid'].tolist() == ['/local/x'] * 3 + ['/local/y']
  refuted = (tmp_path / 'explicit.tsv').read_text().splitlines()[1:]
  assert refuted == ['short_0\t/local/x\tNOT_PRESENT']


def test_classes_are_named_by_their_folders():
  found, index_of = classes_of(
    [
      recording('a', '001 - Dog bark'),
      recording('b', '犬'),
      recording('c', 'Rain, hail'),
    ],
    {'犬': '/m/0bt9lr'},
  )
  assert found.names == ('Dog bark', 'Rain, hail', '犬')
  assert found.mids == ('/local/dog_bark', '/local/rain_hail', '/m/0bt9lr')
  assert index_of == {'001 - Dog bark': 0, 'Rain, hail': 1, '犬': 2}


@pytest.mark.parametrize(
  ('recordings', 'said'),
  [
    ([recording('a', 'x')], "'x' is the only class"),
    ([recording('a', '...'), recording('b', 'x')], 'holds no letter or digit'),
    ([recording('a', 'Dog bark'), recording('b', 'dog-bark')], 'are too much alike'),
    (
      [recording('a', 'x', absent=('z',)), recording('b', 'y')],
      "'z' is present in no recording",
    ),
  ],
)
def test_classes_that_cannot_be_learned_are_named(recordings, said):
  with pytest.raises(InputError) as error:
    classes_of(recordings, {})
  assert said in str(error.value)
