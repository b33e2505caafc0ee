"""The `score` and `import_scores` entry points: all ways to score the same clips."""

import itertools
import json
import shutil

import keras
import numpy as np
import pytest
import scipy.special
import tensorflow as tf

from audioset_ml.core import folders
from audioset_ml.core.errors import InputError, RecordError
from audioset_ml.models import score_parts, score_stage
from audioset_ml.models.config import ModelConfig
from audioset_ml.models.registry import build_model
from audioset_ml.models.saved_model import export_saved_model
from audioset_ml.models.score_stage import ScoreConfig
from audioset_ml.records import scores as score_files
from audioset_ml.records.folder import RecordsFolder
from audioset_ml.records.folds import fold_of
from audioset_ml.records.shard_runs import RunConfig
from audioset_ml.records.soft_scores import SoftConfig, SoftScores
from tests.conftest import NEEDS_BEAM
from tests.small_data import CLASS_MAP
from tests.stages import kill_stage_when, run_stage, run_stage_ok
from tests.training.test_train import train_flags


def write_model(folder, seed, class_map=CLASS_MAP):
  """A tiny model with random weights that give scores all over (0, 1)."""
  folder.mkdir()
  model = build_model(ModelConfig('mobilenet_v1_tiny', len(class_map), 0.25, seed=seed))
  random = np.random.default_rng(seed)
  model.set_weights(
    [w + random.normal(0, 0.3, w.shape) * (w.ndim > 1) for w in model.get_weights()]
  )
  model.save(folder / 'model.keras')
  class_map.write(folder / 'class_map.csv')
  return str(folder / 'model.keras')


@pytest.fixture(scope='module')
def models(tmp_path_factory):
  folder = tmp_path_factory.mktemp('models')
  return [write_model(folder / str(seed), seed) for seed in range(3)]


@pytest.fixture(scope='module')
def by_one(models, small_records, tmp_path_factory):
  """Scores of the first model, with those of its patches, by the entry point."""
  out = tmp_path_factory.mktemp('scored') / 'one'
  flags = (f'--model={models[0]}', f'--records={small_records}', '--patch_scores')
  run_stage_ok('score', *flags, f'--output_dir={out}')
  return out


def score(folder, records, models, runs=None, **changes):
  folder.mkdir()
  config = ScoreConfig(tuple(models), str(records), **changes)
  counts, details = score_stage.score(config, folder, runs)
  return np.load(folder / 'scores.npy'), counts, details


def test_other_hops_are_patches_cut_from_the_records(models, small_records, tmp_path):
  """By hand: 96 frames of a record's spectrogram, every so many."""
  folder = tmp_path / 'finer'
  changes = {'patch_scores': True, 'patch_type': 'float32', 'hop_seconds': 0.17}
  values, counts, details = score(folder, small_records, models[:1], **changes)
  assert details['front_end']['patch_hop_seconds'] == 0.17
  (folder / 'run.json').write_text(json.dumps({'stage': 'score', **details}))
  scores = score_files.read_scores(folder)
  patches = score_files.read_patch_scores(scores)
  assert len(patches.values) == counts['patches']
  records = RecordsFolder.open(small_records)
  network = keras.saving.load_model(models[0])
  examples = itertools.chain(*map(tf.data.TFRecordDataset, records.shards))
  for row, example in enumerate(examples):
    parsed = tf.train.Example.FromString(example.numpy()).features.feature
    (stored,) = parsed['log_mel'].bytes_list.value
    (frames,) = parsed['num_frames'].int64_list.value
    log_mel = np.frombuffer(stored, '<f2').reshape(-1, 64)[:frames].astype(np.float32)
    cut = [log_mel[first : first + 96] for first in range(0, frames - 95, 17)]
    expected = scipy.special.expit(network(np.stack(cut)).numpy())
    np.testing.assert_allclose(patches.of(row), expected, atol=1e-6)
    np.testing.assert_allclose(values[row], expected.mean(axis=0), atol=1e-6)
  with pytest.raises(RecordError, match=r'every 0\.17 s, but one every 0\.48 s is'):
    score_files.require_of(scores, records)
  score_files.require_of(scores, records, any_hop=True)
  score_files.require_of(scores, records.at_hop(0.17))


