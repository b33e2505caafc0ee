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

from typing import Any

from absl import flags

from audioset_ml.core.errors import counted
from audioset_ml.entry import enhance_flags, runner_flags, stage, stage_folder
from audioset_ml.missing_labels.enhance_config import EnhanceConfig

FLAGS = flags.FLAGS
stage_folder.define_folder_flags('runner', 'beam_args', *enhance_flags.PASSING)
enhance_flags.define()


def _count(config: EnhanceConfig) -> dict[str, Any]:
  """What --dry_run says."""
  from audioset_ml.missing_labels.enhance_stage import count_inputs

  return runner_flags.after_inputs(count_inputs(config))


def main(_) -> None:
  config = enhance_flags.enhance_config()
  with stage_folder.output_folder(
    FLAGS.output_dir,
    enhance_flags.inputs(),
    FLAGS.seed,
    check=lambda: _count(config),
  ) as folder:
    from audioset_ml.missing_labels import enhance_stage

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
