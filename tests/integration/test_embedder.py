"""`export --embedder`: a head and the network under it, as one model of waveforms."""

import json

import keras
import numpy as np
import pytest
import soundfile
import tensorflow as tf

from audioset_ml.audio.decoding import load_audio
from audioset_ml.models import layers  # noqa: F401  registers the layers
from audioset_ml.models.registry import embedding_model
from audioset_ml.models.trained import TrainedModel
from audioset_ml.records.dataset import clip_patches
from audioset_ml.records.folder import RecordsFolder
from tests.small_embeddings import embed, write_network
from tests.stages import run_stage, run_stage_ok


@pytest.fixture(scope='module')
def network(tmp_path_factory):
  return write_network(tmp_path_factory.mktemp('network') / 'tiny.keras')


@pytest.fixture(scope='module')
def embedded(network, small_records, tmp_path_factory):
  out = tmp_path_factory.mktemp('embedded') / 'records'
  embed(network, small_records, out)
  return out


@pytest.fixture(scope='module')
def head(embedded, tmp_path_factory):
  """A head with a hidden layer, whose own embeddings are others than the network's."""
  out = tmp_path_factory.mktemp('head') / 'mlp'
  flags = ['--architecture=mlp', '--hidden_units=7', '--learning_rate=1e-2']
  flags += [f'--records={embedded}', '--batch_size=8', '--steps=30']
  run_stage_ok('train', *flags, f'--output_dir={out}')
  return out


@pytest.fixture(scope='module')
def exported(head, network, tmp_path_factory):
  out = tmp_path_factory.mktemp('exported') / 'out'
  flags = [f'--model={head}', f'--embedder={network}', f'--output_dir={out}']
  assert 'equal to the Keras model' in run_stage_ok('export', *flags)
  return out


def test_scores_are_those_of_the_head_on_the_embeddings(
  exported, head, network, embedded, small_data
):
  """Against the two Keras models one after the other, and the records of `embed`."""
  loaded = tf.saved_model.load(str(exported / 'saved_model'))
  below = embedding_model(keras.saving.load_model(network, compile=False))
  above = keras.saving.load_model(head / 'model.keras', compile=False)
  records = RecordsFolder.open(embedded)
  batches = clip_patches(records, 1)
  for clip_id, (frames, _) in zip(records.clip_ids[:4], batches, strict=False):
    waveform = load_audio(str(small_data / 'audio' / f'{clip_id}.flac'))
    scores, embeddings, log_mel = loaded(waveform)
    patches = tf.signal.frame(log_mel, 96, 48, axis=0)
    expected = below(patches)[1]
    np.testing.assert_allclose(embeddings, expected, atol=1e-5)
    logits = above(expected[:, np.newaxis])
    np.testing.assert_allclose(scores, tf.sigmoid(logits), atol=1e-5)
    # The records went through float16 twice, as spectrograms and as embeddings.
    np.testing.assert_allclose(embeddings, frames[:, 0], rtol=1e-2, atol=1e-3)
    np.testing.assert_allclose(scores, tf.sigmoid(above(frames)), atol=5e-3)


@pytest.mark.long
def test_its_provenance_names_the_network_and_a_changed_one_is_told(
  exported, head, network, tmp_path
):
  run_json = json.loads((exported / 'run.json').read_text())
  assert run_json['inputs'] == {'model': str(head), 'embedder': str(network)}
  assert run_json['counts']['classes'] == 3
  # Elsewhere the same network is the same, by its digest; but not for this folder.
  copy = tmp_path / 'copy.keras'
  copy.write_bytes(network.read_bytes())
  flags = [f'--model={head}', f'--output_dir={exported}']
  done = run_stage('export', *flags, f'--embedder={copy}')
  assert done.returncode == 1
  assert 'holds a run with other flags' in done.stderr
  run_stage_ok(
    'export',
    f'--model={head}',
    f'--embedder={copy}',
    f'--output_dir={tmp_path / "out"}',
  )


def test_the_head_alone_takes_no_sound(head, network, small_data):
  sound = small_data / 'audio' / 'clip0000000_0.flac'
  done = run_stage('tag', f'--model={head}', sound)
  assert done.returncode == 1
  assert done.stderr.count('\n') == 1
  assert f'takes embeddings of {network}, not waveforms; export it with' in done.stderr


def test_tag_and_score_take_it(exported, small_data, small_records, tmp_path):
  model, sound = exported / 'saved_model', tmp_path / 'short.wav'
  soundfile.write(sound, np.zeros(800), 16_000)  # shorter than a patch
  files = [small_data / 'audio' / 'clip0000000_0.flac', sound]
  arrays = tmp_path / 'arrays.npz'
  printed = run_stage_ok('tag', f'--model={model}', f'--output_npz={arrays}', *files)
  assert [str(file) in printed for file in files] == [True, True]
  assert 'Middle' in printed
  assert np.load(arrays)['short.wav|scores'].shape == (1, 3)
  flags = [f'--model={model}', f'--records={small_records}']
  flags += [f'--audio_dir={small_data}/audio', f'--output_dir={tmp_path / "scores"}']
  assert 'scores of 12 clips' in run_stage_ok('score', *flags)


@pytest.mark.slow
def test_a_head_of_a_network_of_its_own_is_exported(small_records, tmp_path):
  """The network may be a train folder, or a checkpoint in one."""
  network, records = tmp_path / 'network', tmp_path / 'records'
  flags = ['--architecture=mobilenet_v1_tiny', '--width_multiplier=0.1', '--steps=2']
  flags += [f'--records={small_records}', '--batch_size=4']
  run_stage_ok('train', *flags, f'--output_dir={network}')
  checkpoint = network / 'checkpoints' / 'ckpt-2'
  flags = [f'--model={checkpoint}', f'--records={small_records}']
  run_stage_ok('embed', *flags, f'--output_dir={records}')
  head = tmp_path / 'head'
  flags = ['--architecture=linear', '--steps=2', '--batch_size=4']
  run_stage_ok('train', *flags, f'--records={records}', f'--output_dir={head}')
  out = tmp_path / 'exported'
  flags = [f'--model={head}', f'--output_dir={out}']
  done = run_stage('export', *flags, f'--embedder={network}')
  assert done.returncode == 1
  assert 'not the network whose embeddings' in done.stderr
  printed = run_stage_ok('export', *flags, f'--embedder={checkpoint}', '--dry_run')
  assert 'classes: 3' in printed
  run_stage_ok('export', *flags, f'--embedder={checkpoint}')
  loaded = tf.saved_model.load(str(out / 'saved_model'))
  below = embedding_model(TrainedModel.open(checkpoint).model)
  _, embeddings, log_mel = loaded(tf.random.stateless_uniform([16_000], (0, 0)))
  patches = tf.signal.frame(log_mel, 96, 48, axis=0)
  np.testing.assert_allclose(embeddings, below(patches)[1], atol=1e-5)