def test_patch_scores_are_those_whose_mean_is_the_clips(by_one, small_records):
  clips = score_files.read_scores(by_one)
  patches = score_files.read_patch_scores(clips)
  assert patches.values.dtype == np.float16
  assert clips.values.max() - clips.values.min() > 0.1
  for row in range(len(clips.clip_ids)):
    mean = patches.of(row).astype(np.float64).mean(axis=0)
    assert mean == pytest.approx(clips.values[row], abs=5e-4)  # float16
  records = RecordsFolder.open(small_records)
  frames = [row.frames for row in records.read_clips().values()]
  counts = [records.frames.num_patches(number) for number in frames]
  assert np.diff(patches.offsets).tolist() == counts


def test_a_clips_score_may_be_that_of_its_highest_patch(
  by_one, models, small_records, tmp_path
):
  highest, _, _ = score(tmp_path / 'max', small_records, models[:1], clip_score='max')
  patches = score_files.read_patch_scores(score_files.read_scores(by_one))
  for row, values in enumerate(highest):
    assert values == pytest.approx(patches.of(row).max(axis=0), abs=5e-4)  # float16


def test_a_folder_of_scores_tells_its_teacher(by_one, models, small_records):
  run_json = json.loads((by_one / 'run.json').read_text())
  assert run_json['teachers'][0]['model'] == models[0]
  assert 'bytes' in run_json['teachers'][0]['fingerprint']
  assert (
    run_json['front_end']
    == RecordsFolder.open(small_records).frames.front_end.to_dict()
  )
  assert not (by_one / '.parts').exists()


def test_the_files_of_scores_are_held_against_their_digests(by_one, tmp_path):
  shutil.copytree(by_one, tmp_path / 'copy')
  assert set(score_files.read_scores(tmp_path / 'copy').files) == {
    'class_map.csv', 'clip_ids.txt', 'patch_offsets.npy', 'patch_scores.npy',
    'scores.npy',
  }  # fmt: skip
  path = tmp_path / 'copy' / 'patch_scores.npy'
  np.save(path, np.load(path)[::-1])
  with pytest.raises(InputError, match=r'patch_scores\.npy: is not as it was written'):
    score_files.read_patch_scores(score_files.read_scores(tmp_path / 'copy'))


@pytest.mark.long
def test_killed_and_started_again_gives_the_same_bytes(
  by_one, models, small_records, tmp_path
):
  out = tmp_path / 'killed'
  flags = (f'--model={models[0]}', f'--records={small_records}', '--patch_scores')
  flags += (f'--output_dir={out}',)
  first = out / '.parts' / '00000.clips.npy'
  kill_stage_when(first.exists, 'score', *flags)
  assert not (out / 'scores.npy').exists()
  run_stage_ok('score', *flags)
  assert written(out) == written(by_one)


def test_a_finished_shard_is_not_scored_again(models, small_records, tmp_path):
  (tmp_path / 'out' / '.parts').mkdir(parents=True)
  shard = RecordsFolder.open(small_records).split()[0]
  planted = np.full((len(shard.clip_ids), 3), 0.125, np.float32)
  np.save(tmp_path / 'out' / '.parts' / '00000.clips.npy', planted)
  config = ScoreConfig((models[0],), str(small_records))
  score_stage.score(config, tmp_path / 'out')
  values = np.load(tmp_path / 'out' / 'scores.npy')
  assert np.array_equal(values[: len(planted)], planted)
  assert not (values[len(planted) :] == 0.125).all(axis=1).any()


