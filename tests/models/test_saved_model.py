"""Waveform models: exported, loaded, compared; wrong ones named."""

import shutil

import numpy as np
import pytest
import tensorflow as tf

from audioset_ml.audio import features
from audioset_ml.audio.front_end import FrontEnd
from audioset_ml.core.errors import ModelError
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.models.config import ModelConfig
from audioset_ml.models.registry import build_model, embedding_model
from audioset_ml.models.saved_model import export_saved_model, export_trained_model
from audioset_ml.models.waveform_loading import load_waveform_model
from audioset_ml.models.waveform_model import WaveformModel

pytestmark = pytest.mark.few

CLASSES = ClassMap(('/m/a', '/m/b', '/m/c'), ('Bark', 'Rain, heavy', 'Siren'))
LENGTHS = [0, 1, 15600, 15601, 40000]


def build(num_classes=3, **arguments):
  return build_model(
    ModelConfig('mobilenet_v1_tiny', num_classes, width_multiplier=0.1, **arguments)
  )


def noise(samples):
  return np.random.default_rng(samples).uniform(-1, 1, samples).astype('float32')


@pytest.fixture(scope='module')
def model():
  model = build()
  for _ in range(3):  # moving statistics that differ from their start
    model(np.random.default_rng(0).normal(-2, 2, (4, 96, 64)), training=True)
  return model


@pytest.fixture(scope='module')
def class_map_path(tmp_path_factory):
  path = tmp_path_factory.mktemp('classes') / 'class_map.csv'
  CLASSES.write(path)
  return path


@pytest.fixture(scope='module')
def exported(model, class_map_path, tmp_path_factory):
  folder = tmp_path_factory.mktemp('export') / 'saved_model'
  export_saved_model(model, FrontEnd(), class_map_path, folder)
  return folder


@pytest.fixture(scope='module')
def loaded(exported):
  return load_waveform_model(exported)


def expected_outputs(model, waveform):
  front_end = FrontEnd()
  padded = features.pad_waveform(waveform, front_end)
  log_mel = features.log_mel_spectrogram(padded, front_end)
  logits, embeddings = embedding_model(model)(
    features.frame_patches(log_mel, front_end)
  )
  return tf.sigmoid(logits), embeddings, log_mel


def assert_outputs(got, expected):
  for ours, want in zip(got, expected, strict=True):
    assert ours.shape == want.shape
    assert ours.dtype == 'float32'
    np.testing.assert_allclose(ours, want, rtol=0, atol=1e-5)


@pytest.fixture(scope='module')
def waveform_model(model):
  return WaveformModel(model, FrontEnd())


