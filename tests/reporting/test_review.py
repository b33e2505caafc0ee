"""The review page: made by the stage, used in a browser, fed back to `prepare`."""

import dataclasses
import json
import re
import shutil
import time

import numpy as np
import pandas as pd
import pytest

from audioset_ml.audio.front_end import FrontEnd
from audioset_ml.core import hashing
from audioset_ml.core.errors import InputError
from audioset_ml.labels import formats
from audioset_ml.labels.states import LabelState
from audioset_ml.missing_labels.enhance import write_label_sets
from audioset_ml.missing_labels.rules import build_rule
from audioset_ml.records.dataset import read_label_table
from audioset_ml.records.folder import RecordsFolder
from audioset_ml.records.scores import ClipScores, write_scores
from audioset_ml.reporting.review import loudest_patch, video_address
from tests.browser import chromium
from tests.conftest import prepare_flags
from tests.stages import run_stage, run_stage_ok


def labels_only(data, records, output, explicit_tsv=''):
  """Joins the small data's labels anew, with these explicit ones."""
  apart = ('--audio_dir', '--clips_per_shard', '--explicit_tsv')
  flags = [flag for flag in prepare_flags(data) if not flag.startswith(apart)]
  run_stage_ok(
    'prepare',
    *(*flags, '--labels_only', f'--records={records}', f'--output_dir={output}'),
    f'--explicit_tsv={explicit_tsv}',
    '--drop_labels=explicit',
  )
  return output


@pytest.fixture(scope='module')
def plain_records(small_records, small_data, tmp_path_factory):
  """Records without explicit negatives: what is not listed is implicit."""
  folder = tmp_path_factory.mktemp('plain') / 'records'
  return labels_only(small_data, small_records, folder)


@pytest.fixture(scope='module')
def flagged(plain_records, tmp_path_factory):
  """Scores with planted order, and a label set of them; their folder."""
  folder = tmp_path_factory.mktemp('flagged')
  records = RecordsFolder.open(plain_records)
  random = np.random.default_rng(0)
  values = random.random((len(records.clip_ids), 3)).astype(np.float32)
  scores = ClipScores('', records.clip_ids, records.class_map, values)
  (folder / 'scores').mkdir()
  write_scores(folder / 'scores', scores)
  # Three patches a clip, of which the second scores highest.
  patches = np.repeat(values, 3, axis=0).astype(np.float16)
  patches[1::3] += 0.1
  np.save(folder / 'scores' / 'patch_scores.npy', patches)
  np.save(folder / 'scores' / 'patch_offsets.npy', np.arange(0, len(patches) + 1, 3))
  run_json = {'stage': 'score', **records.frames.to_run()}
  (folder / 'scores' / 'run.json').write_text(json.dumps(run_json))
  write_label_sets(
    values,
    read_label_table(records),
    records.class_map,
    build_rule('percent', ['60']),
    folder,
  )
  return folder


def page_flags(flagged, records, data, output, *more):
  return (
    f'--label_set={flagged}/discard_60',
    f'--scores={flagged}/scores',
    f'--records={records}',
    f'--audio_dir={data}/audio',
    f'--output={output}',
    *more,
  )


@pytest.fixture(scope='module')
def page(flagged, plain_records, small_data, tmp_path_factory):
  output = tmp_path_factory.mktemp('page') / 'review.html'
  printed = run_stage_ok(
    'review', *page_flags(flagged, plain_records, small_data, output)
  )
  assert 'labels of 3 classes to decide on' in printed
  return output


def data_of(page):
  text = page.read_text()
  return json.loads(re.search(r'^const data = (.*);$', text, re.MULTILINE).group(1))


def test_the_page_holds_the_top_scored_flagged_labels(page, flagged, plain_records):
  records = RecordsFolder.open(plain_records)
  values = np.load(flagged / 'scores' / 'scores.npy')
  states = read_label_table(records).dense()
  data = data_of(page)
  assert sorted(one['mid'] for one in data['classes']) == sorted(records.class_map.mids)
  for one in data['classes']:
    index = records.class_map.index_of[one['mid']]
    assert one['flagged'] == len(one['items']) > 0
    found = [item['score'] for item in one['items']]
    assert found == sorted(found, reverse=True)
    for item in one['items']:
      row = records.clip_ids.index(item['clip'])
      assert states[row, index] == LabelState.IMPLICIT_NEGATIVE
      assert item['score'] == pytest.approx(values[row, index], abs=1e-4)
      assert item['peak'] == 0.48
  for clip_id, clip in data['clips'].items():
    assert clip['picture'].startswith('data:image/webp;base64,')
    sound = page.parent / clip['audio']
    assert sound.name == f'{clip_id}.mp3'
    assert sound.stat().st_size > 5000
    assert clip['labels']


