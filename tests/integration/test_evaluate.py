"""`evaluate` on small records: both kinds of labels, lists, choices, comparisons."""

import dataclasses
import json
import pathlib
import shutil

import numpy as np
import pandas as pd
import pytest
import scipy.special
import tensorflow as tf

from audioset_ml.core.errors import InputError
from audioset_ml.evaluation import files
from audioset_ml.evaluation.evaluate_config import EvaluateConfig, SelectConfig
from audioset_ml.evaluation.records_evaluation import evaluate_records
from audioset_ml.evaluation.weak import evaluate_weak
from audioset_ml.labels import formats, framing
from audioset_ml.records.dataset import read_label_table
from audioset_ml.records.folder import RecordsFolder
from audioset_ml.records.strong_labels import read_strong_labels
from audioset_ml.reporting import evaluation_text
from tests.evaluation.planted_scores import write_planted_scores
from tests.stages import run_stage, run_stage_ok

pytestmark = pytest.mark.few


@pytest.fixture(scope='module')
def scores(small_records, tmp_path_factory) -> pathlib.Path:
  """Planted scores of the small records; not to be changed."""
  return write_planted_scores(tmp_path_factory.mktemp('planted') / 'a', small_records)


@pytest.fixture(scope='module')
def others(small_records, tmp_path_factory) -> pathlib.Path:
  """Worse ones."""
  folder = tmp_path_factory.mktemp('planted') / 'b'
  return write_planted_scores(folder, small_records, seed=1, gain=0.1)


@pytest.fixture
def config(small_records, scores) -> EvaluateConfig:
  return EvaluateConfig(str(small_records), scores=(str(scores),), replicates=50)


@pytest.fixture
def evaluate(tmp_path):
  """Evaluates into a new folder, and marks it finished as the stage does."""
  numbers = iter(range(100))

  def run(config, select=None):
    folder = tmp_path / str(next(numbers))
    folder.mkdir()
    metrics, details = evaluate_records(config, folder, select)
    run = {'stage': 'evaluate', **details}
    (folder / 'run.json').write_text(json.dumps(run))
    return folder, metrics

  return run


def test_the_stage_writes_values_figures_and_summaries(small_records, scores, tmp_path):
  output = tmp_path / 'out'
  flags = [f'--records={small_records}', f'--scores={scores}', f'--output_dir={output}']
  printed = run_stage_ok('evaluate', *flags, '--bootstrap=100', '--curve_class=High')
  metrics = json.loads((output / 'metrics.json').read_text())
  for section, name in (
    ('weak', 'd_prime'),
    ('strong', 'd_prime_explicit'),
    ('strong', 'lwlrap'),
  ):
    value, interval = metrics[section][name], metrics['intervals'][section][name]
    assert interval[0] <= value <= interval[1]
    assert f'{value:.4f}  [{interval[0]:.4f}, {interval[1]:.4f}]' in printed
  # All replicates of it are alike: how far it would move can't be told.
  assert metrics['weak']['lwlrap'] == 1
  assert metrics['intervals']['weak']['lwlrap'] is None
  assert 'undefined: no class has complementary ones' in printed
  names = {path.name for path in (output / 'figures').iterdir()}
  kinds = ('precision_recall', 'det', 'd_prime_by_prior', 'calibration')
  assert names == {f'{kind}.{ending}' for kind in kinds for ending in ('png', 'pdf')}
  assert set(pd.read_csv(output / 'curves.csv')['mid']) == {'/m/high'}
  (events,) = (output / 'logs').iterdir()
  tags = {
    value.tag
    for event in tf.compat.v1.train.summary_iterator(str(events))
    for value in event.summary.value
  }
  assert {'weak/d_prime', 'strong/lwlrap', 'calibration'} <= tags
  again = run_stage_ok('evaluate', *flags, '--bootstrap=100', '--curve_class=High')
  assert 'finished already' in again


def test_weak_values_are_those_of_the_clips(config, scores, evaluate):
  folder, metrics = evaluate(config)
  records = RecordsFolder.open(config.records)
  values = np.load(scores / 'scores.npy')
  expected = evaluate_weak(values, read_label_table(records), records.class_map)
  assert metrics['weak'] == expected.summary
  assert np.array_equal(np.load(folder / 'scores.npy'), values)
  assert metrics['clips']['evaluated'] == 12
  assert metrics['clips']['lost'] == 0


