"""Names the sounds in audio files.

For each FILE (of any format that FFmpeg decodes; of a video, its sound) the classes
with the highest mean score over its patches. What is odd in a file is noted. One that
can't be decoded is reported and passed over; the exit status is then 1.

Example:
  python -m audioset_ml.tag --model=exported/saved_model dog.wav rain.ogg
  python -m audioset_ml.tag --model=yamnet.h5 --class_map=yamnet_class_map.csv *.ogg
"""

import sys
from collections.abc import Sequence

from absl import app, flags

from audioset_ml import folders, paths, stage
from audioset_ml.errors import AudioError

FLAGS = flags.FLAGS
flags.DEFINE_string(
  'model', None, 'SavedModel, train folder, .keras file or yamnet.h5.', required=True
)
flags.DEFINE_string(
  'class_map', None, "The model's class map (CSV), if it carries none."
)
flags.DEFINE_integer('top', 5, 'How many classes to print.', 1)
flags.DEFINE_enum(
  'decoder', 'ffmpeg', ['ffmpeg', 'tensorflow_io'], 'What decodes the files.'
)
flags.DEFINE_string(
  'output_npz',
  '',
  'File to write all scores, embeddings and log-mel spectrograms to, under the keys '
  '<file name>|scores and so on.',
)


def _if_none_is_there(files: Sequence[str]) -> list[AudioError]:
  """Why no file can be used; nothing if one may be."""
  from audioset_ml.audio.decoding import require_file

  errors = []
  for path in files:
    try:
      if paths.is_remote(path):
        return []
      require_file(path)
      return []
    except AudioError as error:
      errors.append(error)
  return errors


def main(argv: Sequence[str]) -> int:
  files = argv[1:]
  if not files:
    raise app.UsageError('name at least one sound file')
  if FLAGS.output_npz:
    folders.require_writable(FLAGS.output_npz)
  stage.require_inputs({'model': FLAGS.model, 'class_map': FLAGS.class_map})
  from audioset_ml.models.model_files import require_classes

  require_classes(FLAGS.model, FLAGS.class_map)
  if errors := _if_none_is_there(files):
    print(*(f'error: {error}' for error in errors), sep='\n', file=sys.stderr)
    return 1
  from audioset_ml.audio.decoding import require_decoder

  require_decoder(FLAGS.decoder)
  # Not before: what is wrong is told without TensorFlow's start.
  from audioset_ml.models import saved_model, tagging
  from audioset_ml.progress import progress_bar

  model = saved_model.load_waveform_model(FLAGS.model, FLAGS.class_map)
  tagged, failed = [], 0
  with progress_bar(total=len(files), unit='file', desc='tag', leave=False) as bar:
    for result in tagging.tag_files(model, files, FLAGS.decoder):
      bar.update()
      if isinstance(result, AudioError):
        failed += 1
        bar.write(f'error: {result}', file=sys.stderr)
        continue
      if result.notes:
        note = f'note: {paths.shown(result.path)}: {"; ".join(result.notes)}'
        bar.write(note, file=sys.stderr)
      bar.write(tagging.describe(result, model.class_names, FLAGS.top), file=sys.stdout)
      if FLAGS.output_npz:
        tagged.append(result)
  if FLAGS.output_npz:
    tagging.write_npz(FLAGS.output_npz, tagged, files)
  if failed:
    print(f'{failed} of {len(files)} files could not be used', file=sys.stderr)
  return 1 if failed else 0


if __name__ == '__main__':
  stage.run(main, positional=True)
