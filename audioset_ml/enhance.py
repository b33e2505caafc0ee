"""Label sets that ignore likely missing labels (ML20 section III).

Of each class's implicit negatives, a percentage is flagged: those that the teacher
scores highest. A student trained with that label set leaves them out of its loss.
Writes one folder a percentage, discard_<percentage>/, with the flags and ML20's Table
III for all classes (summary.csv).

Example:
  python -m audioset_ml.enhance --scores=scores --records=records/train \\
    --discard_percent=0.1,1,5 --output_dir=label_sets
"""

from absl import flags

from audioset_ml import stage

FLAGS = flags.FLAGS
stage.define_folder_flags()
flags.DEFINE_string('scores', None, "Folder with the teacher's scores of the records.")
flags.DEFINE_string('records', None, 'Folder of the records that were scored.')
flags.DEFINE_list(
  'discard_percent', ['0.1', '1', '5'], 'Percentages of implicit negatives to ignore.'
)
flags.mark_flags_as_required(['scores', 'records'])


def main(_) -> None:
  from audioset_ml.missing_labels import thresholds

  percents = thresholds.parse_percents(FLAGS.discard_percent)
  inputs = {'scores': FLAGS.scores, 'records': FLAGS.records}
  with stage.output_folder(FLAGS.output_dir, inputs) as folder:
    from audioset_ml.missing_labels.enhance import enhance_records

    folder.counts = enhance_records(FLAGS.scores, FLAGS.records, percents, folder.path)
  for name, ignored in folder.counts.items():
    print(f'{folder.path}/{name}: ignores {ignored} labels')


if __name__ == '__main__':
  stage.run(main)
