"""Trains a classifier on records: a teacher or, with --label_set, a student.

The defaults are ML20's (Adam at 1e-5), but for the initial weights. A run that was
stopped goes on from its newest checkpoint when the same command is given again, to the
same weights as if nothing had happened.

Example:
  python -m audioset_ml.train --records=records/train --output_dir=teacher
  python -m audioset_ml.train --records=records/train --output_dir=student \\
    --label_set=label_sets/discard_1
  python -m audioset_ml.train --records=records/train --init_from=student \\
    --mix_records=records/train_strong --mix_label_mode=strong --mix_fraction=0.8 \\
    --output_dir=mixed
  tensorboard --logdir=teacher/logs
"""

from absl import app, flags

from audioset_ml.core.errors import counted
from audioset_ml.entry import checks, flag_help, stage
from audioset_ml.labels.ancestors import IMPLIED
from audioset_ml.models.config import ARCHITECTURES, WEIGHT_INITS
from audioset_ml.records.soft_scores import SOFT_ON, SoftConfig
from audioset_ml.training.config import BEST_METRICS, STRATEGIES
from audioset_ml.training.flagging_config import FLAGS_AS, FlaggingConfig
from audioset_ml.training.loss_config import KINDS, NEGATIVE_LOSSES
from audioset_ml.training.optimizer_config import OPTIMIZERS, PRECISIONS, SCHEDULES

