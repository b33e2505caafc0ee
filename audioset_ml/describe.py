"""What label files say: counts, priors, label quality, weak against strong labels.

Prints a summary and writes it to summary.json; classes.csv has a row a class,
odds_ratios.csv a row for each pair of a weak and a strong label that share a clip. The
figures: priors by weak and strong labels, clips by class, labels a clip, label quality,
and odds ratios of each --label. Needs neither sound nor records.

Example:
  python -m audioset_ml.describe --segments_csv=eval_segments.csv \\
    --strong_tsv=audioset_eval_strong.tsv --class_map=class_labels_indices.csv \\
    --qa_csv=qa_true_counts.csv --label=Speech --label=/m/0jbk --output_dir=d
"""

from absl import flags

from audioset_ml.entry import label_flags, stage, stage_folder

FLAGS = flags.FLAGS
stage_folder.define_folder_flags()
label_flags.define_label_flags()
flags.DEFINE_string('qa_csv', '', "AudioSet's qa_true_counts.csv: label quality.")
flags.DEFINE_multi_string(
  'label',
  [],
  'A label, by name or mid, to give the largest odds ratios of.',
)
flags.DEFINE_integer(
  'min_both',
  10,
  'Odds ratios are printed and drawn for pairs of labels that at least so many clips '
  'share; odds_ratios.csv has all.',
  1,
)
flags.DEFINE_integer(
  'choose_clips',
  0,
  'Also write chosen_clips.txt, a list of clips for --clip_list of other stages: so '
  'many of each weak label, all where there are fewer, of the clips with strong labels '
  "where there are some. SL21's training set was chosen so, with 250. Rare classes "
  'choose first, by a hash of the ids; a clip counts for all its classes, so that '
  'frequent ones exceed the number.',
  0,
)
flags.DEFINE_list('formats', ['png', 'pdf'], 'Formats of the figures: png, pdf, svg.')


def main(_) -> None:
  inputs = {name: FLAGS[name].value for name in (*label_flags.PATHS, 'qa_csv')}
  with stage_folder.output_folder(
    FLAGS.output_dir,
    inputs,
    check=_count,
  ) as folder:
    from audioset_ml.reporting import description

    files = label_flags.label_files()
    result = description.describe(files, _config(), folder.path)
    folder.counts = result.summary
  print(result.text)


def _count() -> dict[str, int]:
  """What --dry_run says."""
  from audioset_ml.labels.join import read_labels
  from audioset_ml.reporting.description import require_formats

  config = _config()
  require_formats(config)
  joined = read_labels(label_flags.label_files())
  for label in config.labels:
    joined.class_map.find(label)
  return {'clips': len(joined.labels), 'classes': len(joined.class_map)}


def _config():
  from audioset_ml.reporting.description import DescribeConfig

  return DescribeConfig(
    FLAGS.qa_csv,
    tuple(FLAGS.label),
    FLAGS.min_both,
    tuple(FLAGS.formats),
    FLAGS.choose_clips,
  )


if __name__ == '__main__':
  stage.run(main)
