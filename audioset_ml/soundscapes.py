"""Writes soundscapes: clips of events over noise, with labels and with the truth.

Without any data of your own this makes a small AudioSet: ten-second clips in which one
to four parametric sounds stand over background noise, weak, strong and explicit labels
in AudioSet's own file formats, with AudioSet's label noise (positives that are missing
at a rate that differs by class; few explicit negatives, mostly of similar classes), and
the true labels apart in truth/. All of it follows from --seed, byte for byte.

  python -m audioset_ml.soundscapes --output_dir=/tmp/soundscapes

With your own recordings as the events, a folder a class:

  python -m audioset_ml.soundscapes --output_dir=/tmp/esc --source_dir=ESC-10 \\
    --eval_sources='5-*'
"""

import dataclasses
from typing import Any

from absl import flags

from audioset_ml.core.errors import InputError, counted
from audioset_ml.entry import stage, stage_folder

FLAGS = flags.FLAGS
stage_folder.define_folder_flags('num_workers')

flags.DEFINE_integer('train_clips', 3000, 'Number of training clips.')
flags.DEFINE_integer('eval_clips', 800, 'Number of evaluation clips.')
flags.DEFINE_integer('seed', 1, 'Where all randomness comes from.')
flags.DEFINE_float('clip_seconds', 10.0, 'Length of a clip.')
flags.DEFINE_list('event_seconds', ['0.5', '5'], "Range of an event's length.")
flags.DEFINE_list(
  'snr_db', ['0', '20'], "Range of an event's power over the background's, in dB."
)
flags.DEFINE_list(
  'background_dbfs', ['-60', '-30'], "Range of the background's level, dB full scale."
)
flags.DEFINE_list(
  'background_exponent', ['0', '2'], 'Range of a in the background spectrum 1/f^a.'
)
flags.DEFINE_list(
  'event_probabilities',
  ['0.3', '0.35', '0.25', '0.1'],
  'Probabilities of 1, 2, ... events in a clip.',
)
flags.DEFINE_float('drop_rate_min', 0.5, "Lowest class's rate of missing labels.")
flags.DEFINE_float('drop_rate_max', 0.98, "Highest class's rate of missing labels.")
flags.DEFINE_float(
  'neighbour_negatives', 1.0, 'Mean explicit negatives a clip of confusable classes.'
)
flags.DEFINE_float(
  'other_negatives', 0.5, 'Mean explicit negatives a clip of the other classes.'
)
flags.DEFINE_bool(
  'drop_in_eval', False, 'Let the evaluation clips miss labels as well.'
)
flags.DEFINE_string(
  'source_dir', '', 'Folder of recordings, a folder a class, to use as the events.'
)
flags.DEFINE_string(
  'eval_sources',
  '',
  'Glob of the names of recordings that evaluation clips use, and training clips do '
  'not. Empty: a fifth of the recordings, by a hash of their names.',
)
flags.DEFINE_string(
  'source_classes',
  '',
  'CSV with the columns folder,mid,display_name. Folders that it does not name are '
  'classes by their own names.',
)
flags.DEFINE_integer('num_workers', 0, 'Processes; 0: one a core.')


def main(argv):
  """Reads the flags, generates, and says what came out."""
  del argv
  # Imported here so that --help is quick.
  from audioset_ml.synthesis.config import SoundscapeConfig

  fields = [field.name for field in dataclasses.fields(SoundscapeConfig)]
  config = SoundscapeConfig(**{name: _value(name) for name in fields})
  inputs = {
    name: FLAGS[name].value
    for name in ('source_dir', 'source_classes')
    if FLAGS[name].value
  }
  with stage_folder.output_folder(
    FLAGS.output_dir, inputs, FLAGS.seed, check=lambda: _count(config)
  ) as folder:
    from audioset_ml.synthesis.writing import generate

    folder.counts.update(generate(config, folder.path, FLAGS.num_workers))
  _print_summary(folder)


def _count(config) -> dict[str, Any]:
  from audioset_ml.synthesis.writing import count_inputs

  return count_inputs(config)


def _value(name: str):
  """A flag's value; lists as tuples of numbers."""
  value = FLAGS[name].value
  if not isinstance(value, list):
    return value
  try:
    return tuple(float(item) for item in value)
  except ValueError as error:
    raise InputError(f'--{name}={",".join(value)}: not a list of numbers') from error


def _print_summary(folder: stage_folder.StageFolder) -> None:
  counts = folder.counts
  for split in ('train', 'eval'):
    print(
      f'{split}: {counted(counts[f"{split}_clips"], "clip")}, '
      f'{counted(counts[f"{split}_events"], "event")} of '
      f'{counted(counts["classes"], "class")}; {counts[f"{split}_positives"]:,} true '
      f'labels, {counts[f"{split}_share_missing"]:.1%} of them missing; '
      f'{counts[f"{split}_explicit_negatives"]:,} explicit negatives; '
      f'{counts[f"{split}_share_of_implicit_negatives_present"]:.2%} of the implicit '
      'negatives are present'
    )
  print(f'audio:  {folder.path}/audio/{{train,eval}}/*.flac')
  print(
    f'labels: {folder.path}/*.csv, {folder.path}/*.tsv; truth: {folder.path}/truth/'
  )


if __name__ == '__main__':
  stage.run(main)
