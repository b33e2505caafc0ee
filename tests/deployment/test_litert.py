"""LiteRT files by `export`: their numbers, names and classes; scoring with them."""

import dataclasses
import io
import json
import shutil
import zipfile

import numpy as np
import pytest
import tensorflow as tf

from audioset_ml.core.errors import ModelError
from audioset_ml.deployment import checking, conversion, exporting, forms
from audioset_ml.models.exported_file import Description
from audioset_ml.models.exported_model import ExportedModel
from audioset_ml.models.trained import TrainedModel
from audioset_ml.models.waveform_loading import load_waveform_model
from audioset_ml.records.frames import FrameFormat
from tests.deployment.litert_reading import Table, metadata_of
from tests.integration.test_score import write_model
from tests.small_data import CLASS_MAP
from tests.stages import run_stage, run_stage_ok

FILES = [form for form in forms.FORMS if form.format == forms.LITERT]


@pytest.fixture(scope='module')
def model(tmp_path_factory):
  return write_model(tmp_path_factory.mktemp('model') / 'tiny', seed=1)


@pytest.fixture(scope='module')
def exported(model, small_records, tmp_path_factory):
  """A folder of all LiteRT files and a Keras file, by the entry point; what it said."""
  folder = tmp_path_factory.mktemp('litert') / 'exported'
  flags = ('--formats=litert,keras', f'--calibration_records={small_records}')
  said = run_stage_ok('export', f'--model={model}', *flags, f'--output_dir={folder}')
  return folder, said


def test_every_file_is_written_and_compared(exported):
  folder, said = exported
  run_json = json.loads((folder / 'run.json').read_text())
  assert run_json['counts']['classes'] == 3
  assert not (folder / 'saved_model').exists()
  for form in FILES:
    assert f'{folder}/{form.file}: ' in said
    state = run_json['files'][form.file]
    assert state['kept'] is (folder / form.file).is_file()
    if form.numbers in ('float32', 'float16', 'int16x8'):
      assert state['highest'] < form.tolerance
      assert state['bytes'] == (folder / form.file).stat().st_size
      assert form.file in run_json['model_files']
  sizes = {name: state['bytes'] for name, state in run_json['files'].items()}
  assert sizes['litert/patches_float16.tflite'] < sizes['litert/patches_float32.tflite']


@pytest.mark.parametrize('form', FILES, ids=lambda form: form.name)
def test_gives_the_keras_models_scores(form, exported, model, small_records):
  path = exported[0] / form.file
  if not path.exists():
    pytest.skip('this network does not bear such numbers')
  trained = TrainedModel.open(model)
  given = exporting.calibration_patches(str(small_records), trained)
  # More than at once, and a number that is no multiple of it.
  given = np.concatenate([given] * 8)[:133]
  found = checking.compare(form, ExportedModel.open(path), trained.model, given)
  assert found.highest < form.tolerance


@pytest.mark.parametrize('form', FILES, ids=lambda form: form.name)
def test_metadata_are_read_by_the_published_schema(form, exported):
  path = exported[0] / form.file
  if not path.exists():
    pytest.skip('this network does not bear such numbers')
  root = metadata_of(path.read_bytes())
  assert root.text(0) == 'audioset_ml'
  assert 'scores 3 classes' in root.text(1)
  (graph,) = root.tables(3)
  (given,) = graph.tables(2)
  properties = given.table(3)
  if form.takes == 'patches':
    assert given.text(0) == 'patches'
    assert properties.number(0, 'Uint8') == 1  # FeatureProperties
  else:
    assert given.text(0) == 'waveform'
    assert properties.number(0, 'Uint8') == 4  # AudioProperties
    audio = properties.table(1)
    assert (audio.number(0), audio.number(1)) == (16_000, 1)  # Hz, channels
  outputs = graph.tables(3)
  third = 'logits' if form.takes == 'patches' else 'log_mel'
  assert [one.text(0) for one in outputs] == ['scores', 'embeddings', third]
  (labels,) = outputs[0].tables(6)
  assert labels.number(2, 'Int8') == 2  # TENSOR_AXIS_LABELS
  with zipfile.ZipFile(path) as archive:
    names = archive.read(labels.text(0)).decode().splitlines()
  assert names == list(CLASS_MAP.names)


def test_weights_are_aligned_as_the_schema_asks(exported):
  model = Table.root((exported[0] / 'litert/patches_float32.tflite').read_bytes())
  starts = [one.data(0)[0] for one in model.tables(4) if one._place(0) is not None]
  assert len(starts) > 5
  assert not [start for start in starts if start % 16]