@pytest.mark.long
def test_the_highest_classes_alone_are_those_of_all_scores(
  by_one, models, small_records, tmp_path
):
  """After a failure as well as at once; students and label sets can do with them."""
  out = tmp_path / 'top'
  flags = (f'--model={models[0]}', f'--records={small_records}', '--patch_scores')
  flags += ('--top_classes=2', f'--output_dir={out}')
  printed = run_stage_ok('score', *flags)
  assert 'scores of 12 clips' in printed
  every = score_files.read_scores(by_one)
  top = score_files.read_any_scores(out)
  order = np.argsort(-every.values, axis=1, kind='stable')[:, :2]
  assert top.top.classes.tolist() == order.tolist()
  kept = np.take_along_axis(every.values, order, axis=1)
  assert np.array_equal(top.top.values, kept)
  patches = score_files.read_patch_scores(every).values
  rows = np.arange(len(patches))
  found = score_files.read_top_patch_scores(top).top
  assert found.values.dtype == np.float16
  is_kept = found.are_kept(rows)
  assert np.array_equal(found.dense(rows)[is_kept], patches[is_kept])
  assert json.loads((out / 'run.json').read_text())['counts'] == {
    'clips': 12, 'classes': 3, 'top_classes': 2, 'patches': len(patches)
  }  # fmt: skip
  for name in ('again', 'top'):
    other = ('--top_classes=1', f'--output_dir={tmp_path}/{name}')
    done = run_stage('score', *flags, *other)
    assert (done.returncode == 0) == (name == 'again')
  train = train_flags(small_records, tmp_path / 'run', '--steps=2', '--soft_patches')
  run_stage_ok('train', *train, f'--soft_scores={out}', '--soft_absent=label')
  enhance = (f'--scores={out}', f'--records={small_records}', '--rule=score')
  run_stage_ok(
    'enhance', *enhance, f'--output_dir={tmp_path}/sets', '--min_score=.9999'
  )
  done = run_stage('enhance', *enhance, f'--output_dir={tmp_path}/no', '--min_score=0')
  assert done.returncode == 1
  assert 'its 2 highest classes alone; score with a higher --top_classes' in done.stderr


@pytest.mark.long
def test_of_the_highest_classes_a_finished_shard_is_not_scored_again(
  models, small_records, tmp_path, monkeypatch
):
  scored = []
  write = score_stage.ShardScorer.write

  def failing(worker, task, count=lambda clips: None):
    if len(scored) == 1:
      scored.append('failed')
      raise OSError('the disk is full')
    found = write(worker, task, count)
    scored.append(found['clips'])
    return found

  config = ScoreConfig((models[0],), str(small_records), top_classes=2)
  (tmp_path / 'whole').mkdir()
  (tmp_path / 'halves').mkdir()
  score_stage.score(config, tmp_path / 'whole')
  monkeypatch.setattr(score_stage.ShardScorer, 'write', failing)
  with pytest.raises(OSError, match='the disk is full'):
    score_stage.score(config, tmp_path / 'halves')
  score_stage.score(config, tmp_path / 'halves')
  assert scored[0] > 0
  assert scored[1:3] == ['failed', 0]
  for name in ('top_scores.npy', 'top_classes.npy'):
    one, other = ((tmp_path / f / name).read_bytes() for f in ('whole', 'halves'))
    assert one == other


def written(folder):
  """The bytes of the scores and what they are of, by name."""
  names = ('scores.npy', 'patch_scores.npy', 'patch_offsets.npy', 'clip_ids.txt')
  return {name: (folder / name).read_bytes() for name in names}


@pytest.mark.parametrize('workers', [1, pytest.param(2, marks=pytest.mark.slow)])
def test_beam_writes_the_same_bytes(by_one, models, small_records, tmp_path, workers):
  pytest.importorskip('apache_beam', reason=NEEDS_BEAM)
  out, runs = tmp_path / 'beam', RunConfig(workers, 'DirectRunner')
  score(out, small_records, models[:1], runs, patch_scores=True)
  assert written(out) == written(by_one)


@pytest.mark.long
@pytest.mark.parametrize('workers', [1, 2])
def test_a_light_install_writes_the_same_bytes(
  by_one, models, small_records, light_install, tmp_path, workers
):
  run_stage_ok(
    'score',
    f'--model={models[0]}',
    f'--records={small_records}',
    '--patch_scores',
    f'--workers={workers}',
    f'--output_dir={tmp_path}/out',
    modules=light_install,
  )
  assert written(tmp_path / 'out') == written(by_one)


@pytest.mark.parametrize('stage', ['score', 'enhance'])
def test_a_runner_that_is_not_installed_is_told_of_at_once(
  stage, models, by_one, small_records, light_install, tmp_path
):
  flags = {'score': f'--model={models[0]}', 'enhance': f'--scores={by_one}'}
  flags = (flags[stage], f'--records={small_records}', '--runner=DirectRunner')
  done = run_stage(stage, *flags, f'--output_dir={tmp_path}/out', modules=light_install)
  assert done.returncode == 1
  assert done.stderr == (
    'error: the runner DirectRunner needs the package apache_beam, which is not '
    "installed: pip install 'audioset_ml[beam]'\n"
  )
  assert not (tmp_path / 'out').exists()


