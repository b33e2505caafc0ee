"""The `embed` entry point: a network's embeddings as records."""

import json
import shutil
import signal

import keras
import numpy as np
import pytest
import tensorflow as tf

from audioset_ml.core.errors import InputError
from audioset_ml.models import layers  # noqa: F401  registers the layers
from audioset_ml.models.config import ModelConfig
from audioset_ml.models.embed_stage import EmbedConfig, embed
from audioset_ml.models.registry import build_model, embedding_model
from audioset_ml.records.dataset import clip_patches, read_label_table
from audioset_ml.records.folder import RecordsFolder
from audioset_ml.records.inspection import read_clips
from tests import small_embeddings
from tests.small_data import CLASS_MAP
from tests.stages import (
  kill_stage_when,
  run_stage,
  run_stage_ok,
  tables_and_shards,
)


@pytest.fixture(scope='module')
def network(tmp_path_factory):
  return small_embeddings.write_network(
    tmp_path_factory.mktemp('network') / 'tiny.keras'
  )


@pytest.fixture(scope='module')
def embedded(network, small_records, tmp_path_factory):
  out = tmp_path_factory.mktemp('embedded') / 'records'
  assert '12 clips as embeddings of' in small_embeddings.embed(
    network, small_records, out
  )
  return RecordsFolder.open(out)


def test_each_frame_is_what_the_classifier_would_see(network, small_records, embedded):
  old = RecordsFolder.open(small_records)
  model = embedding_model(keras.saving.load_model(network, compile=False))
  assert embedded.clip_ids == old.clip_ids
  assert embedded.frames.hop_seconds == 0.48
  assert embedded.frames.patch_window_seconds == 0.96
  expected = [model(patches)[1] for patches, _ in clip_patches(old, 5)]
  contents = list(read_clips(embedded, embedded.clip_ids))
  found = np.concatenate([content.frames for content in contents])
  np.testing.assert_allclose(found, np.concatenate(expected), rtol=2e-3, atol=1e-4)
  patches = next(iter(clip_patches(embedded, 12)))[0]
  np.testing.assert_array_equal(patches[:, 0], found)


def test_labels_and_lengths_stay(small_records, embedded):
  old = RecordsFolder.open(small_records)
  tables = [read_label_table(records) for records in (old, embedded)]
  for name in ('rows', 'classes', 'states'):
    np.testing.assert_array_equal(*(getattr(table, name) for table in tables))
  for one, other in zip(
    read_clips(old, old.clip_ids), read_clips(embedded, old.clip_ids), strict=True
  ):
    assert one.labels == other.labels
    assert one.seconds == other.seconds
  assert embedded.counts == old.counts
  run = json.loads((embedded.path / 'run.json').read_text())
  assert run['network']['model'].endswith('tiny.keras')
  assert run['frames']['network'] == run['network']['digest']


def test_only_what_is_missing_is_embedded_again(network, small_records, tmp_path):
  config = EmbedConfig(str(network), str(small_records))
  for name in ('whole', 'stopped'):
    (tmp_path / name).mkdir()
  embed(config, tmp_path / 'whole')
  from audioset_ml.models.embed_stage import EmbedTask, ShardEmbedder

  out = tmp_path / 'stopped'
  (out / '.parts').mkdir()
  worker = ShardEmbedder(config, str(out), str(out / '.parts'))
  assert worker.write(EmbedTask(1, 5))['clips'] > 0
  (shard,) = out.glob('*.tfrecord')
  changed = shard.stat().st_mtime_ns
  embed(config, out)
  assert shard.stat().st_mtime_ns == changed
  for path in sorted((tmp_path / 'whole').iterdir()):
    assert (out / path.name).read_bytes() == path.read_bytes()


@pytest.mark.long
def test_killed_it_goes_on_to_the_same_bytes(
  network, embedded, small_records, tmp_path
):
  out = tmp_path / 'killed'
  flags = [f'--model={network}', f'--records={small_records}', f'--output_dir={out}']
  status = kill_stage_when(lambda: any(out.glob('.parts/*.json')), 'embed', *flags)
  assert status == -signal.SIGKILL
  before = {path: path.stat().st_mtime_ns for path in out.glob('records-*')}
  assert before
  assert not (out / 'run.json').exists()
  run_stage_ok('embed', *flags)
  assert any(path.stat().st_mtime_ns == changed for path, changed in before.items())
  assert tables_and_shards(out) == tables_and_shards(embedded.path)


@pytest.mark.parametrize('name', ['skipped.csv', 'notes.csv'])
def test_tables_that_are_no_text_are_told_first(small_records, tmp_path, name):
  records = tmp_path / 'records'
  shutil.copytree(small_records, records)
  (records / name).write_bytes(b'clip_id,\xff\n')
  (tmp_path / 'out').mkdir()
  config = EmbedConfig(str(tmp_path / 'no.keras'), str(records))
  with pytest.raises(InputError, match=f'{name}: cannot be read'):
    embed(config, tmp_path / 'out')


def test_embeddings_that_float16_cannot_hold(network, small_records, tmp_path):
  model = keras.saving.load_model(network, compile=False)
  # What normalisation adds, up to the embedding itself.
  for variable in model.weights:
    if variable.path.endswith('beta'):
      variable.assign(np.full(variable.shape, 1e6))
  path = tmp_path / 'broken.keras'
  model.save(path)
  flags = [f'--model={path}', f'--records={small_records}']
  done = run_stage('embed', *flags, f'--output_dir={tmp_path / "records"}')
  assert done.returncode == 1
  assert 'Traceback' not in done.stderr
  clip_id = RecordsFolder.open(small_records).clip_ids[0]
  assert f'broken.keras: its embeddings of {clip_id} are not all finite' in done.stderr


@pytest.mark.long
def test_a_head_trains_on_them_and_frames_are_evaluated(embedded, tmp_path):
  model, out = tmp_path / 'head', tmp_path / 'evaluation'
  flags = ['--architecture=linear', '--learning_rate=1e-2', '--batch_size=8']
  flags += [f'--records={embedded.path}', '--steps=20', f'--output_dir={model}']
  run_stage_ok('train', *flags)
  flags = [f'--model={model}', f'--records={embedded.path}', f'--output_dir={out}']
  run_stage_ok('evaluate', *flags, '--bootstrap=0', '--nofigures')
  metrics = json.loads((out / 'metrics.json').read_text())
  assert {'weak', 'strong'} <= set(metrics)
  assert tf.io.gfile.exists(str(model / 'model.keras'))


def test_embeddings_are_not_embedded(network, embedded, tmp_path):
  flags = [f'--model={network}', f'--records={embedded.path}']
  done = run_stage('embed', *flags, f'--output_dir={tmp_path / "again"}')
  assert done.returncode == 1
  assert 'is for log-mel spectrograms' in done.stderr


@pytest.mark.parametrize('stage', ['embed', 'score', 'evaluate'])
def test_a_model_of_other_patches_is_one_clear_line(small_records, tmp_path, stage):
  config = ModelConfig('mobilenet_v1_tiny', 3, 0.1, patch_frames=48, frame_values=32)
  build_model(config).save(tmp_path / 'other.keras')
  CLASS_MAP.write(tmp_path / 'class_map.csv')
  flags = [f'--model={tmp_path}/other.keras', f'--records={small_records}']
  done = run_stage(stage, *flags, f'--output_dir={tmp_path}/out')
  assert done.returncode == 1
  assert 'other.keras: takes inputs of shape (None, 48, 32), but' in done.stderr
  assert 'have (96, 64)' in done.stderr
  assert len(done.stderr.splitlines()) == 1