def test_scores_go_up_the_ontology(config, scores, evaluate, tmp_path):
  """In clips and in frames, but not in the scores that are kept."""
  nodes = [('/m/low', ['/m/middle']), ('/m/middle', ['/m/high']), ('/m/high', [])]
  ontology = tmp_path / 'ontology.json'
  ontology.write_text(
    json.dumps([{'id': mid, 'name': mid, 'child_ids': below} for mid, below in nodes])
  )
  changes = {'propagate_scores': str(ontology)}
  folder, metrics = evaluate(dataclasses.replace(config, **changes))
  _, plain = evaluate(config)
  records = RecordsFolder.open(config.records)
  values = np.load(scores / 'scores.npy')
  order = [records.class_map.index_of[mid] for mid, _ in nodes]
  raised = values.copy()
  raised[:, order] = np.maximum.accumulate(values[:, order[::-1]], axis=1)[:, ::-1]
  labels = read_label_table(records)
  assert metrics['weak'] == evaluate_weak(raised, labels, records.class_map).summary
  assert metrics['weak'] != plain['weak']
  assert metrics['strong'] != plain['strong']
  assert np.array_equal(np.load(folder / 'scores.npy'), values)


@pytest.mark.parametrize(
  'changes',
  [
    {'logit_adjustment': 1.0, 'prior_records': 'x'},
    {'thresholds': 'f1'},
    {'detection': True},
  ],
)
def test_what_needs_the_scores_as_they_are_is_refused(changes):
  with pytest.raises(InputError, match='propagate_scores changes the scores: leave'):
    EvaluateConfig('records', propagate_scores='ontology.json', **changes)


def test_an_adjustment_changes_what_compares_classes_alone(
  config, scores, evaluate, tmp_path
):
  """As if one class were in nearly all train clips, and the others in few."""
  records = RecordsFolder.open(config.records)
  train = tmp_path / 'train'
  shutil.copytree(config.records, train)
  run_json = json.loads((train / 'run.json').read_text())
  mids, counts = records.class_map.mids, [11] + [1] * (records.num_classes - 1)
  for mid, count in zip(mids, counts, strict=True):
    row = run_json['class_counts'].setdefault(mid, {})
    row['explicit_positives'] = count
  (train / 'run.json').write_text(json.dumps(run_json))
  changes = {'logit_adjustment': 6.0, 'prior_records': str(train)}
  folder, metrics = evaluate(dataclasses.replace(config, **changes))
  _, plain = evaluate(config)
  values = np.load(scores / 'scores.npy')
  logits = scipy.special.logit(values.astype(np.float64))
  adjusted = logits - 6.0 * scipy.special.logit((np.array(counts) + 0.5) / 13)
  labels = read_label_table(records)
  expected = evaluate_weak(adjusted, labels, records.class_map).summary
  assert metrics['weak']['lwlrap'] == pytest.approx(expected['lwlrap'], abs=1e-12)
  assert metrics['weak']['lwlrap'] < plain['weak']['lwlrap']
  assert metrics['strong']['lwlrap'] < plain['strong']['lwlrap']
  assert metrics['weak']['auc'] == pytest.approx(plain['weak']['auc'])
  assert any('of each logit 6 times' in note for note in metrics['notes'])
  # Kept as they were, so that they can be evaluated otherwise.
  assert np.array_equal(np.load(folder / 'scores.npy'), values)


def test_events_and_the_framed_file_made_of_them_give_the_same(
  config, evaluate, tmp_path
):
  records = RecordsFolder.open(config.records)
  labels = read_strong_labels(records)
  seconds = pd.Series(2.0, records.clip_ids)
  table = framing.frame_table(labels.events, labels.ratings, None, seconds)
  formats.write_framed_tsv(tmp_path / 'framed.tsv', table)
  _, by_events = evaluate(config)
  framed = dataclasses.replace(config, framed_tsv=str(tmp_path / 'framed.tsv'))
  _, by_file = evaluate(framed)
  assert by_events['strong'] == by_file['strong']
  # Two frames of 0.96 s in each of the 12 clips of 2 s; no event covers a part only.
  assert by_events['strong']['frames'] == 24
  assert by_events['strong']['d_prime_complementary'] is None
  assert by_events['strong']['d_prime_explicit'] is not None


