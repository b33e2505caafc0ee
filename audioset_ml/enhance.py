"""Label sets that flag likely missing labels (ML20 section III).

Of each class's implicit negatives, some are flagged: by default a percentage, those
that the teacher scores highest. A student that is trained with such a label set leaves
them out of its loss. Explicit labels are never flagged. Writes a folder a label set,
such as discard_1/; ML20's Table III for all classes and label sets (table_iii.csv); and
the classes whose implicit negatives look most like positives (ranking.csv): labelling
errors are likely there.

Other rules, to compare with: --rule=score (one score for all classes), positives (a
percentile of the positives' scores, as in PSLA), random (the control), cleanlab
(confident learning; pip install cleanlab) and truth (the oracle, where the complete
labels are known). --flagged_as=positive adds the flagged labels as positives instead
(self-training).

--rule=chosen makes one label set, discard_chosen, with the percentage whose student is
best on validation clips; with --choose_for=class each class has its own. --evaluation
names evaluations of the percentages' students, in the order of --discard_percent. A
student's value counts twice and those of the next lower and higher percentages once,
for neighbours differ by little more than chance.

Example:
  python -m audioset_ml.enhance --scores=scores --records=records/train \\
    --discard_percent=0.1,1,5 --output_dir=label_sets
  python -m audioset_ml.enhance --scores=scores --records=records/train \\
    --discard_percent=ml20 --show_class=Siren --output_dir=label_sets_ml20
  python -m audioset_ml.enhance --scores=scores --records=records/train --rule=chosen \\
    --discard_percent=0,1,5 --evaluation=validated_0,validated_1,validated_5 \\
    --output_dir=label_sets_chosen
"""

from absl import app, flags

from audioset_ml.core.errors import counted
from audioset_ml.entry import checks, flag_help, runner_flags, stage
from audioset_ml.labels.label_set import FLAGGED_AS

FLAGS = flags.FLAGS
stage.define_folder_flags('runner', 'beam_args', 'show_class')
flag_help.heading('What is flagged')
flags.DEFINE_string('scores', None, "Folder with the teacher's scores of the records.")
flags.DEFINE_string('records', None, 'Folder of the records that were scored.')
flags.DEFINE_enum(
  'rule',
  'percent',
  ['percent', 'chosen', 'score', 'positives', 'random', 'cleanlab', 'truth'],
  'What decides which implicit negatives are flagged.',
)
flag_help.heading(
  'What the rules need',
  'Each flag begins with the rules that it is for.',
)
flags.DEFINE_list(
  'discard_percent',
  ['0.1', '1', '5'],
  'percent, random, chosen: percentages of implicit negatives to flag, or to choose '
  'from; ml20 for the 18 of the paper.',
)
flags.DEFINE_list(
  'evaluation',
  [],
  "chosen: evaluations of the percentages' students, in their order.",
)
flags.DEFINE_enum(
  'choose_by',
  'lwlrap',
  [
    *('lwlrap', 'd_prime', 'd_prime_implicit', 'average_precision'),
    *('strong_lwlrap', 'strong_d_prime'),
  ],
  "chosen: what decides, of what evaluate's per_class.csv has.",
)
flags.DEFINE_enum(
  'choose_for',
  'all',
  ['all', 'class'],
  'chosen: one percentage for all classes, or one for each.',
)
flags.DEFINE_list('min_score', ['0.5'], 'score: flags what scores above.')
flags.DEFINE_list(
  'positive_percentile',
  ['25'],
  "positives: flags what scores above these percentiles of the class's positives.",
)
flags.DEFINE_string(
  'truth_csv', '', 'truth: the complete labels of the clips, a segments CSV.'
)
flags.DEFINE_string(
  'related_only',
  '',
  "AudioSet's ontology.json: of what the rule selects, flag only ancestors and "
  "descendants of a clip's positives (PSLA).",
)
flag_help.heading('What becomes of it')
flags.DEFINE_enum(
  'flagged_as',
  'ignored',
  FLAGGED_AS,
  'What the flagged labels are in training; soft: what the scores of a teacher say '
  '(train --soft_scores).',
)
flags.DEFINE_multi_string(
  'show_class',
  [],
  "A class, by name or mid, to print ML20's Table III of. All are in table_iii.csv.",
)
flags.DEFINE_integer('seed', 0, 'random: of the draws.')
# No --workers: on one machine the thresholds are found in the same pass over the scores
# in which labels are flagged.
runner_flags.define_runner_flags(workers=False)
flags.mark_flags_as_required(['scores', 'records'])

