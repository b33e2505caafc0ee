"""Weak evaluation: d′ on explicit labels, lωlrap, mAP; per class and mean (ML20 IV-A).

Either a model scores the records, or scores that `score` wrote are used. Writes
metrics.json, per_class.csv and the scores.

Example:
  python -m audioset_ml.evaluate --model=student --records=records/eval \\
    --output_dir=evaluation
"""

from absl import app, flags

from audioset_ml import stage

FLAGS = flags.FLAGS
stage.define_folder_flags()
flags.DEFINE_string('model', None, 'Train folder, .keras file or yamnet.h5.')
flags.DEFINE_string('class_map', None, "The model's class map, if none lies beside it.")
flags.DEFINE_string('scores', None, 'Folder of scores to use instead of a model.')
flags.DEFINE_string('records', None, 'Folder of records with the labels.')
flags.DEFINE_string(
  'smear_ontology',
  '',
  "AudioSet's ontology.json: the ancestors of a positive count as positives in lωlrap, "
  'mAP and d′ against implicit negatives, unless a person said otherwise.',
)
flags.mark_flag_as_required('records')

_INPUTS = ('model', 'scores', 'records', 'smear_ontology')


def main(_) -> None:
  if (FLAGS.model is None) == (FLAGS.scores is None):
    raise app.UsageError('give either --model or --scores')
  inputs = {name: FLAGS[name].value for name in _INPUTS}
  with stage.output_folder(FLAGS.output_dir, inputs) as folder:
    from audioset_ml.evaluation import records_evaluation

    evaluation = records_evaluation.evaluate_records(
      FLAGS.records,
      FLAGS.model,
      FLAGS.scores,
      FLAGS.class_map,
      folder.path,
      FLAGS.smear_ontology,
    )
    folder.counts = evaluation.summary
  for name, value in evaluation.summary.items():
    print(f'{name:28}{"undefined" if value is None else f"{value:.4g}"}')


if __name__ == '__main__':
  stage.run(main)
