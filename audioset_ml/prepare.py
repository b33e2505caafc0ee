"""Sound files and labels to TFRecords of log-mel patches.

The segment CSVs say which clips there are (AudioSet's form: `YTID, start, end,
"mid,mid"`); a clip's sound is found by its name, `<YTID>_<start in ms>` or as downloads
have it (--audio_names), with any ending that can be decoded, anywhere below
--audio_dir. Clips without usable sound are listed with the reason in skipped.csv; what
is odd in sound that was used (shorter than its clip, damaged packets) is in notes.csv.

With --features_dir, AudioSet's published embeddings are taken instead of sound
(Google's features.tar.gz, unpacked): records of frames of 128 values each 0.96 s.

With --labels_only, the features come from other --records and only the labels are new.

Example:
  python -m audioset_ml.prepare --segments_csv=train_segments.csv \\
    --explicit_tsv=train_explicit.tsv --class_map=class_labels_indices.csv \\
    --audio_dir=audio/train --output_dir=records/train
  python -m audioset_ml.prepare --segments_csv=balanced_train_segments.csv \\
    --class_map=class_labels_indices.csv \\
    --features_dir=audioset_v1_embeddings/bal_train --output_dir=records/bal_train
  python -m audioset_ml.prepare --labels_only --records=records/train \\
    --segments_csv=train_segments.csv --strong_tsv=audioset_train_strong.tsv \\
    --class_map=class_labels_indices.csv --output_dir=records/train_strong

With --workers=N, N processes share the work; with --runner, Apache Beam does it, whose
own options follow as they are: --beam_args=--flink_master=…,--parallelism=8
"""

from typing import Any

from absl import app, flags

from audioset_ml.entry import (
  audio_flags,
  flag_help,
  label_flags,
  runner_flags,
  stage,
  stage_folder,
)

FLAGS = flags.FLAGS
stage_folder.define_folder_flags(*runner_flags.NAMES, 'max_skipped_fraction')
flag_help.heading(
  'Labels',
  'Which clips there are, and what is known to be in them.',
)
label_flags.define_label_flags()
flag_help.heading(
  'Sound',
  'Where the features come from; or from one of the next two.',
)
flags.DEFINE_string('audio_dir', '', 'Folder with the sound files, at any depth.')
audio_flags.audio_names().define()
flag_help.heading('Or published embeddings')
flags.DEFINE_list(
  'features_dir', [], "Folders of AudioSet's published embeddings, at any depth."
)
flags.DEFINE_enum(
  'labels_in_features',
  'check',
  ['check', 'ignore'],
  'Their labels, as indices of the class map, are held against the label files and '
  'differences counted; or ignored, as where the class map is another than theirs.',
)
flag_help.heading(
  'Or records that there are',
  'With new labels: give all label files again, not the new ones alone.',
)
flags.DEFINE_bool(
  'labels_only', False, 'Join the labels to --records; no sound is decoded again.'
)
flags.DEFINE_string('records', '', 'Records to take the features from.')
flags.DEFINE_list(
  'drop_labels',
  [],
  'With --labels_only: kinds of labels that --records has and that may go (explicit, '
  'strong, refuted, complete, unsure). Without, it is an error if the label files have '
  'none of a kind any more, as when one of them was forgotten.',
)
flag_help.heading('What of the sound is used')
flags.DEFINE_enum(
  'decoder',
  'ffmpeg',
  ['ffmpeg', 'tensorflow_io'],
  'ffmpeg reads all formats; tensorflow_io decodes in a graph and takes 4.7 times as '
  'long.',
)
flags.DEFINE_integer('clips_per_shard', 500, 'About how many clips a shard holds.', 1)
flags.DEFINE_float('min_seconds', 0.96, 'A shorter sound is skipped.', 0)
flags.DEFINE_float(
  'max_extra_seconds',
  0.5,
  'A sound longer than its clip (end minus start in the segments CSV) by more is '
  'skipped: it is not the clip. Shorter ones are used, since recordings end.',
  0,
)
flags.DEFINE_float(
  'min_share',
  0.0,
  'The smallest share of its clip that a sound may have; a shorter one is skipped. By '
  'default it is used, and noted in notes.csv where half a second or more is lacking.',
  0,
  1,
)
flags.DEFINE_float(
  'max_skipped_fraction',
  0.5,
  'The largest share of clips that may be skipped; with more, prepare fails, and goes '
  'on from there when more is allowed.',
  0,
  1,
)
flag_help.heading('Which clips')
flags.DEFINE_string(
  'clip_list',
  '',
  'Use these clips only, of those in the segments CSVs: a text file with a clip id a '
  'line (describe --choose_clips writes one), a segments CSV or a strong TSV. Those '
  'that no segments CSV has are in lost_clips.csv.',
)
flags.DEFINE_float(
  'clip_fraction',
  1.0,
  'Share of the clips to use, by a hash of their ids; a smaller share is part of every '
  "larger one. ML20's small train set is a fifth of the large one.",
  0,
  1,
)
flag_help.heading('Where the work is done')
runner_flags.define_runner_flags()
flags.register_validator(
  'labels_only',
  lambda labels_only: bool(labels_only) == bool(FLAGS.records),
  '--labels_only needs --records, and --records is for it alone',
)


