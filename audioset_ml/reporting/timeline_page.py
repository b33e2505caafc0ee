"""A timeline as a page that opens without a server, with the sound to play."""

import base64
import pathlib
import shutil
import tempfile
import urllib.parse

import numpy as np

from audioset_ml.audio import playback
from audioset_ml.core import folders
from audioset_ml.core.errors import AudioError
from audioset_ml.models.tag_names import PAGE_SOUND
from audioset_ml.reporting.page import write_page
from audioset_ml.reporting.picture import data_uri, spectrogram_webp
from audioset_ml.reporting.timeline_data import Timeline

_EMBEDDED_BYTES = 4 << 20  # of sound: some ten minutes


def write_timeline_page(timeline: Timeline, path: str, sound: str) -> None:
  """Writes the page; the sound in it, or beside it as an MP3 where it is long."""
  page = pathlib.Path(path)
  events = [
    [event.class_index, round(event.start, 3), round(event.end, 3)]
    for event in timeline.events
  ]
  picture = spectrogram_webp(timeline.log_mel, len(timeline.log_mel))
  scores = np.round(255 * timeline.scores.clip(0, 1)).astype(np.uint8)
  write_page(
    'timeline_page.html',
    {
      'title': timeline.name,
      'seconds': round(timeline.seconds, 3),
      'picture': data_uri('image/webp', picture),
      'pictureSeconds': len(timeline.log_mel) * timeline.column_seconds,
      'hertz': [timeline.front_end.mel_min_hz, timeline.front_end.mel_max_hz],
      'cellSeconds': timeline.cell_seconds,
      'threshold': timeline.threshold,
      'classes': [
        {'name': name, 'scores': base64.b64encode(scores[:, row].tobytes()).decode()}
        for row, name in enumerate(timeline.classes)
      ],
      'events': events,
      'audio': _sound_for(page, sound),
    },
    page,
  )


def _sound_for(page: pathlib.Path, sound: str) -> str:
  """Where the page finds its sound, as every browser plays it; '' for none.

  A long one lies beside the page under a name that no recording has.
  """
  with tempfile.TemporaryFile() as content:
    try:
      playback.write_mp3(sound, content)
    except AudioError:  # nothing of it can be decoded: the page has pictures alone
      return ''
    size = content.tell()
    content.seek(0)
    if size <= _EMBEDDED_BYTES:
      return data_uri('audio/mpeg', content.read())
    beside = page.with_name(f'{page.name}{PAGE_SOUND}')
    with folders.whole_file(beside) as file:
      shutil.copyfileobj(content, file)
  return urllib.parse.quote(beside.name)
