"""A trained model to a SavedModel that takes waveforms, as YAMNet on TensorFlow Hub.

  model = tf.saved_model.load(FOLDER/saved_model)
  scores, embeddings, log_mel = model(waveform)   # [samples] at 16 kHz, in [-1, 1]
  model.class_map_path()                          # the class map, an asset

Of a model of embeddings (mlp, linear) the SavedModel takes embeddings:

  scores, hidden = model(frames)   # [frames, values], as records hold them, dequantised

With --embedder, the network that `embed` ran over the model's records, it takes
waveforms, too: that network and the model on its embeddings.

The written model is loaded again and compared with the Keras model.

Example:
  python -m audioset_ml.export --model=student --output_dir=exported
  python -m audioset_ml.export --model=head --embedder=yamnet.h5 \\
    --output_dir=exported
"""

from absl import flags

from audioset_ml.entry import checks, stage

FLAGS = flags.FLAGS
stage.define_folder_flags()
flags.DEFINE_string('model', None, 'Train folder, .keras file or yamnet.h5.')
flags.DEFINE_string('class_map', None, "The model's class map, if none lies beside it.")
flags.DEFINE_string(
  'embedder',
  '',
  'The network whose embeddings the model takes, as given to `embed`: a train folder, '
  'a checkpoint in one, .keras file or yamnet.h5.',
)
flags.mark_flag_as_required('model')


def main(_) -> None:
  with stage.output_folder(
    FLAGS.output_dir,
    {'model': FLAGS.model, 'embedder': FLAGS.embedder},
    check=lambda: checks.export(FLAGS.model, FLAGS.class_map, FLAGS.embedder),
    other_inputs={'class_map': FLAGS.class_map},
  ) as folder:
    from audioset_ml.models.embedder import find_embedder
    from audioset_ml.models.model_files import require_classes

    require_classes(FLAGS.model, FLAGS.class_map)
    if FLAGS.embedder:
      find_embedder(FLAGS.model, FLAGS.embedder)
    # Not before: what is wrong is told without TensorFlow's start.
    from audioset_ml.models.saved_model import export_trained_model

    path = folder.path / 'saved_model'
    folder.counts = export_trained_model(
      FLAGS.model, FLAGS.class_map, path, FLAGS.embedder
    )
  print(f'{path}: written, loaded again and equal to the Keras model')


if __name__ == '__main__':
  stage.run(main)
