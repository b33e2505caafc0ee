"""docs/how-to/serve.md: its requests and programs, on an exported SavedModel.

TensorFlow Serving is no Python package; `serving_stand_in` does what its documentation
says of it.
"""

import json
import os
import re
import subprocess
import sys
import urllib.error
import urllib.request

import numpy as np
import pytest
import soundfile
import tensorflow as tf

from audioset_ml.core.packages import is_installed
from tests.deployment import serving_stand_in
from tests.integration.test_score import write_model
from tests.small_data import CLASS_MAP
from tests.stages import ROOT, run_stage_ok

PAGE = (ROOT / 'docs/how-to/serve.md').read_text()
NEEDS_API = 'needs `make deploy`: tensorflow-serving-api'


@pytest.fixture(scope='module')
def exported(tmp_path_factory):
  folder = tmp_path_factory.mktemp('serving')
  model = write_model(folder / 'tiny', seed=1)
  run_stage_ok('export', f'--model={model}', f'--output_dir={folder}/exported')
  return folder / 'exported/saved_model'


@pytest.fixture(scope='module')
def sound(tmp_path_factory):
  """A folder with the sound that the page's programs read."""
  folder = tmp_path_factory.mktemp('sound')
  samples = np.random.default_rng(0).uniform(-0.5, 0.5, 40_000)
  soundfile.write(folder / 'dog.wav', samples, 16_000)
  return folder


@pytest.fixture(scope='module')
def port(exported):
  with serving_stand_in.rest_server(exported, 'student') as port:
    yield port


def blocks(language):
  found = re.findall(r'^```(\w*)\n(.*?)^```$', PAGE, re.M | re.S)
  return [text for one, text in found if one == language]


def ask(port, request):
  """What the server says, and its status."""
  address = f'http://127.0.0.1:{port}/v1/models/student:predict'
  try:
    with urllib.request.urlopen(address, json.dumps(request).encode()) as reply:
      return reply.status, json.load(reply)
  except urllib.error.HTTPError as error:
    return error.code, json.load(error)


def shown(index):
  """A reply as the page shows it: names, and how lists are nested."""
  text = [block for block in blocks('') if block.startswith('{')][index]
  return json.loads(re.sub(', …', '', text))


def test_a_sound(exported, port):
  request = json.loads(blocks('json')[0])
  status, reply = ask(port, request)
  assert status == 200
  found = {name: np.array(value) for name, value in reply['outputs'].items()}
  model = tf.saved_model.load(str(exported))
  scores, embeddings, log_mel = model(
    np.array(request['inputs']['waveform'], np.float32)
  )
  assert found['scores'].shape == (1, len(CLASS_MAP))
  wanted = {'scores': scores, 'embeddings': embeddings, 'log_mel': log_mel}
  assert found.keys() == wanted.keys() == shown(0)['outputs'].keys()
  for name, value in wanted.items():
    np.testing.assert_allclose(found[name], value, atol=1e-6)
    assert np.array(shown(0)['outputs'][name]).ndim == found[name].ndim
  lines = (exported / 'assets/class_map.csv').read_text().splitlines()
  assert len(lines) == 1 + found['scores'].shape[1]


def test_sounds_of_one_length(exported, port):
  request = json.loads(blocks('json')[1])
  status, reply = ask(port, request)
  assert status == 200
  assert reply.keys() == shown(1).keys() == {'predictions'}
  model = tf.saved_model.load(str(exported))
  for row, waveform in zip(reply['predictions'], request['instances'], strict=True):
    assert row.keys() == shown(1)['predictions'][0].keys()
    wanted = model(np.array(waveform, np.float32))[0]
    np.testing.assert_allclose(row['scores'], wanted, atol=1e-6)


def test_what_the_page_says_is_refused(port):
  waveform = json.loads(blocks('json')[0])['inputs']['waveform']
  status, reply = ask(port, {'instances': waveform})
  assert (status, 'batch size' in reply['error']) == (400, True)
  status, reply = ask(port, {'inputs': {'waveform': [0, 8000, -9000]}})
  assert status == 400
  (told,) = re.findall(r'"error": "… (.*?) …"', PAGE)
  assert told in reply['error']


def run_program(code, folder):
  environment = {**os.environ, 'PYTHONPATH': str(ROOT), 'TF_CPP_MIN_LOG_LEVEL': '3'}
  command = [sys.executable, '-c', code]
  return subprocess.run(
    command, cwd=folder, env=environment, capture_output=True, text=True, check=True
  ).stdout


def test_the_program(exported, sound, port):
  (code,) = (block for block in blocks('python') if 'urllib' in block)
  assert 'localhost:8501' in code
  said = run_program(code.replace('localhost:8501', f'127.0.0.1:{port}'), sound)
  samples, _ = soundfile.read(sound / 'dog.wav', dtype='float32')
  scores = tf.saved_model.load(str(exported))(samples)[0].numpy()
  wanted = [
    f'{0.48 * row:.2f} s: class {one.argmax()}, {one.max():.3f}'
    for row, one in enumerate(scores)
  ]
  assert said.splitlines() == wanted


@pytest.mark.optional
def test_the_program_of_grpc(exported, sound):
  if not is_installed('tensorflow_serving'):
    pytest.skip(NEEDS_API)
  (code,) = (block for block in blocks('python') if 'import grpc' in block)
  assert 'localhost:8500' in code
  with serving_stand_in.grpc_server(exported, 'student') as port:
    said = run_program(
      code.replace('localhost:8500', f'127.0.0.1:{port}') + 'print(scores.tolist())',
      sound,
    )
  samples, _ = soundfile.read(sound / 'dog.wav', dtype='float32')
  wanted = tf.saved_model.load(str(exported))(samples)[0].numpy()
  shape, values = said.splitlines()
  assert shape == str(wanted.shape)
  np.testing.assert_allclose(json.loads(values), wanted, atol=1e-6)


def test_the_containers_names():
  """That the command serves the name and the folder that the page goes on with."""
  command = next(block for block in blocks('') if block.startswith('docker'))
  assert '-e MODEL_NAME=student' in command
  assert '"$PWD/exported/saved_model:/models/student/1:ro"' in command
  assert '-p 8500:8500 -p 8501:8501' in command