# Which rules a flag has an effect on.
_VALUES = {
  'discard_percent': ('percent', 'random', 'chosen'),
  'evaluation': ('chosen',),
  'choose_by': ('chosen',),
  'choose_for': ('chosen',),
  'min_score': ('score',),
  'positive_percentile': ('positives',),
  'seed': ('random',),
  'truth_csv': ('truth',),
  'runner': ('percent',),
}


def _values() -> tuple[str, ...]:
  """What the rule is told."""
  for name, of_rules in _VALUES.items():
    if FLAGS[name].present and FLAGS.rule not in of_rules:
      raise app.UsageError(
        f'--{name} does nothing here: it is for --rule={" or ".join(of_rules)}'
      )
  if FLAGS.rule in _VALUES['discard_percent']:
    from audioset_ml.missing_labels.thresholds import ML20_PERCENTS

    ml20 = [text.lower() for text in FLAGS.discard_percent] == ['ml20']
    return tuple(ML20_PERCENTS if ml20 else FLAGS.discard_percent)
  values = {'score': FLAGS.min_score, 'positives': FLAGS.positive_percentile}
  return tuple(values.get(FLAGS.rule, ()))


def main(_) -> None:
  from audioset_ml.missing_labels import enhance_stage, rules

  values = _values()
  if FLAGS.rule == 'truth' and not FLAGS.truth_csv:
    raise app.UsageError('--rule=truth needs --truth_csv')
  if FLAGS.rule == 'chosen' and not FLAGS.evaluation:
    raise app.UsageError('--rule=chosen needs --evaluation')
  if FLAGS.rule not in ('truth', 'chosen', 'cleanlab'):
    rules.build_rule(FLAGS.rule, values)  # so that wrong values are told of at once
  inputs = {'records': FLAGS.records, 'scores': FLAGS.scores}
  inputs |= {'truth_csv': FLAGS.truth_csv} if FLAGS.truth_csv else {}
  inputs |= {'evaluation': FLAGS.evaluation} if FLAGS.evaluation else {}
  inputs |= {'related_only': FLAGS.related_only} if FLAGS.related_only else {}
  config = enhance_stage.EnhanceConfig(
    FLAGS.scores,
    FLAGS.records,
    FLAGS.rule,
    values,
    FLAGS.flagged_as,
    FLAGS.seed,
    tuple(FLAGS.show_class),
    FLAGS.truth_csv,
    tuple(FLAGS.evaluation),
    FLAGS.choose_by,
    FLAGS.choose_for,
    FLAGS.related_only,
  )
  with stage.output_folder(
    FLAGS.output_dir,
    inputs,
    FLAGS.seed,
    check=lambda: checks.enhance(config, runner_flags.run_config),
  ) as folder:
    runs = runner_flags.run_config()
    found, text = enhance_stage.enhance(config, folder.path, runs)
    folder.counts = found.flagged
  for name, flagged in folder.counts.items():
    what = {'ignored': 'ignores', 'positive': 'adds', 'soft': 'softens'}
    why = ' (less than one in each class)' if not flagged else ''
    labels = counted(flagged, 'label')
    print(f'{folder.path}/{name}: {what[FLAGS.flagged_as]} {labels}{why}')
  print(text)


if __name__ == '__main__':
  stage.run(main)
