"""The page of evaluations: made by the stage, looked at in a browser."""

import dataclasses
import json
import re

import numpy as np
import pytest

from audioset_ml.core.errors import InputError
from audioset_ml.evaluation import bootstrap, files
from audioset_ml.evaluation.comparison import compare
from audioset_ml.evaluation.evaluate_config import Resampling
from audioset_ml.evaluation.weak import evaluate_weak
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.labels.states import LabelState, LabelTable
from audioset_ml.reporting import evaluation_report as report
from audioset_ml.reporting import report_summary
from audioset_ml.reporting.class_data import comparison_data
from tests.browser import chromium
from tests.stages import run_stage, run_stage_ok

CLASSES = ClassMap(
  tuple(f'/m/{index}' for index in range(7)),
  ('Dog', 'Cat', '</script>&"', 'Rain $\\frac$', 'Siren', 'Bell', 'Unheard'),
)

# What selenium calls By.TAG_NAME, By.CSS_SELECTOR, Keys.ENTER; not all have it.
TAG, CSS, ENTER = 'tag name', 'css selector', '\ue007'


def write_evaluation(folder, seed, gain, clips=60):
  """An `evaluate` folder of made-up scores; the same labels for every seed."""
  labels = np.random.default_rng(0).random((clips, 7))
  states = np.where(labels < 0.3, LabelState.EXPLICIT_POSITIVE, 0)
  states[labels > 0.7] = LabelState.EXPLICIT_NEGATIVE
  states[:, 6] = 0
  present = states == LabelState.EXPLICIT_POSITIVE
  rows, classes = np.nonzero(states)
  table = LabelTable(
    tuple(f'c{row}_0' for row in range(clips)), 7, rows, classes, states[rows, classes]
  )
  scores = np.random.default_rng(1).random((clips, 7)) * 0.5 + gain * present
  scores += 0.05 * np.random.default_rng(seed).random((clips, 7))
  weights = bootstrap.clip_weights(clips, 60, 0)
  found = {'weak': evaluate_weak(scores, table, CLASSES, weights)}
  model = files.assemble(folder, found, table.clip_ids, Resampling(60, 0))
  model.metrics['clips'] |= {'lost': 2, 'clip_list': None}
  folder.mkdir(parents=True)
  files.write_evaluation(model)
  run = {'stage': 'evaluate', 'finished': '2026-01-01', 'version': '0.1'}
  (folder / 'run.json').write_text(json.dumps(run))
  return folder


@pytest.fixture(scope='module')
def evaluations(tmp_path_factory):
  folder = tmp_path_factory.mktemp('evaluations')
  return [
    write_evaluation(folder / 'plain', seed=2, gain=0.1),
    write_evaluation(folder / 'masked', seed=3, gain=0.4),
  ]


@pytest.fixture(scope='module')
def page(evaluations, tmp_path_factory):
  """The page that the stage makes of two evaluations."""
  output = tmp_path_factory.mktemp('report') / 'report.html'
  names = ','.join(map(str, evaluations))
  printed = run_stage_ok(
    'report', f'--evaluation={names}', f'--output={output}', '--title=A <b>title'
  )
  assert '2 evaluations, 7 classes' in printed
  return output


def test_the_page_needs_nothing_from_elsewhere(page):
  text = page.read_text()
  addresses = re.findall(r'(?:src|href)="(?!#)([^"]*)"', text)
  assert addresses == []
  assert '"__DATA__"' not in text
  assert text.count('</script>') == 1


def rows_of(table):
  return [
    [cell.text for cell in row.find_elements(TAG, 'td')]
    for row in table.find_elements(CSS, 'tbody tr')
  ]


