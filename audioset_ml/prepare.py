"""Sound files and labels to TFRecords of log-mel patches.

The segment CSVs say which clips there are (AudioSet's form: `YTID, start, end,
"mid,mid"`); a clip's sound is found by its id, `<YTID>_<start in ms>`, with any ending
that can be decoded, anywhere below --audio_dir. Clips without usable sound are listed
with the reason in skipped.csv.

Example:
  python -m audioset_ml.prepare --segments_csv=train_segments.csv \\
    --explicit_tsv=train_explicit.tsv --class_map=class_labels_indices.csv \\
    --audio_dir=audio/train --output_dir=records/train

Beam's own options follow as they are: --beam_args=--runner=FlinkRunner,…
"""

from absl import flags

from audioset_ml import stage

FLAGS = flags.FLAGS
stage.define_folder_flags('beam_args')
flags.DEFINE_list('segments_csv', None, 'Weak label CSVs; they say which clips to use.')
flags.DEFINE_list('explicit_tsv', [], 'TSVs of labels that people rated.')
flags.DEFINE_list('strong_tsv', [], 'TSVs of events with start and end times.')
flags.DEFINE_string('class_map', None, 'CSV of index,mid,display_name for all classes.')
flags.DEFINE_string('audio_dir', None, 'Folder with the sound files, at any depth.')
flags.DEFINE_enum(
  'decoder',
  'soundfile',
  ['soundfile', 'tensorflow_io'],
  'soundfile is four times as fast and knows Opus; tensorflow_io decodes in a graph.',
)
flags.DEFINE_integer('clips_per_shard', 500, 'About how many clips a shard holds.', 1)
flags.DEFINE_list('beam_args', [], 'Options for Apache Beam, with their dashes.')
flags.mark_flags_as_required(['segments_csv', 'class_map', 'audio_dir'])


def main(_) -> None:
  inputs = {
    name: FLAGS[name].value
    for name in ('segments_csv', 'explicit_tsv', 'strong_tsv', 'class_map', 'audio_dir')
  }
  with stage.output_folder(FLAGS.output_dir, inputs) as folder:
    from audioset_ml.records import pipeline

    config = pipeline.PrepareConfig(
      segments_csvs=tuple(FLAGS.segments_csv),
      class_map=FLAGS.class_map,
      audio_dir=FLAGS.audio_dir,
      explicit_tsvs=tuple(FLAGS.explicit_tsv),
      strong_tsvs=tuple(FLAGS.strong_tsv),
      decoder=FLAGS.decoder,
      clips_per_shard=FLAGS.clips_per_shard,
      beam_args=tuple(FLAGS.beam_args),
    )
    folder.counts, folder.details = pipeline.prepare(config, folder.path)
  skipped = folder.counts['clips_skipped']
  note = f' ({folder.path}/{pipeline.SKIPPED_FILE} says why)' if skipped else ''
  print(
    f'{folder.path}: {folder.counts["clips"]} clips in {folder.details["shards"]} '
    f'shards, {skipped} skipped{note}'
  )
  print(_labels_line(folder.counts))


def _labels_line(counts: dict[str, int]) -> str:
  """What labels the records have, and which were left out."""
  lines = [
    f'labels: {counts["explicit_positives"]} explicit positives, '
    f'{counts["explicit_negatives"]} explicit negatives, '
    f'{counts["strong_events"]} events'
  ]
  if others := counts['labels_of_other_clips']:
    lines.append(
      f'{others} labels were left out: their segment_id is of no clip in the segments '
      'CSV (a clip is <id>_<start in ms>, such as myclip_0)'
    )
  if others := counts['strong_labels_of_other_classes']:
    lines.append(f'{others} events were left out: the class map lacks their labels')
  return '\n'.join(lines)


if __name__ == '__main__':
  stage.run(main)
