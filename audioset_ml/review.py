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

Events that `tag` has found can be decided on in the same way (--events).
"""

from absl import app, flags

from audioset_ml.core import folders
from audioset_ml.core.errors import counted
from audioset_ml.entry import audio_flags, stage

FLAGS = flags.FLAGS
stage.define_dry_run_flag()
flags.DEFINE_string('label_set', '', 'Folder of the label set.')
flags.DEFINE_string('scores', '', "Folder with the teacher's scores of the records.")
flags.DEFINE_string(
  'events',
  '',
  'Events to decide on, in the place of --label_set and --scores: strong labels (TSV), '
  'as those of tag --events.',
)
flags.DEFINE_string('records', None, 'Folder of the records.', required=True)
flags.DEFINE_string(
  'audio_dir',
  '',
  "The clips' sound files. Without them the page has no player: it links to the videos "
  "of AudioSet's clips (<YouTube id>_<start in ms>), where they are still there.",
)
audio_flags.audio_names().define()
flags.DEFINE_string('output', None, 'The page to write, an .html file.', required=True)
flags.DEFINE_multi_string(
  'class', [], 'A class to review, by name or mid. Else the most flagged.'
)
flags.DEFINE_integer('classes', 20, 'How many of the most flagged classes.', 1)
flags.DEFINE_integer('clips_per_class', 20, 'How many clips of each class.', 1)
flags.DEFINE_bool(
  'embed_audio',
  False,
  'Put the sounds into the page (some 100 kB a clip), and not into a folder beside it.',
)


def main(_) -> None:
  if bool(FLAGS.events) == bool(FLAGS.label_set or FLAGS.scores) or (
    bool(FLAGS.label_set) != bool(FLAGS.scores)
  ):
    raise app.UsageError('give --label_set and --scores, or --events')
  folders.require_writable(FLAGS.output)
  names = ('records', 'scores', 'label_set', 'events', 'audio_dir')
  stage.require_inputs({name: FLAGS[name].value for name in names if FLAGS[name].value})
  from audioset_ml.records.folder import RecordsFolder
  from audioset_ml.reporting import review

  records = RecordsFolder.open(FLAGS.records)
  inputs = _event_inputs(records) if FLAGS.events else _flagged_inputs(records)
  if FLAGS.dry_run:
    what = 'classes in clips with events' if FLAGS.events else 'flagged labels'
    counts = {'clips': len(records.clip_ids), what: sum(inputs.counts())}
    stage.end_dry_run(counts, f'{FLAGS.output}: would be written')
  config = review.ReviewConfig(
    classes=tuple(records.class_map.find(name) for name in FLAGS['class'].value),
    num_classes=FLAGS.classes,
    clips_a_class=FLAGS.clips_per_class,
    embed_audio=FLAGS.embed_audio,
    **({'title': 'Events'} if FLAGS.events else {}),
  )
  counts = review.write_review(inputs, config, FLAGS.output)
  where = 'in it' if FLAGS.embed_audio else 'in a folder beside it'
  sounds = counted(counts['sounds'], 'sound')
  sounds += f' ({counts["audio_bytes"] / 1e6:.1f} MB) {where}'
  if not counts['sounds']:
    sounds = f'no sounds of {counted(counts["clips"], "clip")} (--audio_dir)'
  print(
    f'{FLAGS.output}: {counted(counts["labels"], "label")} of '
    f'{counted(counts["classes"], "class")} to decide on; {sounds}'
  )


def _event_inputs(records):
  from audioset_ml.labels.clip_ids import of_clips
  from audioset_ml.labels.formats import read_strong_tsv
  from audioset_ml.reporting.review_inputs import EventInputs

  events = read_strong_tsv(FLAGS.events, records.class_map)
  clips = of_clips(events['segment_id'], records.clip_ids)
  events = events.assign(segment_id=clips)
  sounds = (FLAGS.audio_dir, FLAGS.audio_names)
  return EventInputs(events, FLAGS.events, records, *sounds)


def _flagged_inputs(records):
  from audioset_ml.core.errors import RecordError
  from audioset_ml.labels.label_set import LabelSet
  from audioset_ml.records.scores import read_patch_scores, read_scores
  from audioset_ml.reporting.review_inputs import ReviewInputs

  scores = read_scores(FLAGS.scores)
  try:
    patch_scores = read_patch_scores(scores)
  except RecordError:
    patch_scores = None
  return ReviewInputs(
    label_set=LabelSet.read(FLAGS.label_set),
    scores=scores,
    patch_scores=patch_scores,
    records=records,
    audio_dir=FLAGS.audio_dir,
    audio_names=FLAGS.audio_names,
  )


if __name__ == '__main__':
  stage.run(main)
