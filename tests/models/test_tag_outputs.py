"""What `tag` writes: CSV, arrays and events, of sounds that come in blocks."""

import csv

import numpy as np
import pytest

from audioset_ml.core import folders
from audioset_ml.core.errors import InputError
from audioset_ml.labels import formats
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.models import tag_names, tag_outputs
from audioset_ml.models.events import EventConfig
from audioset_ml.models.score_spool import Spools
from audioset_ml.models.sound_scores import ScoredBlock
from audioset_ml.models.tagging import FileTags

CLASSES = ClassMap(('/m/a', '/m/b', '/m/c'), ('Bark', 'Rain, heavy', 'Siren'))
SCORES = np.array(
  [[0.9, 0.2, 0.0], [0.9, 0.1, 0.0], [0.1, 0.6, 0.3], [0.1, 0.6, 0.2], [0.1, 0.6, 0.0]],
  np.float32,
)
SECONDS = 2.5


def give(outputs, path, scores=SCORES, cut=2):
  """A sound of two blocks."""
  tags = FileTags(str(path), hop_seconds=0.48, window_seconds=0.96)
  for first, last, seconds in ((0, cut, 1.0), (cut, len(scores), SECONDS)):
    part = scores[first:last]
    log_mel = np.arange(48 * len(part) * 64, dtype=np.float32).reshape(-1, 64)
    block = ScoredBlock(
      first, part, 2 * part, log_mel, seconds, last == len(scores), str(path)
    )
    tags.add(block)
    for output in outputs:
      output.add(block)
  for output in outputs:
    output.finish(tags)


def test_each_patch_has_its_best_classes_in_the_csv(tmp_path):
  path = tmp_path / 'scores.csv'
  with folders.whole_file(path) as file:
    output = tag_outputs.ScoresCsv(file, CLASSES, number=2, least=0.15)
    give([output], 'dog, cat.wav')
    output.finish(None)  # a sound that can't be used
    output.close()
  rows = list(csv.reader(path.open()))
  assert rows[0] == ['file', 'start', 'end', 'class', 'score']
  assert rows[1:4] == [
    ['dog, cat.wav', '0.000', '0.960', 'Bark', '0.9000'],
    ['dog, cat.wav', '0.000', '0.960', 'Rain, heavy', '0.2000'],
    ['dog, cat.wav', '0.480', '1.440', 'Bark', '0.9000'],
  ]
  assert rows[-1] == ['dog, cat.wav', '1.920', '2.500', 'Rain, heavy', '0.6000']
  assert len(rows) == 1 + 2 + 1 + 2 + 2 + 1


def test_arrays_say_their_classes_and_times(tmp_path):
  path = tmp_path / 'arrays.npz'
  files = ['a/dog.wav', 'b/dog.wav', 'rain.wav']
  with folders.whole_file(path) as file:
    output = tag_outputs.ScoresNpz(file, CLASSES, files)
    give([output], 'a/dog.wav')
    give([output], 'rain.wav', SCORES[:3])
    output.close()
  arrays = np.load(path)
  assert arrays['class_names'].tolist() == list(CLASSES.names)
  assert arrays['mids'].tolist() == list(CLASSES.mids)
  np.testing.assert_array_equal(arrays['a/dog.wav|scores'], SCORES)
  np.testing.assert_array_equal(arrays['rain.wav|embeddings'], 2 * SCORES[:3])
  assert arrays['a/dog.wav|log_mel'].shape == (240, 64)
  times = arrays['a/dog.wav|start_seconds']
  np.testing.assert_allclose(times, [0, 0.48, 0.96, 1.44, 1.92])
  assert 'b/dog.wav|scores' not in arrays


def events_to(path, *sounds, threshold=0.45):
  output = tag_outputs.SoundEvents(
    str(path), CLASSES, np.full(3, threshold), EventConfig(merge_seconds=0.5)
  )
  for sound in sounds:
    give([output], sound)
  output.close()


