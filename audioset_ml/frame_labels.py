"""Strong labels to labelled frames of 0.96 s, in Google's own framed format.

PRESENT by the rule of one half: an event covers at least half of the frame, or the
frame holds at least half of the event. NOT_PRESENT are the other frames of a clip that
has positive frames of the class (complementary negatives), and all frames of a clip for
which --explicit_tsv refutes the class (SL21 section 3.2) or --strong_tsv says that it
holds nothing.

Example:
  python -m audioset_ml.frame_labels --strong_tsv=audioset_eval_strong.tsv \\
    --explicit_tsv=eval_explicit.tsv --output_tsv=framed.tsv
"""

from absl import flags

from audioset_ml.core import folders
from audioset_ml.core.errors import agreeing, counted
from audioset_ml.entry import stage

FLAGS = flags.FLAGS
stage.define_dry_run_flag()
flags.DEFINE_string('strong_tsv', None, 'Events with their times.', required=True)
flags.DEFINE_string('explicit_tsv', '', 'Labels of whole clips that people rated.')
flags.DEFINE_string('output_tsv', None, 'File to write.', required=True)
flags.DEFINE_list(
  'segments_csv',
  [],
  'Weak label CSVs, for how long clips are (else 10 s): negative frames beyond a '
  "clip's end are left out.",
)
flags.DEFINE_string(
  'class_map',
  '',
  "The classes' mids by name, for a --strong_tsv of DESED's form, which has names.",
)
flags.DEFINE_enum(
  'on_bad_label',
  'error',
  ['error', 'skip'],
  'Wrong rows: one error that lists them, or left out and counted.',
)

_CLIP_SECONDS = 10.0  # of AudioSet's clips


def main(_) -> None:
  names = ('strong_tsv', 'explicit_tsv', 'segments_csv', 'class_map')
  stage.require_inputs({name: FLAGS[name].value for name in names})
  folders.require_writable(FLAGS.output_tsv)
  import pandas as pd

  from audioset_ml.labels import formats, framing, label_rows, segments
  from audioset_ml.labels.class_map import ClassMap
  from audioset_ml.labels.wrong_rows import WrongRows

  wrong_rows = WrongRows(
    FLAGS.on_bad_label == 'skip', '--on_bad_label=skip leaves them out.'
  )
  seconds = None
  if FLAGS.segments_csv:
    clips = [segments.read_weak_csv(path).clips for path in FLAGS.segments_csv]
    table = pd.concat(clips).drop_duplicates('clip_id').set_index('clip_id')
    seconds = table['end'] - table['start']
  longest = _CLIP_SECONDS if seconds is None else seconds
  names = ClassMap.read(FLAGS.class_map) if FLAGS.class_map else None
  file = formats.read_strong_file(FLAGS.strong_tsv, None, wrong_rows, longest, names)
  strong = file.events
  explicit = None
  if FLAGS.explicit_tsv:
    explicit = formats.read_explicit_tsv(FLAGS.explicit_tsv, None, wrong_rows)
    explicit = formats.decided(explicit)
  ratings = framing.with_silence(explicit, file)
  table = framing.frame_table(strong, ratings, clip_seconds=seconds)
  if FLAGS.dry_run:
    counts = {'events': len(strong), 'frames': len(table)}
    stage.end_dry_run(counts, f'{FLAGS.output_tsv}: would be written')
  formats.write_framed_tsv(FLAGS.output_tsv, table)
  present = int((table['present'] == label_rows.PRESENT).sum())
  print(
    f'{FLAGS.output_tsv}: {present} PRESENT and {len(table) - present} NOT_PRESENT '
    f'frames of {counted(table["segment_id"].nunique(), "clip")}'
  )
  if len(file.silent):
    silent = len(file.silent)
    hold = agreeing(silent, 'hold')
    print(f'{counted(silent, "clip", "were")} annotated and {hold} nothing')
  if unsure := int((ratings['present'] == label_rows.UNSURE).sum()):
    are, say = agreeing(unsure, 'are'), agreeing(unsure, 'say')
    print(
      f'{counted(unsure, "label")} of whole clips {are} UNSURE, which {say} nothing of '
      'frames'
    )
  lost = len(strong) - framing.count_framed(strong)
  if lost:
    events, are = counted(len(strong), 'event'), agreeing(lost, 'are')
    print(f'{lost} of {events} {are} in no frame (beginning after 9.6 s)')
  for wrong in wrong_rows.found:
    print(f'left out: {wrong.path}, row {wrong.row}: {wrong.what}')


if __name__ == '__main__':
  stage.run(main)
