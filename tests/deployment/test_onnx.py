"""ONNX files by `export`, run by ONNX Runtime; needs the extra `deploy`."""

import json
import shutil

import numpy as np
import pytest

from audioset_ml.core.errors import ModelError
from audioset_ml.core.packages import is_installed
from audioset_ml.deployment import checking, exporting, forms
from audioset_ml.models.exported_model import ExportedModel
from audioset_ml.models.trained import TrainedModel
from audioset_ml.models.waveform_loading import load_waveform_model
from tests.integration.test_score import write_model
from tests.small_data import CLASS_MAP
from tests.stages import run_stage_ok

pytestmark = pytest.mark.optional
NEEDS_DEPLOY = "needs `make deploy`: pip install 'audioset_ml[deploy]'"


@pytest.fixture(scope='module')
def onnx():
  for name in ('onnx', 'tf2onnx', 'onnxruntime'):
    if not is_installed(name):
      pytest.skip(NEEDS_DEPLOY)
  import onnx

  return onnx


@pytest.fixture(scope='module')
def model(tmp_path_factory):
  return write_model(tmp_path_factory.mktemp('model') / 'tiny', seed=1)


@pytest.fixture(scope='module')
def exported(onnx, model, tmp_path_factory):
  """The folder of a model's ONNX files, by the entry point."""
  folder = tmp_path_factory.mktemp('onnx') / 'exported'
  flags = ('--formats=onnx', f'--output_dir={folder}')
  said = run_stage_ok('export', f'--model={model}', *flags)
  assert said.count('differs from the Keras model by at most') == 2
  return folder


def test_files_say_what_they_are(exported, onnx):
  for name, dimensions in (
    ('waveform', ['samples']),
    ('patches', ['batch', 96, 64]),
  ):
    found = onnx.load(exported / f'onnx/{name}.onnx')
    onnx.checker.check_model(found, full_check=True)
    (opset,) = (one.version for one in found.opset_import if not one.domain)
    assert opset == forms.ONNX_OPSET
    assert {one.domain for one in found.opset_import} <= {'', 'ai.onnx.ml'}
    (given,) = found.graph.input
    sizes = given.type.tensor_type.shape.dim
    assert [one.dim_param or one.dim_value for one in sizes] == dimensions
    properties = {one.key: one.value for one in found.metadata_props}
    assert properties['labels.txt'].splitlines() == list(CLASS_MAP.names)
    kinds = {node.op_type for node in found.graph.node}
    assert not kinds & {'DFT', 'STFT', 'Loop', 'If'}
    assert all(not node.domain for node in found.graph.node)


def test_give_the_keras_models_scores_at_any_batch(exported, model):
  trained = TrainedModel.open(model)
  form = next(f for f in forms.FORMS if f.file == 'onnx/patches.onnx')
  one = ExportedModel.open(exported / form.file)
  given = checking.generated_patches(trained.model, trained.frames.front_end)
  for number in (1, 7, 65, 133):
    patches = np.concatenate([given] * 20)[:number]
    found = checking.compare(form, one, trained.model, patches)
    assert found.highest < form.tolerance


@pytest.mark.parametrize('hop_frames', [48, 20])
def test_waveforms_at_any_hop(exported, model, hop_frames):
  keras_model = load_waveform_model(model)
  sound = checking.generated_sound(keras_model.front_end, 30_000)
  wanted = keras_model.at_hop(sound, hop_frames)
  for name in ('waveform', 'patches'):
    one = load_waveform_model(exported / f'onnx/{name}.onnx')
    for want, got in zip(wanted, one.at_hop(sound, hop_frames), strict=True):
      want = np.asarray(want)[: len(got)]
      np.testing.assert_allclose(got, want, rtol=0, atol=2e-3)