def test_events_are_decided_on_like_flagged_labels(
  plain_records, small_data, tmp_path, run_without_tensorflow
):
  """Those of a strong TSV, as `tag --events` writes; what is labelled is left out."""
  records = RecordsFolder.open(plain_records)
  states = read_label_table(records).dense()
  clips = [row for row in range(12) if states[row, 2] == LabelState.IMPLICIT_NEGATIVE]
  known = next(row for row in range(12) if states[row, 2] != 0)
  rows = [(records.clip_ids[row], 0.1, 0.5, '/m/high') for row in (*clips, known)]
  # By its recording's name, as `tag` has it.
  recording = records.clip_ids[clips[1]].rpartition('_')[0]
  rows.append((recording, 0.7, 1.9, '/m/high'))
  rows.append(('another_clip', 0.0, 1.0, '/m/high'))
  path, output = tmp_path / 'events.tsv', tmp_path / 'review.html'
  formats.write_strong_tsv(path, pd.DataFrame(rows, columns=formats.STRONG_COLUMNS))
  shared = [f'--records={plain_records}', f'--audio_dir={small_data}/audio']
  shared += [f'--output={output}']
  run_stage_ok('review', f'--events={path}', *shared)
  assert data_of(output)['title'] == 'Events'
  (one,) = data_of(output)['classes']
  assert one['mid'] == '/m/high'
  assert one['items'][0] == {'clip': records.clip_ids[clips[1]], 'event': 0.7}
  found = sorted(item['clip'] for item in one['items'])
  assert found == sorted(records.clip_ids[row] for row in clips)
  done = run_without_tensorflow(tmp_path, 'review', '--scores=x', *shared)
  assert done.errors == [
    'error: give --label_set and --scores, or --events; --help explains the flags'
  ]


def wait_for(condition, seconds=10):
  deadline = time.monotonic() + seconds
  while not condition():
    assert time.monotonic() < deadline, 'it did not happen'
    time.sleep(0.05)


def press(browser, *keys):
  from selenium.webdriver import ActionChains

  for key in keys:
    ActionChains(browser).send_keys(key).perform()


@pytest.mark.optional
def test_deciding_by_keys_alone_and_feeding_it_back(
  page, plain_records, small_data, tmp_path
):
  data = data_of(page)
  one = data['classes'][0]
  first, second, third = (item['clip'] for item in one['items'][:3])

  def status():
    return browser.execute_script(
      "return document.getElementById('status').textContent"
    )

  def current():
    return browser.execute_script('return cards[current].item.clip')

  with chromium(tmp_path) as browser:
    browser.get(page.as_uri())
    assert current() == first
    press(browser, ' ')
    wait_for(lambda: browser.execute_script('return player.currentTime') > 0.2)
    press(browser, ' ')
    assert browser.execute_script('return player.paused')
    press(browser, 'r')
    wait_for(lambda: not browser.execute_script('return player.paused'))
    press(browser, 't')
    assert 0.4 < browser.execute_script('return player.currentTime') < 1.5
    hold(browser, 'p')
    assert current() == second  # goes on by itself, by one
    assert status().startswith('1 of')
    press(browser, 'n', 'u')
    assert status().startswith(f'3 of {len(one["items"])} of this class decided, 3 of')
    press(browser, 'k', '\ue003')  # one back: the unsure one is open again
    assert current() == third
    assert status().startswith('2 of')
    press(browser, 'u', ']', '[')
    browser.refresh()
    assert status().startswith('3 of')  # kept
    if len(one['items']) > 3:
      assert current() == one['items'][3]['clip']  # the first that is open
    press(browser, 's')
    saved = tmp_path / 'review.tsv'
    wait_for(saved.exists)
  lines = saved.read_text().splitlines()
  said = {first: 'PRESENT', second: 'NOT_PRESENT', third: 'UNSURE'}
  expected = [f'{clip}\t{one["mid"]}\t{state}' for clip, state in said.items()]
  assert lines == ['segment_id\tlabel\tpresent', *sorted(expected)]
  out = labels_only(small_data, plain_records, tmp_path / 'reviewed', saved)
  records = RecordsFolder.open(out)
  states = read_label_table(records).dense()[:, records.class_map.index_of[one['mid']]]
  of = dict(zip(records.clip_ids, states.tolist(), strict=True))
  assert of[first] == LabelState.EXPLICIT_POSITIVE
  assert of[second] == LabelState.EXPLICIT_NEGATIVE
  assert of[third] == LabelState.UNSURE


