"""Tags follow from the patches' scores, and what is odd in a file comes with them."""

import numpy as np
import pytest
import soundfile

from audioset_ml.audio.front_end import FrontEnd
from audioset_ml.core.errors import AudioError
from audioset_ml.models import tagging
from audioset_ml.models.sound_scores import ScoredBlock

NAMES = ('Hum', 'Bark', 'Rain')


class SilentModel:
  class_names = ('Silence',)
  front_end = FrontEnd()

  def at_hop(self, waveform, hop_frames):
    patches = self.front_end.patches_within(len(waveform), hop_frames)
    return np.zeros((patches, 3)), np.zeros((patches, 2)), np.zeros((4, 64))


def tags_of(*blocks, hop=0.48):
  tags = tagging.FileTags('x.wav', hop_seconds=hop, window_seconds=0.96)
  first = 0
  for scores in blocks:
    scores = np.array(scores)
    tags.add(ScoredBlock(first, scores, None, None, 12.5, is_last=True))
    first += len(scores)
  return tags


def test_notes_come_with_the_tags(tmp_path):
  whole, cut = tmp_path / 'whole.wav', tmp_path / 'cut.wav'
  soundfile.write(whole, np.zeros(32_000), 16_000)
  cut.write_bytes(whole.read_bytes()[:40_000])
  first, second = tagging.tag_files(SilentModel(), [str(whole), str(cut)])
  assert first.notes == ()
  assert not first.is_damaged
  assert second.notes == ('its header says 64,000 bytes of sound, 39,956 are there',)
  assert second.is_damaged


def test_what_cannot_be_decoded_is_passed_over(tmp_path):
  wrong, right = tmp_path / 'wrong.wav', tmp_path / 'right.wav'
  wrong.write_text('no sound')
  soundfile.write(right, np.zeros(16_000), 16_000)
  found = list(tagging.tag_files(SilentModel(), [wrong, right]))
  assert isinstance(found[0], AudioError)
  assert found[1].patches == 2


@pytest.mark.parametrize('kind', ['flac', 'ogg'])
def test_damage_is_told_and_the_rest_is_tagged(tmp_path, kind):
  path = tmp_path / f'sound.{kind}'
  noise = np.random.default_rng(0).uniform(-0.5, 0.5, 160_000)
  soundfile.write(path, noise, 16_000)
  data = bytearray(path.read_bytes())
  if kind == 'flac':
    data[len(data) // 2 : len(data) // 2 + 3_000] = bytes(3_000)
  else:
    data = data[: len(data) * 2 // 3]
  path.write_bytes(data)
  (tags,) = tagging.tag_files(SilentModel(), [path])
  assert tags.is_damaged
  assert tags.notes
  assert 3 < tags.seconds < 10 + (kind == 'flac')  # whose time stamps tell


def test_an_error_in_the_middle_ends_the_sound_there(monkeypatch):
  def blocks(*unused, **also_unused):
    yield np.zeros(30_000, np.float32)
    raise AudioError('x.wav: sample 30000 is not a finite number')

  monkeypatch.setattr(
    tagging.SoundScores.__init__.__globals__['decoding'], 'sound_blocks', blocks
  )
  (tags,) = tagging.tag_files(SilentModel(), ['x.wav'])
  assert tags.seconds == pytest.approx(30_000 / 16_000)
  assert tags.is_damaged
  assert tags.notes == (
    'tagged up to 0:01.88, where it breaks: sample 30000 is not a finite number',
  )


def test_the_highest_patch_counts_with_its_time_and_the_mean_stands_beside_it():
  tags = tags_of([[0.7, 0.1, 0.2], [0.7, 0.1, 0.3]], [[0.7, 0.9, 0.3], [0.7, 0.1, 0]])
  text = tagging.describe(tags, NAMES, number=2)
  assert text.splitlines() == [
    'x.wav: 0:12.50',
    '  0.900 at 0:00.96, mean 0.300  Bark',
    '  0.700 at 0:00.00, mean 0.700  Hum',
  ]
  text = tagging.describe(tags, NAMES, number=5, pooling='mean', least=0.25)
  assert text.splitlines()[1:] == [
    '  0.700 highest 0.700 at 0:00.00  Hum',
    '  0.300 highest 0.900 at 0:00.96  Bark',
  ]
  assert tagging.describe(tags, NAMES, least=0.95).splitlines()[1:] == [
    '  no class scores 0.95 or more'
  ]
  values = np.array([0.1, 0.1, 0.9, 0.1])
  expected = (values**2).sum() / values.sum()
  assert tags.clip_scores('linear_softmax')[1] == pytest.approx(expected)


def test_a_quiet_second_makes_no_sound_silence():
  tags = tags_of([[1.0, 0.1, 0.2], [0.0, 0.7, 0.3]])
  text = tagging.describe(tags, ('Silence', 'Bark', 'Rain'), number=2)
  assert text.splitlines()[1:] == [
    '  0.700 at 0:00.48, mean 0.400  Bark',
    '  0.500 on average              Silence',
  ]
  text = tagging.describe(tags, ('Silence', 'Bark', 'Rain'), least=0.6)
  assert 'Silence' not in text


@pytest.mark.parametrize(
  ('seconds', 'text'),
  [(0, '0:00.00'), (59.999, '1:00.00'), (62.4, '1:02.40'), (3723.051, '1:02:03.05')],
)
def test_times_are_written_as_people_do(seconds, text):
  assert tagging.clock(seconds) == text
