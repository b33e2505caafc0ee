"""Scores that another program has made, for `enhance` and `evaluate`.

An .npy file [clips, classes] with a text file of the clips' ids, or an .npz file that
holds both. Any numbers that rank will do, but for --rule=score and cleanlab, which want
probabilities. The rows are brought into the order of the records; rows of other clips
are passed over, and every clip of the records must have one.

Example:
  python -m audioset_ml.import_scores --scores=panns.npz --records=records/train \\
    --output_dir=scores_panns
"""

from typing import Any

from absl import flags

from audioset_ml.core.errors import counted
from audioset_ml.entry import stage, stage_folder

FLAGS = flags.FLAGS
stage_folder.define_folder_flags()
flags.DEFINE_string('scores', None, 'The scores: an .npy or .npz file.')
flags.DEFINE_string(
  'clip_ids', '', 'Text file with the id of a clip a line, as the rows are ordered.'
)
flags.DEFINE_string(
  'key', '', 'Name of the scores in an .npz file with several arrays.'
)
flags.DEFINE_string(
  'class_map', '', "Class map of the scores' columns, if it isn't that of the records."
)
flags.DEFINE_string(
  'class_mapping',
  '',
  'CSV with the header class,model_class: which columns stand for each class.',
)
flags.DEFINE_string('records', None, 'Folder of the records that were scored.')
flags.mark_flags_as_required(['scores', 'records'])


def _count(*inputs: str) -> dict[str, Any]:
  """What --dry_run says."""
  from audioset_ml.records.foreign_scores import count_inputs

  return count_inputs(*inputs)


def main(_) -> None:
  names = ('scores', 'clip_ids', 'class_map', 'class_mapping', 'records')
  inputs = {name: FLAGS[name].value for name in names}
  more = (FLAGS.clip_ids, FLAGS.class_map, FLAGS.class_mapping, FLAGS.key)
  with stage_folder.output_folder(
    FLAGS.output_dir,
    inputs,
    check=lambda: _count(FLAGS.scores, FLAGS.records, *more),
  ) as folder:
    from audioset_ml.records.folder import RecordsFolder
    from audioset_ml.records.foreign_scores import read_foreign_scores
    from audioset_ml.records.scores import describe_files, write_scores

    records = RecordsFolder.open(FLAGS.records)
    scores, unused = read_foreign_scores(FLAGS.scores, records, *more)
    write_scores(folder.path, scores)
    folder.details = describe_files(folder.path)
    folder.counts = {'clips': len(scores.clip_ids), 'rows_of_other_clips': unused}
  print(
    f'{folder.path}: scores of {counted(folder.counts["clips"], "clip")}; '
    f'{counted(unused, "row", "were")} of other clips'
  )


if __name__ == '__main__':
  stage.run(main)