FLAGS = flags.FLAGS
stage.define_folder_flags(
  *('checkpoint_every', 'checkpoints_kept', 'profile_steps'),
  *('steps_per_call', 'data_service'),
)
_MODES = ['weak', 'diffuse', 'strong']
flag_help.heading(
  'What to train on',
  'By default all clips of --records, with the labels of whole clips.',
)
flags.DEFINE_string('records', None, 'Folder of records to train on.')
flags.DEFINE_enum(
  'label_mode',
  'weak',
  _MODES,
  "weak: the clip's labels on every patch; diffuse: its strong labels on every patch; "
  'strong: those that overlap the patch by half. The last two leave out clips without '
  'strong labels.',
)
flags.DEFINE_bool(
  'strong_clips_only',
  False,
  'Leave out clips without strong labels in weak mode too. With those that Google '
  "published, 103,463 clips, this is as SL21's Weak-67k but not the same: the paper's "
  '66,924 were chosen otherwise (describe --choose_clips=250 writes such a list).',
)
flags.DEFINE_string(
  'clip_list',
  '',
  'Train on these clips of --records only: a text file with a clip id a line, a '
  'segments CSV or a strong TSV. Those that the records lack are in lost_clips.csv.',
)
flags.DEFINE_string('mix_clip_list', '', 'The same for the clips of --mix_records.')
flags.DEFINE_string(
  'label_set',
  '',
  'Folder of a label set: its flagged labels are left out of the loss, on examples '
  'with weak labels.',
)
flags.DEFINE_string('mix_records', '', 'A second folder of records, or the same.')
flags.DEFINE_enum(
  'mix_label_mode', 'strong', _MODES, 'The label mode of the examples of --mix_records.'
)
flags.DEFINE_float(
  'mix_fraction',
  0.5,
  "Share of the examples that come from --mix_records (SL21's mu).",
  0,
  1,
)
flags.DEFINE_float(
  'strong_fraction',
  1.0,
  'Share of the clips to use of the sources with diffuse or strong labels and, with '
  '--strong_clips_only, of those with weak ones: the same clips. A smaller share is '
  'part of every larger one.',
  0,
  1,
)
flags.DEFINE_bool(
  'ignore_unannotated',
  False,
  'In diffuse and strong modes, leave classes out of the loss that the annotators were '
  'not asked about; otherwise they count as absent. They are those without a strong '
  'label in any clip; in clips of prepare --complete_strong, those outside the '
  'annotated classes.',
)
flags.DEFINE_integer(
  'folds',
  0,
  'Divide the clips into this many folds, clips of one recording together, and leave '
  'one out: `score` can have each clip scored by the model that has not seen it.',
  0,
)
flags.DEFINE_integer(
  'leave_out_fold', 0, 'Which of the --folds to leave out, from 0.', 0
)
flags.DEFINE_string(
  'smear_ontology',
  '',
  "AudioSet's ontology.json: the ancestors of a positive are positive too, unless a "
  'person said otherwise.',
)
flags.DEFINE_enum(
  'smear_to',
  'all',
  IMPLIED,
  'Which ancestors: all, or only as far up as a single class is the parent (Tuncay et '
  'al. 2025).',
)
flag_help.heading(
  'The loss',
  'Masked binary cross-entropy unless said otherwise; what else is done about '
  'negatives that may be missing labels.',
)
flags.DEFINE_enum(
  'negative_loss',
  'bce',
  NEGATIVE_LOSSES,
  'How negatives that nobody was asked about are trained. bce: as what a person '
  'refuted; the others suspect that some are missing labels: hill and splc (Zhang et '
  'al. 2021), asl (Ridnik et al. 2021), csl (Ben-Baruch et al. 2022), ll_r, ll_ct '
  'and ll_cp (Kim et al. 2022), wan and ls (Cole et al. 2021). They suspect nothing '
  'that a person refuted.',
)
flags.DEFINE_list(
  'loss_options',
  [],
  "Hyper-parameters of --negative_loss other than the authors' code has, name=value: "
  + '; '.join(
    f'{name}: {", ".join(kind.options)}' for name, kind in KINDS.items() if kind.options
  )
  + '.',
)
flags.DEFINE_bool(
  'suspect_all_negatives',
  False,
  'Have --negative_loss treat refuted labels as those that nobody was asked about, as '
  'its paper does; not for csl, which tells them apart itself.',
)
flags.DEFINE_integer(
  'epoch_steps',
  0,
  'Steps of an epoch, for ll_… and splc, which change from epoch to epoch; 0: for ll_… '
  'a tenth of --steps, as their authors train for ten epochs; for splc as many as it '
  'takes to read as many examples as --records has clips to train on.',
  0,
)
flags.DEFINE_string(
  'prior_scores',
  '',
  'Folder of scores whose mean over the clips is the prior of each class, for csl.',
)
flags.DEFINE_string(
  'flag_while_training',
  '',
  "ML20's rule without a teacher: the percentage of each class's implicit negatives "
  'that the network itself, as it is then, scores highest is flagged.',
)
flags.DEFINE_float(
  'flag_from', 0.25, 'Share of the steps after which --flag_while_training begins.'
)
flags.DEFINE_float(
  'flag_every', 0.05, 'Share of the steps after which it flags labels anew.'
)
flags.DEFINE_enum(
  'flag_as', 'ignored', FLAGS_AS, 'What labels that it flags are in training.'
)
flag_help.heading(
  'Soft targets',
  'Scores of teachers in the place of labels (knowledge distillation).',
)
flags.DEFINE_multi_string(
  'soft_scores',
  [],
  'Folder of scores of --records, of a teacher, that the targets become: knowledge '
  'distillation. Repeatable: the mean of several.',
)
flags.DEFINE_float(
  'soft_weight', 1.0, 'Share of the score in a target; the rest is the label.', 0, 1
)
flags.DEFINE_enum(
  'soft_on',
  'all',
  SOFT_ON,
  'Which targets: all that are not ignored; those of labels that nobody was asked '
  'about; those that a --label_set of enhance --flagged_as=soft flags.',
)
flags.DEFINE_bool(
  'soft_patches',
  False,
  'Take the scores of the nearest patch (score --patch_scores), not those of the clip.',
)
flag_help.heading(
  'Augmentation',
  'Other forms of the examples at random, so that few clips go further; none by '
  'default.',
)
flags.DEFINE_float(
  'balance_power', 0.0, 'Reads rare classes more often: 1 makes up for all of it.', 0
)
flags.DEFINE_float('gain_db', 0.0, 'Largest random gain or attenuation (dB).', 0)
flags.DEFINE_float('shift_seconds', 0.0, 'Largest random shift, rolling over (s).', 0)
flags.DEFINE_integer('frequency_masks', 0, 'SpecAugment: bands to silence.', 0)
flags.DEFINE_integer(
  'frequency_mask_bands', 8, 'SpecAugment: the widest band (mel bands).', 1
)
flags.DEFINE_integer('time_masks', 0, 'SpecAugment: stretches to silence.', 0)
flags.DEFINE_integer(
  'time_mask_frames', 16, 'SpecAugment: the longest stretch (frames).', 1
)
flags.DEFINE_float(
  'mixup_alpha', 0.0, 'Mixes pairs of patches in shares from Beta(alpha, alpha).', 0
)
flag_help.heading('The network, and where it starts')
flags.DEFINE_enum(
  'architecture',
  'mobilenet_v1',
  ARCHITECTURES,
  'The network: mlp or linear for embeddings, the others for spectrograms.',
)
flags.DEFINE_float(
  'width_multiplier',
  1.0,
  "Factor on the layers' filters: half of them are about a quarter of the weights.",
  0,
  8,
)
flags.DEFINE_enum(
  'weight_init',
  'keras',
  WEIGHT_INITS,
  'keras: Glorot uniform; ml20: normal, standard deviation 0.001, with which '
  "MobileNetV1 does not start to learn under YAMNet's batch normalisation.",
)
flags.DEFINE_list(
  'hidden_units', ['512', '512'], 'Units of the layers of mlp (up to 16,384).'
)
flags.DEFINE_float(
  'dropout', 0.0, 'Share of the units that is dropped in training.', 0, 1
)
flags.DEFINE_float(
  'bias_start',
  0.0,
  "Start of the classifier's biases, as a logit: -3 lets scores begin near .05, since "
  'labels are rare.',
)
flags.DEFINE_string(
  'init_from',
  '',
  'Trained model to start from: a train folder, a .keras file or yamnet.h5. The '
  'classifier is made anew where the classes differ.',
)
flags.DEFINE_bool(
  'init_optimizer', False, "Take over the optimiser's state of --init_from, too."
)
flags.DEFINE_bool('freeze_body', False, 'Train the classifier alone.')
flags.DEFINE_bool(
  'freeze_batch_norm',
  False,
  "Normalise by the starting model's statistics; small sets can't tell their own.",
)
flag_help.heading(
  'Optimisation',
  'The defaults are for millions of clips; a few thousand want --learning_rate=1e-2 '
  '--schedule=cosine and some thousand --steps.',
)
flags.DEFINE_integer('steps', 100_000, 'Batches to train on.', 1)
flags.DEFINE_integer('batch_size', 64, 'Patches a batch, over all replicas.', 1)
flags.DEFINE_integer(
  'steps_per_call',
  1,
  'The most steps in one call of the graph: 16 make small networks faster and change '
  'no result. A call ends where something is logged, validated or saved; Ctrl-C waits '
  'for its end.',
  1,
)
flags.DEFINE_enum('optimizer', 'adam', OPTIMIZERS, 'The optimiser.')
flags.DEFINE_float('weight_decay', 0.01, "AdamW's weight decay.", 0)
flags.DEFINE_float('learning_rate', 1e-5, 'Learning rate at its peak.')
flags.DEFINE_float(
  'warmup_fraction',
  0.0,
  'Share of the steps over which the learning rate rises, from 0.',
)
flags.DEFINE_enum(
  'schedule', 'constant', SCHEDULES, "The learning rate's course after the rise."
)
flags.DEFINE_float(
  'final_fraction', 0.1, 'Share of the learning rate that is left at the end.'
)
flags.DEFINE_float('clip_norm', 0.0, "The gradients' largest norm; 0 for any.", 0)
flags.DEFINE_integer(
  'accumulate', 1, 'Batches whose gradients make one update of the weights.', 1
)
flags.DEFINE_float(
  'ema_decay', 0.0, 'Keep a moving average of the weights as the model; 0.999, say.'
)
flag_help.heading('On what it runs')
flags.DEFINE_enum(
  'precision',
  'float32',
  PRECISIONS,
  'Precision of the arithmetic; float16 scales the loss.',
)
flags.DEFINE_enum(
  'strategy',
  'one_device',
  STRATEGIES,
  "one_device; mirrored: all this machine's GPUs (or CPU devices); multi_worker: a "
  'process a machine, told of each other by TF_CONFIG or SLURM.',
)
flags.DEFINE_string(
  'data_service',
  '',
  'host:port of a tf.data service (audioset_ml.data_service) that reads the records; '
  'a run that was stopped then goes on with other examples than it would have seen.',
)
flags.DEFINE_integer(
  'seed', 0, "Seed of the weights, the input's order and its patches."
)
flags.DEFINE_integer('shuffle_buffer', 4096, 'Patches held to be shuffled.', 1)
flag_help.heading(
  'Watching and keeping',
  'tensorboard --logdir=OUTPUT_DIR shows it. Without --best_metric the last weights '
  'are the model.',
)
flags.DEFINE_string('validation_records', '', 'Folder of records to evaluate on.')
flags.DEFINE_string(
  'validation_list',
  '',
  'Evaluate on these clips of --validation_records only, a list as --clip_list. No '
  'source trains on a clip of the list.',
)
flags.DEFINE_bool(
  'validate_strong',
  False,
  'Evaluate frames on strong labels, too (SL21 3.2); --best_metric=strong_… implies '
  'it.',
)
flags.DEFINE_integer('validate_every', 1000, 'Steps between evaluations.', 1)
flags.DEFINE_enum(
  'best_metric',
  '',
  ['', *BEST_METRICS],
  'Keep the weights with the best value of this as the model, not the last.',
)
flags.DEFINE_integer(
  'patience', 0, 'Validations without a better value that end the run; 0 for any.', 0
)
flags.DEFINE_integer('checkpoint_every', 1000, 'Steps between checkpoints.', 1)
flags.DEFINE_integer('checkpoints_kept', 2, 'How many checkpoints stay.', 1)
flags.DEFINE_integer('log_every', 100, 'Steps between TensorBoard points.', 1)
flags.DEFINE_integer('show_clips', 4, 'Validation clips that TensorBoard pictures.', 0)
flags.DEFINE_multi_string(
  'curve_class', [], 'A class to show the precision-recall curve of.'
)
flags.DEFINE_integer('profile_steps', 0, 'Steps to profile for TensorBoard.', 0)
flags.mark_flag_as_required('records')

