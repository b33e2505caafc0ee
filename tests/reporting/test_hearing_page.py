"""The page that runs a model in a browser, held against `tag`'s scores."""

import json
import re
import shutil
import time

import numpy as np
import pytest
import soundfile

from audioset_ml.core.errors import InputError
from audioset_ml.core.packages import is_installed
from audioset_ml.deployment import web_runtime
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.models.sound_scores import SoundScores
from audioset_ml.models.waveform_loading import load_waveform_model
from tests.browser import chromium
from tests.browser_engines import firefox, webkit
from tests.integration.test_score import write_model
from tests.stages import run_stage, run_stage_ok

pytestmark = pytest.mark.optional
CLASSES = ClassMap(
  ('/m/a', '/m/b', '/m/028v0c'), ('Rain & <b>wind</b>', '</script>', 'Silence')
)


@pytest.fixture(scope='module')
def exported(tmp_path_factory):
  """The folder of a model whose classes' names would break a careless page."""
  for name in ('onnx', 'tf2onnx', 'onnxruntime'):
    if not is_installed(name):
      pytest.skip("needs `make deploy`: pip install 'audioset_ml[deploy]'")
  try:
    web_runtime.find()
  except InputError as error:
    pytest.skip(str(error))
  folder = tmp_path_factory.mktemp('page')
  model = write_model(folder / 'tiny', 1, CLASSES)
  flags = (f'--model={model}', '--formats=onnx', '--page')
  said = run_stage_ok('export', *flags, f'--output_dir={folder}/exported')
  assert 'exported/page/index.html: 5.6 MB' in said
  return folder / 'exported'


@pytest.fixture(scope='module')
def model(exported):
  return load_waveform_model(exported / 'onnx/waveform.onnx')


def sound(seconds, rate, channels=1):
  """Tones that rise, and noise that comes and goes."""
  times = np.arange(round(seconds * rate)) / rate
  noise = np.random.default_rng(0).normal(0, 0.1, (len(times), channels))
  tone = 0.3 * np.sin(2 * np.pi * (200 + 150 * times) * times)
  return tone[:, None] + noise * (np.sin(2 * times) > 0)[:, None]


def opened(browser, exported):
  browser.get((exported / 'page/index.html').as_uri())
  wait(browser, lambda text: text == 'Ready.')


def wait(browser, holds, seconds=120):
  """Waits until the page's status is such; what it is."""
  deadline = time.monotonic() + seconds
  while not holds(text := browser.find_element('id', 'status').text):
    assert time.monotonic() < deadline, text
    time.sleep(0.05)
  return text


def scored(browser, path):
  """The scores that the page gives of a file."""
  browser.find_element('id', 'file').send_keys(str(path))
  wait(browser, lambda text: re.search(r'of sound, \d+ patch', text))
  assert browser.find_element('id', 'name').text == path.name
  return np.array(browser.execute_script('return sound.scores.map((one) => [...one])'))


@pytest.mark.parametrize(
  ('name', 'rate', 'channels', 'subtype', 'tolerance'),
  [
    ('a.wav', 16_000, 1, 'PCM_16', 1e-3),
    ('a.wav', 16_000, 2, 'PCM_U8', 1e-3),
    ('a.flac', 16_000, 1, 'PCM_16', 1e-3),
    ('a.wav', 16_000, 1, 'FLOAT', 1e-3),
    ('a.wav', 44_100, 2, 'PCM_16', 0.01),
    ('a.wav', 48_000, 1, 'PCM_24', 0.01),
    ('a.flac', 22_050, 1, 'PCM_16', 0.01),
    ('a.ogg', 44_100, 1, 'VORBIS', 0.01),
    ('a.mp3', 16_000, 1, 'MPEG_LAYER_III', 0.01),
    ('a.mp3', 44_100, 1, 'MPEG_LAYER_III', 0.01),
  ],
)
def test_scores_are_tags(
  browser, model, tmp_path, name, rate, channels, subtype, tolerance
):
  path = tmp_path / name
  soundfile.write(path, sound(11.3, rate, channels), rate, subtype=subtype)
  found = scored(browser, path)
  wanted = np.concatenate([one.scores for one in SoundScores(model, path).blocks()])
  assert abs(len(found) - len(wanted)) <= name.endswith('mp3')  # whole frames of it
  number = min(len(found), len(wanted)) - name.endswith('mp3')
  assert wanted.std() > 0.01
  np.testing.assert_allclose(found[:number], wanted[:number], rtol=0, atol=tolerance)