def hold(browser, key):
  """A key that is held down for a while."""
  for number in range(8):
    event = {'type': 'keyDown', 'text': key, 'key': key, 'autoRepeat': number > 0}
    browser.execute_cdp_cmd('Input.dispatchKeyEvent', event)
  browser.execute_cdp_cmd('Input.dispatchKeyEvent', {'type': 'keyUp', 'key': key})


@pytest.mark.optional
def test_keys_after_the_last_label_of_a_class_decide_nothing(page, tmp_path):
  items = data_of(page)['classes'][0]['items']
  with chromium(tmp_path) as browser:
    browser.get(page.as_uri())
    press(browser, *('p' for _ in items))
    assert 'this class is done' in browser.find_element('id', 'status').text
    press(browser, 'n', 'u', ' ')
    found = browser.execute_script('return Object.values(decisions)')
    assert found == ['P'] * len(items)
    press(browser, 'k', 'n')  # until one is chosen again
    found = browser.execute_script('return Object.values(decisions)')
    assert sorted(found) == ['N', *['P'] * (len(items) - 1)]


@pytest.mark.optional
def test_two_windows_keep_each_others_decisions(page, tmp_path):
  with chromium(tmp_path) as browser:
    browser.get(page.as_uri())
    press(browser, 'p')
    first = browser.current_window_handle
    browser.switch_to.new_window('tab')
    browser.get(page.as_uri())
    press(browser, 'n')
    browser.switch_to.window(first)
    wait_for(lambda: len(browser.execute_script('return Object.keys(decisions)')) == 2)
    press(browser, 'j', 'u')
    browser.refresh()
    assert len(browser.execute_script('return Object.keys(decisions)')) == 3


@pytest.mark.optional
def test_a_saved_file_can_be_loaded_elsewhere(page, tmp_path):
  one = data_of(page)['classes'][0]
  saved = tmp_path / 'review.tsv'
  clips = sorted(item['clip'] for item in one['items'][:2])
  rows = [f'{clips[0]}\t{one["mid"]}\tNOT_PRESENT', f'{clips[1]}\t{one["mid"]}\tUNSURE']
  saved.write_text('\n'.join(['segment_id\tlabel\tpresent', *rows, '']))
  with chromium(tmp_path) as browser:
    browser.get(page.as_uri())
    browser.find_element('id', 'file').send_keys(str(saved))
    wait_for(lambda: '2 decisions taken over' in browser.page_source)
    assert browser.execute_script('return tsv()') == saved.read_text()
    saved.write_text('clip\tlabel\n')
    browser.find_element('id', 'file').send_keys(str(saved))
    wait_for(lambda: 'does not start with the row' in browser.page_source)


@pytest.mark.parametrize('width', [1280, 360])
@pytest.mark.optional
def test_nothing_is_cut_off_at_any_width(page, tmp_path, width):
  with chromium(tmp_path, width) as browser:
    browser.get(page.as_uri())
    wide = browser.execute_script('return document.documentElement.scrollWidth')
    assert wide <= width
    press(browser, 'j', 'j', 'k')
    covered = browser.execute_script(
      "return document.querySelector('header').getBoundingClientRect().bottom"
      " - document.querySelector('.current').getBoundingClientRect().top"
    )
    assert covered <= 0  # the header hides nothing of what is decided on
    names = browser.execute_script(
      "return [...document.querySelectorAll('button, select, input')]"
      '.filter((one) => one.offsetParent && !(one.textContent || one.labels?.length'
      ' || one.title || one.ariaLabel)).length'
    )
    assert names == 0  # every control says what it is


@pytest.mark.optional
def test_sounds_can_be_in_the_page_itself(flagged, plain_records, small_data, tmp_path):
  output = tmp_path / 'all.html'
  flags = ('--embed_audio', '--class=High', '--clips_per_class=2')
  run_stage_ok(
    'review', *page_flags(flagged, plain_records, small_data, output, *flags)
  )
  assert [path.name for path in tmp_path.iterdir()] == ['all.html']
  data = data_of(output)
  assert [one['name'] for one in data['classes']] == ['High']
  assert len(data['clips']) == 2
  with chromium(tmp_path) as browser:
    browser.get(output.as_uri())
    press(browser, ' ')
    wait_for(lambda: browser.execute_script('return player.currentTime') > 0.2)