# Flags that mean something only together with others: what they need, in words.
_NEEDS = {
  'leave_out_fold': (lambda: FLAGS.folds, '--folds'),
  'label_mode': (lambda: _uses_main(), 'examples of --records (--mix_fraction=1)'),
  'label_set': (lambda: 'weak' in _modes(), 'a source with weak labels'),
  'mix_label_mode': (
    lambda: FLAGS.mix_records and FLAGS.mix_fraction > 0,
    '--mix_records and a --mix_fraction above 0',
  ),
  'mix_fraction': (lambda: FLAGS.mix_records, '--mix_records'),
  'strong_fraction': (
    lambda: _strong() or FLAGS.strong_clips_only,
    'a source with diffuse or strong labels, or --strong_clips_only',
  ),
  'clip_list': (lambda: _uses_main(), 'examples of --records (--mix_fraction=1)'),
  'mix_clip_list': (
    lambda: FLAGS.mix_records and FLAGS.mix_fraction > 0,
    '--mix_records and a --mix_fraction above 0',
  ),
  'ignore_unannotated': (lambda: _strong(), 'a source with diffuse or strong labels'),
  'strong_clips_only': (lambda: 'weak' in _modes(), 'a source with weak labels'),
  'frequency_mask_bands': (lambda: FLAGS.frequency_masks, '--frequency_masks'),
  'time_mask_frames': (lambda: FLAGS.time_masks, '--time_masks'),
  'hidden_units': (lambda: FLAGS.architecture == 'mlp', '--architecture=mlp'),
  'dropout': (lambda: FLAGS.architecture == 'mlp', '--architecture=mlp'),
  'weight_decay': (lambda: FLAGS.optimizer == 'adamw', '--optimizer=adamw'),
  'final_fraction': (
    lambda: FLAGS.schedule != 'constant',
    '--schedule=cosine or exponential',
  ),
  'init_optimizer': (lambda: FLAGS.init_from, '--init_from'),
  'freeze_body': (lambda: FLAGS.init_from, '--init_from'),
  'freeze_batch_norm': (lambda: FLAGS.init_from, '--init_from'),
  'validation_list': (lambda: FLAGS.validation_records, '--validation_records'),
  'validate_strong': (lambda: FLAGS.validation_records, '--validation_records'),
  'validate_every': (lambda: FLAGS.validation_records, '--validation_records'),
  'best_metric': (lambda: FLAGS.validation_records, '--validation_records'),
  'show_clips': (lambda: FLAGS.validation_records, '--validation_records'),
  'curve_class': (lambda: FLAGS.validation_records, '--validation_records'),
  'profile_steps': (lambda: FLAGS.steps > 10, 'more than 10 --steps'),
  'patience': (lambda: FLAGS.best_metric, '--best_metric'),
  'smear_to': (lambda: FLAGS.smear_ontology, '--smear_ontology'),
  'soft_scores': (lambda: _uses_main(), 'examples of --records (--mix_fraction=1)'),
  **dict.fromkeys(
    ('soft_weight', 'soft_on', 'soft_patches'),
    (lambda: FLAGS.soft_scores, '--soft_scores'),
  ),
  **dict.fromkeys(
    ('flag_from', 'flag_every', 'flag_as'),
    (lambda: FLAGS.flag_while_training, '--flag_while_training'),
  ),
}