@pytest.mark.parametrize('engine', [firefox, webkit], ids=['firefox', 'webkit'])
def test_scores_in_other_engines_are_tags(engine, exported, model, tmp_path):
  forms = ('a.wav', 16_000, 'PCM_16'), ('b.flac', 22_050, None), ('c.wav', 44_100, None)
  with engine() as browser:
    opened(browser, exported)
    for name, rate, subtype in forms:
      path = tmp_path / name
      soundfile.write(path, sound(9.7, rate), rate, subtype=subtype)
      found = scored(browser, path)
      wanted = np.concatenate([one.scores for one in SoundScores(model, path).blocks()])
      np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-3)


@pytest.fixture(scope='module')
def browser(exported, tmp_path_factory):
  """A browser that shows the page, on a phone's screen."""
  with chromium(tmp_path_factory.mktemp('downloads'), width=360) as window:
    opened(window, exported)
    yield window


@pytest.mark.parametrize('seconds', [0.1, 0.975, 7.9, 8.2, 20.0])
def test_all_of_a_sound_is_scored(browser, model, tmp_path, seconds):
  """Whether it fills a patch, a block of them, or neither."""
  path = tmp_path / f'{seconds}.wav'
  soundfile.write(path, sound(seconds, 16_000), 16_000)
  found = scored(browser, path)
  wanted = np.concatenate([one.scores for one in SoundScores(model, path).blocks()])
  np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-3)


def test_what_is_no_number_is_silent(browser, model, tmp_path):
  path, samples = tmp_path / 'nan.wav', sound(3, 16_000)
  samples[1000:1100], samples[9000] = np.nan, np.inf
  soundfile.write(path, samples, 16_000, subtype='FLOAT')
  found = scored(browser, path)
  wanted = np.concatenate([one.scores for one in SoundScores(model, path).blocks()])
  np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-3)


def test_what_is_shown(browser, exported, tmp_path):
  soundfile.write(tmp_path / 'a <i>.wav', sound(11.3, 16_000), 16_000)
  scores = scored(browser, tmp_path / 'a <i>.wav')
  run = browser.execute_script
  rows = [
    row.text.splitlines()[0] for row in browser.find_elements('css selector', 'li')
  ]
  values = dict(zip(CLASSES.names, scores.max(axis=0), strict=True))
  values['Silence'] = scores[:, 2].mean()
  for name, row in zip(sorted(values, key=values.get)[::-1], rows, strict=True):
    when = 'on average' if name == 'Silence' else 'at 0:'
    assert row.startswith(f'{name} {values[name]:.3f} {when}')
  # As high as the score, in the column of its patch's middle.
  column = (
    'const [row] = $("classes").children, index = Number(row.dataset.index);'
    'const canvas = row.querySelector("canvas"), [start, end] = span();'
    'const at = sound.highestAt[index] + data.patchSeconds / 2;'
    'const x = Math.floor((at - start) / (end - start) * canvas.width);'
    'const data_ = canvas.getContext("2d").getImageData(x, 0, 1, canvas.height).data;'
    'return [data_.filter((_, i) => i % 4 === 3).filter((alpha) => alpha).length,'
    '  sound.highest[index], canvas.height]'
  )
  filled, highest, height = run(column)
  assert filled == pytest.approx(highest * (height - 4), abs=2)
  for width in (1280, 360):
    size = {
      'width': width,
      'height': 900,
      'deviceScaleFactor': 1,
      'mobile': width < 600,
    }
    browser.execute_cdp_cmd('Emulation.setDeviceMetricsOverride', size)
    assert run('return document.documentElement.scrollWidth') <= width
  button = browser.find_element('css selector', '#classes button')
  assert 'where it scores highest' in button.get_attribute('aria-label')
  button.click()
  begins = run('return sound.highestAt[sound.top(1)[0]]')
  assert run('return audio.currentTime') == pytest.approx(begins, abs=0.5)


