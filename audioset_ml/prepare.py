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

from absl import app, flags

from audioset_ml import audio_flags, checks, flag_help, label_flags, runner_flags, stage
from audioset_ml.errors import counted

FLAGS = flags.FLAGS
WRONG_LENGTH = 'wrong length'  # the reason of clips, as `records.sources` has it
stage.define_folder_flags(*runner_flags.NAMES, 'max_skipped_fraction')
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
audio_flags.define_audio_names()
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
  'ffmpeg reads all formats and is four times as fast; tensorflow_io decodes in a '
  'graph.',
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
    if flag.present and (FLAGS.labels_only or flag.value != flag.default):
      raise app.UsageError(f'--{name} does nothing here: {why}')


def main(_) -> None:
  _refuse_idle_flags()
  inputs = {name: FLAGS[name].value for name in label_flags.PATHS}
  more = ('audio_dir', 'records', 'clip_list', 'features_dir')
  inputs |= {name: FLAGS[name].value for name in more}
  with stage.output_folder(
    FLAGS.output_dir,
    inputs,
    check=lambda: checks.prepare(_config(), runner_flags.run_config),
    remote=True,
    finished=lambda path: _come_since(path),
  ) as folder:
    from audioset_ml.records import pipeline

    runs = runner_flags.run_config()
    folder.counts, folder.details = pipeline.prepare(_config(), folder.path, runs)
  print(_summary(folder))


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


def _summary(folder: stage.StageFolder) -> str:
  """What was written, and what was left out."""
  counts, details = folder.counts, folder.details
  kinds = ', '.join(f'{n} {reason}' for reason, n in details['skipped_reasons'].items())
  why = f' ({kinds}; see {folder.path}/skipped.csv)' if kinds else ''
  lines = [
    f'{folder.path}: {counted(counts["clips"], "clip")} ({details["hours"]:.2f} h) in '
    f'{counted(details["shards"], "shard")}, {counts["clips_skipped"]} skipped{why}',
    f'labels: {counted(counts["explicit_positives"], "explicit positive")}, '
    f'{counted(counts["explicit_negatives"], "explicit negative")}, '
    f'{counted(counts["strong_events"], "event")}',
  ]
  if noted := counts.get('clips_noted'):
    lines.append(
      f'{noted} clips were used though their sound is odd; see {folder.path}/notes.csv'
    )
  if unsure := counts.get('unsure_labels'):
    lines[1] += f', {unsure} unsure (ignored in training and evaluation)'
  if decided := counts['unsure_labels_decided']:
    lines.append(
      f'{decided} labels that a person was unsure of are what others said of them'
    )
  if FLAGS.records:
    lines += _fewer_labels(counts)
  if lost := counts.get('clips_lost_of_list'):
    lines.append(
      f'{lost} clips of {FLAGS.clip_list} are in no segments CSV; see '
      f'{folder.path}/lost_clips.csv'
    )
  if FLAGS.weak_labels != 'given':
    lines.append(_events_text(counts))
  lines += _complete_lines(counts, details)
  if refuted := counts['labels_refuted_in_all_frames']:
    lines.append(
      f'{refuted} labels are explicit negatives of their clips since all frames are '
      'refuted'
    )
  if standing := counts['positives_refuted_in_all_frames']:
    lines.append(
      f'{standing} positives of clips stand though all frames of the clip are refuted'
    )
  if decided := counts['unsure_labels_decided']:
    lines.append(
      f'{decided} labels that somebody was unsure of are what another row or file says'
    )
  if others := counts['labels_of_other_clips']:
    lines.append(
      f'{others} labels were left out: their segment_id is of no clip in the segments '
      'CSV (a clip is <id>_<start in ms>, such as myclip_0)'
    )
  if stretches := counts['refuted_stretches']:
    lines[1] += f', {stretches} refuted stretches'
  if counts['other_strong_labels']:
    fates = ', '.join(
      f'{counts[f"other_strong_labels_{fate}"]} {fate}'
      for fate in ('kept', 'mapped', 'dropped')
    )
    lines.append(
      f'{counts["other_strong_labels"]} strong labels are no classes of the class map: '
      f'{fates} (--other_strong_labels)'
    )
  if FLAGS.features_dir:
    lines.append(_features_text(counts, folder))
  if wrong := counts['labels_skipped_as_wrong']:
    lines.append(
      f'{wrong} wrong rows were left out; see {folder.path}/skipped_labels.csv'
    )
  if bare := counts['clips_left_without_labels']:
    lines.append(
      f'{bare} of their clips stay without any label, and are trained on as if nothing '
      'were in them'
    )
  if longer := details['skipped_reasons'].get(WRONG_LENGTH):
    are = '1 sound is longer than its clip'
    if longer > 1:
      are = f'{longer} sounds are longer than their clips'
    lines.append(
      f'{are}; of those that are whole '
      f'recordings, {folder.path}/skipped.csv has the commands that cut the clips out'
    )
  return '\n'.join(lines)