# They say how sound is read, of which --labels_only reads none.
_FOR_SOUND = (
  'audio_names',
  'decoder',
  'clips_per_shard',
  'min_seconds',
  'max_extra_seconds',
  'min_share',
)
# Of which embeddings know the second.
_FOR_SHARDS = ('clips_per_shard',)


def _refuse_idle_flags() -> None:
  """A flag that changes nothing would be a mistake that nobody notices."""
  idle, why = {'labels_in_features'}, 'it needs --features_dir'
  if FLAGS.labels_only:
    idle, why = {*_FOR_SOUND, 'labels_in_features'}, '--labels_only reads no sound'
  elif FLAGS.features_dir:
    idle, why = {*_FOR_SOUND} - {*_FOR_SHARDS}, '--features_dir reads no sound'
  for name in sorted(idle):
    flag = FLAGS[name]
    # What a written flagfile says of a default is no mistake.
    if flag.value != flag.default:
      raise app.UsageError(f'--{name} does nothing here: {why}')


def main(_) -> None:
  _refuse_idle_flags()
  inputs = {name: FLAGS[name].value for name in label_flags.PATHS}
  more = ('audio_dir', 'records', 'clip_list', 'features_dir')
  inputs |= {name: FLAGS[name].value for name in more}
  with stage_folder.output_folder(
    FLAGS.output_dir,
    inputs,
    check=_count,
    remote=True,
    finished=_come_since,
  ) as folder:
    from audioset_ml.records import pipeline

    runs = runner_flags.run_config()
    folder.counts, folder.details = pipeline.prepare(_config(), folder.path, runs)
  from audioset_ml.records import prepare_text

  print(prepare_text.summary(folder.path, folder.counts, folder.details, _config()))


def _count() -> dict[str, Any]:
  """What --dry_run says."""
  from audioset_ml.records.prepare_plan import count_inputs

  return runner_flags.after_inputs(count_inputs(_config()))


def _config():
  from audioset_ml.records.prepare_config import PrepareConfig

  return PrepareConfig(
    labels=label_flags.label_files(),
    audio_dir=FLAGS.audio_dir,
    audio_names=FLAGS.audio_names,
    records=FLAGS.records,
    features_dirs=tuple(FLAGS.features_dir),
    labels_in_features=FLAGS.labels_in_features == 'check',
    decoder=FLAGS.decoder,
    clips_per_shard=FLAGS.clips_per_shard,
    min_seconds=FLAGS.min_seconds,
    max_extra_seconds=FLAGS.max_extra_seconds,
    min_share=FLAGS.min_share,
    max_skipped_fraction=FLAGS.max_skipped_fraction,
    clip_fraction=FLAGS.clip_fraction,
    clip_list=FLAGS.clip_list,
    drop_labels=tuple(FLAGS.drop_labels),
  )


def _come_since(path) -> str:
  """What is said of sound that finished records lack, and that is there now."""
  if not FLAGS.audio_dir:
    return ''
  from audioset_ml.records import late_sounds

  return late_sounds.told(path, FLAGS.audio_dir)


if __name__ == '__main__':
  stage.run(main)