@pytest.mark.long
def test_several_models_give_their_mean(models, small_records, tmp_path):
  each = [
    score(tmp_path / str(i), small_records, [path])[0] for i, path in enumerate(models)
  ]
  mean, _, details = score(tmp_path / 'mean', small_records, models)
  np.testing.assert_allclose(mean, np.mean(each, axis=0), atol=1e-6)
  assert len(details['teachers']) == 3


def test_a_class_mapping_takes_the_highest(models, by_one, small_records, tmp_path):
  (tmp_path / 'mapping.csv').write_text(
    'class,model_class\nHigh,Low tone\nHigh,/m/high\nLow tone,\n/m/middle,Low tone\n'
  )
  values, _, _ = score(
    tmp_path / 'mapped',
    small_records,
    models[:1],
    class_mapping=str(tmp_path / 'mapping.csv'),
    patch_scores=True,
  )
  original = score_files.read_patch_scores(score_files.read_scores(by_one))
  for row, found in enumerate(values):
    patches = original.of(row).astype(np.float64)
    expected = [0, patches[:, 0].mean(), patches[:, [0, 2]].max(axis=1).mean()]
    assert found == pytest.approx(expected, abs=5e-4)


@pytest.mark.long
def test_a_saved_model_scores_sound_files_alike(
  models, by_one, small_records, small_data, tmp_path
):
  records = RecordsFolder.open(small_records)
  model = keras.saving.load_model(models[0], compile=False)
  exported = tmp_path / 'exported'
  class_map = small_data / 'class_map.csv'
  export_saved_model(model, records.frames.front_end, class_map, exported)
  values, _, _ = score(
    tmp_path / 'out', small_records, [str(exported)], audio_dir=f'{small_data}/audio'
  )
  # Records hold float16.
  assert np.abs(values - np.load(by_one / 'scores.npy')).max() < 2e-3
  with pytest.raises(InputError, match='takes waveforms'):
    score(tmp_path / 'no_sound', small_records, [str(exported)])
  audio = tmp_path / 'audio'
  shutil.copytree(small_data / 'audio', audio)
  min(audio.iterdir()).unlink()
  with pytest.raises(RecordError, match='has no sound of the clip clip0000000_0'):
    score(tmp_path / 'less', small_records, [str(exported)], audio_dir=str(audio))


@pytest.fixture(scope='module')
def fold_models(small_records, tmp_path_factory):
  """Two models, each of which has left out one of two folds."""
  folder = tmp_path_factory.mktemp('folds')
  for fold in range(2):
    flags = train_flags(
      small_records, folder / str(fold), '--steps=2', '--folds=2', f'--seed={fold}'
    )
    run_stage_ok('train', *flags, f'--leave_out_fold={fold}')
  return [str(folder / str(fold)) for fold in range(2)]


@pytest.mark.long
def test_each_clip_is_scored_by_the_model_that_has_not_seen_it(
  fold_models, small_records, tmp_path
):
  each = [
    score(tmp_path / str(i), small_records, [path])[0]
    for i, path in enumerate(fold_models)
  ]
  values, _, details = score(
    tmp_path / 'folds', small_records, fold_models[::-1], patch_scores=True
  )
  assert details['teachers'][0]['left_out'] == {'index': 1, 'folds': 2}
  clip_ids = RecordsFolder.open(small_records).clip_ids
  folds = [fold_of(clip_id, 2) for clip_id in clip_ids]
  assert 0 < sum(folds) < len(folds)
  for index, path in enumerate(fold_models):
    counts = folders.read_run(path, 'train')['counts']
    assert counts['clips'] == len(folds)
    assert counts['clips_chosen'] == len(folds) - folds.count(index)
  for row, fold in enumerate(folds):
    np.testing.assert_allclose(values[row], each[fold][row], atol=1e-6)
  # Soft targets are of the same scores, none of a model that has seen the clip.
  run_json = json.dumps({'stage': 'score', **details})
  (tmp_path / 'folds' / 'run.json').write_text(run_json)
  soft = SoftConfig((str(tmp_path / 'folds'),))
  opened = SoftScores.open(soft, RecordsFolder.open(small_records))
  rows = np.arange(len(folds))
  assert np.array_equal(opened.of(rows, rows), values)
  offsets = np.load(tmp_path / 'folds' / 'patch_offsets.npy')
  patches = np.load(tmp_path / 'folds' / 'patch_scores.npy').astype(np.float32)
  means = [patches[a:b].mean(axis=0) for a, b in itertools.pairwise(offsets)]
  np.testing.assert_allclose(means, values, atol=5e-4)


