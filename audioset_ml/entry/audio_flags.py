"""The flag that says how sound files are named, for every stage that finds them."""

import sys

from absl import flags

FLAGS = flags.FLAGS


def define_audio_names() -> None:
  """Defines --audio_names as a flag of the calling entry point."""
  flags.DEFINE_string(
    'audio_names',
    'auto',
    'How the sound files of clips are named: a template with {id} and, where names '
    'have them, {start_ms}, {start_s}, {end_ms} and {end_s}, without folder and '
    'ending, such as Y{id}_{start_s}_{end_s}; {title} stands for anything beside a '
    'YouTube id of 11 characters. By default the one of the known forms '
    'under which the folder has most of the clips; several at once are an error.',
  )
  FLAGS.register_key_flag_for_module(sys.argv[0], FLAGS['audio_names'])
