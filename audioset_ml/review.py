"""A page on which people listen to flagged labels and say what is truly there.

For each class the top-scored flagged clips: sound, spectrogram, the teacher's score,
the weak labels, and keys for present, not present and unsure. The page needs no server;
decisions stay in the browser and are saved as a TSV of explicit labels, which makes the
next records better:

  python -m audioset_ml.review --label_set=label_sets/discard_1 --scores=scores \\
    --records=records/train --audio_dir=audio/train --output=review.html
  python -m audioset_ml.prepare --labels_only --records=records/train \\
    --segments_csv=train_segments.csv --explicit_tsv=train_explicit.tsv,review.tsv \\
    --class_map=class_labels_indices.csv --output_dir=records/reviewed
"""

from absl import flags

from audioset_ml import audio_flags, folders, stage

FLAGS = flags.FLAGS
stage.define_dry_run_flag()
flags.DEFINE_string('label_set', None, 'Folder of the label set.', required=True)
flags.DEFINE_string(
  'scores', None, "Folder with the teacher's scores of the records.", required=True
)
flags.DEFINE_string('records', None, 'Folder of the records.', required=True)
flags.DEFINE_string(
  'audio_dir',
  '',
  "The clips' sound files. Without them the page has no player: it links to the videos "
  "of AudioSet's clips (<YouTube id>_<start in ms>), where they are still there.",
)
audio_flags.define_audio_names()
flags.DEFINE_string('output', None, 'The page to write, an .html file.', required=True)
flags.DEFINE_multi_string(
  'class', [], 'A class to review, by name or mid; repeatable. Else the most flagged.'
)
flags.DEFINE_integer('classes', 20, 'How many of the most flagged classes.', 1)
flags.DEFINE_integer('clips_per_class', 20, 'How many clips of each class.', 1)
flags.DEFINE_bool(
  'embed_audio',
  False,
  'Put the sounds into the page (some 100 kB a clip), and not into a folder beside it.',
)


def main(_) -> None:
  folders.require_writable(FLAGS.output)
  names = ('records', 'scores', 'label_set', 'audio_dir')
  stage.require_inputs({name: FLAGS[name].value for name in names if FLAGS[name].value})
  from audioset_ml.errors import RecordError
  from audioset_ml.labels.label_set import LabelSet
  from audioset_ml.records.folder import RecordsFolder
  from audioset_ml.records.scores import read_patch_scores, read_scores
  from audioset_ml.reporting import review

  records = RecordsFolder.open(FLAGS.records)
  scores = read_scores(FLAGS.scores)
  try:
    patch_scores = read_patch_scores(scores)
  except RecordError:
    patch_scores = None
  inputs = review.ReviewInputs(
    label_set=LabelSet.read(FLAGS.label_set),
    scores=scores,
    patch_scores=patch_scores,
    records=records,
    audio_dir=FLAGS.audio_dir,
    audio_names=FLAGS.audio_names,
  )
  if FLAGS.dry_run:
    flagged = int(inputs.label_set.flagged().sum())
    counts = {'clips': len(records.clip_ids), 'flagged labels': flagged}
    stage.end_dry_run(counts, f'{FLAGS.output}: would be written')
  config = review.ReviewConfig(
    classes=tuple(records.class_map.find(name) for name in FLAGS['class'].value),
    num_classes=FLAGS.classes,
    clips_a_class=FLAGS.clips_per_class,
    embed_audio=FLAGS.embed_audio,
  )
  counts = review.write_review(inputs, config, FLAGS.output)
  where = 'in it' if FLAGS.embed_audio else 'in a folder beside it'
  sounds = f'{counts["sounds"]} sounds ({counts["audio_bytes"] / 1e6:.1f} MB) {where}'
  if not counts['sounds']:
    sounds = f'no sounds of the {counts["clips"]} clips (--audio_dir)'
  print(
    f'{FLAGS.output}: {counts["labels"]} labels of {counts["classes"]} classes to '
    f'decide on; {sounds}'
  )


if __name__ == '__main__':
  stage.run(main)