def test_events_are_detected_at_thresholds_and_compared(config, others, evaluate):
  worse = dataclasses.replace(config, scores=(str(others),), detection=True)
  baseline, old = evaluate(worse)
  thresholds = pd.read_csv(baseline / 'event_thresholds.csv')
  assert list(thresholds) == ['mid', 'display_name', 'threshold', 'f1', 'events']
  assert thresholds['events'].sum() == old['detection']['events'] > 0
  thresholds.assign(threshold=0.5).to_csv(
    baseline / 'event_thresholds.csv', index=False
  )
  changes = {
    'detection': True,
    'baseline': str(baseline),
    'event_thresholds': str(baseline / 'event_thresholds.csv'),
    'median_seconds': 1.5,
  }
  folder, new = evaluate(dataclasses.replace(config, **changes))
  read = files.load_evaluation(folder)
  assert new['detection']['event_f1_given'] == new['detection']['event_f1']
  for name in ('psds1', 'psds2_macro', 'event_f1_given', 'segment_f1_best'):
    value, ends = new['detection'][name], new['intervals']['detection'][name]
    assert 0 <= value <= 1
    assert ends is None or ends[0] <= value <= ends[1]
    assert len(read.replicates['detection'].summary[name]) == 50
  assert {'psds1', 'psds2', 'event_f1', 'best_threshold'} <= set(read.per_class)
  gain = new['detection']['psds1'] - old['detection']['psds1']
  assert new['comparison']['detection']['psds1']['difference'] == pytest.approx(gain)
  assert 'event_f1_given' not in new['comparison']['detection']
  assert any('was chosen on 12 of these 12 clips' in note for note in new['notes'])
  text = evaluation_text.text(new)
  assert f'psds1 {new["detection"]["psds1"]:>34.4f}' in text
  assert f'psds1 {gain:>+34.4f}' in text


def test_a_clip_list_restricts_and_lost_clips_are_listed(config, evaluate, tmp_path):
  records = RecordsFolder.open(config.records)
  wanted = records.clip_ids[3:9]
  (tmp_path / 'list.txt').write_text('\n'.join([*wanted, 'deleted_0']) + '\n')
  listed = dataclasses.replace(config, clip_list=str(tmp_path / 'list.txt'))
  folder, metrics = evaluate(listed)
  assert metrics['clips']['evaluated'] == 6
  assert metrics['clips']['lost'] == 1
  lost = (folder / 'lost_clips.csv').read_text()
  assert lost == 'clip_id,reason\ndeleted_0,not in the records\n'
  labels = read_label_table(records).of_clips(np.arange(3, 9))
  values = np.load(pathlib.Path(config.scores[0]) / 'scores.npy')[3:9]
  assert metrics['weak'] == evaluate_weak(values, labels, records.class_map).summary


def test_an_evaluation_serves_as_scores_and_as_baseline(config, others, evaluate):
  worse = dataclasses.replace(config, scores=(str(others),))
  baseline, old = evaluate(worse)
  compared = dataclasses.replace(config, baseline=str(baseline))
  folder, new = evaluate(compared)
  found = new['comparison']['weak']['lwlrap']
  assert found['difference'] == pytest.approx(
    new['weak']['lwlrap'] - old['weak']['lwlrap']
  )
  assert found['interval'][0] <= found['difference'] <= found['interval'][1]
  table = pd.read_csv(folder / 'comparison.csv')
  gains = table['lwlrap_model'] - table['lwlrap_baseline']
  assert gains.to_numpy() == pytest.approx(table['lwlrap_difference'].to_numpy())
  rescored = dataclasses.replace(config, scores=(str(folder),))
  _, again = evaluate(rescored)
  assert again['weak'] == new['weak']
  assert again['strong'] == new['strong']


def test_scores_of_clips_alone_give_weak_values_and_a_note(
  config, scores, evaluate, tmp_path
):
  def without_patches(folder):
    (folder / 'patch_scores.npy').unlink()

  changed = copy_of(scores, tmp_path / 'changed', without_patches)
  alone = dataclasses.replace(config, scores=(changed,))
  _, metrics = evaluate(alone)
  assert 'strong' not in metrics
  assert 'strong labels are not evaluated' in metrics['notes'][0]
  with pytest.raises(InputError, match='score with --patch_scores'):
    evaluate(dataclasses.replace(alone, detection=True))


def test_scores_that_an_evaluation_keeps_are_held_against_their_digests(
  config, evaluate, tmp_path
):
  folder, _ = evaluate(config)
  again = dataclasses.replace(config, scores=(str(folder),))
  evaluate(again)
  values = np.load(folder / 'scores.npy')
  np.save(folder / 'scores.npy', values[::-1])
  with pytest.raises(InputError, match=r'scores\.npy: is not as it was written'):
    evaluate(again)


