"""How many flagged labels are truly missing, where the truth is known.

The truth is a segments CSV of complete labels (of soundscapes, say), TSVs of labels
that people confirmed or refuted later (what `review` saves), or records of complete
annotations (`prepare --complete_strong --weak_labels=events`). Precision: the share of
the flagged labels that are truly there; recall: the share of the missing labels that
are flagged; both over implicit negatives whose truth is known, beside what as many
flags at random would reach. Writes audit.csv, audit_classes.csv and the figure.

Example:
  python -m audioset_ml.audit --label_sets=label_sets,label_sets_random \\
    --records=records/train --truth_csv=truth/train_segments.csv --output_dir=audit
"""

import pathlib
from typing import Any

from absl import flags

from audioset_ml.core.errors import counted
from audioset_ml.entry import stage, stage_folder

FLAGS = flags.FLAGS
stage_folder.define_folder_flags()
flags.DEFINE_list(
  'label_sets', None, 'Folders of label sets, or folders that hold several.'
)
flags.DEFINE_string('records', None, 'The records whose labels were flagged.')
flags.DEFINE_string('truth_csv', '', 'The complete labels of the clips: segments CSV.')
flags.DEFINE_list(
  'truth_tsv', [], 'Or TSVs of labels that people confirmed or refuted.'
)
flags.DEFINE_string(
  'truth_records',
  '',
  'Or records of these clips, whose explicit and derived labels are the truth.',
)
flags.DEFINE_string(
  'smear_ontology',
  '',
  "AudioSet's ontology.json: what is truly there implies its ancestors, unless a "
  'person refuted one by name.',
)
flags.DEFINE_float(
  'min_agreement',
  0.0,
  "Leave out classes if a smaller share of the records' own positives is true: there "
  "the labels and the truth don't mean the same. 0 leaves out none.",
  0,
  1,
)
flags.DEFINE_list('formats', ['png', 'pdf'], 'Formats of the figure: png, pdf, svg.')
flags.mark_flags_as_required(['label_sets', 'records'])


def _count(*inputs) -> dict[str, Any]:
  """What --dry_run says."""
  from audioset_ml.missing_labels.audit import count_inputs

  return count_inputs(*inputs)


def main(_) -> None:
  inputs = {name: FLAGS[name].value for name in ('label_sets', 'records')}
  sources = ('truth_csv', 'truth_tsv', 'truth_records', 'smear_ontology')
  known = {name: FLAGS[name].value for name in sources}
  with stage_folder.output_folder(
    FLAGS.output_dir,
    {**inputs, **known},
    check=lambda: _count(*inputs.values(), *known.values()),
  ) as folder:
    from audioset_ml.missing_labels.truth import read_truth
    from audioset_ml.records.folder import RecordsFolder
    from audioset_ml.reporting import style

    for kind in FLAGS.formats:
      style.require_writable(folder.path / f'audit.{kind}')
    records = RecordsFolder.open(FLAGS.records)
    truth = read_truth(records.clip_ids, records.class_map, *known.values())
    # Not before: what is wrong is told without TensorFlow's start.
    from audioset_ml.missing_labels.audit import audit
    from audioset_ml.records.dataset import read_label_table
    from audioset_ml.reporting.audit_figure import audit_figure

    labels = read_label_table(records)
    table = audit(FLAGS.label_sets, labels, truth, folder.path, FLAGS.min_agreement)
    figure = audit_figure(table)
    for kind in FLAGS.formats:
      style.save(figure, folder.path / f'audit.{kind}')
    # As others count, a key a label set: sweeps gather them.
    rates = ['precision', 'recall', 'flagged', 'truly_missing', 'missing']
    folder.counts = {'label_sets': len(table)}
    for row in table.to_dict('records'):
      values = {name: row[name] for name in rates if row[name] == row[name]}  # no NaN
      name = f'{pathlib.Path(row["folder"]).name}/{row["label_set"]}'
      folder.counts[name] = values
  columns = ['label_set', 'flagged', 'judged', 'truly_missing', 'missing', 'precision']
  columns += ['recall', 'random_precision', 'random_recall']
  several = table['folder'].nunique() > 1
  whole = {name: table[name].astype(int) for name in columns[1:5]}
  shown = table.assign(**whole)[[*(['folder'] if several else []), *columns]]
  if not truth.complete:
    clips, classes = (truth.judged[name].nunique() for name in ('clip', 'class_index'))
    clips = f'{clips} of {counted(len(truth.clip_ids), "clip")}'
    classes = f'{classes} of {counted(len(truth.class_map), "class")}'
    print(
      f'The truth is known of labels in {clips} and of {classes}: only these count.'
    )
  if truth.unsure:
    unsure = counted(truth.unsure, 'label', 'are')
    print(f'{unsure} not judged, since who was asked was unsure.')
  if FLAGS.min_agreement:
    print(
      f'The rates are of {counted(int(table["classes"].min()), "class")}, of which at '
      f'least {FLAGS.min_agreement:.0%} of the positives in the records are true '
      '(agreement in audit_classes.csv).'
    )
  print(shown.to_string(index=False, float_format=lambda value: f'{value:.3f}'))
  print(f'{folder.path}: audit.csv, audit_classes.csv, audit.{FLAGS.formats[0]}')


if __name__ == '__main__':
  stage.run(main)
