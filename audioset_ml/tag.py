"""Names the sounds in audio files, and says when they are.

For each FILE (of any format that FFmpeg decodes; of a video, its sound), each sound
file in a folder, or each that a pattern names: the classes with the highest score of
any patch (0.96 s), when that patch begins, and the mean over all patches. What is odd
in a file is noted. A damaged one is tagged as far as it can be decoded; one that can't
be decoded at all is reported and passed over. The exit status of either is 1. Long
sounds take no more memory than short ones.

With --microphone, and no FILE, it names what is heard, a line a patch, until Ctrl-C.

Examples:
  python -m audioset_ml.tag --model=exported dog.wav recordings/ 'more/*.ogg'
  python -m audioset_ml.tag --model=yamnet.h5 --events=events.tsv recordings/
  python -m audioset_ml.tag --model=yamnet.h5 --timeline='{}.html' long.mp3
  python -m audioset_ml.tag --model=exported --microphone --top=3 --min_score=0.2
"""

import sys
from collections.abc import Sequence

from absl import app, flags

from audioset_ml.core import folders
from audioset_ml.core.errors import InputError, brief, counted
from audioset_ml.entry import flag_help, stage
from audioset_ml.models.config import POOLINGS

FLAGS = flags.FLAGS
flag_help.heading('The model')
flags.DEFINE_string(
  'model',
  None,
  'Folder of export or train, SavedModel, .keras, .tflite or .onnx file, or yamnet.h5. '
  'A SavedModel is a program: take one only of people whose programs you would run.',
  required=True,
)
flags.DEFINE_string(
  'class_map', None, "The model's class map (CSV), if it carries none."
)
flag_help.heading('What is printed')
flags.DEFINE_integer('top', 5, 'How many classes to print.', 1)
flags.DEFINE_float('min_score', 0.0, 'The least score that is printed.', 0, 1)
flags.DEFINE_enum(
  'clip_score',
  'max',
  POOLINGS,
  "Which score of a file decides what classes are printed, from its patches' scores: "
  'max; mean; linear_softmax, the mean weighted by the scores themselves.',
)
flag_help.heading('How the sound is read')
flags.DEFINE_float(
  'hop_seconds',
  None,
  "Time from one patch to the next (s), a multiple of 0.01; by default the model's "
  'own, 0.48.',
  0.1,
)
flags.DEFINE_enum(
  'decoder', 'ffmpeg', ['ffmpeg', 'tensorflow_io'], 'What decodes the files.'
)
flags.DEFINE_bool(
  'microphone', False, 'Listen, instead of reading files; needs the extra microphone.'
)
flags.DEFINE_float(
  'microphone_seconds', 0.0, 'How long to listen; 0 for until Ctrl-C.', 0
)
flag_help.heading('Scores in files')
flags.DEFINE_string(
  'output_csv',
  '',
  'File to write scores of all patches to (file, start, end, class, score): those of '
  'the --top classes of each patch that reach --min_score.',
)
flags.DEFINE_string(
  'output_npz',
  '',
  'File to write all scores, embeddings and log-mel spectrograms to, under the keys '
  '<file name>|scores and so on; when patches begin is in <file name>|start_seconds, '
  'what the columns stand for in class_names and mids.',
)
flag_help.heading(
  'Events and timelines',
  'From when to when a class is heard: where its score reaches a threshold.',
)
flags.DEFINE_string(
  'events',
  '',
  "File to write events to, by its ending: .tsv, AudioSet's strong labels, which "
  'prepare takes as --strong_tsv; .txt, labels for Audacity; .csv, as --output_csv. {} '
  "in it stands for the sound's name, for a file a sound.",
)
flags.DEFINE_string(
  'threshold',
  '0.3',
  'The score from which on there is an event: one for all classes; or a file with one '
  'for each class, as evaluate --thresholds writes it.',
)
flags.DEFINE_float('median_seconds', 0.0, "Length of the scores' median filter (s).", 0)
flags.DEFINE_float(
  'merge_seconds', 0.0, 'Join events of a class over gaps up to so long (s).', 0
)
flags.DEFINE_float(
  'min_event_seconds', 0.0, 'Leave out events that are shorter (s).', 0
)
flags.DEFINE_string(
  'timeline',
  '',
  'Page (.html, with the sound to play; that of a long one lies beside it, as '
  '<page>.mp3) or picture (.png, .pdf, .svg) to write: spectrogram, scores and events '
  "over time. {} stands for the sound's name.",
)
flags.DEFINE_integer('timeline_classes', 12, 'How many classes a timeline shows.', 1)

_OF_EVENTS = ('threshold', 'median_seconds', 'merge_seconds', 'min_event_seconds')


def main(argv: Sequence[str]) -> int:
  _require_flags(argv[1:])
  stage.require_inputs(
    {
      'model': FLAGS.model,
      'class_map': FLAGS.class_map,
      'threshold': '' if _one_threshold() is not None else FLAGS.threshold,
    }
  )
  from audioset_ml.models import tag_names
  from audioset_ml.models.model_checks import require_classes

  require_classes(FLAGS.model, FLAGS.class_map)
  if FLAGS.microphone:
    return _listen()
  for path in (FLAGS.output_csv, FLAGS.output_npz):
    if path:
      folders.require_writable(path)
  sounds, errors = tag_names.find_sounds(argv[1:])
  print(*(f'error: {error}\n' for error in errors), sep='', end='', file=sys.stderr)
  if not sounds:
    return 1
  _require_outputs(sounds)
  from audioset_ml.audio.decoding import require_decoder

  require_decoder(FLAGS.decoder)
  # Not before: what is wrong is told without TensorFlow's start.
  from audioset_ml.models.waveform_loading import load_waveform_model
  from audioset_ml.reporting.tag_stage import tag_sounds

  model = load_waveform_model(FLAGS.model, FLAGS.class_map)
  failed, damaged = tag_sounds(model, sounds, _config())
  failed += len(errors)
  total = len(sounds) + len(errors)
  of = f'of {counted(total, "file")}'
  if failed:
    print(f'{failed} {of} could not be used', file=sys.stderr)
  if damaged:
    print(f'{damaged} {of} damaged (see notes)', file=sys.stderr)
  return 1 if failed or damaged else 0