def _modes() -> set[str]:
  """The label modes of the sources that examples come from."""
  mixed = FLAGS.mix_records and FLAGS.mix_fraction > 0
  modes = {FLAGS.mix_label_mode} if mixed else set()
  return modes | ({FLAGS.label_mode} if _uses_main() else set())


def _uses_main() -> bool:
  return not FLAGS.mix_records or FLAGS.mix_fraction < 1


def _strong() -> bool:
  return bool(_modes() - {'weak'})


def _refuse_idle_flags() -> None:
  """A flag that changes nothing would be a mistake that nobody notices."""
  for name, (is_met, needs) in _NEEDS.items():
    flag = FLAGS[name]
    if flag.present and flag.value != flag.default and not is_met():
      raise app.UsageError(f'--{name} does nothing here: it needs {needs}')


def _hidden_units() -> tuple[int, ...]:
  try:
    return tuple(map(int, FLAGS.hidden_units))
  except ValueError:
    raise app.UsageError(
      f'--hidden_units={",".join(FLAGS.hidden_units)}: not whole numbers'
    ) from None


def _flagging() -> FlaggingConfig | None:
  from audioset_ml.missing_labels.thresholds import parse_percent

  if not FLAGS.flag_while_training:
    return None
  percent = parse_percent(FLAGS.flag_while_training)
  return FlaggingConfig(percent, FLAGS.flag_from, FLAGS.flag_every, FLAGS.flag_as)