def test_without_sounds_the_page_links_to_the_videos(flagged, plain_records, tmp_path):
  output = tmp_path / 'silent.html'
  flags = page_flags(flagged, plain_records, tmp_path, output)
  printed = run_stage_ok(
    'review', *[flag for flag in flags if not flag.startswith('--audio_dir')]
  )
  assert 'to decide on; no sounds of ' in printed
  assert [path.name for path in tmp_path.iterdir()] == ['silent.html']
  clips = data_of(output)['clips']
  for clip_id, clip in clips.items():
    name, start = clip_id.rsplit('_', 1)
    assert clip['audio'] is None
    assert clip['video'] == (
      f'https://www.youtube.com/watch?v={name}&t={int(start) // 1000}s'
    )
  assert video_address('not-a-youtube-id_0') is None


@pytest.mark.optional
def test_a_page_without_sounds_is_decided_on_all_the_same(
  flagged, plain_records, tmp_path
):
  output = tmp_path / 'silent.html'
  flags = page_flags(flagged, plain_records, tmp_path, output)
  run_stage_ok(
    'review', *[flag for flag in flags if not flag.startswith('--audio_dir')]
  )
  with chromium(tmp_path) as browser:
    browser.get(output.as_uri())
    links = browser.find_elements('link text', 'the video')
    assert links
    press(browser, ' ')
    press(browser, 'p')
    assert browser.execute_script('return Object.keys(decisions).length') == 1
    assert browser.execute_script('return player.src') == ''


def test_the_loudest_patch_is_found():
  front_end = FrontEnd()
  log_mel = np.full((300, 64), -6.0)
  log_mel[150:190] = 1.0
  start = loudest_patch(log_mel, front_end)
  assert start <= 1.5 <= 1.9 <= start + 0.96


@pytest.mark.slow
@pytest.mark.parametrize(
  ('changes', 'message'),
  [
    (['--label_set={flagged}'], 'it holds the label sets discard_60: name one'),
    (['--class=Siren'], "'Siren' is neither the mid nor the name"),
    (['--audio_dir={empty}'], 'has no sound of'),
    (['--output=/nowhere/review.html'], 'there is no folder /nowhere'),
    (['--scores=absent'], 'absent: no such folder'),
  ],
)
def test_wrong_input_is_one_clear_line(
  changes, message, flagged, plain_records, small_data, tmp_path
):
  (tmp_path / 'empty').mkdir()
  places = {'flagged': flagged, 'empty': tmp_path / 'empty'}
  done = run_stage(
    'review',
    *page_flags(flagged, plain_records, small_data, tmp_path / 'review.html'),
    *[change.format(**places) for change in changes],
  )
  assert done.returncode == 1
  assert message in done.stderr
  assert 'Traceback' not in done.stderr


@pytest.mark.optional
def test_a_text_cannot_break_the_page(flagged, plain_records, small_data, tmp_path):
  """A class name that would end the script."""
  records = tmp_path / 'records'
  shutil.copytree(plain_records, records)
  for file in (
    records / 'class_map.csv',
    *(shutil.copytree(flagged, tmp_path / 'flagged')).rglob('class_map.csv'),
  ):
    file.write_text(file.read_text().replace('High', '</script><b>High'))
  for file in (tmp_path / 'flagged').rglob('label_set.json'):
    digest = hashing.file_digest(file.with_name('class_map.csv'))
    content = json.loads(file.read_text()) | {'class_map_sha256': digest}
    file.write_text(json.dumps(content))
  output = tmp_path / 'review.html'
  run_stage_ok('review', *page_flags(tmp_path / 'flagged', records, small_data, output))
  with chromium(tmp_path) as browser:
    browser.get(output.as_uri())
    assert (
      '</script><b>High?'
      in [
        heading.text for heading in browser.find_elements('css selector', 'option, h2')
      ]
      or '</script><b>High' in browser.find_element('id', 'classes').text
    )


def test_other_clips_are_refused(flagged, plain_records):
  from audioset_ml.labels.label_set import LabelSet
  from audioset_ml.records.scores import read_scores
  from audioset_ml.reporting.review_inputs import ReviewInputs

  records = RecordsFolder.open(plain_records)
  label_set = LabelSet.read(flagged / 'discard_60')
  other = LabelSet('x', label_set.clip_ids[1:], label_set.class_map, label_set.packed)
  scores = read_scores(flagged / 'scores')
  theirs = {'scores': 'the fingerprint of others'}
  theirs = dataclasses.replace(label_set, description=theirs)
  with pytest.raises(InputError, match='was made of other scores'):
    ReviewInputs(theirs, scores, None, records, '')
  with pytest.raises(InputError, match='x: is of other clips'):
    ReviewInputs(other, scores, None, records, '')