def test_models_that_do_not_go_together_are_named(
  fold_models, models, small_records, tmp_path
):
  with pytest.raises(InputError, match='each must be left out by one model'):
    score(tmp_path / 'a', small_records, [fold_models[0]] * 2)
  with pytest.raises(InputError, match=r'some have left out a fold, but .* has seen'):
    score(tmp_path / 'b', small_records, [fold_models[0], models[0]])


@pytest.mark.slow
def test_imported_scores_can_be_enhanced(by_one, small_records, tmp_path):
  scores = score_files.read_scores(by_one)
  order = np.random.default_rng(0).permutation(len(scores.clip_ids))
  np.savez(
    tmp_path / 'theirs.npz',
    clipwise_output=scores.values[order],
    audio_name=np.array(scores.clip_ids)[order],
  )
  records = f'--records={small_records}'
  run_stage_ok(
    'import_scores',
    f'--scores={tmp_path}/theirs.npz',
    records,
    f'--output_dir={tmp_path}/imported',
  )
  for name, folder in (('ours', by_one), ('theirs', tmp_path / 'imported')):
    flags = (f'--scores={folder}', records, '--discard_percent=ml20')
    run_stage_ok('enhance', *flags, f'--output_dir={tmp_path}/{name}')
  ours, theirs = (
    (tmp_path / name / 'discard_20' / 'flagged.npy').read_bytes()
    for name in ('ours', 'theirs')
  )
  assert ours == theirs
  assert len(list((tmp_path / 'ours').glob('discard_*'))) == 18


@pytest.mark.slow
@pytest.mark.parametrize(
  ('stage', 'flags', 'message'),
  [
    ('score', ['--model=absent'], 'absent: no such model file'),
    ('score', ['--model={model}', '--class_mapping=none.csv'], 'none.csv: the class'),
    ('enhance', ['--scores={scores}', '--discard_percent=x'], "'x' is not a number"),
    ('enhance', ['--scores={scores}', '--min_score=0.5'], 'it is for --rule=score'),
    ('enhance', ['--scores=none'], 'none: no such folder; `score` writes it'),
    (
      'enhance',
      ['--scores={scores}', '--show_class=Siren'],
      "'Siren' is neither the mid nor the name",
    ),
    ('import_scores', ['--scores=none.npy'], 'none.npy: cannot be read'),
    (
      'audit',
      ['--label_sets={scores}', '--truth_csv={segments}'],
      'no label set in it',
    ),
    ('audit', ['--label_sets={scores}'], 'give one of them'),
  ],
)
def test_wrong_input_is_one_clear_line(
  stage, flags, message, by_one, models, small_records, small_data, tmp_path
):
  places = {
    'scores': by_one,
    'model': models[0],
    'segments': small_data / 'segments.csv',
  }
  done = run_stage(
    stage,
    *[flag.format(**places) for flag in flags],
    f'--records={small_records}',
    f'--output_dir={tmp_path}/out',
    folder=tmp_path,
  )
  assert done.returncode == 1
  assert message in done.stderr
  assert 'Traceback' not in done.stderr


def test_other_records_are_refused(by_one, small_records, small_data, tmp_path):
  """The same clips with features of another front end."""
  other = tmp_path / 'other'
  shutil.copytree(small_records, other)
  run_json = json.loads((other / 'run.json').read_text())
  run_json['front_end']['log_offset'] = 0.01
  (other / 'run.json').write_text(json.dumps(run_json))
  with pytest.raises(InputError, match='log_offset'):
    score_files.require_of(score_files.read_scores(by_one), RecordsFolder.open(other))


@pytest.mark.slow
def test_label_sets_through_beam_are_the_same(by_one, small_records, tmp_path):
  pytest.importorskip('apache_beam', reason=NEEDS_BEAM)
  arguments = '--direct_running_mode=multi_processing,--direct_num_workers=2'
  beam = ('--runner=DirectRunner', f'--beam_args={arguments}')
  flags = (f'--scores={by_one}', f'--records={small_records}', '--discard_percent=ml20')
  run_stage_ok('enhance', *flags, f'--output_dir={tmp_path}/here')
  run_stage_ok('enhance', *flags, *beam, f'--output_dir={tmp_path}/beam')
  files = sorted((tmp_path / 'here').glob('*/*'))
  assert len(files) == 18 * 5
  for file in files:
    other = tmp_path / 'beam' / file.relative_to(tmp_path / 'here')
    assert other.read_bytes() == file.read_bytes()