@pytest.mark.optional
def test_tables_sort_and_filter(page, evaluations, tmp_path):
  models = report.read_models(list(map(str, evaluations)))
  with chromium(tmp_path) as window:
    window.get(page.as_uri())
    assert window.find_element(TAG, 'h1').text == 'A <b>title'
    tables = window.find_elements(TAG, 'table')
    for row, (name, model) in zip(rows_of(tables[0]), models.items(), strict=True):
      assert row[0] == name
      low, high = model.metrics['intervals']['weak']['d_prime']
      value = model.metrics['weak']['d_prime']
      assert row[1].split('\n') == [f'{value:.3f}', f'{low:.3f} … {high:.3f}']
    expected = models['masked'].per_class['lwlrap'].tolist()[:6]
    header = tables[-1].find_elements(CSS, 'th button')
    assert [one.text for one in header][:4] == ['class', 'positives', 'plain', 'masked']
    header[3].click()
    shown = [row[3].split('\n')[0] for row in rows_of(tables[-1])]
    assert shown == [f'{one:.3f}' for one in sorted(expected, reverse=True)] + ['–']
    header[3].send_keys(ENTER)
    shown = [row[3].split('\n')[0] for row in rows_of(tables[-1])]
    assert shown == [f'{one:.3f}' for one in sorted(expected)] + ['–']
    header[0].click()
    names = [row[0] for row in rows_of(tables[-1])]
    assert names[1:] == sorted(names[1:])
    assert '</script>&"' in names
    window.find_element(CSS, 'input').send_keys('DOG')
    found = rows_of(window.find_elements(TAG, 'table')[-1])
    assert [row[0] for row in found] == ['Dog']
    choice = window.find_element(TAG, 'select')
    choice.find_element(CSS, 'option[value=average_precision]').click()
    found = rows_of(window.find_elements(TAG, 'table')[-1])
    value = models['plain'].per_class['average_precision'][0]
    assert found[0][2].split('\n')[0] == f'{value:.3f}'


@pytest.mark.optional
def test_clear_differences_are_marked(page, tmp_path):
  with chromium(tmp_path) as window:
    window.get(page.as_uri())
    headings = [one.text for one in window.find_elements(CSS, 'h2, h3')]
    assert 'Against plain' in headings
    differences = next(
      table
      for table in window.find_elements(TAG, 'table')
      if table.get_attribute('aria-label') == 'Differences'
    )
    rows = {row[0]: row[1:] for row in rows_of(differences)}
    assert '▲' in rows['lωlrap'][0]
    assert rows['lωlrap'][1:] == ['6', '0', '6']  # clearly better, clearly worse, of
    contents = window.find_elements(CSS, 'nav a')
    parts = [one.text for one in window.find_elements(TAG, 'h2')]
    assert [one.text for one in contents] == parts
    contents[-1].click()
    assert window.execute_script('return scrollY') > 0


def test_the_page_says_what_came_out(evaluations):
  plain, masked = report.read_models([str(path) for path in evaluations]).values()

  def said(**models):
    baseline, *others = models
    compared = {name: compare(models[baseline], models[name]) for name in others}
    return report_summary.sentences(models, compared, baseline)

  assert said(plain=plain)[0].startswith('lωlrap 0.')
  first, better = said(plain=plain, masked=masked)
  assert first.startswith('plain: lωlrap 0.')
  assert better.startswith('masked is clearly better than plain: lωlrap +0.')
  worse = said(masked=masked, plain=plain)[1]
  assert worse.startswith('plain is clearly worse than masked: lωlrap −0.')
  same = said(plain=plain, again=plain)[1]
  assert same.startswith(
    'again is neither clearly better nor clearly worse than plain:'
  )


def test_classes_are_listed_where_they_clearly_differ(evaluations, tmp_path):
  near = write_evaluation(tmp_path / 'near', seed=5, gain=0.08)
  plain, masked, near = report.read_models(
    [*map(str, evaluations), str(near)], ('plain', 'masked', 'near')
  ).values()
  data = comparison_data('masked', compare(plain, masked))
  assert data['clear'] == {'improved': 6, 'worsened': 0, 'classes': 6}
  assert len(data['improved']) == 6
  assert data['worsened'] == []
  found = compare(plain, near)
  data = comparison_data('near', found)
  for kind, sign in (('improved', 1), ('worsened', -1)):
    for row in data[kind]:
      assert min(sign * row['low'], sign * row['high']) > 0
  by_difference = dataclasses.replace(
    found, per_class=found.per_class.drop(columns=['lwlrap_low', 'lwlrap_high'])
  )
  data = comparison_data('near', by_difference)
  assert data['clear'] is None
  differ = np.nan_to_num(found.per_class['lwlrap_difference'])
  assert len(data['improved']) == (differ > 0).sum()
  assert len(data['worsened']) == (differ < 0).sum() > 0


