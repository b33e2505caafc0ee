"""The flag that says how sound files are named, for every stage that finds them."""

from audioset_ml.entry.flag_groups import Flag, Need


def audio_names(fills: type | None = None, needs: Need | None = None) -> Flag:
  """--audio_names.

  Args:
    fills: what has a field of this name; None for nothing.
    needs: without which it does nothing.
  """
  return Flag(
    fills,
    'audio_names',
    'How the sound files of clips are named: a template with {id} and, where names '
    'have them, {start_ms}, {start_s}, {end_ms} and {end_s}, without folder and '
    'ending, such as Y{id}_{start_s}_{end_s}; {title} stands for anything beside a '
    'YouTube id of 11 characters. By default the one of the known forms '
    'under which the folder has most of the clips; several at once are an error.',
    default='auto',
    needs=needs,
  )
