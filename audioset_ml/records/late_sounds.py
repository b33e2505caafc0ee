"""Sound files that have come after the records were made without them."""

from audioset_ml.core import folders, paths
from audioset_ml.core.errors import InputError, agreeing, counted, printable
from audioset_ml.records import audio_files, audio_names
from audioset_ml.records.folder_files import read_skipped

_MISSING = 'missing'


def told(records: paths.Path, audio_dir: str) -> str:
  """How many clips that the records lack for want of sound have some now.

  Args:
    records: the finished records.
    audio_dir: the folder of the clips' sound.

  Returns:
    A line, '' if there are none.
  """
  skipped = read_skipped(records)
  missing = [clip_id for clip_id, reason, _ in skipped if reason == _MISSING]
  if not missing:
    return ''
  template = folders.read_run(records, 'prepare').get('audio_names')
  try:
    sounds = audio_files.find_audio(
      audio_dir, missing, names=template or audio_names.AUTO
    ).sounds
  except InputError:  # such as several names at once: the stage itself would tell
    return ''
  if not sounds:
    return ''
  first = printable(next(iter(sounds.values())))
  return (
    f'{len(sounds)} of {counted(len(missing), "clip")} without sound in them '
    f'{agreeing(len(sounds), "have")} a file by now ({first}, for one), which are left '
    'out until --overwrite makes them anew'
  )