def _soft() -> SoftConfig | None:
  if not FLAGS.soft_scores:
    return None
  folders = tuple(FLAGS.soft_scores)
  return SoftConfig(folders, FLAGS.soft_weight, FLAGS.soft_on, FLAGS.soft_patches)


def _is_chief() -> bool:
  """Whether this process is the one that writes, asked before TensorFlow is there."""
  from audioset_ml.training.workers import worker_index

  return FLAGS.strategy != 'multi_worker' or worker_index() == 0


def main(_) -> None:
  from audioset_ml.records.folds import Fold
  from audioset_ml.training.config import SourceConfig, TrainConfig
  from audioset_ml.training.loss_config import LossConfig, parse_options
  from audioset_ml.training.optimizer_config import OptimizerConfig

  def values(*names: str) -> dict:
    return {name: FLAGS[name].value for name in names}

  def source(records: str, label_mode: str, clip_list: str) -> SourceConfig:
    weak = label_mode == 'weak'
    all_clips = weak and not FLAGS.strong_clips_only
    return SourceConfig(
      records=records,
      label_mode=label_mode,
      strong_clips_only=FLAGS.strong_clips_only and weak,
      clip_fraction=1.0 if all_clips else FLAGS.strong_fraction,
      clip_list=clip_list,
      label_set=FLAGS.label_set if weak else '',
      ignore_unannotated=FLAGS.ignore_unannotated and not weak,
    )

  _refuse_idle_flags()
  augment = values('gain_db', 'shift_seconds', 'frequency_masks', 'mixup_alpha')
  augment |= values('frequency_mask_bands', 'time_masks', 'time_mask_frames')
  mix = None
  if FLAGS.mix_records:
    mix = source(FLAGS.mix_records, FLAGS.mix_label_mode, FLAGS.mix_clip_list)
  config = TrainConfig(
    source=source(FLAGS.records, FLAGS.label_mode, FLAGS.clip_list),
    mix=mix,
    augment=augment,
    left_out=Fold(FLAGS.leave_out_fold, FLAGS.folds) if FLAGS.folds else None,
    **values('mix_fraction', 'smear_ontology', 'smear_to', 'balance_power'),
    **values('architecture', 'width_multiplier', 'weight_init', 'bias_start'),
    hidden_units=_hidden_units(),
    dropout=FLAGS.dropout,
    **values('init_from', 'init_optimizer', 'freeze_body', 'freeze_batch_norm'),
    **values('ema_decay', 'strategy', 'data_service'),
    **values('steps', 'batch_size', 'steps_per_call', 'shuffle_buffer', 'seed'),
    **values('validation_records', 'validation_list', 'validate_strong'),
    **values('validate_every', 'best_metric', 'patience'),
    **values('checkpoint_every', 'checkpoints_kept', 'log_every'),
    **values('show_clips', 'profile_steps'),
    curve_classes=tuple(FLAGS.curve_class),
    loss=LossConfig(
      FLAGS.negative_loss,
      parse_options(FLAGS.loss_options),
      FLAGS.suspect_all_negatives,
      FLAGS.epoch_steps,
      FLAGS.prior_scores,
    ),
    flagging=_flagging(),
    soft=_soft(),
    optimizer=OptimizerConfig(
      **values('optimizer', 'weight_decay', 'learning_rate', 'warmup_fraction'),
      **values('schedule', 'final_fraction', 'clip_norm', 'accumulate', 'precision'),
    ),
  )
  inputs = values('records', 'mix_records', 'validation_records', 'label_set')
  inputs |= values('init_from', 'smear_ontology', 'prior_scores')
  inputs |= values('soft_scores')
  inputs |= values('clip_list', 'mix_clip_list', 'validation_list')
  with stage.output_folder(
    FLAGS.output_dir,
    inputs,
    FLAGS.seed,
    check=lambda: checks.train(config),
    writes=_is_chief(),
  ) as folder:
    from audioset_ml.training.sources import open_sources

    sources = open_sources(config)
    # Not before: what is wrong with them is told without TensorFlow's start.
    from audioset_ml.training import loop

    text = stage.flag_text()
    folder.counts, folder.details = loop.train(config, folder.path, text, sources)
  print(
    f'{folder.path}: trained {counted(folder.counts["steps"], "step")}; the model is '
    'model.keras'
  )


if __name__ == '__main__':
  stage.run(main)