def _fewer_labels(counts: dict[str, int]) -> list[str]:
  """Of which kinds of labels there are fewer than in the records before."""
  from audioset_ml.records import relabelling
  from audioset_ml.records.folder import require_records

  before = require_records(FLAGS.records)[0]['counts']
  return [
    f'fewer {line} ({FLAGS.records})' for line in relabelling.fewer(before, counts)
  ]


def _events_text(counts: dict[str, int]) -> str:
  """What became labels of whole clips (--weak_labels)."""
  text = f'{counts["labels_of_events"]} labels of clips are of events alone'
  refuted = f'{counts["refuted_labels_with_event"]} refuted labels'
  if FLAGS.weak_labels == 'both':
    return f'{text}; {refuted} stand, though there is an event'
  return (
    f'{text}, {refuted} among them; {counts["positives_replaced"]} positives of '
    'classes that were annotated, without an event, were left out'
  )


def _complete_lines(counts: dict, details: dict) -> list[str]:
  """What was made of complete annotations."""
  lines = []
  if silent := counts['silent_clips']:
    lines.append(
      f'{silent} clips were annotated and hold nothing: the classes that annotators '
      'were asked for are explicit negatives of them'
    )
  if FLAGS.complete_strong:
    lines.append(
      f'complete annotations: {counts["complete_clips"]} clips '
      f'({counts["complete_clips_without_events"]} without an event of a class), '
      f'{counts["annotated_classes"]} classes; {counts["unmarked_labels"]} labels that '
      'were not marked are explicit negatives'
    )
  if standing := counts.get('positives_without_event'):
    lines.append(
      f'{standing} positives of such clips stand, though no event of their class was '
      'marked'
    )
  if doubtful := counts.get('unmarked_labels_in_doubt'):
    lines.append(
      f'{doubtful} labels are no negatives, though they were not marked: rows of '
      '--strong_tsv that were left out may have marked them'
    )
  if outside := details.get('events_outside_annotated_classes'):
    named = ', '.join(f'{mid} ({number})' for mid, number in outside.items())
    lines.append(
      f'{sum(outside.values())} events are of classes outside --annotated_classes, and '
      f'kept: {named}'
    )
  return lines


def _features_text(counts: dict[str, int], folder: stage.StageFolder) -> str:
  """How embeddings and label files agree."""

  def see(name: str, *listed: int) -> str:
    return f' (see {folder.path}/{name})' if any(listed) else ''

  starts, damaged, bad = (
    counts[name] for name in ('clips_with_other_start', 'damaged_files', 'bad_records')
  )
  ours, theirs = counts['labels_only_in_label_files'], counts['labels_only_in_features']
  return (
    f'embeddings: {starts} clips start elsewhere than the segments CSV says'
    f'{see("other_starts.csv", starts)}, {counts["embeddings_of_other_clips"]} records '
    f'are of other clips, {damaged} files are damaged, {bad} records are bad'
    f'{see("damaged_files.csv", damaged, bad)}; {theirs} labels are only there, {ours} '
    f'only in the label files{see("differing_labels.csv", ours, theirs)}'
  )


if __name__ == '__main__':
  stage.run(main)