def test_events_of_many_sounds_are_strong_labels(tmp_path):
  path = tmp_path / 'events.tsv'
  events_to(path, 'x/dog_0.wav', 'rain_1.ogg')
  table = formats.read_strong_tsv(path, CLASSES)
  rows = [tuple(row) for row in table.itertuples(index=False)]
  assert rows[:2] == [('dog_0', 0.0, 1.44, '/m/a'), ('dog_0', 1.44, 2.5, '/m/b')]
  assert [row[0] for row in rows] == ['dog_0', 'dog_0', 'rain_1', 'rain_1']


def test_no_events_are_an_empty_file(tmp_path):
  events_to(tmp_path / 'events.tsv', 'dog.wav', threshold=0.95)
  assert len(formats.read_strong_tsv(tmp_path / 'events.tsv')) == 0


def test_audacity_gets_a_file_a_sound(tmp_path):
  events_to(tmp_path / '{}.txt', 'x/dog.wav', 'rain.ogg')
  expected = '0.000000\t1.440000\tBark\n1.440000\t2.500000\tRain, heavy\n'
  assert (tmp_path / 'dog.txt').read_text() == expected
  assert (tmp_path / 'rain.txt').read_text() == expected


def test_events_as_csv_have_their_highest_score(tmp_path):
  events_to(tmp_path / 'events.csv', 'x/dog.wav')
  rows = list(csv.reader((tmp_path / 'events.csv').open()))
  assert rows == [
    ['file', 'start', 'end', 'class', 'score'],
    ['x/dog.wav', '0.000', '1.440', 'Bark', '0.9000'],
    ['x/dog.wav', '1.440', '2.500', 'Rain, heavy', '0.6000'],
  ]


def test_outputs_that_do_not_fit_the_sounds(tmp_path):
  with pytest.raises(
    InputError, match=r'is of one sound, but there are 2.*e_\{\}\.txt'
  ):
    tag_names.require_outputs('events', f'{tmp_path}/e.txt', ['a.wav', 'b.wav'], True)
  with pytest.raises(InputError, match=r'x/a\.wav and y/a\.ogg would both be written'):
    tag_names.require_outputs(
      'events', f'{tmp_path}/{{}}.txt', ['x/a.wav', 'y/a.ogg'], 1
    )
  with pytest.raises(InputError, match='would both be clip a'):
    tag_names.require_ids('e.tsv', ['x/a.wav', 'y/a.ogg'])
  tag_names.require_outputs('events', f'{tmp_path}/e.tsv', ['a.wav', 'b.wav'], False)


def test_spools_give_back_what_they_got():
  spools, rows = Spools(), np.random.default_rng(0).random((1000, 7)).astype('f4')
  for first in range(0, 1000, 300):
    spools['x'].add(rows[first : first + 300])
  np.testing.assert_array_equal(spools['x'].columns([6, 0]), rows[:, [6, 0]])
  spools.clear()
  assert spools['x'].shape == (0, 0)
  spools.close()


def test_outputs_take_no_place_of_what_others_wrote(tmp_path):
  sound, notes = tmp_path / 'a.html', tmp_path / 'a.txt'
  sound.write_bytes(b'a sound of that name')
  with pytest.raises(InputError, match='would be written over the sound'):
    tag_names.require_outputs('timeline', f'{tmp_path}/{{}}.html', [str(sound)], True)
  notes.write_text('my notes\n')
  for name in ('a.txt', '{}.txt'):
    with pytest.raises(InputError, match=r'a\.txt: is there already and not of `tag`'):
      tag_names.require_outputs('events', f'{tmp_path}/{name}', [str(sound)], True)
  assert notes.read_text() == 'my notes\n'
  notes.write_text('0.000000\t1.440000\tDog\n')  # of an earlier run
  tag_names.require_outputs('events', f'{tmp_path}/a.txt', [str(sound)], True)
