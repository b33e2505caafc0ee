"""Trains a classifier on records: a teacher or, with --label_set, a student.

The defaults are ML20's (Adam at 1e-5), but for the initial weights. A run that was
stopped goes on from its newest checkpoint when the same command is given again.

Example:
  python -m audioset_ml.train --records=records/train --output_dir=teacher
  python -m audioset_ml.train --records=records/train --output_dir=student \\
    --label_set=label_sets/discard_1
  tensorboard --logdir=teacher/logs
"""

from absl import flags

from audioset_ml import stage
from audioset_ml.models.config import ARCHITECTURES, WEIGHT_INITS
from audioset_ml.training.config import SCHEDULES

FLAGS = flags.FLAGS
stage.define_folder_flags('checkpoint_every')
flags.DEFINE_string('records', None, 'Folder of records to train on.')
flags.DEFINE_string('validation_records', '', 'Folder of records to evaluate on.')
flags.DEFINE_string(
  'label_set', '', 'Folder of a label set: its flagged labels are left out of the loss.'
)
flags.DEFINE_enum(
  'label_mode',
  'weak',
  ['weak', 'diffuse', 'strong'],
  "weak: the clip's labels on every patch; diffuse: its strong labels on every patch; "
  'strong: those that overlap the patch by half. The last two leave out clips without '
  'strong labels.',
)
flags.DEFINE_bool(
  'strong_clips_only', False, 'Leave out clips without strong labels in any mode.'
)
flags.DEFINE_string(
  'smear_ontology',
  '',
  "AudioSet's ontology.json: the ancestors of a positive are positive too, unless a "
  'person said otherwise.',
)
flags.DEFINE_string(
  'init_from',
  '',
  'Trained model to start from: a train folder, a .keras file or yamnet.h5. The '
  'classifier is made anew where the classes differ.',
)
flags.DEFINE_enum('architecture', 'mobilenet_v1', ARCHITECTURES, 'The network.')
flags.DEFINE_float('width_multiplier', 1.0, "Factor on the layers' filters.", 0)
flags.DEFINE_enum(
  'weight_init',
  'keras',
  WEIGHT_INITS,
  'keras: Glorot uniform; ml20: normal, standard deviation 0.001, with which '
  "MobileNetV1 does not start to learn under YAMNet's batch normalisation.",
)
flags.DEFINE_float('bias_start', 0.0, "Start of the classifier's biases, as a logit.")
flags.DEFINE_integer('steps', 100_000, 'Batches to train on.', 1)
flags.DEFINE_integer('batch_size', 64, 'Patches a batch.', 1)
flags.DEFINE_float('learning_rate', 1e-5, "Adam's learning rate at its peak.")
flags.DEFINE_float('warmup_fraction', 0.0, 'Share of the steps over which it rises.')
flags.DEFINE_enum('schedule', 'constant', SCHEDULES, 'Its course after the rise.')
flags.DEFINE_float('final_fraction', 0.1, 'Share of it left at the end of a cosine.')
flags.DEFINE_integer('shuffle_buffer', 4096, 'Patches held to be shuffled.', 1)
flags.DEFINE_integer('seed', 0, "Of the weights, the input's order and its patches.")
flags.DEFINE_integer('validate_every', 1000, 'Steps between evaluations.', 1)
flags.DEFINE_integer('checkpoint_every', 1000, 'Steps between checkpoints.', 1)
flags.DEFINE_integer('log_every', 100, 'Steps between TensorBoard points.', 1)
flags.mark_flag_as_required('records')


def main(_) -> None:
  from audioset_ml.training.config import OptimizerConfig, TrainConfig

  def values(*names: str) -> dict:
    return {name: FLAGS[name].value for name in names}

  inputs = values('records', 'validation_records', 'label_set', 'init_from')
  inputs |= values('smear_ontology')
  config = TrainConfig(
    **inputs,
    **values('label_mode', 'strong_clips_only'),
    **values('architecture', 'width_multiplier', 'weight_init', 'bias_start'),
    **values('steps', 'batch_size', 'shuffle_buffer', 'seed'),
    **values('validate_every', 'checkpoint_every', 'log_every'),
    optimizer=OptimizerConfig(
      **values('learning_rate', 'warmup_fraction', 'schedule', 'final_fraction')
    ),
  )
  with stage.output_folder(FLAGS.output_dir, inputs, FLAGS.seed) as folder:
    from audioset_ml.training import loop

    folder.counts, folder.details = loop.train(config, folder.path)
  print(f'{folder.path}: trained {config.steps} steps; the model is model.keras')


if __name__ == '__main__':
  stage.run(main)
