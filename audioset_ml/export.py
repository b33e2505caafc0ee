"""A trained model to a SavedModel that takes waveforms, as YAMNet on TensorFlow Hub.

  model = tf.saved_model.load(FOLDER/saved_model)
  scores, embeddings, log_mel = model(waveform)   # [samples] at 16 kHz, in [-1, 1]
  model.class_map_path()                          # the class map, an asset

Of a model of embeddings (mlp, linear) the SavedModel takes embeddings:

  scores, hidden = model(frames)   # [frames, values], as records hold them, dequantised

With --embedder, the network that `embed` ran over the model's records, it takes
waveforms, too: that network and the model on its embeddings.

The written model is loaded again and compared with the Keras model.

--formats names more: litert (LiteRT, formerly TensorFlow Lite), onnx, and keras, one
file of Keras's own layers. Of the first two there are files that take waveforms, with
the front end in them, and the network alone, which takes log-mel patches; in litert/
with weights of 32, 16 and 8 bits, and with --calibration_records of 8 bits in all that
it computes. Each file holds its classes, is opened by its own runtime and compared with
the Keras model. `evaluate`, `score` and `tag` take each of them as --model.

MODEL_CARD.md says what the model was made of, as far as the folders that it came from
are still there, and what the folders of --evaluation measured, with intervals.

--page writes page/index.html beside them, which runs the ONNX file in a browser, on
sound files and the microphone; it opens without a server, and sends nothing anywhere.

Example:
  python -m audioset_ml.export --model=student --output_dir=exported
  python -m audioset_ml.export --model=head --embedder=yamnet.h5 \\
    --output_dir=exported
  python -m audioset_ml.export --model=student --formats=saved_model,litert,onnx \\
    --calibration_records=records/train --evaluation=evaluation --output_dir=exported
  python -m audioset_ml.export --model=student --formats=onnx --page \\
    --output_dir=exported
"""

import pathlib
from typing import Any

from absl import app, flags

from audioset_ml.deployment import forms, web_runtime
from audioset_ml.entry import stage, stage_folder

FLAGS = flags.FLAGS
stage_folder.define_folder_flags('page_runtime')
flags.DEFINE_string('model', None, 'Train folder, .keras file or yamnet.h5.')
flags.DEFINE_string('class_map', None, "The model's class map, if none lies beside it.")
flags.DEFINE_string(
  'embedder',
  '',
  'The network whose embeddings the model takes, as given to `embed`: a train folder, '
  'a checkpoint in one, .keras file or yamnet.h5.',
)
flags.DEFINE_list(
  'formats',
  [forms.SAVED_MODEL],
  f'What to write, of {", ".join(forms.FORMATS)}; several with commas between. onnx '
  'needs the extra: pip install audioset_ml[deploy].',
)
flags.DEFINE_string(
  'calibration_records',
  '',
  'Records by whose sound the files of int8 and int16x8 get the scales of their '
  'numbers; those that the model was trained on will do.',
)
flags.DEFINE_list(
  'evaluation',
  [],
  'Folders that `evaluate` wrote of this model, whose metrics the model card tells.',
)
flags.DEFINE_bool(
  'page',
  False,
  'Write a page that runs the model in a browser; needs onnx among --formats.',
)
flags.DEFINE_string(
  'page_runtime',
  '',
  f'What runs it there: {web_runtime.ARCHIVE}, as `{web_runtime.NPM_COMMAND}` writes '
  'it (33 MB), or its folder in node_modules. By default npm fetches it, once.',
)
flags.mark_flag_as_required('model')
flags.register_validator(
  'formats',
  lambda names: bool(names) and set(names) <= set(forms.FORMATS),
  f'--formats: each must be one of {", ".join(forms.FORMATS)}',
)