def test_evaluate_score_and_tag_take_them(
  exported, model, small_data, small_records, tmp_path
):
  path = exported / 'onnx/patches.onnx'
  records = f'--records={small_records}'
  for name, one in (('keras', model), ('onnx', path)):
    run_stage_ok('score', f'--model={one}', records, f'--output_dir={tmp_path / name}')
    out = f'--output_dir={tmp_path / name}_evaluated'
    run_stage_ok('evaluate', f'--model={one}', records, out)
  scores = [np.load(tmp_path / name / 'scores.npy') for name in ('keras', 'onnx')]
  np.testing.assert_allclose(scores[1], scores[0], rtol=0, atol=1e-5)
  values = [
    json.loads((tmp_path / f'{name}_evaluated/metrics.json').read_text())
    for name in ('keras', 'onnx')
  ]
  assert values[0]['weak'] == pytest.approx(values[1]['weak'], abs=1e-6)
  sound = next((small_data / 'audio').glob('*.flac'))
  assert 'Low tone' in run_stage_ok('tag', f'--model={path}', str(sound))
  # A mean of files of two runtimes.
  out = tmp_path / 'mean'
  run_stage_ok('score', f'--model={path},{model}', records, f'--output_dir={out}')
  np.testing.assert_allclose(np.load(out / 'scores.npy'), scores[0], rtol=0, atol=1e-5)


def test_a_file_that_is_none_of_export_is_an_error(exported, onnx, tmp_path):
  path = tmp_path / 'damaged.onnx'
  whole = (exported / 'onnx/patches.onnx').read_bytes()
  path.write_bytes(whole[: len(whole) // 2])
  with pytest.raises(ModelError, match=r'damaged\.onnx: cannot be run'):
    ExportedModel.open(path)
  shutil.copy(exported / 'onnx/patches.onnx', path)
  found = onnx.load(path)
  del found.metadata_props[:]
  onnx.save(found, path)
  with pytest.raises(ModelError, match='no ONNX file that `export` has written'):
    ExportedModel.open(path)


def test_a_head_and_its_network(onnx, tmp_path):
  """A model in two parts, of which the head is a layer of the whole."""
  import keras

  from audioset_ml.models.config import ModelConfig
  from audioset_ml.models.layers import with_plain_layers
  from audioset_ml.models.model_files import ModelFiles
  from audioset_ml.models.registry import build_model, head_on_network
  from audioset_ml.records.frames import FrameFormat

  network = build_model(ModelConfig('mobilenet_v1_tiny', 5, 0.1))
  values = network.get_layer('embeddings').output.shape[-1]
  head = build_model(ModelConfig('mlp', 3, patch_frames=1, frame_values=values))
  whole = head_on_network(head, network)
  files = ModelFiles(tmp_path / 'head', FrameFormat.log_mel(), CLASS_MAP)
  trained = TrainedModel(files, whole)
  written = exporting.export_files(trained, ['onnx', 'keras', 'litert'], tmp_path / 'e')
  assert len(written) == 8
  plain = with_plain_layers(whole)
  kinds = {type(layer).__name__ for layer in plain._flatten_layers()}
  assert 'FusedBatchNormalization' not in kinds
  assert keras.saving.load_model(tmp_path / 'e/model.keras').count_params()
  # The head alone takes embeddings: there is no sound in it, nor a front end.
  frames = FrameFormat.log_mel().embeddings(values, 'digest', 'embeddings')
  files = ModelFiles(tmp_path / 'head', frames, CLASS_MAP)
  alone = exporting.export_files(
    TrainedModel(files, head), ['onnx', 'litert'], tmp_path / 'h'
  )
  assert {one.file for one in alone} == {
    'litert/patches_float32.tflite',
    'litert/patches_float16.tflite',
    'litert/patches_dynamic_int8.tflite',
    'onnx/patches.onnx',
  }
  with pytest.raises(ModelError, match='takes embeddings, not waveforms'):
    load_waveform_model(tmp_path / 'h/onnx/patches.onnx')