def test_a_program_without_this_package_calls_it_by_name(exported):
  path = exported[0] / 'litert/waveform.tflite'
  run = tf.lite.Interpreter(model_path=str(path)).get_signature_runner()
  outputs = run(waveform=np.zeros(40_000, np.float32))
  assert outputs['scores'].shape == (5, 3)
  assert outputs['log_mel'].shape == (288, 64)


@pytest.mark.long
@pytest.mark.parametrize('takes', ['waveform', 'waveform_one_patch', 'patches_float32'])
@pytest.mark.parametrize('hop_frames', [48, 20])
def test_at_any_hop_it_is_the_keras_model(takes, hop_frames, exported, model):
  """As `tag` calls it: whole patches of a waveform, every so many frames."""
  one = load_waveform_model(exported[0] / f'litert/{takes}.tflite')
  keras_model = load_waveform_model(model)
  sound = checking.generated_sound(one.front_end, 30_000)
  for want, got in zip(
    keras_model.at_hop(sound, hop_frames), one.at_hop(sound, hop_frames), strict=True
  ):
    got = np.asarray(got)
    # Frames behind the last patch are in no patch.
    np.testing.assert_allclose(got, np.asarray(want)[: len(got)], rtol=0, atol=2e-3)


@pytest.mark.long
def test_scores_of_records_are_the_keras_models(
  exported, model, small_records, tmp_path
):
  folder = exported[0]
  found = {}
  for name in (model, folder / 'model.keras', folder / 'litert/patches_float32.tflite'):
    out = tmp_path / str(len(found))
    flags = (f'--records={small_records}', f'--output_dir={out}', '--patch_scores')
    run_stage_ok('score', f'--model={name}', *flags)
    found[name] = np.load(out / 'scores.npy'), np.load(out / 'patch_scores.npy')
  first, *others = found.values()
  for other in others:
    np.testing.assert_allclose(other[0], first[0], rtol=0, atol=1e-5)
    np.testing.assert_allclose(other[1], first[1], rtol=0, atol=2e-3)  # float16


def test_scores_of_sounds(exported, small_data, small_records, tmp_path):
  flags = (f'--records={small_records}', f'--audio_dir={small_data / "audio"}')
  found = []
  for name in ('waveform', 'waveform_one_patch', 'patches_float32'):
    path = exported[0] / f'litert/{name}.tflite'
    run_stage_ok('score', f'--model={path}', *flags, f'--output_dir={tmp_path / name}')
    found.append(np.load(tmp_path / name / 'scores.npy'))
  np.testing.assert_allclose(found[1], found[0], rtol=0, atol=1e-4)
  np.testing.assert_allclose(found[2], found[0], rtol=0, atol=1e-2)  # float16 records


@pytest.mark.long
def test_evaluate_and_tag_take_it(exported, small_data, small_records, tmp_path):
  path = exported[0] / 'litert/patches_float16.tflite'
  flags = (f'--records={small_records}', f'--output_dir={tmp_path / "evaluation"}')
  assert 'd′' in run_stage_ok('evaluate', f'--model={path}', *flags)
  sound = next((small_data / 'audio').glob('*.flac'))
  said = run_stage_ok('tag', f'--model={path}', str(sound))
  assert said.count('\n') == 4
  assert 'Low tone' in said


@pytest.fixture
def a_file(exported, tmp_path):
  """A copy that may be changed."""
  shutil.copy(exported[0] / 'litert/patches_float32.tflite', tmp_path / 'a.tflite')
  return tmp_path / 'a.tflite'


def redescribed(path, **changes):
  """Gives a file another description."""
  content = path.read_bytes()
  with zipfile.ZipFile(path) as archive:
    described = json.loads(archive.read('audioset_ml.json'))
    start = min(entry.header_offset for entry in archive.infolist())
  stream = io.BytesIO(content[:start])
  with zipfile.ZipFile(stream, 'a') as archive:
    archive.writestr('audioset_ml.json', json.dumps({**described, **changes}))
  path.write_bytes(stream.getvalue())


OF_PATCHES = FrameFormat.log_mel().to_run()['front_end']