def test_a_class_that_the_model_lacks_is_noted(config, scores, evaluate, tmp_path):
  def without_a_class(folder):
    values = np.load(folder / 'scores.npy')
    values[:, 1] = 0
    np.save(folder / 'scores.npy', values)

  changed = copy_of(scores, tmp_path / 'changed', without_a_class)
  _, metrics = evaluate(dataclasses.replace(config, scores=(changed,)))
  assert (
    '1 class has one and the same score for all clips (Middle, tone)'
    in (metrics['notes'][0])
  )


def test_a_metric_that_the_test_clips_lack_is_no_crash(
  config, scores, others, evaluate, tmp_path
):
  """Only the two validation clips have both kinds of a class."""
  clip_ids = RecordsFolder.open(config.records).clip_ids
  (tmp_path / 'all.txt').write_text('\n'.join(clip_ids[:11]))
  both = dataclasses.replace(
    config, scores=(str(others), str(scores)), clip_list=str(tmp_path / 'all.txt')
  )
  (tmp_path / 'validation.txt').write_text('\n'.join(clip_ids[:10]))
  select = SelectConfig('d_prime', validation_list=str(tmp_path / 'validation.txt'))
  _, metrics = evaluate(both, select)
  assert metrics['selection']['best_on_test'] is None
  assert 'not defined on the test clips' in evaluation_text.text(metrics)


def test_choosing_on_the_test_clips_takes_all_of_them(config, scores, others, evaluate):
  both = dataclasses.replace(config, scores=(str(others), str(scores)))
  _, metrics = evaluate(both, SelectConfig('lwlrap', on='test'))
  assert metrics['clips']['evaluated'] == 12
  assert 'optimistic' in metrics['selection']['how']


@pytest.mark.parametrize(
  ('names', 'metric', 'message'),
  [
    (('{a}',), 'lwlrap', 'several --model or --scores'),
    (('{a}', '{a}/'), 'lwlrap', 'each once'),
  ],
)
def test_candidates_must_differ(config, scores, tmp_path, names, metric, message):
  names = tuple(name.format(a=scores) for name in names)
  changed = dataclasses.replace(config, scores=names)
  with pytest.raises(InputError, match=message):
    evaluate_records(changed, tmp_path, SelectConfig(metric))


def test_a_choice_is_made_on_other_clips_than_it_is_reported_on(
  config, scores, others, evaluate, tmp_path
):
  clip_ids = RecordsFolder.open(config.records).clip_ids
  (tmp_path / 'validation.txt').write_text('\n'.join(clip_ids[:6]))
  both = dataclasses.replace(config, scores=(str(others), str(scores)))
  select = SelectConfig('lwlrap', validation_list=str(tmp_path / 'validation.txt'))
  folder, metrics = evaluate(both, select)
  (tmp_path / 'test.txt').write_text('\n'.join(clip_ids[6:]))
  alone = dataclasses.replace(config, clip_list=str(tmp_path / 'test.txt'))
  _, expected = evaluate(alone)
  assert metrics['selection']['chosen'] == str(scores)
  assert metrics['weak'] == expected['weak']
  assert metrics['strong'] == expected['strong']
  table = pd.read_csv(folder / 'selection.csv')
  assert table['candidate'].tolist() == [str(others), str(scores)]
  assert table['chosen'].tolist() == [False, True]
  assert table['test_lwlrap'][1] == pytest.approx(expected['weak']['lwlrap'])


def copy_of(scores, folder, change):
  """A copy of a folder of scores, changed."""
  shutil.copytree(scores, folder)
  change(folder)
  return str(folder)


def with_nan(folder):
  values = np.load(folder / 'scores.npy')
  values[3, 1] = np.nan
  np.save(folder / 'scores.npy', values)


def with_another_order(folder):
  lines = (folder / 'class_map.csv').read_text().splitlines()
  lines[1:3] = [f'{i},{line.partition(",")[2]}' for i, line in enumerate(lines[2:0:-1])]
  (folder / 'class_map.csv').write_text('\n'.join(lines) + '\n')


def with_another_clip(folder):
  ids = (folder / 'clip_ids.txt').read_text().replace('clip0000003', 'other')
  (folder / 'clip_ids.txt').write_text(ids)


def with_patches_of_other_clips(folder):
  offsets = np.load(folder / 'patch_offsets.npy')
  offsets[1] += 1
  np.save(folder / 'patch_offsets.npy', offsets)


def cut_short(folder):
  content = (folder / 'scores.npy').read_bytes()
  (folder / 'scores.npy').write_bytes(content[:100])