def test_every_control_is_reached_by_keyboard(browser, tmp_path):
  soundfile.write(tmp_path / 'a.wav', sound(3, 16_000), 16_000)
  scored(browser, tmp_path / 'a.wav')
  browser.execute_script('document.activeElement.blur(); scrollTo(0, 0)')
  reached = set()
  body = browser.find_element('tag name', 'body')
  for _ in range(30):
    body.send_keys('\ue004')  # tab
    reached.add(browser.execute_script('return document.activeElement.outerHTML')[:40])
  for part in ('<input id="file"', '<button id="listen"', '<audio id="audio"'):
    assert any(one.startswith(part) for one in reached), part
  assert any('<summary>' in one for one in reached)
  assert len([one for one in reached if one.startswith('<button')]) >= 2


def test_what_is_no_sound_is_told_and_the_next_file_goes(browser, tmp_path):
  (tmp_path / 'text.wav').write_text('no sound')
  browser.find_element('id', 'file').send_keys(str(tmp_path / 'text.wav'))
  text = wait(browser, lambda text: 'cannot' in text)
  assert text.startswith('text.wav: this browser cannot decode it')
  assert not browser.find_element('id', 'result').is_displayed()
  soundfile.write(tmp_path / 'a.wav', sound(3, 16_000), 16_000)
  assert len(scored(browser, tmp_path / 'a.wav')) == 6


def test_a_new_file_ends_the_one_before(browser, tmp_path):
  soundfile.write(tmp_path / 'long.wav', sound(300, 16_000), 16_000)
  soundfile.write(tmp_path / 'short.wav', sound(3, 16_000), 16_000)
  browser.find_element('id', 'file').send_keys(str(tmp_path / 'long.wav'))
  wait(browser, lambda text: text.startswith('Scoring'))
  assert len(scored(browser, tmp_path / 'short.wav')) == 6
  time.sleep(0.5)
  assert browser.execute_script('return sound.scores.length') == 6


def test_nothing_can_be_sent(browser):
  """The page's own policy keeps even a script of its own from it."""
  refused = (
    'const done = arguments[arguments.length - 1];'
    'fetch("http://127.0.0.1:9/").then(() => done("sent"), (error) => done(error.name))'
  )
  assert browser.execute_async_script(refused) == 'TypeError'
  lines = [one['message'] for one in browser.get_log('browser')]
  assert lines
  assert all('Content Security Policy' in line for line in lines), lines


@pytest.mark.parametrize('rate', [8_000, 16_000, 44_100, 48_000, 96_000])
@pytest.mark.parametrize('block', [1_000, 4_096])
def test_the_pages_resampler(browser, rate, block):
  """A tone comes out as that tone, however it is cut; none that is too high."""
  run = (
    'const [rate, block, hertz] = arguments, made = resamplerFrom(rate), found = [];'
    'const tone = Float32Array.from({length: rate}, '
    '  (_, i) => Math.sin(2 * Math.PI * hertz * i / rate));'
    'for (let at = 0; at < rate; at += block) '
    '  found.push(...made.add(tone.subarray(at, at + block)));'
    'return found'
  )
  for hertz in (440.0, 0.4 * min(rate, 16_000)):
    found = np.array(browser.execute_script(run, rate, block, hertz))
    assert 15_900 < len(found) <= 16_000
    wanted = np.sin(2 * np.pi * hertz * np.arange(len(found)) / 16_000)
    np.testing.assert_allclose(found[100:], wanted[100:], atol=2e-3)
  if rate > 16_000:
    found = np.array(browser.execute_script(run, rate, block, 9_000.0))
    assert np.abs(found[100:]).max() < 2e-3


