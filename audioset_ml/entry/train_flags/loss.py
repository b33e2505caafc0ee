"""The loss and its targets: flags of `LossConfig`, `FlaggingConfig`, `SilenceConfig`
and `SoftConfig`."""

from decimal import Decimal

from absl import flags

from audioset_ml.core.errors import InputError
from audioset_ml.entry import flag_groups
from audioset_ml.entry.flag_groups import Flag, Group, given
from audioset_ml.entry.train_flags.sources import MAIN
from audioset_ml.records.silence import SilenceConfig
from audioset_ml.records.soft_scores import SOFT_ABSENT, SOFT_ON, SoftConfig
from audioset_ml.training.config import TrainConfig
from audioset_ml.training.flagging_config import FLAGS_AS, FlaggingConfig
from audioset_ml.training.loss_config import (
  KINDS,
  NEGATIVE_LOSSES,
  LossConfig,
  parse_options,
)

FLAGS = flags.FLAGS


def _percent(text: str) -> Decimal:
  from audioset_ml.missing_labels.thresholds import parse_percent

  return parse_percent(text)


def _decibels(text: str) -> float:
  try:
    return float(text)
  except ValueError:
    raise InputError(f'silence_below_db is {text!r}, but must be a number') from None


LOSS = Group(
  'The loss',
  'Masked binary cross-entropy unless said otherwise; what else is done about '
  'negatives that may be missing labels.',
  (
    Flag(
      LossConfig,
      'negative_loss',
      'How negatives that nobody was asked about are trained. bce: as what a person '
      'refuted; the others suspect that some are missing labels: hill and splc (Zhang '
      'et al. 2021), asl (Ridnik et al. 2021), csl (Ben-Baruch et al. 2022), ll_r, '
      'll_ct and ll_cp (Kim et al. 2022), wan and ls (Cole et al. 2021). They suspect '
      'nothing that a person refuted.',
      field='name',
      choices=NEGATIVE_LOSSES,
    ),
    Flag(
      LossConfig,
      'loss_options',
      "Hyper-parameters of --negative_loss other than the authors' code has, "
      'name=value: '
      + '; '.join(
        f'{name}: {", ".join(kind.options)}'
        for name, kind in KINDS.items()
        if kind.options
      )
      + '.',
      field='given',
      default=(),
      parse=parse_options,
    ),
    Flag(
      LossConfig,
      'suspect_all_negatives',
      'Have --negative_loss treat refuted labels as those that nobody was asked about, '
      'as its paper does; not for csl, which tells them apart itself.',
      field='suspect_all',
    ),
    Flag(
      LossConfig,
      'epoch_steps',
      'Steps of an epoch, for ll_… and splc, which change from epoch to epoch; 0: for '
      'll_… a tenth of --steps, as their authors train for ten epochs; for splc as '
      'many as it takes to read as many examples as --records has clips to train on.',
      least=0,
    ),
    Flag(
      LossConfig,
      'prior_scores',
      'Folder of scores whose mean over the clips is the prior of each class, for csl.',
      field='priors',
      is_input=True,
    ),
    Flag(
      FlaggingConfig,
      'flag_while_training',
      "ML20's rule without a teacher: the percentage of each class's implicit "
      'negatives that the network itself, as it is then, scores highest is flagged.',
      field='percent',
      default='',
      parse=_percent,
    ),
    Flag(
      FlaggingConfig,
      'flag_from',
      'Share of the steps after which --flag_while_training begins.',
      field='first',
      needs=given('flag_while_training'),
    ),
    Flag(
      FlaggingConfig,
      'flag_every',
      'Share of the steps after which it flags labels anew.',
      field='every',
      needs=given('flag_while_training'),
    ),
    Flag(
      FlaggingConfig,
      'flag_as',
      'What labels that it flags are in training.',
      field='flagged_as',
      choices=FLAGS_AS,
      needs=given('flag_while_training'),
    ),
    Flag(
      TrainConfig,
      'balance_loss',
      'Weighs the loss of examples with rare classes: it counts as often as '
      '--balance_power of this value would read their clips, on average: (m / n)^value '
      'of the n clips of the rarest class that the records list of the clip, and the '
      'median m of all classes; 16 at most. Ancestors of --smear_ontology, silence and '
      'flagged labels do not count.',
      least=0,
    ),
    Flag(
      SilenceConfig,
      'silence_below_db',
      'Label patches as --silence_class whose level is below, unless a person said '
      'otherwise; a sine of full scale has about 0 dB.',
      field='below_db',
      default='',
      parse=_decibels,
    ),
    Flag(
      SilenceConfig,
      'silence_class',
      'Name or mid of that class.',
      field='name',
      needs=given('silence_below_db'),
    ),
  ),
)

SOFT = Group(
  'Soft targets',
  'Scores of teachers in the place of labels (knowledge distillation).',
  (
    Flag(
      SoftConfig,
      'soft_scores',
      'Folder of scores of --records, of a teacher, that the targets become: knowledge '
      'distillation. Repeatable: the mean of several.',
      field='scores',
      default=(),
      repeatable=True,
      needs=MAIN,
      is_input=True,
    ),
    Flag(
      SoftConfig,
      'soft_weight',
      'Share of the score in a target; the rest is the label.',
      field='weight',
      least=0,
      most=1,
      needs=given('soft_scores'),
    ),
    Flag(
      SoftConfig,
      'soft_on',
      'Which targets: all that are not ignored; those of labels that nobody was asked '
      'about; those that a --label_set of enhance --flagged_as=soft flags.',
      field='on',
      choices=SOFT_ON,
      needs=given('soft_scores'),
    ),
    Flag(
      SoftConfig,
      'soft_patches',
      'Take the scores of the nearest patch (score --patch_scores), not those of the '
      'clip.',
      field='patches',
      needs=given('soft_scores'),
    ),
    Flag(
      SoftConfig,
      'soft_absent',
      'What a class scores that is not among the highest ones, where `score '
      '--top_classes` kept these alone: 0 (as CED), or its label.',
      field='absent',
      choices=SOFT_ABSENT,
      needs=given('soft_scores'),
    ),
  ),
)


def loss() -> LossConfig:
  """What is made small, as the flags say."""
  return LossConfig(**flag_groups.values([LOSS], LossConfig))


def flagging() -> FlaggingConfig | None:
  """When the run itself flags labels; None for never."""
  if not FLAGS.flag_while_training:
    return None
  return FlaggingConfig(**flag_groups.values([LOSS], FlaggingConfig))


def silence() -> SilenceConfig | None:
  """Which patches are labelled as silent; None for none."""
  if not FLAGS.silence_below_db:
    return None
  return SilenceConfig(**flag_groups.values([LOSS], SilenceConfig))


def soft() -> SoftConfig | None:
  """The scores that soften targets; None for none."""
  if not FLAGS.soft_scores:
    return None
  return SoftConfig(**flag_groups.values([SOFT], SoftConfig))
