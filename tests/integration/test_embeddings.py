"""From published embeddings to an exported model, as a user does it."""

import json
import shutil
import signal

import keras
import numpy as np
import pandas as pd
import pytest
import soundfile
import tensorflow as tf

from audioset_ml.labels import formats
from audioset_ml.models import layers  # noqa: F401  registers the layers
from tests.small_embeddings import embeddings_of, write_small_embeddings
from tests.stages import kill_stage_when, run_stage, run_stage_ok, tables_and_shards

MLP = (
  '--architecture=mlp',
  '--hidden_units=32,16',
  '--dropout=0.2',
  '--learning_rate=1e-2',
  '--batch_size=8',
)


@pytest.fixture(scope='module')
def data(tmp_path_factory):
  folder = write_small_embeddings(tmp_path_factory.mktemp('embeddings') / 'data')
  ids = [f'{index:02d}_video-id_{1000 * index}' for index in range(24)]
  mids = ['/m/low', '/m/middle', '/m/high']
  # Each event has the first five frames; of the others the class is refuted.
  rows = [(one, 0.0, 4.8, mids[index % 3]) for index, one in enumerate(ids)]
  strong = pd.DataFrame(rows, columns=formats.STRONG_COLUMNS)
  strong.to_csv(folder / 'strong.tsv', sep='\t', index=False)
  return folder


def prepare_flags(data):
  return [
    f'--segments_csv={data / "segments.csv"}',
    f'--class_map={data / "class_map.csv"}',
    f'--features_dir={data / "features"}',
    '--clips_per_shard=5',
  ]


@pytest.fixture(scope='module')
def records(data, tmp_path_factory):
  out = tmp_path_factory.mktemp('records') / 'embeddings'
  flags = [*prepare_flags(data), f'--strong_tsv={data / "strong.tsv"}']
  printed = run_stage_ok('prepare', *flags, f'--output_dir={out}')
  assert '24 clips' in printed
  assert 'embeddings: 0 clips start elsewhere' in printed
  return out


@pytest.fixture(scope='module')
def model(records, tmp_path_factory):
  out = tmp_path_factory.mktemp('train') / 'mlp'
  flags = [f'--records={records}', f'--output_dir={out}', *MLP, '--steps=60']
  flags.append(f'--validation_records={records}')
  run_stage_ok('train', *flags)
  return out


@pytest.mark.long
def test_workers_write_the_same_bytes(data, records, tmp_path):
  out = tmp_path / 'two'
  flags = [*prepare_flags(data), f'--strong_tsv={data / "strong.tsv"}', '--workers=2']
  run_stage_ok('prepare', *flags, f'--output_dir={out}')
  names = sorted(path.name for path in records.glob('*.tfrecord'))
  assert len(names) == 4
  for name in [*names, 'clips.csv', 'skipped.csv']:
    assert (out / name).read_bytes() == (records / name).read_bytes()


@pytest.mark.long
def test_a_killed_preparation_goes_on_to_the_same_bytes(tmp_path):
  data = write_small_embeddings(tmp_path / 'data', clips=180)
  flags = [*prepare_flags(data), '--clips_per_shard=1']  # a shard a file: sixty
  whole, killed = tmp_path / 'whole', tmp_path / 'killed'
  run_stage_ok('prepare', *flags, f'--output_dir={whole}')
  flags.append(f'--output_dir={killed}')
  status = kill_stage_when(
    lambda: len(list(killed.glob('.parts/*.json'))) >= 3, 'prepare', *flags
  )
  assert status == -signal.SIGKILL
  before = {path: path.stat().st_mtime_ns for path in killed.glob('records-*')}
  assert 3 <= len(before) < 60
  run_stage_ok('prepare', *flags)
  # All but the one whose summary may not have been written.
  assert sum(p.stat().st_mtime_ns == changed for p, changed in before.items()) >= 3
  assert tables_and_shards(killed) == tables_and_shards(whole)


