"""What records hold, and a picture of one clip with its labels.

Without --clip_id: the numbers of clips, hours, shards and labels, the classes, the
front end, and some clips that have strong labels. With it: the clip's labels, and a
figure of its spectrogram over its weak labels, its strong labels, and these on frames
of 0.96 s with their complementary negatives, as in Fig. 1 of Hershey et al. 2021.

Example:
  python -m audioset_ml.inspect records/train --verify
  python -m audioset_ml.inspect records/train --clip_id=2Gc4_ombgsk_0 --output=clip.pdf
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from absl import app, flags

from audioset_ml.core.errors import counted
from audioset_ml.entry import stage

if TYPE_CHECKING:
  from audioset_ml.records.folder import RecordsFolder

FLAGS = flags.FLAGS
flags.DEFINE_string('clip_id', '', 'The clip to draw: <YouTube id>_<start in ms>.')
flags.DEFINE_string(
  'output',
  '',
  'File to draw --clip_id to; its ending is the format: .png, .pdf or .svg. '
  'Empty: <clip_id>.png in the current folder.',
)
flags.DEFINE_bool(
  'verify', False, 'Read all shards and hold them against the checksums in run.json.'
)


def main(argv: Sequence[str]) -> None:
  if len(argv) != 2:
    raise app.UsageError('name one folder of records')
  if FLAGS.output and not FLAGS.clip_id:
    raise app.UsageError('--output is for the picture of a clip: give its --clip_id')
  if FLAGS.verify and FLAGS.clip_id:
    raise app.UsageError('--verify is for all records, --clip_id for one clip')
  if FLAGS.output:
    from audioset_ml.reporting import style

    style.require_writable(FLAGS.output)
  stage.require_inputs({'records': argv[1]})
  from audioset_ml.records.folder import RecordsFolder

  records = RecordsFolder.open(argv[1])
  if FLAGS.clip_id:
    _show_clip(records, FLAGS.clip_id, FLAGS.output or f'{FLAGS.clip_id}.png')
    return
  from audioset_ml.records.overview import read_overview
  from audioset_ml.reporting import records_text

  verified = _verified(records) if FLAGS.verify else ''  # first: it names what is bad
  print(records_text.describe_records(read_overview(records)))
  print(verified, end='')


def _verified(records: 'RecordsFolder') -> str:
  """A line on how many shards are as they were written."""
  shards, known = len(records.shards), records.verify(remote=True)
  without = f'; {shards - known} without, of an older version' if known < shards else ''
  as_written = 'is as it was' if known == 1 else 'are as they were'
  of = f'{known} of {counted(shards, "shard")}'
  return f'checksums: {of} {as_written} written{without}\n'


def _show_clip(records: 'RecordsFolder', clip_id: str, output: str) -> None:
  """Prints a clip's labels and draws it."""
  from audioset_ml.records.inspection import read_clip
  from audioset_ml.reporting import clip_figure, records_text, style

  content = read_clip(records, clip_id)
  print(records_text.describe_clip(content, records.class_map))
  figure = clip_figure.draw_clip(content, records.class_map, records.frames)
  style.save(figure, output)
  print(output)


if __name__ == '__main__':
  stage.run(main, positional=True)
