"""MODEL_CARD.md, which `export` writes: facts of folders, and what isn't known."""

import json
import re
import shutil

import pytest

from audioset_ml.core.errors import InputError
from audioset_ml.model_cards import citations
from audioset_ml.model_cards.card import CARD_FILE, CardConfig, ModelCard
from audioset_ml.records.folder import RecordsFolder
from tests.integration.test_score import write_model
from tests.small_data import CLASS_MAP
from tests.stages import ROOT, run_stage, run_stage_ok

yaml = pytest.importorskip('yaml')

TRAIN = (
  *('train', '--records=records', '--architecture=mobilenet_v1_tiny'),
  *('--width_multiplier=0.1', '--steps=2', '--batch_size=4'),
)
EVALUATE = ('evaluate', '--records=records', '--nofigures', '--bootstrap=20')
EXPORT = ('export', '--formats=keras')


@pytest.fixture(scope='module')
def project(small_records, tmp_path_factory):
  """A chain of stages in a folder, by relative paths, as people have it."""
  root = tmp_path_factory.mktemp('somebodys_home') / 'project'
  shutil.copytree(small_records, root / 'records')
  for stage, *flags in (
    (*TRAIN, '--output_dir=teacher'),
    ('score', '--records=records', '--model=teacher', '--output_dir=scores'),
    (
      *('enhance', '--records=records', '--scores=scores'),
      *('--discard_percent=40', '--output_dir=label_sets'),
    ),
    (
      *(*TRAIN, '--init_from=teacher', '--label_set=label_sets/discard_40'),
      *('--output_dir=student',),
    ),
    (*EVALUATE, '--model=student', '--output_dir=evaluation'),
    (*EVALUATE, '--scores=scores', '--output_dir=teachers_evaluation'),
  ):
    run_stage_ok(stage, *flags, folder=root)
  return root


@pytest.fixture(scope='module')
def card(project):
  """The student's card."""
  flags = ('--model=student', '--evaluation=evaluation', '--output_dir=exported')
  run_stage_ok(*EXPORT, *flags, folder=project)
  return (project / 'exported' / CARD_FILE).read_text()


def head_of(card):
  _, head, _ = card.split('---\n', 2)
  return yaml.safe_load(head)


def test_metrics_are_those_of_the_evaluation(project, card):
  metrics = json.loads((project / 'evaluation/metrics.json').read_text())
  head = head_of(card)
  assert head['pipeline_tag'] == 'audio-classification'
  (model,) = head['model-index']
  assert model['name'] == 'student'
  (result,) = model['results']
  assert result['dataset']['name'] == 'records'
  found = {one['type']: one['value'] for one in result['metrics']}
  assert set(found) == set(head['metrics'])
  for name in ('d_prime', 'lwlrap', 'map'):
    assert found[name] == pytest.approx(metrics['weak'][name], abs=1e-4)
    low, high = metrics['intervals']['weak'][name]
    value = f'{metrics["weak"][name]:.3f}'
    assert f'| {value} | {low:.3f} to {high:.3f} |' in card
  assert found['strong_lwlrap'] == pytest.approx(metrics['strong']['lwlrap'], abs=1e-4)
  # What is undefined is no number anywhere.
  assert metrics['strong']['d_prime'] is None
  assert 'strong_d_prime' not in found
  assert '| undefined |' in card


def test_data_are_those_of_the_records_and_the_label_set(project, card):
  run_json = json.loads((project / 'records/run.json').read_text())
  counts = run_json['counts']
  assert f'{counts["explicit_positives"]} present, ' in card
  assert f'{counts["explicit_negatives"]} refuted, ' in card
  assert f'{counts["strong_events"]} events in time' in card
  for mid, name in zip(CLASS_MAP.mids, CLASS_MAP.names, strict=True):
    row = run_json['class_counts'][mid]
    kinds = ('explicit_positives', 'explicit_negatives', 'clips_with_events')
    assert f'| {name} | {" | ".join(str(row[kind]) for kind in kinds)} |' in card
  label_set = json.loads((project / 'label_sets/discard_40/label_set.json').read_text())
  assert f'`label_sets/discard_40`: {label_set["flagged"]} labels' in card
  assert 'left out of the loss' in card
  assert 'Rule: percent, by the scores `scores`' in card
  assert '| steps | 2 |' in card
  assert 'Started from `teacher`.' in card
  # It was evaluated on what it was trained on, and says so.
  clips = len(RecordsFolder.open(project / 'records').clip_ids)
  assert f'{clips} of its clips are in the records that the model was trained' in card