def test_another_stages_folder_is_never_replaced(by_one, models, small_records):
  flags = (f'--scores={by_one}', f'--records={small_records}', '--overwrite')
  done = run_stage('enhance', *flags, f'--output_dir={by_one}')
  assert done.returncode == 1
  assert '--scores is --output_dir' in done.stderr
  flags = (f'--model={models[0]}', *flags[1:])
  done = run_stage('embed', *flags, f'--output_dir={by_one}')
  assert done.returncode == 1
  assert 'was written by `score`; choose another --output_dir' in done.stderr
  assert (by_one / 'scores.npy').exists()


def test_a_remote_output_is_refused(models, small_records):
  flags = (f'--model={models[0]}', f'--records={small_records}')
  done = run_stage('score', *flags, '--output_dir=gs://bucket/scores')
  assert done.returncode == 1
  assert 'this stage writes to disk only' in done.stderr


PRECISIONS = ('folded_float32', 'bfloat16')


@pytest.mark.parametrize('precision', PRECISIONS)
def test_precisions_give_nearly_the_same(
  by_one, models, small_records, tmp_path, precision
):
  out = tmp_path / precision
  flags = (f'--model={models[0]}', f'--records={small_records}')
  run_stage_ok('score', *flags, f'--output_dir={out}', f'--precision={precision}')
  run_json = json.loads((out / 'run.json').read_text())
  assert run_json['precision'] == precision
  assert run_json['teachers'][0]['precision'] == precision
  difference = np.abs(np.load(out / 'scores.npy') - np.load(by_one / 'scores.npy'))
  bound = {'folded_float32': 1e-5, 'bfloat16': 0.05}[precision]
  assert 0 < difference.max() < bound
  run_json = json.loads((by_one / 'run.json').read_text())
  assert run_json['precision'] == run_json['teachers'][0]['precision'] == 'float32'


@pytest.mark.long
def test_what_is_fastest_stays_so_where_a_run_goes_on(
  models, small_records, tmp_path, monkeypatch
):
  from audioset_ml.models import precision

  monkeypatch.setattr(precision, 'fastest', lambda: 'bfloat16')
  expected, _, details = score(
    tmp_path / 'whole', small_records, models[:1], precision='auto'
  )
  assert details['precision'] == 'auto'
  assert details['teachers'][0]['precision'] == 'bfloat16'
  # A first shard here, the others on a machine that is fastest at another precision.
  with monkeypatch.context() as patched:
    patched.setattr(score_parts, 'join_all', lambda *unused: 1 / 0)
    with pytest.raises(ZeroDivisionError):
      score(tmp_path / 'parts', small_records, models[:1], precision='auto')
  sorted((tmp_path / 'parts' / '.parts').glob('*.clips.npy'))[-1].unlink()
  monkeypatch.setattr(precision, 'fastest', lambda: 'folded_float32')
  config = ScoreConfig(tuple(models[:1]), str(small_records), precision='auto')
  _, details = score_stage.score(config, tmp_path / 'parts')
  assert details['teachers'][0]['precision'] == 'bfloat16'
  assert np.array_equal(np.load(tmp_path / 'parts' / 'scores.npy'), expected)


def test_what_has_no_convolutions_is_not_computed_in_bfloat16(
  small_records, tmp_path, monkeypatch
):
  folder = tmp_path / 'dense'
  folder.mkdir()
  inputs = keras.Input((96, 64))
  net = keras.layers.Flatten()(inputs)
  outputs = keras.layers.Dense(len(CLASS_MAP), name='logits')(net)
  keras.Model(inputs, outputs).save(folder / 'model.keras')
  CLASS_MAP.write(folder / 'class_map.csv')
  model = str(folder / 'model.keras')
  with pytest.raises(InputError, match='has no convolutions'):
    score(tmp_path / 'wrong', small_records, [model], precision='bfloat16')
  _, _, details = score(tmp_path / 'auto', small_records, [model], precision='auto')
  assert details['teachers'][0]['precision'] == 'float32'