@pytest.mark.parametrize('rate', [44_100, 48_000])
def test_the_microphone(exported, model, tmp_path, rate):
  """A browser whose microphone is a file: a steady sound, since it begins somewhere."""
  steady = 0.2 * np.random.default_rng(1).normal(0, 0.3, 30 * rate)
  soundfile.write(tmp_path / 'heard.wav', steady, rate, subtype='PCM_16')
  (path,) = tmp_path.iterdir()
  wanted = np.concatenate([one.scores for one in SoundScores(model, path).blocks()])
  fake = 'use-fake-device-for-media-stream', 'use-fake-ui-for-media-stream'
  arguments = (*fake, f'use-file-for-fake-audio-capture={path}')
  with chromium(tmp_path, arguments=arguments) as browser:
    opened(browser, exported)
    button = browser.find_element('id', 'listen')
    button.click()
    wait(browser, lambda text: text == 'Listening.')
    deadline = time.monotonic() + 60
    while browser.execute_script('return sound.scores.length') < 8:
      assert time.monotonic() < deadline
      time.sleep(0.1)
    assert button.text == 'Stop listening'
    button.click()
    wait(browser, lambda text: re.fullmatch(r'0:0\d\.\d\d heard\.', text))
    found = browser.execute_script('return sound.scores.map((one) => [...one])')
    heard = np.array(found)[2:-1]  # without the beginning
    np.testing.assert_allclose(heard.mean(0), wanted.mean(0), atol=0.1)
    line = browser.find_element('css selector', '#heard li').text
    assert re.match(r'0:0\d\.\d\d +[01]\.\d{3} ', line)
    assert browser.execute_script('return microphone') is None


def test_the_page_is_whole_and_says_its_licences(exported):
  folder = exported / 'page'
  text = (folder / 'index.html').read_text()
  data = json.loads(re.search(r'type="application/json">(.*)</script>', text)[1])
  assert data['classes'] == list(CLASSES.names)
  assert 'Copyright (c) Microsoft Corporation' in data['runtime']['license']
  assert {path.name for path in folder.iterdir()} == {
    'index.html',
    'LICENSE.onnxruntime.txt',
    'ThirdPartyNotices.onnxruntime.txt',
  }
  assert json.loads((exported / 'run.json').read_text())['page']['bytes'] == len(
    text.encode()
  )


def test_a_page_needs_sound_and_its_licences(tmp_path, exported, monkeypatch):
  from audioset_ml.models.config import ModelConfig
  from audioset_ml.models.registry import build_model
  from audioset_ml.records.frames import FrameFormat
  from audioset_ml.reporting import hearing_page

  head = tmp_path / 'head'
  shutil.copytree(exported.parent / 'tiny', head)
  build_model(ModelConfig('mlp', 3, patch_frames=1, frame_values=8)).save(
    head / 'model.keras'
  )
  frames = FrameFormat.log_mel().embeddings(8, 'digest', 'embeddings of a network')
  run_json = {'stage': 'train', 'inputs': {}, **frames.to_run()}
  (head / 'run.json').write_text(json.dumps(run_json))
  done = run_stage(
    'export',
    f'--model={head}',
    '--formats=onnx',
    '--page',
    f'--output_dir={tmp_path}/e',
  )
  assert done.returncode == 1
  assert 'takes embeddings, but --page needs a model that takes sound' in done.stderr
  monkeypatch.setattr(hearing_page, '_LICENSES', {'NO_LICENSE': 'a.txt'})
  with pytest.raises(InputError, match="lacks NO_LICENSE: install PyPI's"):
    hearing_page.require(str(exported.parent / 'tiny/model.keras'), '')