def test_damage_is_told_where_it_is_listed(data, tmp_path):
  features, out = tmp_path / 'features', tmp_path / 'records'
  shutil.copytree(data / 'features', features)
  cut = features / '01.tfrecord'
  cut.write_bytes(cut.read_bytes()[:-100])
  flags = [*prepare_flags(data), f'--features_dir={features}', f'--output_dir={out}']
  printed = run_stage_ok('prepare', *flags)
  said = f'1 file is damaged, 0 records are bad (see {out}/damaged_files.csv)'
  assert said in printed
  assert str(cut) in (out / 'damaged_files.csv').read_text()


@pytest.mark.slow
def test_a_killed_training_with_dropout_ends_with_the_same_weights(records, tmp_path):
  weights = []
  for name in ('whole', 'killed'):
    out = tmp_path / name
    flags = [f'--records={records}', f'--output_dir={out}', *MLP, '--steps=80']
    flags.append('--checkpoint_every=20')
    if name == 'killed':
      at_40 = out / 'checkpoints' / 'ckpt-40.index'
      status = kill_stage_when(at_40.exists, 'train', *flags)
      assert status == -signal.SIGKILL
      assert not (out / 'run.json').exists()
    run_stage_ok('train', *flags)
    loaded = keras.saving.load_model(out / 'model.keras', compile=False)
    weights.append(loaded.get_weights())
  for one, other in zip(*weights, strict=True):
    np.testing.assert_array_equal(one, other)


@pytest.mark.long
def test_clips_and_frames_are_evaluated(records, model, tmp_path):
  out = tmp_path / 'evaluation'
  flags = [f'--model={model}', f'--records={records}', f'--output_dir={out}']
  run_stage_ok('evaluate', *flags)
  metrics = json.loads((out / 'metrics.json').read_text())
  assert metrics['weak']['lwlrap'] > 0.95
  # Each frame is a patch; seven or ten of them a clip, of which five are positive.
  assert metrics['strong']['frames'] > 0


def test_an_exported_model_takes_embeddings(model, tmp_path):
  run_stage_ok('export', f'--model={model}', f'--output_dir={tmp_path}')
  loaded = tf.saved_model.load(str(tmp_path / 'saved_model'))
  frames = (embeddings_of(4, 10) * (4 / 255) - 2).astype(np.float32)
  scores, embeddings = loaded(frames)
  keras_model = keras.saving.load_model(model / 'model.keras', compile=False)
  expected = tf.sigmoid(keras_model(frames[:, np.newaxis]))
  np.testing.assert_allclose(scores, expected, atol=1e-5)
  assert embeddings.shape == (10, 16)
  served = loaded.signatures['serving_default'](frames=tf.constant(frames))
  np.testing.assert_allclose(served['scores'], scores, atol=1e-6)
  sound = tmp_path / 'sound.wav'
  soundfile.write(sound, np.zeros(16_000), 16_000)
  done = run_stage('tag', f'--model={tmp_path}', sound)
  assert done.returncode == 1
  assert 'takes embeddings of 128 values, not waveforms' in done.stderr


def test_networks_for_other_frames_are_refused(records, small_records, tmp_path):
  for name, folder, message in (
    ('mobilenet_v1', records, 'mobilenet_v1 takes spectrograms, but a patch of these'),
    ('linear', small_records, 'linear takes embeddings, one a patch, but a patch of'),
  ):
    flags = [f'--records={folder}', f'--architecture={name}', '--steps=1']
    done = run_stage('train', *flags, f'--output_dir={tmp_path / name}')
    assert done.returncode == 1
    assert done.stderr.count('\n') == 1
    assert message in done.stderr


def test_a_model_does_not_score_records_of_other_frames(model, small_records, tmp_path):
  flags = [f'--model={model}', f'--records={small_records}']
  done = run_stage('score', *flags, f'--output_dir={tmp_path / "scores"}')
  assert done.returncode == 1
  assert "is for AudioSet's VGGish embeddings" in done.stderr


def test_what_records_hold_is_shown(records, tmp_path):
  printed = run_stage_ok('inspect', records)
  assert "frames: AudioSet's VGGish embeddings, 128 values (uint8)" in printed
  run_stage_ok('inspect', records, '--clip_id=04_video-id_4000', folder=tmp_path)
  assert (tmp_path / '04_video-id_4000.png').stat().st_size > 5000
