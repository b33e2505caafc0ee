"""A model's scores for every clip of the records: scores.npy and clip_ids.txt.

A clip's score is the mean of the sigmoid scores of its patches, which overlap by half.

Example:
  python -m audioset_ml.score --model=teacher --records=records/train \\
    --output_dir=scores
"""

from absl import flags

from audioset_ml import stage

FLAGS = flags.FLAGS
stage.define_folder_flags()
flags.DEFINE_string('model', None, 'Train folder, .keras file or yamnet.h5.')
flags.DEFINE_string('class_map', None, "The model's class map, if none lies beside it.")
flags.DEFINE_string('records', None, 'Folder of records to score.')
flags.mark_flags_as_required(['model', 'records'])


def main(_) -> None:
  inputs = {'model': FLAGS.model, 'records': FLAGS.records}
  with stage.output_folder(FLAGS.output_dir, inputs) as folder:
    from audioset_ml.models.scoring import score_records
    from audioset_ml.records.folder import RecordsFolder
    from audioset_ml.records.scores import write_scores

    records = RecordsFolder.open(FLAGS.records)
    scores = score_records(FLAGS.model, records, FLAGS.class_map)
    write_scores(folder.path, scores)
    folder.counts = {
      'clips': len(scores.clip_ids),
      'classes': len(scores.class_map),
    }
  print(f'{folder.path}: scores of {folder.counts["clips"]} clips')


if __name__ == '__main__':
  stage.run(main)