def test_papers_whose_method_was_used_are_cited(card):
  assert citations.SOFTWARE in card
  assert citations.ML20 in card
  assert citations.SL21 not in card


def test_nobodys_folders_are_named(project, card):
  assert str(project) not in card
  assert 'somebodys_home' not in card


def test_what_no_folder_says_is_not_known(tmp_path):
  model = write_model(tmp_path / 'tiny', seed=1)
  run_stage_ok(*EXPORT, f'--model={model}', f'--output_dir={tmp_path / "out"}')
  card = (tmp_path / 'out' / CARD_FILE).read_text()
  assert {'metrics', 'model-index'}.isdisjoint(head_of(card))
  evaluation = card.partition('## Evaluation\n\n')[2]
  assert evaluation.startswith('Not measured: ')
  training = card.partition('## Training data\n\n')[2]
  assert training.startswith('Not known: the model was given as a file')
  assert 'training data: not known' in card
  assert '@article' not in card


def test_of_folders_that_changed_or_went_nothing_is_told(
  project, tmp_path, monkeypatch
):
  copied = tmp_path / 'project'
  shutil.copytree(project, copied)
  config = CardConfig('student', evaluations=('evaluation',))
  monkeypatch.chdir(copied)
  whole = ModelCard.open(config).text((), ())
  assert '18 events' in whole
  run_json = json.loads((copied / 'records/run.json').read_text())
  run_json['counts']['strong_events'] = 77
  (copied / 'records/run.json').write_text(json.dumps(run_json))
  shutil.rmtree(copied / 'label_sets')
  changed = ModelCard.open(config).text((), ())
  assert '`records`: 12 clips trained on. More is not known: the folder is no longer '
  assert 'the folder is no longer what it was' in changed
  assert '`label_sets/discard_40`: more is not known, the folder is no longer where'
  assert 'no longer where it was' in changed
  assert not re.search('(18|77) events', changed)
  assert 'Whether any of its clips was trained on: not known' in changed
  assert 'Whether all its classes were in its training data: not known' in changed
  # The shards may have gone to make room: what run.json says still holds.
  monkeypatch.chdir(project)
  for shard in (copied / 'records').glob('*.tfrecord'):
    shard.unlink()
  shutil.copy(project / 'records/run.json', copied / 'records/run.json')
  monkeypatch.chdir(copied)
  without = ModelCard.open(config).text((), ())
  assert '18 events' in without
  assert 'Whether any of its clips was trained on: not known' in without


def test_relative_paths_are_found_from_elsewhere(project, tmp_path, monkeypatch):
  monkeypatch.chdir(project)
  config = CardConfig('student', evaluations=('evaluation',))
  here = ModelCard.open(config).text((), ())
  # Where there is another folder of the name.
  (tmp_path / 'records').mkdir()
  (tmp_path / 'records/run.json').write_text('{}')
  monkeypatch.chdir(tmp_path)
  config = CardConfig(
    str(project / 'student'), evaluations=(str(project / 'evaluation'),)
  )
  assert ModelCard.open(config).text((), ()) == here


@pytest.mark.parametrize(
  ('flags', 'message'),
  [
    (['--evaluation=gone'], 'gone: no such folder; `evaluate` writes it'),
    (['--evaluation=scores'], 'scores: written by `score`, but a `evaluate` folder'),
    (
      ['--evaluation=evaluation,teachers_evaluation'],
      'teachers_evaluation: is of teacher, not of --model=student',
    ),
    (['--evaluation=teachers_evaluation', '--dry_run'], 'is of teacher, not of'),
  ],
)
def test_evaluations_of_other_models_are_refused(project, tmp_path, flags, message):
  out = tmp_path / 'out'
  done = run_stage(
    *EXPORT, '--model=student', *flags, f'--output_dir={out}', folder=project
  )
  assert done.returncode == 1
  assert message in done.stderr
  assert not out.exists()


def test_evaluated_scores_are_their_models(project, monkeypatch):
  monkeypatch.chdir(project)
  config = CardConfig('teacher', evaluations=('teachers_evaluation',))
  text = ModelCard.open(config).text((), ())
  metrics = json.loads((project / 'teachers_evaluation/metrics.json').read_text())
  assert f'| lωlrap | {metrics["weak"]["lwlrap"]:.3f} |' in text
  assert 'No label set: no label was taken for missing' in text
  assert 'Started from random weights.' in text