@pytest.mark.parametrize(
  ('changes', 'message'),
  [
    ({'classes': [['/m/a', 'A']]}, 'has 3 outputs, but its class map has 1'),
    ({'classes': 'many'}, "'classes' is no list"),
    ({'classes': [['/m/a']]}, 'no pairs of mid and name'),
    ({'takes': 'pictures'}, "'takes' is none of"),
    ({'takes': 'waveform'}, r'takes inputs of shape \[any, 96, 64\], but says'),
    (
      {'front_end': {**OF_PATCHES, 'mel_bands': 32}},
      r'shape \[any, 96, 64\], but says of itself \[any, 96, 32\]',
    ),
    ({'front_end': {**OF_PATCHES, 'hop_seconds': -1}}, 'must be positive'),
  ],
)
def test_what_a_file_says_of_itself_must_be_so(changes, message, a_file):
  redescribed(a_file, **changes)
  with pytest.raises(ModelError, match=message):
    ExportedModel.open(a_file)


def test_a_damaged_file_is_an_error(a_file):
  whole = a_file.read_bytes()
  with zipfile.ZipFile(a_file) as archive:
    start = min(entry.header_offset for entry in archive.infolist())
  a_file.write_bytes(whole[:start])
  with pytest.raises(ModelError, match='no LiteRT file that `export` has written'):
    ExportedModel.open(a_file)
  a_file.write_bytes(b'no model' * 100 + whole[start:])
  with pytest.raises(ModelError, match='cannot be run'):
    ExportedModel.open(a_file)


def test_other_classes_are_an_error(exported, a_file, small_records, tmp_path):
  other = dataclasses.replace(CLASS_MAP, mids=('/m/x', '/m/y', '/m/z'))
  other.write(tmp_path / 'other.csv')
  flags = (f'--records={small_records}', f'--output_dir={tmp_path / "scores"}')
  done = run_stage(
    'score', f'--model={a_file}', f'--class_map={tmp_path / "other.csv"}', *flags
  )
  assert done.returncode == 1
  assert done.stderr.count('\n') == 1
  assert '/m/low' in done.stderr


def test_a_file_that_was_changed_since_is_refused(exported, tmp_path):
  copy = tmp_path / 'copy'
  shutil.copytree(exported[0], copy)
  path = copy / 'litert/patches_float16.tflite'
  assert ExportedModel.open(path)
  path.write_bytes(path.read_bytes() + b'\0')
  with pytest.raises(ModelError, match='is not as it was written'):
    ExportedModel.open(path)


def test_a_folder_without_a_saved_model_says_what_is_in_it(exported, small_data):
  done = run_stage('tag', f'--model={exported[0]}', str(small_data / 'audio'))
  assert done.returncode == 1
  assert 'holds no SavedModel, but' in done.stderr
  assert 'patches_dynamic_int8.tflite say' in done.stderr


_ABORT = """
import os
os.write(2, b'LLVM ERROR: x\\n')
os.abort()
"""


class Abort:
  """Ends whatever process unpickles it, as a converter may."""

  path = 'a.tflite'

  def __reduce__(self):
    return exec, (_ABORT,)


def test_whatever_ends_a_converter_is_one_error():
  with pytest.raises(ModelError, match=r'signal 6 .*LLVM ERROR: x') as error:
    conversion.convert([Abort()])
  assert '\n' not in str(error.value)


def test_a_graph_that_cannot_be_converted_is_one_error(tmp_path):
  graph = conversion.FrozenGraph(b'no graph', 'patches', ('batch',), ('scores',))
  frames = FrameFormat.log_mel()
  described = Description('patches', frames, CLASS_MAP)
  one = conversion.Conversion(
    tmp_path / 'x.tflite', forms.LITERT, 'float32', graph, described
  )
  with pytest.raises(ModelError, match=r'x\.tflite: could not be converted: .*Error'):
    conversion.convert([one])
  assert not (tmp_path / 'x.tflite').exists()


def test_a_difference_above_the_bound_is_an_error(exported, model):
  """Another model's file: as a converter that computes something else."""
  trained = TrainedModel.open(model)
  one = ExportedModel.open(exported[0] / 'litert/patches_float32.tflite')
  weights = trained.model.get_weights()
  trained.model.set_weights([*weights[:-1], weights[-1] + 1])
  given = checking.generated_patches(trained.model, trained.frames.front_end)
  form = next(form for form in FILES if form.name == 'patches_float32')
  with pytest.raises(ModelError, match=r'scores differ by .* but 0\.0001 is allowed'):
    checking.compare(form, one, trained.model, given)
  approximate = dataclasses.replace(form, numbers='int8', tolerance=1e-9)
  found = checking.compare(approximate, one, trained.model, given)
  assert found.highest > 0.01
  assert found.correlation > 0.99
