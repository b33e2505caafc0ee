"""The guard around tensorflow-io: nothing it is given ends or hangs this process."""

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import tensorflow as tf

from audioset_ml.audio import decoding, ffmpeg, tfio_decoding
from audioset_ml.audio.sound_file import SoundFile
from audioset_ml.audio.tfio_decoding import Encoding
from audioset_ml.core.errors import AudioError, InputError
from tests.audio import sound_files
from tests.audio.sound_files import encode, needs_tensorflow_io, tone

WAV = Encoding('wav', 16)


def decode_wav():
  return tfio_decoding.decode(WAV, encode(tone(), 'wav_16'), 'clip')


@needs_tensorflow_io
def test_a_hang_is_an_error_and_the_next_file_decodes():
  data = sound_files.flac_that_hangs_tensorflow_io()
  decode_wav()
  start = time.monotonic()
  with pytest.raises(AudioError, match=r'clip: tensorflow-io took longer than 0\.5 s'):
    tfio_decoding.decode(Encoding('flac', 16), data, 'clip', time_limit=0.5)
  assert time.monotonic() - start < 5
  np.testing.assert_allclose(decode_wav(), tone(), atol=1e-4)


@needs_tensorflow_io
def test_a_death_of_the_decoder_is_an_error_and_the_next_file_decodes():
  data = sound_files.flac_that_hangs_tensorflow_io()
  decode_wav()
  (child,) = multiprocessing.active_children()
  timer = threading.Timer(0.3, os.kill, [child.pid, signal.SIGSEGV])
  timer.start()
  with pytest.raises(AudioError, match=r'clip: tensorflow-io died of it .*-11.*sound'):
    tfio_decoding.decode(Encoding('flac', 16), data, 'clip')
  np.testing.assert_allclose(decode_wav(), tone(), atol=1e-4)


@needs_tensorflow_io
def test_threads_get_their_own_answers():
  levels = np.linspace(0.1, 0.9, 12)
  answers = {}

  def work(level):
    data = encode(np.full((100, 1), level, 'f4'), 'wav_16')
    answers[level] = tfio_decoding.decode(WAV, data, 'clip')

  threads = [threading.Thread(target=work, args=(level,)) for level in levels]
  for thread in threads:
    thread.start()
  for thread in threads:
    thread.join()
  for level in levels:
    np.testing.assert_allclose(answers[level], np.full((100, 1), level), atol=1e-4)


@needs_tensorflow_io
def test_bytes_of_another_format_are_refused():
  with pytest.raises(AudioError, match="clip: tensorflow-io can't decode it: "):
    tfio_decoding.decode(WAV, encode(tone(), 'wav_24'), 'clip')


@needs_tensorflow_io
def test_works_as_a_map_in_tf_data(tmp_path):
  data = encode(tone(), 'flac_16')
  path = tmp_path / 'tone.flac'
  path.write_bytes(data)
  with ffmpeg.opened(SoundFile.at(path)) as stream:
    encoding = stream.encoding
  assert encoding == Encoding('flac', 16)
  dataset = (
    tf.data.Dataset.from_tensors(str(path))
    .map(tf.io.read_file)
    .map(tfio_decoding.graph_decoder(encoding))
  )
  (samples,) = dataset
  np.testing.assert_allclose(samples, tone(), atol=1e-4)


def test_graph_decoder_refuses_what_tensorflow_io_lacks():
  with pytest.raises(ValueError, match='opus'):
    tfio_decoding.graph_decoder(Encoding('opus'))


def test_where_it_is_not_installed_the_error_says_what_has_it(monkeypatch):
  """And a file that is no sound is told of first."""
  monkeypatch.setattr('importlib.util.find_spec', lambda name: None)
  told = r'Python 3\.11 or 3\.12 with TensorFlow 2\.17.*pip install .*--decoder=ffmpeg'
  with pytest.raises(InputError, match=told) as caught:
    decoding.require_decoder('tensorflow_io')
  assert '\n' not in str(caught.value)
  monkeypatch.setattr(tfio_decoding, '_worker', tfio_decoding._Worker())
  with pytest.raises(InputError, match=told):
    sound_files.read(encode(tone(), 'wav_16'), 'tensorflow_io')
  with pytest.raises(AudioError, match='clip: not a sound file'):
    sound_files.read(b'\0\1\2', 'tensorflow_io')


@needs_tensorflow_io
def test_what_it_passes_over_in_silence_is_noted():
  data = encode(tone(3.0), 'vorbis')
  start = sound_files.ogg_page_starts(data)[3]
  damaged = data[:start] + bytes(200) + data[start + 200 :]
  assert sound_files.read(damaged, 'tensorflow_io').notes


SCRIPT = """
import multiprocessing, sys, time
from audioset_ml.audio import decoding
if __name__ == '__main__':
  for _ in range(2):
    samples = decoding.load_audio(sys.argv[1], decoder='tensorflow_io')
  print(len(samples), multiprocessing.active_children()[0].pid, flush=True)
  time.sleep(float(sys.argv[2]))
"""


@pytest.mark.long
@needs_tensorflow_io
def test_the_decoder_ends_with_its_program_however_that_ends(tmp_path):
  (tmp_path / 'script.py').write_text(SCRIPT)
  (tmp_path / 'tone.wav').write_bytes(encode(tone(rate=16000), 'wav_16', 16000))
  ending, killed = (start_script(tmp_path, seconds) for seconds in (0, 60))
  with ending, killed:
    output, errors = ending.communicate(timeout=300)
    line = killed.stdout.readline()
    killed.kill()
  assert ending.returncode == 0
  assert errors == ''
  for samples, child in (output.split(), line.split()):
    assert samples == '8000'
    deadline = time.monotonic() + 10
    while is_running(int(child)):
      assert time.monotonic() < deadline, 'the decoding process is still there'
      time.sleep(0.1)


def start_script(folder, seconds):
  return subprocess.Popen(
    [sys.executable, folder / 'script.py', folder / 'tone.wav', str(seconds)],
    env={**os.environ, 'PYTHONPATH': os.pathsep.join(sys.path)},
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
    text=True,
  )


def is_running(pid):
  try:
    with open(f'/proc/{pid}/stat') as file:
      return file.read().rpartition(')')[2].split()[0] != 'Z'
  except FileNotFoundError:
    return False
