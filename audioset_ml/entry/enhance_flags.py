"""The flags of `enhance`, in the groups of its --help, and what they say."""

from typing import Any

from absl import app, flags

from audioset_ml.entry import flag_groups, runner_flags
from audioset_ml.entry.flag_groups import Flag, Group, Need, given
from audioset_ml.labels.ancestors import IMPLIED
from audioset_ml.labels.label_set import FLAGGED_AS
from audioset_ml.missing_labels.enhance_config import EnhanceConfig

FLAGS = flags.FLAGS


def _rule(*names: str) -> Need:
  """That one of these rules is asked for."""
  return Need(f'--rule={" or ".join(names)}', lambda values: values.rule in names)


_RULES = ('percent', 'chosen', 'score', 'positives', 'random', 'cleanlab', 'truth')
# Of per_class.csv.
_COLUMNS = (
  *('lwlrap', 'd_prime', 'd_prime_implicit', 'average_precision'),
  *('strong_lwlrap', 'strong_d_prime'),
)
_OF_PERCENTAGES = ('percent', 'random', 'chosen')
_CHOSEN = _rule('chosen')

GROUPS = (
  Group(
    'What is flagged',
    '',
    (
      Flag(
        EnhanceConfig,
        'scores',
        "Folder with the teacher's scores of the records.",
        is_input=True,
      ),
      Flag(
        EnhanceConfig,
        'records',
        'Folder of the records that were scored.',
        is_input=True,
      ),
      Flag(
        EnhanceConfig,
        'rule',
        'What decides which implicit negatives are flagged.',
        choices=_RULES,
      ),
    ),
  ),
  Group(
    'What the rules need',
    'Each flag begins with the rules that it is for.',
    (
      Flag(
        EnhanceConfig,
        'discard_percent',
        'percent, random, chosen: percentages of implicit negatives to flag, or to '
        'choose from; ml20 for the 18 of the paper.',
        field='values',
        default=('0.1', '1', '5'),
        needs=_rule(*_OF_PERCENTAGES),
      ),
      Flag(
        EnhanceConfig,
        'evaluation',
        "chosen: evaluations of the percentages' students, in their order.",
        field='evaluations',
        needs=_CHOSEN,
        is_input=True,
      ),
      Flag(
        EnhanceConfig,
        'choose_by',
        "chosen: what decides, of what evaluate's per_class.csv has.",
        choices=_COLUMNS,
        needs=_CHOSEN,
      ),
      Flag(
        EnhanceConfig,
        'choose_for',
        'chosen: one percentage for all classes, or one for each.',
        choices=('all', 'class'),
        needs=_CHOSEN,
      ),
      Flag(
        EnhanceConfig,
        'min_score',
        'score: flags what scores above.',
        field='values',
        default=('0.5',),
        needs=_rule('score'),
      ),
      Flag(
        EnhanceConfig,
        'positive_percentile',
        "positives: flags what scores above these percentiles of the class's "
        'positives.',
        field='values',
        default=('25',),
        needs=_rule('positives'),
      ),
      Flag(
        EnhanceConfig,
        'truth_csv',
        'truth: the complete labels of the clips, a segments CSV.',
        needs=_rule('truth'),
        is_input=True,
      ),
      Flag(
        EnhanceConfig,
        'related_only',
        "AudioSet's ontology.json: of what the rule selects, flag only ancestors and "
        "descendants of a clip's positives (PSLA).",
        is_input=True,
      ),
    ),
  ),
  Group(
    'Which labels are negatives',
    'As in the training that the label sets are for: percentages are of these.',
    (
      Flag(
        EnhanceConfig,
        'smear_ontology',
        "AudioSet's ontology.json, for train --smear_ontology: the ancestors of "
        'positives are no negatives, and use up no percentage.',
        is_input=True,
      ),
      Flag(
        EnhanceConfig,
        'smear_to',
        'Which ancestors: all, or only as far up as a single class is the parent.',
        choices=IMPLIED,
        needs=given('smear_ontology'),
      ),
      Flag(
        EnhanceConfig,
        'clip_list',
        'Flag labels of these clips alone, as train --clip_list: thresholds are of '
        'them.',
        is_input=True,
      ),
      Flag(
        EnhanceConfig,
        'validation_list',
        'Flag none of these clips, which train --validation_list holds out.',
        is_input=True,
      ),
    ),
  ),
  Group(
    'What becomes of it',
    '',
    (
      Flag(
        EnhanceConfig,
        'flagged_as',
        'What the flagged labels are in training; soft: what the scores of a teacher '
        'say (train --soft_scores).',
        choices=FLAGGED_AS,
      ),
      Flag(
        EnhanceConfig,
        'show_class',
        "A class, by name or mid, to print ML20's Table III of. All are in "
        'table_iii.csv.',
        field='shown',
        repeatable=True,
        is_passing=True,
      ),
      Flag(EnhanceConfig, 'seed', 'random: of the draws.', needs=_rule('random')),
    ),
  ),
)
PASSING = flag_groups.passing(GROUPS)


def define() -> None:
  """Defines them as flags of the entry point that runs."""
  for group in GROUPS:
    group.define()
  # No --workers: on one machine the thresholds are found in the same pass over the
  # scores in which labels are flagged.
  runner_flags.define_runner_flags(workers=False)


def inputs() -> dict[str, Any]:
  """The paths that the stage reads, by the names of their flags."""
  found = flag_groups.inputs(GROUPS)
  return {name: value for name, value in found.items() if value}


def enhance_config() -> EnhanceConfig:
  """What to flag.

  Raises:
    UsageError: a flag does nothing beside the others, or the rule needs another.
    InputError: a value of the rule's is of no use.
  """
  flag_groups.refuse_idle(GROUPS)
  if FLAGS.runner and FLAGS.rule != 'percent':
    raise app.UsageError('--runner does nothing here: it needs --rule=percent')
  if FLAGS.rule == 'truth' and not FLAGS.truth_csv:
    raise app.UsageError('--rule=truth needs --truth_csv')
  if FLAGS.rule == 'chosen' and not FLAGS.evaluation:
    raise app.UsageError('--rule=chosen needs --evaluation')
  named = flag_groups.values(GROUPS, EnhanceConfig)
  config = EnhanceConfig(**{**named, 'values': _values()})
  if FLAGS.rule not in ('truth', 'chosen', 'cleanlab'):
    from audioset_ml.missing_labels import rules

    rules.build_rule(FLAGS.rule, config.values)  # so that wrong ones are told at once
  return config


def _values() -> tuple[str, ...]:
  """What the rule is told."""
  if FLAGS.rule in _OF_PERCENTAGES:
    from audioset_ml.missing_labels.thresholds import ML20_PERCENTS

    ml20 = [text.lower() for text in FLAGS.discard_percent] == ['ml20']
    return tuple(ML20_PERCENTS if ml20 else FLAGS.discard_percent)
  values = {'score': FLAGS.min_score, 'positives': FLAGS.positive_percentile}
  return tuple(values.get(FLAGS.rule, ()))
