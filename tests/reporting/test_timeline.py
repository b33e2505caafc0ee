"""Timelines: bounded spectrograms, pictures that fit, pages that work on phones."""

import json
import re

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from audioset_ml.audio.front_end import FrontEnd
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.models.events import Event, EventConfig
from audioset_ml.models.sound_scores import ScoredBlock
from audioset_ml.models.tagging import FileTags
from audioset_ml.reporting import style
from audioset_ml.reporting.timeline import Timelines
from audioset_ml.reporting.timeline_data import Spectrogram, Timeline
from audioset_ml.reporting.timeline_figure import draw_timeline, strip_seconds
from audioset_ml.reporting.timeline_page import write_timeline_page
from tests.browser import chromium

NAMES = ('Dog', 'Livestock, farm animals, working animals', '$Rain$ <b>&')


def timeline(seconds, cell=0.48):
  random = np.random.default_rng(0)
  cells = int(np.ceil(seconds / cell))
  scores = random.uniform(0, 0.2, (cells, 3))
  scores[cells // 2 : cells // 2 + 3, 0] = 0.9
  middle = cells // 2 * cell
  return Timeline(
    name='sound <1>.wav',
    seconds=seconds,
    log_mel=random.normal(-3, 1, (round(seconds / 0.1), 64)),
    column_seconds=0.1,
    front_end=FrontEnd(),
    classes=NAMES,
    scores=scores,
    cell_seconds=cell,
    events=(Event(0, middle, min(middle + 1.44, seconds), 0.9),),
    threshold='from 0.3 on',
  )


@given(
  st.lists(st.integers(0, 40), min_size=1, max_size=8).filter(any),
  st.sampled_from([2, 5, 16]),
)
def test_a_spectrogram_keeps_means_however_long_it_gets(lengths, most):
  spectrogram, frames = Spectrogram(most), np.zeros((0, 2))
  for seed, length in enumerate(lengths):
    part = np.random.default_rng(seed).normal(size=(length, 2))
    spectrogram.add(part)
    frames = np.concatenate([frames, part])
  picture, step = spectrogram.picture(), spectrogram.frames_a_column
  assert len(picture) == -(-len(frames) // step) <= most + 1
  for column, values in enumerate(picture):
    mean = frames[column * step : (column + 1) * step].mean(axis=0)
    np.testing.assert_allclose(values, mean)


@given(st.floats(0.5, 400_000))
def test_strips_are_few_and_the_last_is_no_sliver(seconds):
  length = strip_seconds(seconds)
  count = np.ceil(seconds / length - 1e-6)
  assert 1 <= count <= 8
  assert count == 1 or seconds - (count - 1) * length > 0.1 * length


def test_a_short_sound_fills_its_picture():
  assert strip_seconds(3.3) == 3.3
  assert strip_seconds(9.9) == 9.9


@pytest.mark.parametrize('seconds', [0.97, 3.3, 1204.6, 3600.0])
def test_pictures_of_any_length_hold_all_names(seconds, tmp_path):
  figure = draw_timeline(timeline(seconds))
  style.save(figure, tmp_path / 'picture.png')
  texts = [label.get_text() for axes in figure.axes for label in axes.get_yticklabels()]
  assert 'Dog' in texts
  assert '$Rain$ <b>&' in texts
  box = figure.bbox
  renderer = figure.canvas.get_renderer()
  for axes in figure.axes:
    start, end = axes.get_xlim()
    shown = [
      text for text in axes.get_xticklabels() if start <= text.get_position()[0] <= end
    ]
    for label in (*shown, *axes.get_yticklabels()):
      extent = label.get_window_extent(renderer)
      assert box.x0 <= extent.x0
      assert extent.x1 <= box.x1
  with Image.open(tmp_path / 'picture.png') as picture:
    assert max(picture.size) < 10_000


@pytest.fixture
def page(tmp_path):
  sound, path = tmp_path / 'sound.wav', tmp_path / 'page.html'
  tone = 0.3 * np.sin(2 * np.pi * 440 * np.arange(20 * 16_000) / 16_000)
  soundfile.write(sound, tone, 16_000)
  write_timeline_page(timeline(20.0), str(path), str(sound))
  return path


def test_the_page_holds_its_sound_and_nothing_else_is_left(page):
  data = json.loads(re.search(r'const data = (.*);\n', page.read_text())[1])
  assert data['audio'].startswith('data:audio/mpeg;base64,')
  assert data['classes'][2]['name'] == '$Rain$ <b>&'
  assert data['events'] == [[0, 10.08, 11.52]]
  assert sorted(file.name for file in page.parent.iterdir()) == [
    'page.html',
    'sound.wav',
  ]


def test_long_sounds_lie_beside_their_page(tmp_path, monkeypatch):
  monkeypatch.setattr('audioset_ml.reporting.timeline_page._EMBEDDED_BYTES', 1000)
  soundfile.write(tmp_path / 'sound.wav', np.zeros(160_000), 16_000)
  page = tmp_path / 'my page.html'
  write_timeline_page(timeline(10.0), str(page), str(tmp_path / 'sound.wav'))
  assert '"audio": "my%20page.html.mp3"' in page.read_text()
  beside = tmp_path / 'my page.html.mp3'
  assert soundfile.info(beside).duration == pytest.approx(10, abs=0.2)


@pytest.mark.parametrize('embedded', [True, False])
def test_recordings_beside_a_page_stay(tmp_path, monkeypatch, embedded):
  """That which it shows too, and whatever their names."""
  if not embedded:
    monkeypatch.setattr('audioset_ml.reporting.timeline_page._EMBEDDED_BYTES', 1000)
  for name in ('sound.mp3', 'other.mp3'):
    noise = np.random.default_rng(0).normal(0, 0.1, 160_000)
    soundfile.write(tmp_path / name, noise, 16_000)
  before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
  for page in ('sound.html', 'other.html'):
    path = str(tmp_path / page)
    write_timeline_page(timeline(10.0), path, str(tmp_path / 'sound.mp3'))
  for name, content in before.items():
    assert (tmp_path / name).read_bytes() == content


@pytest.mark.optional
@pytest.mark.parametrize('width', [1280, 360])
def test_the_page_in_a_browser(page, tmp_path, width):
  with chromium(tmp_path, width=width) as browser:
    browser.get(page.as_uri())
    run = browser.execute_script
    assert run('return document.documentElement.scrollWidth') <= width
    assert run('return document.getElementById("title").textContent') == 'sound <1>.wav'
    assert '0:00.0 to 0:20.0' in run(
      'return document.getElementById("span").textContent'
    )
    # A pixel of the event's bar, and one before it, in the row of the first class.
    pixel = (
      'const ratio = devicePixelRatio, y = (AXIS + SPECTROGRAM + ROW - 5) * ratio;'
      'return [...pen.getImageData(arguments[0] * scale * ratio, y, 1, 1).data]'
    )
    assert run(pixel, 10.8) != run(pixel, 5.0)
    run('document.querySelector(".events button").click()')
    assert run('return audio.currentTime') == pytest.approx(10.08, abs=0.3)
    run('document.getElementById("in").click()')
    run('document.getElementById("in").click()')
    assert run('return scroller.scrollWidth') > 2 * width
    assert run('return document.documentElement.scrollWidth') <= width
    run('document.getElementById("whole").click()')
    assert '0:00.0 to 0:20.0' in run(
      'return document.getElementById("span").textContent'
    )
    # A phone that is turned shows the whole sound still.
    run('scroller.style.width = "200px"; window.onresize()')
    assert '0:00.0 to 0:20.0' in run(
      'return document.getElementById("span").textContent'
    )


def test_the_best_classes_of_a_sound_are_shown(tmp_path):
  sound = tmp_path / 'sound.wav'
  soundfile.write(sound, np.zeros(80_000), 16_000)
  scores = np.array([[0.1, 0.8, 0.0], [0.2, 0.9, 0.0], [0.6, 0.1, 0.0]], np.float32)
  output = Timelines(
    path=f'{tmp_path}/{{}}.html',
    class_map=ClassMap(('/m/a', '/m/b', '/m/c'), NAMES),
    front_end=FrontEnd(),
    thresholds=np.full(3, 0.45),
    config=EventConfig(),
    number=2,
    pooling='max',
  )
  tags = FileTags(str(sound), hop_seconds=0.48, window_seconds=0.96)
  block = ScoredBlock(0, scores, scores, np.zeros((192, 64), np.float32), 1.92, True)
  tags.add(block)
  output.add(block)
  output.finish(tags)
  output.close()
  text = (tmp_path / 'sound.html').read_text()
  data = json.loads(re.search(r'const data = (.*);\n', text)[1])
  assert [row['name'] for row in data['classes']] == [NAMES[1], NAMES[0]]
  # Cells: class 1 .8 .85 .5 .1, class 0 .1 .15 .4 .6
  assert data['events'] == [[0, 0.0, 1.44], [1, 1.44, 1.92]]
  assert data['pictureSeconds'] == pytest.approx(1.92)