def _listen() -> int:
  """Names what the microphone hears; 0 unless sound was lost."""
  from audioset_ml.audio import microphone

  microphone.require_library()
  from audioset_ml.models import live_tagging, waveform_loading
  from audioset_ml.reporting.tag_stage import hop_frames

  model = waveform_loading.load_waveform_model(FLAGS.model, FLAGS.class_map)
  hop = hop_frames(model, _config())
  how = (FLAGS.top, FLAGS.min_score, hop, FLAGS.microphone_seconds)
  lost: list[str] = []
  try:
    with microphone.listening(model.front_end.sample_rate, lost.append) as blocks:
      print('listening; Ctrl-C ends', file=sys.stderr, flush=True)
      for line in live_tagging.live_tags(model, blocks, *how):
        print(line, flush=True)
  except KeyboardInterrupt:
    pass  # it is how listening ends
  if lost:
    number = counted(len(lost), 'time')
    print(f'sound was lost {number} ({lost[-1]})', file=sys.stderr)
  return 1 if lost else 0


def _config():
  """What is printed and written, by the flags."""
  from audioset_ml.models.events import EventConfig
  from audioset_ml.reporting.tag_stage import TagConfig

  one = _one_threshold()
  return TagConfig(
    top=FLAGS.top,
    min_score=FLAGS.min_score,
    clip_score=FLAGS.clip_score,
    hop_seconds=FLAGS.hop_seconds,
    decoder=FLAGS.decoder,
    output_csv=FLAGS.output_csv,
    output_npz=FLAGS.output_npz,
    events=FLAGS.events,
    timeline=FLAGS.timeline,
    threshold=FLAGS.threshold if one is None else one,
    event_config=EventConfig(
      FLAGS.median_seconds, FLAGS.merge_seconds, FLAGS.min_event_seconds
    ),
    timeline_classes=FLAGS.timeline_classes,
  )


def _require_flags(files: Sequence[str]) -> None:
  """Raises for flags that don't go together or can't be."""
  if FLAGS.microphone:
    _require_microphone_alone(files)
  elif not files:
    raise app.UsageError('name at least one sound file, or a folder of them')
  elif FLAGS.microphone_seconds:
    raise app.UsageError('--microphone_seconds does nothing without --microphone')
  one = _one_threshold()
  if one is not None and not 0 < one <= 1:
    raise app.UsageError(
      f'--threshold={brief(FLAGS.threshold)} is not above 0 and up to 1'
    )
  if FLAGS.events or FLAGS.timeline:
    _require_endings()
    return
  for name in _OF_EVENTS:
    if FLAGS[name].value != FLAGS[name].default:
      raise app.UsageError(f'--{name} does nothing without --events or --timeline')
  if FLAGS.timeline_classes != FLAGS['timeline_classes'].default:
    raise app.UsageError('--timeline_classes does nothing without --timeline')


def _require_microphone_alone(files: Sequence[str]) -> None:
  """Raises for what can't be had of a sound without an end."""
  if files:
    raise app.UsageError(f'--microphone takes no files, but {files[0]} is named')
  for name in ('events', 'timeline', 'output_csv', 'output_npz'):
    if FLAGS[name].value:
      raise app.UsageError(f'--{name} is of files, but --microphone hears none')
  if FLAGS.clip_score != FLAGS['clip_score'].default:
    raise app.UsageError('--clip_score is of files, but --microphone hears none')


def _require_endings() -> None:
  """Raises InputError where an output's ending says no format."""
  from audioset_ml.models import tag_names
  from audioset_ml.reporting import style

  ending = tag_names.ending_of(FLAGS.events)
  if FLAGS.events and ending not in tag_names.EVENT_ENDINGS:
    raise InputError(
      f'--events={FLAGS.events}: its ending says no format; use '
      f'{", ".join(tag_names.EVENT_ENDINGS)}'
    )
  if FLAGS.timeline and tag_names.ending_of(FLAGS.timeline) != '.html':
    try:
      style.require_format(FLAGS.timeline)
    except InputError as error:
      raise InputError(f'{error}, or .html for a page') from error


def _one_threshold() -> float | None:
  """The threshold of all classes; None where a file has each class's own."""
  try:
    return float(FLAGS.threshold)
  except ValueError:
    return None


def _require_outputs(sounds: Sequence[str]) -> None:
  """Raises InputError unless all can be written."""
  from audioset_ml.models import tag_names

  if FLAGS.events:
    ending = tag_names.ending_of(FLAGS.events)
    if ending == tag_names.STRONG and tag_names.NAME not in FLAGS.events:
      tag_names.require_ids(FLAGS.events, sounds)
    one = ending == tag_names.AUDACITY
    tag_names.require_outputs('events', FLAGS.events, sounds, one)
  if FLAGS.timeline:
    tag_names.require_outputs('timeline', FLAGS.timeline, sounds, one=True)


if __name__ == '__main__':
  stage.run(main, positional=True)