def edit(path, change):
  content = json.loads(path.read_text())
  change(content)
  path.write_text(json.dumps(content))


def two_models(content):
  content['teachers'] *= 2


def no_model(content):
  del content['teachers']


def of_another_training(content):
  content['teachers'][0]['fingerprint'] = '0' * 64


def no_texts(content):
  content['teachers'] = [{'model': 3}]


@pytest.mark.parametrize(
  ('file', 'change', 'message'),
  [
    ('run.json', two_models, 'evaluates the mean of 2 models'),
    ('run.json', no_model, 'does not say of which model it is'),
    ('run.json', of_another_training, 'or of what that was before'),
    ('run.json', no_texts, "run.json: 'model'"),
    (
      'metrics.json',
      lambda content: content['weak'].update(lwlrap='high'),
      "metrics.json: 'lwlrap'",
    ),
    (
      'metrics.json',
      lambda content: content['intervals']['weak'].update(lwlrap=[0.1]),
      'the interval of weak lwlrap is no pair of numbers',
    ),
    (
      'metrics.json',
      lambda content: content.update(selection={'chosen': 'student'}),
      "metrics.json: 'selection' lacks 'candidates'",
    ),
  ],
)
def test_evaluations_that_cannot_be_told_are_errors(
  project, tmp_path, monkeypatch, file, change, message
):
  monkeypatch.chdir(project)
  shutil.copytree('evaluation', tmp_path / 'evaluation')
  edit(tmp_path / 'evaluation' / file, change)
  config = CardConfig('student', evaluations=(str(tmp_path / 'evaluation'),))
  with pytest.raises(InputError, match=re.escape(message)):
    ModelCard.open(config)


def test_a_chosen_model_is_told_as_one_of_several(project, tmp_path, monkeypatch):
  monkeypatch.chdir(project)
  shutil.copytree('evaluation', tmp_path / 'evaluation')
  more = {'model': 'teacher', 'fingerprint': '0' * 64, 'left_out': None}
  edit(
    tmp_path / 'evaluation/run.json', lambda content: content['teachers'].append(more)
  )
  selection = {'chosen': 'student', 'candidates': 2, 'metric': 'lwlrap', 'how': 'x'}
  edit(
    tmp_path / 'evaluation/metrics.json',
    lambda content: content.update(selection=selection),
  )
  config = CardConfig('student', evaluations=(str(tmp_path / 'evaluation'),))
  assert 'One of 2 candidates: by lwlrap, x.' in ModelCard.open(config).text((), ())


def test_a_folder_that_an_older_version_finished_stays_so(project, card, tmp_path):
  out = tmp_path / 'out'
  command = (*EXPORT, '--model=student', f'--output_dir={out}')
  run_stage_ok(*command, folder=project)
  # As before there were cards.
  (out / CARD_FILE).unlink()
  edit(
    out / '.inputs.json',
    lambda content: content['flags'].remove('--evaluation='),
  )
  assert 'finished already' in run_stage_ok(*command, folder=project)
  assert not (out / CARD_FILE).exists()
  other = run_stage(*command, '--evaluation=evaluation', folder=project)
  assert other.returncode == 1
  assert 'now --evaluation=evaluation' in other.stderr


def test_a_model_that_was_exported_as_keras_knows_its_training(
  project, card, monkeypatch
):
  monkeypatch.chdir(project)
  text = ModelCard.open(CardConfig('exported/model.keras')).text((), ())
  assert '`label_sets/discard_40`: ' in text
  assert text.count('# Model card: student') == 1


def test_the_papers_are_those_of_citation_cff():
  content = yaml.safe_load((ROOT / 'CITATION.cff').read_text())
  assert content['version'] in citations.SOFTWARE
  assert content['title'] in citations.SOFTWARE.replace('\\', '')
  for paper, bibtex in zip(
    content['references'], (citations.ML20, citations.SL21), strict=True
  ):
    text = ' '.join(bibtex.split())
    authors = [f'{a["family-names"]}, {a["given-names"]}' for a in paper['authors']]
    assert f'author = {{{" and ".join(authors)}}}' in text
    assert f'title = {{{paper["title"]}}}' in text
    assert f'year = {{{paper["year"]}}}' in text
    assert f'url = {{{paper["url"]}}}' in text