@pytest.mark.parametrize(
  ('change', 'message'),
  [
    (with_nan, r'clip clip\w+, class /m/middle is NaN'),
    (with_another_order, 'class 0 is /m/low, but in .* it is /m/middle'),
    (with_another_clip, 'of which 11 are among the 12'),
    (with_patches_of_other_clips, r'has \d patches of clip\w+, but its record has \d'),
    (cut_short, 'scores.npy: cannot be read'),
  ],
)
def test_scores_that_do_not_belong_here_are_errors(
  config, scores, tmp_path, change, message
):
  changed = copy_of(scores, tmp_path / 'changed', change)
  with pytest.raises(InputError, match=message):
    evaluate_records(dataclasses.replace(config, scores=(changed,)), tmp_path)


@pytest.mark.parametrize(
  ('field', 'content', 'message'),
  [
    ('clip_list', '', 'names no clips'),
    ('clip_list', 'other_0\n', 'names 1 clip, other_0 for one, but none of the 12'),
    ('framed_tsv', 'a\tb\n', 'its first row must name the columns'),
    (
      'framed_tsv',
      '\t'.join(formats.FRAMED_COLUMNS) + '\nother_0\t0.0\t0.96\t/m/low\tPRESENT\n',
      'file label none of these clips',
    ),
    (
      'framed_tsv',
      '\t'.join(formats.FRAMED_COLUMNS)
      + '\nclip0000000_0\t0.5\t1.46\t/m/low\tPRESENT\n',
      'row 2: 0.5 to 1.46 s is no frame',
    ),
  ],
)
def test_wrong_files_are_errors(config, tmp_path, field, content, message):
  (tmp_path / 'file').write_text(content)
  changed = dataclasses.replace(config, **{field: str(tmp_path / 'file')})
  with pytest.raises(InputError, match=message):
    evaluate_records(changed, tmp_path)


@pytest.mark.parametrize(
  ('changes', 'message'),
  [
    ({'clip_list': 'absent.txt'}, 'absent.txt'),
    ({'curve_classes': ('Hihg',)}, 'Hihg'),
    ({'baseline': 'absent'}, 'absent: no such folder'),
    ({'prior_records': 'absent'}, 'absent: no such folder'),
    ({'smear_ontology': 'absent.json'}, 'absent.json'),
    ({'prior_records': 'absent', 'logit_adjustment': 1.0}, 'absent: no such folder'),
  ],
)
def test_missing_inputs_are_errors(config, tmp_path, changes, message):
  with pytest.raises(InputError, match=message):
    evaluate_records(dataclasses.replace(config, **changes), tmp_path)


def test_other_clips_can_not_be_compared(config, evaluate, tmp_path):
  clip_ids = RecordsFolder.open(config.records).clip_ids
  (tmp_path / 'list.txt').write_text('\n'.join(clip_ids[:8]))
  baseline, _ = evaluate(
    dataclasses.replace(config, clip_list=str(tmp_path / 'list.txt'))
  )
  with pytest.raises(InputError, match='are of other clips'):
    evaluate(dataclasses.replace(config, baseline=str(baseline)))
  # An evaluation lists its clips for another.
  listed = dataclasses.replace(config, clip_list=str(baseline / 'evaluated_clips.txt'))
  _, metrics = evaluate(dataclasses.replace(listed, baseline=str(baseline)))
  assert metrics['comparison']['weak']['lwlrap']['difference'] == 0


@pytest.mark.parametrize(
  ('flags', 'message'),
  [
    (['--scores=absent'], 'error: absent: no such folder'),
    (['--model=a', '--scores=b'], 'give either --model or --scores'),
    (['--scores=a,b'], 'say how to --select'),
    (['--scores=a', '--validation_list=b'], 'does nothing here: it needs --select'),
    (['--scores=a', '--large_prior=0.1'], 'does nothing here: it needs --baseline'),
  ],
)
def test_wrong_flags_are_one_clear_line(small_records, tmp_path, flags, message):
  done = run_stage(
    'evaluate', f'--records={small_records}', f'--output_dir={tmp_path}/out', *flags
  )
  assert done.returncode == 1
  assert message in done.stderr + done.stdout
  assert 'Traceback' not in done.stderr


def test_files_are_read_back_as_they_were(config, evaluate):
  folder, metrics = evaluate(config)
  model = files.read_evaluation(folder)
  assert model.metrics == metrics
  assert model.replicates['weak'].per_class['lwlrap'].shape == (50, 3)