def main(_) -> None:
  if FLAGS.calibration_records and forms.LITERT not in FLAGS.formats:
    raise app.UsageError('--calibration_records does nothing without --formats=litert')
  if FLAGS.page and forms.ONNX not in FLAGS.formats:
    raise app.UsageError('--page runs an ONNX file: name onnx among --formats, too')
  if FLAGS.page_runtime and not FLAGS.page:
    raise app.UsageError('--page_runtime does nothing without --page')
  inputs = {'model': FLAGS.model, 'embedder': FLAGS.embedder}
  if FLAGS.calibration_records:
    inputs['calibration_records'] = FLAGS.calibration_records
  if FLAGS.evaluation:
    inputs['evaluation'] = FLAGS.evaluation
  with stage_folder.output_folder(
    FLAGS.output_dir,
    inputs,
    check=_check,
    other_inputs={'class_map': FLAGS.class_map, 'page_runtime': FLAGS.page_runtime},
  ) as folder:
    from audioset_ml.models.embedder import find_embedder
    from audioset_ml.models.model_checks import require_classes

    forms.require_packages(FLAGS.formats)
    require_classes(FLAGS.model, FLAGS.class_map)
    if FLAGS.embedder:
      find_embedder(FLAGS.model, FLAGS.embedder)
    card, runtime = _open_card(), None
    if FLAGS.page:
      _require_page()
      runtime = web_runtime.find(FLAGS.page_runtime)
    written = []
    if forms.SAVED_MODEL in FLAGS.formats:
      written.append(_write_saved_model(folder))
    if set(FLAGS.formats) - {forms.SAVED_MODEL}:
      written += _write_files(folder)
    if runtime:
      written.append(_write_page(folder, runtime))
    card.write(folder.path, written, FLAGS.formats)
  print(*(f'{folder.path / name}: {what}' for name, what in written), sep='\n')
  _say_what_needs_sound()
  if forms.LITERT in FLAGS.formats and not FLAGS.calibration_records:
    lacking = [form.file for form in forms.FORMS if form.is_calibrated]
    print(f'{", ".join(lacking)}: not written without --calibration_records')


def _say_what_needs_sound() -> None:
  """Says which files are not written of a model of embeddings alone."""
  from audioset_ml.models.model_files import ModelFiles

  frames = ModelFiles.find(FLAGS.model).frames
  lacking = [
    form.file
    for form in forms.FORMS
    if form.format in FLAGS.formats and form.needs_sound
  ]
  if lacking and not FLAGS.embedder and frames.front_end is None:
    remedy = '; give their network as --embedder' if frames.network else ''
    print(f'{", ".join(lacking)}: not written, for the model takes embeddings{remedy}')


def _open_card():
  from audioset_ml.model_cards.card import CardConfig, ModelCard

  return ModelCard.open(
    CardConfig(
      FLAGS.model, FLAGS.class_map or '', FLAGS.embedder, tuple(FLAGS.evaluation)
    )
  )


def _check() -> dict[str, Any]:
  from audioset_ml.deployment.input_counts import count_inputs

  forms.require_packages(FLAGS.formats)
  _open_card()
  if FLAGS.page:
    _require_page()
    web_runtime.require(FLAGS.page_runtime)
  return count_inputs(
    FLAGS.model, FLAGS.class_map, FLAGS.embedder, FLAGS.calibration_records
  )


def _require_page() -> None:
  from audioset_ml.reporting import hearing_page

  hearing_page.require(FLAGS.model, FLAGS.embedder)


def _write_saved_model(folder: stage_folder.StageFolder) -> tuple[str, str]:
  """Writes the SavedModel; its name, and what there is to say of it."""
  # Not before: what is wrong is told without TensorFlow's start.
  from audioset_ml.models.saved_model import export_trained_model

  path = folder.path / forms.SAVED_MODEL
  folder.counts = export_trained_model(
    FLAGS.model, FLAGS.class_map, path, FLAGS.embedder
  )
  return path.name, 'written, loaded again and equal to the Keras model'


def _write_files(folder: stage_folder.StageFolder) -> list[tuple[str, str]]:
  """Writes files of other formats; their names, and what there is to say of them."""
  from audioset_ml.deployment import exporting
  from audioset_ml.models.trained import open_with_embedder

  trained = open_with_embedder(FLAGS.model, FLAGS.class_map, FLAGS.embedder)
  files = exporting.export_files(
    trained, FLAGS.formats, folder.path, FLAGS.calibration_records
  )
  folder.counts = {
    'classes': len(trained.files.require_class_map()),
    'parameters': trained.model.count_params(),
  }
  folder.details['files'] = {one.file: one.to_json() for one in files}
  return [(one.file, one.describe()) for one in files]


def _write_page(
  folder: stage_folder.StageFolder, runtime: web_runtime.WebRuntime
) -> tuple[str, str]:
  """Writes the page; its name, and what there is to say of it."""
  from audioset_ml.reporting import hearing_page

  name = pathlib.Path(FLAGS.model).name
  page = hearing_page.write_hearing_page(folder.path, name, runtime)
  folder.details['page'] = page
  return page['file'], f'{page["bytes"] / 1e6:.1f} MB; a browser opens it'


if __name__ == '__main__':
  stage.run(main)
