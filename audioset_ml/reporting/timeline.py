"""`tag --timeline`: of each sound a page or a picture."""

import dataclasses
import os

import numpy as np

from audioset_ml.audio.front_end import FrontEnd
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.models.events import EventConfig, cell_scores
from audioset_ml.models.score_spool import Spools
from audioset_ml.models.sound_scores import ScoredBlock
from audioset_ml.models.tag_names import NAME, ending_of, output_of
from audioset_ml.models.tag_outputs import events_of
from audioset_ml.models.tagging import FileTags, silences
from audioset_ml.reporting import style
from audioset_ml.reporting.timeline_data import MAX_COLUMNS, Spectrogram, Timeline
from audioset_ml.reporting.timeline_figure import draw_timeline
from audioset_ml.reporting.timeline_page import write_timeline_page

PAGE = '.html'


class Timelines:
  """An output of `tag`; see `tag_outputs`."""

  def __init__(
    self,
    path: str,
    class_map: ClassMap,
    front_end: FrontEnd,
    thresholds: np.ndarray,
    config: EventConfig,
    number: int,
    pooling: str,
  ):
    """Args: where they go, `{}` for the sound's name; the classes; what makes the
    spectrogram; each class's threshold; how events are found; how many classes are
    shown, and by which scores of the file they are chosen."""
    self._path, self._class_map, self._front_end = path, class_map, front_end
    self._thresholds, self._config = thresholds, config
    self._number, self._pooling = number, pooling
    self._spools, self._spectrogram = Spools(), Spectrogram()

  def add(self, block: ScoredBlock) -> None:
    self._spools['scores'].add(block.scores)
    self._spectrogram.add(block.log_mel)

  def finish(self, tags: FileTags | None) -> None:
    if tags:
      path = output_of(self._path, tags.path) if NAME in self._path else self._path
      timeline = self._timeline(tags)
      if ending_of(path) == PAGE:
        write_timeline_page(timeline, path, tags.path)
      else:
        style.save(draw_timeline(timeline), path)
    self._spools.clear()
    self._spectrogram = Spectrogram()

  def close(self, whole: bool = True) -> None:
    self._spools.close()

  def _timeline(self, tags: FileTags) -> Timeline:
    silence = silences(self._class_map.names)
    classes = tags.top(self._number, self._pooling, by_mean=silence)
    place = {index: row for row, index in enumerate(classes)}
    spool = self._spools['scores']
    own = np.full(len(self._thresholds), np.inf)
    own[classes] = self._thresholds[classes]
    events = events_of(spool, tags, own, self._config)
    cells = cell_scores(spool.columns(classes), tags.hop_seconds, tags.window_seconds)
    cells = cells[: max(1, int(np.ceil(tags.seconds / tags.hop_seconds - 1e-6)))]
    step = -(-len(cells) // MAX_COLUMNS)
    starts = np.arange(0, len(cells), step)
    step_frames = self._spectrogram.frames_a_column
    shown = self._thresholds[classes]
    same = len(np.unique(shown)) == 1
    return Timeline(
      name=os.path.basename(tags.path),
      seconds=tags.seconds,
      log_mel=self._spectrogram.picture(),
      column_seconds=step_frames * self._front_end.hop_seconds,
      front_end=self._front_end,
      classes=tuple(self._class_map.names[index] for index in classes),
      scores=np.maximum.reduceat(cells, starts, axis=0),
      cell_seconds=step * tags.hop_seconds,
      events=tuple(
        dataclasses.replace(event, class_index=place[event.class_index])
        for event in events
      ),
      threshold=f'from a score of {shown[0]:g}'
      if same
      else "by each class's threshold",
    )