@pytest.mark.parametrize(('width', 'scheme'), [(1200, 'light'), (390, 'dark')])
@pytest.mark.optional
def test_the_page_fits_and_can_be_read(page, tmp_path, width, scheme):
  with chromium(tmp_path, width=width) as window:
    features = [{'name': 'prefers-color-scheme', 'value': scheme}]
    window.execute_cdp_cmd('Emulation.setEmulatedMedia', {'features': features})
    window.get(page.as_uri())
    script = 'return document.documentElement.scrollWidth - innerWidth'
    assert window.execute_script(script) <= 0
    colors = window.execute_script("""
      const root = getComputedStyle(document.body);
      const tick = document.querySelector('figure svg g[id^=text] use');
      return [root.backgroundColor, root.color, getComputedStyle(tick).fill];""")
    background, text, tick = (sum(map(int, re.findall(r'\d+', c)[:3])) for c in colors)
    assert tick == text
    assert abs(text - background) > 400
    assert (background < 200) == (scheme == 'dark')


def test_evaluations_of_other_clips_are_shown_but_not_compared(evaluations, tmp_path):
  other = write_evaluation(tmp_path / 'fewer', seed=2, gain=0.1, clips=40)
  models = report.read_models([str(evaluations[0]), str(other)])
  output = tmp_path / 'report.html'
  report.write_report(models, report.ReportConfig(baseline='plain'), output)
  assert 'are of other clips' in output.read_text()


@pytest.mark.parametrize(
  ('names', 'baseline', 'message'),
  [
    (['one'], '', '1 name for 2 evaluations'),
    (['one', 'one'], '', "'one' names two evaluations"),
    (['one', 'two'], 'three', "the baseline 'three' is none of one, two"),
  ],
)
def test_wrong_names_are_errors(evaluations, tmp_path, names, baseline, message):
  with pytest.raises(InputError, match=message):
    report.write_report(
      report.read_models(list(map(str, evaluations)), names),
      report.ReportConfig(baseline=baseline),
      tmp_path / 'report.html',
    )


def test_flags_that_are_no_text_are_told(tmp_path):
  folder = write_evaluation(tmp_path / 'evaluation', seed=1, gain=0.1, clips=20)
  (folder / 'flags.txt').write_bytes(b'--records=\xff\n')
  models = report.read_models([str(folder)])
  with pytest.raises(InputError, match=r'flags\.txt: cannot be read'):
    report.write_report(models, report.ReportConfig(), tmp_path / 'report.html')


def test_names_tell_folders_apart(tmp_path):
  for parent in ('a', 'b'):
    write_evaluation(tmp_path / parent / 'evaluation', seed=1, gain=0.1, clips=20)
  paths = [str(tmp_path / parent / 'evaluation') for parent in ('a', 'b')]
  assert list(report.read_models(paths)) == ['a/evaluation', 'b/evaluation']


@pytest.mark.parametrize(
  ('evaluation', 'output', 'message'),
  [
    ('absent', 'report.html', 'error: absent: no such folder; `evaluate` writes it'),
    ('absent', 'nowhere/report.html', 'there is no folder nowhere'),
    ('absent', 'list.txt', 'a page must end in .html'),
  ],
)
def test_what_can_not_be_done_is_one_line(tmp_path, evaluation, output, message):
  done = run_stage(
    'report', f'--evaluation={evaluation}', f'--output={output}', folder=tmp_path
  )
  assert done.returncode == 1
  assert message in done.stderr
  assert len(done.stderr.strip().splitlines()) == 1
