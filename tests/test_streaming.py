"""Streams: the same scores as at once, whatever the blocks; and what a stage hears."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audioset_ml.audio.front_end import FrontEnd
from audioset_ml.core.errors import AudioError, ModelError
from audioset_ml.models.waveform_loading import LoadedWaveformModel
from audioset_ml.models.waveform_model import WaveformModel
from audioset_ml.streaming import Stream
from tests.integration.test_score import write_model
from tests.models.test_saved_model import CLASSES, build, noise
from tests.stages import run_stage


@pytest.fixture(scope='module')
def model():
  return LoadedWaveformModel(WaveformModel(build(), FrontEnd()), CLASSES, 'model')


def streamed(model, waveform, sizes, hop_frames=None):
  """All scores of a stream; patches are numbered one after the other."""
  stream, start, found = Stream(model, hop_frames), 0, []
  ends = [*np.cumsum(sizes), len(waveform)]
  parts = []
  for end in ends:
    parts.append(stream.add(waveform[start:end]))
    start = max(start, min(end, len(waveform)))
  parts.append(stream.finish())
  for part in parts:
    assert part.first == len(found)
    found.extend(part.scores)
  assert stream.patches == len(found)
  return np.array(found)


@settings(max_examples=25)
@given(
  samples=st.integers(0, 60_000),
  sizes=st.lists(st.integers(0, 30_000), max_size=8),
)
def test_scores_are_those_of_the_whole_waveform(model, samples, sizes):
  waveform = noise(samples)
  wanted = np.asarray(model(waveform)[0])
  np.testing.assert_allclose(streamed(model, waveform, sizes), wanted, atol=1e-5)


@settings(max_examples=10)
@given(samples=st.integers(15_600, 60_000), sizes=st.lists(st.integers(1, 20_000)))
def test_at_another_hop(model, samples, sizes):
  waveform = noise(samples)
  hops = -(-(samples - 15_600) // 3200)
  padded = np.pad(waveform, (0, 15_600 + 3200 * hops - samples))
  wanted = np.asarray(model.at_hop(padded, 20)[0])
  np.testing.assert_allclose(streamed(model, waveform, sizes, 20), wanted, atol=1e-5)


def test_scores_come_as_soon_as_a_patch_is_heard(model):
  stream = Stream(model)
  assert stream.add(noise(15_599)).scores.shape == (0, 3)
  assert len(stream.add(np.zeros(1, np.float32)).scores) == 1
  found = stream.add(np.zeros(2 * 7680, np.float32))
  assert found.scores.shape == (2, 3)
  assert [round(found.seconds(row), 6) for row in range(2)] == [0.48, 0.96]


def test_what_is_no_stream_of_floats_is_an_error(model):
  stream = Stream(model)
  with pytest.raises(ModelError, match='mono'):
    stream.add(np.zeros((100, 2), np.float32))
  with pytest.raises(ModelError, match='int16'):
    stream.add(np.zeros(100, np.int16))
  assert len(stream.finish().scores) == 1
  with pytest.raises(ModelError, match='finished'):
    stream.add(np.zeros(100, np.float32))
  with pytest.raises(ModelError, match='longer than a patch'):
    Stream(model, 97)


SOUNDDEVICE = """
import threading
import numpy as np

class PortAudioError(Exception):
  pass

class InputStream:
  def __init__(self, samplerate, blocksize, channels, dtype, callback):
    assert (samplerate, channels, dtype) == (16000, 1, 'float32')
    if BROKEN:
      raise PortAudioError('Error querying device -1')
    def speak():
      for number in range(30):
        status = 'input overflow' if LOSES and number == 3 else None
        callback(np.full((blocksize, 1), 0.1, 'float32'), blocksize, None, status)
    self._thread = threading.Thread(target=speak)

  def start(self):
    self._thread.start()

  def stop(self):
    self._thread.join()

  def close(self):
    pass
"""


@pytest.fixture
def listen(tmp_path):
  """Runs `tag --microphone` with a sounddevice of our own, that speaks for 3 s."""
  path = write_model(tmp_path / 'model', seed=0)

  def listen(*arguments, broken=False, loses=False):
    modules = tmp_path / 'modules'
    modules.mkdir()
    state = f'BROKEN, LOSES = {broken}, {loses}\n'
    (modules / 'sounddevice.py').write_text(state + SOUNDDEVICE)
    flags = (f'--model={path}', '--microphone', *arguments)
    return run_stage('tag', *flags, modules=modules)

  return listen


@pytest.mark.long
def test_tag_prints_a_line_a_patch(listen):
  done = listen('--microphone_seconds=2', '--top=2')
  assert done.returncode == 0, done.stderr
  first, second, third = done.stdout.splitlines()
  assert first.startswith('0:00.00  0.')
  assert second.startswith('0:00.48  0.')
  assert third.startswith('0:00.96  0.')
  assert 'tone' in first


@pytest.mark.long
def test_lost_sound_is_told(listen):
  done = listen('--microphone_seconds=1', loses=True)
  assert done.returncode == 1
  assert 'sound was lost 1 time (input overflow)' in done.stderr


@pytest.mark.long
def test_no_microphone_is_one_error(listen):
  done = listen(broken=True)
  assert done.returncode == 1
  assert done.stderr.count('\n') == 1
  assert 'the microphone cannot be used (PortAudioError: Error querying' in done.stderr


@pytest.mark.parametrize(
  ('arguments', 'message'),
  [
    (['a.wav'], '--microphone takes no files, but a.wav is named'),
    (['--events=a.csv'], '--events is of files'),
    (['--clip_score=mean'], '--clip_score is of files'),
  ],
)
def test_what_does_not_go_with_a_microphone(listen, arguments, message):
  done = listen(*arguments)
  assert done.returncode == 1
  assert message in done.stderr


def test_without_sounddevice_the_extra_is_named(monkeypatch):
  from audioset_ml.audio import microphone

  monkeypatch.setitem(__import__('sys').modules, 'sounddevice', None)
  with pytest.raises(AudioError, match=r'audioset_ml\[microphone\]'):
    microphone.require_library()