@pytest.mark.parametrize('samples', LENGTHS)
def test_waveform_model_is_the_front_end_and_the_model(model, waveform_model, samples):
  waveform = noise(samples)
  scores, embeddings, log_mel = waveform_model(waveform)
  assert_outputs((scores, embeddings, log_mel), expected_outputs(model, waveform))
  assert scores.shape == (1 + -(-max(samples - 15600, 0) // 7680), 3)
  assert np.min(scores) >= 0
  assert np.max(scores) <= 1


@pytest.mark.parametrize('samples', LENGTHS)
def test_exported_model_equals_the_keras_model(model, loaded, samples):
  waveform = noise(samples)
  assert_outputs(loaded(waveform), expected_outputs(model, waveform))


def test_exported_model_needs_only_tensorflow(model, exported, tmp_path):
  moved = exported.rename(tmp_path / 'moved')
  try:
    function = tf.saved_model.load(str(moved))
    assert_outputs(function(noise(20000)), expected_outputs(model, noise(20000)))
    class_map_path = function.class_map_path().numpy().decode()
    assert class_map_path.startswith(str(moved))
    assert ClassMap.read(class_map_path) == CLASSES
  finally:
    moved.rename(exported)


def test_serving_signature(model, exported):
  signature = tf.saved_model.load(str(exported)).signatures['serving_default']
  outputs = signature(waveform=tf.constant(noise(20000)))
  scores, embeddings, log_mel = expected_outputs(model, noise(20000))
  assert set(outputs) == {'scores', 'embeddings', 'log_mel'}
  assert_outputs(
    (outputs['scores'], outputs['embeddings'], outputs['log_mel']),
    (scores, embeddings, log_mel),
  )


@pytest.mark.parametrize(('batch', 'samples'), [(1, 0), (3, 15601), (2, 40000)])
def test_batch_signature_scores_each_waveform(model, exported, batch, samples):
  signature = tf.saved_model.load(str(exported)).signatures['batch']
  waveforms = np.stack([noise(samples) * 0.5**i for i in range(batch)])
  outputs = signature(waveforms=tf.constant(waveforms))
  for index, waveform in enumerate(waveforms):
    got = [outputs[name][index] for name in ('scores', 'embeddings', 'log_mel')]
    assert_outputs(got, expected_outputs(model, waveform))


def test_batch_signature_refuses_integers(exported):
  signature = tf.saved_model.load(str(exported)).signatures['batch']
  with pytest.raises(tf.errors.InvalidArgumentError, match='whole numbers'):
    signature(waveforms=tf.constant([[1.0, 300.0]]))


def test_loaded_model_names_its_classes(loaded):
  assert loaded.mids == CLASSES.mids
  assert loaded.class_names == CLASSES.names


def test_export_leaves_nothing_else(exported):
  assert [path.name for path in exported.parent.iterdir()] == [exported.name]


@pytest.mark.long
def test_export_replaces_a_saved_model_only(model, class_map_path, tmp_path):
  folder = tmp_path / 'saved_model'
  folder.mkdir()
  export_saved_model(model, FrontEnd(), class_map_path, folder)
  other = build(seed=1)
  export_saved_model(other, FrontEnd(), class_map_path, folder)
  assert_outputs(
    load_waveform_model(folder)(noise(9)), expected_outputs(other, noise(9))
  )
  precious = tmp_path / 'precious'
  precious.mkdir()
  (precious / 'thesis.txt').write_text('all of it')
  with pytest.raises(ModelError, match='no SavedModel'):
    export_saved_model(model, FrontEnd(), class_map_path, precious)
  assert (precious / 'thesis.txt').read_text() == 'all of it'


def test_model_that_gives_nan_is_not_exported(class_map_path, tmp_path):
  broken = build()
  broken.get_layer('logits').bias.assign([0.0, np.nan, 0.0])
  with pytest.raises(ModelError, match='scores differ by nan'):
    export_saved_model(broken, FrontEnd(), class_map_path, tmp_path / 'saved_model')
  assert not list(tmp_path.iterdir())


def test_class_map_of_another_model_is_not_exported(model, tmp_path):
  path = tmp_path / 'class_map.csv'
  ClassMap(('/m/a', '/m/b'), ('Bark', 'Rain')).write(path)
  with pytest.raises(ModelError, match=r'class_map\.csv.*2 classes.*3'):
    export_saved_model(model, FrontEnd(), path, tmp_path / 'saved_model')


def test_front_end_of_another_model(class_map_path, tmp_path):
  model = build(patch_frames=48)
  with pytest.raises(ModelError, match=r'\(96, 64\).*\(48, 64\)'):
    export_saved_model(model, FrontEnd(), class_map_path, tmp_path / 'saved_model')


@pytest.mark.long
def test_another_front_end_is_exported_with_its_model(class_map_path, tmp_path):
  front_end = FrontEnd(mel_bands=32, patch_window_seconds=0.48)
  model = build(patch_frames=48, frame_values=32)
  export_saved_model(model, front_end, class_map_path, tmp_path / 'saved_model')
  scores, _, log_mel = load_waveform_model(tmp_path / 'saved_model')(noise(30000))
  assert log_mel.shape[1] == 32
  assert scores.shape == (4, 3)  # 7,920 samples, then 3 hops of 7,680


@pytest.mark.long
def test_keras_file_with_the_class_map_beside_it(model, class_map_path, tmp_path):
  model.save(tmp_path / 'model.keras')
  with pytest.raises(ModelError, match=r'model\.keras.*class'):
    load_waveform_model(tmp_path / 'model.keras')
  named = load_waveform_model(tmp_path / 'model.keras', class_map_path)
  CLASSES.write(tmp_path / 'class_map.csv')
  found = load_waveform_model(tmp_path / 'model.keras')
  for loaded in (named, found):
    assert loaded.class_names == CLASSES.names
    assert_outputs(loaded(noise(20000)), expected_outputs(model, noise(20000)))


def test_class_map_with_another_number_of_rows(exported, model, tmp_path):
  path = tmp_path / 'two.csv'
  ClassMap(('/m/a', '/m/b'), ('Bark', 'Rain')).write(path)
  model.save(tmp_path / 'model.keras')
  for source in (exported, tmp_path / 'model.keras'):
    with pytest.raises(ModelError, match=r'3 outputs.*2 classes'):
      load_waveform_model(source, path)


def test_yamnet_weights_with_the_class_map_beside_them(shared_data):
  reference = np.load(shared_data('yamnet/yamnet_code_reference_outputs.npz'))
  loaded = load_waveform_model(shared_data('yamnet/yamnet_approx.h5'))
  scores = loaded(reference['Dog_bark|waveform'])[0]
  np.testing.assert_allclose(scores, reference['Dog_bark|scores'], rtol=0, atol=1e-5)
  best = np.argsort(np.mean(scores, axis=0))[::-1][:5]
  assert 'Dog' in {loaded.class_names[index] for index in best}


@pytest.mark.long
def test_export_of_a_model_file(model, tmp_path):
  model.save(tmp_path / 'model.keras')
  CLASSES.write(tmp_path / 'class_map.csv')
  counts = export_trained_model(
    tmp_path / 'model.keras', None, tmp_path / 'deep' / 'saved_model'
  )
  assert counts == {'classes': 3, 'parameters': model.count_params()}
  loaded = load_waveform_model(tmp_path / 'deep' / 'saved_model')
  assert loaded.class_names == CLASSES.names


@pytest.mark.parametrize('shape', [(), (2, 16000), (1, 16000)])
def test_waveform_must_be_mono(loaded, shape):
  with pytest.raises(ModelError, match='mono'):
    loaded(np.zeros(shape))


@pytest.mark.parametrize('kind', [np.int16, np.int32, np.uint8, np.int64, bool])
def test_integer_waveforms_are_refused(loaded, kind):
  with pytest.raises(ModelError, match='divide 16-bit samples by 32768') as error:
    loaded((100 * noise(20000)).astype(kind))
  assert '\n' not in str(error.value)


@pytest.mark.parametrize('kind', [np.int16, np.float32, np.float64])
def test_integer_samples_are_refused_wherever_they_come_in(exported, loaded, kind):
  samples = (20000 * noise(20000)).astype(np.int16).astype(kind)
  with pytest.raises(ModelError, match='divide 16-bit samples by 32768'):
    loaded(samples)
  function = tf.saved_model.load(str(exported))
  signature = function.signatures['serving_default']
  as_floats = tf.constant(samples, tf.float32)
  for call in (
    lambda: function(samples.astype(kind)),
    lambda: function(as_floats),
    lambda: signature(waveform=as_floats),
  ):
    with pytest.raises(tf.errors.InvalidArgumentError, match='divide 16-bit samples'):
      call()


@pytest.mark.parametrize('samples', [[0.0], [0.0, 1.0, -1.0], [1.5, -0.25], [2.5, 7.1]])
def test_floats_are_taken_as_they_are(loaded, samples):
  assert loaded(np.array(samples, np.float32))[0].shape == (1, 3)


@pytest.mark.long
def test_a_saved_model_says_its_front_end(class_map_path, tmp_path):
  front_end = FrontEnd(sample_rate=8000, mel_max_hz=3500.0, mel_bands=32)
  model = build(frame_values=32)
  export_saved_model(model, front_end, class_map_path, tmp_path / 'saved_model')
  assert load_waveform_model(tmp_path / 'saved_model').front_end == front_end


def test_audiosets_class_map_serves_for_yamnets_outputs(shared_data, tmp_path):
  weights = shared_data('yamnet/yamnet_approx.h5')
  classes = shared_data('audioset/class_labels_indices.csv')
  loaded = load_waveform_model(weights, classes)
  assert len(loaded.mids) == 521
  assert loaded.class_names[0] == 'Speech'
  assert loaded.class_names[-1] == 'Field recording'


def test_broken_saved_model(tmp_path):
  (tmp_path / 'saved_model.pb').write_bytes(b'not a model')
  with pytest.raises(ModelError, match=str(tmp_path)):
    load_waveform_model(tmp_path)


def test_saved_model_without_a_function_of_waveforms(tmp_path):
  tf.saved_model.save(tf.Module(), str(tmp_path))
  with pytest.raises(ModelError, match='cannot be called'):
    load_waveform_model(tmp_path)


@pytest.mark.parametrize(
  ('shape', 'message'),
  [([None, 10], 'cannot be called with a waveform'), ([None], 'gives no scores of')],
)
def test_saved_models_of_other_signatures_are_one_line(
  class_map_path, tmp_path, shape, message
):
  class Other(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec(shape)])
    def __call__(self, values):
      return values, values, values

  tf.saved_model.save(Other(), str(tmp_path))
  with pytest.raises(ModelError, match=message) as error:
    load_waveform_model(tmp_path, class_map_path)
  assert '\n' not in str(error.value)


def test_broken_keras_file(tmp_path, class_map_path):
  (tmp_path / 'model.keras').write_bytes(b'not a model')
  with pytest.raises(ModelError, match=r'model\.keras'):
    load_waveform_model(tmp_path / 'model.keras', class_map_path)


@pytest.mark.parametrize(
  'name',
  [
    *('saved_model.pb', 'fingerprint.pb', 'variables/variables.index'),
    'variables/variables.data-00000-of-00001',
  ],
)
def test_a_cut_file_is_one_clear_line(exported, tmp_path, capfd, name):
  folder = tmp_path / 'cut'
  shutil.copytree(exported, folder)
  content = (folder / name).read_bytes()
  (folder / name).write_bytes(content[: len(content) // 2])
  with pytest.raises(ModelError) as error:
    load_waveform_model(folder)
  assert str(error.value).startswith(f'{folder}: the SavedModel cannot be loaded (')
  assert '\n' not in str(error.value)
  assert 'Traceback' not in capfd.readouterr().err
